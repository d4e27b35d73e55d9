//! The topics: what is in them, who writes them, how they are cut and how long they keep.

use std::time::Duration;

use service::code::Code;

const DAY: Duration = Duration::from_hours(24);
const COMMANDS_KEPT: Duration = DAY.saturating_mul(7);
const EVENTS_KEPT: Duration = DAY.saturating_mul(30);
/// How long dead letters are kept.
pub const DEAD_LETTERS_KEPT: Duration = DAY.saturating_mul(30);

/// A topic of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// `PAYMENT-CONFIRM-REQUEST`
    PaymentConfirmRequest,
    /// `PAYMENT-CONFIRM-RESPONSE`
    PaymentConfirmResponse,
    /// `PAYMENT-CANCEL-REQUEST`
    PaymentCancelRequest,
    /// `PAYMENT-CANCEL-RESPONSE`
    PaymentCancelResponse,
    /// `RESERVATION-EVENT`
    ReservationEvent,
    /// `PAYMENT-EVENT`
    PaymentEvent,
    /// `TRAVEL-EVENT`
    TravelEvent,
    /// `NOTIFICATION-EVENT`
    NotificationEvent,
}

impl Code for Topic {
    const ALL: &'static [Self] = &[
        Self::PaymentConfirmRequest,
        Self::PaymentConfirmResponse,
        Self::PaymentCancelRequest,
        Self::PaymentCancelResponse,
        Self::ReservationEvent,
        Self::PaymentEvent,
        Self::TravelEvent,
        Self::NotificationEvent,
    ];

    fn code(self) -> &'static str {
        self.name()
    }
}

impl Topic {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PaymentConfirmRequest => "PAYMENT-CONFIRM-REQUEST",
            Self::PaymentConfirmResponse => "PAYMENT-CONFIRM-RESPONSE",
            Self::PaymentCancelRequest => "PAYMENT-CANCEL-REQUEST",
            Self::PaymentCancelResponse => "PAYMENT-CANCEL-RESPONSE",
            Self::ReservationEvent => "RESERVATION-EVENT",
            Self::PaymentEvent => "PAYMENT-EVENT",
            Self::TravelEvent => "TRAVEL-EVENT",
            Self::NotificationEvent => "NOTIFICATION-EVENT",
        }
    }

    /// The topic of what could not be read from this one.
    pub fn dead_letters(self) -> String {
        format!("{}.DLT", self.name())
    }

    /// The service that writes it, as it appears in `producer`.
    pub const fn producer(self) -> &'static str {
        match self {
            Self::PaymentConfirmRequest | Self::PaymentCancelRequest | Self::ReservationEvent => {
                "reservation"
            }
            Self::PaymentConfirmResponse | Self::PaymentCancelResponse | Self::PaymentEvent => {
                "payment"
            }
            Self::TravelEvent => "planner",
            Self::NotificationEvent => "notification",
        }
    }

    /// Into how many partitions it is cut.
    pub const fn partitions(self) -> i32 {
        match self {
            Self::PaymentConfirmRequest
            | Self::PaymentConfirmResponse
            | Self::PaymentCancelRequest
            | Self::PaymentCancelResponse => 6,
            Self::ReservationEvent
            | Self::PaymentEvent
            | Self::TravelEvent
            | Self::NotificationEvent => 3,
        }
    }

    /// How long a record is kept.
    pub const fn retention(self) -> Duration {
        match self {
            Self::PaymentConfirmRequest
            | Self::PaymentConfirmResponse
            | Self::PaymentCancelRequest
            | Self::PaymentCancelResponse
            | Self::NotificationEvent => COMMANDS_KEPT,
            Self::ReservationEvent | Self::PaymentEvent | Self::TravelEvent => EVENTS_KEPT,
        }
    }

    /// Every type its records may have.
    pub const fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::PaymentConfirmRequest => &["PaymentConfirmRequested"],
            Self::PaymentConfirmResponse => &["PaymentConfirmResult"],
            Self::PaymentCancelRequest => &["PaymentCancelRequested"],
            Self::PaymentCancelResponse => &["PaymentCancelResult"],
            Self::ReservationEvent => &[
                "ReservationRequested",
                "ReservationCreated",
                "ReservationApproved",
                "ReservationConfirmed",
                "ReservationCancellationRequested",
                "ReservationCancelled",
                "ReservationFailed",
                "ReservationExpired",
            ],
            Self::PaymentEvent => &[
                "PaymentCreated",
                "PaymentApproved",
                "PaymentRejected",
                "PaymentCancelled",
                "PaymentExpired",
                "PaymentCancelFailed",
            ],
            Self::TravelEvent => {
                &["TravelCreated", "TravelOverlapRejected", "TravelStartsTomorrow"]
            }
            Self::NotificationEvent => &["NotificationSent", "NotificationFailed"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_name_of_its_own() {
        for topic in Topic::ALL {
            assert_eq!(Topic::by_code(topic.name()), Some(*topic));
            assert_eq!(topic.dead_letters(), format!("{}.DLT", topic.name()));
            assert!(!topic.kinds().is_empty() && topic.partitions() > 0);
        }
    }
}
