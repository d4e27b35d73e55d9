//! Reserve, pay, approve, cancel.

use reqwest::Method;
use serde_json::json;
use trial::booker::Pending;

use crate::stage::{Stage, on_each};

/// A-01 RS-03 RS-04 RS-06 RS-09 SY-02 SY-03
#[test]
fn a_01_a_room_is_reserved_paid_and_confirmed() {
    on_each(async |stage| {
        let pending = stage.pending(0).await;
        let id = &pending.reservation_id;
        assert_eq!(stage.cms_status(id).await, "HELD");
        assert_eq!(stage.payment_status(id).await, "READY");
        stage.approve(&pending).await;
        stage.check_confirmed(&pending).await;

        let shown = stage.booker.look(id).await.unwrap();
        assert_eq!(shown.text("/payment/status"), "DONE", "{shown}");
        assert!(!shown.text("/payment/approvedAt").is_empty(), "{shown}");
        let target = format!("/v1/reservation/{id}/history");
        let history = stage.booker.ask(Method::GET, &target, None, None).await.unwrap();
        let states: Vec<_> =
            history.payload().as_array().unwrap().iter().map(|entry| &entry["to"]).collect();
        let expected = ["REQUESTED", "PENDING_PAYMENT", "APPROVING", "CONFIRMING", "CONFIRMED"];
        assert_eq!(states, expected, "{history}");
    });
}

/// A-02 RS-05 RS-07
#[test]
fn a_02_a_confirmed_stay_is_cancelled_and_paid_back() {
    on_each(async |stage| {
        let pending = stage.approved(1).await;
        let id = &pending.reservation_id;
        stage.check_confirmed(&pending).await;
        let target = format!("/v1/reservation/{id}/cancellable");
        let asked = stage.booker.ask(Method::GET, &target, None, None).await.unwrap();
        let expected = json!({
            "cancellable": true, "deferred": false, "reason": null, "refundAmount": pending.amount
        });
        assert_eq!(*asked.payload(), expected);

        let reply = stage.booker.cancel(id).await.unwrap();
        assert_eq!(reply.status, 202, "{reply}");
        stage.check_undone(&pending, "CANCELLED", "DONE").await;
        assert_eq!(stage.money(id).await, (pending.amount, pending.amount));
        assert_eq!(stage.payment_status(id).await, "CANCELED");
        let reply = stage.booker.cancel(id).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.text("/status")), (200, "CANCELLED"), "{reply}");
        // The nights are free again.
        let again = stage.pending(1).await;
        stage.booker.cancel(&again.reservation_id).await.unwrap();
        stage.check_undone(&again, "CANCELLED", "NONE").await;
    });
}

///
#[test]
fn a_25_another_amount_payment_or_member_is_refused() {
    on_each(async |stage| {
        let pending = stage.pending(2).await;
        let other = stage.pending(3).await;
        let key = stage.booker.check_out(&pending).await.unwrap();
        let wrong = Pending { amount: pending.amount - 1, ..pending.clone() };
        let reply = stage.booker.approve(&wrong, &key).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.code()), (409, "AMOUNT_MISMATCH"));
        let wrong = Pending { payment_id: other.payment_id, ..pending.clone() };
        let reply = stage.booker.approve(&wrong, &key).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.code()), (409, "PAYMENT_MISMATCH"));
        let stranger = stage.booker.as_member(43);
        let reply = stranger.approve(&pending, &key).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.code()), (404, "RESERVATION_NOT_FOUND"));
        let reply = stranger.cancel(&pending.reservation_id).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.code()), (404, "RESERVATION_NOT_FOUND"));
        let seen = stage.operations(&pending.reservation_id).await;
        assert_eq!(seen["reservation"]["status"], "PENDING_PAYMENT", "{seen}");
        assert_eq!(stage.payment_status(&pending.reservation_id).await, "READY");
    });
}

/// A-04 X-03
#[test]
fn a_04_a_refused_card_ends_it_without_a_refund() {
    on_each(async |stage| {
        let pending = stage.pending(4).await;
        stage.pg_fault(Stage::once("confirm", "pg_code", "REJECT_CARD_PAYMENT")).await;
        stage.approve(&pending).await;
        let id = &pending.reservation_id;
        let reply = stage.wait_for(id, "FAILED", "NONE").await;
        assert_eq!(reply.text("/failure/code"), "REJECT_CARD_PAYMENT", "{reply}");
        stage.check_undone(&pending, "FAILED", "NONE").await;
        assert_eq!(stage.money(id).await, (0, 0));
        let seen = stage.operations(id).await;
        assert!(seen["refund"].is_null(), "{seen}");
    });
}
