//! The embedded log: one `SQLite` file that the processes of one machine share (7.8).
//!
//! | file           | holds                                                              |
//! |----------------|--------------------------------------------------------------------|
//! | `writer`       | the one connection that writes, a transaction for many jobs         |
//! | `group`        | members, shares, commits                                           |
//! | `assignment`   | who works on what                                                  |
//! | `session`      | a member at work                                                   |
//! | `partitioner`  | where a key goes                                                   |
//!
//! It is never attached to the store of a service (L6).

mod assignment;
mod group;
mod partitioner;
mod session;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use service::clock::Clock;
use service::code::Code;
use service::timing::Timing;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub(crate) use self::session::{LogCommitter, Session};
use self::writer::{Asked, Job, NewTopic, Outcome};
use crate::broker::{BrokerError, Placed, Record, Slot};
use crate::pause;
use crate::topic::{DEAD_LETTERS_KEPT, Topic};

const SCHEMA: &str = include_str!("log/schema.sql");
const SCHEMA_VERSION: i64 = 1;
/// How often it is looked whether other processes have written.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const PURGE_EVERY: Duration = Duration::from_mins(1);
/// Between attempts at opening a file that others are just making.
const OPEN_PAUSE: Duration = Duration::from_millis(20);
/// Jobs that wait for the writer; whoever comes then waits, too.
const JOBS_WAITING: usize = 1024;

/// The log as one process sees it; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    readers: SqlitePool,
    jobs: mpsc::Sender<Asked>,
    changes: watch::Sender<()>,
    _tasks: JoinSet<()>,
}

impl Log {
    /// Opens the file, and makes it and every topic where they are missing.
    pub(crate) async fn open(
        path: &Path,
        timing: &Timing,
        clock: Clock,
    ) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(timing.log_busy)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut writer = prepared(&options, timing.log_busy).await?;
        make_topics(&mut writer).await?;
        let looker = options.connect().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(timing.log_busy)
            .connect_with(options)
            .await?;
        let (jobs, asked) = mpsc::channel(JOBS_WAITING);
        let (changes, _) = watch::channel(());
        let mut tasks = JoinSet::new();
        tasks.spawn(writer::run(writer, asked, clock));
        tasks.spawn(look(looker, changes.clone()));
        tasks.spawn(purge(jobs.downgrade()));
        Ok(Self(Arc::new(Inner { readers, jobs, changes, _tasks: tasks })))
    }

    /// Publishes all records or none; they are there for good when it returns (L1).
    pub(crate) async fn publish(&self, records: Vec<Record>) -> Result<(), BrokerError> {
        self.ask(Job::Publish(records)).await.map(drop)
    }

    /// Records of a partition, the oldest first.
    pub(crate) async fn read(
        &self,
        slot: &Slot,
        from: i64,
        limit: usize,
    ) -> Result<Vec<Placed>, BrokerError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT place, record_key, headers, body FROM records
             WHERE topic = $1 AND partition = $2 AND place >= $3 ORDER BY place LIMIT $4",
        )
        .bind(&*slot.topic)
        .bind(slot.partition)
        .bind(from)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.0.readers)
        .await
        .map_err(BrokerError::outage)?;
        rows.into_iter().map(|row| placed(slot, row)).collect()
    }

    /// Waits until everything that was asked for is done.
    pub(crate) async fn flush(&self) -> Result<(), BrokerError> {
        self.ask(Job::Flush).await.map(drop)
    }

    async fn ask(&self, job: Job) -> Result<Outcome, BrokerError> {
        let (reply, answer) = oneshot::channel();
        let asked = Asked { job, reply };
        self.0.jobs.send(asked).await.map_err(|_| BrokerError::outage(WriterGone))?;
        answer.await.map_err(|_| BrokerError::outage(WriterGone))?
    }

    /// Asks without waiting for an answer; what cannot be taken now is not done.
    fn ask_without_waiting(&self, job: Job) {
        let (reply, _) = oneshot::channel();
        if self.0.jobs.try_send(Asked { job, reply }).is_err() {
            tracing::debug!("the log is too busy to be told");
        }
    }
}

/// Offset, key, headers and body of a record.
type Row = (i64, Option<Vec<u8>>, String, Vec<u8>);

/// The task that writes has ended: it panicked.
#[derive(Debug, thiserror::Error)]
#[error("nothing writes to the log any more")]
struct WriterGone;

fn placed(slot: &Slot, (offset, key, headers, body): Row) -> Result<Placed, BrokerError> {
    let headers = serde_json::from_str(&headers).map_err(BrokerError::outage)?;
    let record = Record { topic: slot.topic.as_ref().to_owned(), key, headers, body };
    Ok(Placed { partition: slot.partition, offset, record })
}

/// A connection to a file with a schema. Where several processes make the file at once, some are
/// refused without having waited.
async fn prepared(
    options: &SqliteConnectOptions,
    limit: Duration,
) -> Result<SqliteConnection, sqlx::Error> {
    let deadline = Instant::now() + limit;
    loop {
        match prepare(options).await {
            Err(error) if is_busy(&error) && Instant::now() < deadline => pause(OPEN_PAUSE).await,
            outcome => return outcome,
        }
    }
}

async fn prepare(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    if version(&mut connection).await? == SCHEMA_VERSION {
        return Ok(connection);
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if version(&mut transaction).await? != SCHEMA_VERSION {
        sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
        sqlx::query("PRAGMA user_version = 1").execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(connection)
}

async fn version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("PRAGMA user_version").fetch_one(connection).await
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    // The lower byte of SQLite's extended codes: BUSY and LOCKED.
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

async fn make_topics(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let known: Vec<String> =
        sqlx::query_scalar("SELECT name FROM topics").fetch_all(&mut *connection).await?;
    let missing: Vec<_> = topics().filter(|topic| !known.contains(&topic.name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    writer::create_topics(&mut transaction, &missing).await?;
    transaction.commit().await
}

fn topics() -> impl Iterator<Item = NewTopic> {
    let topic = |name: String, partitions, kept: Duration| NewTopic {
        name,
        partitions,
        retention_ms: i64::try_from(kept.as_millis()).unwrap_or(i64::MAX),
    };
    Topic::ALL.iter().flat_map(move |each| {
        [
            topic(each.name().to_owned(), each.partitions(), each.retention()),
            topic(each.dead_letters(), 1, DEAD_LETTERS_KEPT),
        ]
    })
}

/// Tells the members at work here when any process has written.
async fn look(mut connection: SqliteConnection, changes: watch::Sender<()>) {
    let mut last = None;
    loop {
        pause(LOOK_EVERY).await;
        if changes.receiver_count() == 0 {
            continue;
        }
        let version: Result<i64, _> =
            sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut connection).await;
        // What cannot be told may have changed.
        let version = version.ok();
        if version.is_none() || version != last {
            last = version;
            changes.send_replace(());
        }
    }
}

async fn purge(jobs: mpsc::WeakSender<Asked>) {
    loop {
        pause(PURGE_EVERY).await;
        let Some(jobs) = jobs.upgrade() else { return };
        let (reply, answer) = oneshot::channel();
        if jobs.send(Asked { job: Job::Purge, reply }).await.is_err() {
            return;
        }
        drop(jobs);
        if let Ok(Err(error)) = answer.await {
            tracing::warn!(%error, "old records could not be deleted");
        }
    }
}

#[cfg(test)]
mod tests;
