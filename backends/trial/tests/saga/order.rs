//! Messages and processes that come in another order than usual: too early, too late, side by side.

use std::collections::BTreeMap;

use messaging::payload::{PaymentCancelRequested, RefundReason};
use messaging::topic::Topic;
use reqwest::Method;
use serde_json::{Value, json};
use trial::booker::Pending;
use trial::platform::Service;
use uuid::Uuid;

use crate::stage::{Stage, eventually, on_each};

/// The messages of a topic by key, each once, in the order in which they were first published.
async fn told(stage: &Stage, topic: Topic) -> BTreeMap<String, Vec<Value>> {
    let records = stage.platform.records(topic.name(), topic.partitions()).await.unwrap();
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in records {
        let key = String::from_utf8(record.key.unwrap()).unwrap();
        let body: Value = serde_json::from_slice(&record.body).unwrap();
        let of_key = told.entry(key).or_default();
        if of_key.iter().all(|known| known["id"] != body["id"]) {
            of_key.push(body);
        }
    }
    told
}

/// How the confirm of a payment ended, as payment told it, again and again.
async fn results(stage: &Stage, pending: &Pending) -> Vec<String> {
    let mut told = told(stage, Topic::PaymentConfirmResponse).await;
    let told = told.remove(&pending.reservation_id).unwrap_or_default();
    told.iter().map(|body| body["payload"]["result"].as_str().unwrap().to_owned()).collect()
}

/// Takes the money although no reservation has asked for it.
async fn pay(stage: &Stage, pending: &Pending) {
    let key = stage.booker.check_out(pending).await.unwrap();
    let body = json!({
        "paymentKey": key, "orderId": pending.reservation_id, "amount": pending.amount
    });
    let paid =
        stage.platform.ask(Service::Payment, Method::POST, "/v1/payments/confirm", Some(body));
    let paid = paid.await.unwrap();
    assert_eq!(paid.status, 200, "{paid}");
}

/// Tells payment to return the money, as nobody has decided.
async fn ask_back(stage: &Stage, pending: &Pending) {
    let order_id: Uuid = pending.reservation_id.parse().unwrap();
    let command = PaymentCancelRequested {
        refund_id: Uuid::now_v7(),
        payment_id: pending.payment_id.parse().unwrap(),
        order_id,
        member_id: 42,
        cancel_amount: pending.amount,
        reason: "out of order".to_owned(),
        reason_code: RefundReason::Customer,
    };
    stage.say(&pending.reservation_id, &command).await;
}

/// what goes wrong with one message is tried again, handed over, and done in the end.
#[test]
fn x_15_one_message_in_trouble_is_never_put_aside() {
    on_each(async |stage| {
        let away = |operation: &str| json!({ "operation": operation, "kind": "status", "value": "503 AWAY", "times": 6 });
        stage.pg_fault(away("confirm")).await;
        stage.cms_fault(away("approve")).await;
        let pending = stage.approved(0).await;
        stage.check_confirmed(&pending).await;
        assert_eq!(results(stage, &pending).await, ["PENDING", "APPROVED"]);

        stage.pg_fault(away("cancel")).await;
        stage.booker.cancel(&pending.reservation_id).await.unwrap();
        stage.check_undone(&pending, "CANCELLED", "DONE").await;
        assert_eq!(stage.platform.dead_letters().await.unwrap(), 0);
    });
}

/// X-17 T09 T23: money that nobody has asked for books a room that is held, and goes back when the
/// room was given up.
#[test]
fn x_17_a_result_counts_by_the_state_it_meets() {
    on_each(async |stage| {
        let (kept, left) = (stage.pending(0).await, stage.pending(1).await);
        pay(stage, &kept).await;
        stage.check_confirmed(&kept).await;

        stage.booker.cancel(&left.reservation_id).await.unwrap();
        stage.wait_for(&left.reservation_id, "CANCELLED", "NONE").await;
        pay(stage, &left).await;
        stage.check_undone(&left, "CANCELLED", "DONE").await;
        assert_eq!(stage.money(&left.reservation_id).await, (left.amount, left.amount));
        assert_eq!(stage.platform.dead_letters().await.unwrap(), 0);
    });
}

/// X-17 T30: money comes before the reservation is made; it is kept until it is.
#[test]
fn x_17_a_result_waits_for_the_reservation_it_is_about() {
    on_each(async |stage| {
        stage.platform.kill(Service::Reservation).unwrap();
        let at = [("CRASH_AT", "reservation.create.after_payment")];
        stage.platform.start_service(Service::Reservation, &at).unwrap();
        let wish = stage.wish(0).await;
        stage.booker.reserve(&wish, Some("early")).await.unwrap_err();
        stage.platform.ended(Service::Reservation).unwrap();
        // Its answer is lost: only payment knows of it.
        let mut payments = told(stage, Topic::PaymentEvent).await;
        let (reservation_id, events) = payments.pop_first().unwrap();
        let payload = &events[0]["payload"];
        let early = Pending {
            reservation_id,
            payment_id: payload["paymentId"].as_str().unwrap().to_owned(),
            amount: payload["totalAmount"].as_i64().unwrap(),
        };
        pay(stage, &early).await;
        stage.platform.start_service(Service::Reservation, &[]).unwrap();
        eventually("the result is kept", async || {
            let seen = stage.operations(&early.reservation_id).await;
            let status = seen["reservation"]["status"].as_str()?.to_owned();
            let mut steps = seen["steps"].as_array()?.iter();
            assert_eq!(status, "REQUESTED", "{seen}");
            steps.any(|step| step["kind"] == "apply_result").then_some(())
        })
        .await;
        let made = eventually("the same key goes on", async || {
            stage.booker.reserve(&wish, Some("early")).await.ok()?.pending()
        });
        assert_eq!(made.await.reservation_id, early.reservation_id);
        stage.check_confirmed(&early).await;
    });
}

/// nobody knows whom it is about.
#[test]
fn x_17_a_result_for_nobody_is_told_to_operators() {
    on_each(async |stage| {
        let pending = stage.approved(0).await;
        stage.check_confirmed(&pending).await;
        let topic = Topic::PaymentConfirmResponse;
        let mut records = stage.platform.records(topic.name(), topic.partitions()).await.unwrap();
        let mut record = records.pop().unwrap();
        let nobody = Uuid::now_v7().to_string();
        let text = String::from_utf8(record.body).unwrap();
        let mut body: Value =
            serde_json::from_str(&text.replace(&pending.reservation_id, &nobody)).unwrap();
        body["id"] = json!(Uuid::now_v7());
        record.body = body.to_string().into_bytes();
        record.key = Some(nobody.clone().into_bytes());
        stage.platform.broker().await.unwrap().publish(vec![record]).await.unwrap();
        let target = "/internal/v1/reservations?attention=true";
        let listed = eventually("it is on the list", async || {
            let reply = stage.platform.ask(Service::Reservation, Method::GET, target, None).await;
            reply.ok()?.payload().as_array()?.first().cloned()
        })
        .await;
        assert_eq!(listed["reservationId"], nobody, "{listed}");
        assert_eq!(listed["kind"], "UNKNOWN_RESERVATION", "{listed}");
        assert_eq!(stage.platform.dead_letters().await.unwrap(), 0);
    });
}

/// the money is asked back before it is asked for, and while it is being taken.
#[test]
fn x_20_a_cancel_overtakes_its_confirm() {
    on_each(async |stage| {
        let (early, amid) = (stage.pending(0).await, stage.pending(1).await);
        ask_back(stage, &early).await;
        eventually("no money will be taken", async || {
            (stage.payment_status(&early.reservation_id).await == "ABORTED").then_some(())
        })
        .await;
        stage.approve(&early).await;
        stage.check_undone(&early, "FAILED", "NONE").await;
        assert_eq!(stage.money(&early.reservation_id).await, (0, 0));

        stage.pg_fault(Stage::once("confirm", "delay", "700ms")).await;
        stage.approve(&amid).await;
        stage.asked_for_money(1).await;
        ask_back(stage, &amid).await;
        stage.check_undone(&amid, "CANCELLED", "DONE").await;
        assert_eq!(stage.money(&amid.reservation_id).await, (amid.amount, amid.amount));
    });
}

/// the partitions move while money is taken, first to a process that joins, then from one that
/// is gone.
#[test]
fn x_32_partitions_move_while_money_is_taken() {
    on_each(async |stage| {
        let slow = json!({ "operation": "confirm", "kind": "delay", "value": "500ms" });
        stage.pg_fault(slow).await;
        let mut waiting = Vec::new();
        for number in 0..8 {
            waiting.push(stage.approved(number).await);
        }
        stage.asked_for_money(1).await;
        stage.platform.start_another(Service::Payment).unwrap();
        stage.asked_for_money(3).await;
        stage.platform.kill(Service::Payment).unwrap();
        stage.platform.start_service(Service::Payment, &[]).unwrap();
        for pending in &waiting {
            stage.check_confirmed(pending).await;
        }
        assert_eq!(stage.platform.dead_letters().await.unwrap(), 0);
    });
}

/// a consumer stands still with a message in its hands, and goes on when another one has long
/// dealt with it.
#[test]
fn x_33_a_consumer_comes_back_from_the_dead() {
    on_each(async |stage| {
        stage.pg_fault(Stage::once("confirm", "delay_after", "700ms")).await;
        let pending = stage.approved(0).await;
        stage.asked_for_money(1).await;
        stage.platform.signal(Service::Payment, "STOP").unwrap();
        stage.platform.start_another(Service::Payment).unwrap();
        stage.wait_for(&pending.reservation_id, "CONFIRMED", "NONE").await;
        stage.platform.signal(Service::Payment, "CONT").unwrap();
        stage.check_confirmed(&pending).await;
        // Both are of use.
        for number in 1..6 {
            let pending = stage.approved(number).await;
            stage.check_confirmed(&pending).await;
        }
        stage.check_confirmed(&pending).await;
        let history = stage.operations(&pending.reservation_id).await["history"].clone();
        let entries = history.as_array().unwrap().iter();
        assert_eq!(entries.filter(|entry| entry["cause"] == "T09").count(), 1, "{history}");
    });
}

/// the clock of the CMS is wrong by less than the margin.
#[test]
fn x_34_clocks_that_differ_by_less_than_the_margin_do_no_harm() {
    on_each(async |stage| {
        let margin = [
            ("TIMING_SKEW_MARGIN", "1500ms"),
            ("TIMING_APPROVE_LEAD", "2s"),
            ("TIMING_HOLD", "8s"),
        ];
        stage.platform.kill(Service::Reservation).unwrap();
        stage.platform.start_service(Service::Reservation, &margin).unwrap();
        let mut left = Vec::new();
        for (number, seconds) in [(0, 1), (2, -1)] {
            let clock = Some(json!({ "seconds": seconds }));
            let set = stage.platform.ask_cms_admin(Method::POST, "/admin/clock", clock).await;
            assert_eq!(set.unwrap().status, 204);
            let pending = stage.approved(number).await;
            stage.check_confirmed(&pending).await;
            left.push(stage.pending(number + 1).await);
        }
        // Nobody pays: it is given up when no clock says that it is held.
        for pending in &left {
            stage.check_undone(pending, "EXPIRED", "NONE").await;
        }
    });
}

/// two processes of a service, each with a relay, on one outbox.
#[test]
fn x_38_two_relays_keep_each_story_in_order() {
    on_each(async |stage| {
        for service in [Service::Reservation, Service::Payment] {
            stage.platform.start_another(service).unwrap();
        }
        let mut undone = Vec::new();
        for number in 0..4 {
            let pending = stage.approved(number).await;
            stage.check_confirmed(&pending).await;
            stage.booker.cancel(&pending.reservation_id).await.unwrap();
            undone.push(pending);
            if number == 1 {
                // Whichever holds the lease: half of what follows has another relay.
                stage.platform.kill(Service::Reservation).unwrap();
                stage.platform.start_service(Service::Reservation, &[]).unwrap();
            }
        }
        for pending in &undone {
            stage.check_undone(pending, "CANCELLED", "DONE").await;
        }
        for (topic, expected) in [
            (Topic::PaymentEvent, &["PaymentCreated", "PaymentApproved", "PaymentCancelled"][..]),
            (
                Topic::ReservationEvent,
                &[
                    "ReservationRequested",
                    "ReservationCreated",
                    "ReservationApproved",
                    "ReservationConfirmed",
                    "ReservationCancellationRequested",
                    "ReservationCancelled",
                ][..],
            ),
        ] {
            eventually("every story is told to its end", async || {
                let told = told(stage, topic).await;
                (told.values().map(Vec::len).sum::<usize>() == 4 * expected.len()).then_some(())
            })
            .await;
            for (key, story) in told(stage, topic).await {
                let kinds: Vec<_> = story.iter().map(|body| body["type"].clone()).collect();
                assert_eq!(kinds, expected, "{key}");
            }
        }
    });
}
