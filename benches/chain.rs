//! How long the filters of a route take, without the network: request and answer, there and back.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has no result")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pingora_core::Error;
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::runtime::Builder;
use tollgate::builder::RouteBuilder;
use tollgate_filters::{Exchange, ExchangeState, Route};

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
            let flow = route.chain.on_request(&mut exchange).await;
            let outcome = route.chain.on_response(&mut exchange, &mut answer).await;
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

criterion_group!(groups, chains);
criterion_main!(groups);
