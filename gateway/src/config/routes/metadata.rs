//! The free values of a route, with their types (`predicates.md` 2.1).

use std::collections::HashMap;

use tollgate_filters::MetadataValue;

use crate::config::context::Context;
use crate::config::tree::{Entry, Kind, Node, Typed};

/// The pairs of mappings that belong together, the winning one first.
pub(super) fn of(context: &Context<'_>, nodes: &[&Node<'_>]) -> Vec<(String, MetadataValue)> {
    let mut pairs = Pairs::default();
    for node in nodes {
        if let Kind::Map(entries) = &node.kind {
            pairs.add(context, entries);
        }
    }
    pairs.into_values(context)
}

/// Keys in the order they are written, each with everything that stands under it: dotted keys
/// write one mapping in pieces.
#[derive(Default)]
struct Pairs<'a> {
    found: Vec<(String, Vec<&'a Node<'a>>)>,
    places: HashMap<String, usize>,
}

impl<'a> Pairs<'a> {
    fn add(&mut self, context: &Context<'_>, entries: &'a [Entry<'a>]) {
        for entry in entries {
            let key = key(context, entry);
            let place = *self.places.entry(key.clone()).or_insert(self.found.len());
            match self.found.get_mut(place) {
                Some((_, nodes)) => nodes.push(&entry.value),
                None => self.found.push((key, vec![&entry.value])),
            }
        }
    }

    fn into_values(self, context: &Context<'_>) -> Vec<(String, MetadataValue)> {
        let value = |nodes: &[&Node<'_>]| match nodes {
            [first, _, ..] if matches!(first.kind, Kind::Map(_)) => {
                MetadataValue::Map(of(context, nodes))
            }
            [first, ..] => value(context, first),
            [] => MetadataValue::Null,
        };
        self.found.into_iter().map(|(key, nodes)| (key, value(&nodes))).collect()
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
        // Spring binds a list among free values as a map of its places.
        Kind::List(items) if !context.strict => {
            let places = items.iter().enumerate();
            MetadataValue::Map(
                places.map(|(place, item)| (place.to_string(), value(context, item))).collect(),
            )
        }
        Kind::List(items) => {
            MetadataValue::List(items.iter().map(|item| value(context, item)).collect())
        }
        Kind::Map(_) => MetadataValue::Map(of(context, &[node])),
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
