//! The payment gateway as the cashier asks it: every answer is what the machine knows.

mod code;
mod view;

use std::time::Duration;

use payment::machine::{CancelAnswer, ConfirmAnswer, Seen};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use self::code::{cancel_answer, confirm_answer, is_misconfigured, is_transient};
pub(crate) use self::view::View;
use crate::store::{PaymentRow, RefundRow};

/// The largest answer that is read.
const ANSWER_LIMIT_BYTES: usize = 256 * 1024;
/// The longest reason the payment gateway takes.
const LONGEST_REASON: usize = 200;

/// The payment gateway; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    client: Client,
    base: String,
    secret: String,
    limit: Duration,
}

/// What is asked about.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) payment_id: String,
    pub(crate) id: String,
    pub(crate) total: i64,
}

/// What the payment gateway said.
#[derive(Debug)]
pub(crate) struct Told<A> {
    /// As the machine knows it.
    pub(crate) answer: A,
    /// The payment, where it was told.
    pub(crate) view: Option<View>,
    /// Why it refused.
    pub(crate) refusal: Option<Refusal>,
    /// Whether the same may be sent again at once.
    pub(crate) is_transient: bool,
    /// Whether it does not know the merchant.
    pub(crate) is_misconfigured: bool,
}

/// Why the payment gateway refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// What came back.
enum Answer {
    Payment(Box<View>),
    Refused(StatusCode, Refusal),
    /// Nothing, or nothing that can be read.
    Lost,
}

impl Gateway {
    /// The payment gateway at `base`; `secret` is the merchant's key.
    pub(crate) fn new(base: &str, secret: &str, limit: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .connect_timeout(limit)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { client, base: base.to_owned(), secret: secret.to_owned(), limit })
    }

    /// Takes the money, at most once for a payment.
    pub(crate) async fn confirm(&self, order: &Order, payment_key: &str) -> Told<ConfirmAnswer> {
        let body = json!({
            "paymentKey": payment_key, "orderId": order.id, "amount": order.total,
        });
        let key = format!("confirm:{}", order.payment_id);
        match self.send(Method::POST, "/v1/payments/confirm", Some((body, key))).await {
            Answer::Payment(view) if !view.is_of(order) => Told::lost(ConfirmAnswer::Unknown),
            Answer::Payment(view) if matches!(view.seen, Seen::Done) => {
                Told::paid(ConfirmAnswer::Done, *view)
            }
            // Taken, and something came after it: the query tells the whole.
            Answer::Payment(_) => Told::lost(ConfirmAnswer::LookUp),
            Answer::Refused(status, refusal) => {
                Told::refused(confirm_answer(status, &refusal.code), refusal)
            }
            Answer::Lost => Told::lost(ConfirmAnswer::Unknown),
        }
    }

    /// Asks what became of an order.
    pub(crate) async fn query(&self, order: &Order) -> Told<Seen> {
        let target = format!("/v1/payments/orders/{}", encode(&order.id));
        match self.send(Method::GET, &target, None).await {
            Answer::Payment(view) if !view.is_of(order) => Told::lost(Seen::NoAnswer),
            Answer::Payment(view) => Told::paid(view.seen, *view),
            Answer::Refused(StatusCode::NOT_FOUND, refusal)
                if refusal.code.starts_with("NOT_FOUND_PAYMENT") =>
            {
                Told { refusal: None, ..Told::refused(Seen::Open, refusal) }
            }
            Answer::Refused(_, refusal) => Told::refused(Seen::NoAnswer, refusal),
            Answer::Lost => Told::lost(Seen::NoAnswer),
        }
    }

    /// Returns money, at most once for a refund and its number.
    pub(crate) async fn cancel(
        &self,
        payment: &PaymentRow,
        refund: &RefundRow,
    ) -> Told<CancelAnswer> {
        let reason: String = refund.reason.chars().take(LONGEST_REASON).collect();
        let mut body = json!({ "cancelReason": reason });
        if refund.amount < payment.total_amount
            && let Some(members) = body.as_object_mut()
        {
            members.insert("cancelAmount".to_owned(), refund.amount.into());
        }
        let key = format!("cancel:{}:{}", refund.refund_id, refund.n);
        let payment_key = payment.payment_key.as_deref().unwrap_or_default();
        let order = Order {
            payment_id: payment.payment_id.clone(),
            id: payment.order_id.clone(),
            total: payment.total_amount,
        };
        match self.cancel_with(payment_key, body, key).await {
            Answer::Payment(view) if !view.is_of(&order) => Told::lost(CancelAnswer::Unknown),
            Answer::Payment(view) => {
                Told::paid(CancelAnswer::Returned { balance: view.balance }, *view)
            }
            Answer::Refused(status, refusal) => {
                Told::refused(cancel_answer(status, &refusal.code), refusal)
            }
            Answer::Lost => Told::lost(CancelAnswer::Unknown),
        }
    }

    /// Returns money as somebody else would do it, without a refund of ours.
    pub(crate) async fn cancel_outside(
        &self,
        payment_key: &str,
        reason: &str,
        amount: Option<i64>,
    ) -> Result<(), Option<Refusal>> {
        let body = json!({ "cancelReason": reason, "cancelAmount": amount });
        let key = format!("outside:{}", uuid::Uuid::new_v4());
        match self.cancel_with(payment_key, body, key).await {
            Answer::Payment(_) => Ok(()),
            Answer::Refused(_, refusal) => Err(Some(refusal)),
            Answer::Lost => Err(None),
        }
    }

    async fn cancel_with(&self, payment_key: &str, body: Value, key: String) -> Answer {
        let target = format!("/v1/payments/{}/cancel", encode(payment_key));
        self.send(Method::POST, &target, Some((body, key))).await
    }

    async fn send(&self, method: Method, target: &str, body: Option<(Value, String)>) -> Answer {
        let attempt = self.attempt(method, target, body);
        match timeout(self.limit, attempt).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the payment gateway was not heard");
                Answer::Lost
            }
            Err(_) => {
                tracing::warn!("the payment gateway did not answer in time");
                Answer::Lost
            }
        }
    }

    async fn attempt(
        &self,
        method: Method,
        target: &str,
        body: Option<(Value, String)>,
    ) -> Result<Answer, reqwest::Error> {
        let url = format!("{}{target}", self.base);
        let mut request = self.client.request(method, url).basic_auth(&self.secret, Some(""));
        if let Some((body, key)) = body {
            request = request.header("idempotency-key", key).json(&body);
        }
        let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            if text.len() + chunk.len() > ANSWER_LIMIT_BYTES {
                return Ok(Answer::Lost);
            }
            text.extend_from_slice(&chunk);
        }
        if status.is_success() {
            let view = View::read(&text);
            if view.is_none() {
                tracing::error!("the payment gateway answered with something else than a payment");
            }
            return Ok(view.map_or(Answer::Lost, |view| Answer::Payment(Box::new(view))));
        }
        Ok(Answer::Refused(status, serde_json::from_slice(&text).unwrap_or_default()))
    }
}

impl Default for Refusal {
    fn default() -> Self {
        Self { code: String::new(), message: "the payment gateway gave no reason".to_owned() }
    }
}

impl<A> Told<A> {
    fn lost(answer: A) -> Self {
        Self { answer, view: None, refusal: None, is_transient: false, is_misconfigured: false }
    }

    fn paid(answer: A, view: View) -> Self {
        Self { view: Some(view), ..Self::lost(answer) }
    }

    fn refused(answer: A, refusal: Refusal) -> Self {
        Self {
            is_transient: is_transient(&refusal.code),
            is_misconfigured: is_misconfigured(&refusal.code),
            refusal: Some(refusal),
            ..Self::lost(answer)
        }
    }
}

fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string()
}
