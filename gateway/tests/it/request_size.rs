//! `RequestSize` through the proxy (GF-22, `filters.md` 4.16).

use crate::support::{Gateway, Upstream};

fn limited(upstream: &Upstream) -> Gateway {
    Gateway::start(&format!(
        "default-filters: [{{ name: RequestSize, args: {{ maxSize: 1KB }} }}]\nroutes:\n\
         - {{ id: r, uri: '{}', predicates: [Path=/**], filters: [{{ name: RequestSize, args: {{ maxSize: 1MB }} }}] }}\n",
        upstream.uri()
    ))
}

#[test]
fn gf_22_a_declared_length_above_the_limit_is_refused_before_the_upstream_is_asked() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream);
    let answer = gateway.send(&format!("POST /a\n\n{}", "x".repeat(1025)));
    answer.check_failure(413, "REQUEST_TOO_LARGE");
    let told = "Request size is larger than permissible limit. \
                Request size is 1.0 kB where permissible limit is 1.0 kB";
    assert_eq!(answer.header("errorMessage"), Some(told));
    assert!(upstream.seen().is_empty());
    assert_eq!(gateway.send(&format!("POST /a\n\n{}", "x".repeat(1024))).status, 200);
}

#[test]
fn gf_22_a_body_without_a_length_is_counted() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream);
    let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
    let mut client = gateway.client();
    client.start("POST /short\nTransfer-Encoding: chunked");
    client.write(format!("{chunk}{chunk}0\r\n\r\n"));
    assert_eq!(client.read_answer().status, 200);
    assert_eq!(upstream.last().body.len(), 1024);
    let mut client = gateway.client();
    client.start("POST /long\nTransfer-Encoding: chunked");
    client.write(format!("{chunk}{chunk}{chunk}0\r\n\r\n"));
    let answer = client.read_answer();
    answer.check_failure(413, "REQUEST_TOO_LARGE");
    assert!(answer.header("errorMessage").unwrap().ends_with("permissible limit is 1.0 kB"));
    assert_eq!(gateway.log_of("/long")["code"], "REQUEST_TOO_LARGE");
    assert!(upstream.seen().iter().all(|seen| seen.target() != "/long" || !seen.is_whole));
}
