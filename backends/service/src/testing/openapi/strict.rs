//! Answers hold what the document says and nothing besides.
//!
//! JSON Schema lets an object have members nobody described. For our own answers that is a defect:
//! a client cannot know them. So every object that is described is closed here, as a whole: where
//! it is put together (`allOf`, `$ref`), no part may be closed by itself.

use serde_json::{Map, Value};

use super::document::{Document, types};

/// Deeper nesting is a circle of references, which adds nothing new.
const DEEPEST: usize = 12;

/// The same document with schemas that allow no undescribed members.
pub(super) fn closed(document: &Document) -> Document {
    let mut root = document.root().clone();
    let schemas = root.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    for schema in schemas.into_iter().flat_map(|schemas| schemas.values_mut()) {
        *schema = open(document, schema);
    }
    Document::new(root)
}

/// A schema that stands by itself: the body of an answer, a member, an item.
pub(super) fn close(document: &Document, schema: &Value) -> Value {
    let mut closed = open(document, schema);
    if let Some(keywords) = closed.as_object_mut()
        && describes_object(document, schema, DEEPEST)
    {
        keywords.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
    closed
}

/// A schema that is part of another: its members are closed, it is not.
fn open(document: &Document, schema: &Value) -> Value {
    let Some(keywords) = schema.as_object() else { return schema.clone() };
    let rewritten = keywords.iter().map(|(keyword, value)| {
        let value = match keyword.as_str() {
            "properties" | "patternProperties" => each(value, |node| close(document, node)),
            "prefixItems" => each(value, |node| close(document, node)),
            "items" | "additionalProperties" => close(document, value),
            "allOf" | "anyOf" | "oneOf" | "$defs" => each(value, |node| open(document, node)),
            "then" | "else" => open(document, value),
            _ => value.clone(),
        };
        (keyword.clone(), value)
    });
    Value::Object(rewritten.collect::<Map<_, _>>())
}

fn each(value: &Value, rewrite: impl Fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(nodes) => nodes.iter().map(rewrite).collect(),
        Value::Object(nodes) => {
            nodes.iter().map(|(name, node)| (name.clone(), rewrite(node))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Whether a schema names members, and no alternative of it is a map of anything.
fn describes_object(document: &Document, schema: &Value, deepest: usize) -> bool {
    let Some(deeper) = deepest.checked_sub(1) else { return false };
    let describes = |node: &Value| describes_object(document, node, deeper);
    let parts = |keyword| schema.get(keyword).and_then(Value::as_array);
    let own = schema.get("properties").is_some()
        || schema.get("$ref").is_some() && document.resolve(schema).is_some_and(&describes)
        || parts("allOf").is_some_and(|parts| parts.iter().any(describes));
    let alternatives = ["oneOf", "anyOf"].into_iter().filter_map(parts);
    let mut alternatives = alternatives.map(|alternatives| {
        alternatives.iter().any(describes)
            && alternatives.iter().all(|node| describes(node) || !admits_object(document, node))
    });
    own || alternatives.any(|is_described| is_described)
}

fn admits_object(document: &Document, schema: &Value) -> bool {
    let Some(schema) = document.resolve(schema) else { return true };
    let types = types(schema);
    let is_listed = schema.get("enum").or_else(|| schema.get("const")).is_some();
    types.contains(&"object") || (types.is_empty() && !is_listed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whether an answer fits a schema beside these components.
    fn fits(components: &Value, schema: &Value, answer: &Value) -> bool {
        let document = Document::new(json!({ "components": { "schemas": components } }));
        let validator = closed(&document).compile(&close(&document, schema)).unwrap();
        validator.is_valid(answer)
    }

    fn components() -> Value {
        json!({
            "Name": { "type": "object", "properties": { "name": { "type": "string" } } },
            "Person": { "allOf": [
                { "$ref": "#/components/schemas/Name" },
                { "type": "object", "properties": { "age": { "type": "integer" } } }
            ]},
            "Map": { "type": "object" }
        })
    }

    #[test]
    fn objects_put_together_are_closed_as_a_whole() {
        let person = json!({ "$ref": "#/components/schemas/Person" });
        assert!(fits(&components(), &person, &json!({ "name": "a", "age": 1 })));
        assert!(!fits(&components(), &person, &json!({ "name": "a", "age": 1, "more": 1 })));
    }

    #[test]
    fn members_and_items_are_closed() {
        let schema = json!({ "type": "object", "properties": {
            "all": { "type": "array", "items": { "$ref": "#/components/schemas/Name" } },
            "one": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Name" }] }
        }});
        assert!(fits(&components(), &schema, &json!({ "all": [{ "name": "a" }], "one": null })));
        assert!(!fits(&components(), &schema, &json!({ "all": [{ "more": 1 }] })));
        assert!(!fits(&components(), &schema, &json!({ "one": { "more": 1 } })));
    }

    #[test]
    fn maps_stay_open() {
        let schema = json!({ "type": "object", "properties": {
            "map": { "$ref": "#/components/schemas/Map" },
            "any": { "anyOf": [
                { "$ref": "#/components/schemas/Map" },
                { "$ref": "#/components/schemas/Name" }
            ]},
            "numbers": { "type": "object", "additionalProperties": { "type": "integer" } }
        }});
        let map = json!({ "map": { "more": 1 }, "any": { "more": 1 }, "numbers": { "a": 1 } });
        assert!(fits(&components(), &schema, &map));
        assert!(!fits(&components(), &schema, &json!({ "numbers": { "a": "b" } })));
    }
}
