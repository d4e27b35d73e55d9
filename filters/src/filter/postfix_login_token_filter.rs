//! `PostfixLoginTokenFilter` (also `IssueLoginToken`) puts a new token on the answer.
//!
//! On a login that went well it makes the session and issues the token; without a store there is no
//! token and the answer is 503. On any other request it puts a token that was renewed on the way on
//! the answer, whoever made the answer. It runs last, after `MemberResponseFilter`.
//!
//! | route                     | upstream answers | client sees                     |
//! |---------------------------|------------------|---------------------------------|
//! | `PostfixLoginTokenFilter` | `200 ⏎ X-A: 1`   | `200 ⏎ X-A: 1 ⏎ -Access-Token`  |

use std::fmt;

use pingora_http::ResponseHeader;
use serde::Deserialize;

use super::{Filter, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::auth::Authenticator;
use crate::{Exchange, Invalid};

/// Puts a new token on the answer.
#[derive(Debug, Deserialize)]
pub(super) struct PostfixLoginTokenFilter {}

/// After the member service's answer was looked at.
const POST_ORDER: i32 = 20;

impl FromArguments for PostfixLoginTokenFilter {
    const NAME: &'static str = "PostfixLoginTokenFilter";
    const ALIASES: &'static [&'static str] = &["IssueLoginToken", "PostfixLoginToken"];
    const SHORTCUT: Shortcut = Shortcut::Fields(&[]);
    type Config = Self;

    fn from_arguments(config: Self, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        settings.need_auth()?;
        Ok(config)
    }
}

impl Filter for PostfixLoginTokenFilter {
    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange<'_>,
        _: &'a mut ResponseHeader,
    ) -> Hook<'a, ()> {
        if !Authenticator::has_logged_in(exchange) {
            return Hook::Ready(Ok(()));
        }
        Hook::Wait(Box::pin(async { exchange.authenticator()?.issue_on_login(exchange).await }))
    }

    fn on_answer(&self, exchange: &mut Exchange<'_>, head: &mut ResponseHeader) {
        if let Ok(authenticator) = exchange.authenticator() {
            authenticator.attach(exchange, head);
        }
    }

    fn post_order(&self) -> Option<i32> {
        Some(POST_ORDER)
    }
}

impl fmt::Display for PostfixLoginTokenFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Self::NAME)
    }
}
