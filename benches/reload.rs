//! How long a route file takes from its text to a table that can serve.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has no result")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tollgate::config;
use tollgate::snapshot::{Shared, Snapshot};
use tollgate::telemetry::metrics::Metrics;
use tollgate_benches::many_routes;

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn reload(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("reload");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    let backend = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
    let metrics = Metrics::new().expect("metrics");
    let shared = Shared::new(metrics, Arc::new(|_| None));
    for count in [20, 5_000, 10_000] {
        let text = many_routes(count, backend);
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter_with_large_drop(|| {
                let loaded = config::load(&text, "routes.yaml", &|_| None).expect("a fine file");
                Snapshot::new(loaded.routes, loaded.settings, &shared)
            });
        });
    }
    group.finish();
}

criterion_group!(groups, reload);
criterion_main!(groups);
