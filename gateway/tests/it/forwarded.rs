//! Forwarding and hop-by-hop headers, both ways (`global.md` 6).

use crate::support::{Gateway, Reply, Seen, Upstream};

/// What reaches the upstream with something more in the file.
fn seen_with(settings: &str, request: &str) -> Seen {
    let upstream = Upstream::start();
    let gateway = Gateway::with_settings(&upstream, settings);
    let answer = gateway.send(request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    upstream.only()
}

const TRUSTED: &str = "trusted-proxies: '127\\.0\\.0\\..*'";

#[test]
fn g6_2_what_a_trusted_proxy_sent_is_extended() {
    let seen = seen_with(
        TRUSTED,
        "GET /\nX-Forwarded-For: 127.0.0.9\nX-Forwarded-Host: example.com\n\
         X-Forwarded-Proto: https",
    );
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.9,127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-host"), Some("example.com,shop.test"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("https,http"));
}

#[test]
fn g6_2_lines_that_name_somebody_else_are_dropped() {
    let seen = seen_with(
        TRUSTED,
        "GET /\nX-Forwarded-For: 6.6.6.6\nX-Forwarded-For: 127.0.0.7\n\
         X-Forwarded-For: 6.6.6.6, 127.0.0.8",
    );
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.7,127.0.0.1"));
}

#[test]
fn g6_2_the_default_port_is_left_out_of_the_host() {
    assert_eq!(seen_with("", "GET /\nHost: h:80").header("x-forwarded-host"), Some("h"));
}

#[test]
fn g6_2_port_and_prefix_are_written_on_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&format!(
        "x-forwarded: {{ port-enabled: true, prefix-enabled: true }}\nroutes:\n- id: r\n  \
         uri: {}\n  predicates: [Path=/**]\n  filters: [StripPrefix=1]\n",
        upstream.uri()
    ));
    gateway.send("GET /prefix/get\nHost: h:8080");
    let seen = upstream.only();
    assert_eq!(seen.header("x-forwarded-port"), Some("8080"));
    assert_eq!(seen.header("x-forwarded-prefix"), Some("/prefix"));
}

#[test]
fn g6_2_forwarding_headers_can_be_switched_off() {
    let seen = seen_with("x-forwarded: { enabled: false }", "GET /\nX-Forwarded-For: 6.6.6.6");
    assert!(seen.headers.iter().all(|(name, _)| !name.to_lowercase().starts_with("x-forwarded")));
}

#[test]
fn g6_3_forwarded_is_written_on_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_settings(&upstream, "forwarded: { enabled: true }");
    let mut client = gateway.client();
    client.send("GET /\nHost: myhost\nForwarded: for=6.6.6.6");
    let expected = format!("proto=http;host=myhost;for=\"{}\"", client.local_address());
    assert_eq!(upstream.only().header("forwarded"), Some(expected.as_str()));
}

#[test]
fn g6_5_hop_by_hop_headers_do_not_reach_the_upstream() {
    let seen = seen_with(
        "",
        "GET /\nConnection: keep-alive, X-Named\nKeep-Alive: timeout=5\nTE: trailers\n\
         Trailer: X\nProxy-Authorization: secret\nProxy-Authenticate: Basic\n\
         X-Application-Context: a\nX-Named: 1\nUpgrade: h2c\nX-Other: 2",
    );
    for name in [
        "keep-alive",
        "te",
        "trailer",
        "proxy-authorization",
        "proxy-authenticate",
        "x-application-context",
        "x-named",
        "upgrade",
    ] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert_eq!(seen.header("x-other"), Some("2"));
}

#[test]
fn g6_5_hop_by_hop_headers_do_not_reach_the_client() {
    let upstream = Upstream::with(
        Reply::ok("ok")
            .header("Connection", "keep-alive, X-Named")
            .header("Keep-Alive", "timeout=5")
            .header("TE", "trailers")
            .header("Trailer", "X")
            .header("Proxy-Authenticate", "Basic")
            .header("Proxy-Authorization", "secret")
            .header("X-Application-Context", "a")
            .header("Upgrade", "h2c")
            .header("X-Named", "1")
            .header("X-Other", "2"),
    );
    let gateway = Gateway::with_filters(&upstream, &[]);
    let answer = gateway.send("GET /");
    for name in [
        "keep-alive",
        "te",
        "trailer",
        "proxy-authenticate",
        "proxy-authorization",
        "x-application-context",
        "upgrade",
        "x-named",
    ] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!((answer.header("x-other"), answer.text().as_str()), (Some("2"), "ok"));
}

#[test]
fn g6_5_the_files_list_replaces_the_fixed_one_both_ways() {
    let upstream =
        Upstream::with(Reply::ok("ok").header("X-Mine", "1").header("X-Application-Context", "a"));
    let gateway =
        Gateway::with_settings(&upstream, "filter: { remove-hop-by-hop: { headers: [X-Mine] } }");
    let answer = gateway.send("GET /\nX-Mine: 1\nX-Application-Context: a");
    let seen = upstream.only();
    assert_eq!((seen.header("x-mine"), seen.header("x-application-context")), (None, Some("a")));
    assert_eq!(
        (answer.header("x-mine"), answer.header("x-application-context")),
        (None, Some("a"))
    );
}

#[test]
fn g6_5_a_connection_that_names_the_length_does_not_change_the_body() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    let answer = gateway.send("POST /\nConnection: Content-Length\nContent-Length: 5\n\nhello");
    if answer.status == 200 {
        assert_eq!(upstream.only().text(), "hello");
    } else {
        answer.check_failure(400, "BAD_FRAMING");
    }
}

#[test]
fn a_connection_that_names_what_the_gateway_writes_is_refused_or_does_nothing() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    for name in ["Host", "X-Forwarded-For"] {
        let answer = gateway.send(&format!("GET /\nConnection: {name}"));
        assert!(matches!(answer.status, 200 | 400), "{name}: {}", answer.text());
    }
    for seen in upstream.seen() {
        assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(seen.header("host"), Some(upstream.authority().as_str()));
    }
}

#[test]
fn the_access_log_has_the_client_behind_trusted_proxies_and_predicates_the_peer() {
    let upstream = Upstream::start();
    let routes = format!(
        "routes:\n- {{ id: r, uri: '{}', predicates: [Path=/**, RemoteAddr=127.0.0.1/32] }}\n",
        upstream.uri()
    );
    let send = |file: &str, path: &str| {
        let gateway = Gateway::start(file);
        let request = format!("GET {path}\nX-Forwarded-For: 9.9.9.9, 1.2.3.4");
        assert_eq!(gateway.send(&request).status, 200);
        gateway.log_of(path)["client"].as_str().unwrap().to_owned()
    };
    assert_eq!(send(&format!("{TRUSTED}\n{routes}"), "/trusted"), "1.2.3.4");
    assert_eq!(send(&routes, "/spoofed"), "127.0.0.1");
}
