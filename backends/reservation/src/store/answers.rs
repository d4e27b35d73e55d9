//! Answers that decided a create with an `Idempotency-Key` (5.1).

use sqlx::{AnyConnection, AnyPool};

/// Keeps an answer.
pub(crate) async fn keep(
    connection: &mut AnyConnection,
    (member_id, key): (i64, &str),
    (request_hash, answer): (&str, &str),
    now: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO create_answers (member_id, idempotency_key, request_hash, answer, \
         created_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (member_id, idempotency_key) DO NOTHING",
    )
    .bind(member_id)
    .bind(key.to_owned())
    .bind(request_hash.to_owned())
    .bind(answer.to_owned())
    .bind(now.to_owned())
    .execute(connection)
    .await
    .map(drop)
}

/// The request and the answer that belong to a key.
pub(crate) async fn find(
    connection: &mut AnyConnection,
    member_id: i64,
    key: &str,
) -> Result<Option<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT request_hash, answer FROM create_answers \
         WHERE member_id = $1 AND idempotency_key = $2",
    )
    .bind(member_id)
    .bind(key.to_owned())
    .fetch_optional(connection)
    .await
}

/// Forgets answers, and the keys of reservations, that are older than `before`.
pub(crate) async fn forget(pool: &AnyPool, before: &str) -> Result<(), sqlx::Error> {
    for statement in [
        "UPDATE reservations SET idempotency_key = NULL \
         WHERE idempotency_key IS NOT NULL AND created_at < $1 AND status <> 'REQUESTED'",
        "DELETE FROM create_answers WHERE created_at < $1",
    ] {
        sqlx::query(statement).bind(before.to_owned()).execute(pool).await?;
    }
    Ok(())
}
