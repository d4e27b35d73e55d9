use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::code::{RULES, Rule};
use super::*;

const CONFIRM: Confirm<'_> = Confirm { payment_key: "key/1", order_id: "order-1", amount: 15_000 };
const CANCEL: Cancel<'_> = Cancel { payment_key: "key/1", reason: "changed", amount: None };

/// Longer than anything takes, unless a call is meant to run out of time.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
struct Asked {
    method: String,
    target: String,
    key: Option<String>,
    authorization: String,
    body: Value,
}

/// What the fake answers: a status and a text, or nothing at all.
type Script = Arc<Mutex<(Option<(u16, String)>, Vec<Asked>)>>;

/// A payment gateway that answers what it is told.
struct Fake {
    script: Script,
    gateway: PaymentGateway,
    _tasks: JoinSet<()>,
}

impl Fake {
    async fn serving(limit: Duration) -> Self {
        let script: Script = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/pg", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let access = Access { url, secret: SecretKey::parse("test_sk_1").unwrap() };
        let gateway = PaymentGateway::new(&access, limit).unwrap();
        Self { script, gateway, _tasks: tasks }
    }

    fn answers(&self, status: u16, body: &Value) {
        self.script.lock().unwrap().0 = Some((status, body.to_string()));
    }

    fn refuses(&self, status: u16, code: &str) {
        self.answers(status, &json!({ "code": code, "message": "why" }));
    }

    fn asked(&self) -> Asked {
        self.script.lock().unwrap().1.pop().unwrap()
    }

    async fn confirm(&self) -> ConfirmOutcome {
        self.gateway.confirm("confirm:1", CONFIRM).await
    }

    async fn cancel(&self) -> CancelOutcome {
        self.gateway.cancel("cancel:1:1", CANCEL).await
    }
}

async fn answer(State(script): State<Script>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 100_000).await.unwrap();
    let text = |name: &str| head.headers.get(name).map(|it| it.to_str().unwrap().to_owned());
    let asked = Asked {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        key: text("idempotency-key"),
        authorization: text("authorization").unwrap_or_default(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let told = {
        let mut script = script.lock().unwrap();
        script.1.push(asked);
        script.0.clone()
    };
    match told {
        Some((status, text)) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        None => std::future::pending().await,
    }
}

fn payment(status: &str) -> Value {
    json!({
        "version": "2022-11-16", "paymentKey": "key/1", "orderId": "order-1", "status": status,
        "totalAmount": 15_000, "balanceAmount": 15_000, "method": "카드", "cancels": null,
        "approvedAt": "2025-05-01T10:00:00+09:00", "lastTransactionKey": "t-1", "failure": null,
        "card": { "number": "1234****" },
    })
}

fn cancelled(status: &str, amount: i64) -> Value {
    let mut payment = payment(status);
    payment["balanceAmount"] = (15_000 - amount).into();
    payment["cancels"] = json!([{
        "cancelAmount": amount, "cancelReason": "changed", "taxFreeAmount": 0,
        "refundableAmount": 15_000 - amount, "canceledAt": "2025-05-01T11:00:00+09:00",
        "transactionKey": "t-2", "receiptKey": null, "cancelStatus": "DONE",
    }]);
    payment
}

#[tokio::test]
async fn py_02_a_confirm_says_what_and_with_which_key() {
    let fake = Fake::serving(LIMIT).await;
    fake.answers(200, &payment("DONE"));
    let ConfirmOutcome::Confirmed(payment) = fake.confirm().await else { panic!() };
    assert_eq!((payment.status, payment.balance_amount), (PgStatus::Done, 15_000));
    assert_eq!(payment.approved_at.unwrap().to_string(), "2025-05-01T01:00:00Z");
    assert_eq!(payment.others["card"]["number"], "1234****");
    let asked = fake.asked();
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/pg/v1/payments/confirm"));
    assert_eq!(asked.key.as_deref(), Some("confirm:1"));
    assert_eq!(asked.authorization, "Basic dGVzdF9za18xOg==");
    assert_eq!(
        asked.body,
        json!({ "paymentKey": "key/1", "orderId": "order-1", "amount": 15_000 })
    );
}

#[tokio::test]
async fn py_03_a_cancel_says_what_and_with_which_key() {
    let fake = Fake::serving(LIMIT).await;
    fake.answers(200, &cancelled("PARTIAL_CANCELED", 5_000));
    let cancel = Cancel { reason: &"가".repeat(300), amount: Some(5_000), ..CANCEL };
    let outcome = fake.gateway.cancel("cancel:1:1", cancel).await;
    let CancelOutcome::Cancelled(payment) = outcome else { panic!("{outcome:?}") };
    assert_eq!((payment.returned(), payment.cancels[0].refundable_amount), (5_000, 10_000));
    let asked = fake.asked();
    assert_eq!(asked.target, "/pg/v1/payments/key%2F1/cancel");
    assert_eq!(asked.key.as_deref(), Some("cancel:1:1"));
    let expected = json!({ "cancelReason": "가".repeat(200), "cancelAmount": 5_000 });
    assert_eq!(asked.body, expected);

    fake.answers(200, &cancelled("CANCELED", 15_000));
    assert!(matches!(fake.cancel().await, CancelOutcome::Cancelled(_)));
    assert_eq!(fake.asked().body, json!({ "cancelReason": "changed" }));
}

#[tokio::test]
async fn py_04_a_query_asks_by_order_or_by_key() {
    let fake = Fake::serving(LIMIT).await;
    fake.answers(200, &payment("IN_PROGRESS"));
    let QueryOutcome::Found(found) = fake.gateway.by_order("order-1").await else { panic!() };
    assert_eq!(found.status, PgStatus::InProgress);
    let asked = fake.asked();
    assert_eq!((asked.target.as_str(), asked.key), ("/pg/v1/payments/orders/order%2D1", None));
    assert!(matches!(fake.gateway.by_key("key/1").await, QueryOutcome::Found(_)));
    assert_eq!(fake.asked().target, "/pg/v1/payments/key%2F1");
    for other in [fake.gateway.by_order("order-2").await, fake.gateway.by_key("key-2").await] {
        assert_eq!(other, QueryOutcome::NoAnswer(Trouble::Garbled));
    }
    for code in ["NOT_FOUND_PAYMENT", "NOT_FOUND_PAYMENT_SESSION"] {
        fake.refuses(404, code);
        assert!(matches!(fake.gateway.by_order("order-1").await, QueryOutcome::NotFound(_)));
    }
    // A path that nobody serves says nothing about a payment.
    fake.refuses(404, "NOT_FOUND");
    assert!(matches!(fake.gateway.by_order("order-1").await, QueryOutcome::NoAnswer(_)));
    fake.refuses(401, "UNAUTHORIZED_KEY");
    assert!(matches!(fake.gateway.by_key("key/1").await, QueryOutcome::Misconfigured(_)));
    fake.refuses(500, "COMMON_ERROR");
    assert!(matches!(fake.gateway.by_key("key/1").await, QueryOutcome::NoAnswer(_)));
}

/// A.3: every code, over the wire.
#[tokio::test]
async fn a_3_every_code_becomes_an_outcome() {
    let fake = Fake::serving(LIMIT).await;
    for Rule { confirm, cancel, codes } in RULES {
        for (status, code) in
            codes.iter().flat_map(|(status, codes)| codes.iter().map(move |code| (status, code)))
        {
            fake.refuses(*status, code);
            let told = Refusal {
                status: StatusCode::from_u16(*status).unwrap(),
                code: (*code).to_owned(),
                message: "why".to_owned(),
            };
            if let Some(treatment) = confirm {
                let expected = match treatment {
                    OnConfirm::Refused => ConfirmOutcome::Refused(told.clone()),
                    OnConfirm::LookUp => ConfirmOutcome::LookUp(told.clone().into()),
                    OnConfirm::InDoubt => ConfirmOutcome::InDoubt(told.clone().into()),
                    OnConfirm::Misconfigured => ConfirmOutcome::Misconfigured(told.clone()),
                };
                assert_eq!(fake.confirm().await, expected);
            }
            if let Some(treatment) = cancel {
                let expected = match treatment {
                    OnCancel::LookUp => CancelOutcome::LookUp(told),
                    OnCancel::Refused => CancelOutcome::Refused(told),
                    OnCancel::Retry => CancelOutcome::Retry(told.into()),
                    OnCancel::Misconfigured => CancelOutcome::Misconfigured(told),
                };
                assert_eq!(fake.cancel().await, expected);
            }
        }
    }
}

/// whatever is not an answer about this payment leaves it in doubt.
#[tokio::test]
async fn x_04_what_cannot_be_understood_is_in_doubt() {
    let fake = Fake::serving(LIMIT).await;
    let mut other_amount = payment("DONE");
    other_amount["totalAmount"] = 1.into();
    let mut other_order = payment("DONE");
    other_order["orderId"] = "order-2".into();
    for body in [json!({}), json!("?"), payment("NEW_STATE"), other_amount, other_order] {
        fake.answers(200, &body);
        assert_eq!(fake.confirm().await, ConfirmOutcome::InDoubt(Trouble::Garbled), "{body}");
    }
    fake.answers(200, &json!({ "x": "x".repeat(ANSWER_LIMIT_BYTES) }));
    assert_eq!(fake.confirm().await, ConfirmOutcome::InDoubt(Trouble::Garbled));
    assert_eq!(fake.cancel().await, CancelOutcome::Retry(Trouble::Garbled));
    // Taken and returned since.
    fake.answers(200, &cancelled("CANCELED", 15_000));
    let expected = ConfirmOutcome::LookUp(Trouble::Unexpected(PgStatus::Canceled));
    assert_eq!(fake.confirm().await, expected);
    // Nothing was returned.
    fake.answers(200, &payment("DONE"));
    let expected = CancelOutcome::Retry(Trouble::Unexpected(PgStatus::Done));
    assert_eq!(fake.cancel().await, expected);
    // An error page of something in between.
    fake.script.lock().unwrap().0 = Some((502, "<html>".to_owned()));
    assert!(matches!(fake.confirm().await, ConfirmOutcome::InDoubt(Trouble::Told(_))));
    assert!(matches!(fake.cancel().await, CancelOutcome::Retry(Trouble::Told(_))));
}

///
#[tokio::test]
async fn x_04_silence_is_in_doubt() {
    let fake = Fake::serving(Duration::from_millis(100)).await;
    assert_eq!(fake.confirm().await, ConfirmOutcome::InDoubt(Trouble::TimedOut));
    assert_eq!(fake.cancel().await, CancelOutcome::Retry(Trouble::TimedOut));
    let query = fake.gateway.by_order("order-1").await;
    assert_eq!(query, QueryOutcome::NoAnswer(Trouble::TimedOut));
}

///
#[tokio::test]
async fn x_04_a_lost_connection_is_in_doubt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let access = Access { url, secret: SecretKey::parse("test_sk_1").unwrap() };
    let gateway = PaymentGateway::new(&access, LIMIT).unwrap();
    let outcome = gateway.confirm("confirm:1", CONFIRM).await;
    assert!(matches!(outcome, ConfirmOutcome::InDoubt(Trouble::Lost(_))), "{outcome:?}");
    let outcome = gateway.cancel("cancel:1:1", CANCEL).await;
    assert!(matches!(outcome, CancelOutcome::Retry(Trouble::Lost(_))), "{outcome:?}");
}

/// A problem document has its reason in another place.
#[tokio::test]
async fn a_reason_is_found_wherever_it_stands() {
    let fake = Fake::serving(LIMIT).await;
    fake.answers(500, &json!({ "code": "INTERNAL_ERROR", "detail": "ours" }));
    let ConfirmOutcome::InDoubt(trouble) = fake.confirm().await else { panic!() };
    let expected = "the payment gateway answered 500 Internal Server Error INTERNAL_ERROR: ours";
    assert_eq!(trouble.to_string(), expected);
}
