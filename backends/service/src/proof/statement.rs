//! The texts that are signed.

use std::fmt;

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};

use super::header::{self, Refusal};
use super::{MEMBER_ID, MEMBER_ROLE, Member, Role};
use crate::code::Code;

/// Stands for nobody.
const NOBODY: &str = "-";

/// Whom a request is about, as the headers spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subject<'a> {
    pub(crate) id: &'a str,
    pub(crate) role: &'a str,
}

struct Hex([u8; 32]);

/// What the gateway signs.
pub(crate) fn gateway(at: i64, method: &str, target: &str, subject: Subject<'_>) -> String {
    let Subject { id, role } = subject;
    format!("v1\n{at}\n{method}\n{target}\n{id}\n{role}\n")
}

/// What a service signs.
pub(crate) fn service(at: i64, method: &str, target: &str, name: &str, body: &[u8]) -> String {
    let hex = Hex(Sha256::digest(body).into());
    format!("v1\n{at}\n{method}\n{target}\n{name}\n{hex}\n")
}

impl<'a> Subject<'a> {
    pub(crate) const NOBODY: Self = Self { id: NOBODY, role: NOBODY };

    /// Whom the identity headers name; those of nobody may be left out.
    pub(crate) fn of(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let id = header::one(headers, MEMBER_ID)?.unwrap_or(NOBODY);
        let role = header::one(headers, MEMBER_ROLE)?.unwrap_or(NOBODY);
        Ok(Self { id, role })
    }

    /// The member, if the headers name one.
    pub(crate) fn member(self) -> Result<Option<Member>, Refusal> {
        if self == Self::NOBODY {
            return Ok(None);
        }
        let id = self.id.parse().ok().filter(|id: &i64| *id > 0 && id.to_string() == self.id);
        let member = id.zip(Role::by_code(self.role)).map(|(id, role)| Member { id, role });
        member.map(Some).ok_or(Refusal::Identity)
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}
