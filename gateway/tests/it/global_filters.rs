//! What acts on every route (GG), and `lb:` until discovery comes.

use crate::support::{Gate, Gateway, Reply, Upstream};

/// GG-03
#[test]
fn gg_03_an_http_target_is_called_and_its_answer_passes_the_way_back() {
    let upstream = Upstream::with(Reply::new(201, "made").header("X-From", "upstream"));
    let gateway = Gateway::with_filters(&upstream, &["SetResponseHeader=X-From, gateway"]);
    let answer = gateway.send("POST /things?x=1\nContent-Type: text/plain\n\nhello");
    assert_eq!((answer.status, answer.text().as_str()), (201, "made"));
    assert_eq!(answer.header("x-from"), Some("gateway"));
    let seen = upstream.only();
    assert_eq!(seen.line, "POST /things?x=1 HTTP/1.1");
    assert_eq!((seen.text().as_str(), seen.header("content-type")), ("hello", Some("text/plain")));
}

/// GG-04
#[test]
fn gg_04_the_answer_is_streamed_after_the_way_back_has_set_its_headers() {
    let gate = Gate::closed();
    let upstream = Upstream::with(
        Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            .wait(&gate)
            .send("4\r\nlast\r\n0\r\n\r\n"),
    );
    let gateway = Gateway::with_filters(&upstream, &["AddResponseHeader=X-Late, no"]);
    let mut client = gateway.client();
    client.start("GET /");
    let head = client.read_head();
    assert_eq!((head.status, head.header("x-late")), (200, Some("no")));
    assert_eq!(client.read_chunk().unwrap(), b"first");
    gate.open();
    assert_eq!(client.read_chunk().unwrap(), b"last");
    assert_eq!(client.read_chunk(), None);
}

/// GG-05
#[test]
fn gg_05_the_routes_host_and_the_edited_path_and_query_are_the_upstream_url() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&format!(
        "routes:\n- id: r\n  uri: {}/ignored?also=ignored\n  predicates: [Path=/api/**]\n  \
         filters: [StripPrefix=1, PrefixPath=/v1, 'AddRequestParameter=b, 2']\n",
        upstream.uri()
    ));
    assert_eq!(gateway.send("GET /api/x?a=1").status, 200);
    let seen = upstream.only();
    assert_eq!(seen.target(), "/v1/x?a=1&b=2");
    assert_eq!(seen.header("host"), Some(upstream.authority().as_str()));
}

const TIMER: &str = "spring_cloud_gateway_requests_seconds";

/// Sends a request and asserts that its series counts one.
#[track_caller]
fn check_timed(upstream: &Upstream, request: &str, labels: [(&str, &str); 4]) {
    let gateway = Gateway::with_filters(upstream, &[]);
    gateway.send(request);
    let [method, code, outcome, status] = labels.map(|(name, value)| format!("{name}=\"{value}\""));
    let series = format!(
        "{TIMER}_count{{{method},{code},{outcome},routeId=\"r\",routeUri=\"{}\",{status}}}",
        upstream.uri()
    );
    gateway.check_metric(&series, "1");
}

#[track_caller]
fn check_outcome(status: u16, outcome: &str, name: &str) {
    let code = status.to_string();
    check_timed(
        &Upstream::with(Reply::new(status, "")),
        "GET /",
        [("httpMethod", "GET"), ("httpStatusCode", &code), ("outcome", outcome), ("status", name)],
    );
}

/// GG-06
#[test]
fn gg_06_requests_are_timed_unless_that_is_switched_off() {
    let upstream = Upstream::start();
    let timed = Gateway::with_filters(&upstream, &[]);
    timed.send("GET /");
    timed.log_of("/");
    let text = timed.metrics();
    assert!(text.contains(&format!("# TYPE {TIMER} summary\n")), "{text}");
    assert!(text.contains(&format!("# TYPE {TIMER}_max gauge\n")), "{text}");
    for part in ["_count{", "_sum{", "_max{"] {
        assert!(text.contains(&format!("{TIMER}{part}")), "{text}");
    }
    let untimed = Gateway::with_settings(&upstream, "metrics: { enabled: false }");
    untimed.send("GET /");
    untimed.log_of("/");
    assert!(!untimed.metrics().contains(TIMER));
}

/// GG-07
#[test]
fn gg_07_the_timer_names_the_routes_id() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&format!(
        "routes:\n- {{ id: PLACE-SERVICE, uri: '{}', predicates: [Path=/**] }}\n",
        upstream.uri()
    ));
    gateway.send("GET /");
    gateway.log_of("/");
    assert!(gateway.metrics().contains("routeId=\"PLACE-SERVICE\""));
}

/// GG-08
#[test]
fn gg_08_the_timer_names_the_routes_uri_with_its_port() {
    let gateway = Gateway::start(
        "services: { svc: { instances: [] } }\nroutes:\n- { id: r, uri: 'lb://svc', predicates: [Path=/lb] }\n\
         - { id: s, uri: 'http://127.0.0.1/base', predicates: [Path=/http], \
         filters: ['RedirectTo=302, http://x'] }\n",
    );
    gateway.send("GET /lb");
    gateway.send("GET /http");
    gateway.log_of("/http");
    let text = gateway.metrics();
    assert!(text.contains("routeUri=\"lb://svc\""), "{text}");
    assert!(text.contains("routeUri=\"http://127.0.0.1:80/base\""), "{text}");
}

/// GG-09
#[test]
fn gg_09_the_timer_tells_the_outcome() {
    for (status, outcome, name) in [
        (200, "SUCCESSFUL", "OK"),
        (302, "REDIRECTION", "FOUND"),
        (404, "CLIENT_ERROR", "NOT_FOUND"),
        (503, "SERVER_ERROR", "SERVICE_UNAVAILABLE"),
        (432, "CUSTOM", "432"),
    ] {
        check_outcome(status, outcome, name);
    }
}

/// GG-10
#[test]
fn gg_10_the_timer_names_the_status() {
    check_outcome(429, "CLIENT_ERROR", "TOO_MANY_REQUESTS");
    check_outcome(413, "CLIENT_ERROR", "CONTENT_TOO_LARGE");
}

/// GG-11
#[test]
fn gg_11_the_timer_tells_the_status_as_a_number() {
    check_outcome(201, "SUCCESSFUL", "CREATED");
}

/// GG-12
#[test]
fn gg_12_the_timer_names_the_method() {
    for (method, label) in [("POST", "POST"), ("DELETE", "DELETE"), ("PURGE", "OTHER")] {
        check_timed(
            &Upstream::start(),
            &format!("{method} /"),
            [
                ("httpMethod", label),
                ("httpStatusCode", "200"),
                ("outcome", "SUCCESSFUL"),
                ("status", "OK"),
            ],
        );
    }
}

#[test]
fn a_load_balanced_route_without_instances_answers_503() {
    let gateway = Gateway::start(
        "services: { service: { instances: [] } }\n\
         routes: [{ id: r, uri: 'lb://service', predicates: [Path=/**] }]\n",
    );
    gateway.send("GET /").check_failure(503, "NO_INSTANCE");
    gateway.check_metric("tollgate_errors_total{code=\"NO_INSTANCE\",routeId=\"r\"}", "1");
}

#[test]
fn a_load_balanced_route_without_instances_answers_404_where_the_file_says_so() {
    let gateway = Gateway::start(
        "loadbalancer: { use404: true }\nservices: { service: { instances: [] } }\n\
         routes: [{ id: r, uri: 'lb://service', predicates: [Path=/**] }]\n",
    );
    gateway.send("GET /").check_failure(404, "NO_INSTANCE");
}
