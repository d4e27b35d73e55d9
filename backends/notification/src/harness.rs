//! The service as its callers see it, without a socket, on 1 May 2025.

use std::sync::Arc;

use axum::Router;
use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::testing::{Answer, Signer, call, on_each_database};
use utoipa::OpenApi;

use crate::api::{self, Api};
use crate::internal::Operators;
use crate::schema;

/// The member that asks unless a test says otherwise.
pub(crate) const MEMBER: i64 = 42;

pub(crate) struct Client {
    router: Router,
    signer: Signer,
}

impl Client {
    fn new(database: &Database) -> Self {
        let clock = Clock::fixed("2025-05-01T10:00:00+09:00".parse().unwrap());
        let signer = Signer::new().unwrap().at(&clock);
        let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
        let operators = Operators { shared: shared.clone(), work: Arc::default() };
        let routes = api::routes(signer.keys(), &operators);
        let app = App::new(routes, &Api::openapi(), shared).unwrap();
        Self { router: app.into_router(), signer }
    }

    /// Asks as [`MEMBER`].
    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send_as(Some(MEMBER), "GET", target, "").await
    }

    /// Sends a body, or none when it is empty, as [`MEMBER`].
    pub(crate) async fn post(&self, target: &str, body: &str) -> Answer {
        self.send_as(Some(MEMBER), "POST", target, body).await
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

/// Runs a test with an empty store of each kind.
pub(crate) async fn on_stores(test: impl AsyncFn(Client, Database)) {
    on_each_database(schema::STEPS, async |database| {
        test(Client::new(&database), database.clone()).await;
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
