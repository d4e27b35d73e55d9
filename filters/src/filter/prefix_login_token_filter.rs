//! `PrefixLoginTokenFilter` (also `CheckLoginToken`) demands a token, as `auth` does for all routes.
//!
//! For a route that `auth.exempt` leaves out of the global rule; elsewhere it finds the work done.
//! On a login a token is optional: the session of one that is good is replaced by the new one. The
//! token never goes upstream.
//!
//! | route                    | request                                  | upstream sees         |
//! |--------------------------|------------------------------------------|-----------------------|
//! | `PrefixLoginTokenFilter` | `/a ⏎ Authorization: Bearer {token}`     | `/a ⏎ -Authorization` |

use std::fmt;

use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::auth::Authenticator;
use crate::{Exchange, Invalid};

/// Demands a token.
#[derive(Debug, Deserialize)]
pub(super) struct PrefixLoginTokenFilter {}

impl FromArguments for PrefixLoginTokenFilter {
    const NAME: &'static str = "PrefixLoginTokenFilter";
    const ALIASES: &'static [&'static str] = &["CheckLoginToken", "PrefixLoginToken"];
    const SHORTCUT: Shortcut = Shortcut::Fields(&[]);
    type Config = Self;

    fn from_arguments(config: Self, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        settings.need_auth()?;
        Ok(config)
    }
}

impl Filter for PrefixLoginTokenFilter {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        if Authenticator::is_settled(exchange) {
            return Hook::Ready(Ok(Flow::Continue));
        }
        Hook::Wait(Box::pin(async {
            exchange.authenticator()?.check_token(exchange).await?;
            Ok(Flow::Continue)
        }))
    }
}

impl fmt::Display for PrefixLoginTokenFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Self::NAME)
    }
}
