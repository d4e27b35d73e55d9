//! | endpoint               | answers                          |
//! |------------------------|----------------------------------|
//! | `POST /admin/faults`   | 201: one more is armed           |
//! | `GET /admin/faults`    | those that are armed             |
//! | `DELETE /admin/faults` | 204: none is armed any more      |

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use utoipa::OpenApi;

use super::Faults;
use super::fault::{Fault, Written};
use crate::body::Json;
use crate::problem::{Problem, ProblemDocument};

/// The part of an `OpenAPI` document that is about faults.
#[derive(Debug, OpenApi)]
#[openapi(paths(list, arm, disarm), tags((name = "faults", description = "What goes wrong on purpose")))]
pub struct FaultsApi;

#[derive(Debug, Clone)]
struct Admin {
    faults: Faults,
    operations: &'static [&'static str],
}

impl Faults {
    /// The endpoints of this file; `operations` are those that can be struck.
    pub fn routes(&self, operations: &'static [&'static str]) -> Router {
        Router::new()
            .route("/admin/faults", get(list).post(arm).delete(disarm))
            .with_state(Admin { faults: self.clone(), operations })
    }
}

/// Lists the faults that are armed.
#[utoipa::path(
    get,
    path = "/admin/faults",
    operation_id = "listFaults",
    tag = "faults",
    responses(
        (status = 200, description = "Those that are armed", body = [Written]),
        (status = 503, description = "TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(State(admin): State<Admin>) -> axum::Json<Vec<Written>> {
    axum::Json(admin.faults.all().iter().map(Fault::write).collect())
}

/// Arms a fault.
#[utoipa::path(
    post,
    path = "/admin/faults",
    operation_id = "armFault",
    tag = "faults",
    request_body = Written,
    responses(
        (status = 201, description = "It is armed"),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn arm(
    State(admin): State<Admin>,
    Json(written): Json<Written>,
) -> Result<StatusCode, Problem> {
    admin.faults.arm(Fault::read(written, admin.operations)?);
    Ok(StatusCode::CREATED)
}

/// Takes all faults back.
#[utoipa::path(
    delete,
    path = "/admin/faults",
    operation_id = "disarmFaults",
    tag = "faults",
    responses(
        (status = 204, description = "None is armed any more"),
        (status = 503, description = "TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn disarm(State(admin): State<Admin>) -> StatusCode {
    admin.faults.disarm();
    StatusCode::NO_CONTENT
}
