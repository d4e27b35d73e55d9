//! The free values of a route, with their types (`predicates.md` 2.1).

use tollgate_filters::MetadataValue;

use crate::config::reader::Context;
use crate::config::tree::{Entry, Kind, Node, Typed};

/// The pairs of mappings that belong together, the winning one first.
pub(super) fn of(context: &Context<'_>, nodes: &[&Node<'_>]) -> Vec<(String, MetadataValue)> {
    let mut pairs = Vec::new();
    for node in nodes {
        if let Kind::Map(entries) = &node.kind {
            for entry in entries {
                add(context, &mut pairs, entry);
            }
        }
    }
    pairs
}

/// Adds one pair; two mappings of one name, as dotted keys make them, become one.
fn add(context: &Context<'_>, pairs: &mut Vec<(String, MetadataValue)>, entry: &Entry<'_>) {
    let key = key(context, entry);
    let value = value(context, &entry.value);
    match pairs.iter_mut().find(|(known, _)| *known == key) {
        None => pairs.push((key, value)),
        Some((_, known)) => merge(known, value),
    }
}

fn merge(known: &mut MetadataValue, more: MetadataValue) {
    if let (MetadataValue::Map(known), MetadataValue::Map(more)) = (known, more) {
        for (key, value) in more {
            match known.iter_mut().find(|(other, _)| *other == key) {
                None => known.push((key, value)),
                Some((_, other)) => merge(other, value),
            }
        }
    }
}

/// Spring drops odd characters from the keys of maps unless they stand in brackets.
fn key(context: &Context<'_>, entry: &Entry<'_>) -> String {
    if context.strict || entry.bracketed {
        return entry.key.to_string();
    }
    let kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    entry.key.chars().filter(kept).collect()
}

fn value(context: &Context<'_>, node: &Node<'_>) -> MetadataValue {
    match &node.kind {
        Kind::List(items) => {
            MetadataValue::List(items.iter().map(|item| value(context, item)).collect())
        }
        Kind::Map(entries) => {
            let mut pairs = Vec::with_capacity(entries.len());
            for entry in entries {
                add(context, &mut pairs, entry);
            }
            MetadataValue::Map(pairs)
        }
        Kind::Plain | Kind::Text(_) => scalar(context, node),
    }
}

fn scalar(context: &Context<'_>, node: &Node<'_>) -> MetadataValue {
    let Some(value) = context.value(node) else { return MetadataValue::Null };
    super::unresolved(context, value.span, &value.unresolved);
    match value.typed {
        // A key with nothing behind it binds as empty text, which is not a real null: a null
        // `response-timeout` would switch the limit off (`predicates.md` 2.9).
        Typed::Null => MetadataValue::Text(String::new()),
        Typed::Boolean(value) => MetadataValue::Boolean(value),
        Typed::Integer(digits) => match digits.parse() {
            Ok(number) => MetadataValue::Integer(number),
            Err(_) => MetadataValue::Text(digits.into_owned()),
        },
        Typed::Float(number) => MetadataValue::Float(number),
        Typed::Text(text) => MetadataValue::Text(text.into_owned()),
    }
}
