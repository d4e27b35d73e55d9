//! Values that fit a schema, and values that nearly do.

use std::collections::BTreeMap;
use std::iter;
use std::ops::RangeInclusive;

use jiff::ToSpan;
use jiff::civil::Date;
use proptest::char;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Union};
use proptest::string::string_regex;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::document::{Document, items, members, text, types};
use super::hostile;

/// Schemas that hold themselves are followed this deep.
const DEEPEST: usize = 5;
/// The longest text that is made up where a schema sets no limit.
const LONGEST_TEXT: u64 = 40;
/// The longest text that is made up to reach a limit.
const LONGEST_BOUNDARY: u64 = 2000;
const MOST_ITEMS: u64 = 5;
/// What is tried where a schema sets no upper bound.
const USUAL_NUMBERS: i64 = 100;

/// Letters that are more than a byte, or mean something somewhere.
const ODD_LETTERS: &[char] = &[' ', '-', '0', '\'', '"', '\\', '%', '&', 'é', '\u{301}', '🧳', '𝕏'];

/// Makes up values for the schemas of one document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) document: &'a Document,
    /// Dates lie around this one.
    pub(super) today: Date,
}

impl Values<'_> {
    /// Values that fit, those at the bounds more often than chance would have it.
    pub(super) fn fitting(self, schema: &Value) -> BoxedStrategy<Value> {
        self.fit(schema, DEEPEST)
    }

    /// Values that mostly do not fit, each for one reason.
    pub(super) fn failing(self, schema: &Value) -> BoxedStrategy<Value> {
        self.fail(schema, DEEPEST)
    }

    fn fit(self, schema: &Value, deepest: usize) -> BoxedStrategy<Value> {
        let schema = self.merged(schema);
        let made_up = self.make_up(&schema, deepest);
        let examples: Vec<_> = ["example", "default"]
            .iter()
            .filter_map(|key| schema.get(*key))
            .chain(items(&schema, "examples"))
            .cloned()
            .collect();
        // A schema says less than its examples: a number that exists, a pattern's usual form.
        if examples.is_empty() {
            made_up
        } else {
            prop_oneof![1 => select(examples), 3 => made_up].boxed()
        }
    }

    fn make_up(self, schema: &Value, deepest: usize) -> BoxedStrategy<Value> {
        let Some(deeper) = deepest.checked_sub(1) else { return Just(Value::Null).boxed() };
        if let Some(value) = schema.get("const") {
            return Just(value.clone()).boxed();
        }
        if let Some(Value::Array(values)) = schema.get("enum")
            && !values.is_empty()
        {
            return select(values.clone()).boxed();
        }
        let alternatives = [items(schema, "oneOf"), items(schema, "anyOf")].concat();
        if !alternatives.is_empty() {
            return Union::new(alternatives.iter().map(|node| self.fit(node, deeper))).boxed();
        }
        let types = types(schema);
        let types = if types.is_empty() { vec![implied_type(schema)] } else { types };
        Union::new(types.into_iter().map(|name| self.of_type(name, schema, deeper))).boxed()
    }

    fn of_type(self, name: &str, schema: &Value, deepest: usize) -> BoxedStrategy<Value> {
        match name {
            "string" => self.texts(schema),
            "integer" => integers(schema),
            "number" => numbers(schema),
            "boolean" => any::<bool>().prop_map(Value::from).boxed(),
            "array" => self.arrays(schema, deepest),
            "object" => self.objects(schema, deepest),
            _ => Just(Value::Null).boxed(),
        }
    }

    fn texts(self, schema: &Value) -> BoxedStrategy<Value> {
        let formatted = match text(schema, "format") {
            "date" => self.dates().boxed(),
            "date-time" => self.instants().boxed(),
            "uuid" => any::<u128>().prop_map(|bits| Uuid::from_u128(bits).to_string()).boxed(),
            "email" => "[a-z]{1,8}[.+]?[a-z0-9]{1,20}@[a-z]{1,8}\\.example".boxed(),
            "uri" | "uri-reference" => "https://[a-z]{1,8}\\.example/[a-z]{0,8}".boxed(),
            _ => patterned(schema).unwrap_or_else(|| plain(schema)),
        };
        formatted.prop_map(Value::from).boxed()
    }

    /// Mostly soon, so that two of them make a usable stay.
    fn dates(self) -> impl Strategy<Value = String> + use<> {
        let today = self.today;
        let days = prop_oneof![
            9 => 0..=10_i32,
            3 => 11..=92_i32,
            5 => -40_000..=-1_i32,
            1 => 93..=2000_i32,
        ];
        days.prop_map(move |days| today.saturating_add(days.days()).to_string())
    }

    fn instants(self) -> impl Strategy<Value = String> + use<> {
        let zones = select(vec!["Z", "+09:00", ".123456Z"]);
        (self.dates(), 0..24_u8, zones)
            .prop_map(|(date, hour, zone)| format!("{date}T{hour:02}:00:00{zone}"))
    }

    fn arrays(self, schema: &Value, deepest: usize) -> BoxedStrategy<Value> {
        let least = number(schema, "minItems").unwrap_or(0);
        let most = number(schema, "maxItems").unwrap_or(least + MOST_ITEMS);
        let anything = Value::Bool(true);
        let item = self.fit(schema.get("items").unwrap_or(&anything), deepest);
        let few = most.min(least + MOST_ITEMS);
        let lists = prop_oneof![
            4 => vec(item.clone(), range(least, few)),
            1 => vec(item, range(most.min(LONGEST_BOUNDARY), most.min(LONGEST_BOUNDARY)))
        ];
        lists.prop_map(Value::from).boxed()
    }

    fn objects(self, schema: &Value, deepest: usize) -> BoxedStrategy<Value> {
        let required = items(schema, "required");
        let described = members(schema, "properties").map(|(name, node)| {
            let is_required = required.iter().any(|wanted| wanted == name.as_str());
            let value = self.fit(node, deepest);
            let value = if is_required {
                value.prop_map(Some).boxed()
            } else {
                option::weighted(0.6, value).boxed()
            };
            let name = name.clone();
            value.prop_map(move |value| value.map(|value| (name.clone(), value))).boxed()
        });
        let described: Vec<_> = described.collect();
        let free = match schema.get("additionalProperties") {
            Some(node) if node.is_object() => {
                btree_map("[a-z]{1,8}", self.fit(node, deepest), 0..4).boxed()
            }
            _ => Just(BTreeMap::new()).boxed(),
        };
        (described, free)
            .prop_map(|(described, free)| described.into_iter().flatten().chain(free).collect())
            .boxed()
    }

    fn fail(self, schema: &Value, deepest: usize) -> BoxedStrategy<Value> {
        let schema = self.merged(schema);
        let Some(deeper) = deepest.checked_sub(1) else { return hostile::other_types() };
        let mut faults = vec![(3, hostile::other_types())];
        let alternatives = [items(&schema, "oneOf"), items(&schema, "anyOf")].concat();
        faults.extend(alternatives.iter().map(|node| (3, self.fail(node, deeper))));
        for name in types(&schema) {
            match name {
                "string" => faults.push((6, hostile::texts(&schema, self.today))),
                "integer" | "number" => faults.push((6, hostile::numbers(&schema))),
                "array" => faults.push((6, self.failing_arrays(&schema, deeper))),
                "object" => faults.push((12, self.failing_objects(&schema, deeper))),
                _ => {}
            }
        }
        Union::new_weighted(faults).boxed()
    }

    fn failing_arrays(self, schema: &Value, deepest: usize) -> BoxedStrategy<Value> {
        let anything = Value::Bool(true);
        let node = schema.get("items").unwrap_or(&anything);
        let most = number(schema, "maxItems").unwrap_or(LONGEST_BOUNDARY / 2) + 1;
        let (good, bad) = (self.fit(node, deepest), self.fail(node, deepest));
        let many = good.clone().prop_map(move |item| {
            // One more than are allowed, or many where no limit is told.
            Value::Array(iter::repeat_n(item, index(most)).collect())
        });
        let spoilt = (vec(good.clone(), 0..3), bad).prop_map(|(mut list, bad)| {
            list.push(bad);
            Value::from(list)
        });
        let twins = good.prop_map(|item| json!([item, item]));
        prop_oneof![3 => spoilt, 1 => Just(json!([])), 1 => twins, 1 => many].boxed()
    }

    /// One member wrong, missing or too many.
    fn failing_objects(self, schema: &Value, deepest: usize) -> BoxedStrategy<Value> {
        let good = self.objects(schema, deepest);
        let mut faults = vec![(1, with(good.clone(), "unknown", hostile::other_types()))];
        for (name, node) in members(schema, "properties") {
            faults.push((3, with(good.clone(), name, self.fail(node, deepest))));
            let name = name.clone();
            let without = good.clone().prop_map(move |mut object| {
                object.as_object_mut().and_then(|members| members.shift_remove(&name));
                object
            });
            faults.push((1, without.boxed()));
        }
        Union::new_weighted(faults).boxed()
    }

    /// The schema itself, with what its `$ref` and `allOf` add to it.
    fn merged(self, schema: &Value) -> Value {
        self.merge(schema, DEEPEST)
    }

    fn merge(self, schema: &Value, deepest: usize) -> Value {
        let mut merged = schema.as_object().cloned().unwrap_or_default();
        let Some(deeper) = deepest.checked_sub(1) else { return Value::Object(merged) };
        let target = merged.shift_remove("$ref").and_then(|_| self.document.resolve(schema));
        let parts = merged.shift_remove("allOf");
        let parts = parts.iter().filter_map(Value::as_array).flatten();
        for part in target.into_iter().chain(parts) {
            add(&mut merged, self.merge(part, deeper));
        }
        Value::Object(merged)
    }
}

fn add(merged: &mut Map<String, Value>, part: Value) {
    let Value::Object(part) = part else { return };
    for (keyword, value) in part {
        match (merged.get_mut(&keyword), value) {
            (Some(Value::Object(own)), Value::Object(more)) => own.extend(more),
            (Some(Value::Array(own)), Value::Array(more)) if keyword == "required" => {
                own.extend(more);
            }
            (Some(_), _) => {}
            (None, value) => {
                merged.insert(keyword, value);
            }
        }
    }
}

fn with(
    object: BoxedStrategy<Value>,
    name: &str,
    value: BoxedStrategy<Value>,
) -> BoxedStrategy<Value> {
    let name = name.to_owned();
    let changed = (object, value).prop_map(move |(mut object, value)| {
        object.as_object_mut().and_then(|members| members.insert(name.clone(), value));
        object
    });
    changed.boxed()
}

fn implied_type(schema: &Value) -> &'static str {
    if schema.get("properties").is_some() {
        return "object";
    }
    if schema.get("items").is_some() { "array" } else { "string" }
}

/// Texts of the schema's pattern; `None` without one, or with one that texts cannot be made from.
fn patterned(schema: &Value) -> Option<BoxedStrategy<String>> {
    let pattern = text(schema, "pattern");
    let open = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let (least, most) = (number(schema, "minLength"), number(schema, "maxLength"));
    let lengths = range(least.unwrap_or(0), most.unwrap_or(u64::MAX));
    let fits = move |text: &String| lengths.contains(&text.chars().count());
    Some(string_regex(open).ok()?.prop_filter("a length that is allowed", fits).boxed())
}

/// Texts of a length that is allowed, often the least or the most.
fn plain(schema: &Value) -> BoxedStrategy<String> {
    let least = number(schema, "minLength").unwrap_or(0);
    let most = number(schema, "maxLength").unwrap_or(least + LONGEST_TEXT);
    let boundary = most.min(least.max(LONGEST_BOUNDARY));
    let letters = || {
        prop_oneof![
            6 => char::range('a', 'z'),
            2 => char::range('가', '힣'),
            1 => select(ODD_LETTERS),
        ]
    };
    // Which letters they are hardly ever matters, and finding out takes many requests.
    let of_length = |least, most| vec(letters().no_shrink(), range(least, most));
    prop_oneof![
        1 => of_length(least, least),
        6 => of_length(least, boundary.min(least + LONGEST_TEXT)),
        1 => of_length(boundary, boundary),
    ]
    .prop_map(|letters| letters.into_iter().collect())
    .boxed()
}

fn integers(schema: &Value) -> BoxedStrategy<Value> {
    let (least, most) = bounds(schema);
    let largest = if text(schema, "format") == "int32" { i64::from(i32::MAX) } else { i64::MAX };
    let low = least.unwrap_or(0);
    let high = most.unwrap_or_else(|| low.saturating_add(USUAL_NUMBERS)).max(low);
    let near = low.saturating_add(10).min(high);
    prop_oneof![
        4 => low..=near,
        3 => low..=high,
        1 => Just(low),
        1 => Just(most.unwrap_or(largest)),
    ]
    .prop_map(Value::from)
    .boxed()
}

fn numbers(schema: &Value) -> BoxedStrategy<Value> {
    let bound = |key| schema.get(key).and_then(Value::as_f64);
    let low = bound("minimum").unwrap_or(0.0);
    let high = bound("maximum").unwrap_or(low + 100.0).max(low);
    prop_oneof![4 => low..=high, 1 => Just(low), 1 => Just(high)].prop_map(Value::from).boxed()
}

/// The least and the largest whole number a schema allows.
pub(super) fn bounds(schema: &Value) -> (Option<i64>, Option<i64>) {
    let bound = |key| schema.get(key).and_then(Value::as_i64);
    let above = bound("exclusiveMinimum").map(|bound| bound.saturating_add(1));
    let below = bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1));
    (bound("minimum").or(above), bound("maximum").or(below))
}

pub(super) fn number(schema: &Value, key: &str) -> Option<u64> {
    schema.get(key).and_then(Value::as_u64)
}

fn range(least: u64, most: u64) -> RangeInclusive<usize> {
    index(least)..=index(most.max(least))
}

pub(super) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
