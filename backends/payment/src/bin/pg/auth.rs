//! Who asks: the merchant, by its secret key.

use axum::extract::{RawPathParams, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use payment::pg::SecretKey;
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use crate::error::{Failure, PgError, named};

/// Adds the key to the `OpenAPI` document, as the scheme `secretKey`.
#[derive(Debug)]
pub(crate) struct SecretKeyScheme;

impl Modify for SecretKeyScheme {
    fn modify(&self, api: &mut OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Basic));
        api.components.get_or_insert_default().add_security_scheme("secretKey", scheme);
    }
}

/// Lets only the merchant through.
pub(crate) async fn check(
    State(secret): State<SecretKey>,
    parameters: RawPathParams,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    for (_, value) in &parameters {
        named(value.to_owned())?;
    }
    let shown = request.headers().get(AUTHORIZATION);
    let shown = shown.map(|shown| shown.to_str().unwrap_or_default());
    let Some(shown) = shown else {
        let message = "send the secret key as Basic authorization";
        return Err(PgError::new("UNAUTHORIZED_KEY", message).into());
    };
    let Some(key) = user(shown) else {
        let message = "send Basic and the base64 of the secret key with a colon behind it";
        return Err(PgError::new("INCORRECT_BASIC_AUTH_FORMAT", message).into());
    };
    if !SecretKey::parse(&key).is_some_and(|key| key.is(&secret)) {
        return Err(PgError::new("UNAUTHORIZED_KEY", "there is no such secret key").into());
    }
    Ok(next.run(request).await)
}

/// The user of `Basic` credentials that have an empty password.
fn user(shown: &str) -> Option<String> {
    let (scheme, encoded) = shown.split_once(' ')?;
    let encoded = Some(encoded).filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    text.strip_suffix(':').map(str::to_owned)
}
