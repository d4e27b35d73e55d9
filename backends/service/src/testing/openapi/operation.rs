//! What a document says of one operation, ready to be used for every request.

use std::collections::BTreeSet;

use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use super::document::{Document, Entry, is_true, items, members, text};
use super::strict;

pub(super) const JSON: &str = "application/json";

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    /// In upper case.
    pub(super) method: String,
    pub(super) path: String,
    /// The security schemes it asks for; none when everybody may call it.
    pub(super) security: BTreeSet<String>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    /// By status, range of statuses or `default`.
    pub(super) answers: Vec<(String, Expected)>,
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) is_required: bool,
    /// Whether every value of a list is a parameter of its own.
    pub(super) is_exploded: bool,
    pub(super) schema: Value,
    pub(super) validator: Validator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

/// A JSON body.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) is_required: bool,
    pub(super) schema: Value,
    pub(super) validator: Validator,
}

/// One documented answer.
#[derive(Debug)]
pub(super) struct Expected {
    /// The stable codes its description names.
    pub(super) codes: BTreeSet<String>,
    pub(super) headers: Vec<ExpectedHeader>,
    /// By media type.
    pub(super) content: Vec<(String, Validator)>,
}

#[derive(Debug)]
pub(super) struct ExpectedHeader {
    pub(super) name: String,
    pub(super) is_required: bool,
    pub(super) schema: Value,
    pub(super) validator: Validator,
}

type Unusable = ValidationError<'static>;

/// Every operation of a document.
pub(super) fn read(document: &Document) -> Result<Vec<Operation>, Unusable> {
    let closed = strict::closed(document);
    document.entries().into_iter().map(|entry| operation(document, &closed, entry)).collect()
}

impl Operation {
    /// What is documented for a status: itself, its range, or `default`.
    pub(super) fn expected(&self, status: u16) -> Option<&Expected> {
        let range = format!("{}XX", status / 100);
        let find = |wanted: &str| self.answers.iter().find(|(key, _)| key == wanted);
        let found = find(&status.to_string()).or_else(|| find(&range)).or_else(|| find("default"));
        found.map(|(_, expected)| expected)
    }
}

fn operation(
    document: &Document,
    closed: &Document,
    entry: Entry<'_>,
) -> Result<Operation, Unusable> {
    let parameters = document.parameters(entry).into_iter();
    let answers = members(entry.node, "responses")
        .map(|(status, node)| Ok((status.clone(), expected(document, closed, node)?)));
    Ok(Operation {
        id: text(entry.node, "operationId").to_owned(),
        method: entry.method.to_uppercase(),
        path: entry.path.to_owned(),
        security: security(document, entry),
        parameters: parameters
            .filter_map(|node| parameter(document, node).transpose())
            .collect::<Result<_, _>>()?,
        body: body(document, entry.node)?,
        answers: answers.collect::<Result<_, Unusable>>()?,
    })
}

/// An alternative that asks for nothing lets everybody in.
fn security(document: &Document, entry: Entry<'_>) -> BTreeSet<String> {
    let owner = if entry.node.get("security").is_some() { entry.node } else { document.root() };
    let choices: Vec<_> = items(owner, "security").iter().filter_map(Value::as_object).collect();
    if choices.iter().any(|choice| choice.is_empty()) {
        return BTreeSet::new();
    }
    choices.into_iter().flat_map(Map::keys).cloned().collect()
}

/// `None` for a cookie: our services read none.
fn parameter(document: &Document, node: &Value) -> Result<Option<Parameter>, Unusable> {
    let place = match text(node, "in") {
        "path" => Place::Path,
        "query" => Place::Query,
        "header" => Place::Header,
        _ => return Ok(None),
    };
    let schema = node.get("schema").cloned().unwrap_or(Value::Bool(true));
    // `form`, which queries have unless told, separates values; `simple` does not.
    let is_exploded = node.get("explode").and_then(Value::as_bool);
    Ok(Some(Parameter {
        name: text(node, "name").to_owned(),
        place,
        is_required: is_true(node, "required"),
        is_exploded: is_exploded.unwrap_or(place == Place::Query),
        validator: document.compile(&schema)?,
        schema,
    }))
}

fn body(document: &Document, node: &Value) -> Result<Option<Body>, Unusable> {
    let body = node.get("requestBody").and_then(|body| document.resolve(body));
    let schema = body.and_then(|body| body.get("content")?.get(JSON)?.get("schema"));
    let (Some(body), Some(schema)) = (body, schema) else { return Ok(None) };
    Ok(Some(Body {
        is_required: is_true(body, "required"),
        validator: document.compile(schema)?,
        schema: schema.clone(),
    }))
}

fn expected(document: &Document, closed: &Document, node: &Value) -> Result<Expected, Unusable> {
    let node = document.resolve(node).unwrap_or(node);
    let anything = Value::Bool(true);
    let content = members(node, "content").map(|(media, content)| {
        let schema = content.get("schema").unwrap_or(&anything);
        Ok((media.clone(), closed.compile(&strict::close(document, schema))?))
    });
    let headers = members(node, "headers").map(|(name, header)| {
        let header = document.resolve(header).unwrap_or(header);
        let schema = header.get("schema").unwrap_or(&anything);
        Ok(ExpectedHeader {
            name: name.clone(),
            // Our generator of documents cannot say `required`; a header it names is a promise.
            is_required: header.get("required") != Some(&Value::Bool(false)),
            validator: document.compile(schema)?,
            schema: schema.clone(),
        })
    });
    Ok(Expected {
        codes: codes(text(node, "description")),
        headers: headers.collect::<Result<_, Unusable>>()?,
        content: content.collect::<Result<_, Unusable>>()?,
    })
}

/// The words of a description that are stable codes, such as `INVALID_CURSOR` or `TIMEOUT`.
fn codes(description: &str) -> BTreeSet<String> {
    let words = description.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let codes = words.filter(|word| {
        word.len() > 4
            && word.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
            && word.bytes().any(|byte| byte.is_ascii_uppercase())
    });
    codes.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_codes_of_a_description() {
        let found = codes("INVALID_REQUEST with errors[] or TIMEOUT, JSON in KRW; a String");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["INVALID_REQUEST", "TIMEOUT"]);
    }
}
