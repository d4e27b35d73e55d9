//! Notifications and preferences in the store.

pub(crate) mod delivery;

use jiff::Timestamp;
use service::code::Code;
use service::cursor::Cursor;
use service::database::Database;
use service::stored::{instant, quoted};
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Executor, FromRow};

use crate::code::{Channel, Kind, Status};

/// Every column that a member is shown, in the order of [`Row`].
const COLUMNS: &str = "notification_id, kind, template_code, channel, destination, \
    rendered_title, rendered_body, status, sent_at, read_at, created_at";

/// What is stored of a notification and shown to its member.
#[derive(Debug, FromRow)]
pub(crate) struct Row {
    pub(crate) notification_id: String,
    pub(crate) kind: String,
    pub(crate) template_code: String,
    pub(crate) channel: String,
    pub(crate) destination: Option<String>,
    pub(crate) rendered_title: Option<String>,
    pub(crate) rendered_body: Option<String>,
    pub(crate) status: String,
    pub(crate) sent_at: Option<String>,
    pub(crate) read_at: Option<String>,
    pub(crate) created_at: String,
}

/// Where a page begins: when a notification was made, and which.
pub(crate) type Position = Cursor<String, String>;

/// Which of a member's notifications.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) kind: Option<Kind>,
    pub(crate) status: Option<Status>,
}

/// A choice of a member; where there is none the channel's default holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) kind: Kind,
    pub(crate) channel: Channel,
    pub(crate) is_on: bool,
}

impl Row {
    /// Where the list goes on after this row.
    pub(crate) fn position(&self) -> Position {
        Cursor { key: self.created_at.clone(), id: self.notification_id.clone() }
    }
}

/// Up to `limit` of a member's notifications after a position, the newest first.
pub(crate) async fn list(
    pool: &AnyPool,
    member_id: i64,
    filter: &Filter,
    after: Option<Position>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let kinds = filter.kind.map_or_else(|| quoted(Kind::ALL), |kind| quoted(&[kind]));
    let statuses = filter.status.map_or_else(|| quoted(Status::ALL), |status| quoted(&[status]));
    // Columns and codes are constants; what a client sends is bound.
    let text = AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM notifications \
         WHERE member_id = $1 AND kind IN {kinds} AND status IN {statuses} \
         AND (created_at, notification_id) < ($2, $3) \
         ORDER BY created_at DESC, notification_id DESC LIMIT $4"
    ));
    // After any instant there is.
    let start = || Cursor { key: "9999-99".to_owned(), id: String::new() };
    let Cursor { key, id } = after.unwrap_or_else(start);
    sqlx::query_as(text).bind(member_id).bind(key).bind(id).bind(limit).fetch_all(pool).await
}

/// One of a member's notifications.
pub(crate) async fn find(
    pool: &AnyPool,
    member_id: i64,
    notification_id: &str,
) -> Result<Option<Row>, sqlx::Error> {
    // Only column names are composed.
    let text = AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM notifications WHERE notification_id = $1 AND member_id = $2"
    ));
    sqlx::query_as(text).bind(notification_id).bind(member_id).fetch_optional(pool).await
}

/// Every delivery that an event led to.
pub(crate) async fn of_event(pool: &AnyPool, event_id: &str) -> Result<Vec<Row>, sqlx::Error> {
    // Only column names are composed.
    let text = AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM notifications WHERE source_event_id = $1 \
         ORDER BY template_code, channel"
    ));
    sqlx::query_as(text).bind(event_id.to_owned()).fetch_all(pool).await
}

/// Notes that a member has read a notification, unless it had before; whether there is one.
///
/// The version stays: it guards the delivery, which reading does not touch.
pub(crate) async fn mark_read(
    pool: &AnyPool,
    member_id: i64,
    notification_id: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let marked = sqlx::query(
        "UPDATE notifications SET read_at = COALESCE(read_at, $1) \
         WHERE notification_id = $2 AND member_id = $3",
    )
    .bind(instant(now))
    .bind(notification_id)
    .bind(member_id)
    .execute(pool)
    .await?;
    Ok(marked.rows_affected() > 0)
}

/// Everything a member has chosen.
pub(crate) async fn choices(
    executor: impl Executor<'_, Database = Any>,
    member_id: i64,
) -> Result<Vec<Choice>, sqlx::Error> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT kind, channel, choice FROM preferences WHERE member_id = $1")
            .bind(member_id)
            .fetch_all(executor)
            .await?;
    let choices = rows.into_iter().filter_map(|(kind, channel, choice)| {
        // What this version does not know does not concern it.
        let (kind, channel) = (Kind::by_code(&kind)?, Channel::by_code(&channel)?);
        Some(Choice { kind, channel, is_on: choice == "ON" })
    });
    Ok(choices.collect())
}

/// Stores what a member chooses now; all of it or nothing.
pub(crate) async fn choose(
    database: &Database,
    member_id: i64,
    mut choices: Vec<Choice>,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    // In one order, so that two requests of a member never wait for each other.
    choices.sort_unstable_by_key(|choice| (choice.kind.code(), choice.channel.code()));
    let mut transaction = database.write().await?;
    for choice in choices {
        upsert(&mut transaction, member_id, choice, now).await?;
    }
    transaction.commit().await
}

async fn upsert(
    connection: &mut AnyConnection,
    member_id: i64,
    Choice { kind, channel, is_on }: Choice,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let stored = sqlx::query(
        "INSERT INTO preferences (member_id, kind, channel, choice, updated_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (member_id, kind, channel) \
         DO UPDATE SET choice = EXCLUDED.choice, updated_at = EXCLUDED.updated_at",
    )
    .bind(member_id)
    .bind(kind.code())
    .bind(channel.code())
    .bind(if is_on { "ON" } else { "OFF" })
    .bind(instant(now));
    stored.execute(connection).await.map(drop)
}
