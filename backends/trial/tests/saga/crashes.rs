//! Processes that end as by `kill -9` at each point of 9.7, and start again.

use serde_json::json;
use trial::booker::{Pending, Reply};
use trial::platform::Service;

use crate::stage::{Stage, eventually, on_each};

/// Lets a service run into a crash point, the `passage`-th time it comes by.
fn arm(stage: &Stage, service: Service, point: &str, passage: usize) {
    stage.platform.kill(service).unwrap();
    let at = format!("{point}:{passage}");
    stage.platform.start_service(service, &[("CRASH_AT", &at)]).unwrap();
}

/// Waits until a service has run into its crash point, and starts it again.
fn restart(stage: &Stage, service: Service, point: &str) {
    // Nothing else ends it, and it says nothing when it dies.
    stage.platform.ended(service).unwrap_or_else(|error| panic!("{point}: {error}"));
    stage.platform.start_service(service, &[]).unwrap();
}

/// An approve of which the answer may be lost.
async fn approve_somehow(stage: &Stage, pending: &Pending) {
    let key = stage.booker.check_out(pending).await.unwrap();
    if let Ok(reply) = stage.booker.approve(pending, &key).await {
        assert_eq!(reply.status, 202, "{reply}");
    }
}

async fn cancel_somehow(stage: &Stage, id: &str) {
    if let Ok(reply) = stage.booker.cancel(id).await {
        assert_eq!(reply.status, 202, "{reply}");
    }
}

/// A-09 X-08 X-09 X-10 KF-08
#[test]
fn a_09_reservation_dies_on_the_way_to_a_booking() {
    on_each(async |stage| {
        for (number, (point, passage)) in [
            ("reservation.approve.before_publish", 1),
            ("reservation.result.after_inbox", 1),
            ("reservation.result.before_publish", 1),
            ("reservation.result.before_steps", 1),
            ("reservation.step.before_call", 1),
            ("reservation.step.before_call", 2),
            ("reservation.step.after_call", 1),
            ("reservation.step.after_call", 2),
            ("reservation.step.between", 1),
            ("reservation.result.before_offset", 1),
            ("relay.after_publish", 1),
            ("relay.after_publish", 2),
        ]
        .into_iter()
        .enumerate()
        {
            arm(stage, Service::Reservation, point, passage);
            let (pending, has_died) = pending_somehow(stage, number, point).await;
            let key = stage.booker.check_out(&pending).await.unwrap();
            let first = stage.booker.approve(&pending, &key).await;
            if !has_died {
                restart(stage, Service::Reservation, point);
            }
            // An approve whose answer was lost may be sent again.
            if first.is_err() {
                let reply = stage.booker.approve(&pending, &key).await.unwrap();
                assert_eq!(reply.status, 202, "{reply}");
            }
            stage.check_confirmed(&pending).await;
        }
    });
}

/// A reservation, although the process may die while it is made; whether it has.
async fn pending_somehow(stage: &Stage, number: usize, point: &str) -> (Pending, bool) {
    let wish = stage.wish(number).await;
    let key = format!("{point}-{number}");
    let first = stage.booker.reserve(&wish, Some(&key)).await;
    if let Some(pending) = first.ok().as_ref().and_then(Reply::pending) {
        return (pending, false);
    }
    restart(stage, Service::Reservation, point);
    let pending = eventually("the same key goes on", async || {
        stage.booker.reserve(&wish, Some(&key)).await.ok()?.pending()
    });
    (pending.await, true)
}

/// the same `Idempotency-Key` goes on where the process has died.
#[test]
fn a_09_a_create_is_continued_by_its_key() {
    on_each(async |stage| {
        for (number, point) in [
            "reservation.create.before_hold",
            "reservation.create.after_hold",
            "reservation.create.after_payment",
            "reservation.create.before_answer",
        ]
        .into_iter()
        .enumerate()
        {
            arm(stage, Service::Reservation, point, 1);
            let (pending, has_died) = pending_somehow(stage, number, point).await;
            assert!(has_died, "{point}");
            assert_eq!(stage.cms_status(&pending.reservation_id).await, "HELD");
            stage.approve(&pending).await;
            stage.check_confirmed(&pending).await;
        }
    });
}

/// A-09 X-02: nobody comes back for what was being made.
#[test]
fn a_09_a_create_that_nobody_continues_is_released() {
    on_each(async |stage| {
        for (number, point) in [
            "reservation.create.before_hold",
            "reservation.create.after_hold",
            "reservation.create.after_payment",
        ]
        .into_iter()
        .enumerate()
        {
            arm(stage, Service::Reservation, point, 1);
            let wish = stage.wish(number).await;
            let key = format!("left-{number}");
            stage.booker.reserve(&wish, Some(&key)).await.unwrap_err();
            restart(stage, Service::Reservation, point);
            let list = stage.reservations().await;
            let id = list[0]["reservationId"].as_str().unwrap().to_owned();
            let reply = stage.wait_for(&id, "FAILED", "NONE").await;
            assert_eq!(reply.text("/failure/code"), "CREATE_TIMEOUT", "{reply}");
            eventually("no night is held", async || {
                (stage.cms_status(&id).await == "CANCELLED").then_some(())
            })
            .await;
            assert_eq!(stage.money(&id).await, (0, 0));
            // its key is free for another reservation.
            let reply = stage.booker.reserve(&wish, Some(&key)).await.unwrap();
            assert_eq!(reply.status, 201, "{reply}");
            assert_ne!(reply.pending().unwrap().reservation_id, id);
        }
    });
}

///
#[test]
fn a_09_reservation_dies_while_it_cancels() {
    on_each(async |stage| {
        for (number, point) in [
            "reservation.cancel.before_step",
            "reservation.step.before_call",
            "reservation.step.after_call",
            "reservation.released.before_publish",
        ]
        .into_iter()
        .enumerate()
        {
            let pending = stage.approved(number).await;
            stage.check_confirmed(&pending).await;
            arm(stage, Service::Reservation, point, 1);
            cancel_somehow(stage, &pending.reservation_id).await;
            restart(stage, Service::Reservation, point);
            stage.check_undone(&pending, "CANCELLED", "DONE").await;
            assert_eq!(stage.money(&pending.reservation_id).await.0, pending.amount);
        }
    });
}

/// A-09 A-05: it dies while it takes a paid stay back.
#[test]
fn a_09_reservation_dies_while_it_compensates() {
    on_each(async |stage| {
        for (number, point) in
            ["reservation.compensate.before_publish", "reservation.released.before_publish"]
                .into_iter()
                .enumerate()
        {
            stage.cms_fault(Stage::once("approve", "status", "409 HOLD_EXPIRED")).await;
            arm(stage, Service::Reservation, point, 1);
            let pending = stage.pending(number).await;
            approve_somehow(stage, &pending).await;
            restart(stage, Service::Reservation, point);
            stage.check_undone(&pending, "FAILED", "DONE").await;
            assert_eq!(stage.money(&pending.reservation_id).await.0, pending.amount);
        }
    });
}

/// A-08 X-11 X-12
#[test]
fn a_08_payment_dies_while_it_takes_money() {
    on_each(async |stage| {
        for (number, point) in [
            "payment.create.before_answer",
            "payment.confirm.after_inbox",
            "payment.confirm.before_pg",
            "payment.confirm.after_pg",
            "payment.confirm.before_publish",
            "payment.confirm.before_offset",
        ]
        .into_iter()
        .enumerate()
        {
            let is_create = point == "payment.create.before_answer";
            let wish = stage.wish(number).await;
            if is_create {
                arm(stage, Service::Payment, point, 1);
                // The order is known, and the call is made twice.
                let first = stage.booker.reserve(&wish, None).await.unwrap();
                restart(stage, Service::Payment, point);
                assert!(matches!(first.status.as_u16(), 201 | 503), "{first}");
            }
            let reply = stage.booker.reserve(&wish, None).await.unwrap();
            let reply =
                if reply.status == 409 { again(stage, &reply, number).await } else { reply };
            let pending = reply.pending().unwrap_or_else(|| panic!("{reply}"));
            if !is_create {
                arm(stage, Service::Payment, point, 1);
            }
            approve_somehow(stage, &pending).await;
            if !is_create {
                restart(stage, Service::Payment, point);
            }
            stage.check_confirmed(&pending).await;
        }
    });
}

/// Another room, as the one that was wanted is held by a create that went wrong.
async fn again(stage: &Stage, reply: &Reply, number: usize) -> Reply {
    assert_eq!(reply.code(), "ROOM_NOT_AVAILABLE", "{reply}");
    let wish = stage.wish(number + 30).await;
    stage.booker.reserve(&wish, None).await.unwrap()
}

///
#[test]
fn a_08_payment_dies_while_it_returns_money() {
    on_each(async |stage| {
        for (number, point) in [
            "payment.refund.before_pg",
            "payment.refund.after_pg",
            "payment.refund.before_publish",
            "payment.refund.before_offset",
        ]
        .into_iter()
        .enumerate()
        {
            let pending = stage.approved(number).await;
            stage.check_confirmed(&pending).await;
            arm(stage, Service::Payment, point, 1);
            cancel_somehow(stage, &pending.reservation_id).await;
            restart(stage, Service::Payment, point);
            stage.check_undone(&pending, "CANCELLED", "DONE").await;
            assert_eq!(stage.money(&pending.reservation_id).await.0, pending.amount);
        }
    });
}

/// A-08 A-09: those that stand in for others die after they have done what they were asked for.
#[test]
fn a_08_a_09_a_stand_in_dies_before_it_answers() {
    on_each(async |stage| {
        let pending = stage.pending(0).await;
        arm(stage, Service::Pg, "pg.confirm.after_charge", 1);
        approve_somehow(stage, &pending).await;
        restart(stage, Service::Pg, "pg.confirm.after_charge");
        stage.check_confirmed(&pending).await;

        arm(stage, Service::Pg, "pg.cancel.after_refund", 1);
        cancel_somehow(stage, &pending.reservation_id).await;
        restart(stage, Service::Pg, "pg.cancel.after_refund");
        stage.check_undone(&pending, "CANCELLED", "DONE").await;

        // The hold, the approval, the payment and the cancel, each with the answer lost.
        for passage in 1..=4 {
            arm(stage, Service::Cms, "cms.call.before_answer", passage);
            let wish = stage.wish(passage).await;
            let key = format!("cms-{passage}");
            let first = stage.booker.reserve(&wish, Some(&key)).await.unwrap();
            if passage == 1 {
                restart(stage, Service::Cms, "cms.call.before_answer");
            }
            let pending = match first.pending() {
                Some(pending) => pending,
                None => {
                    eventually("the same key goes on", async || {
                        stage.booker.reserve(&wish, Some(&key)).await.ok()?.pending()
                    })
                    .await
                }
            };
            approve_somehow(stage, &pending).await;
            if matches!(passage, 2 | 3) {
                restart(stage, Service::Cms, "cms.call.before_answer");
            }
            if passage == 4 {
                // A look at the CMS would be a passage, too.
                stage.wait_for(&pending.reservation_id, "CONFIRMED", "NONE").await;
            } else {
                stage.check_confirmed(&pending).await;
            }
            cancel_somehow(stage, &pending.reservation_id).await;
            if passage == 4 {
                restart(stage, Service::Cms, "cms.call.before_answer");
            }
            stage.check_undone(&pending, "CANCELLED", "DONE").await;
        }
    });
}

/// whoever stalls in the middle of a step is overtaken, and its late word is refused.
#[test]
fn x_37_a_process_that_stalls_is_overtaken() {
    on_each(async |stage| {
        let slow = json!({
            "operation": "approve", "kind": "delay_after", "value": "300ms", "times": 1
        });
        stage.cms_fault(slow).await;
        let pending = stage.approved(0).await;
        eventually("the step has begun", async || {
            let seen = stage.operations(&pending.reservation_id).await;
            let steps = seen["steps"].as_array()?.clone();
            steps.iter().any(|step| step["attempts"].as_i64() > Some(0)).then_some(())
        })
        .await;
        stage.platform.signal(Service::Reservation, "STOP").unwrap();
        stage.platform.start_another(Service::Reservation).unwrap();
        let seen = eventually("the other process goes on", async || {
            (stage.cms_status(&pending.reservation_id).await == "PAID").then_some(())
        });
        seen.await;
        stage.platform.signal(Service::Reservation, "CONT").unwrap();
        stage.check_confirmed(&pending).await;
        let history = stage.operations(&pending.reservation_id).await["history"].clone();
        let confirmed = history.as_array().unwrap().iter();
        assert_eq!(confirmed.filter(|entry| entry["cause"] == "T15").count(), 1, "{history}");
    });
}
