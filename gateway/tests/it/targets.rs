//! Where a request goes: upstream targets, `forward:`, schemes nobody routes (`global.md` 2).

use crate::support::{Gateway, Reply, Upstream};

/// G2: the route's own path and query are ignored, the request's stay byte for byte.
#[test]
fn g2_the_upstream_gets_the_requests_own_path_and_query() {
    let upstream = Upstream::start();
    let gateway = Gateway::to(&format!("{}/mypath", upstream.uri()));
    for target in [
        "/get?a=b",
        "//get//x",
        "/get?",
        "/?a=1&b=3&a=4",
        "/?&&a=1&",
        "/?c=d%5B%5D",
        "/?a=b&c=d[]",
        "/?key[]=test=%20key",
        "/abc%20def/get",
    ] {
        assert_eq!(gateway.send(&format!("GET {target}")).status, 200, "{target}");
        assert_eq!(upstream.last().target(), target);
    }
}

/// A gateway whose route `outer` forwards `/out/**` and whose route `inner` takes `/in/**`.
fn forwarding(upstream: &Upstream, outer_filters: &str) -> Gateway {
    Gateway::start(&format!(
        "routes:\n\
         - id: outer\n  uri: forward:/in/local\n  predicates: [Path=/out/**]\n  \
         filters: {outer_filters}\n\
         - id: inner\n  uri: {}\n  predicates: [Path=/in/**]\n  \
         filters: [StripPrefix=1, 'AddResponseHeader=X-Inner, 1']\n",
        upstream.uri()
    ))
}

#[test]
fn g2_a_forward_enters_the_table_again_with_its_own_path() {
    let upstream = Upstream::with(Reply::new(201, "made"));
    let gateway = forwarding(&upstream, "[]");
    let answer = gateway.send("POST /out/x?a=1\nOrigin: http://shop.test\nX-Kept: 1\n\nbody");
    assert_eq!((answer.status, answer.text().as_str()), (201, "made"));
    assert_eq!(answer.header("x-inner"), Some("1"));
    let seen = upstream.only();
    assert_eq!((seen.line.as_str(), seen.text().as_str()), ("POST /local?a=1 HTTP/1.1", "body"));
    assert_eq!((seen.header("origin"), seen.header("x-kept")), (None, Some("1")));
    assert_eq!(gateway.log_of("/out/x")["route"], "inner");
}

#[test]
fn g2_the_forwarding_routes_request_filters_act_and_its_response_filters_come_too_late() {
    let upstream = Upstream::start();
    let gateway = forwarding(
        &upstream,
        "['AddRequestHeader=X-Outer, 1', 'AddResponseHeader=X-Outer, 1', \
         'AddRequestParameter=b, 2', 'RewritePath=/in/local, /in/rewritten']",
    );
    let answer = gateway.send("GET /out/x?a=1");
    assert_eq!((answer.header("x-inner"), answer.header("x-outer")), (Some("1"), None));
    let seen = upstream.only();
    assert_eq!((seen.target(), seen.header("x-outer")), ("/rewritten?a=1&b=2", Some("1")));
}

/// G2: route `forward:/localcontroller` with the default filter `PrefixPath=/httpbin`.
#[test]
fn g2_path_filters_act_on_the_forwards_path() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&format!(
        "default-filters: [PrefixPath=/httpbin]\nroutes:\n\
         - {{ id: outer, uri: 'forward:/localcontroller', predicates: [Path=/foo] }}\n\
         - {{ id: inner, uri: '{}', predicates: [Path=/httpbin/**] }}\n",
        upstream.uri()
    ));
    assert_eq!(gateway.send("GET /foo").status, 200);
    assert_eq!(upstream.only().target(), "/httpbin/localcontroller");
}

#[test]
fn a_forward_that_leads_back_to_itself_fails() {
    let gateway = Gateway::to("forward:/again");
    gateway.send("GET /x").check_failure(500, "FILTER_FAILED");
    gateway.check_metric("tollgate_errors_total{code=\"FILTER_FAILED\",routeId=\"r\"}", "1");
}

#[test]
fn a_forward_that_nothing_takes_is_404_with_the_original_path() {
    let gateway =
        Gateway::start("routes: [{ id: r, uri: 'forward:/nowhere', predicates: [Path=/x] }]");
    let answer = gateway.send("GET /x?a=1");
    answer.check_failure(404, "ROUTE_NOT_FOUND");
    assert_eq!(answer.json()["path"], "/x");
}

#[test]
fn a_chain_of_forwards_ends_at_the_last_route() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&format!(
        "routes:\n- {{ id: a, uri: 'forward:/b', predicates: [Path=/a] }}\n\
         - {{ id: b, uri: 'forward:/c', predicates: [Path=/b] }}\n\
         - {{ id: c, uri: '{}', predicates: [Path=/c] }}\n",
        upstream.uri()
    ));
    assert_eq!(gateway.send("GET /a").status, 200);
    assert_eq!(upstream.only().target(), "/c");
    assert_eq!(gateway.log_of("/a")["route"], "c");
}

#[test]
fn g1_1_a_scheme_nobody_routes_is_200_and_what_filters_make_of_it() {
    let gateway = Gateway::start(
        "routes: [{ id: r, uri: 'no://op', predicates: [Path=/**], \
         filters: ['AddResponseHeader=X-A, 1', SetStatus=202] }]",
    );
    let mut client = gateway.client();
    for _ in 0..2 {
        let answer = client.send("GET /");
        assert_eq!((answer.status, answer.header("x-a")), (202, Some("1")));
        assert!(answer.body.is_empty());
    }
    let foreign = Gateway::start(
        "spring.cloud.gateway.routes: [{ id: r, uri: 'foo://bar', predicates: [Path=/**] }]",
    );
    let answer = foreign.send("GET /");
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
}

#[test]
fn g2_a_filter_that_makes_a_path_with_dot_segments_fails() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &["RewritePath=/a/(?<x>.*), /b/../$\\{x}"]);
    gateway.send("GET /a/c").check_failure(500, "FILTER_FAILED");
    assert!(upstream.seen().is_empty());
    assert_eq!(gateway.send("GET /other").status, 200);
}

const LOCAL: &str = "answers:\n  /here: { status: 503, headers: { Retry-After: \"5\" }, body: '{\"message\":\"later\"}' }\n  \
                     /text: { body: plain }\n\
                     routes:\n\
                     - { id: away, uri: 'forward:/here', predicates: [Path=/away], filters: [\"AddResponseHeader=X-Own, 1\"] }\n\
                     - { id: text, uri: 'forward:/text', predicates: [Path=/say] }\n\
                     - { id: here, uri: 'no://op', predicates: [Path=/here], filters: [SetStatus=204] }\n";

#[test]
fn a_forward_finds_a_local_answer_before_any_route() {
    let gateway = Gateway::start(LOCAL);
    let answer = gateway.send("GET /away");
    assert_eq!((answer.status, answer.text().as_str()), (503, "{\"message\":\"later\"}"));
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-own"), None);
    assert_eq!(gateway.log_of("/away")["route"], "away");
    let answer = gateway.send("GET /say");
    assert_eq!((answer.status, answer.text().as_str()), (200, "plain"));
    assert_eq!(answer.header("content-type"), Some("text/plain;charset=UTF-8"));
    let head = gateway.send("HEAD /away");
    assert_eq!((head.status, head.header("content-length")), (503, Some("19")));
}

#[test]
fn a_client_does_not_reach_a_local_answer_by_its_path() {
    assert_eq!(Gateway::start(LOCAL).send("GET /here").status, 204);
}
