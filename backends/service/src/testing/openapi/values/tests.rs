use std::collections::BTreeSet;

use jiff::civil::date;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::testing::openapi::fixture;

const CASES: usize = 1000;

/// Values, and whether each fits its schema.
type Drawn = Vec<(Value, bool)>;

/// Draws values that should fit, and values that should not.
fn draw(schema: &Value) -> (Drawn, Drawn) {
    let document = Document::new(fixture::document());
    let values = Values { document: &document, today: date(2025, 5, 1) };
    let validator = document.compile(schema).unwrap();
    let mut runner = TestRunner::deterministic();
    let mut drawn = |strategy: BoxedStrategy<Value>| -> Vec<_> {
        let drawn = (0..CASES).map(|_| strategy.new_tree(&mut runner).unwrap().current());
        drawn.map(|value| (value.clone(), validator.is_valid(&value))).collect()
    };
    (drawn(values.fitting(schema)), drawn(values.failing(schema)))
}

#[track_caller]
fn check(schema: &Value) {
    let (fitting, failing) = draw(schema);
    for (value, fits) in fitting {
        assert!(fits, "{value} does not fit {schema}");
    }
    let wrong = failing.iter().filter(|(_, fits)| !fits).count();
    assert!(wrong > CASES / 4, "only {wrong} of {CASES} values do not fit {schema}");
    let kinds: BTreeSet<_> = failing.iter().map(|(value, _)| value.to_string()).collect();
    assert!(kinds.len() > 5, "{kinds:?}");
}

#[test]
fn values_fit_or_fail_as_they_should() {
    for schema in [
        json!({ "type": "string", "minLength": 3, "maxLength": 5 }),
        json!({ "type": "string", "maxLength": 3000 }),
        json!({ "type": "string", "pattern": "^(id|name),(asc|desc)$" }),
        json!({ "type": "string", "pattern": "^[a-z]+([.][a-z]+)?$", "maxLength": 40 }),
        json!({ "type": "string", "format": "date" }),
        json!({ "type": "string", "format": "date-time" }),
        json!({ "type": "string", "format": "uuid" }),
        json!({ "type": "string", "format": "email" }),
        json!({ "type": ["string", "null"], "enum": ["A", "B", null] }),
        json!({ "type": "integer", "minimum": 1, "maximum": 20 }),
        json!({ "type": "integer", "exclusiveMinimum": 0, "format": "int32" }),
        json!({ "type": "number", "minimum": -90, "maximum": 90 }),
        json!({ "type": "boolean" }),
        json!({ "type": "array", "items": { "type": "integer" }, "minItems": 1, "maxItems": 3 }),
        json!({ "type": "object", "additionalProperties": { "type": "boolean" } }),
        json!({ "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/NewBook" }] }),
        json!({ "$ref": "#/components/schemas/Book" }),
    ] {
        check(&schema);
    }
}

#[test]
fn bounds_are_reached_and_crossed() {
    let (fitting, failing) = draw(&json!({ "type": "string", "minLength": 3, "maxLength": 9 }));
    let lengths = |drawn: &Drawn| -> BTreeSet<_> {
        let texts = drawn.iter().filter_map(|(value, _)| value.as_str());
        texts.map(|text| text.chars().count()).collect()
    };
    assert!(lengths(&fitting).is_superset(&BTreeSet::from([3, 9])));
    assert!(lengths(&failing).is_superset(&BTreeSet::from([0, 2, 10])));

    let (fitting, failing) = draw(&json!({ "type": "integer", "minimum": 3, "maximum": 9 }));
    let has = |drawn: &Drawn, wanted: i64| drawn.iter().any(|(value, _)| *value == wanted);
    assert!(has(&fitting, 3) && has(&fitting, 9));
    assert!(has(&failing, 2) && has(&failing, 10) && has(&failing, i64::MIN));
}

#[test]
fn members_go_missing_and_appear() {
    let (_, failing) = draw(&json!({ "$ref": "#/components/schemas/NewBook" }));
    let is_without = |name: &str| {
        failing.iter().any(|(value, _)| value.is_object() && value.get(name).is_none())
    };
    assert!(is_without("title") && is_without("pages"));
    assert!(failing.iter().any(|(value, _)| value.get("unknown").is_some()));
    assert!(failing.iter().any(|(value, _)| value.get("pages") == Some(&Value::Null)));
}

#[test]
fn texts_hold_what_programs_forget() {
    let (_, failing) = draw(&json!({ "type": "string" }));
    let holds = |wanted: &str| {
        failing.iter().any(|(value, _)| value.as_str().is_some_and(|text| text.contains(wanted)))
    };
    for wanted in ["\0", "\r\n", "👩", "'; DROP", "\u{202e}", "가가가가"] {
        assert!(holds(wanted), "{wanted:?}");
    }
}
