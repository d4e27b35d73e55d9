//! How long the choice of a route takes.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has no result")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pingora_core::Error;
use pingora_http::RequestHeader;
use tollgate::builder::{RouteBuilder, RouteSpec};
use tollgate_benches::service_path;
use tollgate_filters::{Incoming, RouteTable};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A table of so many routes.
fn table(count: usize, describe: impl Fn(RouteSpec, usize) -> RouteSpec) -> RouteTable {
    let describe = &describe;
    let routes = (0..count).fold(RouteBuilder::new(), |routes, number| {
        routes.route(&format!("route-{number}"), |route| {
            describe(route, number).uri("http://127.0.0.1:80")
        })
    });
    RouteTable::from(routes.build().expect("routes that can be built"))
}

fn request(path: &str, host: &str) -> RequestHeader {
    let build = || {
        let mut head = RequestHeader::build("GET", path.as_bytes(), None)?;
        head.insert_header("Host", host)?;
        head.insert_header("User-Agent", "bench")?;
        head.insert_header("Accept", "application/json")?;
        head.insert_header("X-Tenant", "blue")?;
        Ok::<_, Box<Error>>(head)
    };
    build().expect("a request that can be built")
}

/// Measures the choice for one request after the other, in an order that no cache can guess. The
/// requests themselves are in the cache, as those are that were just read.
fn choice(
    bench: &mut Criterion,
    name: &str,
    table: &RouteTable,
    requests: impl IntoIterator<Item = RequestHeader>,
) {
    let mut requests: Vec<RequestHeader> = requests.into_iter().collect();
    fastrand::Rng::with_seed(1).shuffle(&mut requests);
    let matched = |head| table.find(&Incoming::new(head)).is_ok_and(|at| at.is_some());
    assert!(requests.iter().all(matched), "{name}: a request that no route takes");
    let mut next = requests.iter().cycle();
    bench.bench_function(name, |bencher| {
        bencher.iter_batched_ref(
            || next.next().cloned(),
            |head| head.as_ref().map(|head| table.find(black_box(&Incoming::new(head)))),
            BatchSize::NumIterations(64),
        );
    });
}

/// One path a route, requests over all of them.
fn paths(bench: &mut Criterion) {
    for count in [1, 100, 10_000] {
        let table =
            table(count, |route, number| route.path(&format!("{}/**", service_path(number))));
        let requests =
            (0..count).map(|number| request(&format!("{}/places/42", service_path(number)), "h"));
        choice(bench, &format!("routing/paths/{count}"), &table, requests);
    }
}

/// Paths three segments deep with variables in them.
fn variables(bench: &mut Criterion) {
    let table = table(10_000, |route, number| {
        route.path(&format!("/tenants/{{tenant}}/services/{number}/{{*rest}}"))
    });
    let requests = (0..10_000)
        .map(|number| request(&format!("/tenants/blue/services/{number}/places/42"), "h"));
    choice(bench, "routing/variables/10000", &table, requests);
}

/// Several predicates a route, and four routes a path that differ in what else they ask for.
fn mixes(bench: &mut Criterion) {
    let table = table(10_000, |route, number| {
        let route = route.path(&format!("{}/**", service_path(number / 4)));
        match number % 4 {
            0 => route.method("POST"),
            1 => route.predicate("Header=X-Tenant, green"),
            2 => route.predicate("Query=preview").method("GET"),
            _ => route.method("GET,HEAD").predicate("Header=X-Tenant, b.*"),
        }
    });
    let requests =
        (0..2_500).map(|number| request(&format!("{}/places/42", service_path(number)), "h"));
    choice(bench, "routing/mixes/10000", &table, requests);
}

/// A host a route, all with the same paths.
fn hosts(bench: &mut Criterion) {
    let table = table(10_000, |route, number| {
        route.predicate(&format!("Host=tenant-{number}.example.org")).path("/api/**")
    });
    let requests = (0..10_000)
        .map(|number| request("/api/places/42", &format!("tenant-{number}.example.org")));
    choice(bench, "routing/hosts/10000", &table, requests);
}

criterion_group!(routing, paths, variables, mixes, hosts);
criterion_main!(routing);
