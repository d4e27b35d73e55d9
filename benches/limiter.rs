//! What a rate limit adds to a request: a bucket in the process, and the headers of the answer.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has no result")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pingora_http::RequestHeader;
use tokio::runtime::Builder;
use tollgate::builder::RouteBuilder;
use tollgate::config::Settings;
use tollgate::snapshot::{Shared, Snapshot};
use tollgate::telemetry::metrics::Metrics;
use tollgate_filters::{Exchange, ExchangeState};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// So many clients come by in an order that no cache can guess.
const CLIENTS: u32 = 10_000;

fn table(filters: &[&[(&str, &str)]]) -> Snapshot {
    let routes = RouteBuilder::new().route("route", |route| {
        let route = route.path("/**").uri("no://op");
        filters
            .iter()
            .fold(route, |route, arguments| route.filter_with("RequestRateLimiter", arguments))
    });
    let shared = Shared::new(Metrics::new().expect("metrics"), Arc::new(|_| None));
    let routes = routes.build().expect("a route that can be built");
    Snapshot::new(routes, Settings::default(), &shared).expect("a table").0
}

fn requests(bench: &mut Criterion, name: &str, filters: &[&[(&str, &str)]]) {
    let snapshot = table(filters);
    let chain = &snapshot.table.row(0).expect("a route").route.chain;
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let mut random = fastrand::Rng::with_seed(1);
    let mut arrive = || {
        let head = RequestHeader::build("GET", b"/api/places/42?page=1", None).expect("a head");
        let client = IpAddr::V4(Ipv4Addr::from_bits(random.u32(..CLIENTS)));
        (head, ExchangeState { client: Some(client), ..ExchangeState::default() })
    };
    let pass = |(mut head, mut state): (RequestHeader, ExchangeState)| {
        let mut exchange = Exchange::new(&mut head, &mut state);
        let flow = runtime.block_on(chain.on_request(&mut 0, &mut exchange));
        assert!(flow.is_ok(), "{flow:?}");
        (head, state)
    };
    bench.bench_function(name, |bencher| {
        bencher.iter_batched(&mut arrive, pass, BatchSize::SmallInput);
    });
}

fn limiter(bench: &mut Criterion) {
    let by_client = ("key-resolver", "#{@ipKeyResolver}");
    let rate = ("redis-rate-limiter.replenish-rate", "1000000");
    let burst = ("redis-rate-limiter.burst-capacity", "1000000");
    let few = ("redis-rate-limiter.replenish-rate", "1");
    requests(bench, "limiter/none", &[]);
    requests(bench, "limiter/passes", &[&[by_client, rate, burst]]);
    let bare = ("rate-limit-fields", "false");
    requests(bench, "limiter/passes-without-ietf-fields", &[&[by_client, rate, burst, bare]]);
    requests(bench, "limiter/refuses", &[&[by_client, few]]);
}

criterion_group!(groups, limiter);
criterion_main!(groups);
