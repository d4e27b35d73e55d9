//! An `OpenAPI` document as JSON, with its references followed.

use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value, json};

pub(super) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/// A longer chain of references is a circle.
const LONGEST_CHAIN: usize = 16;

const NONE: &[Value] = &[];

/// The whole document.
#[derive(Debug, Clone)]
pub(super) struct Document {
    root: Value,
}

/// One method of one path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) path: &'a str,
    /// In lower case, as it is written.
    pub(super) method: &'a str,
    pub(super) node: &'a Value,
    shared: &'a Value,
}

impl Document {
    pub(super) fn new(root: Value) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// The node itself, or what its `$ref` leads to; `None` when that does not exist.
    pub(super) fn resolve<'a>(&'a self, node: &'a Value) -> Option<&'a Value> {
        let mut node = node;
        for _ in 0..LONGEST_CHAIN {
            let Some(target) = node.get("$ref").and_then(Value::as_str) else { return Some(node) };
            node = self.root.pointer(target.strip_prefix('#')?)?;
        }
        None
    }

    pub(super) fn entries(&self) -> Vec<Entry<'_>> {
        let mut entries = Vec::new();
        for (path, item) in members(&self.root, "paths") {
            let shared = self.resolve(item).unwrap_or(item);
            for (method, node) in shared.as_object().into_iter().flatten() {
                if METHODS.contains(&method.as_str()) {
                    entries.push(Entry { path, method, node, shared });
                }
            }
        }
        entries
    }

    /// The parameters of an operation, those of its path included unless it has its own.
    pub(super) fn parameters<'a>(&'a self, entry: Entry<'a>) -> Vec<&'a Value> {
        let resolved = |owner: &'a Value| {
            items(owner, "parameters").iter().filter_map(|node| self.resolve(node))
        };
        let own: Vec<_> = resolved(entry.node).collect();
        let is_own = |inherited: &Value| {
            own.iter().any(|parameter| {
                ["name", "in"].iter().all(|key| text(parameter, key) == text(inherited, key))
            })
        };
        let inherited: Vec<_> = resolved(entry.shared).filter(|node| !is_own(node)).collect();
        own.into_iter().chain(inherited).collect()
    }

    /// Every schema that is part of no other, with where it stands.
    pub(super) fn schemas(&self) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        collect_schemas(&self.root, "", &mut found);
        found
    }

    /// A validator for one schema; references lead into this document.
    pub(super) fn compile(&self, schema: &Value) -> Result<Validator, ValidationError<'static>> {
        let components = self.root.get("components");
        let standalone = json!({ "$schema": DIALECT, "allOf": [schema], "components": components });
        jsonschema::options().should_validate_formats(true).build(&standalone)
    }
}

impl Entry<'_> {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }
}

/// The values of the array `key`; none when there is no such array.
pub(super) fn items<'a>(node: &'a Value, key: &str) -> &'a [Value] {
    node.get(key).and_then(Value::as_array).map_or(NONE, Vec::as_slice)
}

/// The members of the object `key`; none when there is no such object.
pub(super) fn members<'a>(
    node: &'a Value,
    key: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    node.get(key).and_then(Value::as_object).into_iter().flatten()
}

/// The text `key`; empty when there is none.
pub(super) fn text<'a>(node: &'a Value, key: &str) -> &'a str {
    node.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether `key` is there and true.
pub(super) fn is_true(node: &Value, key: &str) -> bool {
    node.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// The name in braces, if a segment of a path is one.
pub(super) fn placeholder(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The types a schema names; none when it allows all.
pub(super) fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The schemas a schema consists of, with the way to them.
pub(super) fn subschemas(schema: &Value) -> Vec<(String, &Value)> {
    let Some(keywords) = schema.as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for (keyword, value) in keywords {
        match keyword.as_str() {
            "properties" | "patternProperties" | "$defs" | "dependentSchemas" => {
                found.extend(named(value).map(|(name, node)| (format!("{keyword}/{name}"), node)));
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                let parts = value.as_array().into_iter().flatten().enumerate();
                found.extend(parts.map(|(at, node)| (format!("{keyword}/{at}"), node)));
            }
            "items"
            | "contains"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "unevaluatedItems"
            | "propertyNames"
            | "not"
            | "if"
            | "then"
            | "else" => {
                found.push((keyword.clone(), value));
            }
            _ => {}
        }
    }
    found
}

fn named(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Examples are data, in which a member `schema` means nothing.
fn collect_schemas<'a>(node: &'a Value, at: &str, found: &mut Vec<(String, &'a Value)>) {
    match node {
        Value::Object(fields) => {
            for (key, value) in fields {
                let place = format!("{at}/{}", escape(key));
                match key.as_str() {
                    "schema" => found.push((place, value)),
                    "schemas" if at == "/components" => found.extend(component(value, &place)),
                    "example" | "examples" => {}
                    _ => collect_schemas(value, &place, found),
                }
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                collect_schemas(value, &format!("{at}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn component<'a>(schemas: &'a Value, at: &str) -> Vec<(String, &'a Value)> {
    let schemas: Option<&Map<_, _>> = schemas.as_object();
    let schemas = schemas.into_iter().flatten();
    schemas.map(|(name, schema)| (format!("{at}/{}", escape(name)), schema)).collect()
}

/// As a step of a JSON pointer (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
