//! What an event means for a member: the table of 8.1.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use messaging::consumer::{Received, Trouble};
use messaging::payload::{
    PaymentEvent, PaymentEventKind, ReservationEvent, ReservationEventKind, TravelEvent,
    TravelEventKind,
};
use messaging::topic::Topic;

use crate::code::Kind;
use crate::template::Values;

/// Every template there is.
#[cfg(test)]
pub(crate) const TEMPLATES: &[&str] = &[
    "RESERVATION_CONFIRMED",
    "RESERVATION_CANCELLED",
    "RESERVATION_FAILED",
    "RESERVATION_EXPIRED",
    "PAYMENT_APPROVED",
    "PAYMENT_REJECTED",
    "PAYMENT_CANCELLED",
    "TRAVEL_OVERLAP",
    "TRAVEL_D1",
];

/// Failures of the create step, which the booker was answered at once (T03–T05). Only codes that no
/// payment gateway has: a refused payment must be told.
const TOLD_AT_ONCE: &[&str] = &[
    "ROOM_NOT_AVAILABLE",
    "ROOM_NOT_FOUND",
    "PRICE_CHANGED",
    "EXTERNAL_ID_CONFLICT",
    "RESERVATION_CANCELLED",
    "HOLD_EXPIRED",
    "PAYMENT_CREATE_FAILED",
    "CREATE_TIMEOUT",
];
/// How long the notice that somebody may still pay again is worth sending.
const EXPIRED_NOTICE: Duration = Duration::from_hours(24);

/// Something a member is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) kind: Kind,
    pub(crate) template: &'static str,
    pub(crate) member_id: i64,
    pub(crate) values: Values,
    /// Where the booker can be reached, if the event tells.
    pub(crate) phone: Option<String>,
    /// After this moment it is not worth sending.
    pub(crate) stale_after: Option<Timestamp>,
}

impl Notice {
    /// What an event means; nothing when nobody is told of it.
    pub(crate) fn of(record: &Received) -> Result<Option<Self>, Trouble> {
        match record.topic {
            Topic::ReservationEvent => Ok(of_reservation(record.payload()?, record)),
            Topic::PaymentEvent => Ok(of_payment(&record.payload()?)),
            Topic::TravelEvent => Ok(of_travel(record.payload()?)),
            Topic::PaymentConfirmRequest
            | Topic::PaymentConfirmResponse
            | Topic::PaymentCancelRequest
            | Topic::PaymentCancelResponse
            | Topic::NotificationEvent => Ok(None),
        }
    }
}

fn of_reservation(event: ReservationEvent, record: &Received) -> Option<Notice> {
    let code = event.reason_code.as_deref().unwrap_or_default();
    let template = match event.kind {
        ReservationEventKind::Confirmed => "RESERVATION_CONFIRMED",
        ReservationEventKind::Cancelled => "RESERVATION_CANCELLED",
        ReservationEventKind::Failed if TOLD_AT_ONCE.contains(&code) => return None,
        ReservationEventKind::Failed => "RESERVATION_FAILED",
        ReservationEventKind::Expired => "RESERVATION_EXPIRED",
        ReservationEventKind::Requested
        | ReservationEventKind::Created
        | ReservationEventKind::Approved
        | ReservationEventKind::CancellationRequested => return None,
    };
    let is_prompt = event.kind == ReservationEventKind::Expired;
    let occurred_at = record.envelope.occurred_at;
    let stale_after = is_prompt.then(|| occurred_at.checked_add(EXPIRED_NOTICE).ok()).flatten();
    let reason = event.reason.or(event.reason_code).unwrap_or_default();
    let values = [
        ("placeName", event.place_name),
        ("roomName", event.room_name),
        ("checkInDate", event.check_in_date.to_string()),
        ("checkOutDate", event.check_out_date.to_string()),
        ("totalAmount", amount(event.total_amount)),
        ("reason", reason),
    ];
    Some(Notice {
        kind: Kind::Reservation,
        template,
        member_id: event.member_id,
        values: named(values),
        phone: Some(event.client_phone_number),
        stale_after,
    })
}

fn of_payment(event: &PaymentEvent) -> Option<Notice> {
    let template = match event.kind {
        PaymentEventKind::Approved => "PAYMENT_APPROVED",
        PaymentEventKind::Rejected => "PAYMENT_REJECTED",
        PaymentEventKind::Cancelled => "PAYMENT_CANCELLED",
        PaymentEventKind::Created | PaymentEventKind::Expired | PaymentEventKind::CancelFailed => {
            return None;
        }
    };
    let reason = event.failure.as_ref().map(|failure| failure.message.clone());
    let values = [
        ("totalAmount", amount(event.total_amount)),
        ("method", event.method.clone().unwrap_or_else(|| "카드".to_owned())),
        ("reason", reason.unwrap_or_default()),
    ];
    Some(Notice {
        kind: Kind::Payment,
        template,
        member_id: event.member_id,
        values: named(values),
        phone: None,
        stale_after: None,
    })
}

fn of_travel(event: TravelEvent) -> Option<Notice> {
    let template = match event.kind {
        TravelEventKind::OverlapRejected => "TRAVEL_OVERLAP",
        TravelEventKind::StartsTomorrow => "TRAVEL_D1",
        TravelEventKind::Created => return None,
    };
    // The day before is over when the trip begins.
    let is_prompt = event.kind == TravelEventKind::StartsTomorrow;
    let stale_after = is_prompt.then(|| begin_of(event.start_date)).flatten();
    let values = [("travelTitle", event.title), ("startDate", event.start_date.to_string())];
    Some(Notice {
        kind: Kind::TravelPlanner,
        template,
        member_id: event.member_id,
        values: named(values),
        phone: None,
        stale_after,
    })
}

/// Midnight in Korea, which keeps no summer time.
fn begin_of(date: Date) -> Option<Timestamp> {
    let utc = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
    utc.checked_sub(9.hours()).ok()
}

fn named<const N: usize>(values: [(&str, String); N]) -> Values {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// 220000 as 220,000.
fn amount(amount: i64) -> String {
    let digits = amount.to_string();
    let mut told = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use messaging::consumer::Duplicate;
    use messaging::envelope::Envelope;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn received(topic: Topic, kind: &str, payload: Value) -> Received {
        let envelope = Envelope {
            id: Uuid::from_u128(1),
            kind: kind.to_owned(),
            version: 1,
            occurred_at: "2025-05-01T01:00:00Z".parse().unwrap(),
            producer: topic.producer().to_owned(),
            correlation_id: "1".to_owned(),
            causation_id: None,
            traceparent: None,
            member_id: Some(42),
            payload,
        };
        let duplicate = Duplicate::default();
        Received { envelope, topic, partition: 0, offset: 0, is_redriven: false, duplicate }
    }

    fn reservation(kind: &str, reason: Option<&str>) -> Option<Notice> {
        let payload = json!({
            "reservationId": Uuid::nil(), "memberId": 42, "status": "X", "refundStatus": "NONE",
            "placeId": 93, "placeName": "달빛호텔", "roomId": 921, "roomName": "킹",
            "checkInDate": "2025-05-02", "checkOutDate": "2025-05-04", "nights": 2,
            "totalAmount": 220_000, "currency": "KRW", "clientName": "김하나",
            "clientPhoneNumber": "01000000000", "reasonCode": reason
        });
        Notice::of(&received(Topic::ReservationEvent, kind, payload)).unwrap()
    }

    fn template(notice: Option<Notice>) -> &'static str {
        notice.map_or("nobody is told", |notice| notice.template)
    }

    /// NT-01: the table of 8.1.
    #[test]
    fn nt_01_of_reservations_their_ends_are_told() {
        for (kind, reason, expected) in [
            ("ReservationConfirmed", None, "RESERVATION_CONFIRMED"),
            ("ReservationCancelled", None, "RESERVATION_CANCELLED"),
            ("ReservationExpired", None, "RESERVATION_EXPIRED"),
            ("ReservationFailed", Some("REJECT_CARD_PAYMENT"), "RESERVATION_FAILED"),
            // A code of the payment gateway, too.
            ("ReservationFailed", Some("INVALID_REQUEST"), "RESERVATION_FAILED"),
            ("ReservationFailed", Some("CMS_APPROVE_FAILED"), "RESERVATION_FAILED"),
            ("ReservationFailed", Some("ROOM_NOT_AVAILABLE"), "nobody is told"),
            ("ReservationFailed", Some("CREATE_TIMEOUT"), "nobody is told"),
            ("ReservationRequested", None, "nobody is told"),
            ("ReservationApproved", None, "nobody is told"),
        ] {
            assert_eq!(template(reservation(kind, reason)), expected, "{kind} {reason:?}");
        }
        let confirmed = reservation("ReservationConfirmed", None).unwrap();
        assert_eq!(confirmed.phone.as_deref(), Some("01000000000"));
        assert_eq!(confirmed.values["totalAmount"], "220,000");
    }

    /// NT-02
    #[test]
    fn nt_02_of_payments_moved_money_is_told() {
        for (kind, expected) in [
            ("PaymentApproved", "PAYMENT_APPROVED"),
            ("PaymentRejected", "PAYMENT_REJECTED"),
            ("PaymentCancelled", "PAYMENT_CANCELLED"),
            ("PaymentCreated", "nobody is told"),
            ("PaymentExpired", "nobody is told"),
        ] {
            let payload = json!({
                "paymentId": Uuid::nil(), "orderId": Uuid::nil(), "memberId": 42, "status": "X",
                "totalAmount": 1_000, "balanceAmount": 1_000
            });
            let notice = Notice::of(&received(Topic::PaymentEvent, kind, payload)).unwrap();
            assert_eq!(template(notice), expected, "{kind}");
        }
    }

    /// NT-03: the notice of the day before is stale when the trip has begun.
    #[test]
    fn nt_03_of_travels_overlaps_and_the_day_before_are_told() {
        for (kind, expected, stale_after) in [
            ("TravelOverlapRejected", "TRAVEL_OVERLAP", None),
            ("TravelStartsTomorrow", "TRAVEL_D1", Some("2025-05-02T15:00:00Z")),
        ] {
            let payload = json!({
                "travelId": 7, "memberId": 42, "title": "부산 여행", "startDate": "2025-05-03",
                "endDate": "2025-05-05", "regionNames": ["부산"]
            });
            let notice = Notice::of(&received(Topic::TravelEvent, kind, payload)).unwrap().unwrap();
            assert_eq!(notice.template, expected);
            let stale_after = stale_after.map(|at: &str| at.parse().unwrap());
            assert_eq!(notice.stale_after, stale_after, "{kind}");
        }
    }

    #[test]
    fn sums_are_written_in_groups_of_three() {
        for (sum, told) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(amount(sum), told);
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_korea() {
        let begin = begin_of(date(2025, 5, 2)).unwrap();
        assert_eq!(begin.to_string(), "2025-05-01T15:00:00Z");
    }
}
