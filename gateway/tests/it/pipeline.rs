//! What is refused before a route is chosen, and what is not (`global.md` 1, `predicates.md` 3.7).

use crate::support::{Gateway, Upstream};

/// Sends bytes and asserts that the gateway refuses them without asking the upstream.
#[track_caller]
fn check_refused(request: impl AsRef<[u8]>, status: u16, code: &str) {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    gateway.send_raw(request).check_failure(status, code);
    assert!(upstream.seen().is_empty());
}

/// Sends bytes and asserts that the gateway refuses them and closes the connection.
#[track_caller]
fn check_ambiguous(request: &str) {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = gateway.client();
    client.write(format!("{request}GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"));
    let answer = client.read_answer();
    assert_eq!(answer.status, 400, "{request:?}: {}", answer.text());
    if !answer.body.is_empty() {
        answer.check_failure(400, "BAD_FRAMING");
    }
    client.check_closed();
    assert!(upstream.seen().is_empty(), "{request:?}: {:?}", upstream.seen());
}

/// Sends a target and asserts that it is refused, and that the connection stays usable.
#[track_caller]
fn check_bad_target(gateway: &Gateway, target: &[u8]) {
    let mut client = gateway.client();
    client.write([b"GET ", target, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat());
    client.read_answer().check_failure(400, "BAD_TARGET");
    assert_eq!(client.send("GET /next").status, 200, "{}", String::from_utf8_lossy(target));
}

#[test]
fn g1_a_request_line_that_is_too_long_is_414() {
    let long = "x".repeat(9000);
    check_refused(format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"), 414, "URI_TOO_LONG");
}

#[test]
fn g1_headers_that_are_too_large_in_sum_are_431() {
    let line = format!("X: {}\r\n", "x".repeat(1500));
    let lines = line.repeat(12);
    check_refused(format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n"), 431, "HEADERS_TOO_LARGE");
}

#[test]
fn g1_too_many_headers_are_431() {
    let lines = "X: 1\r\n".repeat(101);
    check_refused(format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n"), 431, "HEADERS_TOO_LARGE");
}

#[test]
fn limits_are_those_of_the_file() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_settings(
        &upstream,
        "limits: { request-line: 20KB, request-headers: 40KB, header-count: 3 }",
    );
    let long = "x".repeat(9000);
    assert_eq!(gateway.send(&format!("GET /{long}\nX-Wide: {long}{long}")).status, 200);
    gateway.send("GET /\nA: 1\nB: 2\nC: 3").check_failure(431, "HEADERS_TOO_LARGE");
}

#[test]
fn framing_with_a_length_and_chunks_is_refused() {
    check_ambiguous(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\n",
    );
    check_ambiguous(
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n\
         0\r\n\r\n",
    );
}

#[test]
fn framing_with_two_lengths_is_refused() {
    check_ambiguous(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 46\r\n\r\n",
    );
    check_ambiguous("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n");
    check_ambiguous("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0, 46\r\n\r\n");
    check_ambiguous("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +0\r\n\r\n");
}

#[test]
fn framing_with_another_encoding_than_chunked_is_refused() {
    for encoding in ["gzip, chunked", "chunked, gzip", "identity", "xchunked", "chunked, chunked"] {
        check_ambiguous(&format!(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: {encoding}\r\n\r\n0\r\n\r\n"
        ));
    }
    check_ambiguous(
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    check_ambiguous("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n");
    check_ambiguous("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

#[test]
fn framing_with_bare_line_feeds_is_refused() {
    check_ambiguous("GET / HTTP/1.1\nHost: h\n\n");
    check_ambiguous("GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n");
}

#[test]
fn framing_with_folded_lines_is_refused() {
    check_ambiguous("GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n z\r\n\r\n");
}

#[test]
fn a_body_with_broken_chunks_is_refused_and_the_connection_closed() {
    for chunks in ["zz\r\n", "5\r\nhelloXX0\r\n\r\n", "-1\r\n", "5;\nhello\r\n0\r\n\r\n"] {
        let upstream = Upstream::start();
        let gateway = Gateway::with_filters(&upstream, &[]);
        let mut client = gateway.client();
        client.write(format!(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}\
             GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
        ));
        let answer = client.read_answer();
        assert_eq!(answer.status, 400, "{chunks:?}: {}", answer.text());
        client.check_closed();
        let seen = upstream.seen();
        assert!(seen.iter().all(|seen| !seen.is_whole), "{chunks:?}: {seen:?}");
    }
}

#[test]
fn targets_that_are_no_uri_are_refused_and_the_connection_stays() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    for target in ["/a\"b", "/a\\b", "/a^b", "/a{b", "/a|b", "/a}b", "/a[b", "/a]b"] {
        check_bad_target(&gateway, target.as_bytes());
    }
    for target in ["/?a\\b", "/?a^b", "/?a`b", "/?a{b", "/?a|b", "/?a}b"] {
        check_bad_target(&gateway, target.as_bytes());
    }
    for target in ["/a%zz", "/a%", "/a%2", "/?a=%zz", "/?a=%"] {
        check_bad_target(&gateway, target.as_bytes());
    }
    check_bad_target(&gateway, "/\u{20ac}".as_bytes());
    check_bad_target(&gateway, "/caf\u{e9}".as_bytes());
    assert!(upstream.seen().iter().all(|seen| seen.target() == "/next"));
}

/// The framework refuses these before anybody else sees them.
#[test]
fn targets_that_cannot_be_parsed_are_refused_and_the_connection_closed() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    let targets: [&[u8]; 7] =
        [b"/a<b", b"/a>b", b"/a`b", b"/?a\"b", b"/?a<b", b"/?a>b", b"/a\x85b"];
    for target in targets {
        let mut client = gateway.client();
        client.write([b"GET ", target, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat());
        let answer = client.read_answer();
        assert_eq!((answer.status, answer.body.as_slice()), (400, b"".as_slice()));
        client.check_closed();
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn targets_with_dot_segments_are_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    for target in [
        "/a/../b",
        "/..",
        "/.",
        "/a/.",
        "/a/./b",
        "/%2e%2e/a",
        "/a/%2E./b",
        "/..;/a",
        "/.;x/a",
        "/a%2F..%2Fb",
        "/a%5c..%5Cb",
        "/a%00",
    ] {
        check_bad_target(&gateway, target.as_bytes());
    }
}

#[test]
fn odd_targets_that_mean_one_thing_pass_byte_for_byte() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    for target in [
        "//a///b",
        "/a%2Fb",
        "/a;x=1/b;y",
        "/%25",
        "/a%2fb%7E",
        "/...",
        "/a..b",
        "/a?b=[c]&d[]",
        "/?",
        "/?&&a=1&",
        "/?=2",
        "/a?x=../y",
        "/!$&'()*+,;=:@-._~",
        "/a?b?c/d",
    ] {
        assert_eq!(gateway.send(&format!("GET {target}")).status, 200, "{target}");
        assert_eq!(upstream.last().target(), target);
    }
}

/// The reference gateway refuses a raw blank. The framework escapes it before anybody sees it, so
/// that it is routed on and forwarded as `%20`.
#[test]
fn a_blank_in_the_target_is_escaped() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    let answer = gateway.send_raw("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.only().target(), "/a%20b");
}

#[test]
fn a_fragment_takes_no_part() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_predicates(&upstream, &["Path=/a"]);
    let answer = gateway.send_raw("GET /a#b?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.only().target(), "/a");
}

#[test]
fn targets_pass_untouched_where_the_listener_is_told_so() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_settings(
        &upstream,
        "listeners: [{ address: '127.0.0.1:0', target-policy: pass }]",
    );
    for target in ["/a/../b", "/%2e%2e/a", "/..;/a"] {
        assert_eq!(gateway.send(&format!("GET {target}")).status, 200, "{target}");
        assert_eq!(upstream.last().target(), target);
    }
}

#[test]
fn a_host_that_is_missing_or_odd_is_refused() {
    for lines in [
        "",
        "Host: a b\r\n",
        "Host: \r\n",
        "Host: h:x\r\n",
        "Host: h:99999\r\n",
        "Host: [::1\r\n",
        "Host: a/b\r\n",
        "Host: a?b\r\n",
        "Host: a\\b\r\n",
    ] {
        check_refused(format!("GET / HTTP/1.1\r\n{lines}\r\n"), 400, "BAD_HOST");
    }
}

/// The framework refuses these before anybody else sees them.
#[test]
fn an_ambiguous_host_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    for head in [
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@h\r\n\r\n",
        "GET http://other.test/ HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        assert_eq!(gateway.send_raw(head).status, 400, "{head:?}");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn http_1_0_needs_no_host() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = gateway.client();
    client.write("GET /old HTTP/1.0\r\n\r\n");
    assert_eq!(client.read_answer().text(), "ok");
    client.check_closed();
    assert_eq!(upstream.only().line, "GET /old HTTP/1.1");
}

#[test]
fn an_absolute_target_is_routed_by_its_path_and_the_host_header() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_predicates(&upstream, &["Path=/x/**", "Host=shop.test"]);
    let answer =
        gateway.send_raw("GET http://shop.test/x/y?a=1 HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = upstream.only();
    assert_eq!((seen.target(), seen.all("host")), ("/x/y?a=1", vec![&*upstream.authority()]));
}

#[test]
fn an_absolute_target_without_a_path_reaches_only_patterns_that_match_nothing() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_predicates(&upstream, &["Path=/**"]);
    let answer = gateway.send_raw("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.only().target(), "/");
}

/// The reference gateway glues such a target to the authority and routes what is left.
#[test]
fn a_target_that_is_neither_a_path_nor_a_uri_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    for target in ["x/y", "x", "?a=1", "*"] {
        check_bad_target(&gateway, target.as_bytes());
    }
    assert!(upstream.seen().iter().all(|seen| seen.target() == "/next"));
}

#[test]
fn options_for_the_server_as_a_whole_has_an_empty_path() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_predicates(&upstream, &["Path=/**"]);
    let answer = gateway.send_raw("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.only().line, "OPTIONS / HTTP/1.1");
    let one = Gateway::with_predicates(&upstream, &["Path=/{x}"]);
    one.send_raw("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").check_failure(404, "ROUTE_NOT_FOUND");
}

#[test]
fn connect_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    let answer = gateway.send_raw("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n");
    assert!(matches!(answer.status, 400 | 405), "{answer:?}");
    assert!(upstream.seen().is_empty());
}

/// The framework serves one request at a time; what a client sends before the answer is not lost
/// silently, the connection ends.
#[test]
fn a_request_sent_before_the_answer_to_the_last_one_ends_the_connection() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = gateway.client();
    client.write("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.read_answer().text(), "ok");
    client.check_closed();
    assert_eq!(upstream.only().target(), "/1");
}

#[test]
fn l04_to_l07_routes_are_tried_by_their_order_then_by_their_place() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let routes = |first_order: i32, second_order: i32, enabled: bool| {
        Gateway::start(&format!(
            "routes:\n- {{ id: a, uri: '{}', order: {first_order}, enabled: {enabled}, \
             predicates: [Path=/x/**] }}\n\
             - {{ id: b, uri: '{}', order: {second_order}, predicates: [Path=/x/y] }}\n",
            first.uri(),
            second.uri()
        ))
    };
    let taken_by = |gateway: &Gateway| {
        let before = first.seen().len();
        assert_eq!(gateway.send("GET /x/y").status, 200);
        if first.seen().len() > before { "a" } else { "b" }
    };
    assert_eq!(taken_by(&routes(0, -1, true)), "b");
    assert_eq!(taken_by(&routes(0, 0, true)), "a");
    assert_eq!(taken_by(&routes(10000, 0, true)), "b");
    assert_eq!(taken_by(&routes(0, 0, false)), "b");
}

#[test]
fn l10_to_l12_a_predicate_that_fails_counts_only_if_no_other_route_matches() {
    let upstream = Upstream::start();
    let bad = "spring.cloud.gateway.routes:\n- { id: bad, uri: 'http://127.0.0.1:1', \
               predicates: ['Cookie=c,['] }\n";
    let gateway = Gateway::start(bad);
    gateway.send("GET /\nCookie: c=1").check_failure(500, "PREDICATE_FAILED");
    gateway.send("GET /").check_failure(404, "ROUTE_NOT_FOUND");
    let gateway = Gateway::start(&format!(
        "{bad}- {{ id: good, uri: '{}', predicates: [Path=/**] }}\n",
        upstream.uri()
    ));
    assert_eq!(gateway.send("GET /\nCookie: c=1").status, 200);
}
