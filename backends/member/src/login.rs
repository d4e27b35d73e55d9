//! | endpoint         | answers                                                        |
//! |------------------|----------------------------------------------------------------|
//! | `POST /v1/login` | 200 with the member; the gateway makes a session of it         |
//!
//! Whether an address is known can be told neither from the answer nor from the time it takes: one
//! read, one comparison, nothing written, in either case.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use service::body::Json;
use service::check::Check;
use service::code::Code;
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::proof::Role;
use utoipa::ToSchema;

use crate::api::{Members, dormant};
use crate::email::{self, Email};
use crate::kind::Status;
use crate::password::{Password, Verdict};
use crate::store::Record;

/// A login that meets another change of the same member begins again.
const ATTEMPTS: u32 = 3;

/// Who wants to log in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogIn {
    #[schema(value_type = String, required = true, max_length = 320, example = "a@example.com", pattern = "^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}[.])+[A-Za-z0-9-]{1,63}$")]
    member_email: Option<String>,
    #[schema(value_type = String, required = true, min_length = 1, max_length = 128, format = Password)]
    password: Option<Password>,
    /// Whether an account that sleeps is to wake up.
    #[serde(default)]
    consent: bool,
}

/// The member that logged in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoggedIn {
    #[schema(minimum = 1, example = 42)]
    member_id: i64,
    #[schema(example = "a@example.com")]
    member_email: String,
    member_name: String,
    nick_name: Option<String>,
    member_role: Role,
}

struct Credentials {
    email: Email,
    password: Password,
    has_consent: bool,
}

/// The endpoint of this file.
pub(crate) fn routes() -> Router<Members> {
    Router::new().route("/v1/login", post(log_in))
}

/// Checks a password.
#[utoipa::path(
    post,
    path = "/v1/login",
    operation_id = "logIn",
    tag = "members",
    security(("gatewayProof" = [])),
    request_body = LogIn,
    responses(
        (status = 200, description = "The password is right", body = One<LoggedIn>, headers(
            ("X-Auth-Member-Id" = i64, description = "Whom the gateway begins a session for"),
            ("X-Auth-Member-Role" = Role, description = "Its role"),
        )),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "LOGIN_FAILED: no such address, or not its password; UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "MEMBER_DORMANT: the password is right, but consent is needed", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "CONCURRENT_MODIFICATION: try again", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn log_in(
    State(members): State<Members>,
    Json(body): Json<LogIn>,
) -> Result<impl IntoResponse, Problem> {
    let credentials = body.check()?;
    for _ in 0..ATTEMPTS {
        let Some(member) = attempt(&members, &credentials).await? else { continue };
        let identity = [
            ("x-auth-member-id", member.id.to_string()),
            ("x-auth-member-role", member.role.code().to_owned()),
        ];
        return Ok((identity, One::new(&members.clock, LoggedIn::new(member))));
    }
    Err(Problem::concurrent())
}

/// Logs in, or finds that the member was changed since it was read.
async fn attempt(members: &Members, credentials: &Credentials) -> Result<Option<Record>, Problem> {
    let Credentials { email, password, has_consent } = credentials;
    let found = members.store.find_by_email(email).await?;
    let stored = found.as_ref().and_then(|member| member.password_hash.as_deref());
    let verdict = members.passwords.verify(password, stored).await?;
    let (Some(member), Verdict::Right { is_outdated }) = (found, verdict) else {
        return Err(failed());
    };
    if member.status == Status::Dormant && !has_consent {
        return Err(dormant());
    }
    let new_hash = if is_outdated { Some(members.passwords.hash(password).await?) } else { None };
    let now = members.clock.now();
    let is_noted = members.store.note_login(&member, new_hash.as_deref(), now).await?;
    Ok(is_noted.then_some(member))
}

fn failed() -> Problem {
    let detail = "no member has this e-mail address and password; check both";
    Problem::new(StatusCode::UNAUTHORIZED, "LOGIN_FAILED", detail)
}

impl LogIn {
    fn check(self) -> Result<Credentials, Problem> {
        let mut check = Check::new();
        let email = check.required("memberEmail", self.member_email.as_deref());
        let email = check.parse("memberEmail", email, email::EXPECTED, Email::parse);
        let password = Password::at_login(&mut check, "password", self.password);
        let has_consent = self.consent;
        let credentials = email.zip(password);
        let (email, password) = check.finish_with(credentials)?;
        Ok(Credentials { email, password, has_consent })
    }
}

impl LoggedIn {
    fn new(member: Record) -> Self {
        Self {
            member_id: member.id,
            member_email: member.email.unwrap_or_default(),
            member_name: member.name.unwrap_or_default(),
            nick_name: member.nick_name,
            member_role: member.role,
        }
    }
}
