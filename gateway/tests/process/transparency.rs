//! Bytes in are bytes out: a route without filters changes nothing that is not the connection's.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tokio::runtime::Runtime;
use tokio::time::{interval, timeout};

use crate::http1::{Connection, Message};
use crate::poll::SOON;
use crate::process::Process;
use crate::upstream::Upstream;
use crate::{measured, now, turn};

/// How a body is framed, and in which pieces it is chunked.
#[derive(Debug, Clone)]
enum Framing {
    None,
    Sized,
    Chunked(Vec<usize>),
    /// Only answers: the end of the connection is the end of the body.
    UntilClose,
}

/// A message that is made up.
#[derive(Debug, Clone)]
struct Made {
    start: String,
    headers: Lines,
    framing: Framing,
    body: Vec<u8>,
}

impl Made {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.start).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        match &self.framing {
            Framing::None => bytes.extend_from_slice(b"\r\n"),
            Framing::UntilClose => {
                bytes.extend_from_slice(b"Connection: close\r\n\r\n");
                bytes.extend_from_slice(&self.body);
            }
            Framing::Sized => {
                let line = format!("Content-Length: {}\r\n\r\n", self.body.len());
                bytes.extend_from_slice(line.as_bytes());
                bytes.extend_from_slice(&self.body);
            }
            Framing::Chunked(sizes) => {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                let mut rest = self.body.as_slice();
                let mut sizes = sizes.iter().cycle();
                while !rest.is_empty() {
                    let size = sizes.next().map_or(rest.len(), |size| (*size).min(rest.len()));
                    let (chunk, after) = rest.split_at(size);
                    bytes.extend_from_slice(format!("{size:x}\r\n").as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                    rest = after;
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        bytes
    }
}

fn methods() -> impl Strategy<Value = &'static str> {
    select(
        &["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "M-SEARCH", "get", "X"][..],
    )
}

/// What a target may have and the gateway must not touch.
fn targets() -> impl Strategy<Value = String> {
    const PATH: &[&str] = &[
        "/", "/", "//", "a", "B", "7", "-", "_", "~", "%2F", "%2f", "%20", "%25", "%C3%A9", "%5C",
        ";x=1", ";", "=", ":", "@", "!", "$", "&", "'", "(", ")", "*", "+", ",", "x.y", "..a",
        "a..",
    ];
    const QUERY: &[&str] = &[
        "a", "a=1", "&", "&&", "=", "a=1", "a=2", "+", "%20", "%2B", "%26", "?", "/", "//", "../",
        ":", "@", ";", "[x]", "'", "%C3%A9", "A=b", "!", "$", "*", "(", ")", ",", "~", "-._",
    ];
    let path = vec(select(PATH), 0..12).prop_map(|parts| format!("/{}", parts.concat()));
    let query = proptest::option::of(vec(select(QUERY), 0..12).prop_map(|parts| parts.concat()));
    (path, query).prop_filter_map("a segment of dots only is refused", |(path, query)| {
        let dots = path.replace("%2F", "/").replace("%2f", "/").replace("%5C", "/");
        let is_dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
        (!dots.split('/').any(is_dots)).then(|| match query {
            Some(query) => format!("{path}?{query}"),
            None => path,
        })
    })
}

fn names() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "Accept",
        "accept",
        "ACCEPT-language",
        "User-Agent",
        "user-AGENT",
        "Cookie",
        "Set-Cookie",
        "X-Custom",
        "x-custom",
        "X-CUSTOM",
        "ETag",
        "Cache-Control",
        "Vary",
        "Authorization",
        "Link",
        "Date",
        "Server",
        "Via",
        "Content-Type",
        "content-ENCODING",
        "If-Match",
        "Range",
        "Location",
        "traceparent",
        "Origin",
        "X-Request-Id",
        "Age",
        "Warning",
        "WWW-Authenticate",
        "x_under",
    ];
    prop_oneof![
        3 => select(KNOWN).prop_map(str::to_owned),
        1 => "[xXyY][-!#$%&'*+.^_`|~0-9A-Za-z]{1,20}",
    ]
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    let inner =
        prop_oneof![8 => 0x21u8..0x7f, 1 => Just(b' '), 1 => Just(b'\t'), 2 => 0x80u8..=0xff];
    vec(inner, 0..40).prop_map(|value| value.trim_ascii().to_vec())
}

fn headers() -> impl Strategy<Value = Lines> {
    let header = (names(), values()).prop_filter("kept for the gateway", |(name, _)| {
        let name = name.to_ascii_lowercase();
        !is_of_the_connection(&name) && name != "x-application-context"
    });
    vec(header, 0..14)
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let large = |sizes: std::ops::Range<usize>| {
        (sizes, any::<u8>()).prop_map(|(size, first)| {
            (0..size).map(|at| u8::try_from(at % 253).unwrap_or(0) ^ first).collect::<Vec<u8>>()
        })
    };
    prop_oneof![
        20 => vec(any::<u8>(), 0..60),
        8 => large(60..70_000),
        1 => large((1 << 20)..(10 << 20)),
    ]
}

fn framings() -> impl Strategy<Value = Framing> {
    let sizes = prop_oneof![vec(1usize..9, 1..4), vec(1usize..100_000, 1..4)];
    prop_oneof![Just(Framing::None), Just(Framing::Sized), sizes.prop_map(Framing::Chunked)]
}

/// Small chunks of a large body are only slow.
fn made((start, headers, framing, body): (String, Lines, Framing, Vec<u8>)) -> Made {
    let framing = match framing {
        Framing::Chunked(sizes) if body.len() > 70_000 => {
            Framing::Chunked(sizes.iter().map(|size| size * 1000).collect())
        }
        other @ (Framing::None | Framing::Sized | Framing::Chunked(_) | Framing::UntilClose) => {
            other
        }
    };
    let body = if matches!(framing, Framing::None) { Vec::new() } else { body };
    Made { start, headers, framing, body }
}

fn requests() -> impl Strategy<Value = Made> {
    let start =
        (methods(), targets()).prop_map(|(method, target)| format!("{method} {target} HTTP/1.1"));
    (start, headers(), framings(), bodies()).prop_map(|mut parts| {
        parts.1.insert(parts.1.len() / 2, ("Host".to_owned(), b"test".to_vec()));
        made(parts)
    })
}

fn answers() -> impl Strategy<Value = Made> {
    let start = select(
        &[
            "200 OK",
            "200 Fine by me",
            "201 Created",
            "202 ",
            "204 No Content",
            "206 Partial Content",
            "299 Own",
            "301 Moved Permanently",
            "304 Not Modified",
            "400 Bad Request",
            "404 Not Found",
            "418 I'm a teapot",
            "500 Internal Server Error",
            "503 Service Unavailable",
            "599 Own",
        ][..],
    );
    let framing = prop_oneof![8 => framings(), 1 => Just(Framing::UntilClose)];
    (start, headers(), framing, bodies()).prop_map(|(start, headers, framing, body)| {
        let is_empty = start.starts_with("204") || start.starts_with("304");
        let framing = match framing {
            _ if is_empty => Framing::None,
            // An answer without framing would end with the connection.
            Framing::None => Framing::Sized,
            other @ (Framing::Sized | Framing::Chunked(_) | Framing::UntilClose) => other,
        };
        made((format!("HTTP/1.1 {start}"), headers, framing, body))
    })
}

/// What ends at the gateway, or is its own to write.
fn is_of_the_connection(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "content-length"
            | "forwarded"
            | "host"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    ) || name.starts_with("x-forwarded-")
}

/// Spellings and values in their order.
type Lines = Vec<(String, Vec<u8>)>;

/// The end-to-end headers by name.
fn end_to_end<'h>(
    headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>,
) -> BTreeMap<String, Lines> {
    let mut by_name: BTreeMap<_, Lines> = BTreeMap::new();
    for (name, value) in headers {
        let name = String::from_utf8_lossy(name).into_owned();
        let key = name.to_ascii_lowercase();
        if !is_of_the_connection(&key) {
            by_name.entry(key).or_default().push((name, value.to_vec()));
        }
    }
    by_name
}

fn sent(made: &Made) -> BTreeMap<String, Lines> {
    end_to_end(made.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())))
}

fn got(message: &Message) -> BTreeMap<String, Lines> {
    end_to_end(message.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())))
}

/// A gateway with one route without filters, and an upstream that answers what it is told.
struct World {
    runtime: Runtime,
    process: Process,
    _upstream: Upstream,
    next: Arc<Mutex<Vec<u8>>>,
    seen: Arc<Mutex<Option<Message>>>,
    client: Option<Connection>,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let (next, seen) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<Mutex<_>>::default());
        let (process, upstream) = runtime.block_on(async {
            let (next, seen) = (Arc::clone(&next), Arc::clone(&seen));
            let upstream = Upstream::start(move |mut connection| {
                let (next, seen) = (Arc::clone(&next), Arc::clone(&seen));
                async move {
                    while let Ok(Some(request)) = connection.request().await {
                        *seen.lock().unwrap() = Some(request);
                        let answer = next.lock().unwrap().clone();
                        let is_last = String::from_utf8_lossy(&answer).contains("\r\nConnection: close\r\n");
                        if connection.send(answer).await.is_err() || is_last {
                            return;
                        }
                    }
                }
            })
            .await;
            let process = Process::start(&format!(
                "access-log: {{ output: off }}\nroutes:\n- id: all\n  uri: {}\n  predicates: [Path=/**]\n",
                upstream.uri()
            ))
            .await;
            (process, upstream)
        });
        Self { runtime, process, _upstream: upstream, next, seen, client: None }
    }

    /// Sends a request, whole or in pieces, and compares both ends.
    fn exchange(
        &mut self,
        request: &Made,
        answer: &Made,
        pieces: Option<usize>,
    ) -> Result<(), TestCaseError> {
        *self.next.lock().unwrap() = answer.bytes();
        *self.seen.lock().unwrap() = None;
        let kept = self.client.take();
        let address = self.process.address();
        let bytes = request.bytes();
        let outcome = self.runtime.block_on(async {
            let exchange = async {
                let mut client = match kept {
                    Some(client) => client,
                    None => Connection::to(address).await?,
                };
                if let Some(at) = pieces {
                    let (first, second) = bytes.split_at(at);
                    client.send(first).await?;
                    let mut ticks = interval(Duration::from_millis(1));
                    ticks.tick().await;
                    ticks.tick().await;
                    client.send(second).await?;
                } else {
                    client.send(&bytes).await?;
                }
                let answer = client.answer().await?;
                std::io::Result::Ok((client, answer))
            };
            timeout(SOON, exchange).await
        });
        let (client, arrived) = outcome
            .map_err(|_| TestCaseError::fail("no answer in time"))?
            .map_err(|error| TestCaseError::fail(format!("no answer: {error}")))?;
        if !arrived.says_close() {
            self.client = Some(client);
        }
        let seen = self.seen.lock().unwrap().take();
        let Some(seen) = seen else {
            return Err(TestCaseError::fail(format!(
                "nothing reached the upstream: {}",
                arrived.text()
            )));
        };
        prop_assert_eq!(String::from_utf8_lossy(&seen.start), request.start.as_str());
        prop_assert_eq!(got(&seen), sent(request));
        prop_assert!(seen.body == request.body, "another body reached the upstream");
        prop_assert_eq!(String::from_utf8_lossy(&arrived.start), answer.start.as_str());
        let (mut arrived_headers, mut sent_headers) = (got(&arrived), sent(answer));
        // The framework writes the date of an answer itself, whatever the upstream's was.
        prop_assert_eq!(arrived_headers.remove("date").map(|dates| dates.len()), Some(1));
        sent_headers.remove("date");
        prop_assert_eq!(arrived_headers, sent_headers);
        prop_assert!(arrived.body == answer.body, "another body reached the client");
        Ok(())
    }
}

#[test]
fn a_route_without_filters_changes_no_byte() {
    let _turn = turn::alone();
    let world = Mutex::new(World::new());
    let seed: Vec<u8> =
        (0..4).flat_map(|_| RandomState::new().build_hasher().finish().to_le_bytes()).collect();
    measured("seed", &seed);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let config = Config {
        cases: 400,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let begin = now();
    let outcome = TestRunner::new_with_rng(config, rng)
        .run(&(requests(), answers()), |(request, answer)| {
            world.lock().unwrap().exchange(&request, &answer, None)
        });
    measured("400 exchanges", begin.elapsed());
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn a_request_may_be_split_anywhere() {
    let _turn = turn::alone();
    let mut world = World::new();
    let plain = |framing, body: &[u8]| Made {
        start: "POST /a;x=1/%2F?b=c&b HTTP/1.1".to_owned(),
        headers: vec![
            ("hOst".to_owned(), b"test".to_vec()),
            ("X-a".to_owned(), b"1\xff2".to_vec()),
            ("x-A".to_owned(), b"".to_vec()),
        ],
        framing,
        body: body.to_vec(),
    };
    let answer = Made {
        start: "HTTP/1.1 200 OK".to_owned(),
        headers: vec![("x-b".to_owned(), b"2".to_vec())],
        framing: Framing::Chunked(vec![3]),
        body: b"answer".to_vec(),
    };
    let mut count = 0;
    for request in [
        plain(Framing::Sized, b"some bytes"),
        plain(Framing::Chunked(vec![4, 1, 12]), b"some bytes in chunks"),
        plain(Framing::None, b""),
    ] {
        for at in 1..request.bytes().len() {
            if let Err(error) = world.exchange(&request, &answer, Some(at)) {
                panic!("split at {at}: {error}");
            }
            count += 1;
        }
    }
    measured("splits", count);
}

/// Headers that `Connection` lists belong to the connection.
#[test]
fn what_connection_lists_stays_at_the_gateway() {
    let _turn = turn::beside_others();
    let mut world = World::new();
    let request = Made {
        start: "GET / HTTP/1.1".to_owned(),
        headers: vec![
            ("Host".to_owned(), b"test".to_vec()),
            ("Connection".to_owned(), b"keep-alive, X-Listed".to_vec()),
            ("x-listed".to_owned(), b"1".to_vec()),
            ("Keep-Alive".to_owned(), b"timeout=5".to_vec()),
            ("TE".to_owned(), b"trailers".to_vec()),
            ("X-Kept".to_owned(), b"1".to_vec()),
        ],
        framing: Framing::None,
        body: Vec::new(),
    };
    let answer = Made {
        start: "HTTP/1.1 200 OK".to_owned(),
        headers: vec![
            ("Connection".to_owned(), b"X-Listed".to_vec()),
            ("X-Listed".to_owned(), b"1".to_vec()),
            ("Keep-Alive".to_owned(), b"timeout=5".to_vec()),
            ("X-Kept".to_owned(), b"1".to_vec()),
        ],
        framing: Framing::Sized,
        body: b"ok".to_vec(),
    };
    *world.next.lock().unwrap() = answer.bytes();
    let bytes = request.bytes();
    let arrived = world.runtime.block_on(async {
        let mut client = Connection::to(world.process.address()).await.expect("a connection");
        client.send(bytes).await.expect("a gateway");
        client.answer().await.expect("an answer")
    });
    let seen = world.seen.lock().unwrap().take().expect("a request");
    for message in [&seen, &arrived] {
        assert_eq!(message.header("x-kept").as_deref(), Some("1"), "{message:?}");
        for name in ["x-listed", "keep-alive", "te"] {
            assert_eq!(message.header(name), None, "{message:?}");
        }
    }
    world.client = None;
}
