//! The body of a login (`domain.md` 5.3).

use serde::Deserialize;

use crate::Failure;
use crate::exchange::RequestBody;

/// The largest login body that is read.
pub(super) const LARGEST_BODY: usize = 16 << 10;

/// An e-mail address has no more characters than this.
const LONGEST_EMAIL: usize = 320;

/// A password has no more characters than this.
const LONGEST_PASSWORD: usize = 128;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Login {
    #[serde(default)]
    member_email: String,
    #[serde(default)]
    password: String,
}

/// The e-mail address of a login in lower case, once the body is what a login looks like.
///
/// # Errors
///
/// What the member service would refuse too, told without asking it.
pub(super) fn email(body: &RequestBody) -> Result<String, Failure> {
    let RequestBody::Whole(body) = body else {
        return Err(Failure::BadLogin("send at most 16 KiB"));
    };
    let login: Login = serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            Failure::BadLogin("memberEmail and password must be texts, each given once")
        }
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => Failure::MalformedJson,
    })?;
    if !is_email(&login.member_email) {
        return Err(Failure::BadLogin("memberEmail must be an e-mail address"));
    }
    if !(1..=LONGEST_PASSWORD).contains(&login.password.chars().count()) {
        return Err(Failure::BadLogin("password must have 1 to 128 characters"));
    }
    Ok(login.member_email.to_lowercase())
}

/// Whether it could be an address; only the member service knows which ones there are.
fn is_email(text: &str) -> bool {
    let is_short = text.chars().count() <= LONGEST_EMAIL;
    let has_odd = text.chars().any(|char| char.is_whitespace() || char.is_control());
    let parts = text.rsplit_once('@');
    is_short && !has_odd && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Result<&str, &str>) {
        let found = email(&RequestBody::Whole(Bytes::copy_from_slice(body.as_bytes())));
        let found = found.map_err(|failure| failure.code());
        assert_eq!(found.as_deref().map_err(|code| *code), expected, "{body}");
    }

    #[test]
    fn reads_the_address_in_lower_case() {
        check(r#"{"memberEmail":"A@Example.Com","password":"x","more":1}"#, Ok("a@example.com"));
    }

    #[test]
    fn refuses_what_is_no_login() {
        for body in ["", "{", "memberEmail=a@b&password=x", "{\"memberEmail\":\"a@b\""] {
            check(body, Err("MALFORMED_JSON"));
        }
        for body in [
            "{}",
            "[]",
            "null",
            r#"{"memberEmail":"a@b"}"#,
            r#"{"memberEmail":"a@b","password":""}"#,
            r#"{"memberEmail":"a@b","password":7}"#,
            r#"{"memberEmail":"a b@c","password":"x"}"#,
            r#"{"memberEmail":"ab","password":"x"}"#,
            r#"{"memberEmail":"a@b","memberEmail":"c@d","password":"x"}"#,
        ] {
            check(body, Err("INVALID_REQUEST"));
        }
        let long = format!(r#"{{"memberEmail":"a@b","password":"{}"}}"#, "x".repeat(129));
        check(&long, Err("INVALID_REQUEST"));
        assert_eq!(email(&RequestBody::TooLong).unwrap_err().code(), "INVALID_REQUEST");
    }
}
