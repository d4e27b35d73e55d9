//! Peers that refuse, stall, lie, or lose the answer.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use trial::booker::Pending;
use trial::platform::Service;

use crate::stage::{Stage, eventually, on_each};

/// A-05 X-05 X-26 TS-02: the room is gone after the charge.
#[test]
fn a_05_a_paid_stay_without_a_room_is_undone() {
    on_each(async |stage| {
        stage.cms_fault(Stage::once("approve", "status", "409 HOLD_EXPIRED")).await;
        let pending = stage.approved(0).await;
        stage.check_undone(&pending, "FAILED", "DONE").await;
        let reply = stage.booker.look(&pending.reservation_id).await.unwrap();
        assert_eq!(reply.text("/failure/code"), "CMS_APPROVE_FAILED", "{reply}");
        assert_eq!(stage.money(&pending.reservation_id).await.0, pending.amount);
    });
}

/// A-05 X-28: and the refund is refused twice, then its answer is lost.
#[test]
fn a_05_a_refund_is_refused_in_doubt_and_done_at_last() {
    on_each(async |stage| {
        stage.cms_fault(Stage::once("approve", "status", "409 RESERVATION_CANCELLED")).await;
        let refused = json!({
            "operation": "cancel", "kind": "pg_code", "value": "NOT_CANCELABLE_PAYMENT", "times": 2
        });
        stage.pg_fault(refused).await;
        stage.pg_fault(Stage::once("cancel", "drop_after", Value::Null)).await;
        let pending = stage.approved(0).await;
        stage.check_undone(&pending, "FAILED", "DONE").await;
        assert_eq!(stage.money(&pending.reservation_id).await, (pending.amount, pending.amount));
        // It was told, and stays so until somebody has looked at it.
        let seen = stage.operations(&pending.reservation_id).await;
        assert_eq!(seen["attention"][0]["kind"], "REFUND_FAILED", "{seen}");
    });
}

/// T33 RF9 X-28: the payment gateway refuses to return the money for good, and an operator has returned
/// it elsewhere.
#[test]
fn t33_a_refund_is_settled_by_hand() {
    on_each(async |stage| {
        let pending = stage.approved(0).await;
        stage.check_confirmed(&pending).await;
        let id = &pending.reservation_id;
        let settle = async |note: &str| {
            let target = format!("/internal/v1/reservations/{id}/refund/settle");
            let body = Some(json!({ "note": note }));
            stage.platform.ask(Service::Reservation, Method::POST, &target, body).await.unwrap()
        };
        let early = settle("nothing to be settled").await;
        assert_eq!((early.status.as_u16(), early.code()), (409, "INVALID_STATE"), "{early}");

        let refused =
            json!({ "operation": "cancel", "kind": "pg_code", "value": "NOT_CANCELABLE_PAYMENT" });
        stage.pg_fault(refused).await;
        stage.booker.cancel(id).await.unwrap();
        stage.wait_for(id, "CANCELLED", "FAILED").await;
        let settled = settle("paid back by bank transfer 4711").await;
        assert_eq!(settled.status, 202, "{settled}");
        stage.wait_for(id, "CANCELLED", "DONE").await;
        assert_eq!(stage.money(id).await, (pending.amount, 0), "none of it by the payment gateway");
        assert_eq!(stage.cms_status(id).await, "CANCELLED");
        let again = settle("once more").await;
        assert_eq!((again.status.as_u16(), again.code()), (409, "INVALID_STATE"), "{again}");
    });
}

/// A-06 X-04
#[test]
fn a_06_a_lost_answer_to_a_confirm_charges_once() {
    on_each(async |stage| {
        stage.pg_fault(Stage::once("confirm", "drop_after", Value::Null)).await;
        let pending = stage.approved(0).await;
        stage.check_confirmed(&pending).await;
    });
}

/// A-07 X-02 X-06 X-07
#[test]
fn a_07_lost_answers_of_the_cms_do_nothing_twice() {
    on_each(async |stage| {
        for operation in ["reserve", "approve", "payment-complete"] {
            stage.cms_fault(Stage::once(operation, "drop_after", Value::Null)).await;
        }
        let pending = stage.approved(0).await;
        stage.check_confirmed(&pending).await;
        stage.cms_fault(Stage::once("cancel", "drop_after", Value::Null)).await;
        stage.booker.cancel(&pending.reservation_id).await.unwrap();
        stage.check_undone(&pending, "CANCELLED", "DONE").await;
    });
}

/// X-06 X-07: errors, garbage and silence of the CMS decide nothing.
#[test]
fn x_06_x_07_the_cms_is_asked_until_it_answers() {
    on_each(async |stage| {
        for operation in ["approve", "payment-complete", "look-up"] {
            for (kind, value) in [
                ("status", json!("503 BUSY")),
                ("garbage", Value::Null),
                ("delay_after", json!("900ms")),
                ("drop_before", Value::Null),
            ] {
                stage.cms_fault(Stage::once(operation, kind, value)).await;
            }
        }
        let pending = stage.approved(0).await;
        stage.check_confirmed(&pending).await;
    });
}

/// A-28 X-06: the CMS dies after it approved, and comes back after the deadline.
#[test]
fn a_28_silence_beyond_the_deadline_is_told_and_waited_for() {
    on_each(async |stage| {
        let pending = stage.pending(0).await;
        stage.platform.kill(Service::Cms).unwrap();
        let more = [("CRASH_AT", "cms.call.before_answer")];
        stage.platform.start_service(Service::Cms, &more).unwrap();
        stage.approve(&pending).await;
        stage.platform.ended(Service::Cms).unwrap();
        let id = &pending.reservation_id;
        eventually("it is told that the CMS is silent", async || {
            let seen = stage.operations(id).await;
            (seen["attention"][0]["kind"] == "CMS_SILENT").then_some(())
        })
        .await;
        let reply = stage.booker.look(id).await.unwrap();
        assert_eq!(reply.text("/status"), "CONFIRMING", "{reply}");
        stage.platform.start_service(Service::Cms, &[]).unwrap();
        stage.check_confirmed(&pending).await;
        let note = json!({ "note": "it is back" });
        let target = format!("/internal/v1/reservations/{id}/attention/clear");
        let reply = stage.platform.ask(Service::Reservation, Method::POST, &target, Some(note));
        assert_eq!(reply.await.unwrap().status, 204);
        assert_eq!(stage.operations(id).await["attention"], json!([]));
    });
}

/// A-14 X-25 X-27: payment is away until the deadline has passed.
#[test]
fn a_14_nothing_is_charged_after_the_deadline() {
    on_each(async |stage| {
        let pending = stage.pending(0).await;
        let key = stage.booker.check_out(&pending).await.unwrap();
        stage.platform.kill(Service::Payment).unwrap();
        let reply = stage.booker.approve(&pending, &key).await.unwrap();
        assert_eq!(reply.status, 202, "{reply}");
        let seen = stage.operations(&pending.reservation_id).await;
        let deadline: jiff::Timestamp = seen["approveDeadline"].as_str().unwrap().parse().unwrap();
        eventually("the deadline passes", async || {
            (jiff::Timestamp::now() > deadline).then_some(())
        })
        .await;
        let reply = stage.booker.look(&pending.reservation_id).await.unwrap();
        assert_eq!(reply.text("/status"), "APPROVING", "{reply}");
        stage.platform.start_service(Service::Payment, &[]).unwrap();
        stage.check_undone(&pending, "FAILED", "NONE").await;
        let reply = stage.booker.look(&pending.reservation_id).await.unwrap();
        assert_eq!(reply.text("/failure/code"), "APPROVAL_DEADLINE_PASSED", "{reply}");
        assert_eq!(stage.money(&pending.reservation_id).await, (0, 0));
    });
}

/// T14 X-16: the result cannot be told, and payment is asked for it; the booker learns as much.
#[test]
fn t14_a_refusal_is_learned_without_the_broker() {
    on_each(async |stage| {
        let away = json!({
            "operation": "confirm", "kind": "status", "value": "503 AWAY", "times": 3
        });
        stage.pg_fault(away).await;
        stage.pg_fault(Stage::once("confirm", "pg_code", "REJECT_CARD_PAYMENT")).await;
        let pending = stage.approved(0).await;
        // Half a second before the fourth.
        stage.asked_for_money(3).await;
        let outage = stage.platform.stop_broker().await.unwrap();
        let reply = stage.wait_for(&pending.reservation_id, "FAILED", "NONE").await;
        assert_eq!(reply.text("/failure/code"), "REJECT_CARD_PAYMENT", "{reply}");
        assert!(!reply.text("/failure/message").is_empty(), "{reply}");
        drop(outage);
        stage.check_undone(&pending, "FAILED", "NONE").await;
        assert_eq!(stage.money(&pending.reservation_id).await, (0, 0));
    });
}

/// A-13 X-19 X-21: a cancel at any moment of an approval.
#[test]
fn a_13_once_a_cancel_was_accepted_nothing_is_confirmed() {
    on_each(async |stage| {
        let rounds = 25;
        let mut ids = Vec::new();
        for round in 0..rounds {
            let pending = stage.approved(round).await;
            let wait = Duration::from_millis(fastrand::u64(0..400));
            #[expect(clippy::disallowed_methods, reason = "a moment that nobody chose")]
            sleep(wait).await;
            let reply = stage.booker.cancel(&pending.reservation_id).await.unwrap();
            assert_eq!(reply.status, 202, "{reply}");
            ids.push(pending);
        }
        for pending in &ids {
            let id = &pending.reservation_id;
            let reply = eventually("it is cancelled", async || {
                let reply = stage.booker.look(id).await.ok()?;
                let refund = reply.text("/refundStatus").to_owned();
                let is_over = reply.text("/status") == "CANCELLED"
                    && matches!(refund.as_str(), "NONE" | "NOTHING" | "DONE");
                is_over.then_some(reply)
            })
            .await;
            let refund = reply.text("/refundStatus").to_owned();
            stage.check_undone(pending, "CANCELLED", &refund).await;
            let history = stage.operations(id).await["history"].clone();
            let accepted =
                |entry: &Value| ["T13", "T17", "T18"].contains(&entry["cause"].as_str().unwrap());
            let history = history.as_array().unwrap();
            let at = history.iter().position(accepted).unwrap_or_else(|| panic!("{history:?}"));
            let later = history[at..].iter().any(|entry| entry["cause"] == "T15");
            assert!(!later, "{history:?}");
        }
    });
}

/// A-26 X-36: the payment gateway's announcements are only hints.
#[test]
fn a_26_an_announcement_is_checked_before_it_counts() {
    on_each(async |stage| {
        let pending = stage.pending(0).await;
        let forged = json!({
            "eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-01-01T00:00:00+09:00",
            "data": { "orderId": pending.reservation_id, "status": "DONE" }
        });
        let reply = stage.platform.announce(forged).await.unwrap();
        assert_eq!(reply.status, 200, "{reply}");
        stage.approve(&pending).await;
        stage.check_confirmed(&pending).await;

        let seen = stage.operations(&pending.reservation_id).await;
        let key = seen["paymentKey"].as_str().unwrap();
        let target = format!("/admin/payments/{key}/cancel");
        let reason = json!({ "cancelReason": "at the console" });
        let reply = stage.platform.ask_pg(Method::POST, &target, Some(reason)).await.unwrap();
        assert!(reply.status.is_success(), "{reply}");
        stage.check_undone(&pending, "CANCELLED", "DONE").await;
        let seen = stage.operations(&pending.reservation_id).await;
        assert_eq!(seen["attention"][0]["kind"], "CANCELLED_ELSEWHERE", "{seen}");
    });
}

/// A-12 X-16: nobody can publish for a while.
#[test]
fn a_12_approves_outlive_an_outage_of_the_broker() {
    on_each(async |stage| {
        let mut waiting: Vec<Pending> = Vec::new();
        for number in 0..4 {
            waiting.push(stage.pending(number).await);
        }
        let outage = stage.platform.stop_broker().await.unwrap();
        for pending in &waiting {
            stage.approve(pending).await;
        }
        let begun = Instant::now();
        eventually("the outage lasts", async || {
            (begun.elapsed() > Duration::from_secs(4)).then_some(())
        })
        .await;
        for pending in &waiting {
            let reply = stage.booker.look(&pending.reservation_id).await.unwrap();
            assert_eq!(reply.text("/status"), "APPROVING", "{reply}");
        }
        drop(outage);
        for pending in &waiting {
            stage.check_confirmed(pending).await;
        }
        assert_eq!(stage.platform.dead_letters().await.unwrap(), 0);
    });
}

/// A-30 X-23
#[test]
fn a_30_a_key_stands_for_one_reservation() {
    on_each(async |stage| {
        let wish = stage.wish(0).await;
        let slow = json!({
            "operation": "reserve", "kind": "delay", "value": "300ms", "times": 1
        });
        stage.cms_fault(slow).await;
        let both = tokio::join!(
            stage.booker.reserve(&wish, Some("double")),
            stage.booker.reserve(&wish, Some("double"))
        );
        let both = [both.0.unwrap(), both.1.unwrap()];
        let statuses: Vec<_> = both.iter().map(|reply| reply.status.as_u16()).collect();
        assert!(statuses.contains(&201), "{both:?}");
        for reply in &both {
            let is_loser = reply.status == 409 && reply.code() == "RESERVATION_IN_PROGRESS";
            assert!(reply.status == 201 || is_loser, "{reply}");
        }
        let again = stage.booker.reserve(&wish, Some("double")).await.unwrap();
        assert_eq!(again.status, 201, "{again}");
        assert_eq!(stage.reservations().await.len(), 1);

        let other = stage.wish(1).await;
        let reused = stage.booker.reserve(&other, Some("double")).await.unwrap();
        assert_eq!((reused.status.as_u16(), reused.code()), (422, "IDEMPOTENCY_KEY_REUSED"));

        // nobody knows whether it is held, and the same key goes on.
        let lost = json!({ "operation": "reserve", "kind": "drop_after", "times": 2 });
        stage.cms_fault(lost).await;
        let first = stage.booker.reserve(&other, Some("lost")).await.unwrap();
        assert_eq!((first.status.as_u16(), first.code()), (503, "CMS_UNAVAILABLE"), "{first}");
        let second = stage.booker.reserve(&other, Some("lost")).await.unwrap();
        assert_eq!(second.status, 201, "{second}");
        assert_eq!(stage.reservations().await.len(), 2);
    });
}

/// X-01 X-30 X-31 RS-08: what the CMS refuses is refused, and nothing is left of it.
#[test]
fn x_01_x_30_x_31_a_room_that_cannot_be_had_is_refused() {
    on_each(async |stage| {
        let wish = stage.wish(0).await;
        for (value, status, code) in [
            ("409 ROOM_NOT_AVAILABLE", 409, "ROOM_NOT_AVAILABLE"),
            ("409 PRICE_CHANGED", 409, "PRICE_CHANGED"),
            ("404 ROOM_NOT_FOUND", 404, "ROOM_NOT_FOUND"),
        ] {
            stage.cms_fault(Stage::once("reserve", "status", value)).await;
            let reply = stage.booker.reserve(&wish, Some(code)).await.unwrap();
            assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{reply}");
            // The answer is kept under its key.
            let again = stage.booker.reserve(&wish, Some(code)).await.unwrap();
            assert_eq!((again.status.as_u16(), again.code()), (status, code), "{again}");
        }
        let failed = stage.reservations().await;
        assert_eq!(failed.len(), 3);
        for reservation in failed {
            let id = reservation["reservationId"].as_str().unwrap();
            assert_eq!(reservation["status"], "FAILED");
            assert_eq!(stage.payment_status(id).await, "");
            eventually("it is released", async || {
                (stage.cms_status(id).await == "CANCELLED").then_some(())
            })
            .await;
        }
        // the night is sold.
        let first = stage.booker.reserve(&wish, None).await.unwrap();
        assert_eq!(first.status, 201, "{first}");
        let second = stage.booker.as_member(43).reserve(&wish, None).await.unwrap();
        assert_eq!((second.status.as_u16(), second.code()), (409, "ROOM_NOT_AVAILABLE"));
    });
}

/// T04: payment is away while a reservation is made.
#[test]
fn t04_without_payment_nothing_is_held() {
    on_each(async |stage| {
        let wish = stage.wish(0).await;
        stage.platform.kill(Service::Payment).unwrap();
        let reply = stage.booker.reserve(&wish, Some("t04")).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.code()), (503, "PAYMENT_UNAVAILABLE"), "{reply}");
        let id = stage.reservations().await[0]["reservationId"].as_str().unwrap().to_owned();
        let shown = stage.wait_for(&id, "FAILED", "NONE").await;
        assert_eq!(shown.text("/failure/code"), "PAYMENT_CREATE_FAILED");
        eventually("it is released", async || {
            (stage.cms_status(&id).await == "CANCELLED").then_some(())
        })
        .await;
        stage.platform.start_service(Service::Payment, &[]).unwrap();
        let reply = stage.booker.reserve(&wish, Some("t04")).await.unwrap();
        assert_eq!(reply.status, 201, "{reply}");
    });
}

/// T07: nobody pays.
#[test]
fn t07_a_hold_runs_out() {
    on_each(async |stage| {
        let pending = stage.pending(0).await;
        stage.check_undone(&pending, "EXPIRED", "NONE").await;
        let key = stage.booker.check_out(&pending).await.unwrap();
        let reply = stage.booker.approve(&pending, &key).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.code()), (409, "HOLD_EXPIRED"), "{reply}");
    });
}

/// T31 T32: an operator gives up a booking that the CMS does not fix.
#[test]
fn t31_t32_an_operator_helps() {
    on_each(async |stage| {
        let silent = json!({ "operation": "approve", "kind": "status", "value": "503 BUSY" });
        stage.cms_fault(silent).await;
        let pending = stage.approved(0).await;
        let id = &pending.reservation_id;
        stage.wait_for(id, "CONFIRMING", "NONE").await;
        let post = async |target: &str, note: Option<Value>| {
            let target = format!("/internal/v1/reservations/{id}/{target}");
            stage.platform.ask(Service::Reservation, Method::POST, &target, note).await.unwrap()
        };
        let reply = post("steps/cms_approve/redrive", None).await;
        assert_eq!(reply.status, 202, "{reply}");
        let reply = post("steps/release_room/redrive", None).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (404, "STEP_NOT_FOUND"));
        let reply = post("compensate", Some(json!({ "note": "the lodging burnt down" }))).await;
        assert_eq!(reply.status, 202, "{reply}");
        stage.check_undone(&pending, "FAILED", "DONE").await;
        let shown = stage.booker.look(id).await.unwrap();
        assert_eq!(shown.text("/failure/code"), "OPERATOR", "{shown}");
        let history = stage.operations(id).await["history"].clone();
        let causes: Vec<_> = history
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["cause"].as_str().unwrap())
            .collect();
        assert!(causes.contains(&"T31") && causes.contains(&"T32"), "{causes:?}");
    });
}
