//! A YAML file as a tree of nodes that know their place.

mod parse;
mod scalar;

use std::borrow::Cow;
use std::cell::Cell;

use tollgate_filters::Span;

use super::source::Source;

pub(super) use parse::{Broken, documents};
pub(super) use scalar::Typed;

/// A place in the file, half the size of a [`Span`]: a tree has many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    start: u32,
    end: u32,
}

impl Place {
    pub(super) fn new(start: usize, end: usize) -> Self {
        let short = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: short(start), end: short(end) }
    }

    pub(super) fn span(self) -> Span {
        let wide = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
        Span::new(wide(self.start), wide(self.end))
    }
}

/// One node.
#[derive(Debug)]
pub(super) struct Node<'t> {
    place: Place,
    pub(super) kind: Kind<'t>,
}

/// What a [`Node`] is.
#[derive(Debug)]
pub(super) enum Kind<'t> {
    /// A plain scalar on one line: its text is the file's.
    Plain,
    /// A quoted or block scalar, or a plain one over several lines, as it reads.
    Text(Cow<'t, str>),
    /// A list.
    List(Vec<Node<'t>>),
    /// A mapping, in the order it is written. Dotted keys are taken apart, so a key may come
    /// more than once.
    Map(Vec<Entry<'t>>),
}

/// One key of a mapping with its value.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    /// The key, without brackets.
    pub(super) key: Cow<'t, str>,
    /// Whether the key stood in brackets, which keep every character.
    pub(super) bracketed: bool,
    place: Place,
    pub(super) value: Node<'t>,
    /// Whether something has read the key.
    pub(super) used: Cell<bool>,
}

impl<'t> Entry<'t> {
    /// An entry of a key that may have dots.
    fn dotted(key: String, place: Place, value: Node<'t>) -> Self {
        let key = Cow::Owned(key);
        let mut entry = Self { key, bracketed: false, place, value, used: Cell::new(false) };
        parse::take_apart(&mut entry);
        entry
    }

    /// Where the key stands.
    pub(super) fn span(&self) -> Span {
        self.place.span()
    }

    /// The place in a list that the key names.
    pub(super) fn index(&self) -> Option<usize> {
        let digits = self.key.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| self.key.parse().ok()).flatten()
    }
}

/// A text and its place.
pub(super) type Written = (String, Span);

impl<'t> Node<'t> {
    /// A document of dotted keys and texts.
    pub(super) fn document(pairs: Vec<(Written, Written)>) -> Self {
        let entry = |((key, key_span), (value, span)): (Written, Written)| {
            let place = |span: Span| Place::new(span.start, span.end);
            let value = Self { place: place(span), kind: Kind::Text(Cow::Owned(value)) };
            Entry::dotted(key, place(key_span), value)
        };
        let entries: Vec<Entry<'t>> = pairs.into_iter().map(entry).collect();
        let kind = if entries.is_empty() { Kind::Plain } else { Kind::Map(entries) };
        Self { place: Place::default(), kind }
    }

    /// Where the node stands: for a mapping, where its first key does.
    pub(super) fn span(&self) -> Span {
        let span = self.place.span();
        match &self.kind {
            Kind::Map(entries) if span.start == span.end => {
                entries.first().map_or(span, Entry::span)
            }
            Kind::List(items) if span.start == span.end => items.first().map_or(span, Node::span),
            Kind::Plain | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => span,
        }
    }

    /// Whether the node has no value at all.
    pub(super) fn is_null(&self, source: &Source<'t>) -> bool {
        matches!(self.typed(source), Some(Typed::Null))
    }

    /// The value of a scalar.
    pub(super) fn typed(&self, source: &Source<'t>) -> Option<Typed<'t>> {
        match &self.kind {
            Kind::Plain => Some(Typed::plain(source.slice(self.place.span()))),
            Kind::Text(text) => Some(Typed::Text(text.clone())),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }
}
