//! Idempotency keys: what was answered under them, and which are being worked on.
//!
//! A key holds for one API key, method and URL, whatever the content: whoever uses one for two
//! payments is told of the first one twice.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use service::problem::InOtherWords;
use service::stored::{instant, unreadable};
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;

/// The longest key, in characters.
pub(crate) const LONGEST_KEY: usize = 300;
/// How long an answer is given again.
const VALID: SignedDuration = SignedDuration::from_hours(15 * 24);

/// What one key is valid for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Scope(String);

/// An answer that can be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

/// The keys that are being worked on; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks(Arc<Mutex<HashSet<Scope>>>);

/// One of them; the key is free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Mark {
    marks: Marks,
    scope: Scope,
}

impl Scope {
    pub(crate) fn new(authorization: &str, method: &str, url: &str, key: &str) -> Self {
        let text = [authorization, method, url, key].join("\n");
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes())))
    }
}

impl Marks {
    /// Marks a key; nothing when it is marked already.
    pub(crate) fn set(&self, scope: &Scope) -> Option<Mark> {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = marks.insert(scope.clone());
        is_new.then(|| Mark { marks: self.clone(), scope: scope.clone() })
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.marks.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.scope);
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let kind = [(CONTENT_TYPE, "application/json")];
        (self.status, Extension(InOtherWords), kind, self.body).into_response()
    }
}

/// What was answered under a key.
pub(crate) async fn find(
    connection: &mut AnyConnection,
    scope: &Scope,
    now: Timestamp,
) -> Result<Option<Answer>, sqlx::Error> {
    let found: Option<(i64, String)> =
        sqlx::query_as("SELECT status, body FROM answers WHERE scope = $1 AND answered_at > $2")
            .bind(&scope.0)
            .bind(instant(now - VALID))
            .fetch_optional(connection)
            .await?;
    let answer = found.map(|(status, body)| {
        let number = u16::try_from(status).ok();
        let status = number.and_then(|number| StatusCode::from_u16(number).ok());
        let status = status.ok_or_else(|| unreadable("a status"))?;
        Ok(Answer { status, body })
    });
    answer.transpose()
}

/// Keeps an answer, in the place of one that is no longer valid.
pub(crate) async fn keep(
    connection: &mut AnyConnection,
    scope: &Scope,
    answer: &Answer,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let kept = sqlx::query(
        "INSERT INTO answers (scope, status, body, answered_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (scope) DO UPDATE SET status = excluded.status, body = excluded.body, \
         answered_at = excluded.answered_at",
    )
    .bind(&scope.0)
    .bind(i64::from(answer.status.as_u16()))
    .bind(&answer.body)
    .bind(instant(now));
    kept.execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use service::testing::on_each_database;

    use super::*;
    use crate::schema;

    #[test]
    fn a_key_holds_for_one_merchant_method_and_url() {
        let scope = Scope::new("Basic a", "POST", "/x", "key");
        for other in [
            Scope::new("Basic b", "POST", "/x", "key"),
            Scope::new("Basic a", "GET", "/x", "key"),
            Scope::new("Basic a", "POST", "/y", "key"),
            Scope::new("Basic a", "POST", "/x", "yek"),
        ] {
            assert_ne!(scope, other);
        }
        assert_eq!(scope, Scope::new("Basic a", "POST", "/x", "key"));
    }

    #[test]
    fn a_mark_is_gone_with_whoever_set_it() {
        let (marks, scope) = (Marks::default(), Scope::new("", "", "", "key"));
        let mark = marks.set(&scope);
        assert!(mark.is_some() && marks.set(&scope).is_none());
        drop(mark);
        assert!(marks.set(&scope).is_some());
    }

    #[tokio::test]
    async fn an_answer_is_given_again_for_fifteen_days() {
        on_each_database(schema::STEPS, async |database| {
            let mut connection = database.pool().acquire().await.unwrap();
            let scope = Scope::new("", "", "", "key");
            let now: Timestamp = "2025-05-01T00:00:00Z".parse().unwrap();
            let answer = |body: &str| Answer { status: StatusCode::OK, body: body.to_owned() };
            keep(&mut connection, &scope, &answer("1"), now).await.unwrap();
            for (days, expected) in [(0, Some(answer("1"))), (14, Some(answer("1"))), (16, None)] {
                let then = now + SignedDuration::from_hours(24 * days);
                assert_eq!(find(&mut connection, &scope, then).await.unwrap(), expected, "{days}");
            }
            let later = now + SignedDuration::from_hours(24 * 16);
            keep(&mut connection, &scope, &answer("2"), later).await.unwrap();
            assert_eq!(find(&mut connection, &scope, later).await.unwrap(), Some(answer("2")));
        })
        .await
        .unwrap();
    }
}
