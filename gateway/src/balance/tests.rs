use std::collections::HashMap;
use std::time::Duration;

use tollgate_filters::Scheme;

use super::*;
use crate::config::Ejection;

struct Bench {
    upstreams: Upstreams,
    service: Arc<Service>,
    now: Instant,
}

fn spec(id: &str, weight: u32) -> InstanceSpec {
    InstanceSpec {
        id: id.to_owned(),
        host: "127.0.0.1".to_owned(),
        port: Some(8080),
        scheme: None,
        is_secure: false,
        weight,
        metadata: Vec::new(),
    }
}

impl Bench {
    fn new(balance: Balance, instances: &[InstanceSpec]) -> Self {
        let ejection =
            Ejection { consecutive_failures: 3, time: Duration::from_secs(10), panic_below: 50 };
        let settings = ServiceSettings { balance, ejection, ..ServiceSettings::new("s") };
        let now = clock::now();
        let service = Service::new(settings, &Settings::default(), now, Arc::default());
        let bench = Self { upstreams: Upstreams::default(), service: Arc::new(service), now };
        bench.have(instances);
        bench
    }

    fn have(&self, instances: &[InstanceSpec]) {
        assert!(self.service.set_instances(instances.to_vec(), &self.upstreams).is_empty());
    }

    fn choose(&self) -> Result<Chosen, NoInstance> {
        self.service.choose(None, &[], self.now)
    }

    /// Who gets the next requests, by id.
    fn counts(&self, requests: usize) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for _ in 0..requests {
            let id = self.choose().unwrap().instance().spec().id.clone();
            *counts.entry(id).or_insert(0) += 1;
        }
        counts
    }

    /// A request that goes to this instance.
    fn at(&self, id: &str) -> Chosen {
        let instances = self.service.instances();
        let instance = instances.iter().find(|instance| instance.spec().id == id).unwrap();
        Arc::clone(instance).take(None)
    }
}

#[test]
fn g3_requests_go_to_one_after_the_other() {
    let bench = Bench::new(Balance::RoundRobin, &[spec("a", 1), spec("b", 1), spec("c", 1)]);
    let ids: Vec<String> =
        (0..6).map(|_| bench.choose().unwrap().instance().spec().id.clone()).collect();
    assert_eq!(ids[..3], ids[3..]);
    assert_eq!(bench.counts(30).into_values().collect::<Vec<_>>(), [10; 3]);
}

#[test]
fn g3_with_one_instance_the_turn_stays() {
    let bench = Bench::new(Balance::RoundRobin, &[spec("a", 1)]);
    let before = bench.service.turn.load(Ordering::Relaxed);
    bench.counts(5);
    assert_eq!(bench.service.turn.load(Ordering::Relaxed), before);
    assert!(before < 1000);
}

#[test]
fn g3_the_scheme_is_the_instances_then_the_routes_then_what_is_secure() {
    let check = |spec: InstanceSpec, of_route, host: &str, is_upgrade: bool| {
        let bench = Bench::new(Balance::RoundRobin, &[spec]);
        let chosen = bench.service.choose(of_route, &[], bench.now).unwrap();
        let destination = chosen.destination();
        assert_eq!(destination.host, host);
        assert_eq!(destination.needs_upgrade, is_upgrade);
        let is_tls = destination.template.sni == "localhost";
        let peer = destination.peer(0, 0, None, Duration::from_secs(1), false).unwrap();
        assert_eq!(peer.scheme.to_string() == "HTTPS", is_tls);
        is_tls
    };
    let plain = InstanceSpec { host: "localhost".to_owned(), port: None, ..spec("a", 1) };
    let secure = InstanceSpec { is_secure: true, ..plain.clone() };
    let https = InstanceSpec { scheme: Some(Scheme::Https), ..plain.clone() };
    let at_8443 = InstanceSpec { port: Some(8443), ..plain.clone() };
    assert!(!check(plain.clone(), None, "localhost", false), "LB2");
    assert!(check(secure.clone(), None, "localhost", false), "LB1");
    assert!(check(plain.clone(), Some(Scheme::Https), "localhost", false));
    assert!(!check(plain, Some(Scheme::Ws), "localhost", true), "LB3");
    assert!(!check(secure, Some(Scheme::Http), "localhost", false));
    assert!(check(https, Some(Scheme::Ws), "localhost", false));
    assert!(check(at_8443, Some(Scheme::Wss), "localhost:8443", true));
}

#[test]
fn a_port_that_is_not_said_is_the_schemes() {
    let spec = InstanceSpec { port: None, ..spec("a", 1) };
    let bench = Bench::new(Balance::RoundRobin, &[spec]);
    let port = |scheme| {
        let chosen = bench.service.choose(Some(scheme), &[], bench.now).unwrap();
        chosen.destination().upstream.port()
    };
    assert_eq!(
        [Scheme::Http, Scheme::Https, Scheme::Ws, Scheme::Wss].map(port),
        [80, 443, 80, 443]
    );
}

#[test]
fn an_instance_that_cannot_be_connected_to_gets_nothing_at_once() {
    let bench = Bench::new(Balance::RoundRobin, &[spec("a", 1), spec("b", 1)]);
    bench.at("a").connect_failed("refused");
    assert_eq!(bench.counts(10), HashMap::from([("b".to_owned(), 10)]));
    bench.at("b").connect_failed("refused");
    assert_eq!(bench.choose().unwrap_err(), NoInstance::AllDown);
    let instances = bench.service.instances();
    let down = instances[0].down().unwrap();
    assert_eq!((down.cause, down.why.as_str()), (DownCause::Connect, "refused"));
    instances[0].mark_up();
    assert_eq!(bench.counts(10), HashMap::from([("a".to_owned(), 10)]));
}

#[test]
fn what_was_tried_is_not_tried_again() {
    let bench = Bench::new(Balance::RoundRobin, &[spec("a", 1), spec("b", 3)]);
    let mut tried = Vec::new();
    for _ in 0..2 {
        tried.push(bench.service.choose(None, &tried, bench.now).unwrap().key());
    }
    assert_ne!(tried[0], tried[1]);
    let none = bench.service.choose(None, &tried, bench.now);
    assert_eq!(none.unwrap_err(), NoInstance::AllTried);
}

#[test]
fn failures_in_a_row_eject_for_a_while() {
    let mut bench = Bench::new(Balance::RoundRobin, &[spec("a", 1), spec("b", 1), spec("c", 1)]);
    let a = bench.at("a");
    a.failed(bench.now);
    a.answered(503, bench.now);
    a.answered(500, bench.now);
    a.failed(bench.now);
    a.answered(504, bench.now);
    assert_eq!(bench.counts(9)["a"], 3, "500 is an answer, so none were three in a row");
    a.answered(502, bench.now);
    assert_eq!(bench.counts(9).get("a"), None);
    bench.now += Duration::from_millis(9_999);
    assert_eq!(bench.counts(9).get("a"), None);
    bench.now += Duration::from_millis(1);
    assert_eq!(bench.counts(9)["a"], 3);
}

#[test]
fn too_many_ejections_are_none() {
    let bench = Bench::new(Balance::RoundRobin, &[spec("a", 1), spec("b", 1)]);
    for id in ["a", "b"] {
        let chosen = bench.at(id);
        (0..3).for_each(|_| chosen.failed(bench.now));
    }
    assert_eq!(bench.counts(10).len(), 2);
    bench.at("a").connect_failed("refused");
    assert_eq!(bench.counts(10), HashMap::from([("b".to_owned(), 10)]), "down is down");
}

#[test]
fn the_lesser_of_two_gets_the_request() {
    let bench = Bench::new(Balance::LeastRequests, &[spec("a", 1), spec("b", 1)]);
    let held: Vec<Chosen> = (0..10).map(|_| bench.choose().unwrap()).collect();
    let of_a = held.iter().filter(|chosen| chosen.instance().spec().id == "a").count();
    assert_eq!(of_a, 5);
    let instances = bench.service.instances();
    assert_eq!([&instances[0], &instances[1]].map(|instance| instance.in_flight()), [5, 5]);
    drop(held);
    assert_eq!([&instances[0], &instances[1]].map(|instance| instance.in_flight()), [0, 0]);
}

#[test]
fn weights_count_for_least_requests() {
    let bench = Bench::new(Balance::LeastRequests, &[spec("a", 3), spec("b", 1)]);
    let held: Vec<Chosen> = (0..40).map(|_| bench.choose().unwrap()).collect();
    let of_a = held.iter().filter(|chosen| chosen.instance().spec().id == "a").count();
    assert!((29..=31).contains(&of_a), "{of_a}");
}

#[test]
fn instances_that_stay_keep_what_is_known_about_them() {
    let bench = Bench::new(Balance::RoundRobin, &[spec("a", 1), spec("b", 1)]);
    let on_its_way = bench.at("b");
    bench.at("a").connect_failed("refused");
    bench.have(&[spec("a", 1), spec("b", 5), spec("c", 5)]);
    assert_eq!(bench.counts(10), HashMap::from([("b".to_owned(), 5), ("c".to_owned(), 5)]));
    let instances = bench.service.instances();
    assert_eq!(instances[1].in_flight(), 1);
    assert_eq!(instances[1].key(), on_its_way.key());
    bench.have(&[InstanceSpec { port: Some(9090), ..spec("a", 1) }]);
    assert_eq!(bench.counts(3), HashMap::from([("a".to_owned(), 3)]), "that is another one");
    drop(on_its_way);
}

#[test]
fn without_instances_or_weights_nobody_takes_requests() {
    let bench = Bench::new(Balance::RoundRobin, &[]);
    assert_eq!(bench.choose().unwrap_err(), NoInstance::None);
    bench.have(&[spec("a", 0)]);
    assert_eq!(bench.choose().unwrap_err(), NoInstance::None);
    bench.have(&[spec("a", 1)]);
    assert!(bench.choose().is_ok());
}

#[test]
fn many_threads_share_out_exactly_while_health_changes() {
    let bench = Bench::new(Balance::RoundRobin, &[spec("a", 1), spec("b", 1), spec("c", 1)]);
    let totals = Mutex::new(HashMap::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let counts = bench.counts(3000);
                for (id, count) in counts {
                    *totals.lock().unwrap().entry(id).or_insert(0) += count;
                }
            });
        }
    });
    assert_eq!(totals.lock().unwrap().values().copied().collect::<Vec<usize>>(), [4000; 3]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..500 {
                bench.at("a").connect_failed("refused");
                bench.service.instances()[0].mark_up();
            }
        });
        for _ in 0..3 {
            scope.spawn(|| bench.counts(3000));
        }
    });
    let instances = bench.service.instances();
    assert!(instances.iter().all(|instance| instance.in_flight() == 0));
    assert_eq!(bench.counts(9).len(), 3);
}

#[test]
fn a_service_that_a_file_drops_is_forgotten_and_still_serves_whoever_has_it() {
    let services = Services::default();
    let upstreams = Upstreams::default();
    let mut settings = Settings::default();
    settings
        .services
        .push(ServiceSettings { instances: vec![spec("a", 1)], ..ServiceSettings::new("s") });
    let (prepared, _) = upstreams.prepare(Services::needed(&settings));
    services.apply(&settings, &prepared);
    let service = services.get("s", &settings);
    services.apply(&settings, &prepared);
    assert!(Arc::ptr_eq(&service, &services.get("s", &settings)));
    settings.services.clear();
    services.apply(&settings, &prepared);
    assert!(services.all().is_empty());
    assert!(service.choose(None, &[], clock::now()).is_ok());
}
