//! Predicates and filters as a file writes them, in both notations (`predicates.md` 1.7).

use tollgate_filters::{ArgValue, Argument, Entry, Invalid, Span};

use super::has_none_of;
use crate::config::context::{Context, Value, pieces};
use crate::config::reader::{Item, Section};
use crate::config::tree::{Kind, Node};

/// An entry and the placeholders in it that nothing knows.
#[derive(Debug)]
pub(in crate::config) struct Unit {
    pub(in crate::config) entry: Entry,
    pub(in crate::config) unresolved: Vec<String>,
}

/// Which of the two an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum UnitKind {
    Predicate,
    Filter,
}

impl UnitKind {
    /// The word for it.
    pub(in crate::config) fn noun(self) -> &'static str {
        match self {
            Self::Predicate => "predicate",
            Self::Filter => "filter",
        }
    }

    fn shortcut(self, text: &str, span: Span) -> Result<Entry, Invalid> {
        match self {
            Self::Predicate => Entry::predicate_shortcut(text, span),
            Self::Filter if text.trim().is_empty() => {
                Err(Invalid::new("malformed-filter", "a filter without a name").or_at(span))
            }
            Self::Filter => Ok(Entry::filter_shortcut(text, span)),
        }
    }
}

/// Reads a list of entries. Those that are none are reported, and kept as they are written.
pub(in crate::config) fn units(
    around: &Section<'_, '_>,
    kind: UnitKind,
    items: &[Item<'_>],
    broken: &mut Vec<String>,
) -> Vec<Unit> {
    let context = around.context;
    let mut units = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let path = || format!("{}[{at}]", around.name_of(&format!("{}s", kind.noun())));
        match unit(context, kind, item, path) {
            Ok(unit) => units.extend(unit),
            Err(problem) => {
                broken.push(context.source.slice(item.span()).to_owned());
                context.error(problem.or_at(item.span()));
            }
        }
    }
    units
}

/// Reads one entry; `None` if the file has too many already.
fn unit(
    context: &Context<'_>,
    kind: UnitKind,
    item: &Item<'_>,
    path: impl FnOnce() -> String,
) -> Result<Option<Unit>, Invalid> {
    if let Some(value) = item.value(context) {
        if !context.has_room(pieces(&value.text()), value.span) {
            return Ok(None);
        }
        return shortcut(kind, &value).map(Some);
    }
    let Some(section) = item.section(context, path()) else {
        let noun = kind.noun();
        return Err(Invalid::new("wrong-type", format!("a {noun} is no list"))
            .with_help("write `Name=arguments`, or `name:` and `args:`"));
    };
    if has_none_of(item, &["name", "args"]) {
        return Err(unbound(context, kind, item));
    }
    expanded(kind, section).map(Some)
}

fn shortcut(kind: UnitKind, value: &Value<'_>) -> Result<Unit, Invalid> {
    let text = value.text();
    let mut entry = kind.shortcut(&text, value.span)?;
    if let Some(offset) = value.offset {
        let mut at = entry.name.len();
        for argument in &mut entry.arguments {
            let ArgValue::Text(piece) = &argument.value else { continue };
            // Pieces come in order with nothing but blanks and commas between them.
            let found = text.get(at..).and_then(|rest| rest.find(piece.as_str()));
            let Some(start) = found.map(|found| at + found) else { continue };
            at = start + piece.len();
            argument.span = Span::new(offset + start, offset + at);
        }
    }
    Ok(Unit { entry, unresolved: value.unresolved.clone() })
}

/// `- Path: /foo`, a colon in the place of the equals sign.
fn unbound(context: &Context<'_>, kind: UnitKind, item: &Item<'_>) -> Invalid {
    let noun = kind.noun();
    let Item::Nodes(nodes) = item else { return Invalid::new("wrong-type", "no entry") };
    let first = nodes.iter().find_map(|node| match &node.kind {
        Kind::Map(entries) => entries.first(),
        Kind::Plain | Kind::Text(_) | Kind::List(_) => None,
    });
    let written = first.and_then(|entry| Some((&entry.key, context.value(&entry.value)?)));
    let help = match written {
        Some((key, value)) => format!("did you mean `{key}={}`?", value.text()),
        None => "write `Name=arguments`, or `name:` and `args:`".to_owned(),
    };
    let message = format!("a {noun} in a mapping has a `name` and `args`");
    Invalid::new("wrong-type", message).with_help(help)
}

fn expanded(kind: UnitKind, section: Section<'_, '_>) -> Result<Unit, Invalid> {
    let context = section.context;
    let name = section.value("name");
    let mut unresolved = name.as_ref().map(|name| name.unresolved.clone()).unwrap_or_default();
    let mut arguments = Arguments { context, found: Vec::new(), unresolved: &mut unresolved };
    for (_, entry) in section.entries("args") {
        match &entry.value.kind {
            Kind::Map(_) => arguments.add("", entry.span(), &entry.value),
            Kind::Plain | Kind::Text(_) if entry.value.is_null(context.source) => {}
            Kind::Plain | Kind::Text(_) | Kind::List(_) => {
                let problem = Invalid::new("wrong-type", "`args` is a mapping of names to values");
                context.error(problem.or_at(entry.value.span()));
            }
        }
    }
    let arguments = arguments.found;
    section.finish();
    let Some(name) = name.filter(|name| !name.text().is_empty()) else {
        let message = format!("a {} without a `name`", kind.noun());
        return Err(Invalid::new("missing-name", message));
    };
    let entry = Entry { name: name.text().into_owned(), arguments, span: name.span };
    Ok(Unit { entry, unresolved })
}

/// The arguments of an expanded entry, flattened: nested names are joined by dots, and the
/// elements of a list become one argument.
struct Arguments<'s, 'a> {
    context: &'s Context<'a>,
    found: Vec<Argument>,
    unresolved: &'s mut Vec<String>,
}

impl<'a> Arguments<'_, 'a> {
    fn add(&mut self, path: &str, key: Span, node: &Node<'a>) {
        match &node.kind {
            Kind::Plain | Kind::Text(_) => {
                if let Some((value, span)) = self.scalar(key, node) {
                    self.push(path, ArgValue::Text(value), span);
                }
            }
            Kind::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.element(path, at, item.span(), item);
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    match entry.index() {
                        Some(index) if !path.is_empty() => {
                            self.element(path, index, entry.span(), &entry.value);
                        }
                        _ => self.add(&join(path, &entry.key), entry.span(), &entry.value),
                    }
                }
            }
        }
    }

    fn element(&mut self, path: &str, index: usize, key: Span, node: &Node<'a>) {
        if matches!(node.kind, Kind::List(_) | Kind::Map(_)) {
            self.add(&join(path, &index.to_string()), key, node);
            return;
        }
        let Some((value, span)) = self.scalar(key, node) else { return };
        let same = |argument: &&mut Argument| argument.key.as_deref() == Some(path);
        // The elements of a list come one after the other, so only the last ones are looked at.
        let known = self.found.iter_mut().rev().take(NEIGHBOURS).find(same);
        match known.map(|argument| &mut argument.value) {
            Some(ArgValue::List(values)) => values.push(value),
            Some(ArgValue::Text(_)) | None => self.push(path, ArgValue::List(vec![value]), span),
        }
    }

    fn scalar(&mut self, key: Span, node: &Node<'a>) -> Option<(String, Span)> {
        let value = self.context.value(node)?;
        if !self.context.has_room(1, value.span) {
            return None;
        }
        self.unresolved.extend(value.unresolved.iter().cloned());
        // The key belongs to the place, unless an alias brought the value from elsewhere.
        let near = key.start <= value.span.start && value.span.start < key.end + 64;
        let span = if near { Span::new(key.start, value.span.end) } else { value.span };
        Some((value.text().into_owned(), span))
    }

    fn push(&mut self, path: &str, value: ArgValue, span: Span) {
        self.found.push(Argument { key: Some(path.to_owned()), value, span });
    }
}

/// How many arguments may stand between the elements of a list that is written with indices.
const NEIGHBOURS: usize = 64;

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
