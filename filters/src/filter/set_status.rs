//! `SetStatus=status` replaces the status of the response; body and headers stay.
//!
//! The status is a number or a name, such as `NOT_FOUND`. A number without a name is not set on the
//! answer to a `HEAD` request. With `set-status.original-status-header-name` in the file, the
//! status that was replaced is in that header, as `[200]`.
//!
//! | route                 | upstream answers | client sees |
//! |-----------------------|------------------|-------------|
//! | `SetStatus=401`       | `200`            | `401`       |
//! | `SetStatus=not_found` | `503`            | `404`       |

use std::fmt;

use http::{HeaderValue, Method};
use pingora_http::ResponseHeader;
use serde::Deserialize;

use super::{Filter, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::status::Status;
use crate::{Exchange, Failure, HeaderField, Invalid};

/// Replaces the status of the response.
#[derive(Debug)]
pub(super) struct SetStatus {
    text: String,
    status: Status,
    original: Option<HeaderField>,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// A number from 100 to 999, or a name.
    status: String,
}

impl FromArguments for SetStatus {
    const NAME: &'static str = "SetStatus";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["status"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let status = Status::parse(&config.status)?;
        if status.sendable().is_none() {
            let problem = format!("`{}` is not from 100 to 999", config.status);
            settings.refuse_or_warn(Invalid::argument("status", problem).per_request())?;
        }
        let original = settings.original_status_header;
        let original = original.map(|name| settings.shared_headers.field(name)).transpose()?;
        Ok(Self { text: config.status, status, original })
    }
}

impl SetStatus {
    fn set(&self, method: &Method, head: &mut ResponseHeader) -> Result<(), Failure> {
        if !self.status.is_standard && *method == Method::HEAD {
            return Ok(());
        }
        let Some(code) = self.status.sendable() else {
            return Err(Failure::Filter(format!("`{}` is not a status", self.text)));
        };
        let before = head.status;
        head.set_status(code).map_err(|_| Failure::Filter(format!("`{code}` is not a status")))?;
        if let Some(field) = &self.original {
            let value = HeaderValue::try_from(format!("[{}]", before.as_u16()))
                .map_err(|_| Failure::Filter("the original status is no text".to_owned()))?;
            field.set_on_response(head, value)?;
        }
        Ok(())
    }
}

impl Filter for SetStatus {
    fn changes_request(&self) -> bool {
        false
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange<'_>,
        head: &'a mut ResponseHeader,
    ) -> Hook<'a, ()> {
        Hook::Ready(self.set(exchange.method(), head))
    }
}

impl fmt::Display for SetStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SetStatus status = '{}'", self.text)
    }
}
