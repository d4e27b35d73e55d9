//! The one connection of this process that writes to the log.
//!
//! What is asked for while a transaction is under way waits, and goes into the next one together: one
//! `fsync` for all of it (L1).

use std::collections::HashMap;
use std::sync::Arc;

use service::clock::Clock;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::group::{self, Membership};
use super::partitioner::partition_of;
use crate::broker::{BrokerError, Record, Slot};

/// How much goes into one transaction.
const JOBS_AT_ONCE: usize = 64;

/// What is asked of the log.
#[derive(Debug)]
pub(super) enum Job {
    Publish(Vec<Record>),
    Beat(Beat),
    Commit(Commit),
    Leave {
        group: Arc<str>,
        member: Arc<str>,
        session: Uuid,
    },
    /// Deletes records that are kept no longer.
    Purge,
    /// Nothing: it is answered when everything before it is done.
    Flush,
    /// The disk is full from this page on.
    #[cfg(test)]
    LimitPages(u32),
}

#[derive(Debug, Clone)]
pub(super) struct NewTopic {
    pub(super) name: String,
    pub(super) partitions: i32,
    pub(super) retention_ms: i64,
}

/// A member's sign of life.
#[derive(Debug, Clone)]
pub(super) struct Beat {
    pub(super) group: Arc<str>,
    pub(super) member: Arc<str>,
    pub(super) session: Uuid,
    /// Whether this session takes the member's place, whoever had it.
    pub(super) is_first: bool,
    pub(super) topics: Arc<[&'static str]>,
    /// What it has let go.
    pub(super) released: Vec<Slot>,
    /// How long a member may be silent, in milliseconds.
    pub(super) lease_ms: i64,
}

/// Everything before `offset` has been handled.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    pub(super) group: Arc<str>,
    pub(super) member: Arc<str>,
    pub(super) session: Uuid,
    pub(super) generation: i64,
    pub(super) slot: Slot,
    pub(super) offset: i64,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    Done,
    Joined(Membership),
}

pub(super) type Answer = Result<Outcome, BrokerError>;

/// A job, and who waits for it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) job: Job,
    pub(super) reply: oneshot::Sender<Answer>,
}

/// Does what is asked until nobody can ask any more.
pub(super) async fn run(
    mut connection: SqliteConnection,
    mut asked: mpsc::Receiver<Asked>,
    clock: Clock,
) {
    let mut batch = Vec::new();
    while asked.recv_many(&mut batch, JOBS_AT_ONCE).await > 0 {
        // Who has given up gets nothing done any more: a heartbeat of the past would be a lie.
        batch.retain(|asked| !asked.reply.is_closed() || matches!(asked.job, Job::Leave { .. }));
        let (jobs, replies): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|asked| (asked.job, asked.reply)).unzip();
        if jobs.is_empty() {
            continue;
        }
        let answers = transact(&mut connection, jobs, &clock).await;
        let failed = answers.as_ref().err().map(Arc::clone);
        let mut answers = answers.unwrap_or_default().into_iter();
        for reply in replies {
            let outage = || {
                failed.clone().map_or(Ok(Outcome::Done), |error| Err(BrokerError::Outage(error)))
            };
            // Nobody waits any more.
            drop(reply.send(answers.next().unwrap_or_else(outage)));
        }
    }
}

/// All of it or nothing.
async fn transact(
    connection: &mut SqliteConnection,
    jobs: Vec<Job>,
    clock: &Clock,
) -> Result<Vec<Answer>, Arc<sqlx::Error>> {
    let outcome = work_through(connection, jobs, clock).await;
    if outcome.is_err() {
        // It fails where SQLite has rolled back by itself, as it does when the disk is full.
        drop(sqlx::query("ROLLBACK").execute(connection).await);
    }
    outcome.map_err(Arc::new)
}

/// Not by way of [`sqlx::Transaction`], which cannot go on after `SQLite` has rolled back by itself.
async fn work_through(
    connection: &mut SqliteConnection,
    jobs: Vec<Job>,
    clock: &Clock,
) -> Result<Vec<Answer>, sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    // After the lock is there: waiting for it takes time.
    let now_ms = clock.now().as_millisecond();
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        answers.push(work(&mut *connection, job, now_ms).await?);
    }
    sqlx::query("COMMIT").execute(connection).await?;
    Ok(answers)
}

async fn work(
    connection: &mut SqliteConnection,
    job: Job,
    now_ms: i64,
) -> Result<Answer, sqlx::Error> {
    match job {
        Job::Publish(records) => publish(connection, records, now_ms).await,
        Job::Beat(beat) => Ok(group::beat(connection, &beat, now_ms).await?.map(Outcome::Joined)),
        Job::Commit(commit) => {
            Ok(group::commit(connection, &commit).await?.map(|()| Outcome::Done))
        }
        Job::Leave { group, member, session } => {
            group::leave(connection, &group, &member, session).await.map(|()| Ok(Outcome::Done))
        }
        Job::Purge => purge(connection, now_ms).await.map(|()| Ok(Outcome::Done)),
        Job::Flush => Ok(Ok(Outcome::Done)),
        #[cfg(test)]
        Job::LimitPages(count) => {
            let statement = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {count}"));
            sqlx::query(statement).execute(connection).await.map(|_| Ok(Outcome::Done))
        }
    }
}

pub(super) async fn create_topics(
    connection: &mut SqliteConnection,
    topics: &[NewTopic],
) -> Result<(), sqlx::Error> {
    for topic in topics {
        let made = sqlx::query(
            "INSERT INTO topics (name, partitions, retention_ms) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(&topic.name)
        .bind(topic.partitions)
        .bind(topic.retention_ms)
        .execute(&mut *connection)
        .await?;
        if made.rows_affected() == 0 {
            continue;
        }
        for partition in 0..topic.partitions {
            sqlx::query(
                "INSERT INTO partitions (topic, partition, first_offset, next_offset)
                 VALUES ($1, $2, 0, 0)",
            )
            .bind(&topic.name)
            .bind(partition)
            .execute(&mut *connection)
            .await?;
        }
    }
    Ok(())
}

async fn publish(
    connection: &mut SqliteConnection,
    records: Vec<Record>,
    now_ms: i64,
) -> Result<Answer, sqlx::Error> {
    let mut counts = HashMap::new();
    for record in &records {
        if counts.contains_key(&record.topic) {
            continue;
        }
        let count: Option<i32> =
            sqlx::query_scalar("SELECT partitions FROM topics WHERE name = $1")
                .bind(&record.topic)
                .fetch_optional(&mut *connection)
                .await?;
        // Nothing of a batch is there unless all of it is.
        let Some(count) = count else {
            return Ok(Err(BrokerError::UnknownTopic(record.topic.clone())));
        };
        counts.insert(record.topic.clone(), count);
    }
    for record in records {
        let count = counts.get(&record.topic).copied().unwrap_or(1);
        append(connection, record, count, now_ms).await?;
    }
    Ok(Ok(Outcome::Done))
}

async fn append(
    connection: &mut SqliteConnection,
    record: Record,
    partitions: i32,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let partition = partition_of(record.key.as_deref(), partitions);
    let place: i64 = sqlx::query_scalar(
        "UPDATE partitions SET next_offset = next_offset + 1
         WHERE topic = $1 AND partition = $2 RETURNING next_offset - 1",
    )
    .bind(&record.topic)
    .bind(partition)
    .fetch_one(&mut *connection)
    .await?;
    let headers = serde_json::to_string(&record.headers)
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "INSERT INTO records (topic, partition, place, record_key, headers, body, appended_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(record.topic)
    .bind(partition)
    .bind(place)
    .bind(record.key)
    .bind(headers)
    .bind(record.body)
    .bind(now_ms)
    .execute(connection)
    .await
    .map(drop)
}

/// Deletes what is older than its topic keeps.
async fn purge(connection: &mut SqliteConnection, now_ms: i64) -> Result<(), sqlx::Error> {
    let grown: Vec<(String, i32, i64)> = sqlx::query_as(
        "SELECT topic, partition, kept FROM (
             SELECT p.topic, p.partition, p.first_offset, COALESCE(
                 (SELECT r.place FROM records r
                  WHERE r.topic = p.topic AND r.partition = p.partition
                      AND r.appended_ms >= $1 - t.retention_ms
                  ORDER BY r.place LIMIT 1),
                 p.next_offset) AS kept
             FROM partitions p JOIN topics t ON t.name = p.topic)
         WHERE kept > first_offset",
    )
    .bind(now_ms)
    .fetch_all(&mut *connection)
    .await?;
    for (topic, partition, kept) in grown {
        for statement in [
            "DELETE FROM records WHERE topic = $1 AND partition = $2 AND place < $3",
            "UPDATE partitions SET first_offset = $3 WHERE topic = $1 AND partition = $2",
        ] {
            sqlx::query(statement)
                .bind(&topic)
                .bind(partition)
                .bind(kept)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}
