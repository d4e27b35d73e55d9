//! Groups: who is in them, what each works on, and how far they are (L2, L3).

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::assignment::{Held, share_out};
use super::writer::{Beat, Commit};
use crate::broker::{BrokerError, Slot};

/// What a member works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    /// Every change of the shares raises it.
    pub(crate) generation: i64,
    pub(crate) owned: Vec<Owned>,
}

/// A partition of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) slot: Slot,
    /// The generation with which the member got it.
    pub(crate) since: i64,
    /// Whether it is to let go.
    pub(crate) is_revoking: bool,
    /// The first record that was not handled.
    pub(crate) position: i64,
}

/// Takes a sign of life, and says what the member works on.
pub(super) async fn beat(
    connection: &mut SqliteConnection,
    beat: &Beat,
    now_ms: i64,
) -> Result<Result<Membership, BrokerError>, sqlx::Error> {
    let silent_since = now_ms - beat.lease_ms;
    let known: Option<(String, i64)> = sqlx::query_as(
        "SELECT session, seen_ms FROM members WHERE consumer_group = $1 AND member = $2",
    )
    .bind(&*beat.group)
    .bind(&*beat.member)
    .fetch_optional(&mut *connection)
    .await?;
    let session = beat.session.to_string();
    let is_other = known.as_ref().is_some_and(|(other, _)| *other != session);
    let is_alive = known.is_some_and(|(_, seen)| seen >= silent_since);
    if is_other && is_alive && !beat.is_first {
        return Ok(Err(BrokerError::Replaced));
    }
    note_member(connection, beat, now_ms).await?;
    add_assignments(connection, beat).await?;
    let mut free: Vec<_> = beat.released.clone();
    if is_other {
        free.extend(held_by(connection, beat).await?);
    }
    reassign(connection, &beat.group, &free, silent_since).await?;
    membership(connection, beat).await.map(Ok)
}

async fn note_member(
    connection: &mut SqliteConnection,
    beat: &Beat,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO members (consumer_group, member, session, seen_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (consumer_group, member)
         DO UPDATE SET session = excluded.session, seen_ms = excluded.seen_ms",
    )
    .bind(&*beat.group)
    .bind(&*beat.member)
    .bind(beat.session.to_string())
    .bind(now_ms)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO consumer_groups (name, generation) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING",
    )
    .bind(&*beat.group)
    .execute(connection)
    .await
    .map(drop)
}

/// Partitions that nobody of the group has asked for before.
async fn add_assignments(
    connection: &mut SqliteConnection,
    beat: &Beat,
) -> Result<(), sqlx::Error> {
    for topic in beat.topics.iter() {
        sqlx::query(
            "INSERT INTO assignments (consumer_group, topic, partition, is_revoking, since)
             SELECT $1, topic, partition, 0, 0 FROM partitions WHERE topic = $2
             ON CONFLICT (consumer_group, topic, partition) DO NOTHING",
        )
        .bind(&*beat.group)
        .bind(*topic)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn held_by(connection: &mut SqliteConnection, beat: &Beat) -> Result<Vec<Slot>, sqlx::Error> {
    let all = assignments(connection, &beat.group).await?;
    let is_own = |held: &Held| held.by.as_deref() == Some(&*beat.member);
    Ok(all.into_iter().filter(|(_, held)| is_own(held)).map(|(slot, _)| slot).collect())
}

async fn assignments(
    connection: &mut SqliteConnection,
    group: &str,
) -> Result<BTreeMap<Slot, Held>, sqlx::Error> {
    let rows: Vec<(String, i32, Option<String>, bool)> = sqlx::query_as(
        "SELECT topic, partition, member, is_revoking FROM assignments WHERE consumer_group = $1",
    )
    .bind(group)
    .fetch_all(connection)
    .await?;
    let read = |(topic, partition, by, is_revoking): (String, i32, Option<String>, bool)| {
        (Slot { topic: topic.into(), partition }, Held { by, is_revoking })
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Shares out anew, without the members that fell silent; a change raises the generation.
async fn reassign(
    connection: &mut SqliteConnection,
    group: &str,
    free: &[Slot],
    silent_since: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM members WHERE consumer_group = $1 AND seen_ms < $2")
        .bind(group)
        .bind(silent_since)
        .execute(&mut *connection)
        .await?;
    let members: Vec<String> =
        sqlx::query_scalar("SELECT member FROM members WHERE consumer_group = $1")
            .bind(group)
            .fetch_all(&mut *connection)
            .await?;
    let before = assignments(connection, group).await?;
    let mut after = before.clone();
    for slot in free {
        after.insert(slot.clone(), Held::default());
    }
    share_out(&mut after, &BTreeSet::from_iter(members));
    let is_freed = |slot: &Slot| free.contains(slot);
    let changed: Vec<_> = after
        .into_iter()
        .filter(|(slot, held)| before.get(slot) != Some(held) || is_freed(slot))
        .map(|(slot, held)| {
            let is_moved = before.get(&slot).is_none_or(|was| was.by != held.by) || is_freed(&slot);
            (slot, held, is_moved)
        })
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let generation: i64 = sqlx::query_scalar(
        "UPDATE consumer_groups SET generation = generation + 1 WHERE name = $1 RETURNING generation",
    )
    .bind(group)
    .fetch_one(&mut *connection)
    .await?;
    for (slot, held, is_moved) in changed {
        assign(connection, group, &slot, &held, is_moved.then_some(generation)).await?;
    }
    Ok(())
}

async fn assign(
    connection: &mut SqliteConnection,
    group: &str,
    slot: &Slot,
    held: &Held,
    since: Option<i64>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE assignments SET member = $4, is_revoking = $5, since = COALESCE($6, since)
         WHERE consumer_group = $1 AND topic = $2 AND partition = $3",
    )
    .bind(group)
    .bind(&*slot.topic)
    .bind(slot.partition)
    .bind(&held.by)
    .bind(held.is_revoking)
    .bind(since)
    .execute(connection)
    .await
    .map(drop)
}

async fn membership(
    connection: &mut SqliteConnection,
    beat: &Beat,
) -> Result<Membership, sqlx::Error> {
    let generation: i64 =
        sqlx::query_scalar("SELECT generation FROM consumer_groups WHERE name = $1")
            .bind(&*beat.group)
            .fetch_one(&mut *connection)
            .await?;
    let rows = sqlx::query(
        "SELECT a.topic, a.partition, a.since, a.is_revoking,
             MAX(COALESCE(c.place, p.first_offset), p.first_offset)
         FROM assignments a
         JOIN partitions p ON p.topic = a.topic AND p.partition = a.partition
         LEFT JOIN commits c ON c.consumer_group = a.consumer_group
             AND c.topic = a.topic AND c.partition = a.partition
         WHERE a.consumer_group = $1 AND a.member = $2
         ORDER BY a.topic, a.partition",
    )
    .bind(&*beat.group)
    .bind(&*beat.member)
    .fetch_all(connection)
    .await?;
    let read = |row: sqlx::sqlite::SqliteRow| {
        let topic: String = row.try_get(0)?;
        Ok(Owned {
            slot: Slot { topic: topic.into(), partition: row.try_get(1)? },
            since: row.try_get(2)?,
            is_revoking: row.try_get(3)?,
            position: row.try_get(4)?,
        })
    };
    let owned: Result<_, sqlx::Error> = rows.into_iter().map(read).collect();
    Ok(Membership { generation, owned: owned? })
}

/// Notes how far a partition is, if it is still the member's and nothing was shared out anew (L3).
pub(super) async fn commit(
    connection: &mut SqliteConnection,
    commit: &Commit,
) -> Result<Result<(), BrokerError>, sqlx::Error> {
    let noted = sqlx::query(
        "INSERT INTO commits (consumer_group, topic, partition, place)
         SELECT a.consumer_group, a.topic, a.partition, $4 FROM assignments a
         JOIN consumer_groups g ON g.name = a.consumer_group
         JOIN members m ON m.consumer_group = a.consumer_group AND m.member = a.member
         WHERE a.consumer_group = $1 AND a.topic = $2 AND a.partition = $3
             AND a.member = $5 AND m.session = $6 AND g.generation = $7
         ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET place = excluded.place",
    )
    .bind(&*commit.group)
    .bind(&*commit.slot.topic)
    .bind(commit.slot.partition)
    .bind(commit.offset)
    .bind(&*commit.member)
    .bind(commit.session.to_string())
    .bind(commit.generation)
    .execute(connection)
    .await?;
    Ok(if noted.rows_affected() == 0 { Err(BrokerError::StaleGeneration) } else { Ok(()) })
}

/// Forgets a member at once; the others share out what it had.
pub(super) async fn leave(
    connection: &mut SqliteConnection,
    group: &str,
    member: &str,
    session: Uuid,
) -> Result<(), sqlx::Error> {
    let gone = sqlx::query(
        "DELETE FROM members WHERE consumer_group = $1 AND member = $2 AND session = $3",
    )
    .bind(group)
    .bind(member)
    .bind(session.to_string())
    .execute(&mut *connection)
    .await?;
    if gone.rows_affected() == 0 {
        return Ok(());
    }
    // Whether others have fallen silent is for their own heartbeats to find out.
    reassign(connection, group, &[], i64::MIN).await
}
