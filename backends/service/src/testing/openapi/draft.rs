//! Requests before they are sent: what to put where, drawn from the schemas of the document.
//!
//! A draft is kept apart from the request it becomes, because it may ask for values that are only
//! known when it is sent, and because a draft can be made smaller when it found something.

use std::sync::Arc;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use proptest::strategy::{BoxedStrategy, Union};
use proptest::{bool, collection, option};
use serde_json::Value;

use super::operation::{Body, JSON, Operation, Parameter, Place};
use super::values::Values;
use crate::body::LIMIT_BYTES;

/// How often drafts of one kind are drawn: without a fault, with one in a part, with many.
const SOUND: u32 = 60;
const ONE_FAULT: u32 = 40;
const ODD: u32 = 8;
const WILD: u32 = 4;
const STRAY: u32 = 10;

/// A request, but for what earlier answers have to add.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) operation: Arc<Operation>,
    /// One for each parameter of the operation.
    pub(super) given: Vec<Given>,
    pub(super) body: Option<Content>,
    pub(super) oddity: Oddity,
}

/// What is given for one parameter: nothing, one text or several.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) texts: Vec<Text>,
    /// Which of the values known under its name to use instead.
    pub(super) recall: Option<Index>,
}

#[derive(Debug, Clone)]
pub(super) enum Text {
    /// To be percent-encoded where it stands in a target.
    Plain(String),
    /// To be sent as it is.
    Raw(&'static str),
}

/// A body and what it says it is.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) media: Option<&'static str>,
    pub(super) payload: Payload,
    pub(super) recall: Option<Recall>,
}

#[derive(Debug, Clone)]
pub(super) enum Payload {
    Json(Value),
    Bytes(Vec<u8>),
}

/// Which members of a body to replace with known values.
#[derive(Debug, Clone)]
pub(super) struct Recall {
    pub(super) pick: Index,
    /// Whether to replace all that are known, not only ids.
    pub(super) is_greedy: bool,
}

/// What no part of an operation asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Oddity {
    /// More of the query, as it is sent.
    pub(super) query: Vec<&'static str>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    /// A method this path may not serve.
    pub(super) method: Option<&'static str>,
}

/// Drafts for one operation.
pub(super) fn drafts(values: Values<'_>, operation: &Arc<Operation>) -> BoxedStrategy<Draft> {
    let parts = Parts::new(values, operation);
    let count = u32::try_from(parts.sound.len()).unwrap_or(u32::MAX).max(1);
    let plain = Just(Oddity::default()).boxed();
    let mut kinds = vec![
        (SOUND, parts.combine(None, false, plain.clone())),
        (ODD, parts.combine(None, false, oddities())),
        (WILD, parts.all_failing(oddities())),
        (STRAY, parts.combine(None, false, other_methods(&operation.method))),
    ];
    for at in 0..parts.sound.len() {
        kinds.push(((ONE_FAULT / count).max(1), parts.combine(Some(at), false, plain.clone())));
    }
    if operation.body.is_some() {
        kinds.push((ONE_FAULT, parts.combine(None, true, plain)));
    }
    let operation = Arc::clone(operation);
    Union::new_weighted(kinds)
        .prop_map(move |(given, body, oddity)| {
            let operation = Arc::clone(&operation);
            Draft { operation, given, body, oddity }
        })
        .boxed()
}

type Drawn = (Vec<Given>, Option<Content>, Oddity);

/// Each part of a request, as it should be and as it should not.
struct Parts {
    sound: Vec<BoxedStrategy<Given>>,
    failing: Vec<BoxedStrategy<Given>>,
    sound_body: BoxedStrategy<Option<Content>>,
    failing_body: BoxedStrategy<Option<Content>>,
}

impl Parts {
    fn new(values: Values<'_>, operation: &Operation) -> Self {
        let parameters = operation.parameters.iter();
        let nothing = Just(None).boxed();
        let body = operation.body.as_ref();
        Self {
            sound: parameters.clone().map(|parameter| sound(values, parameter)).collect(),
            failing: parameters.map(|parameter| failing(values, parameter)).collect(),
            sound_body: body.map_or(nothing.clone(), |body| sound_body(values, body)),
            failing_body: body.map_or(nothing, |body| failing_body(values, body)),
        }
    }

    fn combine(
        &self,
        faulty: Option<usize>,
        is_body_faulty: bool,
        oddity: BoxedStrategy<Oddity>,
    ) -> BoxedStrategy<Drawn> {
        let pairs = self.sound.iter().zip(&self.failing).enumerate();
        let given: Vec<_> = pairs
            .map(|(at, (sound, failing))| if faulty == Some(at) { failing } else { sound }.clone())
            .collect();
        let body = if is_body_faulty { &self.failing_body } else { &self.sound_body };
        (given, body.clone(), oddity).boxed()
    }

    fn all_failing(&self, oddity: BoxedStrategy<Oddity>) -> BoxedStrategy<Drawn> {
        (self.failing.clone(), self.failing_body.clone(), oddity).boxed()
    }
}

fn sound(values: Values<'_>, parameter: &Parameter) -> BoxedStrategy<Given> {
    let recalled = if parameter.place == Place::Path { 0.7 } else { 0.3 };
    let is_exploded = parameter.is_exploded;
    let present = (values.fitting(&parameter.schema), option::weighted(recalled, any::<Index>()))
        .prop_map(move |(value, recall)| Given { texts: texts(&value, is_exploded), recall });
    if parameter.is_required {
        return present.boxed();
    }
    prop_oneof![3 => Just(Given::nothing()), 2 => present].boxed()
}

fn failing(values: Values<'_>, parameter: &Parameter) -> BoxedStrategy<Given> {
    let is_exploded = parameter.is_exploded;
    let value = values.failing(&parameter.schema);
    let value = value.prop_map(move |value| Given::texts(texts(&value, is_exploded)));
    let raw = select(RAW).prop_map(|text| Given::texts(vec![Text::Raw(text)]));
    let value = prop_oneof![5 => value, 1 => Just(Given::nothing())];
    match parameter.place {
        Place::Header => return value.boxed(),
        Place::Path => return prop_oneof![6 => value, 2 => raw].boxed(),
        Place::Query => {}
    }
    let fitting = collection::vec(values.fitting(&parameter.schema), 2);
    let repeated = fitting.prop_map(move |values| {
        Given::texts(values.iter().flat_map(|value| texts(value, is_exploded)).collect())
    });
    prop_oneof![6 => value, 2 => raw, 1 => repeated].boxed()
}

impl Given {
    fn nothing() -> Self {
        Self::texts(Vec::new())
    }

    fn texts(texts: Vec<Text>) -> Self {
        Self { texts, recall: None }
    }
}

/// A value as a parameter; null is none.
fn texts(value: &Value, is_exploded: bool) -> Vec<Text> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) if is_exploded => {
            values.iter().map(|value| Text::Plain(plain(value))).collect()
        }
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(plain).collect();
            vec![Text::Plain(values.join(","))]
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            vec![Text::Plain(plain(value))]
        }
    }
}

/// A value without the quotes of a JSON text.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn sound_body(values: Values<'_>, body: &Body) -> BoxedStrategy<Option<Content>> {
    let media = prop_oneof![9 => Just(JSON), 1 => Just("application/json; charset=utf-8")];
    let recall = (any::<Index>(), bool::weighted(0.2));
    let recall = recall.prop_map(|(pick, is_greedy)| Recall { pick, is_greedy });
    (media, values.fitting(&body.schema), option::weighted(0.5, recall))
        .prop_map(|(media, value, recall)| {
            Some(Content { media: Some(media), payload: Payload::Json(value), recall })
        })
        .boxed()
}

fn failing_body(values: Values<'_>, body: &Body) -> BoxedStrategy<Option<Content>> {
    let fitting = values.fitting(&body.schema).boxed();
    let recall = any::<Index>().prop_map(|pick| Recall { pick, is_greedy: false });
    let json = (values.failing(&body.schema), option::weighted(0.5, recall)).prop_map(
        |(value, recall)| Content { media: Some(JSON), payload: Payload::Json(value), recall },
    );
    let bytes = |bytes| Content { media: Some(JSON), payload: Payload::Bytes(bytes), recall: None };
    let malformed = prop_oneof![
        select(malformed()),
        (fitting.clone(), any::<Index>()).prop_map(|(value, cut)| {
            let mut bytes = value.to_string().into_bytes();
            bytes.truncate(cut.index(bytes.len().max(1)));
            bytes
        })
    ];
    let mislabelled = (select(MEDIA), fitting).prop_map(|(media, value)| Content {
        media,
        payload: Payload::Json(value),
        recall: None,
    });
    prop_oneof![
        10 => json.prop_map(Some),
        3 => malformed.prop_map(move |text| Some(bytes(text))),
        2 => mislabelled.prop_map(Some),
        1 => Just(Some(bytes(too_large()))),
        1 => Just(None),
    ]
    .boxed()
}

fn oddities() -> BoxedStrategy<Oddity> {
    let query = collection::vec(select(QUERY), 0..3);
    let headers = collection::vec(select(HEADERS), 0..2);
    (query, headers).prop_map(|(query, headers)| Oddity { query, headers, method: None }).boxed()
}

fn other_methods(own: &str) -> BoxedStrategy<Oddity> {
    let mut methods = vec!["GET", "PUT", "POST", "PATCH", "DELETE"];
    methods.retain(|method| *method != own);
    let method = select(methods);
    method.prop_map(|method| Oddity { method: Some(method), ..Oddity::default() }).boxed()
}

fn malformed() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 14] = [
        b"",
        b" ",
        b"{",
        b"}",
        b"[",
        b"nul",
        b"{\"a\":}",
        b"{\"a\":1,}",
        b"{'a':1}",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\xc3\x28\"}",
        b"{\"a\":\"\\ud800\"}",
        b"{} {}",
    ];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
    bodies.push(b"[".repeat(5000));
    bodies.push(b"{\"a\":".repeat(200));
    bodies
}

/// Larger than any service takes.
fn too_large() -> Vec<u8> {
    [b"\"".as_slice(), &b"x".repeat(LIMIT_BYTES), b"\""].concat()
}

const MEDIA: &[Option<&str>] = &[
    None,
    Some(""),
    Some("text/plain"),
    Some("application/xml"),
    Some("application/x-www-form-urlencoded"),
    Some("multipart/form-data; boundary=x"),
    Some("application/json; charset=utf-16"),
    Some("application/jsonx"),
    Some("APPLICATION/JSON"),
    Some("*/*"),
];

/// Texts that are no percent-encoding, or one of something unexpected.
const RAW: &[&str] = &[
    "%",
    "%2",
    "%zz",
    "%ff",
    "%c3%28",
    "%e3%81",
    "%00",
    "%0d%0a",
    "%2f",
    "%252e",
    "+",
    ".",
    "..",
    ";x=1",
    "a=b",
    "%F0%9F%A7%B3",
    "",
    "~",
    "!$'()*,",
    "%ED%A0%80",
];

const QUERY: &[&str] = &[
    "unknown=1",
    "unknown",
    "=",
    "=x",
    "&&",
    "%",
    "%zz=1",
    "a=%ff",
    "%00=1",
    "size=1&size=2",
    "sort=",
    "cursor=AAAA",
    "a[b]=c",
    "a[]=1",
    "__proto__=1",
    "a=1;b=2",
    "?",
    "size=%31",
];

const HEADERS: &[(&str, &str)] = &[
    ("accept", "text/html"),
    ("accept", "application/xml;q=0"),
    ("accept-encoding", "br;q=1, *;q=0"),
    ("accept-language", "ko-KR"),
    ("traceparent", "00-00000000000000000000000000000000-0000000000000000-00"),
    ("traceparent", "nonsense"),
    ("x-request-id", "é한글"),
    ("x-request-id", ""),
    ("if-none-match", "*"),
    ("if-match", "\"0\""),
    ("range", "bytes=0-0"),
    ("idempotency-key", "k"),
    ("cookie", "a=b; ;=;"),
    ("content-language", "??"),
    ("x-http-method-override", "DELETE"),
    ("origin", "https://elsewhere.example"),
];
