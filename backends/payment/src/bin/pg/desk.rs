//! What every call of the merchant needs, and how a call that moves money is settled.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use payment::pg::SecretKey;
use payment::pg::code::{OnCancel, OnConfirm, on_cancel, on_confirm};
use serde::Serialize;
use service::clock::Clock;
use service::crash::Crash;
use service::database::Database;
use service::problem::Problem;
use sqlx::AnyConnection;

use crate::detail::Detail;
use crate::error::{Failure, PgError};
use crate::keys::{self, Answer, Marks};
use crate::latency::Latency;
use crate::reception::Kept;
use crate::store::{self, Row};
use crate::webhooks::Announcements;
use crate::windows::Windows;

const TEST_CODE: &str = "tosspayments-test-code";
/// Longer than any code.
const LONGEST_CODE: usize = 100;

/// What every call of the merchant needs; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) secret: SecretKey,
    pub(crate) merchant: Arc<str>,
    pub(crate) windows: Windows,
    pub(crate) latency: Latency,
    pub(crate) crash: Crash,
    pub(crate) marks: Marks,
    pub(crate) announcements: Announcements,
}

/// What a call does, which decides what its codes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Confirm,
    Cancel,
}

impl Operation {
    /// Whether a refusal is definite, so that the same key is refused again.
    pub(crate) fn is_definite(self, error: &PgError) -> bool {
        let code = &error.told.code;
        match self {
            Self::Confirm => on_confirm(error.status, code) == OnConfirm::Refused,
            Self::Cancel => on_cancel(error.status, code) == OnCancel::Refused,
        }
    }
}

impl Desk {
    /// Does `work` in one transaction with what is answered under the key of the call, and with
    /// what is announced; an earlier answer is given again.
    ///
    /// `point` is where the process may die once money has moved.
    pub(crate) async fn settle(
        &self,
        operation: Operation,
        Kept(scope): &Kept,
        point: &str,
        work: impl AsyncFnOnce(&mut AnyConnection, Timestamp) -> Result<Row, Failure>,
    ) -> Result<Answer, Failure> {
        let mut transaction = self.database.write().await?;
        let now = self.clock.now();
        if let Some(scope) = scope
            && let Some(answer) = keys::find(&mut transaction, scope, now).await?
        {
            return Ok(answer);
        }
        let outcome = match work(&mut transaction, now).await {
            Ok(row) => Ok(self.show(&mut transaction, &row, now).await?),
            Err(Failure::Pg(error)) => Err(error),
            Err(other) => return Err(other),
        };
        let answer = answer(&outcome)?;
        let is_kept = outcome.as_ref().map_or_else(|error| operation.is_definite(error), |_| true);
        if let Some(scope) = scope.as_ref().filter(|_| is_kept) {
            keys::keep(&mut transaction, scope, &answer, now).await?;
        }
        if let Ok(detail) = &outcome {
            self.announcements.add(&mut transaction, detail, now).await?;
        }
        transaction.commit().await?;
        if outcome.is_ok() {
            self.crash.pass(point);
        }
        self.announcements.wake();
        Ok(answer)
    }

    /// A payment as it is now.
    pub(crate) async fn show(
        &self,
        connection: &mut AnyConnection,
        row: &Row,
        now: Timestamp,
    ) -> Result<Detail, sqlx::Error> {
        let refunds = store::refunds(connection, &row.payment_key).await?;
        Detail::new(row, row.status(self.windows, now)?, &refunds, &self.merchant)
    }
}

fn answer(outcome: &Result<Detail, PgError>) -> Result<Answer, Problem> {
    fn json(value: &impl Serialize) -> Result<String, Problem> {
        serde_json::to_string(value).map_err(Problem::internal)
    }
    Ok(match outcome {
        Ok(detail) => Answer { status: StatusCode::OK, body: json(detail)? },
        Err(error) => Answer { status: error.status, body: json(&error.told)? },
    })
}

/// The error that a test asks for by `TossPayments-Test-Code`.
pub(crate) fn test_code(headers: &HeaderMap) -> Option<PgError> {
    let code = headers.get(TEST_CODE)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let is_code = (1..=LONGEST_CODE).contains(&code.len()) && code.bytes().all(is_plain);
    is_code.then(|| PgError::new(code, "a test asked for this code"))
}
