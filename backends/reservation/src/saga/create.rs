//! A reservation request: the room is looked at, the nights are held, the payment is made
//! (T01–T04), and the same `Idempotency-Key` gets the same answer.

use ::reservation::machine::{self, CmsStatus, Effect, Event, RefundStatus, Status};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service::clock::after;
use service::code::Code;
use service::problem::{FieldError, Problem};
use service::stored::{instant, is_taken, read_instant};
use sha2::{Digest, Sha256};
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

use super::change::{Change, Known};
use super::letters::{Context, order_name};
use super::{Failure, Saga, new_owner};
use crate::cms::bookings::{BookingError, Held, Person, Wanted as Hold};
use crate::payments::{Order, Payment};
use crate::place::{PlaceDetail, RoomDetail};
use crate::store::record::{self, Record};
use crate::store::{Row, answers};
use crate::wanted::Wanted;

/// How long a client waits before it asks again for what is being made.
const SOON: Duration = Duration::from_secs(1);

/// What a client named its request, so that it can send it again.
#[derive(Debug)]
pub(crate) struct Key {
    name: String,
    /// Of what was wanted.
    hash: String,
}

/// A reservation that waits for its payment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Created {
    #[schema(format = "uuid")]
    pub(crate) reservation_id: String,
    #[schema(value_type = Status)]
    status: String,
    room_name: String,
    /// Price of all nights together.
    #[schema(example = 220_000)]
    price: i64,
    #[schema(example = "KRW")]
    currency: String,
    /// Until when the room is held.
    #[schema(format = DateTime)]
    hold_expires_at: String,
    payment: CreatedPayment,
}

/// The payment of a new reservation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatedPayment {
    #[schema(format = "uuid")]
    payment_id: String,
    /// What the payment gateway calls it.
    #[schema(format = "uuid")]
    order_id: String,
    order_name: String,
    #[schema(example = 220_000)]
    amount: i64,
    #[schema(example = "READY")]
    status: String,
}

/// An answer that decides a create.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Answer {
    Created(Created),
    Refused { status: u16, code: String, detail: String, errors: Vec<FieldError> },
}

impl Key {
    /// A key for what is wanted.
    pub(crate) fn new(name: &str, wanted: &Wanted) -> Result<Self, Problem> {
        let text = serde_json::to_vec(wanted).map_err(Problem::internal)?;
        let hash = STANDARD_NO_PAD.encode(Sha256::digest(text));
        Ok(Self { name: name.to_owned(), hash })
    }

    fn check(&self, hash: Option<&str>) -> Result<(), Problem> {
        if hash == Some(self.hash.as_str()) {
            return Ok(());
        }
        let detail = "this Idempotency-Key was sent with another request; use a new one";
        Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", detail))
    }
}

impl Answer {
    fn into_result(self) -> Result<Created, Problem> {
        match self {
            Self::Created(created) => Ok(created),
            Self::Refused { status, code, detail, errors } => {
                let status = StatusCode::from_u16(status).map_err(Problem::internal)?;
                let problem = Problem::new(status, code, detail);
                Err(errors.into_iter().fold(problem, Problem::about))
            }
        }
    }

    fn refused(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let (code, detail) = (code.to_owned(), detail.into());
        Self::Refused { status: status.as_u16(), code, detail, errors: Vec::new() }
    }

    fn price_changed(price: Option<i64>, sent: Option<i64>) -> Self {
        let now = price.map_or_else(|| "another price".to_owned(), |price| format!("{price} KRW"));
        let error = FieldError {
            field: "totalAmount".to_owned(),
            reason: format!("the stay costs {now} now"),
            rejected: sent.map(|sent| sent.to_string()),
        };
        Self::Refused {
            status: StatusCode::CONFLICT.as_u16(),
            code: "PRICE_CHANGED".to_owned(),
            detail: format!("the price has changed: the stay costs {now} now"),
            errors: vec![error],
        }
    }
}

impl Saga {
    /// RS-03: makes a reservation, goes on with the one this key stands for, or answers as before.
    pub(crate) async fn create(
        &self,
        member_id: i64,
        wanted: &Wanted,
        key: Option<&Key>,
    ) -> Result<Created, Problem> {
        if let Some(key) = key {
            let mut connection = self.database.pool().acquire().await?;
            if let Some((hash, answer)) =
                answers::find(&mut connection, member_id, &key.name).await?
            {
                key.check(Some(&hash))?;
                let answer: Answer = serde_json::from_str(&answer).map_err(Problem::internal)?;
                return answer.into_result();
            }
            if let Some(record) = record::by_key(&mut connection, member_id, &key.name).await? {
                drop(connection);
                key.check(record.request_hash.as_deref())?;
                return self.go_on(record).await;
            }
        }
        let (place, room) = match self.look_at(wanted).await? {
            Ok(found) => found,
            Err(answer) => return self.decide_early(member_id, key, answer).await,
        };
        let owner = new_owner();
        let record = self.request(member_id, wanted, key, &(place, room), &owner).await?;
        self.make(record, &owner).await
    }

    /// RS-08: the room, if it can be had for every night at the price the booker expects.
    async fn look_at(
        &self,
        wanted: &Wanted,
    ) -> Result<Result<(PlaceDetail, RoomDetail), Answer>, Problem> {
        let found = self.cms.room(wanted.room_id, wanted.stay()).await.map_err(unavailable)?;
        let Some((place, room)) = found else {
            let detail = format!("there is no room {}", wanted.room_id);
            return Ok(Err(Answer::refused(StatusCode::NOT_FOUND, "ROOM_NOT_FOUND", detail)));
        };
        if wanted.guest_count > room.max_capacity {
            return Err(Problem::invalid(vec![FieldError {
                field: "guestCount".to_owned(),
                reason: format!("must be at most {}: the room takes no more", room.max_capacity),
                rejected: Some(wanted.guest_count.to_string()),
            }]));
        }
        if !room.available {
            return Ok(Err(sold_out()));
        }
        if wanted.total_amount.is_some_and(|amount| amount != room.total_amount) {
            let answer = Answer::price_changed(Some(room.total_amount), wanted.total_amount);
            return Ok(Err(answer));
        }
        Ok(Ok((place, room)))
    }

    /// A refusal before anything was written: kept under the key on its own.
    async fn decide_early(
        &self,
        member_id: i64,
        key: Option<&Key>,
        answer: Answer,
    ) -> Result<Created, Problem> {
        if let Some(key) = key {
            let text = serde_json::to_string(&answer).map_err(Problem::internal)?;
            let now = instant(self.clock.now());
            let mut transaction = self.database.write().await?;
            let (whose, what) =
                ((member_id, key.name.as_str()), (key.hash.as_str(), text.as_str()));
            answers::keep(&mut transaction, whose, what, &now).await?;
            transaction.commit().await?;
        }
        answer.into_result()
    }

    /// T01
    async fn request(
        &self,
        member_id: i64,
        wanted: &Wanted,
        key: Option<&Key>,
        (place, room): &(PlaceDetail, RoomDetail),
        owner: &str,
    ) -> Result<Record, Problem> {
        let now = self.clock.now();
        let decision = machine::request();
        let mut record = new_record(member_id, wanted, (place, room), &instant(now))?;
        record.idempotency_key = key.map(|key| key.name.clone());
        record.request_hash = key.map(|key| key.hash.clone());
        record.create_owner = Some(owner.to_owned());
        record.create_leased_until = Some(instant(self.lease_end(now)));
        record.due_at = Some(instant(after(now, self.timing.create_timeout)));
        let mut transaction = self.database.write().await?;
        match record::insert(&mut transaction, &record).await {
            Ok(()) => {}
            Err(error) if is_taken(&error) => return Err(in_progress()),
            Err(error) => return Err(error.into()),
        }
        let known = Known { actor: super::change::Actor::Booker, ..Known::default() };
        let context = Context { before: &record, after: &record, known: &known, now };
        context.note(&mut transaction, &decision).await?;
        let carried = context.carry_out(&mut transaction, &decision).await;
        carried.map_err(Failure::into_problem)?;
        transaction.commit().await?;
        self.relay.wake();
        Ok(record)
    }

    /// The same request again, while the first one has not come to its end.
    async fn go_on(&self, record: Record) -> Result<Created, Problem> {
        let now = self.clock.now();
        let is_old = record.due_at.as_deref().is_none_or(|due| *due <= *instant(now));
        if record.shown.status != Status::Requested.code() || is_old {
            return Err(in_progress());
        }
        let owner = new_owner();
        let times = (instant(now), instant(self.lease_end(now)));
        let mut transaction = self.database.write().await?;
        let is_mine =
            record::take_create(&mut transaction, record.key(), &owner, (&times.0, &times.1))
                .await?;
        transaction.commit().await?;
        if !is_mine {
            return Err(in_progress());
        }
        self.make(record, &owner).await
    }

    /// T02–T04: the hold, the payment, and the answer.
    async fn make(&self, record: Record, owner: &str) -> Result<Created, Problem> {
        self.crash.pass("reservation.create.before_hold");
        let held = match self.hold(&record).await {
            Ok(held) => held,
            Err(BookingError::Refused { code, detail }) => {
                return self.refuse_hold(&record, owner, (&code, &detail)).await;
            }
            Err(error) => {
                let mut transaction = self.database.write().await?;
                record::leave_create(&mut transaction, record.key(), owner).await?;
                transaction.commit().await?;
                return Err(unavailable(error));
            }
        };
        self.crash.pass("reservation.create.after_hold");
        let order = Order {
            id: record.key(),
            name: &order_name(&record.shown.room_name),
            member_id: record.member_id,
            amount: record.shown.total_amount,
            check_in_date: &record.shown.check_in_date,
        };
        let payment = match self.payments.create(&order).await {
            Ok(payment) => payment,
            Err(error) => {
                let known = Known { maker: Some(owner), ..Known::default() };
                self.end_create(&record, Event::PaymentNotCreated, known).await?;
                let unavailable = "the payment service is not available; try again";
                return Err(
                    Problem::unavailable("PAYMENT_UNAVAILABLE", unavailable, SOON).caused_by(error)
                );
            }
        };
        self.crash.pass("reservation.create.after_payment");
        self.finish_create(&record, owner, &held, &payment).await
    }

    async fn hold(&self, record: &Record) -> Result<Held, BookingError> {
        let shown = &record.shown;
        let wanted = Hold {
            external_id: record.key(),
            room_id: shown.room_id,
            check_in: &shown.check_in_date,
            check_out: &shown.check_out_date,
            guest_count: shown.guest_count,
            amount: shown.total_amount,
            client: Person { name: &shown.client_name, phone_number: &shown.client_phone_number },
            guest: Person { name: &shown.guest_name, phone_number: &shown.guest_phone_number },
            hold_seconds: self.timing.hold.as_secs().max(1),
        };
        self.cms.reserve(&wanted).await
    }

    /// T03
    async fn refuse_hold(
        &self,
        record: &Record,
        owner: &str,
        refusal: (&str, &str),
    ) -> Result<Created, Problem> {
        let answer = match refusal.0 {
            "ROOM_NOT_FOUND" => {
                Answer::refused(StatusCode::NOT_FOUND, "ROOM_NOT_FOUND", "there is no such room")
            }
            "PRICE_CHANGED" => Answer::price_changed(None, Some(record.shown.total_amount)),
            _ => sold_out(),
        };
        let text = serde_json::to_string(&answer).map_err(Problem::internal)?;
        let known = Known {
            maker: Some(owner),
            refusal: Some(refusal),
            answer: Some(&text),
            ..Known::default()
        };
        self.end_create(record, Event::HoldRefused, known).await?;
        answer.into_result()
    }

    /// T02
    async fn finish_create(
        &self,
        record: &Record,
        owner: &str,
        held: &Held,
        payment: &Payment,
    ) -> Result<Created, Problem> {
        let payment_id = payment.id.to_string();
        let created = Created {
            reservation_id: record.key().to_owned(),
            status: Status::PendingPayment.code().to_owned(),
            room_name: record.shown.room_name.clone(),
            price: record.shown.total_amount,
            currency: record.shown.currency.clone(),
            hold_expires_at: read_instant(&instant(held.hold_expires_at))?,
            payment: CreatedPayment {
                payment_id,
                order_id: record.key().to_owned(),
                order_name: payment.order_name.clone(),
                amount: payment.total_amount,
                status: "READY".to_owned(),
            },
        };
        let answer = Answer::Created(created.clone());
        let text = serde_json::to_string(&answer).map_err(Problem::internal)?;
        let known = Known {
            maker: Some(owner),
            held: Some(held),
            payment: Some(payment),
            answer: Some(&text),
            ..Known::default()
        };
        let is_hold_over = held.hold_expires_at <= self.clock.now();
        self.end_create(record, Event::Created { is_hold_over }, known).await?;
        self.crash.pass("reservation.create.before_answer");
        Ok(created)
    }

    async fn end_create(
        &self,
        record: &Record,
        event: Event,
        known: Known<'_>,
    ) -> Result<(), Problem> {
        let change = Change {
            reservation_id: record.key(),
            event: &move |record, _| {
                Ok((record.shown.status == Status::Requested.code()).then_some(event))
            },
            found: Some(Box::new(record.clone())),
            known,
        };
        match self.change(change).await {
            Ok(changed) => {
                // A result that came before is found by the worker's next look.
                if changed.decision.effects.contains(&Effect::Release) {
                    self.work.notify_one();
                }
                if changed.record.shown.status == Status::Requested.code() {
                    return Err(in_progress());
                }
                Ok(())
            }
            // Somebody else goes on with it, or has ended it.
            Err(Failure::Leased | Failure::Past) => Err(in_progress()),
            Err(failure) => Err(failure.into_problem()),
        }
    }
}

fn new_record(
    member_id: i64,
    wanted: &Wanted,
    (place, room): (&PlaceDetail, &RoomDetail),
    now: &str,
) -> Result<Record, Problem> {
    let prices: Vec<_> = room
        .nights
        .iter()
        .map(|night| json!({ "date": night.date, "amount": night.price }))
        .collect();
    let shown = Row {
        reservation_id: Uuid::now_v7().to_string(),
        status: Status::Requested.code().to_owned(),
        refund_status: RefundStatus::None.code().to_owned(),
        place_id: room.place_id,
        place_name: place.place.place_name.clone(),
        room_id: room.room_id,
        room_name: room.room_name.clone(),
        check_in_date: wanted.check_in.to_string(),
        check_out_date: wanted.check_out.to_string(),
        guest_count: wanted.guest_count,
        client_name: wanted.client_name.clone(),
        client_phone_number: wanted.client_phone_number.clone(),
        guest_name: wanted.guest_name.clone(),
        guest_phone_number: wanted.guest_phone_number.clone(),
        total_amount: room.total_amount,
        currency: "KRW".to_owned(),
        hold_expires_at: None,
        cancel_requested_at: None,
        failure_code: None,
        failure_message: None,
        payment_id: None,
        payment_status: None,
        payment_method: None,
        payment_approved_at: None,
        created_at: now.to_owned(),
        updated_at: now.to_owned(),
    };
    Ok(Record {
        shown,
        member_id,
        nightly_prices: serde_json::to_string(&prices).map_err(Problem::internal)?,
        refund_id: None,
        refund_amount: None,
        refund_reason: None,
        cms_status: CmsStatus::None.code().to_owned(),
        cms_reservation_id: None,
        payment_key: None,
        charged_at: None,
        cancel_reason: None,
        approve_deadline: None,
        confirm_deadline: None,
        idempotency_key: None,
        request_hash: None,
        released_at: None,
        create_owner: None,
        create_leased_until: None,
        due_at: None,
        version: 1,
    })
}

fn sold_out() -> Answer {
    let detail = "the room cannot be had for every night of the stay";
    Answer::refused(StatusCode::CONFLICT, "ROOM_NOT_AVAILABLE", detail)
}

fn in_progress() -> Problem {
    let detail = "this reservation is being made; ask again in a moment";
    Problem::conflict("RESERVATION_IN_PROGRESS", detail).retry_after(SOON)
}

fn unavailable(error: BookingError) -> Problem {
    let detail = "the lodging system is not available; try again";
    Problem::unavailable("CMS_UNAVAILABLE", detail, SOON).caused_by(error)
}
