//! | endpoint                                                      | answers                           |
//! |---------------------------------------------------------------|-----------------------------------|
//! | `GET /v2/travel-plans/{travelId}/plans`                       | the plans, day by day in order    |
//! | `POST /v2/travel-plans/{travelId}/plans`                      | 201 with a plan added to its day  |
//! | `DELETE /v2/travel-plans/{travelId}/plans?planIds=1,2`        | 204, all of them are gone         |
//! | `GET /v2/travel-plans/{travelId}/plans/{planId}`              | one plan                          |
//! | `POST /v2/travel-plans/{travelId}/plans/{planId}`             | 204, the plan is another one      |
//! | `POST /v2/travel-plans/{travelId}/plans/{planId}/order`       | 204, it has another place         |
//! | `POST /v2/travel-plans/{travelId}/plans/sort-by-distance`     | a day by the nearest neighbour    |
//! | `DELETE /v2/travel-plans/{travelId}/plans/{planId}`           | 204, it is gone                   |
//!
//! Plans of a day are always numbered 1, 2, 3 … without gaps.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;
use service::body::Json;
use service::check::Check;
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::proof::Member;
use service::query::{self, Query};
use utoipa::ToSchema;

use crate::api::{Planner, travel_key};
use crate::itinerary::{Slot, by_distance};
use crate::period::read_date;
use crate::plan::{Plan, PlanBody};
use crate::refusal::Refusal;

/// Ids in one request; what a target has room for.
const MOST_IDS: usize = 100;

/// The place a plan is to have on its day.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderBody {
    /// From 1 to the number of plans on the day; those between move over.
    #[schema(value_type = i64, required = true, minimum = 1, example = 1)]
    plan_order: Option<i64>,
}

/// Which day to sort.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SortBody {
    #[schema(value_type = String, required = true, format = Date)]
    date: Option<String>,
    /// Where to begin; with the first plan of the day unless told.
    #[schema(minimum = 1)]
    start_plan_id: Option<i64>,
}

/// The endpoints of this file.
pub(crate) fn routes() -> Router<Planner> {
    Router::new()
        .route("/v2/travel-plans/{travelId}/plans", get(list).post(append).delete(remove_several))
        .route("/v2/travel-plans/{travelId}/plans/sort-by-distance", post(sort_by_distance))
        .route("/v2/travel-plans/{travelId}/plans/{planId}", get(show).post(edit).delete(remove))
        .route("/v2/travel-plans/{travelId}/plans/{planId}/order", post(reorder))
}

/// Lists the plans of a travel, day by day in their order.
#[utoipa::path(
    get,
    path = "/v2/travel-plans/{travelId}/plans",
    operation_id = "listPlans",
    tag = "plans",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
        ("date" = Option<String>, Query, format = Date, description = "Leaves out the plans of other days"),
    ),
    responses(
        (status = 200, description = "The plans", body = One<Vec<Plan>>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn list(
    State(planner): State<Planner>,
    member: Member,
    Path(travel_id): Path<String>,
    mut query: Query,
) -> Result<One<Vec<Plan>>, Problem> {
    let key = travel_key(member, &travel_id)?;
    let date = query.date("date");
    query.finish()?;
    Ok(One::new(&planner.clock, planner.store.plans(key, date).await?))
}

/// Adds a plan at the end of its day. A travel may have 500.
#[utoipa::path(
    post,
    path = "/v2/travel-plans/{travelId}/plans",
    operation_id = "appendPlan",
    tag = "plans",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
    ),
    request_body = PlanBody,
    responses(
        (status = 201, description = "The new plan", body = One<Plan>, headers(("Location" = String, description = "Where clients of the gateway find the plan"))),
        (status = 400, description = "INVALID_REQUEST, with errors[] where members were checked, or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "PLAN_OUT_OF_RANGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn append(
    State(planner): State<Planner>,
    member: Member,
    Path(travel_id): Path<String>,
    Json(body): Json<PlanBody>,
) -> Result<impl IntoResponse, Problem> {
    let key = travel_key(member, &travel_id)?;
    let plan = planner.store.append_plan(key, body.check()?).await?;
    let location = format!("/travel-plans/{}/plans/{}", plan.travel_id, plan.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], One::new(&planner.clock, plan)))
}

/// Deletes several plans, all of them or none.
#[utoipa::path(
    delete,
    path = "/v2/travel-plans/{travelId}/plans",
    operation_id = "deletePlans",
    tag = "plans",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
        ("planIds" = Vec<i64>, Query, style = Form, explode = false, min_items = 1, max_items = 100, description = "Ids with commas between them; each counts once"),
    ),
    responses(
        (status = 204, description = "The plans are gone"),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's; PLAN_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn remove_several(
    State(planner): State<Planner>,
    member: Member,
    Path(travel_id): Path<String>,
    query: Query,
) -> Result<StatusCode, Problem> {
    let key = travel_key(member, &travel_id)?;
    let plan_ids = read_ids(query)?;
    planner.store.delete_plans(key, &plan_ids).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows one plan.
#[utoipa::path(
    get,
    path = "/v2/travel-plans/{travelId}/plans/{planId}",
    operation_id = "showPlan",
    tag = "plans",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
        ("planId" = i64, Path, minimum = 1, description = "Id of the plan"),
    ),
    responses(
        (status = 200, description = "The plan", body = One<Plan>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's; PLAN_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 405, description = "METHOD_NOT_ALLOWED: sort-by-distance, which stands where an id does, is no plan", body = ProblemDocument, content_type = "application/problem+json", headers(("Allow" = String, description = "POST"))),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn show(
    State(planner): State<Planner>,
    member: Member,
    Path((travel_id, plan_id)): Path<(String, String)>,
) -> Result<One<Plan>, Problem> {
    let key = travel_key(member, &travel_id)?;
    let plan_id = query::id("planId", &plan_id)?;
    Ok(One::new(&planner.clock, planner.store.plan(key, plan_id).await?))
}

/// Replaces a plan. On its day it keeps its place; on another day it comes last.
#[utoipa::path(
    post,
    path = "/v2/travel-plans/{travelId}/plans/{planId}",
    operation_id = "editPlan",
    tag = "plans",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
        ("planId" = i64, Path, minimum = 1, description = "Id of the plan"),
    ),
    request_body = PlanBody,
    responses(
        (status = 204, description = "The plan is as it was sent"),
        (status = 400, description = "INVALID_REQUEST, with errors[] where members were checked, or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's; PLAN_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "PLAN_OUT_OF_RANGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn edit(
    State(planner): State<Planner>,
    member: Member,
    Path((travel_id, plan_id)): Path<(String, String)>,
    Json(body): Json<PlanBody>,
) -> Result<StatusCode, Problem> {
    let key = travel_key(member, &travel_id)?;
    let plan_id = query::id("planId", &plan_id)?;
    planner.store.edit_plan(key, plan_id, body.check()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a plan another place on its day.
#[utoipa::path(
    post,
    path = "/v2/travel-plans/{travelId}/plans/{planId}/order",
    operation_id = "movePlan",
    tag = "plans",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
        ("planId" = i64, Path, minimum = 1, description = "Id of the plan"),
    ),
    request_body = OrderBody,
    responses(
        (status = 204, description = "The plan has the place"),
        (status = 400, description = "INVALID_REQUEST, with errors[] where members were checked, or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's; PLAN_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn reorder(
    State(planner): State<Planner>,
    member: Member,
    Path((travel_id, plan_id)): Path<(String, String)>,
    Json(body): Json<OrderBody>,
) -> Result<StatusCode, Problem> {
    let key = travel_key(member, &travel_id)?;
    let plan_id = query::id("planId", &plan_id)?;
    let mut check = Check::new();
    let plan_order = check.required("planOrder", body.plan_order);
    let plan_order = check.finish_with(plan_order)?;
    planner.store.move_plan(key, plan_id, plan_order).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sorts a day so that one goes on to the nearest plan each time.
///
/// The day is sorted while nothing is locked; when the travel changes meanwhile the answer is 409.
#[utoipa::path(
    post,
    path = "/v2/travel-plans/{travelId}/plans/sort-by-distance",
    operation_id = "sortPlans",
    tag = "plans",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
    ),
    request_body = SortBody,
    responses(
        (status = 200, description = "The plans of the day in their new order", body = One<Vec<Plan>>),
        (status = 400, description = "INVALID_REQUEST, with errors[] where members were checked, or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's; PLAN_NOT_FOUND: startPlanId is not on that day", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "CONCURRENT_MODIFICATION: the same may be sent again", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn sort_by_distance(
    State(planner): State<Planner>,
    member: Member,
    Path(travel_id): Path<String>,
    Json(body): Json<SortBody>,
) -> Result<One<Vec<Plan>>, Problem> {
    let key = travel_key(member, &travel_id)?;
    let mut check = Check::new();
    let date = read_date(&mut check, "date", body.date.as_deref());
    let start_plan_id = check.within("startPlanId", body.start_plan_id, 1..=i64::MAX);
    let date = check.finish_with(date)?;
    // Before the plans: what changes after this is noticed.
    let version = planner.store.version(key).await?;
    let plans = planner.store.plans(key, Some(date)).await?;
    let start = start_plan_id
        .map_or(Some(0), |start_plan_id| plans.iter().position(|plan| plan.id == start_plan_id));
    let mut sorted = by_distance(plans, start.ok_or(Refusal::NoPlan)?);
    let slots: Vec<Slot> = sorted.iter().map(Plan::slot).collect();
    planner.store.reorder_plans(key, version, &slots).await?;
    for (order, plan) in (1..).zip(&mut sorted) {
        plan.order = order;
    }
    Ok(One::new(&planner.clock, sorted))
}

/// Deletes one plan.
#[utoipa::path(
    delete,
    path = "/v2/travel-plans/{travelId}/plans/{planId}",
    operation_id = "deletePlan",
    tag = "plans",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
        ("planId" = i64, Path, minimum = 1, description = "Id of the plan"),
    ),
    responses(
        (status = 204, description = "The plan is gone"),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's; PLAN_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 405, description = "METHOD_NOT_ALLOWED: sort-by-distance, which stands where an id does, is no plan", body = ProblemDocument, content_type = "application/problem+json", headers(("Allow" = String, description = "POST"))),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn remove(
    State(planner): State<Planner>,
    member: Member,
    Path((travel_id, plan_id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let key = travel_key(member, &travel_id)?;
    let plan_id = query::id("planId", &plan_id)?;
    planner.store.delete_plans(key, &BTreeSet::from([plan_id])).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads `planIds`: 1 to 100 ids with commas between them.
fn read_ids(mut query: Query) -> Result<BTreeSet<i64>, Problem> {
    let expected = format!("1 to {MOST_IDS} ids with commas between them, such as 1,2");
    let ids = query.parse("planIds", &expected, |text| {
        let ids: Vec<i64> = text.split(',').map(read_id).collect::<Option<_>>()?;
        (ids.len() <= MOST_IDS).then(|| ids.into_iter().collect())
    });
    if query.all("planIds").is_empty() {
        query.reject("planIds", "must be given", None);
    }
    query.finish()?;
    Ok(ids.unwrap_or_default())
}

/// Only as ids are written: the parser would also take a sign or zeros before it.
fn read_id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id: &i64| *id > 0 && id.to_string() == text)
}

#[cfg(test)]
mod tests;
