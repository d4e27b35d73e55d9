//! | endpoint                                                   | answers                             |
//! |------------------------------------------------------------|-------------------------------------|
//! | `GET /v2/travel-regions/{travelId}/regions`                | the regions of a travel             |
//! | `POST /v2/travel-regions/{travelId}/regions`               | 204, or 201 when it had none before |
//! | `DELETE /v2/travel-regions/{travelId}/regions/{regionId}`  | 204, it has one region less         |
//!
//! A travel is made with at least one region and keeps at least one, so it has none only where its
//! rows come from elsewhere. That is the one case in which POST adds the first ones: 201.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use serde::Deserialize;
use service::body::Json;
use service::check::Check;
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::proof::Member;
use service::query;
use utoipa::ToSchema;

use crate::api::{Planner, travel_key};
use crate::store::Replaced;
use crate::travel::{Region, read_regions, regions_schema};

/// The regions a travel is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegionsBody {
    #[schema(schema_with = regions_schema, required = true)]
    region_names: Option<Vec<String>>,
}

/// The endpoints of this file.
pub(crate) fn routes() -> Router<Planner> {
    Router::new()
        .route("/v2/travel-regions/{travelId}/regions", get(list).post(replace))
        .route("/v2/travel-regions/{travelId}/regions/{regionId}", delete(remove))
}

/// Lists the regions of a travel in their order.
#[utoipa::path(
    get,
    path = "/v2/travel-regions/{travelId}/regions",
    operation_id = "listRegions",
    tag = "regions",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
    ),
    responses(
        (status = 200, description = "The regions", body = One<Vec<Region>>),
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
) -> Result<One<Vec<Region>>, Problem> {
    let travel = planner.store.find(travel_key(member, &travel_id)?).await?;
    Ok(One::new(&planner.clock, travel.regions))
}

/// Gives a travel these regions and no others.
#[utoipa::path(
    post,
    path = "/v2/travel-regions/{travelId}/regions",
    operation_id = "replaceRegions",
    tag = "regions",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
    ),
    request_body = RegionsBody,
    responses(
        (status = 201, description = "The regions, of a travel that had none before", body = One<Vec<Region>>),
        (status = 204, description = "The travel has these regions in place of others"),
        (status = 400, description = "INVALID_REQUEST, with errors[] where members were checked, or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn replace(
    State(planner): State<Planner>,
    member: Member,
    Path(travel_id): Path<String>,
    Json(body): Json<RegionsBody>,
) -> Result<Response, Problem> {
    let key = travel_key(member, &travel_id)?;
    let mut check = Check::new();
    let names = read_regions(&mut check, body.region_names);
    let names = check.finish_with(names)?;
    Ok(match planner.store.replace_regions(key, names).await? {
        Replaced::Nothing(regions) => {
            (StatusCode::CREATED, One::new(&planner.clock, regions)).into_response()
        }
        Replaced::Others => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Takes a region away from a travel; those behind it move up.
#[utoipa::path(
    delete,
    path = "/v2/travel-regions/{travelId}/regions/{regionId}",
    operation_id = "deleteRegion",
    tag = "regions",
    params(
        ("travelId" = i64, Path, minimum = 1, description = "Id of the travel"),
        ("regionId" = i64, Path, minimum = 1, description = "Id of the region"),
    ),
    responses(
        (status = 204, description = "The travel has the other regions"),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "TRAVEL_NOT_FOUND: there is none, or it is another member's; REGION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "LAST_REGION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn remove(
    State(planner): State<Planner>,
    member: Member,
    Path((travel_id, region_id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let key = travel_key(member, &travel_id)?;
    let region_id = query::id("regionId", &region_id)?;
    planner.store.remove_region(key, region_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests;
