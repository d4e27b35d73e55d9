use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::payload::{
    CancelOutcome, ConfirmOutcome, Failure, NotificationEvent, NotificationEventKind, Payload,
    PaymentCancelRequested, PaymentCancelResult, PaymentConfirmRequested, PaymentConfirmResult,
    PaymentEvent, PaymentEventKind, RefundReason, ReservationEvent, ReservationEventKind,
    TravelEvent, TravelEventKind,
};

const ID: Uuid = Uuid::from_u128(7);

fn at() -> Timestamp {
    "2025-05-01T01:00:00Z".parse().unwrap()
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn failure() -> Failure {
    Failure { code: text("REJECT_CARD_PAYMENT"), message: text("no"), retryable: false }
}

fn body<P: Payload>(payload: &P) -> Value {
    json!({
        "id": ID, "type": payload.kind(), "version": 1, "occurredAt": at(),
        "producer": P::TOPIC.producer(), "correlationId": ID, "causationId": null,
        "traceparent": null, "memberId": 42, "payload": payload,
    })
}

fn read(topic: Topic, body: &Value) -> Result<Reading, Unreadable> {
    Schemas::new().unwrap().read(topic, body.to_string().as_bytes())
}

/// What is written is valid, and what is read back is what was written.
#[track_caller]
fn check_both_ways<P: Payload + PartialEq + std::fmt::Debug>(payload: P) {
    let Reading::Message(envelope) = read(P::TOPIC, &body(&payload)).unwrap() else {
        panic!("{} is not known", payload.kind())
    };
    let back: P = serde_json::from_value(envelope.payload.clone()).unwrap();
    assert_eq!(back.of_kind(&envelope.kind), Some(payload));
}

#[track_caller]
fn check_invalid<P: Payload>(payload: &P, change: impl Fn(&mut Value), expected: &str) {
    let mut body = body(payload);
    change(&mut body);
    let error = read(P::TOPIC, &body).unwrap_err();
    assert!(matches!(error, Unreadable::Schema(_)), "{error}");
    assert!(error.to_string().contains(expected), "{error}");
}

fn confirm_requested() -> PaymentConfirmRequested {
    PaymentConfirmRequested {
        member_id: 42,
        payment_id: ID,
        payment_key: text("key"),
        order_id: ID,
        order_name: text("A room"),
        total_amount: 1000,
        currency: text("KRW"),
        approve_by: at(),
    }
}

fn confirm_result(result: ConfirmOutcome) -> PaymentConfirmResult {
    PaymentConfirmResult {
        status: text("OK"),
        value: 200,
        code: text("PAYMENT_CONFIRMED"),
        result,
        payment_id: ID,
        order_id: ID,
        member_id: 42,
        payment_key: Some(text("key")),
        total_amount: 1000,
        method: None,
        approved_at: (result == ConfirmOutcome::Approved).then(at),
        failure: (result == ConfirmOutcome::Rejected).then(failure),
    }
}

fn cancel_requested() -> PaymentCancelRequested {
    PaymentCancelRequested {
        refund_id: ID,
        payment_id: ID,
        order_id: ID,
        member_id: 42,
        cancel_amount: 1,
        reason: text("r"),
        reason_code: RefundReason::CmsApproveFailed,
    }
}

fn cancel_result(result: CancelOutcome) -> PaymentCancelResult {
    let is_done = result == CancelOutcome::Cancelled;
    PaymentCancelResult {
        status: text("OK"),
        value: 200,
        code: text("PAYMENT_CANCELLED"),
        result,
        refund_id: ID,
        payment_id: ID,
        order_id: ID,
        cancel_amount: is_done.then_some(1),
        balance_amount: is_done.then_some(0),
        transaction_key: is_done.then(|| text("t")),
        canceled_at: is_done.then(at),
        failure: (result == CancelOutcome::Rejected).then(failure),
    }
}

/// KF-10, 7.3
#[test]
fn kf_10_commands_and_results_agree_with_their_schemas() {
    check_both_ways(confirm_requested());
    for result in [ConfirmOutcome::Approved, ConfirmOutcome::Rejected, ConfirmOutcome::Pending] {
        check_both_ways(confirm_result(result));
    }
    check_both_ways(cancel_requested());
    for result in [
        CancelOutcome::Cancelled,
        CancelOutcome::NothingToRefund,
        CancelOutcome::Rejected,
        CancelOutcome::Pending,
    ] {
        check_both_ways(cancel_result(result));
    }
}

/// 7.3
#[test]
fn events_agree_with_their_schemas() {
    for kind in ReservationEventKind::ALL {
        check_both_ways(ReservationEvent {
            kind: *kind,
            reservation_id: ID,
            member_id: 42,
            status: text("CONFIRMED"),
            refund_status: text("NONE"),
            place_id: 1,
            place_name: text("p"),
            room_id: 2,
            room_name: text("r"),
            check_in_date: "2025-05-01".parse().unwrap(),
            check_out_date: "2025-05-02".parse().unwrap(),
            nights: 1,
            total_amount: 1000,
            currency: text("KRW"),
            client_name: text("c"),
            client_phone_number: text("010"),
            reason_code: None,
            reason: Some(text("why")),
        });
    }
    for kind in PaymentEventKind::ALL {
        check_both_ways(PaymentEvent {
            kind: *kind,
            payment_id: ID,
            order_id: ID,
            member_id: 42,
            status: text("DONE"),
            method: Some(text("CARD")),
            total_amount: 1000,
            balance_amount: 1000,
            cancel_amount: None,
            approved_at: Some(at()),
            canceled_at: None,
            failure: Some(failure()),
        });
    }
}

/// 7.3
#[test]
fn other_events_agree_with_their_schemas() {
    for kind in TravelEventKind::ALL {
        check_both_ways(TravelEvent {
            kind: *kind,
            travel_id: None,
            member_id: 42,
            title: text("t"),
            start_date: "2025-05-01".parse().unwrap(),
            end_date: "2025-05-02".parse().unwrap(),
            region_names: vec![text("Busan")],
            conflicting_travel_id: Some(3),
        });
    }
    for event in NotificationEventKind::ALL {
        check_both_ways(NotificationEvent {
            event: *event,
            notification_id: ID,
            source_event_id: ID,
            member_id: 42,
            kind: text("PAYMENT"),
            channel: text("EMAIL"),
            template_code: text("PAYMENT_APPROVED"),
            status: text("SENT"),
            attempts: 1,
            error: None,
        });
    }
}

/// X-14
#[test]
fn x_14_what_breaks_a_schema_is_told_without_its_values() {
    let command = confirm_requested();
    check_invalid(&command, |body| body["payload"]["totalAmount"] = json!(99), "/totalAmount: ");
    check_invalid(&command, |body| body["payload"]["currency"] = json!("USD"), "/currency: ");
    check_invalid(&command, |body| body["payload"]["approveBy"] = json!("soon"), "/approveBy: ");
    check_invalid(&command, |body| body["payload"]["paymentId"] = json!("x"), "/paymentId: ");
    check_invalid(&command, |body| body["payload"] = json!([]), "/payload: ");
    check_invalid(&command, |body| body["id"] = json!("secret"), "/id: ");
    check_invalid(&command, |body| body["occurredAt"] = json!(1), "/occurredAt: ");
    let approved = confirm_result(ConfirmOutcome::Approved);
    check_invalid(&approved, |body| drop(remove(body, "approvedAt")), "approvedAt");
    let rejected = confirm_result(ConfirmOutcome::Rejected);
    check_invalid(&rejected, |body| drop(remove(body, "failure")), "failure");
    let cancelled = cancel_result(CancelOutcome::Cancelled);
    check_invalid(&cancelled, |body| drop(remove(body, "balanceAmount")), "balanceAmount");
    let mut body = body(&command);
    body["id"] = json!("4111111111111111");
    let error = read(Topic::PaymentConfirmRequest, &body).unwrap_err().to_string();
    assert!(!error.contains("4111"), "{error}");
}

fn remove(body: &mut Value, member: &str) -> Option<Value> {
    body["payload"].as_object_mut().unwrap().remove(member)
}

/// 7.2: additions are welcome, other types are for others, other versions are not.
#[test]
fn unknown_fields_types_and_versions() {
    let topic = Topic::PaymentConfirmRequest;
    let mut body = body(&confirm_requested());
    body["payload"]["new"] = json!(1);
    body["new"] = json!(1);
    assert!(matches!(read(topic, &body), Ok(Reading::Message(_))));
    body["version"] = json!(2);
    assert!(matches!(read(topic, &body), Err(Unreadable::Version { version: 2, .. })));
    body["type"] = json!("PaymentForgotten");
    assert!(matches!(read(topic, &body), Ok(Reading::UnknownKind)));
    let text = Schemas::new().unwrap().read(topic, b"{");
    assert!(matches!(text, Err(Unreadable::NotJson(_))));
}
