//! A draft becomes a request.

use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::document::types;
use super::draft::{Content, Draft, Given, Payload, Recall, Text, plain};
use super::memory::{Memory, is_reference};
use super::operation::{Operation, Parameter, Place};

/// What RFC 3986 calls unreserved stays; all else is encoded.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How much of a body is shown.
const SHOWN: usize = 400;

/// A request made up from the document.
#[derive(Debug, Clone)]
pub struct GeneratedRequest {
    /// In upper case.
    pub method: String,
    /// Path and query, encoded.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Empty when there is none.
    pub body: Vec<u8>,
    pub(super) operation: Arc<Operation>,
    /// Whether this path and method lead to the operation.
    pub(super) is_served: bool,
    /// Why the document does not allow it.
    pub(super) forbidden: Option<String>,
}

impl GeneratedRequest {
    /// The operation it was made up for.
    pub fn operation_id(&self) -> &str {
        &self.operation.id
    }

    /// Puts a draft together with what earlier answers told.
    pub(super) fn new(draft: &Draft, memory: &Memory) -> Self {
        let operation = &draft.operation;
        let parameters: Vec<_> = operation
            .parameters
            .iter()
            .zip(&draft.given)
            .map(|(parameter, given)| Filled::new(parameter, given, memory))
            .collect();
        let (path, is_complete) = fill(&operation.path, &parameters);
        let content = draft.body.as_ref().map(|content| recalled(content, memory));
        let method = draft.oddity.method.unwrap_or(&operation.method);
        Self {
            target: with_query(path, &parameters, &draft.oddity.query),
            headers: headers(&parameters, content.as_ref(), &draft.oddity.headers),
            is_served: is_complete && method == operation.method,
            forbidden: forbidden(operation, &parameters, content.as_ref()),
            body: content.map_or_else(Vec::new, |content| content.payload.into_bytes()),
            method: method.to_owned(),
            operation: Arc::clone(operation),
        }
    }
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
        let known = given.recall.as_ref().and_then(|pick| memory.recall(&parameter.name, pick));
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
    let types = types(schema);
    let integer = text.parse::<i64>().ok().map(Value::from);
    let number = text.parse::<f64>().ok().map(Value::from);
    let truth = text.parse::<bool>().ok().map(Value::from);
    let typed = [("integer", integer), ("number", number), ("boolean", truth)];
    let typed = typed.into_iter().find_map(|(name, value)| value.filter(|_| types.contains(&name)));
    typed.unwrap_or_else(|| Value::from(text))
}

/// The path with its placeholders filled, and whether none of them became an empty segment.
fn fill(template: &str, parameters: &[Filled<'_>]) -> (String, bool) {
    let mut is_complete = true;
    let segments: Vec<_> = template
        .split('/')
        .map(|segment| {
            let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let Some(name) = name else { return segment.to_owned() };
            let filled = parameters.iter().find(|filled| {
                filled.parameter.place == Place::Path && filled.parameter.name == name
            });
            let text = filled.and_then(|filled| filled.encoded().next()).unwrap_or_default();
            is_complete &= !text.is_empty();
            text
        })
        .collect();
    (segments.join("/"), is_complete)
}

fn with_query(path: String, parameters: &[Filled<'_>], more: &[&str]) -> String {
    let in_query = parameters.iter().filter(|filled| filled.parameter.place == Place::Query);
    let pairs = in_query.flat_map(|filled| {
        filled.encoded().map(|value| format!("{}={value}", filled.parameter.name))
    });
    let pairs: Vec<_> = pairs.chain(more.iter().map(|pair| (*pair).to_owned())).collect();
    if pairs.is_empty() { path } else { format!("{path}?{}", pairs.join("&")) }
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
                let known = memory.recall(name, &recall.pick).filter(|_| is_meant);
                match (known, &mut *member) {
                    (Some(known), Value::String(_) | Value::Number(_)) => *member = known.clone(),
                    (_, member) => replace(member, recall, memory),
                }
            }
        }
        Value::Array(values) => {
            values.iter_mut().for_each(|value| replace(value, recall, memory));
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
