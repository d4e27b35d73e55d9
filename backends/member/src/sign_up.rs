//! | endpoint           | answers                              |
//! |--------------------|--------------------------------------|
//! | `POST /v1/members` | 201 with the id of the new member    |

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use axum::routing::post;
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};
use service::body::Json;
use service::check::Check;
use service::code::Code;
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::proof::Role;
use utoipa::ToSchema;

use crate::api::{Members, nick_name_taken};
use crate::email::{self, Email};
use crate::kind::{AccountType, Gender};
use crate::password::Password;
use crate::store::{NewMember, Taken};

/// Nobody who books was born before.
const FIRST_BIRTHDAY: Date = date(1900, 1, 1);

/// Who wants to become a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignUp {
    /// The address to log in with; upper and lower case are the same.
    #[schema(value_type = String, required = true, max_length = 320, example = "a@example.com", pattern = "^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}[.])+[A-Za-z0-9-]{1,63}$")]
    member_email: Option<String>,
    #[schema(value_type = String, required = true, min_length = 10, max_length = 128, format = Password)]
    password: Option<Password>,
    #[schema(value_type = String, required = true, min_length = 1, max_length = 120)]
    member_name: Option<String>,
    #[schema(min_length = 1, max_length = 15)]
    nick_name: Option<String>,
    /// A mobile number, digits only.
    #[schema(value_type = String, required = true, pattern = "^01[0-9]{8,9}$", example = "01000000000")]
    phone_number: Option<String>,
    /// From 1900 to yesterday.
    #[schema(format = Date, example = "1991-08-09")]
    birthday: Option<String>,
    #[schema(value_type = Option<Gender>)]
    gender: Option<String>,
    /// Who checks the password. This service does; sign-up elsewhere is not offered.
    #[schema(pattern = "^LOCAL$", example = "LOCAL")]
    account_type: Option<String>,
}

/// The new member.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedUp {
    #[schema(minimum = 1, example = 42)]
    member_id: i64,
}

/// A sign-up that may be carried out once the password is hashed.
struct Wish {
    password: Password,
    member: NewMember,
}

/// The endpoint of this file.
pub(crate) fn routes() -> Router<Members> {
    Router::new().route("/v1/members", post(sign_up))
}

/// Signs a member up.
#[utoipa::path(
    post,
    path = "/v1/members",
    operation_id = "signUp",
    tag = "members",
    security(("gatewayProof" = [])),
    request_body = SignUp,
    responses(
        (status = 201, description = "The member is signed up", body = One<SignedUp>, headers(("Location" = String, description = "Where clients of the gateway find the member"))),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "MEMBER_EXIST, MEMBER_NICKNAME_DUPLICATED or MEMBER_PHONE_DUPLICATED; CONCURRENT_MODIFICATION when the same may be tried again", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn sign_up(
    State(members): State<Members>,
    Json(body): Json<SignUp>,
) -> Result<impl IntoResponse, Problem> {
    let Wish { password, mut member } = body.check(members.clock.today())?;
    member.password_hash = members.passwords.hash(&password).await?;
    let inserted = members.store.insert(&member, members.clock.now()).await?;
    let member_id = inserted.map_err(explain)?;
    tracing::info!(member = member_id, "signed up");
    let answer = One::new(&members.clock, SignedUp { member_id });
    Ok((StatusCode::CREATED, [(LOCATION, format!("/members/{member_id}"))], answer))
}

impl SignUp {
    fn check(self, today: Date) -> Result<Wish, Problem> {
        let mut check = Check::new();
        let email = check.required("memberEmail", self.member_email.as_deref());
        let email = check.parse("memberEmail", email, email::EXPECTED, Email::parse);
        let password = Password::new(&mut check, "password", self.password);
        let name = check.text("memberName", self.member_name.as_deref(), 1..=120);
        let nick_name = check.optional_text("nickName", self.nick_name.as_deref(), 1..=15);
        let phone = check.required("phoneNumber", self.phone_number.as_deref());
        let phone = check.parse("phoneNumber", phone, "01 and 8 or 9 digits", read_phone);
        let birthday = check.parse(
            "birthday",
            self.birthday.as_deref(),
            "a date such as 1991-08-09, from 1900 on and in the past",
            |text| read_birthday(text, today),
        );
        let gender = check.parse("gender", self.gender.as_deref(), "M or F", Gender::by_code);
        check.parse("accountType", self.account_type.as_deref(), "LOCAL", |text| {
            AccountType::by_code(text).filter(|kind| *kind == AccountType::Local)
        });
        let wish = || {
            let member = NewMember {
                email: email?,
                name: name?,
                nick_name,
                phone_number: Some(phone?),
                birthday,
                gender,
                role: Role::User,
                password_hash: String::new(),
            };
            Some(Wish { password: password?, member })
        };
        check.finish_with(wish())
    }
}

fn read_phone(text: &str) -> Option<String> {
    let rest = text.strip_prefix("01")?;
    let is_fine = matches!(rest.len(), 8 | 9) && rest.bytes().all(|byte| byte.is_ascii_digit());
    is_fine.then(|| text.to_owned())
}

fn read_birthday(text: &str, today: Date) -> Option<Date> {
    service::date::parse(text).filter(|day| FIRST_BIRTHDAY <= *day && *day < today)
}

fn explain(taken: Taken) -> Problem {
    match taken {
        Taken::Email => {
            Problem::conflict("MEMBER_EXIST", "a member has this e-mail address; log in instead")
        }
        Taken::NickName => nick_name_taken(),
        Taken::PhoneNumber => Problem::conflict(
            "MEMBER_PHONE_DUPLICATED",
            "another member has this phone number; use your own",
        ),
        Taken::Nothing => Problem::concurrent(),
    }
}
