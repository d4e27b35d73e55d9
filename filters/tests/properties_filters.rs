//! Properties of filters, through the public API.

#![cfg(test)]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use pingora_http::{RequestHeader, ResponseHeader};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tollgate_filters::{
    AnyFilter, ArgValue, Argument, Entry, Exchange, ExchangeState, Failure, Filter, Flow, Hook,
    Span, UnitSettings, filter,
};

/// What means something in a template, a replacement, a query or a URI.
const PIECES: [&str; 36] = [
    "/",
    "//",
    "a",
    "b",
    "{",
    "}",
    "{a}",
    "{b}",
    "{a:x}",
    "{nope}",
    ":",
    "%",
    "%2",
    "%20",
    "%zz",
    "?",
    "#",
    "&",
    "=",
    "+",
    " ",
    "é",
    "\u{a0}",
    "\u{0}",
    "\n",
    "[",
    "]",
    "\\",
    "$1",
    "${a}",
    ".",
    "*",
    "(",
    ")",
    "http:",
    "\u{1F980}",
];

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![vec(select(&PIECES[..]), 0..8).prop_map(|pieces| pieces.concat()), any::<String>()]
}

/// A path without empty segments, without a slash at its end.
fn normal_paths() -> impl Strategy<Value = String> {
    vec("[a-z0-9~%]{1,4}".prop_map(|segment| segment.replace('%', "%2F")), 1..6)
        .prop_map(|segments| format!("/{}", segments.join("/")))
}

/// A target that a client may send.
fn targets() -> impl Strategy<Value = String> {
    let pieces = ["/", "//", "a", "%20", "%C3%A9", "%FF", ";x=1", ":", "@", "+", "'"];
    let query = ["a", "b", "=", "&", "&&", "%20", "%26", "+", "[", "]", "/", "?", ","];
    let path =
        vec(select(pieces.to_vec()), 0..6).prop_map(|pieces| format!("/{}", pieces.concat()));
    let query = vec(select(query.to_vec()), 0..8).prop_map(|pieces| pieces.concat());
    (path, proptest::option::of(query)).prop_map(|(path, query)| match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    })
}

/// A query whose parameters of one name stand together.
fn grouped_queries() -> impl Strategy<Value = String> {
    let parameter = |name: &'static str| {
        let value = proptest::option::of("[a-z0-9+=,/]{0,3}");
        vec(value, 0..3).prop_map(move |values| {
            let one = |value: Option<String>| match value {
                Some(value) => format!("{name}={value}"),
                None => name.to_owned(),
            };
            values.into_iter().map(one).collect::<Vec<_>>()
        })
    };
    (parameter("a"), parameter("b"), parameter("c"))
        .prop_map(|(a, b, c)| [a, b, c].concat().join("&"))
}

fn entry(name: &str, arguments: &[&str]) -> Entry {
    let arguments = arguments
        .iter()
        .map(|text| Argument {
            key: None,
            value: ArgValue::Text((*text).to_owned()),
            span: Span::default(),
        })
        .collect();
    Entry { name: name.to_owned(), arguments, span: Span::default() }
}

fn spring(name: &str, arguments: &[&str]) -> Option<AnyFilter> {
    filter::build(&entry(name, arguments), &mut UnitSettings::spring("r")).ok()
}

fn ready<T>(hook: Hook<'_, T>) -> Result<T, Failure> {
    match hook {
        Hook::Ready(outcome) => outcome,
        // Without login tokens nothing waits for long: what needs them fails.
        Hook::Wait(later) => match pin!(later).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("the filter waits"),
        },
    }
}

/// Sends a request with the variables `a` and `b` through a filter, there and back.
fn send(unit: &dyn Filter, target: &str, values: [&str; 2]) -> Result<Option<String>, Failure> {
    let mut head = RequestHeader::build("GET", target.as_bytes(), None).unwrap();
    let mut state = ExchangeState::default();
    state.variables.set(&"a".into(), values[0]);
    state.variables.set(&"b".into(), values[1]);
    let mut exchange = Exchange::new(&mut head, &mut state);
    if let Flow::Respond(_) = ready(unit.on_request(&mut exchange))? {
        return Ok(None);
    }
    let mut response = ResponseHeader::build(200, None).unwrap();
    ready(unit.on_response(&mut exchange, &mut response))?;
    Ok(Some(String::from_utf8(head.raw_path().to_vec()).unwrap()))
}

fn sent(name: &str, arguments: &[&str], target: &str) -> String {
    send(&*spring(name, arguments).unwrap(), target, ["", ""]).unwrap().unwrap()
}

/// Whether a request line may hold this target.
fn is_legal(target: &str) -> bool {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let legal = |text: &str, more: &str| {
        text.chars().all(|next| {
            next.is_ascii_alphanumeric()
                || "-._~!$&'()*+,;=:@/%".contains(next)
                || more.contains(next)
        })
    };
    let escapes = target.match_indices('%').all(|(at, _)| {
        let digits = target.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    path.starts_with('/') && legal(path, "") && legal(query, "?[]") && escapes
}

proptest! {
    #[test]
    fn what_leaves_a_filter_is_a_target(
        at in 0..filter::ALL.len(),
        arguments in vec(texts(), 0..3),
        target in targets(),
        values in [texts(), texts()],
    ) {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let values = [values[0].as_str(), values[1].as_str()];
        if let Some(unit) = spring(filter::ALL[at].name(), &arguments)
            && let Ok(Some(target)) = send(&*unit, &target, values)
        {
            prop_assert!(is_legal(&target), "{unit}: {target}");
        }
    }

    #[test]
    fn a_path_template_that_native_files_take_never_fails(
        template in texts(),
        target in targets(),
        values in [texts(), texts()],
    ) {
        let variables = ["a".to_owned(), "b".to_owned()];
        let mut settings = UnitSettings { variables: &variables, ..UnitSettings::native("r") };
        let template = format!("/{template}");
        let unit = filter::build(&entry("PrefixPath", &[&template]), &mut settings);
        if let Ok(unit) = unit {
            prop_assert!(send(&*unit, &target, [&values[0], &values[1]]).is_ok(), "{unit}");
        }
    }

    #[test]
    fn a_path_variable_arrives_as_it_was_captured(value in texts()) {
        let unit = spring("SetPath", &["/{a}"]).unwrap();
        let target = send(&*unit, "/", [&value, ""]).unwrap().unwrap();
        let decoded = percent_encoding::percent_decode_str(target.get(1..).unwrap()).decode_utf8().unwrap();
        prop_assert_eq!(decoded, value);
    }

    #[test]
    fn a_grouped_query_stays_as_it_is(query in grouped_queries()) {
        let target = sent("AddRequestParameter", &["z", "1"], &format!("/p?{query}"));
        let seam = if query.is_empty() { "" } else { "&" };
        prop_assert_eq!(target, format!("/p?{query}{seam}z=1"));
    }

    #[test]
    fn a_query_is_normal_after_one_removal(target in targets()) {
        let once = sent("RemoveRequestParameter", &["a"], &target);
        prop_assert_eq!(&sent("RemoveRequestParameter", &["a"], &once), &once);
    }

    #[test]
    fn removing_a_parameter_leaves_the_path(target in targets()) {
        let after = sent("RemoveRequestParameter", &["a"], &target);
        let path = |target: &str| target.split('?').next().unwrap().to_owned();
        prop_assert_eq!(path(&after), path(&target));
    }

    #[test]
    fn stripping_nothing_from_a_normal_path_changes_nothing(path in normal_paths()) {
        prop_assert_eq!(sent("StripPrefix", &["0"], &path), path);
    }

    #[test]
    fn stripping_adds_up(target in targets(), first in 0..4_i32, second in 0..4_i32) {
        let [one, other, both] = [first, second, first + second].map(|parts: i32| parts.to_string());
        let twice = sent("StripPrefix", &[&other], &sent("StripPrefix", &[&one], &target));
        prop_assert_eq!(twice, sent("StripPrefix", &[&both], &target));
    }

    #[test]
    fn a_prefix_can_be_stripped_again(path in normal_paths()) {
        let longer = sent("PrefixPath", &["/v 1"], &path);
        prop_assert_eq!(sent("StripPrefix", &["1"], &longer), path);
    }

    #[test]
    fn path_filters_leave_the_query(target in targets()) {
        let query = |target: &str| target.split_once('?').map(|(_, query)| query.to_owned());
        for (name, argument) in [("PrefixPath", "/v1"), ("StripPrefix", "1"), ("SetPath", "/x")] {
            prop_assert_eq!(query(&sent(name, &[argument], &target)), query(&target));
        }
    }
}
