//! The service as its callers see it, without a socket, on 1 May 2025.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use messaging::broker::{BrokerUrl, Settings};
use messaging::bus::Bus;
use messaging::relay::Relay;
use payment::pg::{Access, PaymentGateway, SecretKey};
use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::crash::Crash;
use service::database::Database;
use service::testing::{Answer, Signer, call, on_each_database};
use service::timing::Timing;
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::cashier::Cashier;
use crate::desk::Desk;
use crate::gateway::Gateway;
use crate::metrics::Metrics;
use crate::{api, schema};

/// The member that asks unless a test says otherwise.
pub(crate) const MEMBER: i64 = 42;

pub(crate) struct Client {
    router: Router,
    signer: Signer,
    _folder: TempDir,
}

/// A cashier at a payment gateway, whose relay publishes nothing.
pub(crate) async fn cashier(shared: &Shared, pg: &str) -> (Cashier, TempDir) {
    let folder = TempDir::new().unwrap();
    let url = BrokerUrl::Log(folder.path().join("broker.db"));
    let timing = timing();
    let access = Access { url: pg.to_owned(), secret: SecretKey::parse("secret").unwrap() };
    let settings = Settings { url, instance: "1".to_owned() };
    let crash = Crash::default();
    let bus = Bus::open(crate::NAME, &settings, &timing, &crash, shared).await.unwrap();
    let cashier = Cashier {
        database: shared.database.clone(),
        clock: shared.clock.clone(),
        gateway: Gateway::new(PaymentGateway::new(&access, timing.pg_timeout).unwrap()),
        timing: Arc::new(timing),
        relay: Relay::new(&bus, &shared.database).handle(),
        crash,
        metrics: Metrics::new(&shared.registry).unwrap(),
        merchant: "tollgate".into(),
        work: Arc::new(Notify::new()),
        paused_until: Arc::default(),
    };
    (cashier, folder)
}

/// The usual timings, but for what a test would wait for.
fn timing() -> Timing {
    let moment = Duration::from_millis(1);
    Timing { step_retry: vec![moment; 3], pg_timeout: Duration::from_secs(2), ..Timing::default() }
}

impl Client {
    async fn new(database: &Database) -> Self {
        let clock = Clock::fixed("2025-05-01T10:00:00+09:00".parse().unwrap());
        let signer = Signer::new().unwrap().at(&clock);
        let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
        let (cashier, folder) = cashier(&shared, "http://127.0.0.1:9").await;
        let desk = Desk { shared: shared.clone(), cashier };
        let routes = api::routes(signer.keys(), &desk, false);
        let app = App::new(routes, &api::document(false), shared).unwrap();
        Self { router: app.into_router(), signer, _folder: folder }
    }

    /// Asks as another service.
    pub(crate) async fn send_as_service(&self, method: &str, target: &str, body: &str) -> Answer {
        let headers = self.signer.service("reservation", method, target, body.as_bytes());
        call(&self.router, method, target, &headers, body).await.unwrap()
    }

    /// Asks as [`MEMBER`].
    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send_as(Some(MEMBER), "GET", target, "").await
    }

    /// Sends through the gateway, as a member or as nobody.
    pub(crate) async fn send_as(
        &self,
        member: Option<i64>,
        method: &str,
        target: &str,
        body: &str,
    ) -> Answer {
        let headers = self.signer.gateway(method, target, member.map(|id| (id, "USER")));
        call(&self.router, method, target, &headers, body).await.unwrap()
    }

    /// Sends without any proof.
    pub(crate) async fn send_directly(&self, method: &str, target: &str) -> Answer {
        call(&self.router, method, target, &[], "").await.unwrap()
    }
}

/// Runs a test with a store of each kind that holds the payments of `payments.sql`.
pub(crate) async fn on_stores(test: impl AsyncFn(Client, Database)) {
    on_each_database(schema::STEPS, async |database| {
        sqlx::raw_sql(include_str!("../tests/it/payments.sql"))
            .execute(database.pool())
            .await
            .unwrap();
        test(Client::new(&database).await, database.clone()).await;
    })
    .await
    .unwrap();
}

#[track_caller]
pub(crate) fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json["code"], code, "{}", answer.text);
}
