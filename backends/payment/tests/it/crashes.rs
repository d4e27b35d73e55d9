//! the process dies at each of its points, and the next one goes on: one charge, one refund,
//! and the results of an undisturbed run.

use messaging::topic::Topic;
use serde_json::json;
use service::testing::Process;
use uuid::Uuid;

use crate::fake_pg::Operation;
use crate::town::{TOTAL, Town};

const CONFIRMED: &str = "APPROVED PAYMENT_CONFIRMED";
const RETURNED: &str = "CANCELLED PAYMENT_CANCELLED";

/// Lets the process die at a point of a confirm.
fn confirm_dies_at(point: &str) {
    let town = Town::new();
    let process = town.serving(&[("CRASH_AT", point)]);
    let order = town.order(&process);
    town.send(&order, &Town::confirm(&order));
    let log = process.ended().unwrap();
    assert!(!log.contains("\"message\":\"stopped\""), "{log}");

    let process = town.serving(&[]);
    let results = town.wait_for_result(Topic::PaymentConfirmResponse, &order, CONFIRMED);
    let finals = results.iter().filter(|result| !result.starts_with("PENDING"));
    assert_eq!(finals.count(), 1, "{results:?}");
    assert_eq!(town.payment(&process, &order)["status"], "DONE");
    assert_eq!(town.pg.order(&order.id.to_string()).charges, 1);
    town.wait_for_group(&[&process], Topic::PaymentConfirmRequest, "payment.confirm");
    let events = town.messages(Topic::PaymentEvent, &order);
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["PaymentCreated", "PaymentApproved"]);
}

///
#[test]
fn a_08_x_10_the_command_was_read() {
    confirm_dies_at("payment.confirm.after_inbox");
}

#[test]
fn a_08_x_11_the_confirm_was_begun_and_not_sent() {
    confirm_dies_at("payment.confirm.before_pg");
}

#[test]
fn a_08_x_12_the_money_was_taken_and_not_written_down() {
    confirm_dies_at("payment.confirm.after_pg");
}

/// KF-04
#[test]
fn a_08_x_08_kf_04_the_result_was_written_and_not_published() {
    confirm_dies_at("payment.confirm.before_publish");
}

/// KF-09
#[test]
fn a_08_x_10_kf_09_the_result_was_published_and_the_offset_not_committed() {
    confirm_dies_at("payment.confirm.before_offset");
}

#[test]
fn a_08_x_09_the_result_was_published_and_not_marked() {
    // The first passage publishes PaymentCreated.
    confirm_dies_at("relay.after_publish:2");
}

/// PY-01
#[test]
fn a_08_py_01_a_payment_was_made_and_nobody_was_told() {
    let town = Town::new();
    let process = town.serving(&[("CRASH_AT", "payment.create.before_answer")]);
    let order_id = Uuid::now_v7();
    let lost = town.try_ask(&process, "POST", "/v1/payments", &Town::wish(order_id));
    assert!(lost.is_none_or(|answer| answer.text.is_empty()));
    process.ended().unwrap();
    let process = town.serving(&[]);
    let again = town.ask(&process, "POST", "/v1/payments", &Town::wish(order_id));
    assert_eq!(again.status, 200, "{}", again.text);
}

/// Lets the process die at a point of a refund.
fn refund_dies_at(point: &str) {
    let town = Town::new();
    let process = town.serving(&[("CRASH_AT", point)]);
    let order = town.order(&process);
    town.send(&order, &Town::confirm(&order));
    town.wait_for_status(&process, &order, "DONE");
    town.send(&order, &Town::cancel(&order, Uuid::now_v7()));
    process.ended().unwrap();

    let process = town.serving(&[]);
    let results = town.wait_for_result(Topic::PaymentCancelResponse, &order, RETURNED);
    let finals = results.iter().filter(|result| !result.starts_with("PENDING"));
    assert_eq!(finals.count(), 1, "{results:?}");
    check_returned(&town, &process, &order);
    town.wait_for_group(&[&process], Topic::PaymentCancelRequest, "payment.cancel");
}

/// The ledger says charge − refunds = 0, and so does the payment.
fn check_returned(town: &Town, process: &Process, order: &crate::town::Order) {
    let ledger = town.pg.order(&order.id.to_string());
    assert_eq!((ledger.charges, ledger.cancels.len(), ledger.balance), (1, 1, 0));
    let payment = town.payment(process, order);
    assert_eq!(payment["status"], "CANCELED");
    assert_eq!(payment["cancels"].as_array().unwrap().len(), 1);
    assert_eq!(payment["cancels"][0]["cancelAmount"], TOTAL);
}

#[test]
fn a_08_rf6_the_refund_was_written_and_not_sent() {
    refund_dies_at("payment.refund.before_pg");
}

#[test]
fn a_08_rf6_the_money_was_returned_and_not_written_down() {
    refund_dies_at("payment.refund.after_pg");
}

#[test]
fn a_08_the_refund_was_done_and_not_published() {
    refund_dies_at("payment.refund.before_publish");
}

#[test]
fn a_08_the_refund_was_published_and_the_offset_not_committed() {
    refund_dies_at("payment.refund.before_offset");
}

///
#[test]
fn a_08_x_36_an_announcement_was_kept_and_not_followed() {
    let town = Town::new();
    let process = town.serving(&[("CRASH_AT", "payment.webhook.before_query")]);
    let order = town.order(&process);
    town.send(&order, &Town::confirm(&order));
    town.wait_for_status(&process, &order, "DONE");
    town.pg.edit(&order.id.to_string(), |order| order.give_back(TOTAL));
    let event = json!({
        "eventType": "PAYMENT_STATUS_CHANGED",
        "data": { "orderId": order.id, "status": "CANCELED" }
    });
    assert_eq!(town.announce(&process, &event).status, 200);
    process.ended().unwrap();

    let process = town.serving(&[]);
    town.wait_for_status(&process, &order, "CANCELED");
    town.wait_for_result(Topic::PaymentCancelResponse, &order, RETURNED);
    check_returned(&town, &process, &order);
    assert_eq!(town.pg.calls(Operation::Cancel).len(), 0, "nobody asked for it here");
}
