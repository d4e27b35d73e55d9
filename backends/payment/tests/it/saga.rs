//! The rows of the tables through the running service, and what goes wrong on the way.

use std::time::Duration;

use messaging::payload::PaymentConfirmRequested;
use messaging::topic::Topic;
use serde_json::{Value, json};
use service::testing::Process;
use uuid::Uuid;

use crate::fake_pg::{Fault, Operation};
use crate::town::{Order, TOTAL, Town, wait_until};

const CONFIRMED: &str = "APPROVED PAYMENT_CONFIRMED";
const RETURNED: &str = "CANCELLED PAYMENT_CANCELLED";
const NOTHING: &str = "NOTHING_TO_REFUND NOTHING_TO_REFUND";
const CONFIRM: Topic = Topic::PaymentConfirmResponse;
const CANCEL: Topic = Topic::PaymentCancelResponse;

fn charges(town: &Town, order: &Order) -> usize {
    town.pg.order(&order.id.to_string()).charges
}

/// A payment that is done.
fn done(town: &Town, process: &Process) -> Order {
    let order = town.order(process);
    town.send(&order, &Town::confirm(&order));
    town.wait_for_result(CONFIRM, &order, CONFIRMED);
    order
}

fn refund(town: &Town, process: &Process, refund_id: Uuid) -> Value {
    let target = format!("/internal/v1/refunds/{refund_id}");
    town.ask(process, "GET", &target, "").json["payload"].clone()
}

/// PY-02, PY-03, PY-05, PY-06, KF-02, KF-03, KF-10
#[test]
fn py_02_py_03_kf_02_kf_03_kf_10_money_is_taken_and_returned_once() {
    take_and_return(&Town::new());
}

fn take_and_return(town: &Town) {
    let process = town.serving(&[]);
    let order = town.order(&process);
    let command = town.send(&order, &Town::confirm(&order));
    town.wait_for_result(CONFIRM, &order, CONFIRMED);
    let [result] = town.messages(CONFIRM, &order).try_into().unwrap();
    assert_eq!(result.causation_id, Some(command.to_string()));
    let payload = &result.payload;
    assert_eq!((&payload["status"], &payload["value"]), (&json!("OK"), &json!(200)));
    assert_eq!(
        (&payload["paymentKey"], &payload["totalAmount"]),
        (&json!(order.key), &json!(TOTAL))
    );
    let payment = town.payment(&process, &order);
    assert_eq!((&payment["status"], &payment["method"]), (&json!("DONE"), &json!("카드")));
    assert_eq!(payment["approvedAt"], "2026-11-01T09:00:00.000+09:00");
    assert_eq!(payment["card"]["issuerCode"], "61");
    let [confirm] = town.pg.calls(Operation::Confirm).try_into().unwrap();
    assert_eq!(confirm.key, Some(format!("confirm:{}", order.payment_id)));

    let refund_id = Uuid::now_v7();
    town.send(&order, &Town::cancel(&order, refund_id));
    town.wait_for_result(CANCEL, &order, RETURNED);
    let [cancel] = town.pg.calls(Operation::Cancel).try_into().unwrap();
    assert_eq!(cancel.key, Some(format!("cancel:{refund_id}:1")));
    let payment = town.payment(&process, &order);
    assert_eq!((&payment["status"], &payment["balanceAmount"]), (&json!("CANCELED"), &json!(0)));
    assert_eq!(payment["cancels"][0]["refundId"], refund_id.to_string());
    assert_eq!(refund(town, &process, refund_id)["status"], "DONE");
    process.signal("TERM").unwrap();
    assert_eq!(process.exit_code().unwrap(), Some(0));
}

/// X-03, Y04, Y13, RF3
#[test]
fn x_03_y04_a_refusal_is_told_and_nothing_is_returned() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = town.order(&process);
    town.pg.fail(Operation::Confirm, Fault::Code(403, "REJECT_CARD_PAYMENT"));
    town.send(&order, &Town::confirm(&order));
    town.wait_for_result(CONFIRM, &order, "REJECTED REJECT_CARD_PAYMENT");
    let payment = town.payment(&process, &order);
    assert_eq!(payment["status"], "ABORTED");
    assert_eq!(payment["failure"]["code"], "REJECT_CARD_PAYMENT");
    town.send(&order, &Town::cancel(&order, Uuid::now_v7()));
    town.wait_for_result(CANCEL, &order, NOTHING);
    assert_eq!((charges(&town, &order), town.pg.calls(Operation::Cancel).len()), (0, 0));
}

/// X-04, Y05, Y06: whatever is lost, one charge, and no refusal.
#[test]
fn x_04_y05_y06_a_confirm_in_doubt_ends_as_the_payment_gateway_says() {
    confirm_in_doubt(&Town::new());
}

fn confirm_in_doubt(town: &Town) {
    let process = town.serving(&[]);
    for fault in [
        Fault::DropAfter,
        Fault::DropBefore,
        Fault::Garbage,
        Fault::Code(500, "COMMON_ERROR"),
        Fault::Code(400, "ALREADY_PROCESSED_PAYMENT"),
        Fault::Code(400, "CARD_PROCESSING_ERROR"),
    ] {
        let order = town.order(&process);
        town.pg.fail(Operation::Confirm, fault);
        town.send(&order, &Town::confirm(&order));
        let results = town.wait_for_result(CONFIRM, &order, CONFIRMED);
        let expected = ["PENDING PAYMENT_CONFIRM_PENDING", CONFIRMED];
        assert_eq!(results, expected, "{fault:?}");
        assert_eq!(charges(town, &order), 1, "{fault:?}");
    }
}

/// 7.6: tried again in place, with the same key.
#[test]
fn x_15_what_is_busy_is_asked_again_at_once() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = town.order(&process);
    town.pg.fail(Operation::Confirm, Fault::Code(409, "IDEMPOTENT_REQUEST_PROCESSING"));
    town.pg.fail(Operation::Confirm, Fault::Code(400, "PROVIDER_ERROR"));
    town.send(&order, &Town::confirm(&order));
    assert_eq!(town.wait_for_result(CONFIRM, &order, CONFIRMED), [CONFIRMED]);
    assert_eq!((charges(&town, &order), town.pg.calls(Operation::Confirm).len()), (1, 3));
}

/// X-04, Y06b: "not yet" is believed only when the session is over.
#[test]
fn y06b_what_is_in_doubt_is_not_given_up_early() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = town.order(&process);
    // Before approveBy is over nothing else can be sent.
    let confirm = PaymentConfirmRequested {
        approve_by: jiff::Timestamp::now() + Duration::from_secs(1),
        ..Town::confirm(&order)
    };
    town.pg.fail(Operation::Confirm, Fault::DropBefore);
    let silence = (0..100).map(|_| Fault::Code(500, "COMMON_ERROR"));
    silence.for_each(|fault| town.pg.fail(Operation::Confirm, fault));
    let began = jiff::Timestamp::now();
    town.send(&order, &confirm);
    town.wait_for_result(CONFIRM, &order, "REJECTED CONFIRM_NOT_DONE");
    let took = jiff::Timestamp::now().duration_since(began);
    assert!(took >= jiff::SignedDuration::from_secs(10), "{took} is within safe_abort_wait");
    assert_eq!(
        (charges(&town, &order), town.payment(&process, &order)["status"].clone()),
        (0, json!("ABORTED"))
    );
}

/// X-25, A-14
#[test]
fn x_25_y07_after_the_deadline_the_payment_gateway_is_not_called() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = town.order(&process);
    let late = PaymentConfirmRequested {
        approve_by: jiff::Timestamp::now() - Duration::from_secs(1),
        ..Town::confirm(&order)
    };
    town.send(&order, &late);
    town.wait_for_result(CONFIRM, &order, "REJECTED APPROVAL_DEADLINE_PASSED");
    assert_eq!(town.pg.calls(Operation::Confirm).len(), 0);
}

/// A-25
#[test]
fn y02b_y16_amounts_and_keys_of_others_are_refused() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = town.order(&process);
    let other = PaymentConfirmRequested { total_amount: TOTAL + 1, ..Town::confirm(&order) };
    town.send(&order, &other);
    town.wait_for_result(CONFIRM, &order, "REJECTED AMOUNT_MISMATCH");

    let (first, second) = (done(&town, &process), town.order(&process));
    let foreign = PaymentConfirmRequested { payment_key: first.key, ..Town::confirm(&second) };
    town.send(&second, &foreign);
    town.wait_for_result(CONFIRM, &second, "REJECTED PAYMENT_KEY_MISMATCH");
    // For that command only.
    town.send(&second, &Town::confirm(&second));
    town.wait_for_result(CONFIRM, &second, CONFIRMED);
}

/// A command for a payment that does not exist, or is another member's, is answered.
#[test]
fn an_unknown_payment_is_refused_without_a_row() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = town.order(&process);
    let nobody = PaymentConfirmRequested { payment_id: Uuid::now_v7(), ..Town::confirm(&order) };
    town.send(&order, &nobody);
    town.wait_for_result(CONFIRM, &order, "REJECTED NOT_FOUND_PAYMENT");
    let mut cancel = Town::cancel(&order, Uuid::now_v7());
    cancel.member_id += 1;
    town.send(&order, &cancel);
    town.wait_for_result(CANCEL, &order, "REJECTED NOT_FOUND_PAYMENT");
    assert_eq!(town.payment(&process, &order)["status"], "READY");
}

/// X-20, Y08, Y15b: the cancel comes first.
#[test]
fn x_20_y08_a_cancel_that_overtakes_the_confirm_keeps_it_from_charging() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = town.order(&process);
    town.send(&order, &Town::cancel(&order, Uuid::now_v7()));
    town.wait_for_result(CANCEL, &order, NOTHING);
    town.send(&order, &Town::confirm(&order));
    town.wait_for_result(CONFIRM, &order, "REJECTED CANCELLED_BEFORE_CONFIRM");
    assert_eq!(charges(&town, &order), 0);
}

/// X-20, Y10, RF2: the cancel comes while the money is taken.
#[test]
fn x_20_y10_rf2_a_cancel_during_the_confirm_returns_the_money_after_it() {
    cancel_during_confirm(&Town::new());
}

fn cancel_during_confirm(town: &Town) {
    let process = town.serving(&[("TIMING_PG_TIMEOUT", "1900ms")]);
    let order = town.order(&process);
    town.pg.fail(Operation::Confirm, Fault::Hold);
    town.send(&order, &Town::confirm(&order));
    wait_until("the charge", || charges(town, &order) == 1);
    town.send(&order, &Town::cancel(&order, Uuid::now_v7()));
    town.wait_for_result(CANCEL, &order, "PENDING PAYMENT_CANCEL_PENDING");
    town.pg.let_go();
    town.wait_for_result(CANCEL, &order, RETURNED);
    town.wait_for_result(CONFIRM, &order, CONFIRMED);
    assert_eq!(town.pg.order(&order.id.to_string()).balance, 0);
}

/// X-13, Y15, RF10, A-10: the same message has one effect, the same command one answer more.
#[test]
fn x_13_y15_rf10_repeats_change_nothing() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = town.order(&process);
    let (id, confirm) = (Uuid::now_v7(), Town::confirm(&order));
    town.send_as(id, &order, &confirm);
    town.wait_for_result(CONFIRM, &order, CONFIRMED);
    town.send_as(id, &order, &confirm);
    town.wait_for_group(&[&process], Topic::PaymentConfirmRequest, "payment.confirm");
    assert_eq!(town.results(CONFIRM, &order), [CONFIRMED]);
    town.send(&order, &confirm);
    wait_until("the same again", || town.results(CONFIRM, &order) == [CONFIRMED, CONFIRMED]);

    let cancel = Town::cancel(&order, Uuid::now_v7());
    town.send(&order, &cancel);
    town.wait_for_result(CANCEL, &order, RETURNED);
    town.send(&order, &cancel);
    wait_until("the same again", || town.results(CANCEL, &order) == [RETURNED, RETURNED]);
    let ledger = town.pg.order(&order.id.to_string());
    assert_eq!((ledger.charges, ledger.cancels.len()), (1, 1));
    let metrics = process.get("/metrics").unwrap().text;
    assert!(metrics.contains("messages_duplicate_total"), "{metrics}");
}

/// Y18: whoever comes second is told to wait, and never calls at the same time.
#[test]
fn y18_two_commands_at_once_are_one_call() {
    let town = Town::new();
    let process = town.serving(&[("TIMING_PG_TIMEOUT", "1900ms")]);
    let order = town.order(&process);
    town.pg.fail(Operation::Confirm, Fault::Hold);
    let target = "/v1/payments/confirm";
    let body = json!({ "paymentKey": order.key, "orderId": order.id, "amount": TOTAL });
    town.send(&order, &Town::confirm(&order));
    wait_until("the charge", || charges(&town, &order) == 1);
    // The lease is the consumer's.
    let second = town.ask(&process, "POST", target, &body.to_string());
    assert_eq!(second.json["payload"]["status"], "IN_PROGRESS", "{}", second.text);
    assert_eq!(town.pg.calls(Operation::Query).len(), 0);
    town.pg.let_go();
    town.wait_for_result(CONFIRM, &order, CONFIRMED);
    assert_eq!(town.pg.calls(Operation::Confirm).len(), 1);
}

/// X-28, RF6: in doubt it is asked first, and sent again with the same key.
#[test]
fn x_28_rf6_a_refund_in_doubt_is_returned_once() {
    refund_in_doubt(&Town::new());
}

fn refund_in_doubt(town: &Town) {
    let process = town.serving(&[]);
    for fault in [Fault::DropAfter, Fault::DropBefore, Fault::Code(403, "NOT_AVAILABLE_BANK")] {
        let order = done(town, &process);
        let refund_id = Uuid::now_v7();
        town.pg.fail(Operation::Cancel, fault);
        town.send(&order, &Town::cancel(&order, refund_id));
        let results = town.wait_for_result(CANCEL, &order, RETURNED);
        assert_eq!(results, ["PENDING PAYMENT_CANCEL_PENDING", RETURNED], "{fault:?}");
        assert_eq!(town.pg.order(&order.id.to_string()).cancels.len(), 1);
        assert_eq!(refund(town, &process, refund_id)["n"], 1);
    }
}

/// X-28, RF7, RF8
#[test]
fn x_28_rf7_rf8_a_refused_refund_is_tried_until_it_is_done() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = done(&town, &process);
    for _ in 0..2 {
        town.pg.fail(Operation::Cancel, Fault::Code(403, "EXCEED_MAX_REFUND_DUE"));
    }
    let refund_id = Uuid::now_v7();
    town.send(&order, &Town::cancel(&order, refund_id));
    let results = town.wait_for_result(CANCEL, &order, RETURNED);
    assert_eq!(results, ["REJECTED PAYMENT_CANCEL_FAILED", RETURNED]);
    let calls = town.pg.calls(Operation::Cancel);
    let keys: Vec<_> = calls.into_iter().filter_map(|call| call.key).collect();
    assert_eq!(keys, [1, 2, 3].map(|n| format!("cancel:{refund_id}:{n}")));
}

/// X-28, RF9
#[test]
fn x_28_rf9_an_operator_settles_what_is_refused_for_good() {
    let town = Town::new();
    let process = town.serving(&[("TIMING_REFUND_RETRY", "1h")]);
    let order = done(&town, &process);
    town.pg.fail(Operation::Cancel, Fault::Code(400, "REFUND_REJECTED"));
    let refund_id = Uuid::now_v7();
    town.send(&order, &Town::cancel(&order, refund_id));
    town.wait_for_result(CANCEL, &order, "REJECTED PAYMENT_CANCEL_FAILED");
    let list = town.ask(&process, "GET", "/internal/v1/refunds?status=REFUSED", "");
    assert_eq!(list.json["payload"][0]["refundId"], refund_id.to_string());
    let settle = format!("/internal/v1/refunds/{refund_id}/settle");
    let note = r#"{"note":"sent by bank transfer"}"#;
    assert_eq!(town.ask(&process, "POST", &settle, note).json["payload"]["status"], "DONE");
    town.wait_for_result(CANCEL, &order, "CANCELLED REFUND_SETTLED_BY_HAND");
    assert_eq!(town.ask(&process, "POST", &settle, note).json["code"], "INVALID_STATE");
    assert_eq!(town.payment(&process, &order)["status"], "DONE");
}

/// X-36, Y17, RF11
#[test]
fn x_36_y17_money_returned_by_others_is_told() {
    returned_by_others(&Town::new());
}

fn returned_by_others(town: &Town) {
    let process = town.serving(&[]);
    let order = done(town, &process);
    let target = format!("/v1/payments/{}/cancel", order.key);
    let body = r#"{"cancelReason":"at the console"}"#;
    let cancelled = town.ask(&process, "POST", &target, body);
    assert_eq!(cancelled.json["payload"]["status"], "CANCELED", "{}", cancelled.text);
    town.wait_for_result(CANCEL, &order, RETURNED);
    let [result] = town.messages(CANCEL, &order).try_into().unwrap();
    assert_eq!(result.payload["balanceAmount"], 0);
    let refund_id = result.payload["refundId"].as_str().unwrap().parse().unwrap();
    assert_eq!(refund(town, &process, refund_id)["origin"], "OUTSIDE");
    check_attention(town, &process, &order);
}

/// An operator sees it until somebody has looked at it.
fn check_attention(town: &Town, process: &Process, order: &Order) {
    let list = || town.ask(process, "GET", "/internal/v1/payments?attention=true", "");
    let told = list();
    let told = told.json["payload"].as_array().unwrap_or_else(|| panic!("{}", told.text));
    let [alert] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(alert["paymentId"], order.payment_id.to_string());
    assert_eq!(alert["kind"], "RETURNED_OUTSIDE");
    assert_eq!((&alert["status"], &alert["balanceAmount"]), (&json!("CANCELED"), &json!(0)));
    let clear = format!("/internal/v1/payments/{}/attention/clear", order.payment_id);
    let answer = town.ask(process, "POST", &clear, "{}");
    assert_eq!(answer.json["code"], "INVALID_REQUEST", "{}", answer.text);
    let note = r#"{"note":"the member called"}"#;
    assert_eq!(town.ask(process, "POST", &clear, note).status, 204);
    assert_eq!(list().json["payload"], json!([]));
    assert_eq!(town.ask(process, "POST", &clear, note).json["code"], "PAYMENT_NOT_FOUND");
}

/// A-26, Y14: what is announced is looked into, and the payment gateway decides.
#[test]
fn a_26_y14_an_announcement_is_a_hint_only() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = town.order(&process);
    let event = json!({
        "eventType": "PAYMENT_STATUS_CHANGED",
        "data": { "orderId": order.id, "paymentKey": order.key, "status": "DONE" }
    });
    assert_eq!(town.announce(&process, &event).status, 200);
    wait_until("the query", || town.pg.calls(Operation::Query).len() == 1);
    assert_eq!(town.payment(&process, &order)["status"], "READY");

    town.pg.edit(&order.id.to_string(), |order| {
        order.status = "DONE".to_owned();
        order.charges = 1;
    });
    assert_eq!(town.announce(&process, &event).status, 200);
    town.wait_for_result(CONFIRM, &order, CONFIRMED);
    let payment = town.payment(&process, &order);
    assert_eq!((&payment["status"], &payment["paymentKey"]), (&json!("DONE"), &json!(order.key)));

    // What nobody decides by is kept up to date, too.
    let receipt = "https://pg.example/2";
    town.pg.edit(&order.id.to_string(), |order| order.receipt = Some(receipt.to_owned()));
    assert_eq!(town.announce(&process, &event).status, 200);
    wait_until("the receipt", || town.payment(&process, &order)["receipt"]["url"] == receipt);
}

/// Y09
#[test]
fn y09_nobody_paid_in_time() {
    let town = Town::new();
    let lives = [("TIMING_PAYMENT_TTL", "4s"), ("TIMING_HOLD", "4s")];
    let process = town.serving(&lives);
    let order = town.order(&process);
    town.wait_for_status(&process, &order, "EXPIRED");
    town.send(&order, &Town::confirm(&order));
    town.wait_for_result(CONFIRM, &order, "REJECTED PAYMENT_EXPIRED");
    let events = town.messages(Topic::PaymentEvent, &order);
    assert_eq!(events.last().unwrap().kind, "PaymentExpired");
}

/// X-36: what is done is looked into again, without anybody's hint.
#[test]
fn x_36_what_is_done_is_looked_into_until_the_stay_begins() {
    let town = Town::new();
    let process = town.serving(&[("TIMING_PAYMENT_RECHECK", "300ms")]);
    let order = done(&town, &process);
    town.pg.edit(&order.id.to_string(), |order| order.give_back(TOTAL));
    town.wait_for_result(CANCEL, &order, RETURNED);
}

/// A.3: never a refusal, an operator is told, and it goes on when the settings are right.
#[test]
fn a_fault_of_configuration_keeps_the_payment_and_pauses() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = town.order(&process);
    town.pg.fail(Operation::Confirm, Fault::Code(401, "UNAUTHORIZED_KEY"));
    town.send(&order, &Town::confirm(&order));
    let results = town.wait_for_result(CONFIRM, &order, CONFIRMED);
    assert_eq!(results, ["PENDING PAYMENT_CONFIRM_PENDING", CONFIRMED]);
    assert!(process.log().contains("check PG_SECRET_KEY"));
    let metrics = process.get("/metrics").unwrap().text;
    assert!(metrics.contains("payment_alerts_total{kind=\"PG_MISCONFIGURED\"} 1"), "{metrics}");
    assert!(metrics.contains("payment_pg_misconfigured 0"), "{metrics}");
}

/// X-32, X-33, X-37: two processes, one of which is stopped in the middle of a call.
#[test]
fn x_37_a_process_that_stalls_in_a_call_is_overtaken_once() {
    stalled_process(&Town::new());
}

fn stalled_process(town: &Town) {
    let first = town.serving(&[("INSTANCE", "1")]);
    let order = town.order(&first);
    town.pg.fail(Operation::Confirm, Fault::Hold);
    town.send(&order, &Town::confirm(&order));
    wait_until("the charge", || charges(town, &order) == 1);
    town.stall(&first);
    let second = town.serving(&[("INSTANCE", "2")]);
    town.wait_for_result(CONFIRM, &order, CONFIRMED);
    first.signal("CONT").unwrap();
    town.pg.let_go();
    town.wait_for_group(&[&first, &second], Topic::PaymentConfirmRequest, "payment.confirm");
    // Whoever comes second publishes what is stored once more.
    let results = town.results(CONFIRM, &order);
    assert!(!results.iter().any(|result| result.starts_with("REJECTED")), "{results:?}");
    assert_eq!(charges(town, &order), 1);
    assert_eq!(town.payment(&second, &order)["status"], "DONE");
}

/// A-27: the same on the other kind of store.
#[test]
fn a_27_the_same_on_postgres() {
    let scenarios = [
        take_and_return,
        confirm_in_doubt,
        cancel_during_confirm,
        refund_in_doubt,
        returned_by_others,
        stalled_process,
    ];
    for scenario in scenarios {
        let Some(town) = Town::on_postgres() else { return };
        scenario(&town);
    }
}

/// X-14, X-16: what nobody can read goes to the dead letters, and the partition moves on.
#[test]
fn x_14_a_poisonous_command_holds_nobody_up() {
    let town = Town::new();
    let process = town.serving(&[]);
    let order = town.order(&process);
    let poison = PaymentConfirmRequested { currency: "USD".to_owned(), ..Town::confirm(&order) };
    town.send(&order, &poison);
    town.send(&order, &Town::confirm(&order));
    assert_eq!(town.wait_for_result(CONFIRM, &order, CONFIRMED), [CONFIRMED]);
    assert_eq!(process.get("/readyz").unwrap().status, 200);
    let metrics = process.get("/metrics").unwrap().text;
    assert!(metrics.contains("messages_dlt_total{"), "{metrics}");
}
