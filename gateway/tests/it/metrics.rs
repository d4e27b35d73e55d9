//! What `/metrics` tells beside the timer's labels (`global.md` 10).

use crate::support::{Gateway, Upstream};

#[test]
fn g10_1_the_prefix_and_tags_of_the_file_are_used() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_settings(
        &upstream,
        "metrics: { prefix: 'edge.gate.', tags: { zone: a, '[app.name]': shop } }",
    );
    gateway.send("GET /");
    let series = format!(
        "edge_gate_requests_seconds_count{{app_name=\"shop\",httpMethod=\"GET\",\
         httpStatusCode=\"200\",outcome=\"SUCCESSFUL\",routeId=\"r\",routeUri=\"{}\",\
         status=\"OK\",zone=\"a\"}}",
        upstream.uri()
    );
    gateway.check_metric(&series, "1");
}

#[test]
fn g10_1_the_path_pattern_is_told_where_the_file_asks_for_it() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&format!(
        "metrics: {{ path-tags: {{ enabled: true }} }}\n\
         routes: [{{ id: r, uri: '{}', predicates: ['Path=/a/**'] }}]",
        upstream.uri()
    ));
    gateway.send("GET /a/secret");
    gateway.log_of("/a/secret");
    let text = gateway.metrics();
    assert!(text.contains("path=\"/a/**\"") && !text.contains("/a/secret"), "{text}");
}

#[test]
fn g10_1_each_request_counts_once_and_unmatched_ones_do_not() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_predicates(&upstream, &["Path=/a"]);
    for _ in 0..3 {
        gateway.send("GET /a");
    }
    gateway.send("GET /b");
    gateway.log_of("/b");
    let series = format!(
        "spring_cloud_gateway_requests_seconds_count{{httpMethod=\"GET\",httpStatusCode=\"200\",\
         outcome=\"SUCCESSFUL\",routeId=\"r\",routeUri=\"{}\",status=\"OK\"}}",
        upstream.uri()
    );
    gateway.check_metric(&series, "3");
    let text = gateway.metrics();
    assert!(!text.contains("httpStatusCode=\"404\""), "{text}");
    let failed = "tollgate_errors_total{code=\"ROUTE_NOT_FOUND\",routeId=\"\"}";
    gateway.check_metric(failed, "1");
}

#[test]
fn g10_1_the_gateways_own_failures_are_timed_under_their_route() {
    let uri = Upstream::start().uri();
    let gateway = Gateway::to(&uri);
    gateway.send("GET /");
    let series = format!(
        "spring_cloud_gateway_requests_seconds_count{{httpMethod=\"GET\",httpStatusCode=\"502\",\
         outcome=\"SERVER_ERROR\",routeId=\"r\",routeUri=\"{uri}\",status=\"BAD_GATEWAY\"}}"
    );
    gateway.check_metric(&series, "1");
}

#[test]
fn g10_2_the_routes_and_the_reloads_are_counted() {
    let gateway = Gateway::to("http://127.0.0.1:1");
    gateway.check_metric("spring_cloud_gateway_routes_count", "1");
    gateway.check_metric("tollgate_config_reloads_total{result=\"applied\"}", "1");
    gateway.check_metric("tollgate_config_reloads_total{result=\"refused\"}", "0");
    gateway.check_metric("tollgate_requests_in_flight", "0");
    assert!(gateway.metrics().contains("tollgate_config_last_success_timestamp_seconds "));
}
