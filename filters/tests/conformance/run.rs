//! Runs one case.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::HeaderMap;
use pingora_http::{RequestHeader, ResponseHeader};
use tollgate_filters::{
    Answer, AnyFilter, ArgValue, Argument, Chain, Entry, Exchange, ExchangeState, Failure, Flow,
    Incoming, Invalid, Predicate, Scheme, Span, Target, TargetKind, UnitSettings, Variables,
    WeightTable, filter, predicate,
};

use super::attempts;
use super::case::{Case, Draw, Probe, TargetProbe, Value, Written};
use super::limit;

pub(super) type Outcome = Result<(), String>;

/// Runs a case as a Spring file and as a native one.
pub(crate) fn check(case: &Case) -> Outcome {
    check_as(case, false).map_err(|problem| format!("in a Spring file: {problem}"))?;
    check_as(case, true).map_err(|problem| format!("in a native file: {problem}"))
}

struct Units {
    predicates: Vec<Box<dyn Predicate>>,
    chain: Chain,
}

fn check_as(case: &Case, strict: bool) -> Outcome {
    let refusal =
        if strict { case.native.as_ref().or(case.invalid.as_ref()) } else { case.invalid.as_ref() };
    if !case.targets.is_empty() {
        return case.targets.iter().try_for_each(|probe| {
            check_target(probe, strict, refusal)
                .map_err(|problem| format!("{}: {problem}", probe.uri))
        });
    }
    let units = match (build(case, strict), refusal) {
        (Ok(_), Some(part)) => return Err(format!("loads, but should say `{part}`")),
        (Err(problem), Some(part)) if problem.to_string().contains(part) => return Ok(()),
        (Err(problem), Some(part)) => return Err(format!("says `{problem}`, not `{part}`")),
        (Err(problem), None) => return Err(format!("is refused: {problem}")),
        (Ok(units), None) => units,
    };
    if let Some(expected) = &case.shown {
        let shown = units.predicates.first().map(ToString::to_string);
        if shown.as_ref() != Some(expected) {
            return Err(format!("is shown as {shown:?}"));
        }
    }
    let table = weights(case);
    for draw in &case.draws {
        check_draw(case, &table, draw)
            .map_err(|problem| format!("{:?}: {problem}", draw.random))?;
    }
    for probe in &case.requests {
        check_probe(&units.predicates, &table, probe)
            .map_err(|problem| format!("{}: {problem}", probe.request))?;
    }
    check_shown(&case.shows, &units.chain)?;
    if let Some(probe) = &case.bucket {
        limit::check_bucket(probe)?;
    }
    limit::check_steps(case, &units.chain)?;
    match &case.request {
        Some(request) if !case.attempts.is_empty() => {
            let mut variables = Variables::new();
            for (name, value) in &case.variables {
                variables.set(&name.as_str().into(), value.clone());
            }
            attempts::check(&units.chain, &mut request_head(request)?, variables, &case.attempts)
        }
        Some(request) => check_exchange(case, &units, request),
        None => Ok(()),
    }
}

fn build(case: &Case, strict: bool) -> Result<Units, Invalid> {
    let id = case.route.as_deref().unwrap_or("r");
    let limits = limit::settings(&case.settings.limits);
    let base = if strict { UnitSettings::native(id) } else { UnitSettings::spring(id) };
    let mut settings = UnitSettings {
        host_include_port: case.settings.include_port.unwrap_or(true),
        optional_trailing_slash: case.settings.optional_trailing_slash,
        base_path: &case.settings.base_path,
        original_status_header: case.settings.original_status_header.as_deref(),
        limits: &limits,
        ..base
    };
    let mut predicates = Vec::new();
    for written in &case.predicates {
        predicates.push(predicate::build(&entry(written, true)?, &mut settings)?);
    }
    let variables: Vec<String> = predicates
        .iter()
        .flat_map(|predicate| predicate.variables())
        .map(str::to_owned)
        .chain(case.variables.keys().cloned())
        .collect();
    settings.variables = &variables;
    for written in case.default_filters.iter().chain(&case.filters) {
        settings.route_limit =
            filter::written_limit(&entry(written, false)?).or(settings.route_limit);
    }
    let mut filters = |list: &[Written]| -> Result<Vec<AnyFilter>, Invalid> {
        list.iter().map(|written| filter::build(&entry(written, false)?, &mut settings)).collect()
    };
    let defaults = filters(&case.default_filters)?;
    let own = filters(&case.filters)?;
    Ok(Units { predicates, chain: Chain::merge(defaults, own) })
}

fn entry(written: &Written, is_predicate: bool) -> Result<Entry, Invalid> {
    let span = Span::default();
    match written {
        Written::Shortcut(text) if is_predicate => Entry::predicate_shortcut(text, span),
        Written::Shortcut(text) => Ok(Entry::filter_shortcut(text, span)),
        Written::Expanded { name, args } => {
            let arguments = args
                .iter()
                .flatten()
                .map(|(key, value)| Argument {
                    key: Some(key.clone()),
                    value: match value {
                        Value::Text(text) => ArgValue::Text(text.clone()),
                        Value::List(texts) => ArgValue::List(texts.clone()),
                    },
                    span,
                })
                .collect();
            Ok(Entry { name: name.clone(), arguments, span })
        }
    }
}

fn check_target(probe: &TargetProbe, strict: bool, refusal: Option<&String>) -> Outcome {
    let target = match (Target::parse(&probe.uri, strict), refusal) {
        (Ok(target), Some(part)) => return Err(format!("{target:?}, but should say `{part}`")),
        (Err(problem), Some(part)) if problem.to_string().contains(part) => return Ok(()),
        (Err(problem), _) => return Err(format!("is refused: {problem}")),
        (Ok(target), None) => target,
    };
    let shown = target.to_string();
    if shown != *probe.shown.as_ref().unwrap_or(&probe.uri) {
        return Err(format!("is shown as `{shown}`"));
    }
    let name = |scheme| match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
        Scheme::Ws => "ws",
        Scheme::Wss => "wss",
    };
    let goes = match target.kind {
        TargetKind::Upstream { scheme, host, port } => format!("{} {host} {port}", name(scheme)),
        TargetKind::Forward { path } => format!("forward {path}"),
        TargetKind::LoadBalanced { service, scheme: None } => format!("lb {service}"),
        TargetKind::LoadBalanced { service, scheme: Some(scheme) } => {
            format!("lb {service} {}", name(scheme))
        }
        TargetKind::Unrouted => "nowhere".to_owned(),
        TargetKind::Fails(_) => "failure".to_owned(),
    };
    if goes == probe.goes { Ok(()) } else { Err(format!("goes to {goes}")) }
}

fn weights(case: &Case) -> WeightTable {
    WeightTable::new(
        case.weights
            .iter()
            .map(|share| (&share.group, Arc::from(share.route.as_str()), share.weight)),
    )
}

fn drawn(numbers: &[f64]) -> impl FnMut() -> f64 {
    let mut numbers = numbers.iter();
    move || numbers.next().copied().unwrap_or_default()
}

fn check_draw(case: &Case, table: &WeightTable, draw: &Draw) -> Outcome {
    let choices = table.choose(&mut drawn(&draw.random));
    for share in &case.weights {
        let expected = draw.chosen.get(&share.group) == Some(&share.route);
        if choices.chose(&share.group, &share.route) != expected {
            return Err(format!("{choices:?}"));
        }
    }
    Ok(())
}

fn check_probe(predicates: &[Box<dyn Predicate>], table: &WeightTable, probe: &Probe) -> Outcome {
    let head = request_head(&probe.request)?;
    let choices = table.choose(&mut drawn(&probe.random));
    let mut incoming = Incoming { choices: &choices, ..Incoming::new(&head) };
    incoming.client = probe.client.as_ref().map(|text| text.parse().unwrap());
    incoming.now_nanos = probe
        .now
        .as_ref()
        .map_or(0, |text| text.parse::<jiff::Timestamp>().unwrap().as_nanosecond());
    let mut found = "yes";
    for predicate in predicates {
        match predicate.matches(&incoming) {
            Ok(true) => {}
            Ok(false) => found = "no",
            Err(_) => found = "error",
        }
        if found != "yes" {
            break;
        }
    }
    if found != probe.matches {
        return Err(format!("matches: {found}, expected {}", probe.matches));
    }
    let mut variables = Variables::new();
    if found == "yes" {
        for predicate in predicates {
            predicate.capture(&incoming, &mut variables).map_err(|failure| failure.to_string())?;
        }
    }
    let captured = variables.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let captured: std::collections::BTreeMap<_, _> = captured.collect();
    if captured != probe.variables {
        return Err(format!("captured {captured:?}, expected {:?}", probe.variables));
    }
    Ok(())
}

fn check_exchange(case: &Case, units: &Units, request: &str) -> Outcome {
    let mut head = request_head(request)?;
    let mut state = ExchangeState::default();
    for (name, value) in &case.variables {
        state.variables.set(&name.as_str().into(), value.clone());
    }
    let incoming = Incoming::new(&head);
    for predicate in &units.predicates {
        if predicate.matches(&incoming) != Ok(true) {
            return Err("the request does not match".to_owned());
        }
        predicate
            .capture(&incoming, &mut state.variables)
            .map_err(|failure| failure.to_string())?;
    }
    let mut exchange = Exchange::new(&mut head, &mut state);
    let mut place = 0;
    let flow = loop {
        match now(units.chain.on_request(&mut place, &mut exchange)) {
            Ok(Flow::Around(_)) => place += 1,
            flow => break flow,
        }
    };
    let client = match (flow, case.fails.as_deref()) {
        (Err(_), Some("request")) => return Ok(()),
        (Err(failure), _) => return Err(failure.to_string()),
        (Ok(_), Some("request")) => return Err("does not fail".to_owned()),
        (Ok(Flow::Respond(answer)), _) if case.upstream.is_some() => {
            return Err(format!("answers {} without asking the upstream", answer.status));
        }
        (Ok(Flow::Respond(answer)), _) => short_answer(*answer),
        (Ok(Flow::Refuse(failure)), _) if case.upstream.is_some() => {
            return Err(format!("refuses without asking the upstream: {failure}"));
        }
        (Ok(Flow::Refuse(failure)), _) => {
            let mut head = response_head(&failure.status().to_string());
            add_pending(&state, &mut head);
            head
        }
        (Ok(Flow::Around(_) | Flow::Forward { .. }), _) => {
            return Err("stays around".to_owned());
        }
        (Ok(Flow::ReadBody { .. }), _) => return Err("asks for the body".to_owned()),
        (Ok(Flow::Continue), _) => {
            case.upstream.as_ref().map_or(Ok(()), |expected| check_request(expected, &head))?;
            if case.preserves_host.is_some_and(|expected| expected != state.preserve_host) {
                return Err(format!("preserves the host: {}", state.preserve_host));
            }
            match upstream_answers(case, units, &mut head, &mut state)? {
                Some(response) => response,
                None => return Ok(()),
            }
        }
    };
    case.client
        .as_ref()
        .map_or(Ok(()), |expected| check_lines(expected, client.status.as_str(), &client.headers))
}

fn check_shown(expected: &[String], chain: &Chain) -> Outcome {
    let shown: Vec<String> = chain.steps().map(|(_, filter)| filter.to_string()).collect();
    if expected.is_empty() || shown == expected {
        return Ok(());
    }
    Err(format!("shows {shown:?}, expected {expected:?}"))
}

/// Runs the way back; `None` if it failed as the case expects.
fn upstream_answers(
    case: &Case,
    units: &Units,
    head: &mut RequestHeader,
    state: &mut ExchangeState,
) -> Result<Option<ResponseHeader>, String> {
    let mut response = response_head(case.response.as_deref().unwrap_or("200"));
    add_pending(state, &mut response);
    let mut exchange = Exchange::new(head, state);
    match (
        now(units.chain.on_response(0, None, &mut exchange, &mut response)),
        case.fails.as_deref(),
    ) {
        (Err(_), Some("response")) => Ok(None),
        (Err(failure), _) => Err(failure.to_string()),
        (Ok(_), Some("response")) => Err("does not fail".to_owned()),
        (Ok(_), _) => Ok(Some(response)),
    }
}

pub(super) fn add_pending(state: &ExchangeState, head: &mut ResponseHeader) {
    for (name, value) in &state.pending {
        name.append_to_response(head, value.clone()).unwrap();
    }
}

fn check_request(expected: &str, head: &RequestHeader) -> Outcome {
    let target = String::from_utf8_lossy(head.raw_path());
    check_lines(expected, &format!("{} {target}", head.method), &head.headers)
}

/// Compares a first line, and for each header named all of its values.
pub(super) fn check_lines(expected: &str, first: &str, headers: &HeaderMap) -> Outcome {
    let mut lines = expected.lines();
    let wanted = lines.next().unwrap_or_default();
    if wanted != first {
        return Err(format!("`{first}`, expected `{wanted}`"));
    }
    let mut named: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines {
        let (name, value) = match line.strip_prefix('-') {
            Some(name) => (name, None),
            None => line.split_once(':').map(|(name, value)| (name, Some(value.trim()))).unwrap(),
        };
        match named.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.extend(value),
            None => named.push((name, value.into_iter().collect())),
        }
    }
    for (name, wanted) in named {
        let values: Vec<String> = headers.get_all(name).iter().map(latin1).collect();
        if values != wanted {
            return Err(format!("{name} is {values:?}, expected {wanted:?}"));
        }
    }
    Ok(())
}

fn latin1(value: &http::HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}

pub(super) fn request_head(text: &str) -> Result<RequestHeader, String> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let (method, target) = match first.split_once(' ') {
        Some((method, target)) if !method.starts_with('/') => (method, target),
        _ => ("GET", first),
    };
    let mut head =
        RequestHeader::build(method, target.as_bytes(), None).map_err(|error| error.to_string())?;
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        head.append_header(name.to_owned(), value.trim()).unwrap();
    }
    Ok(head)
}

pub(super) fn response_head(text: &str) -> ResponseHeader {
    let mut lines = text.lines();
    let status: u16 = lines.next().unwrap_or("200").parse().unwrap();
    let mut head = ResponseHeader::build(status, None).unwrap();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        head.append_header(name.to_owned(), value.trim()).unwrap();
    }
    head
}

fn short_answer(answer: Answer) -> ResponseHeader {
    let mut head = ResponseHeader::build(answer.status, None).unwrap();
    for (name, value) in answer.headers {
        head.append_header(name.spelling().to_owned(), value).unwrap();
    }
    head
}

/// Drives a future of filters that do not wait.
pub(super) fn now<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => {
            panic!("a filter waits")
        }
    }
}
