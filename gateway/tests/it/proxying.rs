//! What goes to an upstream and what comes back (`global.md` 4.1, 4.2).

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{TcpListener, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::thread;

use tollgate::builder::RouteBuilder;
use tollgate::config::Settings;
use tollgate::snapshot::{Reach, Shared, Snapshot};
use tollgate::telemetry::metrics::Metrics;

use crate::support::{Gateway, Reply, Unreachable, Upstream, eventually};

#[test]
fn g4_1_the_host_is_the_targets() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    gateway.send("GET /\nHost: shop.test");
    assert_eq!(upstream.only().header("host"), Some(upstream.authority().as_str()));
}

#[test]
fn g4_1_the_hosts_port_is_left_out_where_it_is_80_or_443() {
    let host_of = |uri: &str| {
        let routes = RouteBuilder::new().route("r", |route| route.path("/**").uri(uri));
        let shared = Shared::new(Metrics::new().unwrap(), Arc::new(|_| None));
        let (snapshot, _) =
            Snapshot::new(routes.build().unwrap(), Settings::default(), &shared).unwrap();
        let Reach::Direct(destination) = &snapshot.table.row(0).unwrap().plan.reach else {
            panic!("{uri} has no upstream");
        };
        let host = destination.host.clone();
        host.to_str().unwrap().to_owned()
    };
    for (uri, host) in [
        ("http://127.0.0.1", "127.0.0.1"),
        ("http://127.0.0.1:80", "127.0.0.1"),
        ("http://127.0.0.1:443", "127.0.0.1"),
        ("https://127.0.0.1", "127.0.0.1"),
        ("https://127.0.0.1:80", "127.0.0.1"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("https://127.0.0.1:8443", "127.0.0.1:8443"),
        ("http://[::1]:8080", "[::1]:8080"),
    ] {
        assert_eq!(host_of(uri), host, "{uri}");
    }
}

#[test]
fn nothing_is_invented_on_the_way_to_the_upstream() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    gateway.send("GET /");
    let seen = upstream.only();
    let mut names: Vec<String> =
        seen.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    assert_eq!(names, ["host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]);
}

#[test]
fn headers_keep_their_values_their_order_and_their_spelling() {
    let upstream = Upstream::with(
        Reply::ok("ok").header("X-UP", "1").header("x-Up", " 2 ").header("Set-Cookie", "a=1"),
    );
    let gateway = Gateway::with_filters(&upstream, &[]);
    let answer = gateway.send("GET /\nx-ONE: 1\nX-Two: a, b\nX-oNe: 2\nAccept: */*");
    let seen = upstream.only();
    let sent = [("x-ONE", "1"), ("X-oNe", "2")];
    let got: Vec<(&str, &str)> = seen
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-one"))
        .collect();
    assert_eq!(got, sent);
    assert_eq!((seen.header("x-two"), seen.header("accept")), (Some("a, b"), Some("*/*")));
    let back: Vec<&str> = answer
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.eq_ignore_ascii_case("x-up"))
        .collect();
    assert_eq!((back, answer.all("x-up")), (vec!["X-UP", "x-Up"], vec!["1", "2"]));
    assert_eq!(answer.header("server"), None);
}

#[test]
fn g4_2_response_headers_are_added_behind_the_upstreams() {
    let upstream = Upstream::with(Reply::ok("ok").header("X", "value-from-upstream"));
    let gateway = Gateway::with_filters(&upstream, &["AddResponseHeader=X, value-from-gateway"]);
    let answer = gateway.send("GET /");
    assert_eq!(answer.all("x"), ["value-from-upstream", "value-from-gateway"]);
}

#[test]
fn g4_2_an_invalid_content_type_passes() {
    let upstream = Upstream::with(Reply::ok("ok").header("Content-Type", "image"));
    let gateway = Gateway::with_filters(&upstream, &[]);
    assert_eq!(gateway.send("GET /").header("content-type"), Some("image"));
}

#[test]
fn g4_2_a_status_nobody_knows_passes() {
    for status in [480, 299, 599, 799] {
        let upstream = Upstream::with(Reply::new(status, "odd"));
        let gateway = Gateway::with_filters(&upstream, &[]);
        let answer = gateway.send("GET /");
        assert_eq!((answer.status, answer.text().as_str()), (status, "odd"));
    }
}

/// The reference gateway takes 142 for an answer; by RFC 9110 15.2 an answer is still to come.
#[test]
fn g4_2_an_unknown_interim_status_passes_as_interim() {
    let upstream = Upstream::with(Reply::raw(
        "HTTP/1.1 142 Odd\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ));
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = gateway.client();
    client.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut answer = client.read_head();
    if answer.status == 142 {
        answer = client.read_answer();
    }
    assert_eq!(answer.status, 200);
}

#[test]
fn interim_answers_pass_before_the_answer() {
    let upstream = Upstream::with(Reply::raw(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ));
    let gateway = Gateway::with_filters(&upstream, &["SetStatus=202"]);
    let answer = gateway.send("GET /");
    assert_eq!((answer.interim.as_slice(), answer.status), ([103].as_slice(), 202));
}

#[test]
fn a_client_that_expects_100_gets_the_upstreams() {
    let upstream = Upstream::with(
        Reply::at_once()
            .send("HTTP/1.1 100 Continue\r\n\r\n")
            .then_read()
            .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    );
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = gateway.client();
    client.start("POST /\nExpect: 100-continue\nContent-Length: 5");
    assert_eq!(client.read_bytes(25), b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write("hello");
    assert_eq!(client.read_answer().text(), "ok");
    assert_eq!(upstream.only().text(), "hello");
}

#[test]
fn a_head_request_gets_the_length_and_no_body() {
    let upstream = Upstream::with(Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"));
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = gateway.client();
    for _ in 0..2 {
        let answer = client.send("HEAD /");
        assert_eq!((answer.status, answer.header("content-length")), (200, Some("12345")));
    }
}

#[test]
fn answers_without_a_body_keep_the_connection() {
    for status in [204, 304] {
        let upstream = Upstream::with(Reply::raw(&format!("HTTP/1.1 {status} None\r\n\r\n")));
        let gateway = Gateway::with_filters(&upstream, &[]);
        let mut client = gateway.client();
        for _ in 0..2 {
            assert_eq!(client.send("GET /").status, status);
        }
    }
}

#[test]
fn bodies_pass_both_ways_however_they_are_framed() {
    let upstream = Upstream::with(Reply::chunked(&["a", "bc", "def"]));
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = gateway.client();
    client.write(
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\n",
    );
    assert_eq!(client.read_answer().text(), "abcdef");
    let seen = upstream.only();
    assert_eq!((seen.text().as_str(), seen.header("content-length")), ("abcdefg", None));
    assert_eq!(client.send("POST /\n\nsized").text(), "abcdef");
    let seen = upstream.last();
    assert_eq!((seen.text().as_str(), seen.header("content-length")), ("sized", Some("5")));
    assert_eq!(seen.header("transfer-encoding"), None);
}

#[test]
fn large_bodies_pass_both_ways() {
    let large: String =
        (0..1_000_000).map(|at| char::from(b'a' + u8::try_from(at % 23).unwrap())).collect();
    let upstream = Upstream::with(Reply::ok(&large));
    let gateway = Gateway::with_filters(&upstream, &[]);
    let answer = gateway.send(&format!("POST /\n\n{large}"));
    assert!(answer.text() == large);
    assert!(upstream.only().text() == large);
}

#[test]
fn an_answer_that_ends_with_the_connection_passes() {
    let upstream =
        Upstream::with(Reply::raw("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall").close());
    let gateway = Gateway::with_filters(&upstream, &[]);
    assert_eq!(gateway.send("GET /").text(), "all");
}

#[test]
fn an_answer_that_breaks_off_breaks_off_for_the_client_too() {
    let upstream =
        Upstream::with(Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").close());
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = gateway.client();
    client.start("GET /broken");
    let rest = client.read_to_end();
    let text = String::from_utf8_lossy(&rest);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nhalf"), "{text}");
    assert_eq!(gateway.log_of("/broken")["code"], "UPSTREAM_RESET");
}

/// Sends a request to a broken upstream and looks where the reason must stand.
#[track_caller]
fn check_reason(gateway: &Gateway, status: u16, code: &str, error: &str) {
    let answer = gateway.send("GET /broken?x=1");
    answer.check_failure(status, code);
    let proxy_status = format!("tollgate; error={error}; details=\"{code}\"");
    assert_eq!(answer.header("proxy-status"), Some(proxy_status.as_str()));
    gateway.check_metric(&format!("tollgate_errors_total{{code=\"{code}\",routeId=\"r\"}}"), "1");
    let line = gateway.log_of("/broken");
    assert_eq!((&line["code"], &line["status"]), (&code.into(), &status.into()));
    assert_eq!(line["route"], "r");
}

#[test]
fn an_upstream_that_refuses_is_502() {
    let uri = Upstream::start().uri();
    check_reason(&Gateway::to(&uri), 502, "UPSTREAM_REFUSED", "connection_refused");
}

#[test]
fn a_name_without_an_address_is_502() {
    let gateway = Gateway::to("http://name.invalid");
    check_reason(&gateway, 502, "UPSTREAM_DNS", "dns_error");
}

#[test]
fn an_upstream_that_speaks_no_tls_is_502() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway = Gateway::to(&format!("https://{}", socket.local_addr().unwrap()));
    let upstream = thread::spawn(move || {
        let (mut stream, _) = socket.accept().unwrap();
        let mut hello = [0; 16 << 10];
        assert!(stream.read(&mut hello).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    check_reason(&gateway, 502, "UPSTREAM_TLS", "tls_protocol_error");
    upstream.join().unwrap();
}

#[test]
fn an_upstream_that_closes_before_it_answers_is_502() {
    let upstream = Upstream::with(Reply::nothing().close());
    let gateway = Gateway::to(&upstream.uri());
    check_reason(&gateway, 502, "UPSTREAM_RESET", "connection_terminated");
}

#[test]
fn an_upstream_that_closes_within_its_head_is_502() {
    let upstream = Upstream::with(Reply::raw("HTTP/1.1 200 OK\r\nContent-").close());
    let gateway = Gateway::to(&upstream.uri());
    check_reason(&gateway, 502, "UPSTREAM_RESET", "connection_terminated");
}

#[test]
fn an_upstream_that_speaks_no_http_is_502() {
    let upstream = Upstream::with(Reply::raw("SSH-2.0-OpenSSH_9.6\r\n\r\n").close());
    let gateway = Gateway::to(&upstream.uri());
    check_reason(&gateway, 502, "UPSTREAM_PROTOCOL", "http_protocol_error");
}

#[test]
fn an_upstream_that_never_answers_is_504() {
    let upstream = Upstream::with(Reply::nothing().never());
    let gateway = Gateway::with_settings(&upstream, "httpclient: { response-timeout: 200ms }");
    check_reason(&gateway, 504, "UPSTREAM_TIMEOUT", "http_response_timeout");
}

#[test]
fn an_upstream_that_cannot_be_connected_to_in_time_is_504() {
    let upstream = Unreachable::start();
    let gateway = Gateway::start(&format!(
        "httpclient: {{ connect-timeout: 200 }}\n\
         routes: [{{ id: r, uri: '{}', predicates: [Path=/**] }}]\n",
        upstream.uri()
    ));
    check_reason(&gateway, 504, "CONNECT_TIMEOUT", "connection_timeout");
}

#[test]
fn an_upstream_that_comes_back_is_served_without_a_restart() {
    let upstream = Upstream::start();
    let address = upstream.authority().parse().unwrap();
    let gateway = Gateway::with_filters(&upstream, &[]);
    assert_eq!(gateway.send("GET /").status, 200);
    drop(upstream);
    gateway.send("GET /").check_failure(502, "UPSTREAM_REFUSED");
    let _again = Upstream::at(address, |_| Reply::ok("again"));
    assert_eq!(gateway.send("GET /").text(), "again");
}

#[test]
fn connections_to_the_upstream_are_used_again() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = gateway.client();
    for _ in 0..10 {
        assert_eq!(client.send("GET /").status, 200);
    }
    assert!(upstream.seen().iter().all(|seen| seen.connection == 1));
}

/// Answers the first request of each connection and closes on the second without a word.
fn forgetful() -> Upstream {
    let known = Mutex::new(HashSet::new());
    Upstream::answering(move |seen| {
        if known.lock().unwrap().insert(seen.connection) {
            Reply::ok("ok")
        } else {
            Reply::nothing().close()
        }
    })
}

#[test]
fn a_pooled_connection_that_died_is_replaced_for_a_safe_request() {
    let upstream = forgetful();
    let gateway = Gateway::with_filters(&upstream, &[]);
    for method in ["GET", "GET", "PUT", "DELETE"] {
        assert_eq!(gateway.send(&format!("{method} /")).status, 200, "{method}");
    }
    assert!(upstream.seen().len() > 4);
}

#[test]
fn a_pooled_connection_that_died_is_not_replaced_for_a_post() {
    // A connection goes back into the pool right after the answer, not with it: a second request
    // can be early enough to get one of its own, which is another case.
    for _ in 0..50 {
        let upstream = forgetful();
        let gateway = Gateway::with_filters(&upstream, &[]);
        assert_eq!(gateway.send("GET /").status, 200);
        let answer = gateway.send("POST /\n\nonce");
        let seen = upstream.seen();
        assert_eq!(seen.len(), 2);
        if seen[0].connection == seen[1].connection {
            return answer.check_failure(502, "UPSTREAM_RESET");
        }
    }
    panic!("the connection never went back into the pool");
}

#[test]
fn a_fresh_connection_that_dies_is_not_tried_again() {
    let upstream = Upstream::with(Reply::nothing().close());
    let gateway = Gateway::with_filters(&upstream, &[]);
    gateway.send("GET /").check_failure(502, "UPSTREAM_RESET");
    assert_eq!(upstream.seen().len(), 1);
}

/// Machines differ in the addresses of `localhost`; each that it has is left alone once.
#[test]
fn the_next_address_of_a_name_is_tried_where_one_refuses() {
    for address in ("localhost", 0).to_socket_addrs().unwrap() {
        let upstream = Upstream::at(address, |_| Reply::ok("ok"));
        let gateway = Gateway::to(&format!("http://localhost:{}", upstream.port()));
        for request in ["GET /", "POST /\n\nbody"] {
            let answer = gateway.send(request);
            assert_eq!(answer.status, 200, "{address}: {}", answer.text());
        }
        assert_eq!(upstream.seen().len(), 2);
    }
}

#[test]
fn a_name_all_of_whose_addresses_refuse_is_502() {
    let port = Upstream::start().port();
    let gateway = Gateway::to(&format!("http://localhost:{port}"));
    for _ in 0..3 {
        gateway.send("GET /").check_failure(502, "UPSTREAM_REFUSED");
    }
}

#[test]
fn a_client_that_leaves_takes_the_upstreams_connection_with_it() {
    let upstream = Upstream::with(Reply::nothing().never());
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = gateway.client();
    client.start("GET /left");
    upstream.wait_for_heads(1);
    assert_eq!(upstream.open_connections(), 1);
    drop(client);
    eventually("the upstream's connection to close", || {
        (upstream.open_connections() == 0).then_some(())
    });
    gateway.check_metric("tollgate_requests_in_flight", "0");
}
