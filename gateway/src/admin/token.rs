//! The token that whoever changes something on the admin listener has to bring.

use std::fmt::{self, Debug};

use axum::http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::reload::Environment;
use crate::secret_source::{BothSet, SecretSource, Unreadable};

/// The environment variable with the token; `ADMIN_TOKEN_FILE` names a file with it.
const ADMIN_TOKEN: &str = "ADMIN_TOKEN";

/// The token of the admin listener, as it is when somebody brings one: a changed file counts at
/// once.
#[derive(Clone)]
pub struct AdminToken(Environment);

/// Why somebody may not change anything.
pub(super) type Refused = (StatusCode, String);

impl AdminToken {
    /// The token that an environment has.
    pub fn new(environment: Environment) -> Self {
        Self(environment)
    }

    /// Asserts that a request has the token, as `Authorization: Bearer …`.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let Some(wanted) = self.wanted()? else {
            let told = format!(
                "changing is switched off; set `{ADMIN_TOKEN}` or `{ADMIN_TOKEN}_FILE` and start again\n"
            );
            return Err((StatusCode::FORBIDDEN, told));
        };
        let mut lines = headers.get_all(header::AUTHORIZATION).iter();
        let only = lines.next().filter(|_| lines.next().is_none());
        let brought = only.and_then(|line| line.to_str().ok()?.strip_prefix("Bearer "));
        // Digests are equally long, whatever was brought.
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        let is_right = brought.is_some_and(|text| bool::from(digest(text).ct_eq(&digest(&wanted))));
        if is_right {
            return Ok(());
        }
        Err((StatusCode::UNAUTHORIZED, "bring the admin token as `Authorization: Bearer`\n".into()))
    }

    fn wanted(&self) -> Result<Option<String>, Refused> {
        let found = SecretSource::find(ADMIN_TOKEN, &*self.0).map_err(|BothSet| {
            let told =
                format!("`{ADMIN_TOKEN}` and `{ADMIN_TOKEN}_FILE` are both set; set one of them\n");
            (StatusCode::INTERNAL_SERVER_ERROR, told)
        })?;
        let Some(found) = found else { return Ok(None) };
        let text = found.read().map_err(|Unreadable { variable, path, source }| {
            let told = format!("cannot read `{path}`, which `{variable}` names: {source}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, told)
        })?;
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }
}

/// Without the token.
impl Debug for AdminToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AdminToken").finish_non_exhaustive()
    }
}
