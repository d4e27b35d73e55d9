//! The route index gives what asking every route gives.

#![cfg(test)]

use http::Method;
use pingora_http::RequestHeader;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tollgate_filters::{
    Chain, Entry, Incoming, Route, RouteTable, Span, Target, UnitSettings, predicate,
};

/// Tables in one run, and requests sent to each: 120,000 pairs.
const TABLES: u32 = 2_000;
const REQUESTS: usize = 60;

/// Few names, so that routes overlap and requests hit them.
fn segment() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c", "a b", "é", "a.b"]).prop_map(str::to_owned)
}

fn pattern_segment() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => segment(),
        1 => Just("*".to_owned()),
        1 => Just("{x}".to_owned()),
        1 => Just("{x:[a-b]+}".to_owned()),
        1 => Just("a*".to_owned()),
        1 => Just("?".to_owned()),
        1 => Just("v{n}".to_owned()),
        1 => Just(String::new()),
    ]
}

fn path_pattern() -> impl Strategy<Value = String> {
    let end = select(vec!["", "", "/", "/**", "/{*rest}"]);
    let start = select(vec!["", "", "", "/**", "x"]);
    (start, vec(pattern_segment(), 0..4), end).prop_map(|(start, segments, end)| {
        let middle: String = segments.iter().flat_map(|segment| ["/", segment]).collect();
        format!("{start}{middle}{end}")
    })
}

fn host_pattern() -> impl Strategy<Value = String> {
    let piece = select(vec!["a", "b", "*", "**", "{h}", "w*", "org", "org:80"]);
    vec(piece, 1..4).prop_map(|pieces| pieces.join("."))
}

fn predicate_text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => vec(path_pattern(), 1..3).prop_map(|patterns| format!("Path={}", patterns.join(","))),
        1 => path_pattern().prop_map(|pattern| format!("Path={pattern},true")),
        2 => vec(host_pattern(), 1..3).prop_map(|patterns| format!("Host={}", patterns.join(","))),
        2 => select(vec!["Method=GET", "Method=GET,POST", "Method=", "Method=PURGE"])
            .prop_map(str::to_owned),
        1 => Just("Header=X-A".to_owned()),
    ]
}

fn route(at: usize, order: i32, predicates: &[String]) -> Option<Route> {
    let id = format!("r{at}");
    let mut settings = UnitSettings::spring(&id);
    let predicates = predicates
        .iter()
        .map(|text| {
            let entry = Entry::predicate_shortcut(text, Span::default()).ok()?;
            predicate::build(&entry, &mut settings).ok()
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Route {
        id: id.as_str().into(),
        order,
        target: Target::parse("http://up", true).ok()?,
        predicates: predicates.into(),
        chain: Chain::default(),
        metadata: Vec::new(),
        source: None,
    })
}

fn table() -> impl Strategy<Value = RouteTable> {
    let one = (-1..=1_i32, vec(predicate_text(), 0..3));
    vec(one, 0..12).prop_map(|routes| {
        let built = routes.iter().enumerate();
        let routes = built.filter_map(|(at, (order, texts))| route(at, *order, texts));
        RouteTable::from(routes.collect::<Vec<Route>>())
    })
}

fn request_segment() -> impl Strategy<Value = String> {
    let odd = vec!["", "%61", "a%20b", "%C3%A9", "a;m=1", ";m=1", "%2F", "v1", "ab", "d", "a.b"];
    prop_oneof![4 => select(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]),
        3 => select(odd).prop_map(str::to_owned)]
}

fn request() -> impl Strategy<Value = RequestHeader> {
    let path = vec(request_segment(), 0..5).prop_map(|segments| format!("/{}", segments.join("/")));
    let target =
        prop_oneof![12 => path, 1 => Just("*".to_owned()), 1 => Just("http://h".to_owned())];
    let host = proptest::option::of(select(vec![
        "a.org",
        "b.a.org",
        "www.a.org:80",
        "org",
        "a..org",
        ".a.org",
        "a.org.",
        "x.y.z.org",
    ]));
    let method = select(vec!["GET", "POST", "PURGE", "get"]);
    (method, target, host, any::<bool>()).prop_map(|(method, target, host, header)| {
        let mut head = RequestHeader::build(Method::GET, target.as_bytes(), None).unwrap();
        head.set_method(Method::from_bytes(method.as_bytes()).unwrap());
        if let Some(host) = host {
            head.append_header("Host", host).unwrap();
        }
        if header {
            head.append_header("X-A", "1").unwrap();
        }
        head
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: TABLES, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_the_walk_finds(
        table in table(),
        requests in vec(request(), REQUESTS),
    ) {
        for head in &requests {
            let incoming = Incoming::new(head);
            prop_assert_eq!(
                table.find(&incoming).map_err(|failure| failure.code()),
                table.find_without_index(&incoming).map_err(|failure| failure.code()),
                "{} {:?} {:?}", head.method, String::from_utf8_lossy(head.raw_path()), incoming.host()
            );
        }
    }
}
