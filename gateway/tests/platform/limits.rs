//! Rate limits: what every store of buckets must do, and two gateways on one Redis that is taken
//! away.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tollgate::stores::RedisBuckets;
use tollgate_filters::Hook;
use tollgate_filters::limit::{Buckets, InProcessBuckets, Policy, Taken};

use crate::faults::Turns;
use crate::http::{Answer, Request};
use crate::program::Program;
use crate::redis_server::{Persistence, RedisServer};
use crate::stack::{QUICK, Stores, start_gateway};
use crate::{Own, wait};

pub(crate) const OWN: &[Own] = &[
    ("limits_contract_the_rows_of_the_script", rows),
    ("limits_contract_whatever_is_asked", model),
    ("limits_contract_thirty_at_once", at_once),
    ("limits_contract_time_brings_tokens_back", time),
    ("limits_outlive_a_reload", reload),
    ("limits_cost_one_turn_and_have_the_keys_of_the_reference", one_turn),
    ("limits_hold_over_two_gateways", two_gateways),
    ("limits_hold_over_a_flush_but_for_one_burst", flushed),
    ("limits_while_redis_is_dead", dead),
    ("limits_while_redis_is_silent", silent),
    ("limits_hold_while_redis_comes_and_goes", comes_and_goes),
];

/// Buckets whose time the trial tells.
struct Subject {
    buckets: Kind,
    runtime: Runtime,
}

enum Kind {
    InProcess { buckets: InProcessBuckets, seconds: Arc<AtomicU64> },
    Redis { buckets: RedisBuckets, server: RedisServer },
}

/// Any time to count from; a multiple of nothing that matters.
const BASE: u64 = 1_000_003;

impl Subject {
    fn new(stores: Stores) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let buckets = match stores {
            Stores::Embedded => {
                let seconds = Arc::new(AtomicU64::new(0));
                let (told, began) = (Arc::clone(&seconds), wait::now());
                let clock = move || began + Duration::from_secs(told.load(Ordering::Relaxed));
                Kind::InProcess { buckets: InProcessBuckets::new(Arc::new(clock)), seconds }
            }
            Stores::Real => {
                let server = RedisServer::start(Persistence::Off);
                let second = Duration::from_secs(5);
                let buckets = RedisBuckets::open(&server.url(), second, second).unwrap();
                Kind::Redis { buckets, server }
            }
        };
        Self { buckets, runtime }
    }

    fn now<T>(&self, hook: Hook<'_, T>) -> T {
        match hook {
            Hook::Ready(outcome) => outcome.unwrap(),
            Hook::Wait(later) => self.runtime.block_on(later).unwrap(),
        }
    }

    fn take(&self, key: &str, policy: &Policy, now: u64) -> Taken {
        match &self.buckets {
            Kind::InProcess { buckets, seconds } => {
                seconds.store(now, Ordering::Relaxed);
                self.now(buckets.take("route", key.as_bytes(), policy))
            }
            Kind::Redis { buckets, .. } => {
                self.now(buckets.take_at("route", key.as_bytes(), policy, now))
            }
        }
    }
}

fn policy(rate: i32, burst: i64, cost: i32) -> Policy {
    Policy::written(rate, burst, cost).unwrap()
}

/// R1.10-01 … R1.10-05
fn rows(stores: Stores) {
    let subject = Subject::new(stores);
    let check = |key: &str, policy: Policy, calls: &[(u64, bool, i64)]| {
        for (after, allowed, remaining) in calls.iter().copied() {
            let taken = subject.take(key, &policy, BASE + after);
            assert_eq!(taken, Taken { allowed, remaining }, "{key} after {after} s");
        }
    };
    check("1", policy(1, 10, 1), &[(0, true, 9)]);
    check("2", policy(1, 10, 5), &[(0, true, 5), (3, true, 3)]);
    check("3", policy(1, 10, 1), &[(0, true, 9), (10, true, 9)]);
    check("4", policy(1, 10, 20), &[(0, false, 10)]);
    check("5", policy(1, (1 << 53) - 1, 1), &[(0, true, (1 << 53) - 2), (0, true, (1 << 53) - 3)]);
    check("none", policy(1, 0, 1), &[(0, false, 0), (9, false, 0)]);
    check("never kept", policy(10, 4, 1), &[(0, true, 3), (0, true, 3)]);
    if let Kind::Redis { server, .. } = &subject.buckets {
        let mut connection = server.connect();
        for what in ["tokens", "timestamp"] {
            let key = format!("request_rate_limiter.{{route.1}}.{what}");
            let ttl: i64 = redis::cmd("TTL").arg(key).query(&mut connection).unwrap();
            assert!((10..=20).contains(&ttl), "{ttl}");
            let key = format!("request_rate_limiter.{{route.never kept}}.{what}");
            assert!(!redis::cmd("EXISTS").arg(key).query::<bool>(&mut connection).unwrap());
        }
    }
}

/// The arithmetic of [`Policy::take`], which has its own tests, over calls in any order.
fn model(stores: Stores) {
    let subject = Subject::new(stores);
    // They are kept for longer than the trial takes, so that nothing ends by itself.
    let policies =
        [policy(1, 60, 7), policy(3, 400, 1), policy(1, 1 << 40, 9), policy(1000, 100_000, 5000)];
    let mut known = [None; 6];
    let mut now = BASE;
    let mut random = 12345_u64;
    let mut draw = |below: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for _ in 0..500 {
        now += if draw(3) == 0 { draw(12) } else { 0 };
        let key = usize::try_from(draw(6)).unwrap();
        let policy = &policies[usize::try_from(draw(4)).unwrap()];
        let (expected, left) = policy.take(known[key], now);
        known[key] = Some(left);
        assert_eq!(subject.take(&key.to_string(), policy, now), expected, "{policy:?}");
    }
}

/// R1.10-11
fn at_once(stores: Stores) {
    let subject = Subject::new(stores);
    let policy = policy(1, 1200, 60);
    let allowed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                if subject.take("k", &policy, BASE).allowed {
                    allowed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(allowed.into_inner(), 20);
}

/// With the store's own clock.
fn time(stores: Stores) {
    let subject = Subject::new(stores);
    let real = InProcessBuckets::new(Arc::new(wait::now));
    let take = || match &subject.buckets {
        Kind::InProcess { .. } => subject.now(real.take("route", b"k", &policy(1, 2, 1))),
        Kind::Redis { buckets, .. } => subject.now(buckets.take("route", b"k", &policy(1, 2, 1))),
    };
    assert_eq!(take(), Taken { allowed: true, remaining: 1 });
    wait::until("the bucket to be empty", || (!take().allowed).then_some(()));
    wait::until("a token to come back", || take().allowed.then_some(()));
}

/// A gateway with these routes.
struct Gateway {
    program: Program,
    address: SocketAddr,
    folder: TempDir,
}

/// One limit for each answer to the loss of the store, by the header `X-User`; and no limit.
fn routes(store: &str, more: &str) -> String {
    let limited = |id: &str, arguments: &str| {
        format!(
            "- {{ id: {id}, uri: 'no://op', predicates: [Path=/{id}/**], filters: [{{ name: RequestRateLimiter, args: {{ key-resolver: '#{{@userKeyResolver}}', {arguments} }} }}] }}\n"
        )
    };
    let limit = "redis-rate-limiter: { replenish-rate: 20, burst-capacity: 30 }";
    let few =
        "redis-rate-limiter: { replenish-rate: 1, burst-capacity: 180, requested-tokens: 60 }";
    [
        format!(
            "stores: {{ default: {{ url: '${{REDIS_URL:}}'{store} }} }}\nworkers: 1\nroutes:\n"
        ),
        "- { id: free, uri: 'no://op', predicates: [Path=/free/**] }\n".to_owned(),
        limited("limited", limit),
        limited("few", few),
        limited("open", few),
        limited("closed", &format!("{few}, on-store-loss: closed")),
        limited("local", &format!("{few}, on-store-loss: local")),
        limited("strict", &format!("{limit}, on-store-loss: closed")),
        more.to_owned(),
    ]
    .concat()
}

impl Gateway {
    fn start(redis: Option<&str>) -> Self {
        Self::with(redis, "")
    }

    fn with(redis: Option<&str>, store: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("routes.yaml");
        fs::write(&file, routes(store, "")).unwrap();
        let environment: Vec<_> =
            redis.map(|url| ("REDIS_URL".to_owned(), url.to_owned())).into_iter().collect();
        let (program, address, _) = start_gateway(&file, &environment);
        Self { program, address, folder }
    }

    fn try_send(&self, id: &str) -> std::io::Result<Answer> {
        Request::new(self.address, &format!("GET /{id}/x")).header("X-User: ann").try_send()
    }

    #[track_caller]
    fn send(&self, id: &str) -> Answer {
        let begin = wait::now();
        let answer = self.try_send(id).unwrap();
        assert!(begin.elapsed() < QUICK, "{id}: {:?}", begin.elapsed());
        answer
    }

    fn left(&self, id: &str) -> i64 {
        self.send(id).header("x-ratelimit-remaining").unwrap().parse().unwrap()
    }
}

fn replace(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, file).unwrap();
}

fn reload(stores: Stores) {
    let redis = (stores == Stores::Real).then(|| RedisServer::start(Persistence::Off));
    let gateway = Gateway::start(redis.as_ref().map(RedisServer::url).as_deref());
    for _ in 0..3 {
        gateway.send("few").check(200);
    }
    gateway.send("few").check_code(429, "RATE_LIMITED");
    let new = "- { id: new, uri: 'no://op', predicates: [Path=/new/**] }\n";
    replace(&gateway.folder.path().join("routes.yaml"), &routes("", new));
    wait::until("the new route", || (gateway.send("new").status == 200).then_some(()));
    gateway.send("few").check_code(429, "RATE_LIMITED");
}

fn one_turn(stores: Stores) {
    if stores == Stores::Embedded {
        return;
    }
    let redis = RedisServer::start(Persistence::Off);
    let turns = Turns::before(redis.address());
    let gateway = Gateway::start(Some(&format!("redis://{}", turns.address)));
    gateway.send("limited").check(200);
    let before = turns.count();
    for _ in 0..20 {
        gateway.send("limited");
    }
    assert_eq!(turns.count() - before, 20);
    let mut connection = redis.connect();
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    keys.sort();
    let expected =
        ["timestamp", "tokens"].map(|what| format!("request_rate_limiter.{{limited.ann}}.{what}"));
    assert_eq!(keys, expected);
}

/// The seconds of Redis' clock.
fn seconds(redis: &RedisServer) -> i64 {
    let time: (i64, i64) = redis::cmd("TIME").query(&mut redis.connect()).unwrap();
    time.0
}

/// How long clients press.
const PRESS: Duration = Duration::from_secs(6);

/// How long the calm and the trouble of [`comes_and_goes`] last: `PRESS_SECONDS`, a few where nothing
/// is measured.
#[expect(clippy::disallowed_methods, reason = "a test program reads its own environment")]
fn press_time() -> Duration {
    let told = std::env::var("PRESS_SECONDS").ok().map(|text| text.parse().unwrap());
    told.map_or(PRESS, Duration::from_secs)
}

/// A kernel that interrupts no one for 4 ms makes every wait that much longer.
const TICK: Duration = Duration::from_millis(4);
/// Shorter than anybody waits for the store (250 ms), longer than a machine with other things to do
/// makes anybody wait.
const BUSY: Duration = Duration::from_millis(200);

/// Lets the clients stop when a trial ends, well or not.
struct Stop<'s>(&'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Eight clients at two gateways for some seconds, while `meanwhile` happens once: how many requests
/// were let through, and how many seconds began.
fn press(redis: &RedisServer, meanwhile: impl FnOnce()) -> (i64, i64) {
    let url = redis.url();
    // However slow the machine is, nobody takes Redis for dead and lets everything through.
    let start = || Gateway::with(Some(&url), ", command-timeout: 30s");
    let gateways = [start(), start()];
    let (admitted, sent) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let stop = AtomicBool::new(false);
    let first = seconds(redis);
    thread::scope(|scope| {
        for number in 0..8 {
            let gateway = &gateways[number % 2];
            let (admitted, sent, stop) = (&admitted, &sent, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let answer = gateway.try_send("limited").unwrap();
                    assert!(matches!(answer.status, 200 | 429), "{answer:?}");
                    let left = answer.header("x-ratelimit-remaining").unwrap();
                    assert!((0..30).contains(&left.parse::<i64>().unwrap()), "{left}");
                    sent.fetch_add(1, Ordering::Relaxed);
                    admitted.fetch_add(usize::from(answer.status == 200), Ordering::Relaxed);
                }
            });
        }
        let _stop = Stop(&stop);
        let begin = wait::now();
        wait::until("half of the time", || (begin.elapsed() > PRESS / 2).then_some(()));
        meanwhile();
        wait::until("the other half", || (begin.elapsed() > PRESS).then_some(()));
    });
    let began = seconds(redis) - first;
    let sent = sent.into_inner();
    assert!(sent > 300, "only {sent} requests: nothing was limited");
    (i64::try_from(admitted.into_inner()).unwrap(), began)
}

fn two_gateways(stores: Stores) {
    if stores == Stores::Embedded {
        return;
    }
    let redis = RedisServer::start(Persistence::Off);
    let (admitted, began) = press(&redis, || {});
    assert!(admitted <= 30 + 20 * began, "{admitted} in {began} s");
    // And most of the tokens were taken, so that one bucket more would show.
    assert!(admitted >= 30 + 10 * began, "{admitted} in {began} s");
}

fn flushed(stores: Stores) {
    if stores == Stores::Embedded {
        return;
    }
    let redis = RedisServer::start(Persistence::Off);
    let (admitted, began) = press(&redis, || {
        redis::cmd("FLUSHALL").exec(&mut redis.connect()).unwrap();
    });
    assert!(admitted <= 2 * 30 + 20 * began, "{admitted} in {began} s");
    assert!(admitted >= 30 + 10 * began, "{admitted} in {began} s");
}

fn dead(stores: Stores) {
    if stores == Stores::Real {
        without(RedisServer::kill, RedisServer::start_again);
    }
}

fn silent(stores: Stores) {
    if stores == Stores::Real {
        without(|redis| redis.pause(), |redis| redis.go_on());
    }
}

/// Takes Redis away under load and brings it back.
fn without(take: fn(&mut RedisServer), bring_back: fn(&mut RedisServer)) {
    let mut redis = RedisServer::start(Persistence::Off);
    let url = redis.url();
    let gateways = [Gateway::start(Some(&url)), Gateway::start(Some(&url))];
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..4 {
            let (gateway, stop) = (&gateways[number % 2], &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let answer = gateway.try_send("limited").unwrap();
                    assert!(matches!(answer.status, 200 | 429), "{answer:?}");
                    // As many requests with a store as without.
                    thread::park_timeout(Duration::from_millis(5));
                }
            });
        }
        let _stop = Stop(&stop);
        let before = p99(&gateways);
        take(&mut redis);
        let during = p99(&gateways);
        for gateway in &gateways {
            gateway.keeps_its_word();
        }
        let most = (before * 3 / 2).max(BUSY);
        assert!(during <= most, "99 % of the free requests: {before:?} before, {during:?} during");
        bring_back(&mut redis);
        for gateway in &gateways {
            gateway.recovers();
        }
    });
    for gateway in &gateways {
        let log = gateway.program.output();
        assert!(log.contains("the connection to Redis is lost"), "{log}");
    }
}

impl Gateway {
    /// What each route promises while its store does not answer.
    fn keeps_its_word(&self) {
        for _ in 0..5 {
            let answer = self.send("open").check(200);
            assert_eq!(answer.header("x-ratelimit-remaining"), Some("-1"));
            assert_eq!(answer.header("x-ratelimit-burst-capacity"), Some("180"));
            assert_eq!(answer.header("ratelimit"), None);
            let answer = self.send("closed").check_code(503, "RATE_LIMIT_STORE_UNAVAILABLE");
            assert!(answer.header("retry-after").is_some());
            assert_eq!(answer.header("x-ratelimit-remaining"), None);
        }
        for _ in 0..3 {
            let answer = self.send("local").check(200);
            assert!(answer.header("ratelimit").is_some());
        }
        self.send("local").check_code(429, "RATE_LIMITED");
    }

    fn recovers(&self) {
        wait::until("the limits to be counted again", || (self.left("open") >= 0).then_some(()));
        assert_ne!(self.send("closed").status, 503);
        assert_ne!(self.left("local"), -1);
    }
}

/// What 99 % of the requests to the free route take at most, over a second or so.
fn p99(gateways: &[Gateway; 2]) -> Duration {
    p99_while(gateways, Duration::from_millis(1500))
}

fn p99_while(gateways: &[Gateway; 2], time: Duration) -> Duration {
    let begin = wait::now();
    let mut all = Vec::new();
    while begin.elapsed() < time {
        for gateway in gateways {
            let sent = wait::now();
            gateway.try_send("free").unwrap().check(200);
            all.push(sent.elapsed());
        }
        thread::park_timeout(Duration::from_millis(1));
    }
    all.sort();
    all[all.len() * 99 / 100]
}

/// Eight clients at two gateways on one Redis, in calm and then while it is flushed, silent, and dead.
///
/// `PRESS_SECONDS=60` makes it the measured run: each half lasts a minute, and the free route may not
/// notice. Otherwise it only proves that nobody waits for the store.
fn comes_and_goes(stores: Stores) {
    if stores == Stores::Embedded {
        return;
    }
    let mut redis = RedisServer::start(Persistence::Off);
    let url = redis.url();
    let gateways = [Gateway::start(Some(&url)), Gateway::start(Some(&url))];
    let (admitted, refused, without) = Default::default();
    let stop = AtomicBool::new(false);
    let first = seconds(&redis);
    let (before, during) = thread::scope(|scope| {
        for number in 0..8 {
            let client = Client { gateway: &gateways[number % 2], admitted: &admitted };
            let (refused, without, stop) = (&refused, &without, &stop);
            scope.spawn(move || client.press(refused, without, stop));
        }
        let _stop = Stop(&stop);
        let time = press_time();
        let before = p99_while(&gateways, time);
        let probed = &gateways;
        let probe = scope.spawn(move || p99_while(probed, time));
        trouble(&mut redis, &gateways, time);
        (before, probe.join().unwrap())
    });
    let began = seconds(&redis) - first;
    let admitted: usize = admitted.into_inner();
    println!(
        "{} s: {admitted} admitted, {} refused, {} without a store; p99 of the free route {before:?} \
         before, {during:?} during",
        began,
        refused.into_inner(),
        without.into_inner(),
    );
    let admitted = i64::try_from(admitted).unwrap();
    // A flush gives every bucket back, and so does a death without persistence.
    assert!(admitted <= 3 * 30 + 20 * began, "{admitted} in {began} s");
    assert!(admitted >= 10 * began, "{admitted} in {began} s");
    let least = if press_time() < Duration::from_mins(1) { BUSY } else { TICK };
    let most = (before * 3 / 2).max(least);
    assert!(during <= most, "99 % of the free requests: {before:?} before, {during:?} during");
}

/// Redis is flushed, silent and dead, one after the other, and back each time.
fn trouble(redis: &mut RedisServer, gateways: &[Gateway; 2], time: Duration) {
    let begin = wait::now();
    let until = |sixths: u32| {
        wait::until("its time", || (begin.elapsed() > time * sixths / 6).then_some(()));
    };
    let recovered = || {
        for gateway in gateways {
            wait::until("the limits to be counted again", || {
                matches!(gateway.send("strict").status, 200 | 429).then_some(())
            });
        }
    };
    until(1);
    redis::cmd("FLUSHALL").exec(&mut redis.connect()).unwrap();
    until(2);
    redis.pause();
    until(3);
    redis.go_on();
    recovered();
    until(4);
    redis.kill();
    until(5);
    redis.start_again();
    recovered();
    until(6);
}

/// Someone who asks for the strict route every 5 ms.
struct Client<'a> {
    gateway: &'a Gateway,
    admitted: &'a AtomicUsize,
}

impl Client<'_> {
    fn press(&self, refused: &AtomicUsize, without: &AtomicUsize, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let answer = self.gateway.try_send("strict").unwrap();
            let counter = match (answer.status, answer.code().as_str()) {
                (200, _) => self.admitted,
                (429, "RATE_LIMITED") => refused,
                (503, "RATE_LIMIT_STORE_UNAVAILABLE") => without,
                _ => panic!("{answer:?}"),
            };
            counter.fetch_add(1, Ordering::Relaxed);
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}
