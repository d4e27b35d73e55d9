//! Facts that others may want to know.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use service::code::Code;
use uuid::Uuid;

use super::{Failure, Payload};
use crate::topic::Topic;

/// One table: the types of a topic, of which the first stands in until the envelope's is known.
macro_rules! kinds {
    ($name:ident of $payload:ident.$field:ident in $topic:ident: $doc:literal; $first:ident = $first_text:literal, $of_first:literal; $($kind:ident = $text:literal, $of_kind:literal;)*) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            #[doc = $of_first]
            #[default]
            $first,
            $(#[doc = $of_kind] $kind,)*
        }

        impl Code for $name {
            const ALL: &'static [Self] = &[Self::$first, $(Self::$kind,)*];

            fn code(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $(Self::$kind => $text,)*
                }
            }
        }

        impl Payload for $payload {
            const TOPIC: Topic = Topic::$topic;

            fn kind(&self) -> &'static str {
                self.$field.code()
            }

            fn of_kind(self, kind: &str) -> Option<Self> {
                $name::by_code(kind).map(|kind| Self { $field: kind, ..self })
            }
        }
    };
}

kinds! {
    ReservationEventKind of ReservationEvent.kind in ReservationEvent: "What happened to a reservation.";
    Requested = "ReservationRequested", "It was asked for.";
    Created = "ReservationCreated", "The room is held, payment is open.";
    Approved = "ReservationApproved", "The member approved the payment.";
    Confirmed = "ReservationConfirmed", "It is paid and booked.";
    CancellationRequested = "ReservationCancellationRequested", "The member cancelled.";
    Cancelled = "ReservationCancelled", "The room is released after a cancel.";
    Failed = "ReservationFailed", "The system ended it.";
    Expired = "ReservationExpired", "The hold ran out before the approval.";
}

/// Something happened to a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationEvent {
    /// What; the envelope's `type`.
    #[serde(skip)]
    pub kind: ReservationEventKind,
    /// The reservation.
    pub reservation_id: Uuid,
    /// Whose it is.
    pub member_id: i64,
    /// Its state afterwards.
    pub status: String,
    /// What is known of its refund.
    pub refund_status: String,
    /// The lodging.
    pub place_id: i64,
    /// Its name.
    pub place_name: String,
    /// The room.
    pub room_id: i64,
    /// Its name.
    pub room_name: String,
    /// The first night.
    pub check_in_date: Date,
    /// The morning of departure.
    pub check_out_date: Date,
    /// Nights between them.
    pub nights: i64,
    /// The price of all nights.
    pub total_amount: i64,
    /// `KRW`
    pub currency: String,
    /// Who booked.
    pub client_name: String,
    /// Where to reach who booked.
    pub client_phone_number: String,
    /// Why, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

kinds! {
    PaymentEventKind of PaymentEvent.kind in PaymentEvent: "What happened to a payment.";
    Created = "PaymentCreated", "It waits for the member.";
    Approved = "PaymentApproved", "The money was taken.";
    Rejected = "PaymentRejected", "The money was not taken.";
    Cancelled = "PaymentCancelled", "Money was returned.";
    Expired = "PaymentExpired", "Its time ran out.";
    CancelFailed = "PaymentCancelFailed", "Money could not be returned.";
}

/// Something happened to a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentEvent {
    /// What; the envelope's `type`.
    #[serde(skip)]
    pub kind: PaymentEventKind,
    /// The payment.
    pub payment_id: Uuid,
    /// The reservation it is for.
    pub order_id: Uuid,
    /// Whose it is.
    pub member_id: i64,
    /// Its state afterwards.
    pub status: String,
    /// How it was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// How much it is about.
    pub total_amount: i64,
    /// How much of it has not been returned.
    pub balance_amount: i64,
    /// How much was returned now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_amount: Option<i64>,
    /// When the money was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// When it was returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled_at: Option<Timestamp>,
    /// Why it was not taken or not returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

kinds! {
    TravelEventKind of TravelEvent.kind in TravelEvent: "What happened to a trip.";
    Created = "TravelCreated", "It was planned.";
    OverlapRejected = "TravelOverlapRejected", "It was refused, because another one is on these days.";
    StartsTomorrow = "TravelStartsTomorrow", "It begins tomorrow.";
}

/// Something happened to a trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TravelEvent {
    /// What; the envelope's `type`.
    #[serde(skip)]
    pub kind: TravelEventKind,
    /// The trip; nothing when it was refused before there was one.
    pub travel_id: Option<i64>,
    /// Whose it is.
    pub member_id: i64,
    /// Its title as it is shown.
    pub title: String,
    /// Its first day.
    pub start_date: Date,
    /// Its last day.
    pub end_date: Date,
    /// Where to.
    pub region_names: Vec<String>,
    /// The trip on the same days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicting_travel_id: Option<i64>,
}

kinds! {
    NotificationEventKind of NotificationEvent.event in NotificationEvent: "How a delivery ended.";
    Sent = "NotificationSent", "It was delivered.";
    Failed = "NotificationFailed", "It was given up.";
}

/// A delivery ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationEvent {
    /// How; the envelope's `type`.
    #[serde(skip)]
    pub event: NotificationEventKind,
    /// The delivery.
    pub notification_id: Uuid,
    /// The message it tells of.
    pub source_event_id: Uuid,
    /// To whom.
    pub member_id: i64,
    /// What about: `RESERVATION`, `PAYMENT` or `TRAVEL_PLANNER`.
    pub kind: String,
    /// On which channel.
    pub channel: String,
    /// Worded by which template.
    pub template_code: String,
    /// How the delivery ended.
    pub status: String,
    /// After how many attempts.
    pub attempts: i64,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
