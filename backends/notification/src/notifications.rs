//! | endpoint                                      | answers                                    |
//! |-----------------------------------------------|--------------------------------------------|
//! | `GET /v1/notification`                        | a page of the member's own, newest first   |
//! | `GET /v1/notification/{notificationId}`       | one of them                                |
//! | `POST /v1/notification/{notificationId}/read` | 204: it has been read                      |

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use service::app::Shared;
use service::code::{Code, codes};
use service::cursor::{Cursor, Fingerprint};
use service::envelope::{Many, One, Page};
use service::problem::{Problem, ProblemDocument};
use service::proof::Member;
use service::query::Query;
use uuid::Uuid;

use crate::code::{Kind, Status};
use crate::notification::NotificationDetail;
use crate::store::{self, Filter, Position};

/// What a cursor is bound to: everything but the page.
const FILTER: &[&str] = &["kind", "status"];

/// The endpoints of this file.
pub(crate) fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/v1/notification", get(list))
        .route("/v1/notification/{notificationId}", get(show))
        .route("/v1/notification/{notificationId}/read", post(mark_read))
        .with_state(shared)
}

/// Lists the member's own notifications, the newest first.
#[utoipa::path(
    get,
    path = "/v1/notification",
    operation_id = "listNotifications",
    tag = "notifications",
    params(
        ("kind" = Option<Kind>, Query, description = "What it is about"),
        ("status" = Option<Status>, Query, description = "How far the delivery has come"),
        ("size" = Option<usize>, Query, minimum = 1, maximum = 100, description = "How many a page holds (20)"),
        ("cursor" = Option<String>, Query, description = "nextCursor of the page before, with the same other parameters"),
    ),
    responses(
        (status = 200, description = "A page of notifications", body = Many<NotificationDetail>),
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
) -> Result<Many<NotificationDetail>, Problem> {
    let fingerprint = query.fingerprint(FILTER);
    let filter = Filter {
        kind: query.parse("kind", format!("one of {}", codes::<Kind>(", ")), Kind::by_code),
        status: query.parse("status", format!("one of {}", codes::<Status>(", ")), Status::by_code),
    };
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
    let last = rows.last().filter(|_| has_next);
    let next = last.map(|row| row.position().encode(&fingerprint)).transpose()?;
    let items = rows.into_iter().map(NotificationDetail::new).collect::<Result<_, _>>()?;
    Ok(Many::new(&shared.clock, items, Page::new(size, next, None)))
}

/// Shows one of the member's own notifications.
#[utoipa::path(
    get,
    path = "/v1/notification/{notificationId}",
    operation_id = "showNotification",
    tag = "notifications",
    params(("notificationId" = String, Path, format = "uuid", description = "Id of the notification")),
    responses(
        (status = 200, description = "The notification", body = One<NotificationDetail>),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "NOTIFICATION_NOT_FOUND: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show(
    State(shared): State<Shared>,
    member: Member,
    Path(notification_id): Path<String>,
) -> Result<One<NotificationDetail>, Problem> {
    let id = read_id(&notification_id)?;
    let row = store::find(shared.database.pool(), member.id, &id).await?;
    let row = row.ok_or_else(|| not_found(&notification_id))?;
    Ok(One::new(&shared.clock, NotificationDetail::new(row)?))
}

/// Notes that the member has read a notification.
///
/// A second time changes nothing.
#[utoipa::path(
    post,
    path = "/v1/notification/{notificationId}/read",
    operation_id = "readNotification",
    tag = "notifications",
    params(("notificationId" = String, Path, format = "uuid", description = "Id of the notification")),
    responses(
        (status = 204, description = "It has been read"),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "NOTIFICATION_NOT_FOUND: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn mark_read(
    State(shared): State<Shared>,
    member: Member,
    Path(notification_id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = read_id(&notification_id)?;
    let (pool, now) = (shared.database.pool(), shared.clock.now());
    let exists = store::mark_read(pool, member.id, &id, now).await?;
    if exists { Ok(StatusCode::NO_CONTENT) } else { Err(not_found(&notification_id)) }
}

/// What is no UUID is the id of no notification.
fn read_id(text: &str) -> Result<String, Problem> {
    Uuid::try_parse(text).map(|id| id.to_string()).map_err(|_| not_found(text))
}

fn not_found(id: &str) -> Problem {
    Problem::not_found("NOTIFICATION_NOT_FOUND", format!("you have no notification {id}"))
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
