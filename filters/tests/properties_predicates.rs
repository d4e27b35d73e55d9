//! What holds for every input of the predicates, the route target and the weight groups.

#![expect(
    clippy::unwrap_used,
    clippy::tests_outside_test_module,
    reason = "a test program, all of which is tests"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use pingora_http::RequestHeader;
use proptest::prelude::*;
use tollgate_filters::{
    ArgValue, Argument, Entry, Incoming, Invalid, Predicate, Span, Target, TargetKind,
    UnitSettings, WeightTable, predicate,
};

/// A predicate of a Spring file in the expanded notation.
fn build(name: &str, arguments: &[(&str, &str)]) -> Result<Box<dyn Predicate>, Invalid> {
    let span = Span::default();
    let arguments = arguments
        .iter()
        .map(|(key, value)| Argument {
            key: Some((*key).to_owned()),
            value: ArgValue::Text((*value).to_owned()),
            span,
        })
        .collect();
    let entry = Entry { name: name.to_owned(), arguments, span };
    predicate::build(&entry, &mut UnitSettings::spring("r"))
}

fn matches(unit: &dyn Predicate, head: &RequestHeader) -> bool {
    unit.matches(&Incoming::new(head)).unwrap()
}

fn with_header(name: &str, value: &[u8]) -> RequestHeader {
    let mut head = RequestHeader::build("GET", b"/", None).unwrap();
    let value = http::HeaderValue::from_bytes(value).unwrap();
    head.append_header(name.to_owned(), value).unwrap();
    head
}

/// Bytes that may stand in a header line, with a liking for those that mean something.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let meaningful = prop::sample::select(b"\",;=\\ \t$ab".to_vec());
    let any = prop_oneof![0x20..=0x7e_u8, 0x80..=0xff_u8];
    prop::collection::vec(prop_oneof![3 => meaningful, 1 => any], 0..40)
}

/// A pattern that matches this text only.
fn exactly(text: &str) -> String {
    text.chars().fold("()".to_owned(), |pattern, c| format!("{pattern}\\x{{{:x}}}", u32::from(c)))
}

/// The values of a header line by the letter of the reference: one character at a time.
fn values_by_the_letter(line: &str) -> Vec<String> {
    let mut rest = line.chars().peekable();
    let (mut values, mut value) = (Vec::new(), String::new());
    let (mut is_quoted, mut trims) = (false, true);
    let end = |value: &mut String, trims: bool| {
        let taken = std::mem::take(value);
        if trims { taken.trim_matches([' ', '\t']).to_owned() } else { taken }
    };
    while let Some(next) = rest.next() {
        if next == '"' {
            if value.is_empty() {
                is_quoted = true;
            } else if is_quoted {
                is_quoted = false;
                trims = false;
            } else {
                value.push(next);
            }
        } else if next == '\\' && is_quoted && rest.peek().is_some() {
            value.extend(rest.next());
        } else if next == ',' && !is_quoted {
            values.push(end(&mut value, trims));
            trims = false;
        } else if is_quoted || (!value.is_empty() && trims) || !matches!(next, ' ' | '\t') {
            value.push(next);
        }
    }
    values.push(end(&mut value, trims));
    values.retain(|value| !value.is_empty());
    values
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_time_or_refused(text in ".*") {
        if let Ok(unit) = build("After", &[("datetime", &text)]) {
            prop_assert!(unit.to_string().starts_with("After: "));
        }
    }

    #[test]
    fn a_time_is_shown_as_a_text_that_means_the_same(
        text in r"[+-]?[0-9]{4,6}-[01][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{0,9})?)?([Zz]|[+-][01][0-9](:[0-5][0-9](:[0-5][0-9])?)?)(\[(Europe/Paris|UTC|America/New_York|UTC\+01:00)\])?",
    ) {
        let Ok(unit) = build("After", &[("datetime", &text)]) else { return Ok(()) };
        let shown = unit.to_string();
        let again = build("After", &[("datetime", shown.strip_prefix("After: ").unwrap())]).unwrap();
        prop_assert_eq!(again.to_string(), shown);
        // Between refuses equal points, so the two are equal.
        let again = again.to_string();
        let both = [("datetime1", text.as_str()), ("datetime2", again.strip_prefix("After: ").unwrap())];
        prop_assert!(build("Between", &both).is_err());
        let swapped = [("datetime1", both[1].1), ("datetime2", both[0].1)];
        prop_assert!(build("Between", &swapped).is_err());
    }

    #[test]
    fn milliseconds_are_read_as_they_are(millis: i64) {
        let unit = build("After", &[("datetime", &millis.to_string())]).unwrap();
        let head = RequestHeader::build("GET", b"/", None).unwrap();
        let at = |now_nanos| Incoming { now_nanos, ..Incoming::new(&head) };
        let nanos = i128::from(millis) * 1_000_000;
        prop_assert_eq!(unit.matches(&at(nanos)), Ok(false));
        prop_assert_eq!(unit.matches(&at(nanos + 1)), Ok(true));
    }

    #[test]
    fn any_cookie_line_can_be_asked(line in line()) {
        let unit = build("Cookie", &[("name", "a"), ("regexp", "(?s).*")]).unwrap();
        matches(&*unit, &with_header("cookie", &line));
    }

    #[test]
    fn a_legal_cookie_is_found_among_any(
        before in "([a-z]=[!-:<-~]{0,5}; ){0,3}",
        value in "[!#-+\\--:<-\\[\\]-~]{0,9}",
        after in "(;[ -~]{0,5}){0,3}",
    ) {
        let unit = build("Cookie", &[("name", "Name"), ("regexp", "(?s).*")]).unwrap();
        let line = format!("{before}Name={value}{after}");
        prop_assert!(matches(&*unit, &with_header("cookie", line.as_bytes())), "{}", line);
    }

    #[test]
    fn header_values_are_those_of_the_reference(line in line()) {
        let text: String = line.iter().map(|byte| char::from(*byte)).collect();
        let head = with_header("x-a", &line);
        let values = values_by_the_letter(&text);
        let present = build("Header", &[("header", "X-A")]).unwrap();
        prop_assert_eq!(matches(&*present, &head), !values.is_empty());
        for value in values {
            let pattern = exactly(&value);
            let unit = build("Header", &[("header", "X-A"), ("regexp", &pattern)]).unwrap();
            prop_assert!(matches(&*unit, &head), "{} of {}", value, text);
        }
    }

    #[test]
    fn a_query_parameter_is_found_in_any_form(
        before in "([a-z]?=?[a-z]?&){0,3}",
        value in "[ -~é]{0,9}",
    ) {
        let encoded: String = value
            .bytes()
            .map(|byte| if byte == b' ' { "+".to_owned() } else { format!("%{byte:02x}") })
            .collect();
        let pattern = exactly(&value);
        let unit = build("Query", &[("param", "Name"), ("regexp", &pattern)]).unwrap();
        let target = format!("/?{before}Name={encoded}");
        let head = RequestHeader::build("GET", target.as_bytes(), None).unwrap();
        prop_assert!(matches(&*unit, &head), "{}", target);
    }

    #[test]
    fn any_text_is_a_network_or_refused(text in "[0-9a-f:./%\\[\\]+-]{0,30}|.*") {
        if let Err(problem) = build("RemoteAddr", &[("sources", &text)]) {
            prop_assert!(problem.message.contains("is not an address or CIDR")
                || problem.message.contains("bean") || problem.message.contains("expression"));
        }
    }

    #[test]
    fn an_address_is_in_its_own_networks(bits: u128, is_v4: bool, prefix in 0_u8..=128) {
        let address = if is_v4 {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits >> 96).unwrap()))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        };
        let prefix = if address.to_canonical().is_ipv4() { prefix % 33 } else { prefix };
        let unit = build("RemoteAddr", &[("sources", &format!("{address}/{prefix}"))]).unwrap();
        let head = RequestHeader::build("GET", b"/", None).unwrap();
        let from = Incoming { client: Some(address.to_canonical()), ..Incoming::new(&head) };
        prop_assert_eq!(unit.matches(&from), Ok(true));
    }

    #[test]
    fn any_text_is_a_target_or_refused(
        text in "(http|https|lb|lb:ws|ws|forward|no)?:?/{0,3}[a-z0-9_.:@\\[\\]-]{0,12}[/?#]?.{0,5}|.*",
    ) {
        let spring = Target::parse(&text, false);
        let native = Target::parse(&text, true);
        match (spring, native) {
            (Err(_), native) => prop_assert!(native.is_err()),
            (Ok(target), Ok(native)) => {
                prop_assert!(!matches!(target.kind, TargetKind::Fails(_)));
                prop_assert_eq!(target, native);
            }
            (Ok(target), Err(problem)) => {
                let fails = matches!(target.kind, TargetKind::Fails(_));
                prop_assert!(fails || target.kind == TargetKind::Unrouted);
                prop_assert_eq!(problem.fails_per_request, fails);
            }
        }
    }

    #[test]
    fn what_a_target_is_shown_as_goes_to_the_same_place(
        text in "(http|https|HTTP|ws|wss|lb|lb:http)://[a-z0-9.-]{1,9}(:[0-9]{0,5})?(/[a-z]{0,3})?",
    ) {
        if let Ok(target) = Target::parse(&text, true) {
            let again = Target::parse(&target.to_string(), true).unwrap();
            prop_assert_eq!(again, target);
        }
    }

    #[test]
    fn a_group_chooses_a_member_or_none(weights: Vec<i32>, drawn in 0.0..1.0) {
        let ids: Vec<Arc<str>> = (0..weights.len()).map(|at| at.to_string().into()).collect();
        let entries = ids.iter().zip(&weights).map(|(id, weight)| ("g", Arc::clone(id), *weight));
        let choices = WeightTable::new(entries).choose(&mut || drawn);
        prop_assert!(ids.iter().filter(|id| choices.chose("g", id)).count() <= 1);
        prop_assert!(!choices.chose("g", "stranger"));
    }

    #[test]
    fn shares_are_those_of_the_weights(weights in prop::collection::vec(0..1000_i32, 1..8)) {
        const DRAWS: u32 = 20_000;
        let sum: i32 = weights.iter().sum();
        prop_assume!(sum > 0);
        let ids: Vec<Arc<str>> = (0..weights.len()).map(|at| at.to_string().into()).collect();
        let entries = ids.iter().zip(&weights).map(|(id, weight)| ("g", Arc::clone(id), *weight));
        let table = WeightTable::new(entries);
        let mut chosen = vec![0_u32; ids.len()];
        for at in 0..DRAWS {
            let choices = table.choose(&mut || f64::from(at) / f64::from(DRAWS));
            for (id, count) in ids.iter().zip(&mut chosen) {
                *count += u32::from(choices.chose("g", id));
            }
        }
        for (weight, count) in weights.iter().zip(chosen) {
            let expected = f64::from(*weight) / f64::from(sum) * f64::from(DRAWS);
            prop_assert!((f64::from(count) - expected).abs() <= 2.0, "{count} of {expected}");
        }
    }
}
