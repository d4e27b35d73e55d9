//! A customer: reserves, pays at the payment gateway, approves, cancels, and keeps a journal of what
//! it was answered.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use service::clock::Clock;
use service::testing::Signer;
use service::tls;

use crate::evidence::{Answer, Asked};

/// Longer than any service lets a customer wait.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
pub struct NoAnswer(#[from] reqwest::Error);

/// Where the customer finds whom.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// Base URL of the reservation service.
    pub reservation: String,
    /// Base URL of the payment gateway.
    pub pg: String,
}

/// A member; cheap to clone.
#[derive(Debug, Clone)]
pub struct Booker {
    http: Client,
    addresses: Addresses,
    signer: Signer,
    member: i64,
    journal: Journal,
}

/// What customers were answered; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<Answer>>>);

/// What to reserve.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The room.
    pub room_id: i64,
    /// First night, `YYYY-MM-DD`.
    pub check_in: String,
    /// Day of leaving.
    pub check_out: String,
}

/// An answer with its body.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its body; null when it is no JSON.
    pub body: Value,
}

/// A reservation that waits for its payment.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Its id.
    pub reservation_id: String,
    /// The payment that was made for it.
    pub payment_id: String,
    /// What it costs.
    pub amount: i64,
}

impl Journal {
    /// Everything so far.
    pub fn entries(&self) -> Vec<Answer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, reservation_id: &str, asked: Asked, status: StatusCode) {
        let answer =
            Answer { reservation_id: reservation_id.to_owned(), asked, status: status.as_u16() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }
}

impl Reply {
    pub(crate) async fn read(answer: Response) -> Result<Self, reqwest::Error> {
        let status = answer.status();
        let body = serde_json::from_slice(&answer.bytes().await?).unwrap_or_default();
        Ok(Self { status, body })
    }

    /// What an answer that went well carries.
    pub fn payload(&self) -> &Value {
        self.body.get("payload").unwrap_or(&Value::Null)
    }

    /// The reason code of an answer that did not.
    pub fn code(&self) -> &str {
        self.body.get("code").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether somebody was too slow, as may be on a busy machine: a customer sends the same request
    /// again.
    pub fn is_passing(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE || self.code() == "RESERVATION_IN_PROGRESS"
    }

    /// A text of the payload.
    pub fn text(&self, pointer: &str) -> &str {
        self.payload().pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// What has to be paid for.
    pub fn pending(&self) -> Option<Pending> {
        let payload = self.payload();
        Some(Pending {
            reservation_id: payload.get("reservationId")?.as_str()?.to_owned(),
            payment_id: payload.pointer("/payment/paymentId")?.as_str()?.to_owned(),
            amount: payload.get("price")?.as_i64()?,
        })
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.status, self.body)
    }
}

impl Booker {
    /// The member with this id.
    pub fn new(
        addresses: Addresses,
        signer: Signer,
        member: i64,
        journal: Journal,
    ) -> Result<Self, Box<dyn Error>> {
        // Processes come and go, and their connections with them.
        let http = tls::client(&addresses.pg)?.timeout(LIMIT).pool_max_idle_per_host(0).build()?;
        Ok(Self { http, addresses, signer, member, journal })
    }

    /// A day that is so many from today, in Korea.
    pub fn day(&self, ahead: i32) -> Date {
        self.day_after(Clock::system().today(), ahead)
    }

    /// A day that is so many later.
    pub fn day_after(&self, day: Date, days: i32) -> Date {
        day.saturating_add(days.days())
    }

    /// The same connections for another member.
    #[must_use]
    pub fn as_member(&self, member: i64) -> Self {
        Self { member, ..self.clone() }
    }

    /// Asks for a reservation; a `key` makes it safe to ask again.
    pub async fn reserve(&self, wish: &Wish, key: Option<&str>) -> Result<Reply, NoAnswer> {
        let body = json!({
            "roomId": wish.room_id, "checkInDate": wish.check_in, "checkOutDate": wish.check_out,
            "clientName": "Booker", "clientPhoneNumber": "01000000000",
            "guestCount": 1, "currency": "KRW",
        });
        let key = key.map(|key| ("idempotency-key", key.to_owned()));
        let reply = self.ask(Method::POST, "/v1/reservation", Some(body), key).await?;
        if let Some(pending) = reply.pending() {
            self.journal.add(&pending.reservation_id, Asked::Reserve, reply.status);
        }
        Ok(reply)
    }

    /// Pays in the window of the payment gateway; the payment key.
    pub async fn check_out(&self, pending: &Pending) -> Result<String, NoAnswer> {
        let body = json!({
            "orderId": pending.reservation_id, "orderName": "A room", "amount": pending.amount,
        });
        let url = format!("{}/v1/checkout", self.addresses.pg);
        let answer: Value = self.http.post(url).json(&body).send().await?.json().await?;
        let key = answer.pointer("/payload/paymentKey").or(answer.get("paymentKey"));
        Ok(key.and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// Approves a payment.
    pub async fn approve(&self, pending: &Pending, payment_key: &str) -> Result<Reply, NoAnswer> {
        let Pending { reservation_id, payment_id, amount } = pending;
        let body = json!({ "paymentId": payment_id, "paymentKey": payment_key, "amount": amount });
        let target = format!("/v1/reservation/{reservation_id}/approve");
        let reply = self.ask(Method::POST, &target, Some(body), None).await?;
        self.journal.add(reservation_id, Asked::Approve, reply.status);
        Ok(reply)
    }

    /// Cancels a reservation.
    pub async fn cancel(&self, reservation_id: &str) -> Result<Reply, NoAnswer> {
        let target = format!("/v1/reservation/{reservation_id}?reason=changed");
        let reply = self.ask(Method::DELETE, &target, None, None).await?;
        self.journal.add(reservation_id, Asked::Cancel, reply.status);
        Ok(reply)
    }

    /// Looks at one reservation.
    pub async fn look(&self, reservation_id: &str) -> Result<Reply, NoAnswer> {
        self.ask(Method::GET, &format!("/v1/reservation/{reservation_id}"), None, None).await
    }

    /// Asks the reservation service as the gateway does for this member.
    pub async fn ask(
        &self,
        method: Method,
        target: &str,
        body: Option<Value>,
        header: Option<(&'static str, String)>,
    ) -> Result<Reply, NoAnswer> {
        let proof = self.signer.gateway(method.as_str(), target, Some((self.member, "USER")));
        let mut request =
            self.http.request(method, format!("{}{target}", self.addresses.reservation));
        for (name, value) in proof.into_iter().chain(header) {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Ok(Reply::read(request.send().await?).await?)
    }
}
