//! `MemberResponseFilter` (also `CheckMemberAnswer`) looks at what the member service says to the
//! gateway alone, and takes it off the answer.
//!
//! On a login: who logged in, or that it failed, which counts. On any other request:
//! `X-Auth-Revoke: member` ends all sessions of the member. It runs after all other filters, before
//! `PostfixLoginTokenFilter`.
//!
//! | route                  | upstream answers                           | client sees                      |
//! |------------------------|--------------------------------------------|----------------------------------|
//! | `MemberResponseFilter` | `200 ⏎ X-Auth-Revoke: member ⏎ X-A: 1`     | `200 ⏎ -X-Auth-Revoke ⏎ X-A: 1`  |
//! | `MemberResponseFilter` | `200 ⏎ X_Auth_Member_Id: 42`               | `200 ⏎ -X_Auth_Member_Id`        |

use std::fmt;

use pingora_http::ResponseHeader;
use serde::Deserialize;

use super::{Filter, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::auth::Authenticator;
use crate::{Exchange, Invalid};

/// Looks at what the member service says to the gateway.
#[derive(Debug, Deserialize)]
pub(super) struct MemberResponseFilter {}

/// Before the token is issued.
const POST_ORDER: i32 = 10;

impl FromArguments for MemberResponseFilter {
    const NAME: &'static str = "MemberResponseFilter";
    const ALIASES: &'static [&'static str] = &["CheckMemberAnswer", "MemberResponse"];
    const SHORTCUT: Shortcut = Shortcut::Fields(&[]);
    type Config = Self;

    fn from_arguments(config: Self, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        settings.need_auth()?;
        Ok(config)
    }
}

impl Filter for MemberResponseFilter {
    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange<'_>,
        head: &'a mut ResponseHeader,
    ) -> Hook<'a, ()> {
        if !Authenticator::has_answer(exchange, head) {
            return Hook::Ready(Ok(()));
        }
        Hook::Wait(Box::pin(async { exchange.authenticator()?.answered(exchange, head).await }))
    }

    fn post_order(&self) -> Option<i32> {
        Some(POST_ORDER)
    }
}

impl fmt::Display for MemberResponseFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Self::NAME)
    }
}
