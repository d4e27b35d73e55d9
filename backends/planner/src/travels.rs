//! | endpoint                                | answers                                          |
//! |-----------------------------------------|--------------------------------------------------|
//! | `GET /v2/travels`                       | a page of the member's travels, the latest first |
//! | `POST /v2/travels`                      | 201 with the new travel                          |
//! | `GET /v2/travels/{travelId}`            | one travel with its regions                      |
//! | `POST /v2/travels/{travelId}/name`      | 204, the travel has another name                 |
//! | `POST /v2/travels/{travelId}/schedule`  | 204, the travel has other days                   |
//! | `DELETE /v2/travels/{travelId}`         | 204, it is gone with its regions and plans       |

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;
use service::body::Json;
use service::check::Check;
use service::cursor::{Cursor, Fingerprint};
use service::date;
use service::envelope::{Many, One, Page};
use service::problem::{Problem, ProblemDocument};
use service::proof::Member;
use service::query::Query;
use utoipa::ToSchema;

use crate::api::{Planner, travel_key};
use crate::period::Period;
use crate::store::{Filter, NewTravel, Position};
use crate::travel::{Travel, TravelDetail, read_name, read_regions, regions_schema};

/// What a cursor is bound to: everything but the page.
const FILTER: &[&str] = &["from", "to"];

/// A travel that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TravelBody {
    /// Without one, or with an empty one, the title is made from the regions.
    #[schema(max_length = 60, example = "봄 휴가")]
    travel_name: Option<String>,
    /// First day.
    #[schema(value_type = String, required = true, format = Date)]
    start_date: Option<String>,
    /// Last day, not before the first.
    #[schema(value_type = String, required = true, format = Date)]
    end_date: Option<String>,
    #[schema(schema_with = regions_schema, required = true)]
    region_names: Option<Vec<String>>,
}

/// Another name for a travel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NameBody {
    /// An empty one takes the name away; the title is then made from the regions.
    #[schema(value_type = String, required = true, max_length = 60, example = "봄 휴가")]
    travel_name: Option<String>,
}

/// Other days for a travel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleBody {
    /// First day.
    #[schema(value_type = String, required = true, format = Date)]
    start_date: Option<String>,
    /// Last day, not before the first.
    #[schema(value_type = String, required = true, format = Date)]
    end_date: Option<String>,
}

/// The endpoints of this file.
pub(crate) fn routes() -> Router<Planner> {
    Router::new()
        .route("/v2/travels", get(list).post(create))
        .route("/v2/travels/{travelId}", get(show).delete(remove))
        .route("/v2/travels/{travelId}/name", post(rename))
        .route("/v2/travels/{travelId}/schedule", post(reschedule))
}

/// Lists the member's own travels, those that begin last first.
#[utoipa::path(
    get,
    path = "/v2/travels",
    operation_id = "listTravels",
    tag = "travels",
    params(
        ("from" = Option<String>, Query, format = Date, description = "Leaves out travels that end before this day"),
        ("to" = Option<String>, Query, format = Date, description = "Leaves out travels that begin after this day; not before from"),
        ("size" = Option<usize>, Query, minimum = 1, maximum = 100, description = "How many a page holds (20)"),
        ("cursor" = Option<String>, Query, description = "nextCursor of the page before, with the same other parameters"),
    ),
    responses(
        (status = 200, description = "A page of travels", body = Many<TravelDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[], or INVALID_CURSOR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn list(
    State(planner): State<Planner>,
    member: Member,
    mut query: Query,
) -> Result<Many<TravelDetail>, Problem> {
    let fingerprint = query.fingerprint(FILTER);
    let filter = read_filter(&mut query);
    let size = query.size();
    let cursor = query.one("cursor");
    query.finish()?;
    let after = cursor.map(|text| read_position(&text, &fingerprint)).transpose()?;
    // One more than the page holds tells whether there is a next one.
    let limit = i64::try_from(size).map_err(Problem::internal)?.saturating_add(1);
    let mut travels = planner.store.list(member.id, filter, after, limit).await?;
    let has_next = travels.len() > size;
    travels.truncate(size);
    let last = travels.last().filter(|_| has_next).map(position);
    let next = last.map(|cursor| cursor.encode(&fingerprint)).transpose()?;
    let today = planner.clock.today();
    let travels = travels.into_iter().map(|travel| travel.into_detail(today)).collect();
    Ok(Many::new(&planner.clock, travels, Page::new(size, next, None)))
}

/// Makes a travel; it must have no day in common with another one of the member.
#[utoipa::path(
    post,
    path = "/v2/travels",
    operation_id = "createTravel",
    tag = "travels",
    request_body = TravelBody,
    responses(
        (status = 201, description = "The new travel", body = One<TravelDetail>, headers(("Location" = String, description = "Where clients of the gateway find the travel"))),
        (status = 400, description = "INVALID_REQUEST, with errors[] where members were checked, or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "TRAVEL_OVERLAP", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "TRAVEL_CREATED_FAIL when the store refuses the new rows; INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn create(
    State(planner): State<Planner>,
    member: Member,
    Json(body): Json<TravelBody>,
) -> Result<impl IntoResponse, Problem> {
    let travel = planner.store.create(member.id, body.check()?).await?;
    let location = format!("/travels/{}", travel.id);
    let answer = One::new(&planner.clock, travel.into_detail(planner.clock.today()));
    Ok((StatusCode::CREATED, [(LOCATION, location)], answer))
}

/// Shows one of the member's own travels.
#[utoipa::path(
    get,
    path = "/v2/travels/{travelId}",
    operation_id = "showTravel",
    tag = "travels",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
    ),
    responses(
        (status = 200, description = "The travel", body = One<TravelDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn show(
    State(planner): State<Planner>,
    member: Member,
    Path(travel_id): Path<String>,
) -> Result<One<TravelDetail>, Problem> {
    let travel = planner.store.find(travel_key(member, &travel_id)?).await?;
    Ok(One::new(&planner.clock, travel.into_detail(planner.clock.today())))
}

/// Gives a travel another name, or none.
#[utoipa::path(
    post,
    path = "/v2/travels/{travelId}/name",
    operation_id = "renameTravel",
    tag = "travels",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
    ),
    request_body = NameBody,
    responses(
        (status = 204, description = "The travel has the name"),
        (status = 400, description = "INVALID_REQUEST, with errors[] where members were checked, or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn rename(
    State(planner): State<Planner>,
    member: Member,
    Path(travel_id): Path<String>,
    Json(body): Json<NameBody>,
) -> Result<StatusCode, Problem> {
    let key = travel_key(member, &travel_id)?;
    let mut check = Check::new();
    let name = check.required("travelName", body.travel_name);
    let name = read_name(&mut check, name.as_deref());
    check.finish()?;
    planner.store.rename(key, name.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a travel other days; all its plans must lie within them.
#[utoipa::path(
    post,
    path = "/v2/travels/{travelId}/schedule",
    operation_id = "rescheduleTravel",
    tag = "travels",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
    ),
    request_body = ScheduleBody,
    responses(
        (status = 204, description = "The travel has the days"),
        (status = 400, description = "INVALID_REQUEST, with errors[] where members were checked, or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "TRAVEL_OVERLAP or PLAN_OUT_OF_RANGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn reschedule(
    State(planner): State<Planner>,
    member: Member,
    Path(travel_id): Path<String>,
    Json(body): Json<ScheduleBody>,
) -> Result<StatusCode, Problem> {
    let key = travel_key(member, &travel_id)?;
    let mut check = Check::new();
    let (start, end) = (body.start_date.as_deref(), body.end_date.as_deref());
    let period = Period::read(&mut check, start, end);
    planner.store.reschedule(key, check.finish_with(period)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a travel with its regions and plans.
#[utoipa::path(
    delete,
    path = "/v2/travels/{travelId}",
    operation_id = "deleteTravel",
    tag = "travels",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
    ),
    responses(
        (status = 204, description = "The travel is gone"),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn remove(
    State(planner): State<Planner>,
    member: Member,
    Path(travel_id): Path<String>,
) -> Result<StatusCode, Problem> {
    planner.store.delete(travel_key(member, &travel_id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl TravelBody {
    fn check(self) -> Result<NewTravel, Problem> {
        let mut check = Check::new();
        let name = read_name(&mut check, self.travel_name.as_deref());
        let (start, end) = (self.start_date.as_deref(), self.end_date.as_deref());
        let period = Period::read(&mut check, start, end);
        let regions = read_regions(&mut check, self.region_names);
        let travel = period.zip(regions);
        check.finish_with(travel.map(|(period, regions)| NewTravel { name, period, regions }))
    }
}

fn read_filter(query: &mut Query) -> Filter {
    let from = query.date("from");
    let to = query.date("to");
    if let Some((from, to)) = from.zip(to)
        && to < from
    {
        query.reject("to", "must not be before from", Some(to.to_string()));
    }
    Filter { from, to }
}

fn position(travel: &Travel) -> Cursor<String> {
    Cursor { key: travel.period.first().to_string(), id: travel.id }
}

/// A position is no secret, so anybody may make one up.
fn read_position(text: &str, filter: &Fingerprint) -> Result<Position, Problem> {
    let Cursor { key, id } = Cursor::<String>::decode(text, filter)?;
    let position = date::parse(&key).map(|start| Position { start, travel_id: id });
    position.ok_or_else(|| {
        let detail = "the cursor is not one of this service; leave it out";
        Problem::new(StatusCode::BAD_REQUEST, "INVALID_CURSOR", detail)
    })
}

#[cfg(test)]
mod tests;
