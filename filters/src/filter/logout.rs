//! `Logout` ends the session of a request and answers 204; with `?all=true` every session of the
//! member.
//!
//! A route of its own: `{ id: auth-logout, uri: no://op, predicates: [Path=/logout, Method=POST],
//! filters: [Logout] }`. A token that has expired will do, as long as it could be renewed.
//!
//! | route    | request                                                  | client sees                            |
//! |----------|----------------------------------------------------------|----------------------------------------|
//! | `Logout` | `/logout ⏎ Authorization: Bearer {token}`                | `204 ⏎ Cache-Control: no-store`        |
//! | `Logout` | `/logout?all=true ⏎ Authorization: Bearer {token}`       | `204 ⏎ Cache-Control: no-store`        |

use std::fmt;

use http::HeaderValue;
use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{Answer, Exchange, HeaderField, Invalid};

/// Ends sessions.
#[derive(Debug)]
pub(super) struct Logout {
    cache_control: HeaderField,
}

/// What a route file may say: nothing.
#[derive(Debug, Deserialize)]
pub(super) struct Config {}

impl FromArguments for Logout {
    const NAME: &'static str = "Logout";
    const SHORTCUT: Shortcut = Shortcut::Fields(&[]);
    type Config = Config;

    fn from_arguments(_: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        settings.need_auth()?;
        Ok(Self { cache_control: settings.shared_headers.field("Cache-Control")? })
    }
}

impl Filter for Logout {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::Wait(Box::pin(async {
            exchange.authenticator()?.log_out(exchange).await?;
            let no_store = HeaderValue::from_static("no-store");
            let answer = Answer::new(204).with_header(self.cache_control.clone(), no_store);
            Ok(Flow::Respond(Box::new(answer)))
        }))
    }
}

impl fmt::Display for Logout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Self::NAME)
    }
}
