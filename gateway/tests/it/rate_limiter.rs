//! `RequestRateLimiter` through the proxy, counting in the process (GF-27, `resilience.md` 1).

use std::thread;

use crate::support::{
    Answer, Gateway, Reply, Upstream, eventually, log_in, member_service, secrets,
};

/// A route `r` with a limiter, and more in the file.
fn limited(upstream: &Upstream, arguments: &str, more: &str) -> String {
    format!(
        "routes:\n- {{ id: r, uri: '{}', predicates: [Path=/**], filters: [{{ name: RequestRateLimiter, args: {{ {arguments} }} }}] }}\n{more}\n",
        upstream.uri()
    )
}

/// `count` requests, and one more each minute: no test takes so long.
fn few(count: u32) -> String {
    let burst = count * 60;
    format!(
        "redis-rate-limiter: {{ replenish-rate: 1, burst-capacity: {burst}, requested-tokens: 60 }}"
    )
}

const BY_USER: &str = "key-resolver: '#{@userKeyResolver}'";

const SCG: [&str; 4] = [
    "x-ratelimit-remaining",
    "x-ratelimit-replenish-rate",
    "x-ratelimit-burst-capacity",
    "x-ratelimit-requested-tokens",
];

fn told(answer: &Answer) -> [Option<&str>; 4] {
    SCG.map(|name| answer.header(name))
}

#[test]
fn gf_27_requests_above_the_limit_of_their_key_are_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&limited(&upstream, &format!("{BY_USER}, {}", few(2)), ""));
    let send = |user: &str| gateway.send(&format!("GET /a\nX-User: {user}"));
    let first = send("ann");
    assert_eq!(first.status, 200);
    assert_eq!(told(&first), [Some("60"), Some("1"), Some("120"), Some("60")]);
    assert_eq!(first.header("ratelimit-policy"), Some(r#""default";q=2;w=120"#));
    assert!(first.header("ratelimit").unwrap().starts_with(r#""default";r=1;t="#));
    assert_eq!(send("ann").status, 200);
    let refused = send("ann");
    refused.check_failure(429, "RATE_LIMITED");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((58..=60).contains(&wait), "{wait}");
    assert_eq!(refused.header("ratelimit"), Some(format!(r#""default";r=0;t={wait}"#).as_str()));
    assert_eq!(told(&refused)[1..], [Some("1"), Some("120"), Some("60")]);
    assert_eq!(upstream.seen().len(), 2);
    assert_eq!(send("bob").status, 200);
    gateway.check_metric("tollgate_errors_total{code=\"RATE_LIMITED\",routeId=\"r\"}", "1");
}

#[test]
fn gf_27_tokens_come_back() {
    let upstream = Upstream::start();
    let limit = "redis-rate-limiter: { replenish-rate: 1, burst-capacity: 1 }";
    let gateway = Gateway::start(&limited(&upstream, &format!("{BY_USER}, {limit}"), ""));
    let send = || gateway.send("GET /a\nX-User: ann");
    eventually("a refusal", || (send().status == 429).then_some(()));
    assert_eq!(send().header("retry-after").unwrap_or("1"), "1");
    eventually("a token", || (send().status == 200).then_some(()));
}

/// R1.10-11
#[test]
fn gf_27_of_thirty_at_once_twenty_pass() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&limited(&upstream, &format!("{BY_USER}, {}", few(20)), ""));
    let statuses: Vec<u16> = thread::scope(|scope| {
        let send = || gateway.send("GET /a\nX-User: ann").status;
        let all: Vec<_> = (0..30).map(|_| scope.spawn(send)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(429)), (20, 10));
    assert_eq!(upstream.seen().len(), 20);
}

#[test]
fn gf_27_headers_of_the_upstream_come_behind() {
    let upstream = Upstream::with(Reply::ok("").header("X-RateLimit-Remaining", "7"));
    let gateway = Gateway::start(&limited(&upstream, &format!("{BY_USER}, {}", few(2)), ""));
    let answer = gateway.send("GET /a\nX-User: ann");
    assert_eq!(answer.all("x-ratelimit-remaining"), ["60", "7"]);
}

#[test]
fn gf_27_without_a_key_nothing_is_let_through() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&limited(&upstream, &few(2), ""));
    let answer = gateway.send("GET /a");
    answer.check_failure(403, "RATE_LIMIT_KEY_MISSING");
    assert_eq!(told(&answer), [None; 4]);
    assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), (None, None));
    assert!(upstream.seen().is_empty());
    let arguments = format!("{}, deny-empty-key: false", few(2));
    let gateway = Gateway::start(&limited(&upstream, &arguments, ""));
    for _ in 0..3 {
        let answer = gateway.send("GET /a");
        assert_eq!((answer.status, told(&answer)), (200, [None; 4]));
    }
}

#[test]
fn gf_27_an_exception_is_answered_500_with_the_headers() {
    let upstream = Upstream::start();
    let arguments = format!("{BY_USER}, {}, throw-on-limit: true", few(0));
    let gateway = Gateway::start(&limited(&upstream, &arguments, ""));
    let answer = gateway.send("GET /a\nX-User: ann");
    answer.check_failure(500, "RATE_LIMITED");
    assert_eq!(told(&answer), [Some("0"), Some("1"), Some("0"), Some("60")]);
    assert_eq!(answer.header("retry-after"), None);
}

#[test]
fn gf_27_the_names_of_the_headers_are_the_files() {
    let upstream = Upstream::start();
    let arguments = format!("{BY_USER}, {}", few(2));
    let names = "redis-rate-limiter: { remaining-header: X-Left }";
    let gateway = Gateway::start(&limited(&upstream, &arguments, names));
    let answer = gateway.send("GET /a\nX-User: ann");
    assert_eq!(answer.header("x-left"), Some("60"));
    assert_eq!(answer.header("x-ratelimit-remaining"), None);
    let none = "redis-rate-limiter: { include-headers: false }";
    let gateway = Gateway::start(&limited(&upstream, &arguments, none));
    let answer = gateway.send("GET /a\nX-User: ann");
    assert_eq!((told(&answer), answer.header("ratelimit")), ([None; 4], None));
}

#[test]
fn gf_27_the_client_is_found_behind_trusted_proxies_only() {
    let upstream = Upstream::start();
    let arguments = format!("key-resolver: '#{{@ipKeyResolver}}', {}", few(1));
    let send = |gateway: &Gateway, list: &str| {
        gateway.send(&format!("GET /a\nX-Forwarded-For: {list}")).status
    };
    let trusting = "trusted-proxies: '127\\.0\\.0\\..*'";
    let gateway = Gateway::start(&limited(&upstream, &arguments, trusting));
    assert_eq!(send(&gateway, "192.0.2.1"), 200);
    assert_eq!(send(&gateway, "192.0.2.2"), 200);
    // What a client writes itself does not make it another.
    assert_eq!(send(&gateway, "198.51.100.7, 192.0.2.2"), 429);
    // An IPv6 client has a network to itself.
    assert_eq!(send(&gateway, "2001:db8:1:2::1"), 200);
    assert_eq!(send(&gateway, "2001:db8:1:2:ffff::9"), 429);
    assert_eq!(send(&gateway, "2001:db8:1:3::1"), 200);
    let gateway = Gateway::start(&limited(&upstream, &arguments, ""));
    assert_eq!(send(&gateway, "192.0.2.1"), 200);
    assert_eq!(send(&gateway, "192.0.2.2"), 429);
}

#[test]
fn gf_27_a_member_has_a_limit_of_its_own() {
    let members = member_service();
    let upstream = Upstream::start();
    let file = format!(
        "routes:\n\
         - {{ id: login, uri: '{members}', predicates: [Path=/login], filters: [PrefixPath=/v1, MemberParameterFilter, PrefixLoginTokenFilter, MemberResponseFilter, PostfixLoginTokenFilter] }}\n\
         - {{ id: r, uri: '{upstream}', predicates: [Path=/**], filters: [{{ name: RequestRateLimiter, args: {{ {limit} }} }}] }}\n\
         auth: {{ member-service: '{members}', exempt: [{{ path: /login }}, {{ path: /open }}] }}\n",
        members = members.uri(),
        upstream = upstream.uri(),
        limit = few(1),
    );
    let gateway = Gateway::with_environment(&file, secrets());
    let member = log_in(&gateway);
    assert_eq!(gateway.send(&format!("GET /a\n{member}")).status, 200);
    // Another login is the same member.
    let member = log_in(&gateway);
    gateway.send(&format!("GET /a\n{member}")).check_failure(429, "RATE_LIMITED");
    gateway.send("GET /open").check_failure(403, "RATE_LIMIT_KEY_MISSING");
}
