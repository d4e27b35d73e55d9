use std::future::pending;
use std::path::Path;

use axum::http::StatusCode;
use axum::routing::{get, post as post_to};
use axum::{Json, Router};
use jiff::SignedDuration;
use messaging::broker::{BrokerUrl, Settings as BrokerSettings};
use messaging::bus::Bus;
use messaging::relay::Relay;
use serde_json::{Value, json};
use service::app::{Registry, Shared};
use service::clock::Shift;
use service::code::Code;
use service::testing::{Signer, on_each_database};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;
use crate::code::Kind;
use crate::provider::{Texts, TextsSettings};
use crate::schema;
use crate::sink::Sink;
use crate::store::delivery::New;

const MEMBER: i64 = 42;

/// Whoever delivers, with a clock that can be set ahead.
struct Post {
    dispatcher: Dispatcher,
    shift: Shift,
    members: JoinSet<()>,
    _folder: TempDir,
}

/// How a delivery stands.
#[derive(Debug, sqlx::FromRow)]
struct Standing {
    status: String,
    destination: Option<String>,
    rendered_title: Option<String>,
    attempts: i64,
    next_attempt_at: Option<String>,
    last_error: Option<String>,
}

impl Post {
    /// With a member service that answers, or one that does not.
    async fn new(database: &Database, is_reachable: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let (clock, shift) = Clock::shiftable();
        let shared =
            Shared { database: database.clone(), clock: clock.clone(), registry: Registry::new() };
        let url = BrokerUrl::Log(folder.path().join("broker.db"));
        let settings = BrokerSettings { url, instance: "1".to_owned() };
        let (timing, crash) = (Timing::default(), Crash::default());
        let bus = Bus::open("notification", &settings, &timing, &crash, &shared).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut members = JoinSet::new();
        if is_reachable {
            let contact = json!({ "payload": { "email": "guest@example.com" } });
            let target = format!("/internal/v1/members/{MEMBER}/contact");
            let router = Router::new().route(&target, get(async || Json(contact)));
            members.spawn(async { axum::serve(listener, router).await.unwrap() });
        } else {
            drop(listener);
        }
        let keys = Signer::new().unwrap().keys().clone();
        let dispatcher = Dispatcher {
            database: database.clone(),
            timing: Arc::new(timing),
            templates: Arc::new(Templates::own().unwrap()),
            contacts: Some(Contacts::new(&url, keys, &clock).unwrap()),
            providers: Providers {
                mail: None,
                texts: None,
                limit: Duration::from_millis(300),
                sink: Sink::open(&folder.path().join("sink.jsonl")).await.unwrap(),
            },
            metrics: Metrics::new(&shared.registry).unwrap(),
            relay: Relay::new(&bus, database).handle(),
            crash,
            work: Arc::default(),
            clock,
        };
        Self { dispatcher, shift, members, _folder: folder }
    }

    async fn write_down(&self, channel: Channel, stale_after: Option<Timestamp>) {
        let values = [("placeName", "Sea View"), ("checkInDate", "2025-05-02")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let values = values.into();
        let new = New {
            source_event_id: Uuid::now_v7(),
            kind: Kind::Reservation,
            template: "RESERVATION_CONFIRMED",
            channel,
            member_id: MEMBER,
            destination: (channel == Channel::Sms).then(|| "01012345678".to_owned()),
            values: &values,
            stale_after,
            delivered: None,
        };
        let mut transaction = self.dispatcher.database.write().await.unwrap();
        let now = self.dispatcher.clock.now();
        delivery::insert(&mut transaction, &[new], (now, now)).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Makes what is due; how much was.
    async fn deliver(&self) -> usize {
        let rows = self.dispatcher.take(16).await.unwrap();
        let count = rows.len();
        for row in rows {
            self.dispatcher.clone().deliver(row).await;
        }
        count
    }

    async fn standing(&self) -> Standing {
        sqlx::query_as(
            "SELECT status, destination, rendered_title, attempts, next_attempt_at, last_error \
             FROM notifications",
        )
        .fetch_one(self.dispatcher.database.pool())
        .await
        .unwrap()
    }

    /// What was told of deliveries.
    async fn events(&self) -> Vec<Value> {
        let bodies: Vec<String> =
            sqlx::query_scalar("SELECT body FROM outbox WHERE topic = 'NOTIFICATION-EVENT'")
                .fetch_all(self.dispatcher.database.pool())
                .await
                .unwrap();
        bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }

    async fn choose(&self, channel: Channel, choice: &str) {
        sqlx::query(
            "INSERT INTO preferences (member_id, kind, channel, choice, updated_at) \
             VALUES ($1, 'RESERVATION', $2, $3, '')",
        )
        .bind(MEMBER)
        .bind(channel.code())
        .bind(choice.to_owned())
        .execute(self.dispatcher.database.pool())
        .await
        .unwrap();
    }

    /// Nothing was ever to be delivered.
    async fn forget(&self) {
        let pool = self.dispatcher.database.pool();
        sqlx::query("DELETE FROM notifications").execute(pool).await.unwrap();
    }

    fn sink(&self) -> &Path {
        self.dispatcher.providers.sink.path()
    }
}

async fn on_stores(is_reachable: bool, test: impl AsyncFn(Post)) {
    on_each_database(schema::STEPS, async |database| {
        test(Post::new(&database, is_reachable).await).await;
    })
    .await
    .unwrap();
}

/// NT-04: an e-mail goes to the address that the member service tells.
#[tokio::test]
async fn nt_04_an_email_is_sent() {
    on_stores(true, async |post| {
        post.write_down(Channel::Email, None).await;
        assert_eq!(post.deliver().await, 1);
        let standing = post.standing().await;
        assert_eq!(standing.status, "SENT", "{standing:?}");
        assert_eq!(standing.destination.as_deref(), Some("guest@example.com"));
        assert!(standing.rendered_title.is_some());
        assert_eq!(standing.next_attempt_at, None);
        let line: Value =
            serde_json::from_str(&std::fs::read_to_string(post.sink()).unwrap()).unwrap();
        assert_eq!(line["destination"], "guest@example.com");
        let events = post.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["type"], "NotificationSent");
        assert_eq!(events[0]["payload"]["attempts"], 1);
        assert_eq!(post.deliver().await, 0);
    })
    .await;
}

/// What cannot be delivered is tried again on the schedule of 8.5, and then it has failed,
/// which is told.
#[tokio::test]
async fn attempts_have_an_end() {
    on_stores(false, async |post| {
        post.write_down(Channel::Email, None).await;
        let waits = post.dispatcher.timing.notify_retry.clone();
        for (made, wait) in (1..).zip(&waits[1..]) {
            assert_eq!(post.deliver().await, 1, "attempt {made}");
            let standing = post.standing().await;
            assert_eq!((standing.status.as_str(), standing.attempts), ("PENDING", made));
            assert!(standing.last_error.unwrap().starts_with("member: "));
            assert_eq!(post.deliver().await, 0, "not before its time");
            let next: Timestamp = standing.next_attempt_at.unwrap().parse().unwrap();
            let ahead = next.duration_since(post.dispatcher.clock.now());
            let wait = SignedDuration::try_from(*wait).unwrap();
            assert!(ahead > wait * 7 / 10 && ahead < wait * 13 / 10, "{ahead} for {wait}");
            post.shift.set(next.duration_since(Timestamp::now()) + SignedDuration::from_secs(1));
        }
        assert_eq!(post.events().await.len(), 0);
        assert_eq!(post.deliver().await, 1);
        let standing = post.standing().await;
        assert_eq!(standing.status, "FAILED", "{standing:?}");
        assert_eq!(usize::try_from(standing.attempts), Ok(waits.len()));
        let events = post.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["type"], "NotificationFailed");
        assert_eq!(events[0]["payload"]["attempts"], standing.attempts);
        post.shift.set(SignedDuration::from_hours(1000));
        assert_eq!(post.deliver().await, 0);
    })
    .await;
}

/// 8.5: a text message of which nobody knows whether it has arrived is tried once more; one that is
/// refused, and one that died with its process, are not sent a third time.
#[tokio::test]
async fn a_text_message_is_repeated_once_when_nobody_knows() {
    on_stores(true, async |mut post| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/unknown", post_to(async || StatusCode::GATEWAY_TIMEOUT))
            .route("/refused", post_to(async || StatusCode::UNPROCESSABLE_ENTITY))
            .route("/silent", post_to(async || pending::<StatusCode>().await))
            .route("/taken", post_to(async || StatusCode::OK));
        post.members.spawn(async { axum::serve(listener, router).await.unwrap() });
        let provider = |post: &mut Post, path: &str| {
            let settings = TextsSettings { url: format!("{url}/{path}"), key: None };
            post.dispatcher.providers.texts = Some(Texts::new(settings).unwrap());
        };
        post.choose(Channel::Sms, "ON").await;
        let hours = |hours| SignedDuration::from_hours(hours);

        provider(&mut post, "unknown");
        post.write_down(Channel::Sms, None).await;
        assert_eq!(post.deliver().await, 1);
        assert_eq!(post.standing().await.status, "PENDING");
        post.shift.set(hours(1));
        assert_eq!(post.deliver().await, 1);
        let standing = post.standing().await;
        assert_eq!((standing.status.as_str(), standing.attempts), ("FAILED", 2));
        assert!(standing.last_error.unwrap().contains("504"));
        post.forget().await;

        provider(&mut post, "silent");
        post.write_down(Channel::Sms, None).await;
        assert_eq!(post.deliver().await, 1);
        let standing = post.standing().await;
        assert_eq!(standing.status, "PENDING", "{standing:?}");
        assert!(standing.last_error.unwrap().contains("no answer within"));
        post.forget().await;

        provider(&mut post, "refused");
        post.write_down(Channel::Sms, None).await;
        assert_eq!(post.deliver().await, 1);
        let standing = post.standing().await;
        assert_eq!((standing.status.as_str(), standing.attempts), ("FAILED", 1));
        assert_eq!(post.events().await.last().unwrap()["type"], "NotificationFailed");
        post.forget().await;

        // Two processes die with it; what a third one would do has been done by one of them, perhaps.
        provider(&mut post, "taken");
        post.write_down(Channel::Sms, None).await;
        for died in 1..=2 {
            assert_eq!(post.dispatcher.take(16).await.unwrap().len(), 1);
            post.shift.set(hours(1 + died));
        }
        assert_eq!(post.deliver().await, 1);
        let standing = post.standing().await;
        assert_eq!(standing.status, "FAILED", "{standing:?}");
        assert!(standing.last_error.unwrap().contains("nobody knows"));
    })
    .await;
}

/// A member who opts out before it leaves is left alone.
#[tokio::test]
async fn opting_out_holds_for_what_waits() {
    on_stores(true, async |post| {
        post.write_down(Channel::Email, None).await;
        post.choose(Channel::Email, "OFF").await;
        assert_eq!(post.deliver().await, 1);
        let standing = post.standing().await;
        assert_eq!(standing.status, "SKIPPED", "{standing:?}");
        assert_eq!(standing.last_error.as_deref(), Some("the member does not want it"));
        assert_eq!(post.events().await.len(), 0);
        assert_eq!(std::fs::read_to_string(post.sink()).unwrap(), "");
    })
    .await;
}

/// What is out of date when its turn comes stays where it is.
#[tokio::test]
async fn what_is_out_of_date_is_not_sent() {
    on_stores(true, async |mut post| {
        let soon = post.dispatcher.clock.now() + SignedDuration::from_secs(60);
        post.write_down(Channel::InApp, Some(soon)).await;
        post.shift.set(SignedDuration::from_secs(61));
        assert_eq!(post.deliver().await, 1);
        let standing = post.standing().await;
        assert_eq!(standing.status, "SKIPPED", "{standing:?}");
        assert_eq!(standing.last_error.as_deref(), Some("it is out of date"));
        post.members.shutdown().await;
    })
    .await;
}

/// A delivery whose process died belongs to nobody when its lease is over, and a taken one to one.
#[tokio::test]
async fn a_lease_passes_on_when_it_is_over() {
    on_stores(true, async |post| {
        post.write_down(Channel::InApp, None).await;
        let first = post.dispatcher.take(16).await.unwrap().remove(0);
        assert!(post.dispatcher.take(16).await.unwrap().is_empty());
        let lease = SignedDuration::try_from(post.dispatcher.timing.step_lease).unwrap();
        post.shift.set(lease + SignedDuration::from_secs(1));
        let second = post.dispatcher.take(16).await.unwrap().remove(0);
        assert_eq!((first.attempts, second.attempts), (0, 1));
        // Whoever stalled has lost its say.
        post.dispatcher.clone().deliver(first).await;
        assert_eq!(post.standing().await.status, "SENDING");
        post.dispatcher.clone().deliver(second).await;
        assert_eq!(post.standing().await.status, "SENT");
        assert_eq!(post.events().await.len(), 1);
    })
    .await;
}
