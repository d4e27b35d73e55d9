//! `POST /internal/sessions/revoke`: a service ends all sessions of a member.
//!
//! For changes that no request through the gateway made, such as a batch that makes members
//! dormant. The body is `{"memberId": 42}`; the proof of the service is in `X-Service-Auth`.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;

use super::Admin;
use crate::auth::ServiceProof;
use crate::clock;

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/internal/sessions/revoke", post(revoke))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Revocation {
    member_id: i64,
}

async fn revoke(
    State(admin): State<Admin>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let snapshot = admin.current.load_full();
    let Some(auth) = &snapshot.auth else {
        return (StatusCode::NOT_FOUND, "there are no sessions without `auth`\n").into_response();
    };
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let request = ServiceProof { method: method.as_str(), target, body: &body };
    let mut proofs = headers.get_all("x-service-auth").iter();
    let proof = proofs.next().filter(|_| proofs.next().is_none());
    let service = proof.and_then(|proof| {
        auth.keys.load().verify_service(proof.to_str().ok()?, request, clock::unix_millis() / 1000)
    });
    let Some(service) = service else {
        return (StatusCode::UNAUTHORIZED, "X-Service-Auth is missing or not good\n")
            .into_response();
    };
    let Ok(Revocation { member_id }) = serde_json::from_slice(&body) else {
        return (StatusCode::BAD_REQUEST, "the body must be {\"memberId\": NUMBER}\n")
            .into_response();
    };
    match auth.authenticator.store().end_all(member_id).await {
        Ok(()) => {
            tracing::info!(service, member_id, "sessions ended");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => {
            tracing::warn!(service, member_id, "sessions could not be ended: {error}");
            let told = "the session store does not answer; try again\n";
            (StatusCode::SERVICE_UNAVAILABLE, told).into_response()
        }
    }
}
