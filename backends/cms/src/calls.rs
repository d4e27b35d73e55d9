//! Who asked for what, for tests that look at it from the other side (RS-09).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;

/// The oldest calls are forgotten beyond this.
const MOST: usize = 10_000;

/// The latest calls, in this process; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<VecDeque<CallMade>>>);

/// A call that was answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallMade {
    /// Which: `list`, `single`, `reserve`, `approve`, `cancel`, `payment-complete` or `look-up`.
    pub(crate) operation: &'static str,
    /// The reservation, where it is about one.
    pub(crate) external_id: Option<String>,
    /// Whether it went well.
    pub(crate) ok: bool,
    /// When, as RFC 3339 in Korean time.
    pub(crate) at: String,
}

impl Calls {
    pub(crate) fn add(&self, call: CallMade) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() == MOST {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Those about one reservation, or all; the earliest first.
    pub(crate) fn about(&self, external_id: Option<&str>) -> Vec<CallMade> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted =
            |call: &&CallMade| external_id.is_none() || call.external_id.as_deref() == external_id;
        calls.iter().filter(is_wanted).cloned().collect()
    }
}
