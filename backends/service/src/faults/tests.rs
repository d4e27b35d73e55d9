use std::sync::atomic::{AtomicU32, Ordering};

use axum::middleware::from_fn_with_state;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use tokio::time::Instant;
use tower::ServiceExt;

use super::*;
use crate::app::{App, Registry, Shared};
use crate::clock::Clock;
use crate::database::Database;
use crate::testing::{Answer, call, on_sqlite};

const OPERATIONS: &[&str] = &["approve", "reserve"];

/// A stand-in that counts what it has processed.
struct Fixture {
    router: Router,
    processed: Arc<AtomicU32>,
}

impl Fixture {
    fn new(database: &Database, is_test: bool) -> Self {
        let processed = Arc::<AtomicU32>::default();
        let counter = Arc::clone(&processed);
        let faults = Faults::new(is_test);
        let handler = post(async move |request: Request| {
            let count = counter.fetch_add(1, Ordering::SeqCst) + 1;
            let header = request.headers().get(TEST_CODE).map(|it| it.to_str().unwrap().to_owned());
            let expired = request.extensions().get::<ExpireHold>().is_some();
            Json(json!({ "count": count, "code": header, "expired": expired }))
        });
        let layer = from_fn_with_state(faults.on("approve"), strike);
        let routing = Router::new()
            .route("/{externalId}/approve", handler.layer(layer))
            .merge(faults.routes(OPERATIONS));
        let clock = Clock::system();
        let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
        let api = <FaultsApi as utoipa::OpenApi>::openapi();
        let app = App::new(routing, &api, shared).unwrap();
        Self { router: app.into_router(), processed }
    }

    async fn arm(&self, fault: Value) -> Answer {
        call(&self.router, "POST", "/admin/faults", &[], &fault.to_string()).await.unwrap()
    }

    async fn approve(&self, id: &str, fault: Option<&str>) -> Answer {
        let headers: Vec<_> =
            fault.map(|fault| ("x-fault", fault.to_owned())).into_iter().collect();
        call(&self.router, "POST", &format!("/{id}/approve"), &headers, "{}").await.unwrap()
    }

    /// Whether the connection would be closed.
    async fn hangs_up(&self, id: &str, fault: Option<&str>) -> bool {
        let request = Request::post(format!("/{id}/approve"));
        let request =
            fault.into_iter().fold(request, |request, fault| request.header(HEADER, fault));
        let answer = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await;
        answer.unwrap().extensions().get::<HangUp>().is_some()
    }

    fn processed(&self) -> u32 {
        self.processed.swap(0, Ordering::SeqCst)
    }
}

async fn with(is_test: bool, test: impl AsyncFnOnce(Fixture)) {
    on_sqlite(&[], async |database| test(Fixture::new(&database, is_test)).await).await.unwrap();
}

#[tokio::test]
async fn every_kind_does_what_it_says() {
    with(true, async |fixture| {
        let began = Instant::now();
        let answer = fixture.approve("a", Some("delay=40ms")).await;
        assert_eq!((answer.status, fixture.processed()), (StatusCode::OK, 1));
        assert!(began.elapsed().as_millis() >= 40);
        fixture.approve("a", Some("delay_after=50ms")).await;
        assert!(began.elapsed().as_millis() >= 90);
        assert_eq!(fixture.processed(), 1);

        let answer = fixture.approve("a", Some("status=409 HOLD_EXPIRED")).await;
        assert_eq!((answer.status, fixture.processed()), (StatusCode::CONFLICT, 0));
        assert_eq!(answer.json["code"], "HOLD_EXPIRED");

        assert!(fixture.hangs_up("a", Some("drop_before")).await);
        assert_eq!(fixture.processed(), 0);
        assert!(fixture.hangs_up("a", Some("drop_after")).await);
        assert_eq!(fixture.processed(), 1);
        let answer = fixture.approve("a", Some("garbage")).await;
        assert_eq!((answer.status, fixture.processed()), (StatusCode::OK, 1));
        assert_eq!(answer.json, Value::Null);

        let answer = fixture.approve("a", Some("expire_hold")).await;
        assert_eq!((&answer.json["expired"], fixture.processed()), (&json!(true), 1));
        let answer = fixture.approve("a", Some("duplicate")).await;
        assert_eq!((&answer.json["count"], fixture.processed()), (&json!(2), 2));
        let answer = fixture.approve("a", Some("pg_code=PROVIDER_ERROR")).await;
        assert_eq!((&answer.json["code"], fixture.processed()), (&json!("PROVIDER_ERROR"), 1));

        let answer = fixture.approve("a", Some("explode")).await;
        assert_eq!((answer.status, fixture.processed()), (StatusCode::BAD_REQUEST, 0));
    })
    .await;
}

#[tokio::test]
async fn a_header_counts_in_test_mode_only() {
    with(false, async |fixture| {
        assert!(!fixture.hangs_up("a", Some("drop_before")).await);
        assert_eq!(fixture.processed(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_fault_strikes_whom_it_names_as_often_as_it_says() {
    with(false, async |fixture| {
        let fault = json!({
            "operation": "approve", "match": { "externalId": "b" }, "kind": "drop_after", "times": 2,
        });
        assert_eq!(fixture.arm(fault.clone()).await.status, StatusCode::CREATED);
        assert!(!fixture.hangs_up("a", None).await);
        for expected in [true, true, false] {
            assert_eq!(fixture.hangs_up("b", None).await, expected);
        }
        fixture.arm(json!({ "operation": "reserve", "kind": "drop_after" })).await;
        assert!(!fixture.hangs_up("b", None).await);
    })
    .await;
}

#[tokio::test]
async fn faults_are_listed_and_taken_back() {
    with(false, async |fixture| {
        let fault = json!({ "operation": "approve", "kind": "delay", "value": "20ms", "times": 3 });
        fixture.arm(fault).await;
        let list = call(&fixture.router, "GET", "/admin/faults", &[], "").await.unwrap();
        let expected = json!([{
            "operation": "approve", "kind": "delay", "value": "20ms", "times": 3, "probability": 1.0,
        }]);
        assert_eq!(list.json, expected);
        let gone = call(&fixture.router, "DELETE", "/admin/faults", &[], "").await.unwrap();
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
        let list = call(&fixture.router, "GET", "/admin/faults", &[], "").await.unwrap();
        assert_eq!(list.json, json!([]));
    })
    .await;
}

#[tokio::test]
async fn tells_what_is_wrong_with_a_fault() {
    with(false, async |fixture| {
        for (fault, field) in [
            (json!({ "kind": "drop_after" }), "operation"),
            (json!({ "operation": "confirm", "kind": "drop_after" }), "operation"),
            (json!({ "operation": "approve" }), "kind"),
            (json!({ "operation": "approve", "kind": "delay" }), "kind"),
            (json!({ "operation": "approve", "kind": "status", "value": "200 OK" }), "kind"),
            (json!({ "operation": "approve", "kind": "drop_after", "times": 0 }), "times"),
            (
                json!({ "operation": "approve", "kind": "drop_after", "probability": 2 }),
                "probability",
            ),
        ] {
            let answer = fixture.arm(fault.clone()).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{fault}");
            assert_eq!(answer.json["errors"][0]["field"], field, "{fault}: {}", answer.text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_layer_may_know_better_what_a_call_is_about() {
    with(false, async |fixture| {
        let fault = json!({
            "operation": "approve", "match": { "orderId": "o" }, "kind": "drop_after",
        });
        fixture.arm(fault).await;
        assert!(!fixture.hangs_up("a", None).await);
        let subject = Subject { order_id: Some("o".to_owned()), ..Subject::default() };
        let request = Request::post("/a/approve").extension(subject).body(Body::empty()).unwrap();
        let answer = fixture.router.clone().oneshot(request).await.unwrap();
        assert!(answer.extensions().get::<HangUp>().is_some());
    })
    .await;
}

/// A probability of nothing never strikes.
#[tokio::test]
async fn chance_decides() {
    with(false, async |fixture| {
        let fault = json!({ "operation": "approve", "kind": "drop_after", "probability": 0 });
        fixture.arm(fault).await;
        for _ in 0..20 {
            assert!(!fixture.hangs_up("a", None).await);
        }
    })
    .await;
}
