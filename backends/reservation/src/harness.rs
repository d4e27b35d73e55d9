//! The service as its callers see it, without a socket, on 1 May 2025.

use std::net::TcpListener;

use axum::Router;
use axum::http::HeaderValue;
use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::testing::{Answer, Signer, call};
use utoipa::OpenApi;

use crate::api::{self, Api};
use crate::cms::Cms;
use service::timing::Timing;

/// The member that asks unless a test says otherwise.
pub(crate) const MEMBER: i64 = 42;

pub(crate) struct Client {
    router: Router,
    signer: Signer,
}

impl Client {
    /// A service with this store that finds its CMS at `cms`.
    pub(crate) fn new(database: &Database, cms: &str, timing: &Timing) -> Self {
        let clock = Clock::fixed("2025-05-01T10:00:00+09:00".parse().unwrap());
        let signer = Signer::new().unwrap().at(&clock);
        let cms = Cms::new(cms, HeaderValue::from_static("key-of-the-cms"), timing).unwrap();
        let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
        let routes = api::routes(cms, signer.keys(), &shared);
        let app = App::new(routes, &Api::openapi(), shared).unwrap();
        Self { router: app.into_router(), signer }
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
