//! Reads sections of a file and notices what nobody read.
//!
//! A section is one mapping, or several that a file writes for the same name: nested and dotted,
//! or in several documents. What stands first in a section wins.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;

use tollgate_filters::{Invalid, Severity, Span};

use super::context::{Context, Value, pieces};
use super::later::{SPRING_CLOUD_GATEWAY, is_later};
use super::names::{relaxed_equal, suggestion};
use super::tree::{Entry, Kind, Node};

/// What stands under one name: one node, or several for the same thing.
#[derive(Debug, Clone)]
pub(super) enum Item<'a> {
    /// Nodes of one document.
    Nodes(Vec<&'a Node<'a>>),
    /// A piece of a list that is written as one text.
    Piece(Value<'a>),
}

impl<'a> Item<'a> {
    /// Where it stands.
    pub(super) fn span(&self) -> Span {
        match self {
            Self::Nodes(nodes) => nodes.first().map(|node| node.span()).unwrap_or_default(),
            Self::Piece(value) => value.span,
        }
    }

    /// The value, if it is a scalar.
    pub(super) fn value(&self, context: &Context<'a>) -> Option<Value<'a>> {
        match self {
            Self::Nodes(nodes) => nodes.first().and_then(|node| context.value(node)),
            Self::Piece(value) => Some(value.clone()),
        }
    }

    /// The section, if it is a mapping.
    pub(super) fn section<'c>(
        &self,
        context: &'c Context<'a>,
        path: impl Into<String>,
    ) -> Option<Section<'c, 'a>> {
        let Self::Nodes(nodes) = self else { return None };
        let parts: Vec<Part<'a>> = nodes
            .iter()
            .filter_map(|node| match &node.kind {
                Kind::Map(entries) => Some((0, entries.as_slice())),
                Kind::Plain | Kind::Text(_) | Kind::List(_) => None,
            })
            .collect();
        (!parts.is_empty()).then(|| Section::new(context, path.into(), parts, self.span()))
    }
}

/// A mapping and the rank of its document.
type Part<'a> = (usize, &'a [Entry<'a>]);

/// A mapping that is being read.
#[derive(Debug)]
pub(super) struct Section<'c, 'a> {
    pub(super) context: &'c Context<'a>,
    /// Names of the sections around it, joined by dots.
    pub(super) path: String,
    parts: Vec<Part<'a>>,
    span: Span,
    /// Whether what nobody reads is an error.
    strict: bool,
    /// Names that were asked for.
    known: RefCell<Vec<Cow<'static, str>>>,
}

impl<'c, 'a> Section<'c, 'a> {
    pub(super) fn new(
        context: &'c Context<'a>,
        path: String,
        parts: Vec<Part<'a>>,
        span: Span,
    ) -> Self {
        let strict = context.strict;
        Self { context, path, parts, span, strict, known: RefCell::default() }
    }

    /// The section at the root of documents, the winning one first.
    pub(super) fn root(context: &'c Context<'a>, documents: &[&'a Node<'a>]) -> Self {
        let parts = documents.iter().enumerate().filter_map(|(rank, node)| match &node.kind {
            Kind::Map(entries) => Some((rank, entries.as_slice())),
            Kind::Plain | Kind::Text(_) | Kind::List(_) => None,
        });
        Self::new(context, String::new(), parts.collect(), Span::default())
    }

    /// The section as part of a native file, whatever the file is.
    pub(super) fn strictly(mut self) -> Self {
        self.strict = true;
        self
    }

    /// An error in strict sections, a warning in others.
    fn complain(&self, problem: Invalid) {
        if self.strict { self.context.error(problem) } else { self.context.warn(problem) }
    }

    /// Both sections as one; what stands in this one wins within a document.
    pub(super) fn and(self, other: Section<'c, 'a>) -> Self {
        let mut parts = self.parts;
        parts.extend(other.parts);
        parts.sort_by_key(|(rank, _)| *rank);
        Self::new(self.context, other.path, parts, self.span)
    }

    /// Where the section begins.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// The full name of a key.
    pub(super) fn name_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Everything written under `name`, the winning one first: later documents beat earlier ones,
    /// and within one document the spelling in kebab-case beats others (`predicates.md` 1.4).
    pub(super) fn entries(
        &self,
        name: impl Into<Cow<'static, str>>,
    ) -> Vec<(usize, &'a Entry<'a>)> {
        let name = name.into();
        let mut found: Vec<(usize, &'a Entry<'a>)> = Vec::new();
        for (rank, entries) in &self.parts {
            let matching = entries.iter().filter(|entry| relaxed_equal(&entry.key, &name));
            found.extend(matching.map(|entry| (*rank, entry)));
        }
        for (_, entry) in &found {
            entry.used.set(true);
        }
        if found.len() > 1 {
            found.sort_by_key(|(rank, entry)| (*rank, entry.key != name));
            self.refuse_repeated(&name, &found);
        }
        self.known.borrow_mut().push(name);
        found
    }

    /// Two values for one name in one document: YAML refuses the same spelling twice, and strict
    /// files refuse two spellings as well.
    fn refuse_repeated(&self, name: &str, found: &[(usize, &'a Entry<'a>)]) {
        if !self.strict {
            return;
        }
        let is_map = |entry: &Entry<'_>| matches!(entry.value.kind, Kind::Map(_));
        let mut first: Option<(usize, &Entry<'a>)> = None;
        let mut first_value: Option<(usize, &Entry<'a>)> = None;
        for (rank, entry) in found {
            let other = if is_map(entry) { first_value } else { first };
            if let Some((_, other)) = other.filter(|(other, _)| other == rank) {
                let (one, two) = (other.span().min(entry.span()), other.span().max(entry.span()));
                let line = self.context.source.lines.line(one.start);
                let name = self.name_of(name);
                let message = format!("`{name}` is given twice, first on line {line}");
                self.context.error(Invalid::new("duplicate-key", message).or_at(two));
            }
            if first.is_none_or(|(known, _)| known != *rank) {
                first = Some((*rank, entry));
            }
            if !is_map(entry) {
                first_value = Some((*rank, entry));
            }
        }
    }

    /// What stands under `name` in the winning document.
    pub(super) fn item(&self, name: impl Into<Cow<'static, str>>) -> Option<Item<'a>> {
        let found = self.entries(name);
        let (winner, spelling) = found.first()?;
        // Pieces of one list have the same spelling: `routes[0].id`, `routes[0].uri`.
        let same = |rank: &usize, entry: &Entry<'a>| rank == winner && entry.key == spelling.key;
        let nodes = found.iter().filter(|(rank, entry)| same(rank, entry));
        Some(Item::Nodes(nodes.map(|(_, entry)| &entry.value).collect()))
    }

    /// Where the key `name` stands; the section if it is not there.
    pub(super) fn key_span(&self, name: &str) -> Span {
        let find = |entries: &'a [Entry<'a>]| entries.iter().find(|e| relaxed_equal(&e.key, name));
        self.parts.iter().find_map(|(_, entries)| find(entries)).map_or(self.span, Entry::span)
    }

    /// The mapping under `name`, over all documents.
    pub(super) fn section(&self, name: impl Into<Cow<'static, str>>) -> Option<Section<'c, 'a>> {
        let name = name.into();
        let found = self.entries(name.clone());
        let (_, first) = found.first()?;
        let mut parts = Vec::with_capacity(found.len());
        for (rank, entry) in &found {
            match &entry.value.kind {
                Kind::Map(entries) => parts.push((*rank, entries.as_slice())),
                Kind::Plain | Kind::Text(_) | Kind::List(_) => {
                    if !entry.value.is_null(self.context.source) {
                        let problem = Invalid::new(
                            "wrong-type",
                            format!("`{}` must be a mapping", self.name_of(&name)),
                        );
                        self.complain(problem.or_at(entry.value.span()));
                    }
                }
            }
        }
        let section = Section::new(self.context, self.name_of(&name), parts, first.span());
        Some(Self { strict: self.strict, ..section })
    }

    /// The scalar under `name`. A list or mapping in its place is a problem.
    pub(super) fn value(&self, name: &'static str) -> Option<Value<'a>> {
        let item = self.item(name)?;
        let value = item.value(self.context);
        if value.is_none() {
            let what = format!("`{}` must be one value", self.name_of(name));
            self.context.error(Invalid::new("wrong-type", what).or_at(item.span()));
        }
        value
    }

    /// The scalar under `name`, converted; what cannot be converted is a problem.
    pub(super) fn get<T>(
        &self,
        name: &'static str,
        convert: impl FnOnce(&Value<'a>) -> Result<T, Invalid>,
    ) -> Option<T> {
        let value = self.value(name)?;
        self.convert(name, &value, convert)
    }

    /// The scalar under `name`, as text.
    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        self.value(name).map(|value| value.text().into_owned())
    }

    /// Converts a value of this section.
    pub(super) fn convert<T>(
        &self,
        name: &str,
        value: &Value<'a>,
        convert: impl FnOnce(&Value<'a>) -> Result<T, Invalid>,
    ) -> Option<T> {
        match convert(value) {
            Ok(converted) => Some(converted),
            Err(mut problem) => {
                problem.message = format!("`{}`: {}", self.name_of(name), problem.message);
                self.context.error(problem.or_at(value.span));
                None
            }
        }
    }

    /// The list under `name`, whole from the winning document; a text is split on commas. `None`
    /// if the key is not there; a key without a value is an empty list.
    pub(super) fn list(&self, name: impl Into<Cow<'static, str>>) -> Option<Vec<Item<'a>>> {
        let name = name.into();
        let Item::Nodes(nodes) = self.item(name.clone())? else { return None };
        let mut by_index: Vec<(usize, &'a Node<'a>)> = Vec::new();
        let mut other = None;
        for node in nodes {
            match &node.kind {
                Kind::List(items) => by_index.extend(items.iter().enumerate()),
                Kind::Map(entries) => {
                    for entry in entries {
                        if let Some(index) = entry.index() {
                            entry.used.set(true);
                            by_index.push((index, &entry.value));
                        } else {
                            other = Some(entry.span());
                        }
                    }
                }
                Kind::Plain | Kind::Text(_) => {
                    let value = self.context.value(node)?;
                    if by_index.is_empty() {
                        let room = self.context.has_room(pieces(&value.text()), value.span);
                        return Some(if room { split(&value) } else { Vec::new() });
                    }
                }
            }
        }
        if let (Some(span), true) = (other, by_index.is_empty()) {
            let problem =
                Invalid::new("wrong-type", format!("`{}` must be a list", self.name_of(&name)))
                    .with_help("start every element with `- `");
            self.complain(problem.or_at(span));
        }
        Some(self.elements(&name, by_index))
    }

    fn elements(&self, name: &str, mut found: Vec<(usize, &'a Node<'a>)>) -> Vec<Item<'a>> {
        if !found.is_sorted_by_key(|(index, _)| *index) {
            found.sort_by_key(|(index, _)| *index);
        }
        let mut items: Vec<Item<'a>> = Vec::with_capacity(found.len());
        for (index, node) in found {
            match (index.checked_sub(items.len()), items.last_mut()) {
                (Some(0), _) => items.push(Item::Nodes(vec![node])),
                (None, Some(Item::Nodes(nodes))) => nodes.push(node),
                _ => {
                    let message = format!("`{}[{}]` is missing", self.name_of(name), items.len());
                    let help = "the elements of a list are numbered from 0 without a gap";
                    let problem = Invalid::new("list-gap", message).with_help(help);
                    self.context.error(problem.or_at(node.span()));
                    break;
                }
            }
        }
        items
    }

    /// Texts of the list under `name`.
    pub(super) fn texts(&self, name: impl Into<Cow<'static, str>>) -> Option<Vec<String>> {
        let name = name.into();
        let items = self.list(name.clone())?;
        let text = |item: &Item<'a>| {
            let value = item.value(self.context);
            if value.is_none() {
                let what = format!("`{}` must be a list of texts", self.name_of(&name));
                self.context.error(Invalid::new("wrong-type", what).or_at(item.span()));
            }
            value.map(|value| value.text().into_owned())
        };
        Some(items.iter().filter_map(text).collect())
    }

    /// Every key with what stands under it, for mappings whose keys are free.
    pub(super) fn all(&self) -> Vec<&'a Entry<'a>> {
        let mut found: Vec<&'a Entry<'a>> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for (_, entries) in &self.parts {
            for entry in *entries {
                entry.used.set(true);
                if seen.insert(&*entry.key) {
                    found.push(entry);
                }
            }
        }
        found
    }

    /// What stands under one of [`Section::all`], if it is a mapping; if not, that is told.
    pub(super) fn mapping(
        &self,
        entry: &'a Entry<'a>,
        message: impl Into<String>,
        help: &str,
    ) -> Option<Section<'c, 'a>> {
        let path = self.name_of(&entry.key);
        let one = Item::Nodes(vec![&entry.value]).section(self.context, path);
        if one.is_none() {
            let problem = Invalid::new("wrong-type", message).with_help(help);
            self.context.error(problem.or_at(entry.span()));
        }
        one
    }

    /// The mapping under each key, over all documents, for mappings whose keys are free. A key
    /// without a value is an empty one.
    pub(super) fn sections(&self) -> Vec<(&'a str, Section<'c, 'a>)> {
        let mut found = Vec::new();
        for first in self.all() {
            let mut parts = Vec::new();
            let same = |entry: &&Entry<'a>| entry.key == first.key;
            for (rank, entries) in &self.parts {
                for entry in entries.iter().filter(same) {
                    if let Kind::Map(inner) = &entry.value.kind {
                        parts.push((*rank, inner.as_slice()));
                    } else if !entry.value.is_null(self.context.source) {
                        let what = format!("`{}` must be a mapping", self.name_of(&entry.key));
                        let problem = Invalid::new("wrong-type", what);
                        self.context.error(problem.or_at(entry.value.span()));
                    }
                }
            }
            let path = self.name_of(&first.key);
            let section = Section::new(self.context, path, parts, first.span());
            found.push((&*first.key, Self { strict: self.strict, ..section }));
        }
        found
    }

    /// Reports every key of the section that nobody read.
    ///
    /// Outside strict files, keys of other programs are only noted, and those of the gateway that
    /// nobody knows are warnings: the reference gateway ignores them silently.
    pub(super) fn finish(self) {
        let unread = self.parts.iter().flat_map(|(_, entries)| *entries);
        for entry in unread.filter(|entry| !entry.used.get()) {
            let severity = if self.strict { Severity::Error } else { Severity::Warning };
            if self.context.problems.borrow().is_full(severity) {
                self.context.problems.borrow_mut().count(severity);
                continue;
            }
            let name = self.name_of(&entry.key);
            let later = is_later(&name);
            let foreign = !name.starts_with(SPRING_CLOUD_GATEWAY);
            if !self.strict && (foreign || later) {
                self.context.ignored.borrow_mut().push((name, entry.span()));
                continue;
            }
            let help = if later {
                "Spring Cloud Gateway has this key, Tollgate does not have it yet".to_owned()
            } else {
                let asked = self.known.borrow();
                suggestion(&entry.key, &asked.iter().map(|name| &**name).collect::<Vec<_>>())
            };
            let problem = Invalid::new("unknown-key", format!("unknown key `{name}`"));
            self.complain(problem.with_help(help).or_at(entry.span()));
        }
    }
}

/// Splits a list that is written as one text.
fn split<'a>(value: &Value<'a>) -> Vec<Item<'a>> {
    let text = value.text();
    let mut items = Vec::new();
    let mut start = 0;
    for piece in text.split(',') {
        let trimmed = piece.trim();
        let lead = piece.len() - piece.trim_start().len();
        if !trimmed.is_empty() {
            items.push(Item::Piece(value.piece(start + lead, trimmed)));
        }
        start += piece.len() + 1;
    }
    items
}
