//! What the merchant is told of: kept with what happened, and sent until it answers 200.
//!
//! A webhook is unsigned, as the payment gateway's is. In production it goes to the gateway in
//! front of the merchant, which proves to the merchant that it passed it on; where none is in
//! between, a test can have this process pass for it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Url};
use serde::Serialize;
use service::clock::{Clock, stamp};
use service::database::Database;
use service::keys::KeySet;
use service::proof;
use service::server::StartError;
use service::stored::{instant, read, unreadable};
use service::tls;
use sqlx::{AnyConnection, FromRow};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::detail::Detail;

const STATUS_CHANGED: &str = "PAYMENT_STATUS_CHANGED";
/// How long the merchant may take to answer.
const LIMIT: Duration = Duration::from_secs(10);
/// How many are sent at a time.
const BATCH: i64 = 32;
/// How long nothing is looked for unless something happens.
const LONGEST_REST: Duration = Duration::from_mins(1);
/// After the store did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Where what happens is announced, if anywhere; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Announcements(Option<Arc<Notify>>);

/// Sends what is to be announced.
#[derive(Debug)]
pub(crate) struct Announcer {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    /// Before each further attempt; then it is given up.
    pub(crate) delays: Vec<Duration>,
    work: Arc<Notify>,
    merchant: Merchant,
}

/// Who is told.
#[derive(Debug, Clone)]
struct Merchant {
    client: Client,
    url: Url,
    /// Of the gateway in front of it, where this process passes for it.
    proof_keys: Option<KeySet>,
    clock: Clock,
}

/// What is sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Webhook<'a> {
    event_type: &'a str,
    created_at: String,
    data: &'a Detail,
}

#[derive(Debug, FromRow)]
struct Due {
    webhook_id: String,
    body: String,
    attempts: i64,
}

impl Announcements {
    /// Something that happened, in the transaction in which it does.
    pub(crate) async fn add(
        &self,
        connection: &mut AnyConnection,
        detail: &Detail,
        now: Timestamp,
    ) -> Result<(), sqlx::Error> {
        if self.0.is_none() {
            return Ok(());
        }
        let event = Webhook { event_type: STATUS_CHANGED, created_at: stamp(now), data: detail };
        let body =
            serde_json::to_string(&event).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let added = sqlx::query(
            "INSERT INTO webhooks (webhook_id, payment_key, order_id, event_type, body, \
             attempts, next_attempt_at, created_at) VALUES ($1, $2, $3, $4, $5, 0, $6, $6)",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(&detail.payment_key)
        .bind(&detail.order_id)
        .bind(STATUS_CHANGED)
        .bind(body)
        .bind(instant(now));
        added.execute(connection).await.map(drop)
    }

    /// Something new is to be sent.
    pub(crate) fn wake(&self) {
        if let Some(work) = &self.0 {
            work.notify_one();
        }
    }
}

impl Announcer {
    /// Announces to `url`; `proof_keys` are those of the gateway this process passes for, if any.
    pub(crate) fn new(
        database: &Database,
        clock: &Clock,
        url: &str,
        proof_keys: Option<KeySet>,
        delays: Vec<Duration>,
    ) -> Result<Self, StartError> {
        let unusable = |error| StartError::Other("nothing can be announced", error);
        let client = tls::client(url).map_err(|error| unusable(error.into()))?;
        let client = client.timeout(LIMIT).build().map_err(|error| unusable(error.into()))?;
        let url = Url::parse(url).map_err(|error| unusable(error.into()))?;
        let merchant = Merchant { client, url, proof_keys, clock: clock.clone() };
        let (database, clock) = (database.clone(), clock.clone());
        Ok(Self { database, clock, delays, work: Arc::new(Notify::new()), merchant })
    }

    /// Where things to announce are added.
    pub(crate) fn announcements(&self) -> Announcements {
        Announcements(Some(Arc::clone(&self.work)))
    }

    /// Sends until it is dropped.
    pub(crate) async fn run(self) {
        loop {
            let rest = match self.turn().await {
                Ok(rest) => rest,
                Err(error) => {
                    tracing::warn!(%error, "what is to be announced cannot be read or noted");
                    PAUSE
                }
            };
            // Whichever comes first.
            drop(timeout(rest, self.work.notified()).await);
        }
    }

    /// Sends what is due; how long there is nothing to do after it.
    async fn turn(&self) -> Result<Duration, sqlx::Error> {
        loop {
            let due = self.due().await?;
            if due.is_empty() {
                return self.rest().await;
            }
            let mut sending = JoinSet::new();
            for webhook in due {
                let merchant = self.merchant.clone();
                sending.spawn(async move {
                    let is_delivered = merchant.tell(&webhook.body).await;
                    (webhook, is_delivered)
                });
            }
            while let Some(sent) = sending.join_next().await {
                if let Ok((webhook, is_delivered)) = sent {
                    self.note(&webhook, is_delivered).await?;
                }
            }
        }
    }

    async fn due(&self) -> Result<Vec<Due>, sqlx::Error> {
        sqlx::query_as(
            "SELECT webhook_id, body, attempts FROM webhooks \
             WHERE next_attempt_at IS NOT NULL AND next_attempt_at <= $1 \
             ORDER BY next_attempt_at, webhook_id LIMIT $2",
        )
        .bind(instant(self.clock.now()))
        .bind(BATCH)
        .fetch_all(self.database.pool())
        .await
    }

    async fn rest(&self) -> Result<Duration, sqlx::Error> {
        let (next,): (Option<String>,) =
            sqlx::query_as("SELECT MIN(next_attempt_at) FROM webhooks")
                .fetch_one(self.database.pool())
                .await?;
        let Some(next) = next else { return Ok(LONGEST_REST) };
        let wait = read::<Timestamp>(&next)?.duration_since(self.clock.now());
        Ok(Duration::try_from(wait).unwrap_or_default().min(LONGEST_REST))
    }

    async fn note(&self, webhook: &Due, is_delivered: bool) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let attempt = usize::try_from(webhook.attempts).map_err(|_| unreadable("attempts"))?;
        let delay = self.delays.get(attempt).filter(|_| !is_delivered);
        let next =
            delay.map(|delay| SignedDuration::try_from(*delay).unwrap_or(SignedDuration::MAX));
        let next = next.map(|delay| now.saturating_add(delay).unwrap_or(Timestamp::MAX));
        if next.is_none() && !is_delivered {
            tracing::warn!(webhook = webhook.webhook_id, "given up: the merchant never said 200");
        }
        let noted = sqlx::query(
            "UPDATE webhooks SET attempts = $1, next_attempt_at = $2, delivered_at = $3 \
             WHERE webhook_id = $4",
        )
        .bind(webhook.attempts + 1)
        .bind(next.map(instant))
        .bind(is_delivered.then(|| instant(now)))
        .bind(&webhook.webhook_id);
        noted.execute(self.database.pool()).await.map(drop)
    }
}

impl Merchant {
    /// Whether it answered 200.
    async fn tell(&self, body: &str) -> bool {
        let mut request = self.client.post(self.url.clone());
        if let Some(keys) = &self.proof_keys {
            let (name, value) = proof::as_the_gateway(keys, &self.clock, "POST", self.url.path());
            request = request.header(name, value);
        }
        let request = request.header("content-type", "application/json").body(body.to_owned());
        match request.send().await {
            Ok(answer) if answer.status().as_u16() == 200 => true,
            Ok(answer) => {
                tracing::warn!(status = answer.status().as_u16(), "the merchant did not say 200");
                false
            }
            Err(error) => {
                let error = error.without_url();
                tracing::warn!(%error, "the merchant was not reached");
                false
            }
        }
    }
}
