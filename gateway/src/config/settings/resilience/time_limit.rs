//! One time limit of the file.

use std::time::Duration;

use super::blocks::{Base, Block, at_least, base, up_to};
use crate::config::reader::Section;
use crate::config::values;

/// What a block says.
#[derive(Debug)]
pub(super) struct TimeLimitBlock {
    base: Option<Base>,
    limit: Option<Duration>,
}

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit(Duration);

impl Default for Limit {
    fn default() -> Self {
        Self(Duration::from_secs(1))
    }
}

impl From<Limit> for Duration {
    fn from(limit: Limit) -> Self {
        limit.0
    }
}

impl Block for TimeLimitBlock {
    type Config = Limit;
    const OWN_NAME_FIRST: bool = false;

    fn read(section: &Section<'_, '_>) -> Self {
        // A call that is given up always ends here, and there are no events of time limits.
        section.get("cancel-running-future", values::boolean);
        section.get("event-consumer-buffer-size", up_to(u32::MAX));
        let limit = section.get("timeout-duration", at_least(Duration::ZERO));
        Self { base: base(section), limit }
    }

    fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    fn over(&self, inherited: Limit) -> Limit {
        self.limit.map_or(inherited, Limit)
    }
}
