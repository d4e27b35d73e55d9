//! The key that callers of the CMS show.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use service::problem::Problem;
use subtle::ConstantTimeEq;
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey as Scheme, ApiKeyValue, SecurityScheme};

/// The header that carries it.
pub(crate) const HEADER: &str = "X-Api-Key";

/// A shared secret; cheap to clone.
#[derive(Clone)]
pub(crate) struct ApiKey(Arc<str>);

/// Adds the key to the `OpenAPI` document, as the scheme `apiKey`.
#[derive(Debug)]
pub(crate) struct ApiKeyScheme;

impl ApiKey {
    /// Takes any text that a header can carry without escaping.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_fine = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_fine.then(|| Self(text.into()))
    }

    fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

/// Without the key: it appears in settings, which may be logged.
impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiKey")
    }
}

impl Modify for ApiKeyScheme {
    fn modify(&self, api: &mut OpenApi) {
        let scheme = SecurityScheme::ApiKey(Scheme::Header(ApiKeyValue::new(HEADER)));
        api.components.get_or_insert_default().add_security_scheme("apiKey", scheme);
    }
}

/// Lets only requests through that carry the key; otherwise 401 `UNTRUSTED_CALLER`.
pub(crate) fn guard(routes: Router, key: ApiKey) -> Router {
    routes.route_layer(middleware::from_fn_with_state(key, check))
}

async fn check(
    State(key): State<ApiKey>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let shown = request.headers().get(HEADER);
    if shown.is_some_and(|shown| key.is(shown.as_bytes())) {
        return Ok(next.run(request).await);
    }
    let detail = "send the key that the CMS was started with as X-Api-Key";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "UNTRUSTED_CALLER", detail))
}
