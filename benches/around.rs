//! What a circuit breaker and an armed `Retry` add to a request whose answer is fine: what they hand
//! over, what they do when they are asked, and what filters behind them write down to be undone.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has no result")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pingora_http::RequestHeader;
use tokio::runtime::Builder;
use tollgate::builder::RouteBuilder;
use tollgate::config::Settings;
use tollgate::snapshot::{Shared, Snapshot};
use tollgate::telemetry::metrics::Metrics;
use tollgate_filters::{Exchange, ExchangeState, Flow, Outcome};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn table(filters: &[&str]) -> Snapshot {
    let routes = RouteBuilder::new().route("route", |route| {
        let route = route.path("/**").uri("no://op");
        filters.iter().fold(route, |route, filter| route.filter(filter))
    });
    let shared = Shared::new(Metrics::new().expect("metrics"), Arc::new(|_| None));
    let routes = routes.build().expect("a route that can be built");
    Snapshot::new(routes, Settings::default(), &shared).expect("a table").0
}

/// A head as browsers and services send it.
fn head() -> RequestHeader {
    let mut head = RequestHeader::build("GET", b"/places/42?page=1", None).expect("a head");
    for (name, value) in [
        ("Host", "shop.example"),
        ("User-Agent", "load/1.0"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip, br"),
        ("Accept-Language", "en"),
        ("Cookie", "session=0123456789abcdef"),
        ("X-Request-Id", "0190a5f2-7a55-7cc0-8000-3c6ef372fe94"),
    ] {
        head.append_header(name, value).expect("a header");
    }
    head
}

fn requests(bench: &mut Criterion, name: &str, filters: &[&str]) {
    let snapshot = table(filters);
    let chain = &snapshot.table.row(0).expect("a route").route.chain;
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let arrive = || (head(), ExchangeState::default());
    let pass = |(mut head, mut state): (RequestHeader, ExchangeState)| {
        let mut place = 0;
        let mut around = Vec::new();
        loop {
            let mut exchange = Exchange::new(&mut head, &mut state);
            match runtime.block_on(chain.on_request(&mut place, &mut exchange)) {
                Ok(Flow::Around(call)) => around.push(call),
                other => break assert!(matches!(other, Ok(Flow::Continue)), "{other:?}"),
            }
            // As for a breaker with a fallback, or a `Retry`.
            if chain.changes_behind(place) {
                black_box(Exchange::new(&mut head, &mut state).keep());
            }
            place += 1;
        }
        for call in around.iter_mut().rev() {
            black_box(call.deadline());
            let mut exchange = Exchange::new(&mut head, &mut state);
            black_box(call.ended(&Outcome::Answered(200), &mut exchange));
        }
        (head, state)
    };
    bench.bench_function(name, |bencher| {
        bencher.iter_batched(arrive, pass, BatchSize::SmallInput);
    });
}

/// Filters that change the target and a header.
const BEHIND: [&str; 2] = ["PrefixPath=/v1", "SetRequestHeader=X-Channel, web"];

fn around(bench: &mut Criterion) {
    requests(bench, "around/none", &[]);
    requests(bench, "around/breaker", &["CircuitBreaker=backend"]);
    requests(bench, "around/retry", &["Retry=3"]);
    requests(bench, "around/filters", &BEHIND);
    requests(
        bench,
        "around/breaker-before-filters",
        &[&["CircuitBreaker=backend"], &BEHIND[..]].concat(),
    );
    requests(bench, "around/retry-before-filters", &[&["Retry=3"], &BEHIND[..]].concat());
}

criterion_group!(groups, around);
criterion_main!(groups);
