//! What is wrong with an `OpenAPI` 3.1 document.
//!
//! Its form is checked by an independent validator with the official schema. What that schema
//! leaves open, or what only our services promise, is checked here.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, draft202012};
use serde_json::Value;

use super::document::{Document, Entry, is_true, items, members, placeholder, subschemas, text};

/// The schema of documents by the `OpenAPI` Initiative, under the Apache License 2.0:
/// <https://spec.openapis.org/oas/3.1/schema/2026-08-03>.
const OFFICIAL: &str = include_str!("oas-3.1-2026-08-03.json");

const PROBLEM: &str = "application/problem+json";

/// What a schema may say: JSON Schema 2020-12 and the base vocabulary of `OpenAPI` 3.1.
const KEYWORDS: &str = "\
    $anchor $comment $defs $dynamicAnchor $dynamicRef $id $ref $schema additionalProperties \
    allOf anyOf const contains contentEncoding contentMediaType contentSchema default \
    dependentRequired dependentSchemas deprecated description discriminator else enum example \
    examples exclusiveMaximum exclusiveMinimum externalDocs format if items maxContains maxItems \
    maxLength maxProperties maximum minContains minItems minLength minProperties minimum \
    multipleOf not oneOf pattern patternProperties prefixItems properties propertyNames readOnly \
    required then title type unevaluatedItems unevaluatedProperties uniqueItems writeOnly xml";

/// Everything that is wrong with a document; nothing when it is fit to be published.
pub fn validate(document: &Value) -> Vec<String> {
    let document = Document::new(document.clone());
    let mut faults = against_the_official_schema(document.root());
    faults.extend(dangling_references(document.root()));
    for (at, schema) in document.schemas() {
        faults.extend(schema_faults(&document, &at, schema));
    }
    for entry in document.entries() {
        faults.extend(path_faults(&document, entry));
        faults.extend(answer_faults(&document, entry));
        faults.extend(security_faults(&document, entry.node, &entry.name()));
    }
    faults.extend(security_faults(&document, document.root(), "the document"));
    faults.extend(example_faults(&document));
    faults.extend(repeated_ids(&document));
    faults
}

fn against_the_official_schema(root: &Value) -> Vec<String> {
    let official: Result<Value, _> = serde_json::from_str(OFFICIAL);
    let validator = match official
        .map(|schema| jsonschema::options().should_validate_formats(true).build(&schema))
    {
        Ok(Ok(validator)) => validator,
        Ok(Err(error)) => return vec![format!("the official schema cannot be used: {error}")],
        Err(error) => return vec![format!("the official schema is not JSON: {error}")],
    };
    validator.iter_errors(root).map(|error| told("", &error)).collect()
}

/// Where, and what is wrong there, without the value: it may be the whole document.
fn told(at: &str, error: &ValidationError<'_>) -> String {
    let place = format!("{at}{}", error.instance_path());
    let place = if place.is_empty() { "the document" } else { &place };
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } =
        error.kind()
    {
        let reasons = context.iter().flatten().map(|error| error.masked().to_string());
        let reasons: Vec<_> = reasons.collect::<BTreeSet<_>>().into_iter().collect();
        return format!("{place}: {}", reasons.join(", or "));
    }
    format!("{place}: {}", error.masked())
}

fn dangling_references(root: &Value) -> Vec<String> {
    let mut references = BTreeSet::new();
    collect_references(root, &mut references);
    let dangling = references.into_iter().filter(|target| {
        let pointer = target.strip_prefix('#');
        pointer.is_none_or(|pointer| root.pointer(pointer).is_none())
    });
    dangling.map(|target| format!("`$ref` {target} leads nowhere in this document")).collect()
}

fn collect_references<'a>(node: &'a Value, found: &mut BTreeSet<&'a str>) {
    match node {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            let schematic = fields.iter().filter(|(key, _)| !is_data(key));
            for (_, value) in schematic {
                collect_references(value, found);
            }
        }
        Value::Array(values) => {
            for value in values {
                collect_references(value, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_data(key: &str) -> bool {
    matches!(key, "example" | "default" | "const" | "enum")
}

fn schema_faults(document: &Document, at: &str, schema: &Value) -> Vec<String> {
    let errors = draft202012::meta::validate(schema).err();
    let mut faults: Vec<_> = errors.iter().map(|error| told(at, error)).collect();
    if faults.is_empty() {
        // What only shows when it is used: patterns and references.
        let error = document.compile(schema).err();
        faults.extend(error.map(|error| format!("{at}: {}", error.masked())));
    }
    faults.extend(unknown_keywords(at, schema));
    faults
}

/// JSON Schema ignores what it does not know, so `nullable` or a misspelling would say nothing.
fn unknown_keywords(at: &str, schema: &Value) -> Vec<String> {
    let own = schema.as_object().into_iter().flatten().map(|(keyword, _)| keyword);
    let unknown = own.filter(|name| {
        !name.starts_with("x-") && !KEYWORDS.split_whitespace().any(|known| known == *name)
    });
    let mut faults: Vec<_> =
        unknown.map(|name| format!("{at}: OpenAPI 3.1 has no schema keyword `{name}`")).collect();
    for (step, part) in subschemas(schema) {
        faults.extend(unknown_keywords(&format!("{at}/{step}"), part));
    }
    faults
}

fn path_faults(document: &Document, entry: Entry<'_>) -> Vec<String> {
    let in_template: BTreeSet<_> = entry.path.split('/').filter_map(placeholder).collect();
    let parameters = document.parameters(entry);
    let in_path = parameters.iter().filter(|node| text(node, "in") == "path");
    let declared: BTreeMap<_, _> =
        in_path.map(|node| (text(node, "name"), is_true(node, "required"))).collect();
    let name = entry.name();
    let undeclared = in_template.iter().filter(|name| !declared.contains_key(*name));
    let optional = declared.iter().filter(|(_, is_required)| !**is_required);
    let unused = declared.keys().filter(|name| !in_template.contains(*name));
    let mut faults = Vec::new();
    faults.extend(
        undeclared.map(|found| format!("{name}: {{{found}}} is not declared as a path parameter")),
    );
    faults.extend(
        optional.map(|(found, _)| format!("{name}: path parameter `{found}` must be required")),
    );
    faults.extend(unused.map(|found| format!("{name}: no {{{found}}} in the path")));
    faults
}

fn answer_faults(document: &Document, entry: Entry<'_>) -> Vec<String> {
    let name = entry.name();
    let mut faults = Vec::new();
    let responses: Vec<_> = members(entry.node, "responses").collect();
    if !responses.iter().any(|(status, _)| status.starts_with('2')) {
        faults.push(format!("{name}: no answer with 2xx"));
    }
    let failures: Vec<_> =
        responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])).collect();
    if failures.is_empty() {
        faults.push(format!("{name}: no answer with 4xx or 5xx"));
    }
    let without_problem = failures.into_iter().filter(|(_, node)| {
        let response = document.resolve(node).unwrap_or(node);
        !members(response, "content").any(|(media, _)| media == PROBLEM)
    });
    faults.extend(
        without_problem.map(|(status, _)| format!("{name}: {status} is not told as {PROBLEM}")),
    );
    faults
}

fn security_faults(document: &Document, owner: &Value, name: &str) -> Vec<String> {
    let schemes = document.root().pointer("/components/securitySchemes");
    let wanted = items(owner, "security").iter().filter_map(Value::as_object).flatten();
    let missing = wanted
        .filter(|(scheme, _)| schemes.is_none_or(|schemes| schemes.get(scheme.as_str()).is_none()));
    missing.map(|(scheme, _)| format!("{name}: there is no security scheme `{scheme}`")).collect()
}

/// Examples and defaults, in schemas and beside them.
fn example_faults(document: &Document) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, schema) in document.schemas() {
        let owner = at.strip_suffix("/schema").and_then(|owner| document.root().pointer(owner));
        if let Some(owner) = owner {
            let named = members(owner, "examples").filter_map(|(_, example)| example.get("value"));
            for example in owner.get("example").into_iter().chain(named) {
                faults.extend(misfit(document, &at, schema, example));
            }
        }
        faults.extend(schema_examples(document, &at, schema));
    }
    faults
}

fn schema_examples(document: &Document, at: &str, schema: &Value) -> Vec<String> {
    let single = ["example", "default"].into_iter().filter_map(|key| schema.get(key));
    let examples = single.chain(items(schema, "examples"));
    let mut faults: Vec<_> =
        examples.filter_map(|example| misfit(document, at, schema, example)).collect();
    for (step, part) in subschemas(schema) {
        faults.extend(schema_examples(document, &format!("{at}/{step}"), part));
    }
    faults
}

fn misfit(document: &Document, at: &str, schema: &Value, example: &Value) -> Option<String> {
    // A schema that cannot be used has been reported as such.
    let validator = document.compile(schema).ok()?;
    let error = validator.iter_errors(example).next()?;
    Some(format!("{at}: the example {example} does not fit: {error}"))
}

fn repeated_ids(document: &Document) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let mut faults = Vec::new();
    for entry in document.entries() {
        let id = text(entry.node, "operationId");
        if id.is_empty() {
            faults.push(format!("{}: no operationId", entry.name()));
        } else if let Some(first) = seen.insert(id, entry.name()) {
            faults.push(format!("{}: operationId `{id}` belongs to {first}", entry.name()));
        }
    }
    faults
}

#[cfg(test)]
mod tests;
