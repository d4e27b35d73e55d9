//! What happens to a call that moves money before anything is decided: it is noted, and its
//! idempotency key is marked. Faults and delays come after that.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{OriginalUri, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;
use service::body::LIMIT_BYTES;
use service::faults::Subject;
use service::problem::Problem;
use service::stored::instant;
use uuid::Uuid;

use crate::desk::Desk;
use crate::error::{Failure, PgError};
use crate::keys::{LONGEST_KEY, Scope};
use crate::store;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Where calls come in: state of [`receive`].
#[derive(Debug, Clone)]
pub(crate) struct Reception {
    pub(crate) desk: Desk,
    pub(crate) operation: &'static str,
}

/// On a request: under what its answer is kept, if it has a key.
#[derive(Debug, Clone)]
pub(crate) struct Kept(pub(crate) Option<Scope>);

/// What a call says it is about.
struct About {
    payment_key: Option<String>,
    order_id: Option<String>,
}

/// Notes a call, and lets nobody else use its key meanwhile.
pub(crate) async fn receive(
    State(Reception { desk, operation }): State<Reception>,
    parameters: RawPathParams,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, LIMIT_BYTES).await.map_err(|error| too_large().caused_by(error))?;
    let key = key(&parts.headers)?;
    let about = about(&desk, &parameters, &body).await?;
    let scope = key.as_deref().map(|key| scope(&desk, &parts, key));
    let mark = scope.as_ref().map(|scope| desk.marks.set(scope));
    note(&desk, operation, &about, key.as_deref()).await?;
    let mark = mark.map(|mark| mark.ok_or_else(in_flight)).transpose()?;
    parts.extensions.insert(Kept(scope));
    parts.extensions.insert(Subject { order_id: about.order_id, ..Subject::default() });
    let answer = next.run(Request::from_parts(parts, Body::from(body))).await;
    drop(mark);
    Ok(answer)
}

/// Tells the faults which order a query by payment key is about.
pub(crate) async fn find_subject(
    State(desk): State<Desk>,
    parameters: RawPathParams,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let About { order_id, .. } = about(&desk, &parameters, &Bytes::new()).await?;
    request.extensions_mut().insert(Subject { order_id, ..Subject::default() });
    Ok(next.run(request).await)
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_TOO_LARGE", "send at most 64 KiB")
}

fn in_flight() -> PgError {
    let message = "a request with this Idempotency-Key is being worked on; send it again later";
    PgError::new("IDEMPOTENT_REQUEST_PROCESSING", message)
}

fn key(headers: &HeaderMap) -> Result<Option<String>, PgError> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.chars().count()));
    let message = "an Idempotency-Key has 1 to 300 visible characters";
    let key = key.ok_or_else(|| PgError::new("INVALID_IDEMPOTENCY_KEY", message))?;
    Ok(Some(key.to_owned()))
}

fn scope(desk: &Desk, parts: &Parts, key: &str) -> Scope {
    let url = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
    Scope::new(&desk.secret.authorization(), parts.method.as_str(), &url.to_string(), key)
}

async fn about(
    desk: &Desk,
    parameters: &RawPathParams,
    body: &Bytes,
) -> Result<About, sqlx::Error> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let in_path = |name: &str| {
        let found = parameters.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.to_owned())
    };
    // What no store can hold is nothing it could know.
    let is_text = |text: &String| !text.contains('\0');
    let in_body = |name: &str| Some(body.get(name)?.as_str()?.to_owned());
    let payment_key = in_path("paymentKey").or_else(|| in_body("paymentKey")).filter(is_text);
    let told = in_path("orderId").or_else(|| in_body("orderId")).filter(is_text);
    let order_id = match (told, &payment_key) {
        (None, Some(key)) => {
            let mut connection = desk.database.pool().acquire().await?;
            store::by_key(&mut connection, key).await?.map(|row| row.order_id)
        }
        (told, _) => told,
    };
    Ok(About { payment_key, order_id })
}

async fn note(
    desk: &Desk,
    operation: &str,
    about: &About,
    key: Option<&str>,
) -> Result<(), sqlx::Error> {
    let noted = sqlx::query(
        "INSERT INTO calls (call_id, operation, payment_key, order_id, idempotency_key, came_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(operation)
    .bind(&about.payment_key)
    .bind(&about.order_id)
    .bind(key)
    .bind(instant(desk.clock.now()));
    noted.execute(desk.database.pool()).await.map(drop)
}
