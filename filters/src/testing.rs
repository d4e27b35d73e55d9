//! How units are tested: from the text a route file would have, without a socket.

use std::borrow::Cow;

use pingora_http::RequestHeader;

use crate::{
    Entry, Exchange, ExchangeState, Flow, Hook, Incoming, Span, UnitSettings, filter, predicate,
};

/// Runs every row of the table at the top of a filter's file through [`check_request`].
#[track_caller]
pub(crate) fn check_filter_table(source: &str) {
    for [route, request, upstream] in table(source) {
        check_request(&route, &with_method(&request), &with_method(&upstream));
    }
}

/// Runs every row of the table at the top of a predicate's file through [`check_match`].
#[track_caller]
pub(crate) fn check_predicate_table(source: &str) {
    for [predicate, request, expected] in table(source) {
        check_match(&predicate, &with_method(&request), expected == "yes");
    }
}

/// The rows of the table in a file's header: three cells, each in back-ticks. A `⏎` starts a header
/// line.
fn table(source: &str) -> Vec<[String; 3]> {
    let rows: Vec<[String; 3]> = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .filter_map(|row| {
            let mut cells = row.split('`').step_by(2).map(|cell| cell.replace(" ⏎ ", "\n"));
            Some([cells.next()?, cells.next()?, cells.next()?])
        })
        .collect();
    assert!(!rows.is_empty(), "no table");
    rows
}

fn with_method(text: &str) -> Cow<'_, str> {
    if text.starts_with('/') { Cow::Owned(format!("GET {text}")) } else { Cow::Borrowed(text) }
}

/// Sends a request (`GET /path`, header lines below) through one filter and compares what goes
/// upstream: the request line, and for each header line named its values.
#[track_caller]
pub(crate) fn check_request(shortcut: &str, request: &str, upstream: &str) {
    let (flow, head, _) = run(shortcut, request);
    assert!(matches!(flow, Ok(Flow::Continue)), "{shortcut}: {flow:?}");
    let mut lines = upstream.lines();
    let target = String::from_utf8_lossy(head.raw_path()).into_owned();
    assert_eq!(format!("{} {target}", head.method), lines.next().unwrap(), "{shortcut}");
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let values: Vec<&str> =
            head.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        assert!(values.contains(&value.trim()), "{shortcut}: {name} is {values:?}");
    }
}

/// Sends a request through one filter and gives what came of it.
#[track_caller]
pub(crate) fn run(
    shortcut: &str,
    request: &str,
) -> (Result<Flow, crate::Failure>, RequestHeader, ExchangeState) {
    let mut settings = UnitSettings::spring("test");
    let unit = filter::build(&Entry::filter_shortcut(shortcut, Span::default()), &mut settings)
        .unwrap_or_else(|problem| panic!("{problem}"));
    let mut head = head(request);
    let mut state = ExchangeState::default();
    let flow = match unit.on_request(&mut Exchange::new(&mut head, &mut state)) {
        Hook::Ready(flow) => flow,
        Hook::Wait(_) => panic!("{shortcut} waits"),
    };
    (flow, head, state)
}

/// Asserts whether a request (`GET /path`, header lines below) meets a predicate.
#[track_caller]
pub(crate) fn check_match(shortcut: &str, request: &str, expected: bool) {
    let mut settings = UnitSettings::spring("test");
    let entry = Entry::predicate_shortcut(shortcut, Span::default()).unwrap();
    let unit = predicate::build(&entry, &mut settings).unwrap_or_else(|error| panic!("{error}"));
    let head = head(request);
    assert_eq!(unit.matches(&Incoming::new(&head)), Ok(expected), "{shortcut} on {request}");
}

/// Asserts that a native file with this filter or predicate is refused with `message`.
#[track_caller]
pub(crate) fn check_invalid(shortcut: &str, message: &str) {
    let entry = Entry::filter_shortcut(shortcut, Span::default());
    let mut settings = UnitSettings::native("test");
    let known_filter = filter::ALL.iter().any(|known| known.name() == entry.name);
    let problem = if known_filter {
        filter::build(&entry, &mut settings).map(drop).unwrap_err()
    } else {
        predicate::build(&entry, &mut settings).map(drop).unwrap_err()
    };
    assert!(problem.message.contains(message), "{problem}");
}

/// Reads a request head: `GET /path` and header lines.
pub(crate) fn head(text: &str) -> RequestHeader {
    let mut lines = text.lines();
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut head = RequestHeader::build(method, target.as_bytes(), None).unwrap();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        head.append_header(name.to_owned(), value.trim()).unwrap();
    }
    head
}
