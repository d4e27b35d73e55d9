//! Messages that had their effect, so that the same message has none again (C3).

use jiff::Timestamp;
use service::stored::instant;
use sqlx::AnyConnection;
use uuid::Uuid;

use crate::consumer::Trouble;

/// Why a message could not be noted.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Another has noted it meanwhile: the transaction must not be committed.
    #[error("another consumer has handled the message meanwhile")]
    Taken,
    /// The store refused the statement.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

/// The ids of the outbox rows that answer this message; nothing when it had no effect yet.
pub async fn find(
    connection: &mut AnyConnection,
    group: &str,
    id: Uuid,
) -> Result<Option<Vec<Uuid>>, sqlx::Error> {
    let produced: Option<String> = sqlx::query_scalar(
        "SELECT produced FROM inbox WHERE consumer_group = $1 AND message_id = $2",
    )
    .bind(group)
    .bind(id.to_string())
    .fetch_optional(connection)
    .await?;
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    produced.map(read).transpose()
}

/// Notes within the caller's transaction that a message has its effect, and what answers it.
pub async fn record(
    connection: &mut AnyConnection,
    group: &str,
    id: Uuid,
    produced: &[Uuid],
    now: Timestamp,
) -> Result<(), RecordError> {
    let produced =
        serde_json::to_string(produced).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let done = sqlx::query(
        "INSERT INTO inbox (consumer_group, message_id, produced, created_at)
         VALUES ($1, $2, $3, $4) ON CONFLICT (consumer_group, message_id) DO NOTHING",
    )
    .bind(group)
    .bind(id.to_string())
    .bind(produced)
    .bind(instant(now))
    .execute(connection)
    .await?;
    if done.rows_affected() == 0 { Err(RecordError::Taken) } else { Ok(()) }
}

/// Whoever loses a race tries again, and then finds what the other one stored.
impl From<RecordError> for Trouble {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Taken => Self::Transient(error.into()),
            RecordError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use service::testing::on_each_database;

    use super::*;
    use crate::testing::STEPS;

    /// a message that had its effect is found, with what it led to, and is noted only once.
    #[tokio::test]
    async fn x_13_a_message_is_noted_once_for_each_group() {
        let check = async |database: service::database::Database| {
            let mut connection = database.pool().acquire().await.unwrap();
            let (id, answer) = (Uuid::now_v7(), Uuid::now_v7());
            let now = "2025-05-01T00:00:00Z".parse().unwrap();
            assert_eq!(find(&mut connection, "a", id).await.unwrap(), None);
            record(&mut connection, "a", id, &[answer], now).await.unwrap();
            assert_eq!(find(&mut connection, "a", id).await.unwrap(), Some(vec![answer]));
            let again = record(&mut connection, "a", id, &[], now).await;
            assert!(matches!(again, Err(RecordError::Taken)));
            assert_eq!(find(&mut connection, "b", id).await.unwrap(), None);
            record(&mut connection, "b", id, &[], now).await.unwrap();
        };
        on_each_database(STEPS, check).await.unwrap();
    }
}
