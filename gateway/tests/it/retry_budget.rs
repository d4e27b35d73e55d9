//! The budget that keeps retries from multiplying an outage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::{Gateway, Reply, Upstream};

const REQUESTS: usize = 3000;
const CLIENTS: usize = 8;

#[test]
fn an_upstream_that_fails_every_other_request_gets_a_fifth_more() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let upstream = Upstream::answering(move |_| {
        let is_bad = counted.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        Reply::new(if is_bad { 503 } else { 200 }, "")
    });
    let gateway = Gateway::with_filters(&upstream, &["Retry=3"]);
    let failed: usize = thread::scope(|scope| {
        let client = || {
            let mut client = gateway.client();
            (0..REQUESTS / CLIENTS).filter(|_| client.send("GET /").status == 503).count()
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    let asked = count.load(Ordering::Relaxed);
    let most = REQUESTS + REQUESTS / 5;
    assert!((REQUESTS + 100..=most).contains(&asked), "{asked} of {most}");
    assert!(failed > REQUESTS / 5, "{failed}");
}
