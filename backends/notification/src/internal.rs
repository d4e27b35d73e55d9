//! For tests and operators (5.7).
//!
//! | endpoint                                               | answers                            |
//! |--------------------------------------------------------|------------------------------------|
//! | `GET /internal/v1/notifications?sourceEventId=`        | what became of an event            |
//! | `POST /internal/v1/notifications/{notificationId}/retry` | 202: a failed one is due again   |

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use service::app::Shared;
use service::check::{self, A_UUID};
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::query::Query;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::notification::NotificationDetail;
use crate::store::{self, delivery};

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Operators {
    pub(crate) shared: Shared,
    /// Told when there is something to deliver.
    pub(crate) work: Arc<Notify>,
}

/// The endpoints of this file.
pub(crate) fn routes(operators: Operators) -> Router {
    Router::new()
        .route("/internal/v1/notifications", get(list_of_event))
        .route("/internal/v1/notifications/{notificationId}/retry", post(retry))
        .with_state(operators)
}

/// Lists the deliveries that an event led to.
#[utoipa::path(
    get,
    path = "/internal/v1/notifications",
    operation_id = "listNotificationsOfEvent",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("sourceEventId" = String, Query, format = "uuid", description = "Id of the event")),
    responses(
        (status = 200, description = "One for each template and channel", body = One<Vec<NotificationDetail>>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_of_event(
    State(operators): State<Operators>,
    mut query: Query,
) -> Result<One<Vec<NotificationDetail>>, Problem> {
    let id = query.parse("sourceEventId", A_UUID, check::uuid);
    if id.is_none() && query.all("sourceEventId").is_empty() {
        query.reject("sourceEventId", "must be given", None);
    }
    query.finish()?;
    let id = id.unwrap_or_default().to_string();
    let rows = store::of_event(operators.shared.database.pool(), &id).await?;
    let found = rows.into_iter().map(NotificationDetail::new).collect::<Result<_, _>>()?;
    Ok(One::new(&operators.shared.clock, found))
}

/// Makes a delivery that has failed due once more.
#[utoipa::path(
    post,
    path = "/internal/v1/notifications/{notificationId}/retry",
    operation_id = "retryNotification",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("notificationId" = String, Path, format = "uuid", description = "Id of the notification")),
    responses(
        (status = 202, description = "It is due again"),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "NOTIFICATION_NOT_FOUND: there is none that has failed", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn retry(
    State(operators): State<Operators>,
    Path(notification_id): Path<String>,
) -> Result<StatusCode, Problem> {
    let not_found = || {
        let detail = format!("no notification {notification_id} has failed");
        Problem::not_found("NOTIFICATION_NOT_FOUND", detail)
    };
    let id = Uuid::try_parse(&notification_id).map_err(|_| not_found())?.to_string();
    let shared = &operators.shared;
    if !delivery::retry(shared.database.pool(), &id, shared.clock.now()).await? {
        return Err(not_found());
    }
    operators.work.notify_one();
    Ok(StatusCode::ACCEPTED)
}
