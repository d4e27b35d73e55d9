//! The service as its callers see it, without a socket, on 1 May 2025.

use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use messaging::broker::{BrokerUrl, Settings};
use messaging::bus::Bus;
use messaging::relay::Relay;
use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::crash::Crash;
use service::database::Database;
use service::testing::{Answer, Signer, call};
use service::timing::Timing;
use tempfile::TempDir;
use tokio::sync::Notify;
use utoipa::OpenApi;

use crate::api::{self, Api};
use crate::cms::Cms;
use crate::metrics::Metrics;
use crate::payments::Payments;
use crate::saga::Saga;

/// The member that asks unless a test says otherwise.
pub(crate) const MEMBER: i64 = 42;

pub(crate) struct Client {
    router: Router,
    signer: Signer,
    _folder: TempDir,
}

impl Client {
    /// A service with this store that finds its CMS at `cms` and payment nowhere. Its relay
    /// publishes nothing, and nobody works for it.
    pub(crate) async fn new(database: &Database, cms: &str, timing: &Timing) -> Self {
        let clock = Clock::fixed("2025-05-01T10:00:00+09:00".parse().unwrap());
        let signer = Signer::new().unwrap().at(&clock);
        let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
        let folder = TempDir::new().unwrap();
        let url = BrokerUrl::Log(folder.path().join("broker.db"));
        let settings = Settings { url, instance: "1".to_owned() };
        let crash = Crash::default();
        let bus = Bus::open(crate::NAME, &settings, timing, &crash, &shared).await.unwrap();
        let keys = signer.keys();
        let saga = Saga {
            database: database.clone(),
            clock: shared.clock.clone(),
            timing: Arc::new(timing.clone()),
            cms: Cms::new(cms, HeaderValue::from_static("key-of-the-cms"), timing).unwrap(),
            payments: Payments::new(&nowhere(), keys.clone(), &shared.clock, timing).unwrap(),
            relay: Relay::new(&bus, database).handle(),
            crash,
            metrics: Metrics::new(&shared.registry).unwrap(),
            work: Arc::new(Notify::new()),
        };
        let routes = api::routes(&saga, &bus.broker, keys, &shared);
        let app = App::new(routes, &Api::openapi(), shared).unwrap();
        Self { router: app.into_router(), signer, _folder: folder }
    }

    /// Asks as [`MEMBER`].
    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.get_as(Some(MEMBER), target).await
    }

    /// Asks through the gateway, as a member or as nobody.
    pub(crate) async fn get_as(&self, member: Option<i64>, target: &str) -> Answer {
        let member = member.map(|id| (id, "USER"));
        let headers = self.signer.gateway("GET", target, member);
        call(&self.router, "GET", target, &headers, "").await.unwrap()
    }

    /// Asks as another service.
    pub(crate) async fn get_as_service(&self, target: &str) -> Answer {
        let headers = self.signer.service("member", "GET", target, b"");
        call(&self.router, "GET", target, &headers, "").await.unwrap()
    }

    /// Asks without any proof.
    pub(crate) async fn get_directly(&self, target: &str) -> Answer {
        call(&self.router, "GET", target, &[], "").await.unwrap()
    }
}

/// A base URL where nobody listens.
pub(crate) fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[track_caller]
pub(crate) fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json["code"], code, "{}", answer.text);
}
