//! Values that break programs: the neighbours of a bound, and old acquaintances.

use jiff::ToSpan;
use jiff::civil::Date;
use proptest::prelude::{Strategy, prop_oneof};
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;
use serde_json::{Value, json};

use super::document::text;
use super::values::{bounds, index, number};

/// Long enough for any limit that was forgotten, short enough for a target.
const LONG: usize = 1000;

/// Texts that are rarely thought of.
const TEXTS: &[&str] = &[
    "",
    " ",
    "\u{0}",
    "a\u{0}b",
    "\u{1}",
    "\u{7f}",
    "a\r\nX-Injected: 1",
    "\t",
    "\u{85}",
    "\u{202e}abc",
    "\u{feff}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{d7ff}",
    "\u{301}",
    "👩‍👩‍👧‍👦",
    "🇰🇷",
    "ß",
    "İ",
    "ﷺ",
    "١٢٣",
    "½",
    " padded ",
    "'",
    "'; DROP TABLE x; --",
    "\"",
    "\\",
    "%",
    "_",
    "*",
    "%00",
    "%2e%2e",
    "..",
    "../../etc/passwd",
    "<script>",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "null",
    "undefined",
    "NaN",
    "Infinity",
    "-0",
    "+1",
    "01",
    "0x10",
    "1e3",
    "1_000",
    "1,2",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "true",
    "TRUE",
    "me",
    "[]",
    "{}",
];

/// Dates that do not exist, or not in that form.
const DATES: &[&str] = &[
    "0000-00-00",
    "0000-01-01",
    "0001-01-01",
    "9999-12-31",
    "10000-01-01",
    "-000001-01-01",
    "+12025-01-01",
    "2025-02-29",
    "2025-13-01",
    "2025-01-32",
    "2025-1-1",
    "20250101",
    "2025-01-01T00:00",
    "2025-01-01 ",
    "01/02/2025",
    "2025-W01-1",
    "٢٠٢٥-٠١-٠١",
];

const INSTANTS: &[&str] = &[
    "2025-01-01",
    "2025-01-01T25:00:00Z",
    "2025-01-01T00:00:00",
    "2025-12-31T23:59:60Z",
    "9999-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "2025-01-01T00:00:00+99:99",
];

const UUIDS: &[&str] = &[
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "01968a3e000070008000000000000000",
    "{01968a3e-0000-7000-8000-000000000000}",
    "urn:uuid:01968a3e-0000-7000-8000-000000000000",
    "01968a3e-0000-7000-8000-00000000000",
    "01968A3E-0000-7000-8000-000000000000",
    "01968a3e-0000-7000-8000-00000000000g",
];

/// One value of each type, whatever was asked for.
pub(super) fn other_types() -> BoxedStrategy<Value> {
    let values = [json!(null), json!(true), json!(0), json!(-1), json!(1.5), json!(""), json!("x")];
    let nested = [json!([]), json!([null]), json!({}), json!({ "a": { "b": [1] } })];
    select([values.as_slice(), nested.as_slice()].concat()).boxed()
}

/// Texts that are too short, too long, or not of the form a schema asks for.
pub(super) fn texts(schema: &Value, today: Date) -> BoxedStrategy<Value> {
    let mut texts = owned(TEXTS);
    texts.extend(["가".repeat(LONG), "x".repeat(3 * LONG), "👩‍👩‍👧‍👦".repeat(LONG / 20)]);
    let mut close: Vec<String> = match text(schema, "format") {
        "date" => around(today).chain(owned(DATES)).collect(),
        "date-time" => owned(INSTANTS),
        "uuid" => owned(UUIDS),
        "email" => owned(&["a@", "@a.b", "a@b@c.d", "a@[::1]", "\"a b\"@c.d"]),
        _ => Vec::new(),
    };
    if let Some(most) = number(schema, "maxLength") {
        close.push("x".repeat(index(most + 1)));
        close.push("🧳".repeat(index(most + 1)));
        // As many characters as allowed, and more bytes.
        close.push("🧳".repeat(index(most)));
        close.push("\u{0}".repeat(index(most)));
    }
    if let Some(least) = number(schema, "minLength") {
        close.push("x".repeat(index(least.saturating_sub(1))));
        close.push(" ".repeat(index(least)));
    }
    let names = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    close.extend(names.filter_map(Value::as_str).map(str::to_lowercase));
    let texts = select(texts);
    if close.is_empty() {
        return texts.prop_map(Value::from).boxed();
    }
    prop_oneof![texts, select(close)].prop_map(Value::from).boxed()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The days at which rules about dates change.
fn around(today: Date) -> impl Iterator<Item = String> {
    let days = [-1, 0, 1, 30, 31, 89, 90, 91, 365, 36_500];
    days.into_iter().map(move |days: i32| today.saturating_add(days.days()).to_string())
}

/// Numbers beyond the bounds of a schema, of a type, or of reason.
pub(super) fn numbers(schema: &Value) -> BoxedStrategy<Value> {
    let (least, most) = bounds(schema);
    let bounds = [
        least.map(|bound| bound.saturating_sub(1)),
        most.map(|bound| bound.saturating_add(1)),
        least,
        most,
    ];
    let close: Vec<Value> = bounds.into_iter().flatten().map(Value::from).collect();
    let mut far = [0, -1, i64::from(i32::MAX) + 1, i64::MIN, i64::MAX].map(Value::from).to_vec();
    far.extend([json!(u64::MAX), json!(1.5), json!(1e300), json!(-1e-300), json!("1")]);
    if close.is_empty() {
        return select(far).boxed();
    }
    prop_oneof![3 => select(close), 2 => select(far)].boxed()
}
