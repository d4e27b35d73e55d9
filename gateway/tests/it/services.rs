//! `lb://service` (`global.md` 3, `predicates.md` 8; GG-01, GG-02), health of instances, and the
//! retry budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread;

use serde_json::Value;

use crate::support::{Gate, Gateway, Refusing, Reply, Unreachable, Upstream, eventually};

/// A file with one route for all paths to the service `svc`.
fn file(instances: &[String], more: &str) -> String {
    let instances = instances.join(", ");
    format!(
        "services:\n  svc:\n    instances: [ {instances} ]\n    {more}\nroutes:\n- id: r\n  uri: \
         lb://svc\n  predicates: [Path=/**]\n"
    )
}

fn gateway(instances: &[String], more: &str) -> Gateway {
    Gateway::start(&file(instances, more))
}

/// An instance in the file.
fn at(upstream: &Upstream) -> String {
    named("", &upstream.uri())
}

fn named(id: &str, uri: &str) -> String {
    let id = if id.is_empty() { String::new() } else { format!("id: {id}, ") };
    format!("{{ {id}uri: '{uri}' }}")
}

/// An upstream that says who it is.
fn saying(name: &'static str) -> Upstream {
    Upstream::with(Reply::ok(name))
}

/// Who answers so many requests.
#[track_caller]
fn answers(gateway: &Gateway, requests: usize) -> Vec<String> {
    let answer = || {
        let answer = gateway.send("GET /");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    };
    (0..requests).map(|_| answer()).collect()
}

fn count(answers: &[String], name: &str) -> usize {
    answers.iter().filter(|answer| *answer == name).count()
}

/// Instances that refuse everybody, and how the file names them.
fn dead(count: usize) -> (Vec<Refusing>, Vec<String>) {
    let refusing: Vec<_> = (0..count).map(|_| Refusing::start()).collect();
    let named = refusing.iter().map(|one| named("", &one.uri())).collect();
    (refusing, named)
}

/// What the admin listener says about an instance of the only service.
fn instance(gateway: &Gateway, position: usize) -> Value {
    gateway.admin("GET /services").json()[0]["instances"][position].clone()
}

#[track_caller]
fn wait_for_state(gateway: &Gateway, position: usize, state: &str) -> Value {
    eventually(state, || {
        Some(instance(gateway, position)).filter(|instance| instance["state"] == state)
    })
}

/// GG-01, LB2
#[test]
fn gg_01_a_service_name_leads_to_an_instance_with_the_requests_own_path_and_query() {
    let upstream = Upstream::start();
    let base = format!("{}/ignored?too=1", upstream.uri());
    let gateway = gateway(&[named("", &base)], "");
    assert_eq!(gateway.send("GET /mypath?a=b&c=d%5B%5D").status, 200);
    let seen = upstream.only();
    assert_eq!(seen.target(), "/mypath?a=b&c=d%5B%5D", "LB4");
    assert_eq!(seen.header("host"), Some(upstream.authority().as_str()));
    assert_eq!(gateway.log_of("/mypath")["upstream"], upstream.authority());
    gateway.send("GET /?a=b&c=d[]");
    assert_eq!(upstream.last().target(), "/?a=b&c=d[]", "LB5");
}

/// GG-02
#[test]
fn gg_02_two_instances_share_the_traffic_one_after_the_other() {
    let (one, two) = (saying("one"), saying("two"));
    let gateway = gateway(&[at(&one), at(&two)], "");
    let answers = answers(&gateway, 10);
    assert_eq!((count(&answers, "one"), count(&answers, "two")), (5, 5));
    assert!(answers.windows(2).all(|pair| pair[0] != pair[1]), "{answers:?}");
}

/// GG-02
#[test]
fn gg_02_a_dead_instance_is_skipped_and_no_request_fails() {
    let alive = saying("alive");
    let dead = Refusing::start();
    let gateway = gateway(&[named("dead", &dead.uri()), at(&alive)], "");
    assert_eq!(count(&answers(&gateway, 20), "alive"), 20);
    assert_eq!(instance(&gateway, 0)["state"], "down");
    let attempts: u64 = alive.seen().len().try_into().unwrap();
    assert_eq!(attempts, 20);
}

#[test]
fn a_body_that_was_not_sent_yet_goes_to_the_next_instance() {
    let alive = saying("alive");
    let (_refusing, mut all) = dead(2);
    all.push(at(&alive));
    let gateway = gateway(&all, "");
    let body = "x".repeat(200_000);
    for _ in 0..3 {
        assert_eq!(gateway.send(&format!("POST /\n\n{body}")).status, 200);
    }
    assert!(alive.seen().iter().all(|seen| seen.body.len() == body.len()));
}

#[test]
fn at_most_three_instances_are_tried() {
    let (_refusing, all) = dead(5);
    let gateway = gateway(&all, "");
    gateway.send("GET /first").check_failure(502, "UPSTREAM_REFUSED");
    assert_eq!(gateway.log_of("/first")["attempts"], 3);
    gateway.send("GET /second").check_failure(502, "UPSTREAM_REFUSED");
    assert_eq!(gateway.log_of("/second")["attempts"], 2);
    gateway.send("GET /third").check_failure(503, "NO_INSTANCE");
    assert_eq!(gateway.log_of("/third")["attempts"], 0);
}

#[test]
fn all_dead_is_502_then_503_at_once_and_traffic_returns_when_one_is_back() {
    let gone = Refusing::start();
    let gateway = gateway(&[named("only", &gone.uri())], "");
    gateway.send("GET /").check_failure(502, "UPSTREAM_REFUSED");
    gateway.send("GET /").check_failure(503, "NO_INSTANCE");
    gateway.check_metric("tollgate_service_instances{service=\"svc\",state=\"down\"}", "1");
    let shown = instance(&gateway, 0);
    assert_eq!(shown["why"], "ConnectRefused");
    let back = Upstream::at(gone.release(), |_| Reply::ok("back"));
    wait_for_state(&gateway, 0, "up");
    assert_eq!(back.seen().len(), 0, "no request was the guinea pig");
    assert_eq!(answers(&gateway, 1), ["back"]);
    gateway.check_metric("tollgate_service_instances{service=\"svc\",state=\"up\"}", "1");
}

#[test]
fn weights_are_respected_and_0_takes_nothing() {
    let (three, one, none) = (saying("three"), saying("one"), saying("none"));
    let weighty =
        |upstream: &Upstream, weight| format!("{{ uri: '{}', weight: {weight} }}", upstream.uri());
    let gateway = gateway(&[weighty(&three, 3), weighty(&one, 1), weighty(&none, 0)], "");
    let answers = answers(&gateway, 40);
    assert_eq!((count(&answers, "three"), count(&answers, "one")), (30, 10));
}

#[test]
fn least_requests_avoids_who_is_busy() {
    let (gates, upstreams): (Vec<Gate>, Vec<Upstream>) = ["slow", "quick"]
        .map(|name| {
            let gate = Gate::closed();
            let held = gate.clone();
            (gate, Upstream::answering(move |_| Reply::ok(name).after(&held)))
        })
        .into_iter()
        .unzip();
    let gateway = gateway(&[at(&upstreams[0]), at(&upstreams[1])], "balance: least-requests");
    let waiting: Vec<_> = (1..=8)
        .map(|number| {
            let mut client = gateway.client();
            client.start("GET /");
            eventually("a request", || {
                (upstreams.iter().map(|one| one.seen().len()).sum::<usize>() == number)
                    .then_some(())
            });
            client
        })
        .collect();
    let in_flight = || [0, 1].map(|at| instance(&gateway, at)["in_flight"].as_u64().unwrap());
    assert_eq!(in_flight(), [4, 4]);
    gates[1].open();
    eventually("an end", || (in_flight() == [4, 0]).then_some(()));
    assert_eq!(count(&answers(&gateway, 10), "quick"), 10);
    gates[0].open();
    drop(waiting);
}

#[test]
fn an_instance_that_is_silent_to_connections_is_left_for_the_next() {
    let silent = Unreachable::start();
    let alive = saying("alive");
    let instances = [named("silent", &silent.uri()), at(&alive)];
    let text =
        file(&instances, "").replace("routes:", "httpclient: { connect-timeout: 200 }\nroutes:");
    let gateway = Gateway::start(&text);
    assert_eq!(count(&answers(&gateway, 4), "alive"), 4);
    assert_eq!(instance(&gateway, 0)["state"], "down");
    assert_eq!(instance(&gateway, 0)["why"], "ConnectTimedout");
}

#[test]
fn a_name_without_an_address_is_left_for_the_next() {
    let alive = saying("alive");
    let gateway = gateway(&[named("gone", "http://name.invalid:80"), at(&alive)], "");
    assert_eq!(count(&answers(&gateway, 4), "alive"), 4);
    assert_eq!(instance(&gateway, 0)["why"], "its name has no address");
}

/// LB6, LB7 for a service that no file names, which only Spring files may do.
#[test]
fn lb6_lb7_an_unknown_service_is_503_or_404() {
    let route = "spring.cloud.gateway.server.webflux:\n  routes:\n  - { id: r, uri: 'lb://ONE', \
                 predicates: [Path=/**] }\n";
    let one = "spring.cloud.discovery.client.simple.instances:\n  one: [ { uri: 'http://h' } ]\n";
    let spring = |more: &str| {
        let text = format!("{one}---\n{route}{more}");
        Gateway::start(&text)
    };
    spring("").send("GET /").check_failure(503, "NO_INSTANCE");
    spring("  loadbalancer: { use404: true }\n").send("GET /").check_failure(404, "NO_INSTANCE");
}

/// LB3, and the scheme of `lb:scheme:` wins over the instance's `uri`, as asked of a real gateway.
#[test]
fn lb3_the_routes_scheme_is_spoken() {
    let upstream = Upstream::with(Reply::raw(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ));
    let text = file(&[at(&upstream)], "").replace("lb://svc", "lb:ws://svc");
    let gateway = Gateway::start(&text);
    assert_eq!(gateway.send("GET /").status, 400);
    assert_eq!(gateway.send("POST /").status, 405);
    let upgrade = "GET /chat\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: \
                   dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13";
    assert_eq!(gateway.send(upgrade).status, 101);
    assert_eq!(upstream.only().target(), "/chat");
}

#[test]
fn spring_instances_serve_too() {
    let (one, two) = (saying("one"), saying("two"));
    let gateway = Gateway::start(&format!(
        "spring:\n  cloud:\n    discovery.client.simple.instances:\n      svc:\n      - uri: {}\n      \
         - {{ host: 127.0.0.1, port: {} }}\n    gateway.server.webflux.routes:\n    - {{ id: r, \
         uri: 'lb://svc', predicates: [Path=/**] }}\n",
        one.uri(),
        two.port()
    ));
    let answers = answers(&gateway, 6);
    assert_eq!((count(&answers, "one"), count(&answers, "two")), (3, 3));
}

#[test]
fn a_reload_changes_instances_and_loses_nothing() {
    let gate = Gate::closed();
    let held = gate.clone();
    let one = Upstream::answering(move |seen| match seen.target() {
        "/slow" => Reply::ok("slow").after(&held),
        _ => Reply::ok("one"),
    });
    let two = saying("two");
    let gateway = Gateway::following(&file(&[at(&one)], ""));
    let mut slow = gateway.client();
    slow.start("GET /slow");
    one.wait_for_heads(1);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = (0..3).map(|_| {
            scope.spawn(|| {
                let mut client = gateway.client();
                let mut served = 0;
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(client.send("GET /").status, 200);
                    served += 1;
                }
                served
            })
        });
        let asking: Vec<_> = asking.collect();
        for _ in 0..3 {
            gateway.reload(&file(&[at(&one), at(&two)], "balance: least-requests"));
            gateway.reload(&file(&[at(&two)], ""));
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(asking.into_iter().all(|asking| asking.join().unwrap() > 0));
    });
    assert_eq!(count(&answers(&gateway, 4), "two"), 4);
    gate.open();
    assert_eq!(slow.read_answer().text(), "slow");
}

#[test]
fn a_reload_keeps_what_is_known_about_instances_that_stay() {
    let alive = saying("alive");
    let refusing = Refusing::start();
    let dead = named("dead", &refusing.uri());
    let gateway = Gateway::following(&file(&[dead.clone(), at(&alive)], ""));
    answers(&gateway, 2);
    assert_eq!(instance(&gateway, 0)["state"], "down");
    gateway.reload(&file(&[dead, at(&alive)], "balance: least-requests"));
    assert_eq!(instance(&gateway, 0)["state"], "down");
    answers(&gateway, 4);
    assert_eq!(alive.seen().len(), 6);
    let services = gateway.admin("GET /services").json();
    assert_eq!(services[0]["balance"], "least-requests");
}

/// A status that a test can change, and what is asked for.
fn with_status() -> (Arc<AtomicU16>, Upstream) {
    let status = Arc::new(AtomicU16::new(200));
    let told = Arc::clone(&status);
    let upstream = Upstream::answering(move |seen| {
        let is_check = seen.target() == "/healthz";
        let status = if is_check { told.load(Ordering::Relaxed) } else { 200 };
        Reply::new(status, if is_check { "" } else { "sick" })
    });
    (status, upstream)
}

#[test]
fn checks_take_an_instance_out_and_bring_it_back() {
    let (status, sick) = with_status();
    let well = saying("well");
    let health = "health: { interval: 50ms, timeout: 1s, unhealthy-after: 2, healthy-after: 2 }";
    let gateway = gateway(&[at(&sick), at(&well)], health);
    let check = sick.wait_for(1).remove(0);
    assert_eq!((check.method(), check.target()), ("GET", "/healthz"));
    assert_eq!(check.header("host"), Some(sick.authority().as_str()));
    assert_eq!(instance(&gateway, 0)["state"], "up");
    status.store(500, Ordering::Relaxed);
    let shown = wait_for_state(&gateway, 0, "down");
    assert_eq!(shown["why"], "`GET /healthz` answers 500");
    assert_eq!(count(&answers(&gateway, 6), "well"), 6);
    status.store(204, Ordering::Relaxed);
    wait_for_state(&gateway, 0, "up");
    assert_eq!(count(&answers(&gateway, 6), "sick"), 3);
}

#[test]
fn a_check_that_gets_no_answer_in_time_fails() {
    let silent = Upstream::answering(|seen| match seen.target() {
        "/live" => Reply::nothing().never(),
        _ => Reply::ok("ok"),
    });
    let health = "health: { path: /live, interval: 20ms, timeout: 100ms, unhealthy-after: 1 }";
    let gateway = gateway(&[at(&silent)], health);
    let shown = wait_for_state(&gateway, 0, "down");
    assert_eq!(shown["why"], "no answer within 100ms");
    gateway.send("GET /").check_failure(503, "NO_INSTANCE");
}

#[test]
fn an_instance_that_fails_requests_in_a_row_is_ejected_until_its_time_is_over() {
    let bad = Upstream::with(Reply::new(503, "bad"));
    let (one, two) = (saying("one"), saying("two"));
    let ejection = "ejection: { consecutive-failures: 2, time: 2s }";
    let gateway = gateway(&[at(&bad), at(&one), at(&two)], ejection);
    let statuses: Vec<u16> = (0..6).map(|_| gateway.send("GET /").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 2);
    let shown = instance(&gateway, 0);
    assert_eq!(shown["state"], "ejected", "{shown}");
    assert!(shown["why"].as_str().unwrap().starts_with("too many failures in a row"));
    assert!((0..6).all(|_| gateway.send("GET /").status == 200));
    wait_for_state(&gateway, 0, "up");
    let statuses: Vec<u16> = (0..3).map(|_| gateway.send("GET /").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 1);
}

#[test]
fn resets_and_silence_eject_too() {
    for (reply, expected) in [
        (Reply::nothing().close(), (502, "UPSTREAM_RESET")),
        (Reply::nothing().never(), (504, "UPSTREAM_TIMEOUT")),
    ] {
        let bad = Upstream::with(reply);
        let (one, two) = (saying("one"), saying("two"));
        let ejection = "ejection: { consecutive-failures: 2, time: 1m }";
        let text = file(&[at(&bad), at(&one), at(&two)], ejection)
            .replace("routes:", "httpclient: { response-timeout: 150ms }\nroutes:");
        let gateway = Gateway::start(&text);
        for _ in 0..6 {
            let answer = gateway.send("POST /");
            if answer.status != 200 {
                answer.check_failure(expected.0, expected.1);
            }
        }
        assert_eq!(instance(&gateway, 0)["state"], "ejected");
    }
}

#[test]
fn an_attempt_that_fails_counts_once() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    for (reply, status) in [
        (Reply::nothing().close(), 502),
        (Reply::nothing().never(), 504),
        // It is late at an interim answer, which no wait of the framework finds out.
        (Reply::nothing().drip(early), 504),
    ] {
        let bad = Upstream::with(reply);
        let ejection = "ejection: { consecutive-failures: 2, time: 1m }";
        let text = file(&[at(&bad)], ejection)
            .replace("routes:", "httpclient: { response-timeout: 150ms }\nroutes:");
        let gateway = Gateway::start(&text);
        for state in ["up", "ejected"] {
            assert_eq!(gateway.send("POST /").status, status);
            assert_eq!(instance(&gateway, 0)["state"], state);
        }
    }
}

#[test]
fn when_too_many_fail_nobody_stays_ejected() {
    let bad = || Upstream::with(Reply::new(502, "bad"));
    let (one, two, three) = (bad(), bad(), bad());
    let ejection = "ejection: { consecutive-failures: 1, time: 1m }";
    let gateway = gateway(&[at(&one), at(&two), at(&three)], ejection);
    for _ in 0..30 {
        let answer = gateway.send("GET /");
        assert_eq!((answer.status, answer.text().as_str()), (502, "bad"));
    }
    assert!([one, two, three].iter().all(|upstream| upstream.seen().len() > 5));
    assert!((0..3).all(|at| instance(&gateway, at)["state"] == "ejected"));
}

#[test]
fn a_retry_goes_to_another_instance() {
    let bad = Upstream::with(Reply::new(503, "bad"));
    let good = saying("good");
    let heavy = format!("{{ uri: '{}', weight: 9 }}", bad.uri());
    let text = file(&[heavy, at(&good)], "ejection: { consecutive-failures: 0 }")
        + "  filters: [ 'Retry=1' ]\n";
    let gateway = Gateway::start(&text);
    assert_eq!(count(&answers(&gateway, 20), "good"), 20);
    assert!((10..=20).contains(&bad.seen().len()), "{}", bad.seen().len());
}

#[test]
fn an_instance_killed_under_load_costs_nothing_where_a_retry_is_allowed() {
    let one = saying("one");
    let two = saying("two");
    let text = file(&[at(&one), at(&two)], "") + "  filters: [ 'Retry=3' ]\n";
    let gateway = Gateway::start(&text);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = gateway.client();
                    let mut served = 0;
                    while !is_over.load(Ordering::Relaxed) || served < 50 {
                        let answer = client.send("GET /");
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        served += 1;
                    }
                })
            })
            .collect();
        one.wait_for(50);
        drop(one);
        let before = two.seen().len();
        two.wait_for(before + 100);
        is_over.store(true, Ordering::Relaxed);
        for asking in asking {
            asking.join().unwrap();
        }
    });
    assert_eq!(instance(&gateway, 0)["state"], "down");
}

#[test]
fn retries_keep_to_the_budget_of_the_service() {
    let bad = Upstream::with(Reply::new(503, "bad"));
    let text = file(&[at(&bad)], "ejection: { consecutive-failures: 0 }")
        .replace("routes:", "retry-budget: { ratio: 0.2, floor: 5, window: 60s }\nroutes:")
        + "  filters: [ 'Retry=3' ]\n";
    let gateway = Gateway::start(&text);
    for _ in 0..100 {
        assert_eq!(gateway.send("GET /").status, 503);
    }
    let asked = bad.seen().len();
    assert_eq!(asked, 120, "a fifth of 100 requests");
}

#[test]
fn retries_keep_to_the_budget_of_an_upstream_over_reloads() {
    let bad = Upstream::with(Reply::new(503, "bad"));
    let text = |floor: u32| {
        format!(
            "retry-budget: {{ ratio: 0, floor: {floor}, window: 60s }}\nroutes: [ {{ id: r, uri: \
             '{}', predicates: [Path=/**], filters: ['Retry=3'] }} ]\n",
            bad.uri()
        )
    };
    let gateway = Gateway::following(&text(5));
    (0..4).for_each(|_| drop(gateway.send("GET /")));
    assert_eq!(bad.seen().len(), 4 + 5);
    gateway.reload(&text(7));
    (0..4).for_each(|_| drop(gateway.send("GET /")));
    assert_eq!(bad.seen().len(), 8 + 7);
}

#[test]
fn services_are_shown_to_operators() {
    let upstream = Upstream::start();
    let gateway = gateway(&[named("one", &upstream.uri())], "");
    let expected = serde_json::json!([{
        "name": "svc",
        "balance": "round-robin",
        "instances": [{
            "id": "one",
            "uri": upstream.uri(),
            "weight": 1,
            "state": "up",
            "in_flight": 0,
        }],
    }]);
    assert_eq!(gateway.admin("GET /services").json(), expected);
    gateway.check_metric("tollgate_service_instances{service=\"svc\",state=\"up\"}", "1");
    gateway.check_metric("tollgate_service_instances{service=\"svc\",state=\"ejected\"}", "0");
}
