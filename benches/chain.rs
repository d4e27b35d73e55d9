//! How long the filters of a route take, without the network: request and answer, there and back.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has no result")]

use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::HeaderValue;
use pingora_core::Error;
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::runtime::Builder;
use tollgate::builder::RouteBuilder;
use tollgate::config::Settings;
use tollgate::snapshot::{Millis, Shared, Snapshot};
use tollgate::telemetry::metrics::Metrics;
use tollgate::telemetry::timer::Outcome;
use tollgate_benches::service_path;
use tollgate_filters::{Exchange, ExchangeState, Incoming, Route, Row};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The filters that most routes of public configurations have.
const COMMON: [&str; 5] = [
    "StripPrefix=1",
    "AddRequestHeader=X-Request-Source, gateway",
    "RemoveRequestHeader=Cookie",
    "AddResponseHeader=X-Response-Source, gateway",
    "RemoveResponseHeader=Server",
];

fn route(filters: impl IntoIterator<Item = String>) -> Route {
    let routes = RouteBuilder::new().route("route", |route| {
        let route = route.path("/api/**").uri("http://127.0.0.1:80");
        filters.into_iter().fold(route, |route, filter| route.filter(&filter))
    });
    routes.build().expect("a route that can be built").remove(0)
}

fn heads() -> (RequestHeader, ResponseHeader) {
    let build = || {
        let mut request = RequestHeader::build("GET", b"/api/places/42?page=1", None)?;
        request.insert_header("Host", "example.org")?;
        request.insert_header("User-Agent", "bench")?;
        request.insert_header("Accept", "application/json")?;
        request.insert_header("Cookie", "session=0123456789abcdef")?;
        let mut answer = ResponseHeader::build(200, None)?;
        answer.insert_header("Content-Type", "application/json")?;
        answer.insert_header("Content-Length", "1024")?;
        answer.insert_header("Server", "backend")?;
        Ok::<_, Box<Error>>((request, answer))
    };
    build().expect("heads that can be built")
}

fn chain(bench: &mut Criterion, name: &str, route: &Route) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let pass = |(mut request, mut answer): (RequestHeader, ResponseHeader)| {
        runtime.block_on(async {
            let mut state = ExchangeState::default();
            let mut exchange = Exchange::new(&mut request, &mut state);
            let flow = route.chain.on_request(&mut 0, &mut exchange).await;
            let outcome = route.chain.on_response(0, None, &mut exchange, &mut answer).await;
            route.chain.on_answer(&mut exchange, &mut answer);
            assert!(flow.is_ok() && outcome.is_ok(), "{flow:?} {outcome:?}");
        });
        (request, answer)
    };
    bench.bench_function(name, |bencher| {
        bencher.iter_batched(heads, pass, BatchSize::SmallInput);
    });
}

fn chains(bench: &mut Criterion) {
    chain(bench, "chain/none", &route([]));
    chain(bench, "chain/common-5", &route(COMMON.map(str::to_owned)));
    let headers = (0..5).flat_map(|number| {
        [
            format!("AddRequestHeader=X-Request-{number}, value-{number}"),
            format!("SetRequestHeader=X-Set-{number}, value-{number}"),
            format!("AddResponseHeader=X-Response-{number}, value-{number}"),
        ]
    });
    chain(bench, "chain/20", &route(COMMON.map(str::to_owned).into_iter().chain(headers)));
}

/// Everything a request asks of its own route, from choice to timer, over all routes of a table in
/// an order that no cache can guess: what remains is what has to come from memory.
fn exchanges(bench: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let metrics = Metrics::new().expect("metrics");
    let shared = Shared::new(metrics, Arc::new(|_| None));
    for count in [1, 10_000] {
        let routes = (0..count).fold(RouteBuilder::new(), |routes, number| {
            routes.route(&format!("service-{number:05}"), |route| {
                let route = route.path(&format!("{}/**", service_path(number)));
                let header = format!("AddResponseHeader=X-Service, {number}");
                route.filter("StripPrefix=1").filter(&header).uri("http://127.0.0.1:80")
            })
        });
        let routes = routes.build().expect("routes that can be built");
        let (snapshot, _) = Snapshot::new(routes, Settings::default(), &shared).expect("a table");
        let mut paths: Vec<String> =
            (0..count).map(|number| format!("{}/places/42", service_path(number))).collect();
        fastrand::Rng::with_seed(1).shuffle(&mut paths);
        let mut next = paths.iter().cycle();
        let mut heads = || {
            let (mut request, answer) = heads();
            let path = next.next().map_or("/", String::as_str);
            request.set_raw_path(path.as_bytes()).expect("a path");
            (request, answer)
        };
        let pass = |(mut request, mut answer): (RequestHeader, ResponseHeader)| {
            let incoming = Incoming::new(&request);
            let position = snapshot.table.find(&incoming).ok().flatten().expect("a route");
            let Row { route, plan } = snapshot.table.row(position).expect("a row");
            let variables = route.predicates.capture(&incoming).expect("variables");
            let mut state = ExchangeState { variables, ..ExchangeState::default() };
            runtime.block_on(async {
                let mut exchange = Exchange::new(&mut request, &mut state);
                let flow = route.chain.on_request(&mut 0, &mut exchange).await;
                let outcome = route.chain.on_response(0, None, &mut exchange, &mut answer).await;
                route.chain.on_answer(&mut exchange, &mut answer);
                assert!(flow.is_ok() && outcome.is_ok(), "{flow:?} {outcome:?}");
            });
            let took = plan.response_timeout.map(Millis::duration).unwrap_or_default();
            plan.timer.record(&Outcome::new(200, &request.method), took, took);
            (answer.headers.get("x-service").map(HeaderValue::len), plan.log_id.as_bytes().len())
        };
        bench.bench_function(&format!("chain/of-{count}"), |bencher| {
            bencher.iter_batched(&mut heads, pass, BatchSize::NumIterations(64));
        });
    }
}

criterion_group!(groups, chains, exchanges);
criterion_main!(groups);
