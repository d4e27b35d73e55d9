//! Who calls: the gateway on behalf of a member, or another service.
//!
//! | caller  | header                                          | signs                               |
//! |---------|-------------------------------------------------|-------------------------------------|
//! | gateway | `X-Gateway-Auth: v1;kid=K;t=UNIX;sig=S`          | method, target, member id and role  |
//! | service | `X-Service-Auth: v1;svc=NAME;kid=K;t=UNIX;sig=S` | method, target, its name, the body  |
//!
//! `S` is the unpadded base64url of an HMAC-SHA256. A proof holds for 60 seconds around its time.
//! Without one the answer is 401 `UNTRUSTED_CALLER`; the log says why, the answer does not.

mod header;
mod statement;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::openapi::OpenApi;
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, ToSchema};

use self::header::{Refusal, Seal};
pub(crate) use self::header::{sign_gateway, sign_service};
pub(crate) use self::statement::Subject;
use crate::body::LIMIT_BYTES;
use crate::clock::Clock;
use crate::code::Code;
use crate::keys::KeySet;
use crate::problem::Problem;

pub(crate) const GATEWAY_AUTH: &str = "x-gateway-auth";
pub(crate) const SERVICE_AUTH: &str = "x-service-auth";
pub(crate) const MEMBER_ID: &str = "x-member-id";
pub(crate) const MEMBER_ROLE: &str = "x-member-role";

/// The member the gateway vouches for.
///
/// As an extractor: 401 `UNTRUSTED_CALLER` where the gateway named none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: i64,
    /// What it may do.
    pub role: Role,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Its own affairs.
    User,
    /// Those of others too.
    Admin,
}

/// The service that calls an internal endpoint, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallingService(pub String);

/// Describes the proofs in an `OpenAPI` document, under the names `gatewayProof`, `memberId`,
/// `memberRole` and `serviceProof`.
#[derive(Debug, Clone, Copy)]
pub struct SecuritySchemes;

#[derive(Debug, Clone)]
struct Gate {
    keys: KeySet,
    clock: Clock,
}

/// Whom the gateway named; only [`from_gateway`] makes one.
#[derive(Debug, Clone, Copy)]
struct Named(Option<Member>);

/// Lets only requests through that carry a valid `X-Gateway-Auth`.
pub fn from_gateway(routes: Router, keys: &KeySet, clock: &Clock) -> Router {
    let gate = Gate { keys: keys.clone(), clock: clock.clone() };
    routes.layer(middleware::from_fn_with_state(gate, admit_gateway))
}

/// Lets only requests through that carry a valid `X-Service-Auth`, whose proof covers the body.
pub fn from_services(routes: Router, keys: &KeySet, clock: &Clock) -> Router {
    let gate = Gate { keys: keys.clone(), clock: clock.clone() };
    routes.layer(middleware::from_fn_with_state(gate, admit_service))
}

/// Name and value of the header by which the gateway passes a request on, on behalf of nobody. For
/// a stand-in that calls a service where no gateway is in between.
pub fn as_the_gateway(
    keys: &KeySet,
    clock: &Clock,
    method: &str,
    target: &str,
) -> (&'static str, String) {
    (GATEWAY_AUTH, sign_gateway(keys, clock, (method, target), Subject::NOBODY))
}

async fn admit_gateway(
    State(gate): State<Gate>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let named = gate.check_gateway(&request).map_err(refuse)?;
    request.extensions_mut().insert(Named(named));
    Ok(next.run(request).await)
}

async fn admit_service(
    State(gate): State<Gate>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    // Before the body: nobody is listened to for long without a proof that looks like one.
    let (name, seal) = gate.read_service(request.headers()).map_err(refuse)?;
    let (parts, body) = request.into_parts();
    let body = read(body).await?;
    let target = target(&parts.uri, parts.extensions.get());
    let text = statement::service(seal.at, parts.method.as_str(), target, &name, &body);
    seal.check(&gate.keys, &text).map_err(refuse)?;
    let mut request = Request::from_parts(parts, Body::from(body));
    request.extensions_mut().insert(CallingService(name));
    Ok(next.run(request).await)
}

impl Gate {
    fn check_gateway(&self, request: &Request) -> Result<Option<Member>, Refusal> {
        let headers = request.headers();
        let header = header::one(headers, GATEWAY_AUTH)?.ok_or(Refusal::Missing)?;
        let seal = Seal::of_gateway(header).ok_or(Refusal::Malformed)?;
        seal.check_time(self.clock.now())?;
        let subject = Subject::of(headers)?;
        let target = target(request.uri(), request.extensions().get());
        let text = statement::gateway(seal.at, request.method().as_str(), target, subject);
        seal.check(&self.keys, &text)?;
        subject.member()
    }

    fn read_service(&self, headers: &HeaderMap) -> Result<(String, Seal), Refusal> {
        let header = header::one(headers, SERVICE_AUTH)?.ok_or(Refusal::Missing)?;
        let (name, seal) = Seal::of_service(header).ok_or(Refusal::Malformed)?;
        seal.check_time(self.clock.now())?;
        Ok((name.to_owned(), seal))
    }
}

/// Path and query as they arrived, before any nested router took a part off.
fn target<'a>(uri: &'a Uri, original: Option<&'a OriginalUri>) -> &'a str {
    let uri = original.map_or(uri, |OriginalUri(original)| original);
    uri.path_and_query().map_or("", |target| target.as_str())
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let mut limited = Request::new(body);
    DefaultBodyLimit::max(LIMIT_BYTES).apply(&mut limited);
    let read = Bytes::from_request(limited, &()).await;
    read.map_err(|error| Problem::of_status(error.status()).caused_by(error))
}

fn refuse(refusal: Refusal) -> Problem {
    Problem::untrusted().caused_by(refusal)
}

impl<S: Sync> FromRequestParts<S> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let named = parts.extensions.get().and_then(|Named(member)| *member);
        named.ok_or_else(|| refuse(Refusal::Nobody))
    }
}

impl<S: Sync> FromRequestParts<S> for CallingService {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| refuse(Refusal::Nobody))
    }
}

impl Code for Role {
    const ALL: &'static [Self] = &[Self::User, Self::Admin];

    fn code(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Admin => "ADMIN",
        }
    }
}

impl Modify for SecuritySchemes {
    fn modify(&self, api: &mut OpenApi) {
        let schemes = [
            ("gatewayProof", "X-Gateway-Auth", "the gateway's proof, bound to one request"),
            ("memberId", "X-Member-Id", "the member the gateway vouches for"),
            ("memberRole", "X-Member-Role", "its role: USER or ADMIN"),
            ("serviceProof", "X-Service-Auth", "another service's proof, bound to one request"),
        ];
        let components = api.components.take().unwrap_or_default();
        let components = schemes.into_iter().fold(
            ComponentsBuilder::from(components),
            |components, (name, header, text)| {
                let header = ApiKeyValue::with_description(header, text);
                components.security_scheme(name, SecurityScheme::ApiKey(ApiKey::Header(header)))
            },
        );
        api.components = Some(components.build());
    }
}

#[cfg(test)]
mod tests;
