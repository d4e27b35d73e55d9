//! The service as its tests call it.

use axum::Router;
use serde_json::{Value, json};
use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::testing::{Answer, Signer, call};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use utoipa::OpenApi;

use crate::api::{self, Api, Members};
use crate::password::{Cost, Passwords};
use crate::reservations::Reservations;
use crate::sessions::Sessions;
use crate::store::Store;

/// As little as Argon2 takes: what is tested is not how hard a hash is.
pub(crate) const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };
pub(crate) const TODAY: &str = "2025-05-01T10:00:00+09:00";
pub(crate) const PASSWORD: &str = "correct horse";

/// Who asks, as the gateway names it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller {
    Nobody,
    User(i64),
    Admin(i64),
}

/// The service and a gateway that calls it, at one instant.
pub(crate) struct Client {
    pub(crate) router: Router,
    pub(crate) signer: Signer,
}

impl Client {
    pub(crate) fn new(database: &Database) -> Self {
        Self::at(database, TODAY)
    }

    pub(crate) fn at(database: &Database, time: &str) -> Self {
        Self::with(database, time, cheap(), None)
    }

    /// With a gateway that is told of sessions to end, by the signer of its keys.
    pub(crate) fn telling(database: &Database, sessions: Sessions) -> Self {
        Self::build(database, TODAY, cheap(), None, Some(sessions))
    }

    /// With other workers for passwords, and a reservation service to ask.
    pub(crate) fn with(
        database: &Database,
        time: &str,
        passwords: Passwords,
        reservations: Option<Reservations>,
    ) -> Self {
        Self::build(database, time, passwords, reservations, None)
    }

    fn build(
        database: &Database,
        time: &str,
        passwords: Passwords,
        reservations: Option<Reservations>,
        sessions: Option<Sessions>,
    ) -> Self {
        let clock = Clock::fixed(time.parse().unwrap());
        let signer = Signer::new().unwrap().at(&clock);
        let members = Members {
            store: Store::new(database.clone()),
            passwords,
            clock: clock.clone(),
            reservations,
            sessions,
        };
        let routes = api::routes(members, signer.keys(), &clock);
        let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
        let app = App::new(routes, &Api::openapi(), shared).unwrap();
        Self { router: app.into_router(), signer }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        caller: Caller,
        body: &str,
    ) -> Answer {
        let headers = self.signer.gateway(method, target, caller.named());
        call(&self.router, method, target, &headers, body).await.unwrap()
    }

    pub(crate) async fn get(&self, target: &str, caller: Caller) -> Answer {
        self.send("GET", target, caller, "").await
    }

    pub(crate) async fn post(&self, target: &str, caller: Caller, body: &Value) -> Answer {
        self.send("POST", target, caller, &body.to_string()).await
    }

    pub(crate) async fn auth_view(&self, id: i64) -> Answer {
        let target = format!("/internal/v1/members/{id}/auth-view");
        let headers = self.signer.service("gateway", "GET", &target, b"");
        call(&self.router, "GET", &target, &headers, "").await.unwrap()
    }

    /// Signs up member number `number` of this test; its id.
    pub(crate) async fn sign_up(&self, number: i64) -> i64 {
        let answer = self.post("/v1/members", Caller::Nobody, &wish(number)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json["payload"]["memberId"].as_i64().unwrap()
    }

    pub(crate) async fn log_in(&self, number: i64, password: &str) -> Answer {
        let body = json!({ "memberEmail": email(number), "password": password });
        self.post("/v1/login", Caller::Nobody, &body).await
    }

    pub(crate) async fn status(&self, id: i64) -> String {
        self.auth_view(id).await.json["payload"]["status"].as_str().unwrap().to_owned()
    }
}

impl Caller {
    /// As the gateway signs it.
    pub(crate) fn named(self) -> Option<(i64, &'static str)> {
        match self {
            Self::Nobody => None,
            Self::User(id) => Some((id, "USER")),
            Self::Admin(id) => Some((id, "ADMIN")),
        }
    }
}

/// Workers that make hashes of no cost.
pub(crate) fn cheap() -> Passwords {
    Passwords::new(CHEAP, 2).unwrap()
}

pub(crate) fn email(number: i64) -> String {
    format!("m{number}@example.com")
}

/// A sign-up with everything that has to be there.
pub(crate) fn wish(number: i64) -> Value {
    json!({
        "memberEmail": email(number),
        "password": PASSWORD,
        "memberName": format!("Member {number}"),
        "phoneNumber": format!("010{number:08}"),
    })
}

#[track_caller]
pub(crate) fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json["code"], code, "{}", answer.text);
}

/// Serves until the set is dropped; where.
pub(crate) async fn serve(routes: Router) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (base, tasks)
}
