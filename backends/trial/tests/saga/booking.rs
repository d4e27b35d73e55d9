//! Reserve, pay, approve, cancel.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;
use trial::booker::Pending;
use trial::platform::Service;

use crate::stage::{Stage, on_each};

/// A-01 RS-03 RS-04 RS-06 RS-09 SY-02 SY-03 KF-06
#[test]
fn a_01_a_room_is_reserved_paid_and_confirmed() {
    on_each(async |stage| {
        let pending = stage.pending(0).await;
        let id = &pending.reservation_id;
        assert_eq!(stage.cms_status(id).await, "HELD");
        assert_eq!(stage.payment_status(id).await, "READY");
        stage.approve(&pending).await;
        stage.check_confirmed(&pending).await;

        let target = format!("/admin/calls?externalId={id}");
        let calls = stage.platform.ask_cms_admin(Method::GET, &target, None).await.unwrap();
        let calls: Vec<_> = calls.body.as_array().unwrap().iter().collect();
        let made: Vec<_> = calls.iter().map(|call| call["operation"].as_str().unwrap()).collect();
        let ours: Vec<_> = made.into_iter().filter(|made| *made != "look-up").collect();
        assert_eq!(ours, ["reserve", "approve", "payment-complete"]);

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

/// A-03 X-22: a hundred want one room.
#[test]
fn a_03_of_a_hundred_bookers_exactly_one_has_the_room() {
    on_each(async |stage| {
        for number in 0..3 {
            let wish = stage.wish(number).await;
            let mut bookers = JoinSet::new();
            for member in 100..200 {
                let (booker, wish) = (stage.booker.as_member(member), wish.clone());
                bookers.spawn(async move {
                    let key = format!("{number}-{member}");
                    loop {
                        let reply = booker.reserve(&wish, Some(&key)).await.unwrap();
                        if !reply.is_passing() {
                            return reply;
                        }
                    }
                });
            }
            let replies = bookers.join_all().await;
            let (made, refused): (Vec<_>, Vec<_>) =
                replies.into_iter().partition(|reply| reply.status == 201);
            assert_eq!(made.len(), 1, "{made:?}");
            for reply in refused {
                let told = (reply.status.as_u16(), reply.code());
                assert_eq!(told, (409, "ROOM_NOT_AVAILABLE"), "{reply}");
            }
            let pending = made[0].pending().unwrap();
            assert_eq!(stage.cms_status(&pending.reservation_id).await, "HELD");
        }
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

/// A-04 X-03 KF-07 TS-03
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

/// KF-13 TS-01 TS-05: an approve is answered at once while the payment gateway takes seconds.
#[test]
fn kf_13_an_approve_does_not_wait_for_the_payment_gateway() {
    on_each(async |stage| {
        let slow = json!({ "operation": "confirm", "kind": "delay", "value": "700ms" });
        stage.pg_fault(slow).await;
        let mut waited = Vec::new();
        let mut approved = Vec::new();
        for number in 0..20 {
            let pending = stage.pending(number).await;
            let key = stage.booker.check_out(&pending).await.unwrap();
            let begun = Instant::now();
            let reply = stage.booker.approve(&pending, &key).await.unwrap();
            waited.push(begun.elapsed());
            assert_eq!(reply.status, 202, "{reply}");
            // TS-01: nothing is taken within the request.
            assert_eq!(stage.money(&pending.reservation_id).await, (0, 0));
            approved.push(pending);
        }
        waited.sort_unstable();
        assert!(waited[18] < Duration::from_millis(100), "{waited:?}");
        for pending in &approved {
            stage.check_confirmed(pending).await;
        }
    });
}

/// X-24 X-35: the same approve many times at once is one command.
#[test]
fn x_24_x_35_a_double_click_pays_once() {
    on_each(async |stage| {
        let pending = stage.pending(0).await;
        let key = stage.booker.check_out(&pending).await.unwrap();
        let mut clicks = JoinSet::new();
        for _ in 0..8 {
            let (booker, pending, key) = (stage.booker.clone(), pending.clone(), key.clone());
            clicks.spawn(async move { booker.approve(&pending, &key).await.unwrap() });
        }
        for reply in clicks.join_all().await {
            assert_eq!(reply.status, 202, "{reply}");
        }
        stage.check_confirmed(&pending).await;
        let calls = stage.platform.ask_pg(Method::GET, "/admin/calls", None).await.unwrap();
        let calls =
            calls.body.pointer("/payload").unwrap_or(&calls.body).as_array().unwrap().clone();
        let confirms = calls.iter().filter(|call| call["operation"] == "confirm").count();
        assert_eq!(confirms, 1, "{calls:?}");
        let other = stage.booker.approve(&pending, "another-key").await.unwrap();
        assert_eq!((other.status.as_u16(), other.code()), (409, "INVALID_STATE"), "{other}");
    });
}

/// An operator cancels on the booker's behalf, and says why.
#[test]
fn an_operator_cancels_for_the_booker() {
    on_each(async |stage| {
        let pending = stage.approved(0).await;
        stage.check_confirmed(&pending).await;
        let id = &pending.reservation_id;
        let target = format!("/internal/v1/reservations/{id}/cancel");
        let note = json!({ "note": "asked for by telephone" });
        let reply = stage.platform.ask(Service::Reservation, Method::POST, &target, Some(note));
        assert_eq!(reply.await.unwrap().status, 202);
        stage.check_undone(&pending, "CANCELLED", "DONE").await;
        let history = stage.operations(id).await["history"].clone();
        let entry = history.as_array().unwrap().iter().find(|entry| entry["cause"] == "T18");
        let entry = entry.unwrap_or_else(|| panic!("{history}"));
        assert_eq!(
            (&entry["actor"], &entry["note"]),
            (&json!("OPERATOR"), &json!("asked for by telephone"))
        );
    });
}
