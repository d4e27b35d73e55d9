//! A draft becomes a request.

use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::document::{placeholder, types};
use super::draft::{Content, Draft, Given, Payload, Recall, Text, plain};
use super::memory::{Memory, is_reference};
use super::operation::{Operation, Parameter, Place};
use crate::testing::{Headers, Signer};

/// What RFC 3986 calls unreserved stays; all else is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How much of a body is shown.
const SHOWN: usize = 400;

/// A request made up from the document.
#[derive(Debug, Clone)]
pub struct GeneratedRequest {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    pub(super) operation: Arc<Operation>,
    /// Whether an operation has this path and method.
    pub(super) is_served: bool,
    /// Why the document does not allow it.
    pub(super) forbidden: Option<String>,
}

impl GeneratedRequest {
    /// Its method, in upper case.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Its path and query, encoded.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Its headers, names in lower case.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Its body; empty when there is none.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The operation it was made up for.
    pub fn operation_id(&self) -> &str {
        &self.operation.id
    }

    /// What the gateway would add to it for `member`, or the service `caller` where a service must
    /// call.
    pub fn proof(&self, signer: &Signer, caller: &str, member: (i64, &str)) -> Headers {
        let wants = |scheme: &str| self.operation.security.contains(scheme);
        if wants("serviceProof") {
            return signer.service(caller, &self.method, &self.target, &self.body);
        }
        signer.gateway(&self.method, &self.target, wants("memberId").then_some(member))
    }

    /// Puts a draft together with what earlier answers told.
    pub(super) fn new(draft: &Draft, operations: &[Arc<Operation>], memory: &Memory) -> Self {
        let drafted = &draft.operation;
        let parameters: Vec<_> = drafted
            .parameters
            .iter()
            .zip(&draft.given)
            .map(|(parameter, given)| Filled::new(parameter, given, memory))
            .collect();
        let path = fill(&drafted.path, &parameters);
        let content = draft.body.as_ref().map(|content| recalled(content, memory));
        let method = draft.oddity.method.unwrap_or(&drafted.method);
        let reached = route(operations, method, &path);
        let is_as_drafted = reached.is_some_and(|operation| Arc::ptr_eq(operation, drafted));
        Self {
            target: with_query(&path, &parameters, &draft.oddity.query),
            headers: headers(&parameters, content.as_ref(), &draft.oddity.headers),
            is_served: reached.is_some(),
            forbidden: forbidden(drafted, &parameters, content.as_ref()).filter(|_| is_as_drafted),
            body: content.map_or_else(Vec::new, |content| content.payload.into_bytes()),
            method: method.to_owned(),
            operation: Arc::clone(reached.unwrap_or(drafted)),
        }
    }
}

/// Where a request arrives: a value may be a fixed segment of another path, such as `me`.
fn route<'a>(
    operations: &'a [Arc<Operation>],
    method: &str,
    path: &str,
) -> Option<&'a Arc<Operation>> {
    let fitting = operations
        .iter()
        .filter(|operation| operation.method == method && matched(&operation.path, path).is_some());
    fitting.max_by_key(|operation| matched(&operation.path, path))
}

/// How many fixed segments a path shares with a template that it fits.
fn matched(template: &str, path: &str) -> Option<usize> {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    let fits = |(wanted, found): (&&str, &&str)| {
        if placeholder(wanted).is_some() { !found.is_empty() } else { wanted == found }
    };
    let is_fit = template.len() == path.len() && template.iter().zip(&path).all(fits);
    let fixed = template.iter().filter(|segment| placeholder(segment).is_none());
    is_fit.then(|| fixed.count())
}

impl fmt::Display for GeneratedRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.target)?;
        for (name, value) in &self.headers {
            write!(formatter, "\n{name}: {value}")?;
        }
        if self.body.is_empty() {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&self.body);
        let shown: String = body.chars().take(SHOWN).collect();
        let rest = if shown.len() < body.len() { " …" } else { "" };
        write!(formatter, "\n\n{shown}{rest}")
    }
}

/// A parameter with its values.
struct Filled<'a> {
    parameter: &'a Parameter,
    texts: Vec<Text>,
}

impl<'a> Filled<'a> {
    fn new(parameter: &'a Parameter, given: &Given, memory: &Memory) -> Self {
        let known = given.recall.and_then(|pick| memory.recall(&parameter.name, pick));
        let texts = match known {
            Some(value) => vec![Text::Plain(plain(value))],
            None => given.texts.clone(),
        };
        Self { parameter, texts }
    }

    fn encoded(&self) -> impl Iterator<Item = String> {
        self.texts.iter().map(|text| match text {
            Text::Plain(text) => utf8_percent_encode(text, ENCODED).to_string(),
            Text::Raw(text) => (*text).to_owned(),
        })
    }

    /// Why the document does not allow it; nothing is said of what cannot be decoded.
    fn forbidden(&self) -> Option<String> {
        let Parameter { name, is_required, schema, validator, .. } = self.parameter;
        let texts: Option<Vec<_>> = self.texts.iter().map(Text::plain).collect();
        let texts = texts?;
        if texts.is_empty() {
            return is_required.then(|| format!("`{name}` is missing"));
        }
        let value = value_of(&texts, schema, self.parameter.is_exploded);
        let error = validator.iter_errors(&value).next()?;
        Some(format!("`{name}`: {error}"))
    }
}

impl Text {
    fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Raw(_) => None,
        }
    }
}

impl Payload {
    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Json(value) => value.to_string().into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// The texts of a parameter as the value they stand for.
fn value_of(texts: &[&str], schema: &Value, is_exploded: bool) -> Value {
    if types(schema).contains(&"array") {
        let items = schema.get("items").unwrap_or(&Value::Null);
        let single: Vec<&str> = texts.iter().flat_map(|text| text.split(',')).collect();
        let texts = if is_exploded { texts } else { &single };
        return texts.iter().map(|text| read(text, items)).collect();
    }
    match texts {
        [text] => read(text, schema),
        several => several.iter().map(|text| read(text, schema)).collect(),
    }
}

/// A text as a value of the type a schema asks for; itself where it is none.
pub(super) fn read(text: &str, schema: &Value) -> Value {
    let integer = text.parse::<i64>().ok().map(Value::from);
    let number = text.parse::<f64>().ok().map(Value::from);
    let truth = text.parse::<bool>().ok().map(Value::from);
    let readings = [("integer", integer), ("number", number), ("boolean", truth)];
    let wanted = types(schema);
    let mut fitting = readings.into_iter().filter(|(name, _)| wanted.contains(name));
    fitting.find_map(|(_, value)| value).unwrap_or_else(|| Value::from(text))
}

/// The path with its placeholders filled.
fn fill(template: &str, parameters: &[Filled<'_>]) -> String {
    let segments = template.split('/').map(|segment| {
        let Some(name) = placeholder(segment) else { return segment.to_owned() };
        let filled = parameters
            .iter()
            .find(|filled| filled.parameter.place == Place::Path && filled.parameter.name == name);
        filled.and_then(|filled| filled.encoded().next()).unwrap_or_default()
    });
    segments.collect::<Vec<_>>().join("/")
}

fn with_query(path: &str, parameters: &[Filled<'_>], more: &[&str]) -> String {
    let in_query = parameters.iter().filter(|filled| filled.parameter.place == Place::Query);
    let pairs = in_query.flat_map(|filled| {
        filled.encoded().map(|value| format!("{}={value}", filled.parameter.name))
    });
    let pairs: Vec<_> = pairs.chain(more.iter().map(|pair| (*pair).to_owned())).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

fn headers(
    parameters: &[Filled<'_>],
    content: Option<&Content>,
    more: &[(&str, &str)],
) -> Vec<(String, String)> {
    let in_header = parameters.iter().filter(|filled| filled.parameter.place == Place::Header);
    let given = in_header.flat_map(|filled| {
        let name = filled.parameter.name.to_lowercase();
        let plain = filled.texts.iter().filter_map(Text::plain);
        plain.map(move |text| (name.clone(), sendable(text)))
    });
    let media = content.and_then(|content| content.media);
    let media = media.map(|media| ("content-type".to_owned(), media.to_owned()));
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    given.chain(media).chain(more).collect()
}

/// A header cannot hold control characters; a server cuts such a connection without an answer.
fn sendable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_control()).collect()
}

fn recalled(content: &Content, memory: &Memory) -> Content {
    let mut content = content.clone();
    if let (Payload::Json(value), Some(recall)) = (&mut content.payload, &content.recall) {
        replace(value, recall, memory);
    }
    content
}

fn replace(value: &mut Value, recall: &Recall, memory: &Memory) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let is_meant = recall.is_greedy || is_reference(name);
                let known = memory.recall(name, recall.pick).filter(|_| is_meant);
                match (known, &mut *member) {
                    (Some(known), Value::String(_) | Value::Number(_)) => *member = known.clone(),
                    (_, member) => replace(member, recall, memory),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                replace(value, recall, memory);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn forbidden(
    operation: &Operation,
    parameters: &[Filled<'_>],
    content: Option<&Content>,
) -> Option<String> {
    let parameter = parameters.iter().find_map(Filled::forbidden);
    parameter.or_else(|| {
        let body = operation.body.as_ref()?;
        match content.map(|content| &content.payload) {
            None => body.is_required.then(|| "the body is missing".to_owned()),
            Some(Payload::Bytes(_)) => Some("the body is no JSON".to_owned()),
            Some(Payload::Json(value)) => {
                let error = body.validator.iter_errors(value).next()?;
                Some(format!("body{}: {error}", error.instance_path()))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::sample::Index;
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;
    use serde_json::json;

    use super::*;
    use crate::testing::openapi::draft::Oddity;
    use crate::testing::openapi::fixture::contract;

    /// What becomes of a draft for showing the book `id`, with 42 known as a book's id.
    fn showing(id: Text, is_recalled: bool, oddity: Oddity) -> GeneratedRequest {
        let contract = contract();
        let shows = |operation: &&Arc<Operation>| operation.id == "showBook";
        let operation = Arc::clone(contract.operations.iter().find(shows).unwrap());
        let pick = any::<Index>().new_tree(&mut TestRunner::deterministic()).unwrap().current();
        let given = vec![Given { texts: vec![id], recall: is_recalled.then_some(pick) }];
        let draft = Draft { operation, given, body: None, oddity };
        let mut memory = Memory::default();
        memory.learn(&json!({ "bookId": 42 }));
        GeneratedRequest::new(&draft, &contract.operations, &memory)
    }

    fn plain(text: &str) -> Text {
        Text::Plain(text.to_owned())
    }

    #[test]
    fn texts_are_encoded_and_raw_ones_are_not() {
        let oddity = || Oddity { query: vec!["%zz", "a"], ..Oddity::default() };
        let request = showing(plain("a/b가?"), false, oddity());
        assert_eq!(request.target(), "/v1/books/a%2Fb%EA%B0%80%3F?%zz&a");
        assert_eq!(request.forbidden.unwrap(), "`bookId`: \"a/b가?\" is not of type \"integer\"");
        let request = showing(Text::Raw("%ff"), false, oddity());
        assert_eq!((request.target(), request.forbidden.as_ref()), ("/v1/books/%ff?%zz&a", None));
    }

    #[test]
    fn known_values_take_the_place_of_others() {
        let request = showing(plain("7"), true, Oddity::default());
        assert_eq!((request.target(), request.forbidden.as_ref()), ("/v1/books/42", None));
    }

    #[test]
    fn what_leads_nowhere_is_not_served() {
        assert!(showing(plain("7"), false, Oddity::default()).is_served);
        assert!(!showing(plain(""), false, Oddity::default()).is_served);
        let oddity = Oddity { method: Some("DELETE"), ..Oddity::default() };
        assert!(!showing(plain("7"), false, oddity).is_served);
    }

    #[test]
    fn fixed_segments_go_before_values() {
        assert_eq!(matched("/members/{memberId}", "/members/me"), Some(2));
        assert_eq!(matched("/members/me", "/members/me"), Some(3));
        assert_eq!(matched("/members/me", "/members/7"), None);
        assert_eq!(matched("/members/{memberId}", "/members/"), None);
    }

    #[test]
    fn texts_are_read_as_their_schema_wants_them() {
        let ids = json!({ "type": "array", "items": { "type": "integer" } });
        assert_eq!(value_of(&["1,2", "x"], &ids, false), json!([1, 2, "x"]));
        assert_eq!(value_of(&["1,2", "3"], &ids, true), json!(["1,2", 3]));
        assert_eq!(value_of(&["true"], &json!({ "type": ["boolean", "null"] }), true), json!(true));
        assert_eq!(value_of(&["1", "2"], &json!({ "type": "integer" }), true), json!([1, 2]));
    }
}
