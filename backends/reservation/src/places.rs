//! | endpoint                                  | answers                                   |
//! |-------------------------------------------|-------------------------------------------|
//! | `GET /v1/place`                           | a page of lodgings that fit               |
//! | `GET /v1/place/{placeId}`                 | one lodging                               |
//! | `GET /v1/place/{placeId}/rooms`           | its rooms with their nights               |
//! | `GET /v1/place/{placeId}/rooms/{roomId}`  | one room with its nights                  |

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use service::clock::Clock;
use service::envelope::{Many, One, Page};
use service::problem::{Problem, ProblemDocument};
use service::proof::Member;
use service::query::{self, Query};

use crate::cms::Cms;
use crate::place::{PlaceDetail, PlaceItem, RoomDetail};
use crate::search::{self, PlaceType, Search, Sort};
use crate::stay::Stay;

/// Longer than any cursor of ours.
const LONGEST_CURSOR: usize = 512;

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) cms: Cms,
    pub(crate) clock: Clock,
}

/// The endpoints of this file.
pub(crate) fn routes(places: Places) -> Router {
    Router::new()
        .route("/v1/place", get(list))
        .route("/v1/place/{placeId}", get(show))
        .route("/v1/place/{placeId}/rooms", get(list_rooms))
        .route("/v1/place/{placeId}/rooms/{roomId}", get(show_room))
        .with_state(places)
}

/// Lists lodgings.
///
/// Prices and free rooms are those of the stay from `checkIn` to `checkOut`; tonight when both are
/// left out.
#[utoipa::path(
    get,
    path = "/v1/place",
    operation_id = "listPlaces",
    tag = "places",
    params(
        ("area" = Option<i64>, Query, minimum = 0, maximum = 16, description = "Area code"),
        ("type" = Option<Vec<PlaceType>>, Query, explode, description = "Type of lodging; may be given several times"),
        ("keyword" = Option<String>, Query, min_length = 1, max_length = 50, description = "Part of the name, in any case"),
        ("checkIn" = Option<String>, Query, format = Date, description = "First night, from today to 90 days ahead; together with checkOut"),
        ("checkOut" = Option<String>, Query, format = Date, description = "Day of leaving, 1 to 30 nights after checkIn"),
        ("guests" = Option<i64>, Query, minimum = 1, maximum = 20, description = "Counts only rooms that take so many persons"),
        ("minPrice" = Option<i64>, Query, minimum = 0, description = "Lowest startPrice in KRW"),
        ("maxPrice" = Option<i64>, Query, minimum = 0, description = "Highest startPrice in KRW; not below minPrice"),
        ("availableOnly" = Option<bool>, Query, description = "Leaves out lodgings without a free room (false)"),
        ("sort" = Option<Sort>, Query, description = "Field and direction (id,desc); lodgings without a price come last"),
        ("size" = Option<usize>, Query, minimum = 1, maximum = 100, description = "How many a page holds (20)"),
        ("cursor" = Option<String>, Query, description = "nextCursor of the page before, with the same other parameters"),
    ),
    responses(
        (status = 200, description = "A page of lodgings", body = Many<PlaceItem>),
        (status = 400, description = "INVALID_REQUEST with errors[], or INVALID_CURSOR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 502, description = "UPSTREAM_PROTOCOL", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "CMS_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "UPSTREAM_TIMEOUT", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(places): State<Places>,
    _: Member,
    mut query: Query,
) -> Result<Many<PlaceItem>, Problem> {
    let search = Search::read(&mut query, places.clock.today());
    query.finish()?;
    check_cursor(search.cursor.as_deref())?;
    let found = places.cms.search(&search).await?;
    let page = Page::new(search.size, found.next_cursor, found.total);
    Ok(Many::new(&places.clock, found.places, page))
}

/// Shows one lodging.
///
/// Price and free rooms are those of the stay from `checkIn` to `checkOut`; tonight when both are
/// left out.
#[utoipa::path(
    get,
    path = "/v1/place/{placeId}",
    operation_id = "showPlace",
    tag = "places",
    params(
        ("placeId" = i64, Path, minimum = 1, description = "Id of the lodging"),
        ("checkIn" = Option<String>, Query, format = Date, description = "First night, from today to 90 days ahead; together with checkOut"),
        ("checkOut" = Option<String>, Query, format = Date, description = "Day of leaving, 1 to 30 nights after checkIn"),
        ("guests" = Option<i64>, Query, minimum = 1, maximum = 20, description = "Counts only rooms that take so many persons"),
    ),
    responses(
        (status = 200, description = "The lodging", body = One<PlaceDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "PLACE_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 502, description = "UPSTREAM_PROTOCOL", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "CMS_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "UPSTREAM_TIMEOUT", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show(
    State(places): State<Places>,
    _: Member,
    Path(place_id): Path<String>,
    mut query: Query,
) -> Result<One<PlaceDetail>, Problem> {
    let place_id = query::id("placeId", &place_id)?;
    let stay = Stay::read(&mut query, places.clock.today());
    let guests = search::read_guests(&mut query);
    query.finish()?;
    let (place, _) = places.cms.place(place_id, stay, guests).await?;
    Ok(One::new(&places.clock, place))
}

/// Lists the rooms of one lodging.
///
/// Every room has its nights from `checkIn` to `checkOut`; tonight when both are left out.
#[utoipa::path(
    get,
    path = "/v1/place/{placeId}/rooms",
    operation_id = "listRooms",
    tag = "places",
    params(
        ("placeId" = i64, Path, minimum = 1, description = "Id of the lodging"),
        ("checkIn" = Option<String>, Query, format = Date, description = "First night, from today to 90 days ahead; together with checkOut"),
        ("checkOut" = Option<String>, Query, format = Date, description = "Day of leaving, 1 to 30 nights after checkIn"),
        ("guests" = Option<i64>, Query, minimum = 1, maximum = 20, description = "Leaves out rooms that take fewer persons"),
    ),
    responses(
        (status = 200, description = "The rooms, in the order of their ids", body = One<Vec<RoomDetail>>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "PLACE_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 502, description = "UPSTREAM_PROTOCOL", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "CMS_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "UPSTREAM_TIMEOUT", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_rooms(
    State(places): State<Places>,
    _: Member,
    Path(place_id): Path<String>,
    mut query: Query,
) -> Result<One<Vec<RoomDetail>>, Problem> {
    let place_id = query::id("placeId", &place_id)?;
    let stay = Stay::read(&mut query, places.clock.today());
    let guests = search::read_guests(&mut query);
    query.finish()?;
    let (_, rooms) = places.cms.place(place_id, stay, guests).await?;
    Ok(One::new(&places.clock, rooms))
}

/// Shows one room of one lodging.
///
/// It has its nights from `checkIn` to `checkOut`; tonight when both are left out.
#[utoipa::path(
    get,
    path = "/v1/place/{placeId}/rooms/{roomId}",
    operation_id = "showRoom",
    tag = "places",
    params(
        ("placeId" = i64, Path, minimum = 1, description = "Id of the lodging"),
        ("roomId" = i64, Path, minimum = 1, description = "Id of the room"),
        ("checkIn" = Option<String>, Query, format = Date, description = "First night, from today to 90 days ahead; together with checkOut"),
        ("checkOut" = Option<String>, Query, format = Date, description = "Day of leaving, 1 to 30 nights after checkIn"),
    ),
    responses(
        (status = 200, description = "The room", body = One<RoomDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "PLACE_NOT_FOUND or ROOM_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 502, description = "UPSTREAM_PROTOCOL", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "CMS_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "UPSTREAM_TIMEOUT", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show_room(
    State(places): State<Places>,
    _: Member,
    Path((place_id, room_id)): Path<(String, String)>,
    mut query: Query,
) -> Result<One<RoomDetail>, Problem> {
    let place_id = query::id("placeId", &place_id)?;
    let room_id = query::id("roomId", &room_id)?;
    let stay = Stay::read(&mut query, places.clock.today());
    query.finish()?;
    let (_, rooms) = places.cms.place(place_id, stay, None).await?;
    let room = rooms.into_iter().find(|room| room.room_id == room_id).ok_or_else(|| {
        let detail = format!("the lodging {place_id} has no room {room_id}");
        Problem::not_found("ROOM_NOT_FOUND", detail)
    })?;
    Ok(One::new(&places.clock, room))
}

/// The CMS binds its cursors to the filter and refuses others; this keeps from it what cannot be one.
fn check_cursor(cursor: Option<&str>) -> Result<(), Problem> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_cursor = |text: &str| text.len() <= LONGEST_CURSOR && text.bytes().all(is_fine);
    if cursor.is_none_or(is_cursor) {
        return Ok(());
    }
    let detail = "the cursor is not one of this service";
    Err(Problem::new(StatusCode::BAD_REQUEST, "INVALID_CURSOR", detail))
}

#[cfg(test)]
mod tests;
