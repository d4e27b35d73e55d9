//! Holds and bookings in the store: each call is one transaction that reads the state, decides
//! ([`cms::hold`]) and writes state, nights and history.

use std::time::Duration;

use axum::http::StatusCode;
use cms::hold::{Call, Nights, Outcome, Refusal, Status, decide, nights as effect};
use jiff::Timestamp;
use service::app::Shared;
use service::clock::after;
use service::code::Code;
use service::date;
use service::problem::{FieldError, Problem};
use service::stored::{instant, is_taken, read, read_code, unreadable};
use sqlx::{AnyConnection, AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::catalogue::{Catalogue, Room, Shelf};
use crate::nights;
use crate::order::Order;
use crate::price::Night;
use crate::stay::Stay;

/// How often a call begins anew because another one was faster.
const ATTEMPTS: usize = 5;
/// How many overdue holds are looked up at once.
const SWEPT_AT_ONCE: usize = 500;

/// Holds and bookings; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Bookings {
    pub(crate) shelf: Shelf,
    pub(crate) shared: Shared,
    /// How long nights are held unless told.
    pub(crate) hold: Duration,
}

/// A reservation as it is stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Booking {
    pub(crate) cms_reservation_id: String,
    pub(crate) external_id: String,
    pub(crate) room_id: Option<i64>,
    pub(crate) check_in: Option<String>,
    pub(crate) check_out: Option<String>,
    pub(crate) guest_count: Option<i64>,
    pub(crate) amount: Option<i64>,
    people: Option<String>,
    pub(crate) status: String,
    pub(crate) hold_expires_at: Option<String>,
    pub(crate) paid_at: Option<String>,
    pub(crate) payment_ref: Option<String>,
    pub(crate) version: i64,
}

/// A call for a reservation that may be there.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Approve,
    Complete { payment_ref: String, amount: i64, paid_at: Timestamp },
    Cancel { reason: String, code: String },
}

/// One transaction.
#[derive(Debug, Clone, Copy)]
enum Task<'a> {
    Reserve { order: &'a Order, is_over: bool },
    Call { external_id: &'a str, ask: &'a Ask, is_over: bool },
    Expire { external_id: &'a str, is_over: bool },
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) booking: Booking,
    /// Whether it is new.
    pub(crate) is_new: bool,
}

/// Why a transaction is given up.
enum Aborted {
    /// Another call changed the same reservation; this one begins anew.
    Overtaken,
    Problem(Problem),
}

type Step<T> = Result<T, Aborted>;

impl From<sqlx::Error> for Aborted {
    fn from(error: sqlx::Error) -> Self {
        Self::Problem(error.into())
    }
}

impl From<Problem> for Aborted {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Refusal> for Aborted {
    fn from(refusal: Refusal) -> Self {
        Self::Problem(explain(refusal))
    }
}

impl Bookings {
    /// Holds the nights of an order, once for each external id; `is_over` treats the hold it has as
    /// run out.
    pub(crate) async fn reserve(&self, order: &Order, is_over: bool) -> Result<Done, Problem> {
        self.carry_out(Task::Reserve { order, is_over }).await
    }

    /// Approves, completes or cancels; `is_over` treats its hold as run out.
    pub(crate) async fn call(
        &self,
        external_id: &str,
        ask: &Ask,
        is_over: bool,
    ) -> Result<Done, Problem> {
        self.carry_out(Task::Call { external_id, ask, is_over }).await
    }

    /// One reservation as it is now; `is_over` treats its hold as run out.
    pub(crate) async fn find(&self, external_id: &str, is_over: bool) -> Result<Booking, Problem> {
        let mut connection = self.shared.database.pool().acquire().await?;
        let booking = load(&mut connection, external_id).await?;
        let booking = booking.ok_or_else(|| explain(Refusal::Unknown))?;
        if !is_over && !self.is_overdue(&booking)? {
            return Ok(booking);
        }
        drop(connection);
        Ok(self.carry_out(Task::Expire { external_id, is_over }).await?.booking)
    }

    /// Lets all holds go whose deadline passed; how many.
    pub(crate) async fn sweep(&self) -> Result<usize, Problem> {
        let mut count = 0;
        loop {
            let some = self.sweep_some().await?;
            count += some;
            if some < SWEPT_AT_ONCE {
                return Ok(count);
            }
        }
    }

    async fn sweep_some(&self) -> Result<usize, Problem> {
        let overdue: Vec<String> = sqlx::query_scalar(
            "SELECT external_id FROM reservations WHERE status = 'HELD' AND hold_expires_at <= $1 \
             ORDER BY hold_expires_at LIMIT $2",
        )
        .bind(instant(self.shared.clock.now()))
        .bind(i64::try_from(SWEPT_AT_ONCE).unwrap_or(i64::MAX))
        .fetch_all(self.shared.database.pool())
        .await?;
        for external_id in &overdue {
            self.carry_out(Task::Expire { external_id, is_over: false }).await?;
        }
        Ok(overdue.len())
    }

    /// Begins anew when another call was faster.
    async fn carry_out(&self, task: Task<'_>) -> Result<Done, Problem> {
        for _ in 0..ATTEMPTS {
            let attempt = match task {
                Task::Reserve { order, is_over } => self.try_reserve(order, is_over).await,
                Task::Call { external_id, ask, is_over } => {
                    self.try_call(external_id, ask, is_over).await
                }
                Task::Expire { external_id, is_over } => {
                    self.try_expire(external_id, is_over).await
                }
            };
            match attempt {
                Ok(done) => return Ok(done),
                Err(Aborted::Problem(problem)) => return Err(problem),
                Err(Aborted::Overtaken) => {}
            }
        }
        Err(Problem::concurrent())
    }

    async fn try_reserve(&self, order: &Order, is_over: bool) -> Step<Done> {
        let mut transaction = self.shared.database.write().await?;
        let known = self.current(&mut transaction, &order.external_id, is_over).await?;
        let is_same = known.as_ref().is_some_and(|known| known.is_for(order));
        let status = known.as_ref().map(Booking::status).transpose()?;
        let booking = match decide(status, Call::Reserve { is_same }) {
            Outcome::Refused(refusal) => {
                // An overdue hold was let go by this.
                transaction.commit().await?;
                return Err(refusal.into());
            }
            Outcome::Stays => {
                transaction.commit().await?;
                return known
                    .map(|booking| Done { booking, is_new: false })
                    .ok_or(Aborted::Overtaken);
            }
            Outcome::Becomes(_) => self.hold(&mut transaction, order).await?,
        };
        transaction.commit().await?;
        Ok(Done { booking, is_new: true })
    }

    async fn hold(&self, connection: &mut AnyConnection, order: &Order) -> Step<Booking> {
        let now = self.shared.clock.now();
        order.check_horizon(self.shared.clock.today())?;
        let amount = self.price(order)?;
        let until = after(now, order.hold.unwrap_or(self.hold));
        let booking = Booking {
            cms_reservation_id: Uuid::now_v7().to_string(),
            external_id: order.external_id.clone(),
            room_id: Some(order.room_id),
            check_in: Some(order.stay.check_in.to_string()),
            check_out: Some(order.stay.check_out.to_string()),
            guest_count: Some(order.guest_count),
            amount: Some(amount),
            people: Some(order.people()),
            status: Status::Held.code().to_owned(),
            hold_expires_at: Some(instant(until)),
            paid_at: None,
            payment_ref: None,
            version: 1,
        };
        if !insert(connection, &booking, now).await? {
            return Err(Aborted::Overtaken);
        }
        let taken = "another guest has the room on one of these nights";
        let nights = order.stay.nights().count();
        let held = nights::hold(connection, &order.external_id, order.room_id, order.stay).await;
        let held = held.map_err(|error| {
            if is_taken(&error) {
                let room_id = order.room_id;
                tracing::error!(room_id, %error, "a night that is taken was thought to be open");
                return Problem::conflict("ROOM_NOT_AVAILABLE", taken).into();
            }
            Aborted::from(error)
        })?;
        if usize::try_from(held) != Ok(nights) {
            return Err(Problem::conflict("ROOM_NOT_AVAILABLE", taken).into());
        }
        note(connection, &booking, None, "reserve", now).await?;
        Ok(booking)
    }

    /// What the stay costs; refused unless the room is there and open, takes the guests, and the
    /// caller knows the price.
    fn price(&self, order: &Order) -> Result<i64, Problem> {
        let missing = || {
            let detail = format!("there is no room {}", order.room_id);
            Problem::not_found("ROOM_NOT_FOUND", detail)
        };
        let catalogue = self.shelf.catalogue();
        let (lodging, room) = catalogue.room(order.room_id).ok_or_else(missing)?;
        if !lodging.is_open || !room.is_open {
            return Err(Problem::conflict("ROOM_NOT_AVAILABLE", "the room is closed"));
        }
        if order.guest_count > room.max_capacity {
            return Err(Problem::invalid(vec![FieldError {
                field: "guestCount".to_owned(),
                reason: format!("must be at most {}", room.max_capacity),
                rejected: Some(order.guest_count.to_string()),
            }]));
        }
        let amount = price_of(&catalogue, room, order.stay);
        if amount != order.amount {
            let detail = format!("the stay costs {amount} KRW");
            let told = FieldError {
                field: "amount".to_owned(),
                reason: format!("must be {amount}"),
                rejected: Some(order.amount.to_string()),
            };
            return Err(Problem::conflict("PRICE_CHANGED", detail).about(told));
        }
        Ok(amount)
    }

    async fn try_call(&self, external_id: &str, ask: &Ask, is_over: bool) -> Step<Done> {
        let mut transaction = self.shared.database.write().await?;
        let known = self.current(&mut transaction, external_id, is_over).await?;
        let status = known.as_ref().map(Booking::status).transpose()?;
        let call = match ask {
            Ask::Approve => Call::Approve,
            Ask::Complete { amount, .. } => Call::Complete {
                is_amount: known.as_ref().is_some_and(|known| known.amount == Some(*amount)),
            },
            Ask::Cancel { .. } => Call::Cancel,
        };
        let done = match (decide(status, call), known) {
            (Outcome::Refused(refusal), _) => {
                transaction.commit().await?;
                return Err(refusal.into());
            }
            (Outcome::Stays, Some(booking)) => Done { booking, is_new: false },
            (Outcome::Becomes(to), Some(booking)) => {
                let booking = self.turn_into(&mut transaction, booking, to, ask.cause()).await?;
                self.keep_details(&mut transaction, &booking, ask).await?;
                Done { booking, is_new: false }
            }
            (Outcome::Becomes(_) | Outcome::Stays, None) => {
                let booking = self.bury(&mut transaction, external_id).await?;
                self.keep_details(&mut transaction, &booking, ask).await?;
                Done { booking, is_new: true }
            }
        };
        transaction.commit().await?;
        Ok(done)
    }

    async fn try_expire(&self, external_id: &str, is_over: bool) -> Step<Done> {
        let mut transaction = self.shared.database.write().await?;
        let booking = self.current(&mut transaction, external_id, is_over).await?;
        transaction.commit().await?;
        booking.map(|booking| Done { booking, is_new: false }).ok_or(Aborted::Overtaken)
    }

    /// A reservation as it is now: a hold whose deadline passed is let go first.
    async fn current(
        &self,
        connection: &mut AnyConnection,
        external_id: &str,
        is_over: bool,
    ) -> Step<Option<Booking>> {
        let Some(booking) = load(connection, external_id).await? else { return Ok(None) };
        if !is_over && !self.is_overdue(&booking)? {
            return Ok(Some(booking));
        }
        match decide(Some(booking.status()?), Call::Deadline) {
            Outcome::Becomes(to) => {
                self.turn_into(connection, booking, to, "deadline").await.map(Some)
            }
            Outcome::Stays | Outcome::Refused(_) => Ok(Some(booking)),
        }
    }

    fn is_overdue(&self, booking: &Booking) -> Result<bool, sqlx::Error> {
        let Some(until) = &booking.hold_expires_at else { return Ok(false) };
        Ok(booking.status()? == Status::Held
            && read::<Timestamp>(until)? <= self.shared.clock.now())
    }

    /// Writes a change of state with what becomes of the nights.
    async fn turn_into(
        &self,
        connection: &mut AnyConnection,
        booking: Booking,
        to: Status,
        cause: &str,
    ) -> Step<Booking> {
        let from = booking.status()?;
        let now = self.shared.clock.now();
        let changed = sqlx::query(
            "UPDATE reservations SET status = $1, version = version + 1, updated_at = $2 \
             WHERE external_id = $3 AND version = $4",
        )
        .bind(to.code())
        .bind(instant(now))
        .bind(&booking.external_id)
        .bind(booking.version)
        .execute(&mut *connection)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(Aborted::Overtaken);
        }
        if let Some((room_id, stay)) = booking.place()? {
            let id = &booking.external_id;
            match effect(Some(from), to) {
                Nights::Book => nights::book(connection, id, room_id, stay).await?,
                Nights::Free => nights::free(connection, id, room_id, stay).await?,
                Nights::Hold | Nights::Keep => {}
            }
        }
        let version = booking.version + 1;
        let booking = Booking { status: to.code().to_owned(), version, ..booking };
        note(connection, &booking, Some(from), cause, now).await?;
        Ok(booking)
    }

    /// Remembers that a reservation was cancelled which has not come yet.
    async fn bury(&self, connection: &mut AnyConnection, external_id: &str) -> Step<Booking> {
        let now = self.shared.clock.now();
        let booking = Booking {
            cms_reservation_id: Uuid::now_v7().to_string(),
            external_id: external_id.to_owned(),
            room_id: None,
            check_in: None,
            check_out: None,
            guest_count: None,
            amount: None,
            people: None,
            status: Status::Cancelled.code().to_owned(),
            hold_expires_at: None,
            paid_at: None,
            payment_ref: None,
            version: 1,
        };
        if !insert(connection, &booking, now).await? {
            return Err(Aborted::Overtaken);
        }
        note(connection, &booking, None, "cancel", now).await?;
        Ok(booking)
    }

    async fn keep_details(
        &self,
        connection: &mut AnyConnection,
        booking: &Booking,
        ask: &Ask,
    ) -> Result<(), sqlx::Error> {
        match ask {
            Ask::Approve => Ok(()),
            Ask::Complete { payment_ref, paid_at, .. } => sqlx::query(
                "UPDATE reservations SET payment_ref = $1, paid_at = $2 WHERE external_id = $3",
            )
            .bind(payment_ref)
            .bind(instant(*paid_at))
            .bind(&booking.external_id)
            .execute(connection)
            .await
            .map(drop),
            Ask::Cancel { reason, code } => sqlx::query(
                "UPDATE reservations SET cancel_reason = $1, cancel_reason_code = $2 \
                 WHERE external_id = $3",
            )
            .bind(reason)
            .bind(code)
            .bind(&booking.external_id)
            .execute(connection)
            .await
            .map(drop),
        }
    }
}

impl Ask {
    fn cause(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Complete { .. } => "payment-complete",
            Self::Cancel { .. } => "cancel",
        }
    }
}

impl Booking {
    /// Its state.
    pub(crate) fn status(&self) -> Result<Status, sqlx::Error> {
        read_code(&self.status)
    }

    /// Its room and nights; a tombstone has none.
    fn place(&self) -> Result<Option<(i64, Stay)>, sqlx::Error> {
        let (Some(room_id), Some(check_in), Some(check_out)) =
            (self.room_id, &self.check_in, &self.check_out)
        else {
            return Ok(None);
        };
        let day = |text: &str| date::parse(text).ok_or_else(|| unreadable(text));
        Ok(Some((room_id, Stay { check_in: day(check_in)?, check_out: day(check_out)? })))
    }

    fn is_for(&self, order: &Order) -> bool {
        let Stay { check_in, check_out } = order.stay;
        self.room_id == Some(order.room_id)
            && self.check_in.as_deref() == Some(&check_in.to_string())
            && self.check_out.as_deref() == Some(&check_out.to_string())
            && self.guest_count == Some(order.guest_count)
            && self.amount == Some(order.amount)
            && self.people == Some(order.people())
    }
}

fn price_of(catalogue: &Catalogue, room: &Room, stay: Stay) -> i64 {
    let night = |date| Night::new(date).price(catalogue.seed, room.id, room.base_price);
    stay.nights().map(night).sum()
}

const COLUMNS: &str = "cms_reservation_id, external_id, room_id, check_in, check_out, guest_count, \
    amount, people, status, hold_expires_at, paid_at, payment_ref, version";

async fn load(
    connection: &mut AnyConnection,
    external_id: &str,
) -> Result<Option<Booking>, sqlx::Error> {
    // Only column names are composed.
    let text = format!("SELECT {COLUMNS} FROM reservations WHERE external_id = $1");
    let row = sqlx::query_as(AssertSqlSafe(text)).bind(external_id.to_owned());
    row.fetch_optional(connection).await
}

/// Writes a reservation unless its external id is taken; whether it did.
async fn insert(
    connection: &mut AnyConnection,
    booking: &Booking,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO reservations (cms_reservation_id, external_id, room_id, check_in, check_out, \
         guest_count, amount, status, hold_expires_at, people, version, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $11) \
         ON CONFLICT (external_id) DO NOTHING",
    )
    .bind(&booking.cms_reservation_id)
    .bind(&booking.external_id)
    .bind(booking.room_id)
    .bind(booking.check_in.as_deref())
    .bind(booking.check_out.as_deref())
    .bind(booking.guest_count)
    .bind(booking.amount)
    .bind(&booking.status)
    .bind(booking.hold_expires_at.as_deref())
    .bind(booking.people.as_deref())
    .bind(instant(now));
    Ok(inserted.execute(connection).await?.rows_affected() == 1)
}

/// One line of history.
async fn note(
    connection: &mut AnyConnection,
    booking: &Booking,
    from: Option<Status>,
    cause: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO reservations_history (external_id, seq, from_status, to_status, cause, at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&booking.external_id)
    .bind(booking.version)
    .bind(from.map(Code::code))
    .bind(&booking.status)
    .bind(cause)
    .bind(instant(now))
    .execute(connection)
    .await
    .map(drop)
}

fn explain(refusal: Refusal) -> Problem {
    let (status, detail) = match refusal {
        Refusal::Unknown => (StatusCode::NOT_FOUND, "there is no such reservation"),
        Refusal::ExternalIdConflict => {
            (StatusCode::CONFLICT, "the external id belongs to another reservation")
        }
        Refusal::HoldExpired => (StatusCode::CONFLICT, "the time of the hold is over"),
        Refusal::ReservationCancelled => (StatusCode::CONFLICT, "the reservation was cancelled"),
        Refusal::NotApproved => (StatusCode::CONFLICT, "the reservation is not approved"),
        Refusal::AmountMismatch => (StatusCode::CONFLICT, "the reservation costs another amount"),
    };
    Problem::new(status, refusal.code(), detail)
}

#[cfg(test)]
pub(crate) mod tests;
