//! What happened to a circuit breaker, as far as it is remembered.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::State;

/// Something that happened to a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// When, by the clock of the registry.
    pub at: Instant,
    /// What.
    pub kind: EventKind,
}

/// What can happen to a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EventKind {
    /// A call ended well.
    Success {
        /// How long it took.
        took: Duration,
    },
    /// A call failed.
    Error {
        /// How long it took.
        took: Duration,
        /// The code of the failure, if it was told.
        reason: Option<&'static str>,
    },
    /// A call failed in a way that does not count.
    IgnoredError {
        /// How long it took.
        took: Duration,
    },
    /// A call was refused.
    NotPermitted,
    /// It changed its state.
    StateTransition {
        /// The state before.
        from: State,
        /// The state now.
        to: State,
    },
    /// Somebody reset it.
    Reset,
    /// So many calls in a hundred failed.
    FailureRateExceeded(f32),
    /// So many calls in a hundred were slow.
    SlowCallRateExceeded(f32),
}

impl EventKind {
    /// The name of Resilience4j: `STATE_TRANSITION`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Success { .. } => "SUCCESS",
            Self::Error { .. } => "ERROR",
            Self::IgnoredError { .. } => "IGNORED_ERROR",
            Self::NotPermitted => "NOT_PERMITTED",
            Self::StateTransition { .. } => "STATE_TRANSITION",
            Self::Reset => "RESET",
            Self::FailureRateExceeded(_) => "FAILURE_RATE_EXCEEDED",
            Self::SlowCallRateExceeded(_) => "SLOW_CALL_RATE_EXCEEDED",
        }
    }

    /// Whether it is told although the breaker is forced open or disabled.
    fn is_always_told(&self) -> bool {
        match self {
            Self::StateTransition { .. } | Self::Reset => true,
            Self::Success { .. }
            | Self::Error { .. }
            | Self::IgnoredError { .. }
            | Self::NotPermitted
            | Self::FailureRateExceeded(_)
            | Self::SlowCallRateExceeded(_) => false,
        }
    }

    /// Whether it is told in this state.
    pub(super) fn is_told_in(&self, state: State) -> bool {
        self.is_always_told() || !matches!(state, State::ForcedOpen | State::Disabled)
    }
}

/// The last events, the oldest first, with their time since the registry was made.
#[derive(Debug)]
pub(super) struct Events {
    kept: VecDeque<(Duration, EventKind)>,
    most: usize,
}

impl Events {
    pub(super) fn new(most: usize) -> Self {
        Self { kept: VecDeque::new(), most: most.max(1) }
    }

    pub(super) fn resize(&mut self, most: usize) {
        self.most = most.max(1);
        while self.kept.len() > self.most {
            self.kept.pop_front();
        }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn push(&mut self, at: Duration, kind: EventKind) {
        if self.kept.len() >= self.most {
            self.kept.pop_front();
        }
        self.kept.push_back((at, kind));
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (Duration, EventKind)> {
        self.kept.iter().copied()
    }
}
