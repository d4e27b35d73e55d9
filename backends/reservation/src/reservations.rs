//! | endpoint                                  | answers                                   |
//! |-------------------------------------------|-------------------------------------------|
//! | `GET /v1/reservation`                     | a page of the member's own reservations   |
//! | `GET /v1/reservation/{reservationId}`     | one of them                               |

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use service::app::Shared;
use service::code::{Code, codes};
use service::cursor::{Cursor, Fingerprint};
use service::envelope::{Many, One, Page};
use service::problem::{Problem, ProblemDocument};
use service::proof::Member;
use service::query::Query;
use uuid::Uuid;

use crate::reservation::ReservationDetail;
use crate::store::{self, Filter, Position, Sort};
use ::reservation::machine::Status;

/// What a cursor is bound to: everything but the page.
const FILTER: &[&str] = &["status", "from", "to", "sort"];

/// The endpoints of this file.
pub(crate) fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/v1/reservation", get(list))
        .route("/v1/reservation/{reservationId}", get(show))
        .with_state(shared)
}

/// Lists the member's own reservations.
#[utoipa::path(
    get,
    path = "/v1/reservation",
    operation_id = "listReservations",
    tag = "reservations",
    params(
        ("status" = Option<Vec<Status>>, Query, explode, description = "State; may be given several times"),
        ("from" = Option<String>, Query, format = Date, description = "Earliest first night"),
        ("to" = Option<String>, Query, format = Date, description = "Latest first night; not before from"),
        ("sort" = Option<Sort>, Query, description = "Field and direction (createdAt,desc)"),
        ("size" = Option<usize>, Query, minimum = 1, maximum = 100, description = "How many a page holds (20)"),
        ("cursor" = Option<String>, Query, description = "nextCursor of the page before, with the same other parameters"),
    ),
    responses(
        (status = 200, description = "A page of reservations", body = Many<ReservationDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[], or INVALID_CURSOR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    member: Member,
    mut query: Query,
) -> Result<Many<ReservationDetail>, Problem> {
    let fingerprint = query.fingerprint(FILTER);
    let filter = read_filter(&mut query);
    let size = query.size();
    let cursor = query.one("cursor");
    query.finish()?;
    let after = cursor.map(|text| read_position(&text, &fingerprint)).transpose()?;
    // One more than the page holds tells whether there is a next one.
    let limit = i64::try_from(size).map_err(Problem::internal)?.saturating_add(1);
    let pool = shared.database.pool();
    let mut rows = store::list(pool, member.id, &filter, after, limit).await?;
    let has_next = rows.len() > size;
    rows.truncate(size);
    let last = rows.last().filter(|_| has_next).map(|row| row.position(filter.sort));
    let next = last.map(|position| position.encode(&fingerprint)).transpose()?;
    let reservations = rows.into_iter().map(ReservationDetail::new).collect::<Result<_, _>>()?;
    Ok(Many::new(&shared.clock, reservations, Page::new(size, next, None)))
}

/// Shows one of the member's own reservations.
#[utoipa::path(
    get,
    path = "/v1/reservation/{reservationId}",
    operation_id = "showReservation",
    tag = "reservations",
    params(("reservationId" = String, Path, format = "uuid", description = "Id of the reservation")),
    responses(
        (status = 200, description = "The reservation", body = One<ReservationDetail>),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show(
    State(shared): State<Shared>,
    member: Member,
    Path(reservation_id): Path<String>,
) -> Result<One<ReservationDetail>, Problem> {
    let not_found = || {
        let detail = format!("you have no reservation {reservation_id}");
        Problem::not_found("RESERVATION_NOT_FOUND", detail)
    };
    let id = Uuid::try_parse(&reservation_id).map_err(|_| not_found())?.to_string();
    let row = store::find(shared.database.pool(), member.id, &id).await?;
    let reservation = ReservationDetail::new(row.ok_or_else(not_found)?)?;
    Ok(One::new(&shared.clock, reservation))
}

fn read_filter(query: &mut Query) -> Filter {
    let statuses = query.codes("status");
    let from = query.date("from");
    let to = query.date("to");
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        query.reject("to", "must not be before from", Some(to.to_string()));
    }
    let sort = query.parse("sort", format!("one of {}", codes::<Sort>(" ")), Sort::by_code);
    Filter {
        statuses,
        from: from.map_or_else(|| "0000-01-01".to_owned(), |from| from.to_string()),
        to: to.map_or_else(|| "9999-12-31".to_owned(), |to| to.to_string()),
        sort: sort.unwrap_or(Sort::Newest),
    }
}

/// A position is no secret, so anybody may make one up; what no row can have goes to no database.
fn read_position(text: &str, filter: &Fingerprint) -> Result<Position, Problem> {
    let position: Position = Cursor::decode(text, filter)?;
    let is_plain = position.key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain && Uuid::try_parse(&position.id).is_ok() {
        return Ok(position);
    }
    let detail = "the cursor is not one of this service";
    Err(Problem::new(StatusCode::BAD_REQUEST, "INVALID_CURSOR", detail))
}

#[cfg(test)]
mod tests;
