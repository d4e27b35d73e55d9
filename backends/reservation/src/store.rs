//! Reservations in the store.

pub(crate) mod answers;
pub(crate) mod due;
pub(crate) mod history;
pub(crate) mod record;
pub(crate) mod steps;

use serde::Serialize;
use service::code::Code;
use service::cursor::Cursor;
use service::stored::quoted;
use sqlx::{AnyPool, AssertSqlSafe, FromRow};
use utoipa::ToSchema;

use ::reservation::machine::Status;

/// Every column that an owner is shown, in the order of [`Row`].
const COLUMNS: &str = "reservation_id, status, refund_status, place_id, place_name, room_id, \
    room_name, check_in_date, check_out_date, guest_count, client_name, client_phone_number, \
    guest_name, guest_phone_number, total_amount, currency, hold_expires_at, cancel_requested_at, \
    failure_code, failure_message, payment_id, payment_status, payment_method, \
    payment_approved_at, created_at, updated_at";

/// What is stored of a reservation and shown to its owner.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Row {
    pub(crate) reservation_id: String,
    pub(crate) status: String,
    pub(crate) refund_status: String,
    pub(crate) place_id: i64,
    pub(crate) place_name: String,
    pub(crate) room_id: i64,
    pub(crate) room_name: String,
    pub(crate) check_in_date: String,
    pub(crate) check_out_date: String,
    pub(crate) guest_count: i64,
    pub(crate) client_name: String,
    pub(crate) client_phone_number: String,
    pub(crate) guest_name: String,
    pub(crate) guest_phone_number: String,
    pub(crate) total_amount: i64,
    pub(crate) currency: String,
    pub(crate) hold_expires_at: Option<String>,
    pub(crate) cancel_requested_at: Option<String>,
    pub(crate) failure_code: Option<String>,
    pub(crate) failure_message: Option<String>,
    pub(crate) payment_id: Option<String>,
    pub(crate) payment_status: Option<String>,
    pub(crate) payment_method: Option<String>,
    pub(crate) payment_approved_at: Option<String>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// Where a page of a member's reservations begins: a date or an instant, and a reservation.
pub(crate) type Position = Cursor<String, String>;

/// Which of a member's reservations, in which order.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Any when empty.
    pub(crate) statuses: Vec<Status>,
    /// Earliest first night.
    pub(crate) from: String,
    /// Latest first night.
    pub(crate) to: String,
    pub(crate) sort: Sort,
}

/// In which order; the id decides among equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReservationSort)]
pub(crate) enum Sort {
    #[serde(rename = "createdAt,desc")]
    Newest,
    #[serde(rename = "checkInDate,asc")]
    EarliestCheckIn,
    #[serde(rename = "checkInDate,desc")]
    LatestCheckIn,
}

/// How an order is written in SQL.
struct Order {
    column: &'static str,
    direction: &'static str,
    follows: &'static str,
    /// Before every value there is.
    start: &'static str,
}

/// Up to `limit` of a member's reservations after a position.
pub(crate) async fn list(
    pool: &AnyPool,
    member_id: i64,
    filter: &Filter,
    after: Option<Position>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let Order { column, direction, follows, start } = filter.sort.order();
    let statuses = if filter.statuses.is_empty() { Status::ALL } else { &filter.statuses };
    // Columns, codes and directions are constants; what a client sends is bound.
    let text = AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM reservations \
         WHERE member_id = $1 AND check_in_date BETWEEN $2 AND $3 AND status IN {} \
         AND ({column}, reservation_id) {follows} ($4, $5) \
         ORDER BY {column} {direction}, reservation_id {direction} LIMIT $6",
        quoted(statuses)
    ));
    let Cursor { key, id } =
        after.unwrap_or_else(|| Cursor { key: start.to_owned(), id: String::new() });
    sqlx::query_as(text)
        .bind(member_id)
        .bind(&filter.from)
        .bind(&filter.to)
        .bind(key)
        .bind(id)
        .bind(limit)
        .fetch_all(pool)
        .await
}

/// One of a member's reservations.
pub(crate) async fn find(
    pool: &AnyPool,
    member_id: i64,
    reservation_id: &str,
) -> Result<Option<Row>, sqlx::Error> {
    // Only column names are composed.
    let text = AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM reservations WHERE reservation_id = $1 AND member_id = $2"
    ));
    sqlx::query_as(text).bind(reservation_id).bind(member_id).fetch_optional(pool).await
}

/// How many of a member's reservations are not at their end.
pub(crate) async fn count_open(pool: &AnyPool, member_id: i64) -> Result<i64, sqlx::Error> {
    let open: Vec<_> = Status::ALL.iter().copied().filter(|status| status.is_open()).collect();
    // Only codes are composed.
    let text = AssertSqlSafe(format!(
        "SELECT count(*) FROM reservations WHERE member_id = $1 AND status IN {}",
        quoted(&open)
    ));
    sqlx::query_scalar(text).bind(member_id).fetch_one(pool).await
}

impl Row {
    /// Where the list goes on after this row.
    pub(crate) fn position(&self, sort: Sort) -> Position {
        let key = match sort {
            Sort::Newest => &self.created_at,
            Sort::EarliestCheckIn | Sort::LatestCheckIn => &self.check_in_date,
        };
        Cursor { key: key.clone(), id: self.reservation_id.clone() }
    }
}

impl Sort {
    fn order(self) -> Order {
        let (column, direction) = match self {
            Self::Newest => ("created_at", "DESC"),
            Self::EarliestCheckIn => ("check_in_date", "ASC"),
            Self::LatestCheckIn => ("check_in_date", "DESC"),
        };
        let (follows, start) = if direction == "ASC" { (">", "0000") } else { ("<", "9999-99") };
        Order { column, direction, follows, start }
    }
}

impl Code for Sort {
    const ALL: &'static [Self] = &[Self::Newest, Self::EarliestCheckIn, Self::LatestCheckIn];

    fn code(self) -> &'static str {
        match self {
            Self::Newest => "createdAt,desc",
            Self::EarliestCheckIn => "checkInDate,asc",
            Self::LatestCheckIn => "checkInDate,desc",
        }
    }
}

#[cfg(test)]
mod tests {
    use service::testing::check_codes;

    use super::*;

    #[test]
    fn codes_are_those_of_the_api() {
        check_codes::<Sort>();
    }
}
