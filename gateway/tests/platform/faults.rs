//! What happens when something is taken away (each trial has a platform of its own).

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::http::Answer;
use crate::redis_server::{Persistence, RedisServer};
use crate::stack::{Options, QUICK, Stack, Stores, many_logins};
use crate::tokens::{Tokens, key_set};
use crate::{Own, wait};

pub(crate) const OWN: &[Own] = &[
    ("services_stop_and_come_back_one_by_one", services),
    ("au_16_new_keys_log_nobody_out", keys),
    ("gw_14_redis_is_used_by_the_gateway_alone", gw_14),
    ("redis_gone_and_back", redis_gone),
    ("redis_silent", redis_silent),
    ("redis_killed_under_load_with_persistence_off", killed_without_persistence),
    ("redis_killed_under_load_with_appendfsync_always", killed_with_persistence),
    ("one_turn_for_a_token_that_has_not_expired", one_turn),
];

const MEMBER_ONLY: &[&str] = &["member"];

/// The first request that cannot connect is told so, unless a check has found it out before.
#[track_caller]
fn check_gone(answer: Answer) {
    let (status, code) = match answer.status {
        502 => (502, "UPSTREAM_REFUSED"),
        _ => (503, "NO_INSTANCE"),
    };
    answer.check_code(status, code);
}

fn services(stores: Stores) {
    let stack = Stack::start(stores);
    let (account, token) = stack.member();
    let reached = [
        ("planner", "/travels"),
        ("payment", "/payment?orderId=0196e6a0-0000-7000-8000-000000000000"),
        ("notification", "/notification"),
        ("reservation", "/reservation"),
        ("member", "/members/me"),
    ];
    for (service, path) in reached {
        let before = stack.get(path, &token).status;
        stack.kill(service);
        check_gone(stack.get(path, &token));
        if service == "member" {
            check_gone(stack.try_login(&account));
        }
        // Others do not notice.
        let (_, other) = reached.iter().find(|(other, _)| *other != service).unwrap();
        assert!(stack.get(other, &token).status < 500, "{other} without {service}");
        stack.start_again(service);
        // One that let nobody connect is looked at every second, and no request has to find out.
        wait::until(&format!("{service} to be back"), || {
            (stack.get(path, &token).status == before).then_some(())
        });
    }
    stack.kill("cms");
    let answer = stack.get("/place", &token).check_code(503, "CMS_UNAVAILABLE");
    assert!(answer.header("retry-after").is_some());
    stack.start_again("cms");
    stack.get("/place", &token).check(200);
    stack.try_login(&account).check(200);
}

/// AU-16
fn keys(stores: Stores) {
    let options = Options { services: MEMBER_ONLY, ..Options::default() };
    let stack = Stack::with(stores, &options);
    let (account, old) = stack.member();
    let file = stack.tokens.token_keys_file();
    let before = fs::read_to_string(file).unwrap();
    let (new, _) = key_set(&["k2"]);
    let both = new.replace("]}", &before.replace("{\"keys\":[", ","));
    replace(file, &both);
    let kid = || {
        let token = stack.try_login(&account).check(200).token().unwrap();
        Tokens::saw(&token);
        Tokens::header(&token)["kid"].as_str().unwrap().to_owned()
    };
    wait::until("the new key to sign", || (kid() == "k2").then_some(()));
    stack.get("/echo/x", &old).check(200);
    // A set that is none changes nothing.
    replace(file, "{\"keys\":[");
    wait::until("the broken set to be told", || {
        stack.gateway.output().contains("the new keys are not used").then_some(())
    });
    stack.get("/echo/x", &old).check(200);
    replace(file, &new);
    wait::until("the old key to go", || (stack.get("/echo/x", &old).status == 401).then_some(()));
    assert_eq!(kid(), "k2");
}

fn replace(file: &std::path::Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, file).unwrap();
}

/// GW-14
fn gw_14(stores: Stores) {
    if stores == Stores::Embedded {
        return;
    }
    let stack = Stack::start(stores);
    let (_, token) = stack.member();
    for path in ["/travels", "/place", "/reservation", "/notification", "/members/me"] {
        stack.get(path, &token).check(200);
    }
    let mut connection = stack.redis.as_ref().unwrap().connect();
    let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).unwrap();
    // This connection, and the gateway's only one.
    assert_eq!(clients.lines().count(), 2, "{clients}");
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    assert!(keys.iter().any(|key| key.starts_with("auth:session:")), "{keys:?}");
    let is_gateways = |key: &String| {
        ["auth:", "request_rate_limiter."].iter().any(|start| key.starts_with(start))
    };
    assert!(keys.iter().all(is_gateways), "{keys:?}");
}

fn redis_gone(stores: Stores) {
    let Some(mut stack) = with_redis(stores, Persistence::Off, None) else { return };
    let (account, token) = stack.member();
    stack.redis.as_mut().unwrap().kill();
    for _ in 0..3 {
        let begin = wait::now();
        let answer = stack.get("/echo/gone", &token).check_code(503, "AUTH_STORE_UNAVAILABLE");
        assert!(begin.elapsed() < QUICK, "{:?}", begin.elapsed());
        assert!(answer.header("retry-after").is_some());
        assert!(answer.header("proxy-status").unwrap().contains("AUTH_STORE_UNAVAILABLE"));
    }
    let begin = wait::now();
    let answer = stack.try_login(&account).check_code(503, "AUTH_STORE_UNAVAILABLE");
    assert_eq!(answer.token(), None);
    assert!(begin.elapsed() < QUICK);
    // What needs no store is served.
    stack.ask("GET /webhooks/echo").send().check(200);
    assert!(
        stack.metric("tollgate_errors_total{code=\"AUTH_STORE_UNAVAILABLE\",routeId=\"echo\"}")
            >= 3.0
    );
    assert!(stack.echo.seen("gone").is_empty());
    stack.redis.as_mut().unwrap().start_again();
    wait::until("the store to be back", || {
        (stack.get("/echo/x", &token).code() == "AUTH_SESSION_EXPIRED").then_some(())
    });
    let token = stack.log_in(&account);
    stack.get("/echo/x", &token).check(200);
}

fn redis_silent(stores: Stores) {
    let Some(stack) = with_redis(stores, Persistence::Off, None) else { return };
    let (_, token) = stack.member();
    let redis = stack.redis.as_ref().unwrap();
    redis.pause();
    let begin = wait::now();
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let begin = wait::now();
                stack.get("/echo/x", &token).check_code(503, "AUTH_STORE_UNAVAILABLE");
                assert!(begin.elapsed() < QUICK, "{:?}", begin.elapsed());
            });
        }
    });
    assert!(begin.elapsed() < QUICK * 2, "{:?}", begin.elapsed());
    redis.go_on();
    wait::until("the store to answer", || {
        (stack.get("/echo/x", &token).status == 200).then_some(())
    });
}

fn killed_without_persistence(stores: Stores) {
    killed_under_load(stores, Persistence::Off);
}

fn killed_with_persistence(stores: Stores) {
    killed_under_load(stores, Persistence::Always);
}

/// Whatever happens to the store, a token that was answered 204 at `/logout` is never taken again.
fn killed_under_load(stores: Stores, persistence: Persistence) {
    let Some(mut stack) = with_redis(stores, persistence, None) else { return };
    let (account, _) = stack.member();
    let others: Vec<String> = (0..8).map(|_| stack.log_in(&account)).collect();
    for _ in 0..3 {
        let live = stack.log_in(&account);
        let ended: Vec<String> = (0..8).map(|_| stack.log_in(&account)).collect();
        let stop = AtomicBool::new(false);
        let revoked: Vec<String> = thread::scope(|scope| {
            for token in &others {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        stack.get("/echo/load", token);
                    }
                });
            }
            let log_out =
                |token: &String| stack.ask("POST /logout").bearer(token).send().status == 204;
            let revoked = ended.iter().filter(|token| log_out(token)).cloned().collect();
            stop.store(true, Ordering::Relaxed);
            revoked
        });
        assert_eq!(revoked.len(), ended.len());
        stack.redis.as_mut().unwrap().kill();
        assert!(stack.get("/echo/x", &live).status == 503);
        stack.redis.as_mut().unwrap().start_again();
        wait::until("the store to be back", || {
            (stack.get("/echo/x", &live).status != 503).then_some(())
        });
        let status = stack.get("/echo/x", &live).status;
        let expected = match persistence {
            Persistence::Off => 401,
            Persistence::Always => 200,
        };
        assert_eq!(status, expected, "a live session after a restart");
        for token in &revoked {
            assert_eq!(stack.get("/echo/x", token).status, 401, "a revoked token");
        }
    }
}

fn one_turn(stores: Stores) {
    if stores == Stores::Embedded {
        return;
    }
    let redis = RedisServer::start(Persistence::Off);
    let turns = Turns::before(redis.address());
    let url = format!("redis://{}", turns.address);
    let Some(stack) = with_redis(stores, Persistence::Off, Some(url)) else { return };
    let (_, token) = stack.member();
    stack.get("/echo/x", &token).check(200);
    let before = turns.count();
    for _ in 0..20 {
        stack.get("/echo/x", &token).check(200);
    }
    assert_eq!(turns.count() - before, 20);
    let before = turns.count();
    stack.get("/echo/x", &stack.tokens.expired(&token)).check(200);
    assert_eq!(turns.count() - before, 2, "a look-up and a rotation");
}

fn with_redis(stores: Stores, persistence: Persistence, url: Option<String>) -> Option<Stack> {
    let options = Options {
        persistence,
        redis_url: url,
        services: MEMBER_ONLY,
        edits: vec![many_logins()],
        ..Options::default()
    };
    // Without Redis there is nothing to take away.
    (stores == Stores::Real).then(|| Stack::with(stores, &options))
}

/// A TCP proxy that counts turns: bytes to the server after bytes from it.
pub(crate) struct Turns {
    pub(crate) address: SocketAddr,
    count: Arc<AtomicUsize>,
}

impl Turns {
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                relay(client, server, &counted);
            }
        });
        Self { address, count }
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

fn relay(client: TcpStream, server: TcpStream, count: &Arc<AtomicUsize>) {
    let answered = Arc::new(AtomicBool::new(true));
    let count = Arc::clone(count);
    let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let was_answered = Arc::clone(&answered);
    thread::spawn(move || {
        copy(client, to_server, || {
            if was_answered.swap(false, Ordering::SeqCst) {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
    });
    thread::spawn(move || copy(server, to_client, || answered.store(true, Ordering::SeqCst)));
}

fn copy(mut from: TcpStream, mut to: TcpStream, each: impl Fn()) {
    from.set_read_timeout(Some(Duration::from_mins(5))).unwrap();
    let mut buffer = [0; 16 << 10];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 {
            return;
        }
        // Before the other side can answer.
        each();
        if to.write_all(buffer.get(..length).unwrap()).is_err() {
            return;
        }
    }
}
