//! `RemoveRequestHeader=name` drops all lines of a request header.
//!
//! Without `Content-Length` a body is sent chunked. The other headers that frame a message are the
//! gateway's; removing them does nothing.
//!
//! | route                       | request             | upstream sees     |
//! |-----------------------------|---------------------|-------------------|
//! | `RemoveRequestHeader=x-tag` | `/rooms ⏎ X-Tag: a` | `/rooms ⏎ -X-Tag` |

use std::fmt;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::header_name::{HeaderNameConfig, RemovedHeader};
use crate::{Exchange, Failure, Invalid};

/// Drops all lines of a request header.
#[derive(Debug)]
pub(super) struct RemoveRequestHeader(RemovedHeader);

impl FromArguments for RemoveRequestHeader {
    const NAME: &'static str = "RemoveRequestHeader";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["name"]);
    type Config = HeaderNameConfig;

    fn from_arguments(
        config: HeaderNameConfig,
        settings: &mut UnitSettings<'_>,
    ) -> Result<Self, Invalid> {
        RemovedHeader::new(config, settings).map(Self)
    }
}

impl RemoveRequestHeader {
    fn remove(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        if let Some(field) = self.0.field()? {
            exchange.remove_header(field);
        }
        Ok(())
    }
}

impl Filter for RemoveRequestHeader {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.remove(exchange))
    }
}

impl fmt::Display for RemoveRequestHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RemoveRequestHeader name = '{}'", self.0.text())
    }
}

#[cfg(test)]
mod tests {
    use crate::FramingEdit;
    use crate::testing::{check_invalid, run};

    #[test]
    fn sends_a_body_without_length_chunked() {
        let (_, head, state) =
            run("RemoveRequestHeader=Content-Length", "POST /\nContent-Length: 3");
        assert_eq!(state.framing, FramingEdit::WithoutLength);
        assert!(head.headers.contains_key("content-length"));
    }

    #[test]
    fn leaves_other_framing_alone() {
        let (_, head, _) = run("RemoveRequestHeader=Connection", "GET /\nConnection: close");
        assert!(head.headers.contains_key("connection"));
    }

    #[test]
    fn wants_a_name() {
        check_invalid("RemoveRequestHeader", "`name` is required");
    }
}
