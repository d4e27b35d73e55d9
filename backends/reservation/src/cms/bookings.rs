//! Holding, booking and giving back nights at the CMS.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service::envelope::Payload;
use service::peer::{PeerError, Retry};

use super::{Cms, target, wire};
use crate::place::{PlaceDetail, RoomDetail};
use crate::stay::Stay;

/// A stay that is to be held.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wanted<'a> {
    /// The reservation.
    pub(crate) external_id: &'a str,
    pub(crate) room_id: i64,
    pub(crate) check_in: &'a str,
    pub(crate) check_out: &'a str,
    pub(crate) guest_count: i64,
    pub(crate) amount: i64,
    pub(crate) client: Person<'a>,
    pub(crate) guest: Person<'a>,
    pub(crate) hold_seconds: u64,
}

/// Who books, or stays.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Person<'a> {
    pub(crate) name: &'a str,
    pub(crate) phone_number: &'a str,
}

/// Nights that are held.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Held {
    pub(crate) cms_reservation_id: String,
    pub(crate) hold_expires_at: Timestamp,
}

/// What the CMS knows of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Booking {
    /// The nights are held.
    Held,
    /// They are booked.
    Approved,
    /// They are booked and paid.
    Paid,
    /// They were given back.
    Cancelled,
    /// The hold ran out.
    Expired,
}

/// Why the CMS did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BookingError {
    /// It refuses, and will again.
    #[error("the CMS refuses: {code}: {detail}")]
    Refused {
        /// Its code.
        code: String,
        /// Its sentence.
        detail: String,
    },
    /// Nobody knows whether it did.
    #[error("the CMS does not answer: {0}")]
    Unknown(PeerError),
}

#[derive(Debug, Deserialize)]
struct View {
    status: Booking,
}

impl Cms {
    /// One room with its lodging, for a stay.
    pub(crate) async fn room(
        &self,
        room_id: i64,
        stay: Stay,
    ) -> Result<Option<(PlaceDetail, RoomDetail)>, BookingError> {
        let target = target(&format!("/v1/rooms/{room_id}"), &super::nights(Some(stay)));
        let shown: Result<Payload<wire::Shown>, _> = self.peer.get(&target).await;
        match shown.map_err(explain) {
            Ok(Payload { payload }) => {
                let (place, rooms) = payload.into();
                let room = rooms.into_iter().find(|room| room.room_id == room_id);
                Ok(room.map(|room| (place, room)))
            }
            Err(BookingError::Refused { code, .. }) if code == "ROOM_NOT_FOUND" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Holds nights; the same stay twice is held once.
    pub(crate) async fn reserve(&self, wanted: &Wanted<'_>) -> Result<Held, BookingError> {
        let held: Result<Payload<Held>, _> =
            self.peer.post("/v1/reservations", wanted, Retry::Idempotent).await;
        held.map(|held| held.payload).map_err(explain)
    }

    /// Books what is held.
    pub(crate) async fn approve(&self, external_id: &str) -> Result<(), BookingError> {
        self.call(external_id, "approve", &json!({})).await.map(drop)
    }

    /// Notes that a booking is paid.
    pub(crate) async fn complete(
        &self,
        external_id: &str,
        payment_ref: &str,
        amount: i64,
        paid_at: &str,
    ) -> Result<(), BookingError> {
        let body = json!({ "paymentRef": payment_ref, "amount": amount, "paidAt": paid_at });
        self.call(external_id, "payment-complete", &body).await.map(drop)
    }

    /// Gives nights back, or sees to it that a hold that is on its way comes too late. What becomes
    /// of it is `Cancelled` or `Expired`.
    pub(crate) async fn cancel(
        &self,
        external_id: &str,
        reason: &str,
        code: &str,
    ) -> Result<Booking, BookingError> {
        self.call(external_id, "cancel", &json!({ "reason": reason, "reasonCode": code })).await
    }

    /// What the CMS knows; nothing when it has never heard of it.
    pub(crate) async fn look_up(&self, external_id: &str) -> Result<Option<Booking>, BookingError> {
        let view: Result<Payload<View>, _> =
            self.peer.get(&format!("/v1/reservations/{external_id}")).await;
        match view.map_err(explain) {
            Ok(view) => Ok(Some(view.payload.status)),
            Err(BookingError::Refused { code, .. }) if code == "RESERVATION_NOT_FOUND" => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn call(
        &self,
        external_id: &str,
        verb: &str,
        body: &serde_json::Value,
    ) -> Result<Booking, BookingError> {
        let target = format!("/v1/reservations/{external_id}/{verb}");
        let view: Result<Payload<View>, _> = self.peer.post(&target, body, Retry::Idempotent).await;
        view.map(|view| view.payload.status).map_err(explain)
    }
}

/// Only what the CMS itself says about a booking is definite. A wrong key, a wrong address or a
/// limit says nothing about it.
fn explain(error: PeerError) -> BookingError {
    const DEFINITE: &[&str] = &[
        "ROOM_NOT_FOUND",
        "ROOM_NOT_AVAILABLE",
        "PRICE_CHANGED",
        "EXTERNAL_ID_CONFLICT",
        "RESERVATION_CANCELLED",
        "RESERVATION_NOT_FOUND",
        "HOLD_EXPIRED",
        "NOT_APPROVED",
        "AMOUNT_MISMATCH",
        "INVALID_REQUEST",
    ];
    if let PeerError::Refused { code, detail, .. } = &error
        && DEFINITE.contains(&code.as_str())
    {
        return BookingError::Refused { code: code.clone(), detail: detail.clone() };
    }
    BookingError::Unknown(error)
}
