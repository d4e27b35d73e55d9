//! | endpoint                                           | answers                         |
//! |----------------------------------------------------|---------------------------------|
//! | `GET /v1/lodgings`                                 | a page of lodgings that fit     |
//! | `GET /v1/lodgings/{placeId}`                       | one with its rooms and nights   |
//! | `GET /v1/rooms/{roomId}`                           | one with this room alone        |

use axum::Router;
use axum::extract::{Path, State};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use service::app::Shared;
use service::cursor::Cursor;
use service::envelope::{Many, One, Page};
use service::faults::{Faults, strike};
use service::problem::{Problem, ProblemDocument};
use service::query::{self, Query};
use utoipa::OpenApi;

use crate::availability;
use crate::calls::{CallMade, Calls};
use crate::catalogue::{Room, Shelf};
use crate::key::ApiKeyScheme;
use crate::parameters;
use crate::search::search;
use crate::stay::Stay;
use crate::view::{LodgingDetail, LodgingItem};

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Cms {
    pub(crate) shelf: Shelf,
    pub(crate) shared: Shared,
    pub(crate) calls: Calls,
}

impl Cms {
    fn note(&self, operation: &'static str) {
        let at = self.shared.clock.stamp();
        self.calls.add(CallMade { operation, external_id: None, ok: true, at });
    }
}

/// The `OpenAPI` document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "CMS", description = "Stand-in for a channel management system: lodgings, rooms, availability."),
    paths(
        list,
        show,
        show_room,
        crate::reservations::reserve,
        crate::reservations::look_up,
        crate::reservations::approve,
        crate::reservations::cancel,
        crate::reservations::complete,
    ),
    modifiers(&ApiKeyScheme),
    security(("apiKey" = [])),
    tags(
        (name = "lodgings", description = "What can be booked"),
        (name = "reservations", description = "What other systems hold or have booked"),
    )
)]
pub(crate) struct Api;

/// The endpoints of this file.
pub(crate) fn routes(cms: Cms, faults: &Faults) -> Router {
    let strikes = |operation| from_fn_with_state(faults.on(operation), strike);
    Router::new()
        .route("/v1/lodgings", get(list).layer(strikes("list")))
        .route("/v1/lodgings/{placeId}", get(show).layer(strikes("single")))
        .route("/v1/rooms/{roomId}", get(show_room).layer(strikes("room")))
        .with_state(cms)
}

/// Lists lodgings.
///
/// Prices and free rooms are those of the stay from `checkIn` to `checkOut`; tonight when both are
/// left out.
#[utoipa::path(
    get,
    path = "/v1/lodgings",
    operation_id = "listLodgings",
    tag = "lodgings",
    params(
        ("area" = Option<i64>, Query, minimum = 0, maximum = 16, description = "Area code"),
        ("type" = Option<Vec<crate::kind::LodgingType>>, Query, explode, description = "Type of lodging; may be given several times"),
        ("keyword" = Option<String>, Query, min_length = 1, max_length = 50, description = "Part of the name, in any case"),
        ("checkIn" = Option<String>, Query, format = Date, description = "First night, from today to 90 days ahead; together with checkOut"),
        ("checkOut" = Option<String>, Query, format = Date, description = "Day of leaving, 1 to 30 nights after checkIn"),
        ("guests" = Option<i64>, Query, minimum = 1, maximum = 20, description = "Counts only rooms that take so many persons"),
        ("minPrice" = Option<i64>, Query, minimum = 0, description = "Lowest startPrice in KRW"),
        ("maxPrice" = Option<i64>, Query, minimum = 0, description = "Highest startPrice in KRW; not below minPrice"),
        ("availableOnly" = Option<bool>, Query, description = "Leaves out lodgings without a free room (false)"),
        ("sort" = Option<String>, Query, pattern = "^(id|price|name|availability),(asc|desc)$", example = "id,desc", description = "Field and direction (id,desc); lodgings without a price come last"),
        ("size" = Option<usize>, Query, minimum = 1, maximum = 100, description = "How many a page holds (20)"),
        ("cursor" = Option<String>, Query, description = "nextCursor of the page before, with the same other parameters"),
    ),
    responses(
        (status = 200, description = "A page of lodgings", body = Many<LodgingItem>),
        (status = 400, description = "INVALID_REQUEST with errors[], or INVALID_CURSOR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(State(cms): State<Cms>, mut query: Query) -> Result<Many<LodgingItem>, Problem> {
    let fingerprint = query.fingerprint(parameters::FILTER);
    let filter = parameters::read(&mut query, cms.shared.clock.today());
    let size = query.size();
    let cursor = query.one("cursor");
    query.finish()?;
    let after = cursor.map(|text| Cursor::decode(&text, &fingerprint)).transpose()?;
    let pool = cms.shared.database.pool();
    let catalogue = cms.shelf.catalogue();
    let found = search(&catalogue, pool, &filter, after.as_ref(), size).await?;
    let next = found.next.map(|cursor| cursor.encode(&fingerprint)).transpose()?;
    cms.note("list");
    let items = found.page.into_iter().map(|(lodging, offer)| LodgingItem::new(lodging, offer));
    Ok(Many::new(&cms.shared.clock, items.collect(), Page::new(size, next, Some(found.total))))
}

/// Shows one lodging with its rooms.
///
/// Every room has its nights from `checkIn` to `checkOut`; tonight when both are left out. With
/// `guests` only rooms that take so many persons are shown and counted.
#[utoipa::path(
    get,
    path = "/v1/lodgings/{placeId}",
    operation_id = "showLodging",
    tag = "lodgings",
    params(
        ("placeId" = i64, Path, minimum = 1, description = "Id of the lodging"),
        ("checkIn" = Option<String>, Query, format = Date, description = "First night, from today to 90 days ahead; together with checkOut"),
        ("checkOut" = Option<String>, Query, format = Date, description = "Day of leaving, 1 to 30 nights after checkIn"),
        ("guests" = Option<i64>, Query, minimum = 1, maximum = 20, description = "Leaves out rooms that take fewer persons"),
    ),
    responses(
        (status = 200, description = "The lodging", body = One<LodgingDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "PLACE_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(cms): State<Cms>,
    Path(place_id): Path<String>,
    mut query: Query,
) -> Result<One<LodgingDetail>, Problem> {
    let place_id = query::id("placeId", &place_id)?;
    let stay = Stay::read(&mut query, cms.shared.clock.today());
    let guests = parameters::read_guests(&mut query);
    query.finish()?;
    let catalogue = cms.shelf.catalogue();
    let lodging = catalogue.find(place_id).ok_or_else(|| {
        Problem::not_found("PLACE_NOT_FOUND", format!("there is no lodging {place_id}"))
    })?;
    let rooms = lodging.rooms.iter().filter(|room| room.takes(guests));
    let rooms: Vec<&Room> = rooms.collect();
    let ids: Vec<i64> = rooms.iter().map(|room| room.id).collect();
    let exceptions = availability::exceptions(cms.shared.database.pool(), stay, &ids).await?;
    cms.note("single");
    let detail = LodgingDetail::new(catalogue.seed, lodging, &rooms, stay, &exceptions);
    Ok(One::new(&cms.shared.clock, detail))
}

/// Shows one room with its lodging.
///
/// What is asked before a room is reserved, by whoever knows nothing but the room. Its nights are
/// those from `checkIn` to `checkOut`; tonight when both are left out.
#[utoipa::path(
    get,
    path = "/v1/rooms/{roomId}",
    operation_id = "showRoom",
    tag = "lodgings",
    params(
        ("roomId" = i64, Path, minimum = 1, description = "Id of the room"),
        ("checkIn" = Option<String>, Query, format = Date, description = "First night, from today to 90 days ahead; together with checkOut"),
        ("checkOut" = Option<String>, Query, format = Date, description = "Day of leaving, 1 to 30 nights after checkIn"),
    ),
    responses(
        (status = 200, description = "The lodging with this room alone", body = One<LodgingDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "ROOM_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn show_room(
    State(cms): State<Cms>,
    Path(room_id): Path<String>,
    mut query: Query,
) -> Result<One<LodgingDetail>, Problem> {
    let room_id = query::id("roomId", &room_id)?;
    let stay = Stay::read(&mut query, cms.shared.clock.today());
    query.finish()?;
    let catalogue = cms.shelf.catalogue();
    let (lodging, room) = catalogue.room(room_id).ok_or_else(|| {
        Problem::not_found("ROOM_NOT_FOUND", format!("there is no room {room_id}"))
    })?;
    let exceptions = availability::exceptions(cms.shared.database.pool(), stay, &[room_id]).await?;
    cms.note("room");
    let detail = LodgingDetail::new(catalogue.seed, lodging, &[room], stay, &exceptions);
    Ok(One::new(&cms.shared.clock, detail))
}

#[cfg(test)]
mod tests;
