//! `RemoveResponseHeader=name` drops all lines of a response header.
//!
//! It drops those that filters behind it added, too.
//!
//! | route                        | upstream answers            | client sees    |
//! |------------------------------|-----------------------------|----------------|
//! | `RemoveResponseHeader=x-tag` | `200 ⏎ X-Tag: a ⏎ X-Tag: b` | `200 ⏎ -X-Tag` |

use std::fmt;

use pingora_http::ResponseHeader;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::header_name::{HeaderNameConfig, RemovedHeader};
use crate::{Exchange, Failure, Invalid};

/// Drops all lines of a response header.
#[derive(Debug)]
pub(super) struct RemoveResponseHeader(RemovedHeader);

impl FromArguments for RemoveResponseHeader {
    const NAME: &'static str = "RemoveResponseHeader";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["name"]);
    type Config = HeaderNameConfig;

    fn from_arguments(
        config: HeaderNameConfig,
        settings: &mut UnitSettings<'_>,
    ) -> Result<Self, Invalid> {
        RemovedHeader::new(config, settings).map(Self)
    }
}

impl RemoveResponseHeader {
    fn remove(&self, head: &mut ResponseHeader) -> Result<(), Failure> {
        if let Some(field) = self.0.field()? {
            field.remove_from_response(head);
        }
        Ok(())
    }
}

impl Filter for RemoveResponseHeader {
    fn changes_request(&self) -> bool {
        false
    }

    fn on_request<'a>(&'a self, _: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.0.field().map(drop))
    }

    fn on_response<'a>(
        &'a self,
        _: &'a mut Exchange<'_>,
        head: &'a mut ResponseHeader,
    ) -> Hook<'a, ()> {
        Hook::Ready(self.remove(head))
    }
}

impl fmt::Display for RemoveResponseHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RemoveResponseHeader name = '{}'", self.0.text())
    }
}
