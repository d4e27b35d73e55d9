//! How units are tested: from the text a route file would have, without a socket.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use http::HeaderMap;
use pingora_http::{RequestHeader, ResponseHeader};
use serde::Deserialize;

use crate::auth::Authenticator;
use crate::auth::testing::Rules;
use crate::{
    AnyFilter, ArgValue, Argument, Entry, Exchange, ExchangeState, Flow, Hook, Incoming,
    MonotonicClock, Parts, Span, UnitSettings, filter, predicate,
};

/// Runs every row of the table at the top of a filter's file.
///
/// The table's title says what its cells are: `route`, then `request` and `upstream sees`
/// ([`check_request`]), `request` and `client sees` ([`check_answer`]), or `upstream answers` and
/// `client sees` ([`check_response`]).
#[track_caller]
pub(crate) fn check_filter_table(source: &str) {
    let title = source.lines().find(|line| line.starts_with("//! | ")).unwrap_or_default();
    for [route, given, seen] in table(source) {
        if title.contains("upstream answers") {
            check_response(&route, &given, &seen);
        } else if title.contains("client sees") {
            check_answer(&route, &with_method(&given), &seen);
        } else {
            check_request(&route, &with_method(&given), &with_method(&seen));
        }
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
/// upstream: the request line, and for each header named all of its values. `-Name` says that a
/// header is not there.
#[track_caller]
pub(crate) fn check_request(shortcut: &str, request: &str, upstream: &str) {
    let (flow, head, _) = run(shortcut, request);
    assert!(matches!(flow, Ok(Flow::Continue)), "{shortcut}: {flow:?}");
    let target = String::from_utf8_lossy(head.raw_path()).into_owned();
    check_lines(shortcut, upstream, &format!("{} {target}", head.method), &head.headers);
}

/// Sends a request through one filter and compares the answer it makes: status and header lines.
#[track_caller]
pub(crate) fn check_answer(shortcut: &str, request: &str, client: &str) {
    let (flow, _, state) = run(shortcut, request);
    let (status, lines) = match flow {
        Ok(Flow::Respond(answer)) => (answer.status, answer.headers),
        Ok(Flow::Refuse(failure)) => (failure.status(), Vec::new()),
        other => panic!("{shortcut}: {other:?}"),
    };
    let mut headers = HeaderMap::new();
    for (field, value) in lines.into_iter().chain(state.pending) {
        headers.append(field.name().clone(), value);
    }
    check_lines(shortcut, client, &status.to_string(), &headers);
}

/// Sends `GET /` through one filter, then the upstream's answer (status, header lines below) back
/// through it, and compares what the client sees.
#[track_caller]
pub(crate) fn check_response(shortcut: &str, upstream: &str, client: &str) {
    let unit = filter(shortcut);
    let mut request = head("GET /");
    let mut state = ExchangeState::default();
    let (authenticator, _) = logged_in();
    let mut exchange =
        Exchange::new(&mut request, &mut state).with_authenticator(Some(&authenticator));
    let flow = ready(unit.on_request(&mut exchange));
    assert!(matches!(flow, Ok(Flow::Continue)), "{shortcut}: {flow:?}");
    let mut lines = upstream.lines();
    let status: u16 = lines.next().unwrap().parse().unwrap();
    let mut response = ResponseHeader::build(status, None).unwrap();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        response.append_header(name.to_owned(), value.trim()).unwrap();
    }
    let outcome = ready(unit.on_response(&mut exchange, &mut response));
    assert_eq!(outcome, Ok(()), "{shortcut}");
    check_lines(shortcut, client, response.status.as_str(), &response.headers);
}

#[track_caller]
fn check_lines(shortcut: &str, expected: &str, first: &str, headers: &HeaderMap) {
    let mut lines = expected.lines();
    assert_eq!(first, lines.next().unwrap(), "{shortcut}");
    let mut wanted: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines {
        let (name, value) = match line.strip_prefix('-') {
            Some(name) => (name, None),
            None => line.split_once(':').map(|(name, value)| (name, Some(value.trim()))).unwrap(),
        };
        match wanted.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.extend(value),
            None => wanted.push((name, value.into_iter().collect())),
        }
    }
    for (name, wanted) in wanted {
        let values: Vec<&str> =
            headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(values, wanted, "{shortcut}: {name}");
    }
}

#[track_caller]
fn ready<T>(hook: Hook<'_, T>) -> Result<T, crate::Failure> {
    match hook {
        Hook::Ready(outcome) => outcome,
        Hook::Wait(later) => now(later),
    }
}

/// The outcome of a future that has nothing to wait for.
#[track_caller]
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}

/// Rules with a session of member 42, and a token of it.
pub(crate) fn logged_in() -> (Authenticator, String) {
    let rules = Rules::new();
    let token = rules.log_in(42);
    (rules.authenticator, token)
}

/// Builds a filter as a Spring file would have it.
#[track_caller]
fn filter(written: &str) -> AnyFilter {
    let mut settings = UnitSettings::spring("test");
    let unit =
        filter::build(&entry(written), &mut settings).unwrap_or_else(|problem| panic!("{problem}"));
    unit.prepare(&parts());
    unit
}

/// Reads a filter in either notation: the shortcut, or `{ name: …, args: { … } }`.
#[track_caller]
pub(crate) fn entry(written: &str) -> Entry {
    #[derive(Deserialize)]
    struct Expanded {
        name: String,
        args: BTreeMap<String, String>,
    }
    let span = Span::default();
    if !written.starts_with('{') {
        return Entry::filter_shortcut(written, span);
    }
    let Expanded { name, args } = serde_yaml::from_str(written).unwrap();
    let argument = |(key, value)| Argument { key: Some(key), value: ArgValue::Text(value), span };
    Entry { name, arguments: args.into_iter().map(argument).collect(), span }
}

/// What filters share, at a time that does not go on.
pub(crate) fn parts() -> Parts {
    #[expect(clippy::disallowed_methods, reason = "any instant to count from")]
    let began = Instant::now();
    let clock: MonotonicClock = Arc::new(move || began);
    Parts::in_process(clock, || 0.5)
}

/// Sends a request through one filter and gives what came of it.
#[track_caller]
pub(crate) fn run(
    shortcut: &str,
    request: &str,
) -> (Result<Flow, crate::Failure>, RequestHeader, ExchangeState) {
    let unit = filter(shortcut);
    let (authenticator, token) = logged_in();
    let mut head = head(&request.replace("{token}", &token));
    let mut state = ExchangeState::default();
    let mut exchange =
        Exchange::new(&mut head, &mut state).with_authenticator(Some(&authenticator));
    let flow = ready(unit.on_request(&mut exchange));
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
    let entry = entry(shortcut);
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
