//! The gateway's core (GW).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use http::HeaderValue;
use pingora_http::ResponseHeader;
use serde_json::json;
use tokio::sync::Mutex as AsyncMutex;
use tollgate::builder::RouteBuilder;
use tollgate::config;
use tollgate_filters::{Answer, Exchange, Failure, Filter, Flow, HeaderField, Hook};

use crate::support::{Gate, Gateway, Reply, Upstream, secrets};

#[track_caller]
fn check_matches(gateway: &Gateway, request: &str) {
    let answer = gateway.send(request);
    assert_eq!(answer.status, 200, "{request}: {}", answer.text());
}

#[track_caller]
fn check_no_match(gateway: &Gateway, request: &str) {
    gateway.send(request).check_failure(404, "ROUTE_NOT_FOUND");
}

/// GW-02
#[test]
fn gw_02_a_route_has_an_id_a_uri_predicates_and_filters() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&format!(
        "routes:\n- id: places\n  uri: {}\n  predicates: [Path=/place/**]\n  \
         filters: [PrefixPath=/v1]\n",
        upstream.uri()
    ));
    let routes = gateway.admin("GET /routes").json();
    assert_eq!(routes[0]["route_id"], "places");
    assert_eq!(routes[0]["uri"], upstream.uri());
    assert_eq!(routes[0]["predicate"], "Paths: [/place/**], match trailing slash: true");
    assert_eq!(routes[0]["filters"], json!(["[[PrefixPath prefix = '/v1'], order = 1]"]));
    check_matches(&gateway, "GET /place/7");
    assert_eq!(upstream.only().target(), "/v1/place/7");
}

/// GW-03
#[test]
fn gw_03_path_predicate_with_a_double_star() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_predicates(&upstream, &["Path=/place/**"]);
    for path in ["/place", "/place/", "/place/7/rooms"] {
        check_matches(&gateway, &format!("GET {path}"));
    }
    check_no_match(&gateway, "GET /places");
}

/// GW-04
#[test]
fn gw_04_path_predicate_with_a_template_segment() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&format!(
        "routes:\n- id: plans\n  uri: {}\n  predicates: ['Path=/travel-plans/{{travelId}}/plans']\n  \
         filters: ['SetPath=/v2/{{travelId}}']\n",
        upstream.uri()
    ));
    check_matches(&gateway, "GET /travel-plans/5/plans");
    assert_eq!(upstream.only().target(), "/v2/5");
    check_no_match(&gateway, "GET /travel-plans/5");
    check_no_match(&gateway, "GET /travel-plans/5/plans/1");
}

/// GW-05
#[test]
fn gw_05_method_predicate_with_a_list() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_predicates(&upstream, &["Path=/x", "Method=GET,POST,DELETE"]);
    for method in ["GET", "POST", "DELETE"] {
        check_matches(&gateway, &format!("{method} /x"));
    }
    check_no_match(&gateway, "PUT /x");
}

/// GW-06
#[test]
fn gw_06_all_predicates_must_hold() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_predicates(&upstream, &["Path=/x", "Method=GET", "Header=X-A"]);
    check_matches(&gateway, "GET /x\nX-A: 1");
    check_no_match(&gateway, "GET /x");
    check_no_match(&gateway, "POST /x\nX-A: 1");
    check_no_match(&gateway, "GET /y\nX-A: 1");
    assert_eq!(upstream.seen().len(), 1);
}

/// GW-07
#[test]
fn gw_07_what_no_route_takes_is_answered_with_404() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_predicates(&upstream, &["Path=/x", "Method=GET"]);
    for request in ["GET /y?secret=1", "POST /x"] {
        let answer = gateway.send(request);
        answer.check_failure(404, "ROUTE_NOT_FOUND");
        let body = answer.json();
        assert_eq!(body["error"], "Not Found");
        let path = request.split([' ', '?']).nth(1).unwrap();
        assert_eq!((&body["path"], &body["instance"]), (&json!(path), &json!(path)));
    }
    assert!(upstream.seen().is_empty());
}

/// GW-08
#[test]
fn gw_08_routes_of_a_file_work() {
    let (planner, reservation) = (Upstream::start(), Upstream::start());
    let file = include_str!("fixtures/routes-yaml.yaml")
        .replace("http://localhost:8080", &planner.uri())
        .replace("http://localhost:8082", &reservation.uri());
    // Whoever may do all this is another test's business.
    let file = file.replace("path: /login, methods: [POST]", "path: /**");
    let file = file.replace("      - PrefixLoginTokenFilter\n      - MemberParameterFilter\n", "");
    let gateway = Gateway::with_environment(&file, secrets());
    let routes = gateway.admin("GET /routes").json();
    let ids: Vec<&str> = routes
        .as_array()
        .unwrap()
        .iter()
        .map(|route| route["route_id"].as_str().unwrap())
        .collect();
    let expected = [
        "PLACE-SERVICE",
        "TRAVELS-SERVICE",
        "TRAVEL-REGIONS-SERVICE",
        "TRAVEL-PLANS-SERVICE",
        "RESERVATION-SERVICE",
    ];
    assert_eq!(ids, expected);
    for path in ["/place/1", "/reservation/1"] {
        check_matches(&gateway, &format!("GET {path}"));
        assert_eq!(reservation.last().target(), format!("/v1{path}"));
    }
    for path in ["/travels/1", "/travel-regions/1", "/travel-plans/1"] {
        check_matches(&gateway, &format!("GET {path}"));
        assert_eq!(planner.last().target(), format!("/v2{path}"));
    }
}

/// GW-09
#[test]
fn gw_09_routes_built_in_code_are_one_table_and_ids_are_unique() {
    let (one, two) = (Upstream::start(), Upstream::start());
    let service = |id: &'static str, path: &'static str, upstream: &Upstream| {
        let uri = upstream.uri();
        RouteBuilder::new().route(id, move |route| route.path(path).method("GET").uri(&uri))
    };
    let routes = service("one", "/one/**", &one).and(service("two", "/two/**", &two));
    let gateway = Gateway::from_routes(routes.build().unwrap());
    check_matches(&gateway, "GET /one/1");
    check_matches(&gateway, "GET /two/2");
    assert_eq!((one.only().target(), two.only().target()), ("/one/1", "/two/2"));
    let twice = service("one", "/one/**", &one).and(service("one", "/two/**", &two));
    let problems = twice.build().unwrap_err();
    assert_eq!(problems[0].route, "one");
    assert_eq!(problems[0].problem.code, "duplicate-id");
}

/// Writes down when it runs.
#[derive(Debug)]
struct Tracing {
    name: &'static str,
    events: Events,
}

type Events = Arc<Mutex<Vec<String>>>;

impl fmt::Display for Tracing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Tracing name = '{}'", self.name)
    }
}

impl Filter for Tracing {
    fn on_request<'a>(&'a self, _: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        self.events.lock().unwrap().push(format!("pre {}", self.name));
        Hook::Ready(Ok(Flow::Continue))
    }

    fn on_response<'a>(
        &'a self,
        _: &'a mut Exchange<'_>,
        _: &'a mut ResponseHeader,
    ) -> Hook<'a, ()> {
        self.events.lock().unwrap().push(format!("post {}", self.name));
        Hook::Ready(Ok(()))
    }
}

#[track_caller]
fn check_events(steps: &[(i32, &'static str)], expected: &[&str]) {
    let events = Events::default();
    let in_upstream = Arc::clone(&events);
    let upstream = Upstream::answering(move |_| {
        in_upstream.lock().unwrap().push("upstream".to_owned());
        Reply::ok("ok")
    });
    let routes = RouteBuilder::new().route("r", |route| {
        let route = route.path("/**").uri(&upstream.uri());
        steps.iter().fold(route, |route, (order, name)| {
            let filter = Tracing { name, events: Arc::clone(&events) };
            route.own_filter_at(*order, Box::new(filter))
        })
    });
    let gateway = Gateway::from_routes(routes.build().unwrap());
    check_matches(&gateway, "GET /");
    assert_eq!(*events.lock().unwrap(), expected);
}

/// GW-10
#[test]
fn gw_10_filters_run_before_and_after_the_upstream_is_called() {
    check_events(&[(1, "trace")], &["pre trace", "upstream", "post trace"]);
}

/// GW-11
#[test]
fn gw_11_filters_run_in_the_order_of_their_numbers_and_back() {
    check_events(
        &[(3, "d"), (0, "a"), (2, "c"), (1, "b")],
        &["pre a", "pre b", "pre c", "pre d", "upstream", "post d", "post c", "post b", "post a"],
    );
}

/// GW-12
#[test]
fn gw_12_default_filters_apply_to_every_route() {
    let upstream = Upstream::start();
    let uri = upstream.uri();
    let gateway = Gateway::start(&format!(
        "default-filters: ['AddResponseHeader=X-Gateway, tollgate']\n\
         routes:\n- {{ id: a, uri: '{uri}', predicates: [Path=/a] }}\n\
         - {{ id: b, uri: '{uri}', predicates: [Path=/b], filters: [PrefixPath=/v1] }}\n"
    ));
    for path in ["/a", "/b"] {
        assert_eq!(gateway.send(&format!("GET {path}")).header("x-gateway"), Some("tollgate"));
    }
}

/// GW-13
#[test]
fn gw_13_the_access_log_names_the_route_that_took_a_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_predicates(&upstream, &["Path=/taken"]);
    check_matches(&gateway, "GET /taken?x=1");
    let line = gateway.log_of("/taken");
    assert_eq!(line["route"], "r");
    assert_eq!((&line["method"], &line["status"]), (&json!("GET"), &json!(200)));
    assert_eq!(line["upstream"], upstream.authority());
    assert_eq!((&line["attempts"], &line["code"]), (&json!(1), &json!(null)));
    check_no_match(&gateway, "GET /not");
    let line = gateway.log_of("/not");
    assert_eq!((&line["route"], &line["code"]), (&json!(null), &json!("ROUTE_NOT_FOUND")));
}

/// A store that answers later, as Redis does.
#[derive(Debug)]
struct Store {
    sessions: AsyncMutex<HashMap<String, String>>,
    gate: Gate,
}

/// An application's own filter that asks a store and does not block while it waits.
#[derive(Debug)]
struct Session {
    store: Arc<Store>,
    member: HeaderField,
}

impl fmt::Display for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Session")
    }
}

impl Filter for Session {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::Wait(Box::pin(async move {
            let token = exchange.headers().get("authorization").cloned();
            let token = token.as_ref().and_then(|token| token.to_str().ok()).unwrap_or_default();
            self.store.gate.pass().await;
            let member = self.store.sessions.lock().await.get(token).cloned();
            let Some(member) = member else {
                return Ok(Flow::Respond(Box::new(Answer::new(401))));
            };
            let value = HeaderValue::try_from(member)
                .map_err(|error| Failure::Filter(error.to_string()))?;
            exchange.set_header(&self.member, value)?;
            Ok(Flow::Continue)
        }))
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange<'_>,
        head: &'a mut ResponseHeader,
    ) -> Hook<'a, ()> {
        Hook::Wait(Box::pin(async move {
            let sessions = self.store.sessions.lock().await.len();
            let _member = exchange.headers().get(self.member.name());
            head.insert_header("X-Sessions", sessions)
                .map_err(|error| Failure::Filter(error.to_string()))
        }))
    }
}

/// GW-14 (its seam): a store beside the gateway fits in without blocking anybody.
#[test]
fn gw_14_a_filter_of_the_application_waits_for_a_store() {
    let upstream = Upstream::start();
    let sessions = HashMap::from([("t1".to_owned(), "member-1".to_owned())]);
    let store = Arc::new(Store { sessions: AsyncMutex::new(sessions), gate: Gate::closed() });
    let session =
        Session { store: Arc::clone(&store), member: HeaderField::new("X-Member-Id").unwrap() };
    let routes = RouteBuilder::new()
        .route("session", |route| {
            route.path("/mine").own_filter(Box::new(session)).uri(&upstream.uri())
        })
        .route("open", |route| route.path("/open").uri(&upstream.uri()));
    let gateway = Gateway::from_routes(routes.build().unwrap());
    // More requests wait for the store than there are threads.
    let mut waiting: Vec<_> = (0..20).map(|_| gateway.client()).collect();
    for client in &mut waiting {
        client.start("GET /mine\nAuthorization: t1\nX-Member-Id: forged");
    }
    check_matches(&gateway, "GET /open");
    assert_eq!(upstream.seen().len(), 1, "nobody may pass before the store answers");
    store.gate.open();
    for client in &mut waiting {
        let answer = client.read_answer();
        assert_eq!((answer.status, answer.header("x-sessions")), (200, Some("1")));
    }
    assert_eq!(upstream.last().header("x-member-id"), Some("member-1"));
    assert_eq!(gateway.send("GET /mine\nAuthorization: t2").status, 401);
    assert_eq!(upstream.seen().len(), 21);
}

/// GW-15
#[test]
fn gw_15_a_thousand_slow_calls_do_not_stop_a_fast_route() {
    let gate = Gate::closed();
    let slow = Upstream::with(Reply::ok("slow").after(&gate));
    let fast = Upstream::start();
    let gateway = Gateway::start(&format!(
        "routes:\n- {{ id: slow, uri: '{}', predicates: [Path=/slow] }}\n\
         - {{ id: fast, uri: '{}', predicates: [Path=/fast] }}\n",
        slow.uri(),
        fast.uri()
    ));
    let mut clients: Vec<_> = (0..1000).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.start("GET /slow");
    }
    slow.wait_for_heads(1000);
    assert_eq!(slow.open_connections(), 1000);
    gateway.check_metric("tollgate_requests_in_flight", "1000");
    for _ in 0..20 {
        check_matches(&gateway, "GET /fast");
    }
    gate.open();
    for client in &mut clients {
        assert_eq!(client.read_answer().text(), "slow");
    }
}

/// GW-16
#[test]
fn gw_16_the_upstream_is_told_who_asked_for_what() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    check_matches(
        &gateway,
        "GET /\nHost: shop.test:8443\nX-Forwarded-For: 6.6.6.6\nX-Forwarded-Proto: gopher\n\
         X-Forwarded-Host: evil.test\nX-Forwarded-Evil: 1\nForwarded: for=6.6.6.6",
    );
    let seen = upstream.only();
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.test:8443"));
    assert_eq!(seen.header("x-forwarded-evil"), None);
    assert_eq!(seen.header("forwarded"), None);
}

/// GW-17
#[test]
fn gw_17_both_notations_mean_the_same_and_an_unknown_name_stops_the_start() {
    let upstream = Upstream::start();
    let uri = upstream.uri();
    let short = "predicates: [Path=/a/**, 'Header=X-A, \\d+']\n  filters: [PrefixPath=/v1]";
    let expanded = "predicates:\n  - name: Path\n    args: { patterns: /a/** }\n  \
                    - { name: Header, args: { header: X-A, regexp: '\\d+' } }\n  \
                    filters:\n  - { name: PrefixPath, args: { prefix: /v1 } }";
    let mut listings = Vec::new();
    for notation in [short, expanded] {
        let gateway = Gateway::start(&format!("routes:\n- id: r\n  uri: {uri}\n  {notation}\n"));
        check_matches(&gateway, "GET /a/1\nX-A: 12");
        assert_eq!(upstream.last().target(), "/v1/a/1");
        check_no_match(&gateway, "GET /a/1\nX-A: b");
        listings.push(gateway.admin("GET /routes").json());
    }
    assert_eq!(listings[0][0]["predicate"], listings[1][0]["predicate"]);
    assert_eq!(listings[0][0]["filters"], listings[1][0]["filters"]);
    let file = format!(
        "routes:\n- id: r\n  uri: {uri}\n  predicates: [Pth=/a]\n  filters: [PrefxPath=/v1]\n"
    );
    let error = config::load(&file, "routes.yaml", &|_| None).unwrap_err();
    let messages: Vec<&str> =
        error.report().problems().iter().map(|problem| problem.message.as_str()).collect();
    assert!(messages.iter().any(|message| message.contains("`Pth`")), "{messages:?}");
    assert!(messages.iter().any(|message| message.contains("`PrefxPath`")), "{messages:?}");
}
