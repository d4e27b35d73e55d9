//! Each filter through the real proxy (GF).

use crate::support::{Answer, Gateway, Reply, Seen, Upstream};

/// What reaches the upstream and what the client gets, with these filters on the route.
fn through(filters: &[&str], reply: Reply, request: &str) -> (Option<Seen>, Answer) {
    let upstream = Upstream::with(reply);
    let gateway = Gateway::with_filters(&upstream, filters);
    let answer = gateway.send(request);
    (upstream.seen().pop(), answer)
}

/// What reaches the upstream.
fn upstream_of(filter: &str, request: &str) -> Seen {
    through(&[filter], Reply::ok("ok"), request).0.unwrap()
}

#[track_caller]
fn check_target(filter: &str, target: &str, expected: &str) {
    assert_eq!(upstream_of(filter, &format!("GET {target}")).target(), expected);
}

/// GF-01
#[test]
fn gf_01_add_request_header_keeps_a_value_beside_the_new_one() {
    let seen = upstream_of("AddRequestHeader=X-Tag, new", "GET /");
    assert_eq!(seen.all("x-tag"), ["new"]);
    let seen = upstream_of("AddRequestHeader=X-Tag, new", "GET /\nx-tag: old");
    assert_eq!(seen.all("x-tag"), ["old", "new"]);
}

/// GF-02
#[test]
fn gf_02_add_response_header_adds_to_the_upstreams() {
    let filters = ["AddResponseHeader=X-Tag, gateway"];
    let (_, answer) = through(&filters, Reply::ok("ok"), "GET /");
    assert_eq!(answer.all("x-tag"), ["gateway"]);
    let (_, answer) = through(&filters, Reply::ok("ok").header("X-Tag", "upstream"), "GET /");
    assert_eq!(answer.all("x-tag"), ["upstream", "gateway"]);
}

/// GF-03
#[test]
fn gf_03_add_request_parameter_adds_to_the_query() {
    check_target("AddRequestParameter=b, 2", "/?a=1", "/?a=1&b=2");
    check_target("AddRequestParameter=b, 2", "/", "/?b=2");
    check_target("AddRequestParameter=b, c d", "/?a=1", "/?a=1&b=c%20d");
    check_target("AddRequestParameter=b, c%20d", "/?a=%2F", "/?a=%2F&b=c%20d");
}

/// GF-04
#[test]
fn gf_04_remove_request_header_knows_no_case() {
    let seen = upstream_of("RemoveRequestHeader=X-SECRET", "GET /\nx-Secret: 1\nX-Other: 2");
    assert_eq!((seen.header("x-secret"), seen.header("x-other")), (None, Some("2")));
}

/// GF-05
#[test]
fn gf_05_remove_response_header_hides_it_from_the_client() {
    let reply = Reply::ok("ok").header("X-Internal", "1").header("X-Other", "2");
    let (_, answer) = through(&["RemoveResponseHeader=x-internal"], reply, "GET /");
    assert_eq!((answer.header("x-internal"), answer.header("x-other")), (None, Some("2")));
}

/// GF-06
#[test]
fn gf_06_remove_request_parameter_leaves_the_others_as_they_are() {
    check_target("RemoveRequestParameter=b", "/?c=3&b=2&a=%2F&b=4&d", "/?c=3&a=%2F&d");
    check_target("RemoveRequestParameter=b", "/?b=2", "/");
}

/// GF-09
#[test]
fn gf_09_prefix_path_puts_something_in_front_and_keeps_the_query() {
    check_target("PrefixPath=/v1", "/place/1?area=%2F1", "/v1/place/1?area=%2F1");
}

/// GF-10
#[test]
fn gf_10_rewrite_path_with_a_named_group() {
    check_target(
        "RewritePath=/red/?(?<segment>.*), /$\\{segment}",
        "/red/blue/green?x=1",
        "/blue/green?x=1",
    );
}

/// GF-13
#[test]
fn gf_13_redirect_to_answers_without_the_upstream() {
    let (seen, answer) =
        through(&["RedirectTo=302, https://acme.test"], Reply::ok("ok"), "GET /x?y=1");
    assert!(seen.is_none());
    assert_eq!((answer.status, answer.header("location")), (302, Some("https://acme.test")));
    let file = "routes: [{ id: r, uri: 'http://h', predicates: [Path=/**], \
                filters: ['RedirectTo=200, https://acme.test'] }]";
    let error = tollgate::config::load(file, "routes.yaml", &|_| None).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("200"), "{error}");
}

/// GF-16
#[test]
fn gf_16_set_path_fills_a_template_with_the_paths_variables() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&format!(
        "routes:\n- id: r\n  uri: {}\n  predicates: ['Path=/red/{{segment}}']\n  \
         filters: ['SetPath=/{{segment}}/v1']\n",
        upstream.uri()
    ));
    assert_eq!(gateway.send("GET /red/blue?x=1").status, 200);
    assert_eq!(upstream.only().target(), "/blue/v1?x=1");
}

/// GF-17
#[test]
fn gf_17_set_request_header_replaces_all_values() {
    let seen = upstream_of("SetRequestHeader=X-Tag, new", "GET /\nX-Tag: one\nx-tag: two");
    assert_eq!(seen.all("x-tag"), ["new"]);
}

/// GF-18
#[test]
fn gf_18_set_response_header_replaces_all_values() {
    let reply = Reply::ok("ok").header("X-Tag", "one").header("x-tag", "two");
    let (_, answer) = through(&["SetResponseHeader=X-Tag, new"], reply, "GET /");
    assert_eq!(answer.all("x-tag"), ["new"]);
}

/// GF-19
#[test]
fn gf_19_set_status_replaces_the_status_and_may_tell_the_original_one() {
    let (_, answer) = through(&["SetStatus=BAD_REQUEST"], Reply::ok("ok"), "GET /");
    assert_eq!((answer.status, answer.text().as_str()), (400, "ok"));
    let upstream = Upstream::with(Reply::new(404, "gone"));
    let gateway = Gateway::start(&format!(
        "set-status: {{ original-status-header-name: X-Original }}\n\
         routes: [{{ id: r, uri: '{}', predicates: [Path=/**], filters: [SetStatus=401] }}]\n",
        upstream.uri()
    ));
    let answer = gateway.send("GET /");
    assert_eq!(answer.status, 401);
    assert!(answer.header("x-original").unwrap().contains("404"), "{answer:?}");
}

/// GF-20
#[test]
fn gf_20_strip_prefix_takes_segments_away() {
    check_target("StripPrefix=2", "/a/b/c", "/c");
    check_target("StripPrefix=2", "/a/b/c%2Fd/?x=1", "/c%2Fd/?x=1");
    check_target("StripPrefix=2", "/a", "/");
}

/// GF-26
#[test]
fn gf_26_preserve_host_header_sends_the_clients_host() {
    let seen = upstream_of("PreserveHostHeader", "GET /\nHost: shop.test:8443");
    assert_eq!(seen.header("host"), Some("shop.test:8443"));

    // As seen of the reference: the first of several, and an error without any.
    let send = |filter| {
        let request = "GET /\nHost: shop.test";
        through(&[filter, "PreserveHostHeader"], Reply::ok("ok"), request)
    };
    assert_eq!(send("AddRequestHeader=Host, more.test").0.unwrap().all("host"), ["shop.test"]);
    assert_eq!(send("SetRequestHeader=Host, new.test").0.unwrap().all("host"), ["new.test"]);
    assert_eq!(send("RemoveRequestHeader=Host").1.status, 500);
}

/// GF-28
#[test]
fn gf_28_any_filter_can_be_a_default_filter() {
    let upstream = Upstream::with(Reply::ok("ok").header("X-Internal", "1"));
    let gateway = Gateway::start(&format!(
        "default-filters:\n- AddRequestHeader=X-In, 1\n- AddResponseHeader=X-Out, 1\n\
         - AddRequestParameter=p, 1\n- RemoveRequestHeader=X-Secret\n\
         - RemoveResponseHeader=X-Internal\n- RemoveRequestParameter=q\n- StripPrefix=1\n\
         - PrefixPath=/v1\n- 'RewritePath=/v1/(?<rest>.*), /v2/$\\{{rest}}'\n\
         - SetRequestHeader=X-Set, in\n- SetResponseHeader=X-Set, out\n- SetStatus=202\n\
         - PreserveHostHeader\n\
         routes: [{{ id: r, uri: '{}', predicates: [Path=/**] }}]\n",
        upstream.uri()
    ));
    let answer = gateway.send("GET /a/b?q=1&x=2\nX-Secret: s\nX-Set: client");
    assert_eq!((answer.status, answer.header("x-out")), (202, Some("1")));
    assert_eq!((answer.header("x-internal"), answer.header("x-set")), (None, Some("out")));
    let seen = upstream.only();
    assert_eq!(seen.target(), "/v2/b?x=2&p=1");
    assert_eq!((seen.header("x-in"), seen.header("x-secret")), (Some("1"), None));
    assert_eq!((seen.header("x-set"), seen.header("host")), (Some("in"), Some("shop.test")));
}
