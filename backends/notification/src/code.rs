//! What a notification is about, how it is sent, and how far it has come.

use serde::Serialize;
use service::code::Code;
use utoipa::ToSchema;

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Kind {
    Reservation,
    Payment,
    TravelPlanner,
}

/// How a notification reaches the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Channel {
    /// It is listed.
    InApp,
    Email,
    Sms,
    Push,
    Webhook,
}

/// How far the delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    /// To be sent, for the first time or again.
    Pending,
    Sending,
    Sent,
    /// It cannot be sent.
    Failed,
    /// Not to be sent: not wanted, no destination, or out of date.
    Skipped,
}

impl Channel {
    /// Whether a member who has chosen nothing gets notifications this way.
    pub(crate) fn is_on_by_default(self) -> bool {
        match self {
            Self::InApp | Self::Email => true,
            Self::Sms | Self::Push | Self::Webhook => false,
        }
    }
}

impl Code for Kind {
    const ALL: &'static [Self] = &[Self::Reservation, Self::Payment, Self::TravelPlanner];

    fn code(self) -> &'static str {
        match self {
            Self::Reservation => "RESERVATION",
            Self::Payment => "PAYMENT",
            Self::TravelPlanner => "TRAVEL_PLANNER",
        }
    }
}

impl Code for Channel {
    const ALL: &'static [Self] = &[Self::InApp, Self::Email, Self::Sms, Self::Push, Self::Webhook];

    fn code(self) -> &'static str {
        match self {
            Self::InApp => "IN_APP",
            Self::Email => "EMAIL",
            Self::Sms => "SMS",
            Self::Push => "PUSH",
            Self::Webhook => "WEBHOOK",
        }
    }
}

impl Code for Status {
    const ALL: &'static [Self] =
        &[Self::Pending, Self::Sending, Self::Sent, Self::Failed, Self::Skipped];

    fn code(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Sending => "SENDING",
            Self::Sent => "SENT",
            Self::Failed => "FAILED",
            Self::Skipped => "SKIPPED",
        }
    }
}

#[cfg(test)]
mod tests {
    use service::testing::check_codes;

    use super::*;

    #[test]
    fn stored_codes_are_those_of_the_api() {
        check_codes::<Kind>();
        check_codes::<Channel>();
        check_codes::<Status>();
    }
}
