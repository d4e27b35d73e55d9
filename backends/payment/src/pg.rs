//! The payment gateway: Toss Payments or its stand-in, as [`Access`] says.
//!
//! Nothing is sent twice here: an outcome says what is known, and who asked decides what follows.
//! Every call that moves money carries the idempotency key it is given, so that it may be sent
//! again with the same one.

pub mod access;
pub mod code;
pub mod payment;

use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use service::tls::{self, TlsError};
use tokio::time::timeout;

pub use self::access::{Access, SecretKey};
use self::code::{OnCancel, OnConfirm, on_cancel, on_confirm};
pub use self::payment::{PgCancel, PgFailure, PgPayment, PgStatus};

/// The largest answer that is read.
const ANSWER_LIMIT_BYTES: usize = 256 * 1024;
/// Less than a server keeps an unused connection.
const IDLE_LIMIT: Duration = Duration::from_secs(20);
/// The longest reason the payment gateway takes.
const LONGEST_REASON: usize = 200;
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The payment gateway; cheap to clone.
#[derive(Debug, Clone)]
pub struct PaymentGateway {
    client: Client,
    base: String,
    limit: Duration,
}

/// No client can be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The system trusts nobody.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Something else.
    #[error("no client of the payment gateway can be set up")]
    Client(#[from] reqwest::Error),
}

/// Money to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirm<'a> {
    /// The attempt at paying, as the client was given it.
    pub payment_key: &'a str,
    /// The order it is for.
    pub order_id: &'a str,
    /// How much.
    pub amount: i64,
}

/// Money to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancel<'a> {
    /// The payment it was taken with.
    pub payment_key: &'a str,
    /// Why; what is too long for the payment gateway is cut.
    pub reason: &'a str,
    /// How much; what is left of it when nothing is said.
    pub amount: Option<i64>,
}

/// What came of a confirm.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfirmOutcome {
    /// The money was taken.
    Confirmed(Box<PgPayment>),
    /// It was not, and will not be.
    Refused(Refusal),
    /// Only a query tells.
    LookUp(Trouble),
    /// It may have been taken: query, then send it again with the same key.
    InDoubt(Trouble),
    /// The merchant's settings are wrong; it says nothing about the payment.
    Misconfigured(Refusal),
}

/// What came of a cancel.
#[derive(Debug, Clone, PartialEq)]
pub enum CancelOutcome {
    /// Money was returned.
    Cancelled(Box<PgPayment>),
    /// It was refused; a query shows whether the money was returned all the same.
    Refused(Refusal),
    /// Only a query tells; it counts as refused unless the money was returned.
    LookUp(Refusal),
    /// Send it again with the same key.
    Retry(Trouble),
    /// The merchant's settings are wrong; it says nothing about the refund.
    Misconfigured(Refusal),
}

/// What came of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryOutcome {
    /// The payment as it stands.
    Found(Box<PgPayment>),
    /// There is none, yet.
    NotFound(Refusal),
    /// Nobody told.
    NoAnswer(Trouble),
    /// The merchant's settings are wrong.
    Misconfigured(Refusal),
}

/// What the payment gateway said instead of doing it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payment gateway answered {status} {code}: {message}")]
pub struct Refusal {
    /// Its status.
    pub status: StatusCode,
    /// For a program; empty when it gave none.
    pub code: String,
    /// For a person; empty when it gave none.
    pub message: String,
}

/// Why it is not known what became of a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It says so itself.
    #[error(transparent)]
    Told(#[from] Refusal),
    /// It did not answer in time.
    #[error("the payment gateway did not answer in time")]
    TimedOut,
    /// No connection, or it was lost.
    #[error("the payment gateway was not heard: {0}")]
    Lost(String),
    /// It answered with something else than the payment that was asked about.
    #[error("the payment gateway answered with something else than the payment")]
    Garbled,
    /// It tells of the payment in a state that such a call does not lead to.
    #[error("the payment gateway tells of a payment that is {0:?}")]
    Unexpected(PgStatus),
}

/// How a call ended.
type Answer = Result<Box<PgPayment>, Trouble>;

/// An error answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    code: String,
    #[serde(alias = "detail")]
    message: String,
}

impl PaymentGateway {
    /// The payment gateway; a call may take `limit` (`pg_timeout`).
    pub fn new(access: &Access, limit: Duration) -> Result<Self, SetUpError> {
        let mut headers = HeaderMap::new();
        if let Ok(mut value) = HeaderValue::from_str(&access.secret.authorization()) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = tls::client(&access.url)?
            .default_headers(headers)
            .pool_idle_timeout(IDLE_LIMIT)
            .build()?;
        Ok(Self { client, base: access.url.clone(), limit })
    }

    /// Takes money; at most once for a `key`.
    pub async fn confirm(&self, key: &str, confirm: Confirm<'_>) -> ConfirmOutcome {
        let Confirm { payment_key, order_id, amount } = confirm;
        let body = json!({ "paymentKey": payment_key, "orderId": order_id, "amount": amount });
        let is_asked = |payment: &PgPayment| {
            let PgPayment { payment_key: key, order_id: order, total_amount: total, .. } = payment;
            key == payment_key && order == order_id && *total == amount
        };
        let answer = self.send(Method::POST, "/v1/payments/confirm", Some((key, body))).await;
        match answer.and_then(|payment| checked(payment, is_asked)) {
            Ok(payment) if payment.status == PgStatus::Done => ConfirmOutcome::Confirmed(payment),
            // It was taken once, and something came after it.
            Ok(payment) => ConfirmOutcome::LookUp(Trouble::Unexpected(payment.status)),
            Err(Trouble::Told(refusal)) => match on_confirm(refusal.status, &refusal.code) {
                OnConfirm::Refused => ConfirmOutcome::Refused(refusal),
                OnConfirm::LookUp => ConfirmOutcome::LookUp(refusal.into()),
                OnConfirm::InDoubt => ConfirmOutcome::InDoubt(refusal.into()),
                OnConfirm::Misconfigured => ConfirmOutcome::Misconfigured(refusal),
            },
            Err(trouble) => ConfirmOutcome::InDoubt(trouble),
        }
    }

    /// Returns money; at most once for a `key`.
    pub async fn cancel(&self, key: &str, cancel: Cancel<'_>) -> CancelOutcome {
        let Cancel { payment_key, reason, amount } = cancel;
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        let mut body = json!({ "cancelReason": reason });
        if let (Some(amount), Some(members)) = (amount, body.as_object_mut()) {
            members.insert("cancelAmount".to_owned(), amount.into());
        }
        let target = format!("/v1/payments/{}/cancel", segment(payment_key));
        let is_asked = |payment: &PgPayment| payment.payment_key == payment_key;
        let answer = self.send(Method::POST, &target, Some((key, body))).await;
        match answer.and_then(|payment| checked(payment, is_asked)) {
            Ok(payment) if payment.returned() > 0 => CancelOutcome::Cancelled(payment),
            Ok(payment) => CancelOutcome::Retry(Trouble::Unexpected(payment.status)),
            Err(Trouble::Told(refusal)) => match on_cancel(refusal.status, &refusal.code) {
                OnCancel::LookUp => CancelOutcome::LookUp(refusal),
                OnCancel::Refused => CancelOutcome::Refused(refusal),
                OnCancel::Retry => CancelOutcome::Retry(refusal.into()),
                OnCancel::Misconfigured => CancelOutcome::Misconfigured(refusal),
            },
            Err(trouble) => CancelOutcome::Retry(trouble),
        }
    }

    /// Asks what became of an order.
    pub async fn by_order(&self, order_id: &str) -> QueryOutcome {
        let target = format!("/v1/payments/orders/{}", segment(order_id));
        self.query(&target, |payment| payment.order_id == order_id).await
    }

    /// Asks what became of an attempt at paying.
    pub async fn by_key(&self, payment_key: &str) -> QueryOutcome {
        let target = format!("/v1/payments/{}", segment(payment_key));
        self.query(&target, |payment| payment.payment_key == payment_key).await
    }

    async fn query(&self, target: &str, is_asked: impl Fn(&PgPayment) -> bool) -> QueryOutcome {
        let answer = self.send(Method::GET, target, None).await;
        match answer.and_then(|payment| checked(payment, is_asked)) {
            Ok(payment) => QueryOutcome::Found(payment),
            Err(Trouble::Told(refusal)) => match refusal.code.as_str() {
                // By its code, as everything: a wrong path is 404, too.
                "NOT_FOUND_PAYMENT" | "NOT_FOUND_PAYMENT_SESSION" => {
                    QueryOutcome::NotFound(refusal)
                }
                code if code::is_misconfigured(code) => QueryOutcome::Misconfigured(refusal),
                _ => QueryOutcome::NoAnswer(refusal.into()),
            },
            Err(trouble) => QueryOutcome::NoAnswer(trouble),
        }
    }

    async fn send(&self, method: Method, target: &str, content: Option<(&str, Value)>) -> Answer {
        let attempt = timeout(self.limit, self.attempt(method, target, content));
        let answer = attempt.await.unwrap_or(Err(Trouble::TimedOut));
        if let Err(trouble) = &answer {
            tracing::warn!(target, %trouble, "the payment gateway did not do it");
        }
        answer
    }

    async fn attempt(
        &self,
        method: Method,
        target: &str,
        content: Option<(&str, Value)>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{target}", self.base));
        if let Some((key, body)) = content {
            request = request.header(IDEMPOTENCY_KEY, key).json(&body);
        }
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if answer.len() + chunk.len() > ANSWER_LIMIT_BYTES {
                return Err(Trouble::Garbled);
            }
            answer.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return serde_json::from_slice(&answer).map(Box::new).map_err(|_| Trouble::Garbled);
        }
        let Told { code, message } = serde_json::from_slice(&answer).unwrap_or_default();
        Err(Refusal { status, code, message }.into())
    }
}

/// An answer about another payment says nothing about ours.
fn checked(payment: Box<PgPayment>, is_asked: impl Fn(&PgPayment) -> bool) -> Answer {
    if is_asked(&payment) {
        return Ok(payment);
    }
    let PgPayment { order_id, total_amount, .. } = &*payment;
    tracing::error!(order_id, total_amount, "the payment gateway tells of another payment");
    Err(Trouble::Garbled)
}

/// Without the URL: the log has the target.
fn lost(error: reqwest::Error) -> Trouble {
    Trouble::Lost(error.without_url().to_string())
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests;
