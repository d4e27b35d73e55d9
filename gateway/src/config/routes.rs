//! Routes as a file writes them, before their units are built.

mod metadata;
mod unit;

use tollgate_filters::{Invalid, MetadataValue, Span};

use super::context::{Context, Value, pieces};
use super::names::relaxed_equal;
use super::reader::{Item, Section};
use super::tree::Kind;
use super::values;

pub(super) use unit::{Unit, UnitKind, units};

/// One element of `routes`.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) id: Option<Text>,
    pub(super) uri: Option<Text>,
    pub(super) predicates: Vec<Unit>,
    /// Predicates that are no entries, as they are written.
    pub(super) broken_predicates: Vec<String>,
    pub(super) filters: Vec<Unit>,
    pub(super) order: i32,
    pub(super) metadata: Vec<(String, MetadataValue)>,
    pub(super) enabled: bool,
    pub(super) span: Span,
}

/// A text and where it stands.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) span: Span,
}

impl Text {
    fn of(value: &Value<'_>) -> Self {
        Self { text: value.text().into_owned(), span: value.span }
    }
}

/// Reads one element of `routes`; what is wrong with it is reported.
pub(super) fn definition(
    context: &Context<'_>,
    item: &Item<'_>,
    path: String,
) -> Option<Definition> {
    if let Some(section) = item.section(context, path) {
        return Some(from_section(section, item.span()));
    }
    let Some(value) = item.value(context) else {
        let problem = Invalid::new("wrong-type", "a route is a mapping, found a list");
        context.error(problem.or_at(item.span()));
        return None;
    };
    from_text(context, &value)
}

fn from_section(section: Section<'_, '_>, span: Span) -> Definition {
    let context = section.context;
    let id = section.value("id");
    let uri = section.value("uri");
    let order =
        required(&section, "order").and_then(|value| section.convert("order", &value, values::int));
    let enabled = required(&section, "enabled")
        .and_then(|value| section.convert("enabled", &value, values::boolean));
    let metadata = metadata(&section);
    let predicates = section.list("predicates");
    let filters = section.list("filters").unwrap_or_default();
    let mut broken_predicates = Vec::new();
    if predicates.as_ref().is_none_or(Vec::is_empty) {
        let name = section.name_of("predicates");
        let problem = Invalid::new("missing-predicates", format!("`{name}` must not be empty"))
            .with_help("a route for every request has `predicates: [Path=/**]`");
        context.error(problem.or_at(section.key_span("predicates")));
    }
    let predicates = predicates.unwrap_or_default();
    let predicates = units(&section, UnitKind::Predicate, &predicates, &mut broken_predicates);
    let filters = units(&section, UnitKind::Filter, &filters, &mut Vec::new());
    section.finish();
    for value in [&id, &uri].into_iter().flatten() {
        unresolved(context, value.span, &value.unresolved);
    }
    Definition {
        id: id.as_ref().map(Text::of).filter(|id| !id.text.is_empty()),
        uri: uri.as_ref().map(Text::of),
        predicates,
        broken_predicates,
        filters,
        order: order.unwrap_or(0),
        metadata,
        enabled: enabled.unwrap_or(true),
        span,
    }
}

/// A value that Spring refuses to bind if the key has none.
fn required<'a>(section: &Section<'_, 'a>, name: &'static str) -> Option<Value<'a>> {
    let value = section.value(name)?;
    if value.text().is_empty() {
        let message = format!("`{}` has no value", section.name_of(name));
        section.context.error(Invalid::new("missing-value", message).or_at(section.key_span(name)));
        return None;
    }
    Some(value)
}

fn metadata(section: &Section<'_, '_>) -> Vec<(String, MetadataValue)> {
    let found = section.entries("metadata");
    let context = section.context;
    for (_, entry) in &found {
        if !matches!(entry.value.kind, Kind::Map(_)) {
            let name = section.name_of("metadata");
            let problem = Invalid::new("wrong-type", format!("`{name}` must be a mapping"));
            context.error(problem.or_at(entry.span()));
        }
    }
    let nodes: Vec<_> = found.iter().map(|(_, entry)| &entry.value).collect();
    metadata::of(context, &nodes)
}

/// Reads a route in one text: `id=uri,predicate,predicate` (`predicates.md` 2.2).
fn from_text(context: &Context<'_>, value: &Value<'_>) -> Option<Definition> {
    let text = value.text();
    if !context.has_room(pieces(&text), value.span) {
        return None;
    }
    let malformed = || {
        Invalid::new("malformed-route", format!("`{text}` is not a route"))
            .with_help("write `id`, `uri` and `predicates`, or `id=uri,predicate,predicate`")
            .or_at(value.span)
    };
    let Some((id, rest)) = text.split_once('=').filter(|(id, _)| !id.is_empty()) else {
        context.error(malformed());
        return None;
    };
    let mut at = id.len() + 1;
    let mut pieces = rest.split(',').filter_map(|piece| {
        let trimmed = piece.trim();
        let lead = piece.len() - piece.trim_start().len();
        let start = at + lead;
        at += piece.len() + 1;
        (!trimmed.is_empty()).then(|| value.piece(start, trimmed))
    });
    let uri = pieces.next();
    let items: Vec<Item<'_>> = pieces.map(Item::Piece).collect();
    if items.is_empty() {
        context.error(malformed());
        return None;
    }
    let mut broken_predicates = Vec::new();
    let nowhere = Section::new(context, String::new(), Vec::new(), value.span);
    let predicates = units(&nowhere, UnitKind::Predicate, &items, &mut broken_predicates);
    unresolved(context, value.span, &value.unresolved);
    Some(Definition {
        id: Some(Text { text: id.to_owned(), span: value.piece(0, id).span }),
        uri: uri.as_ref().map(Text::of),
        predicates,
        broken_predicates,
        filters: Vec::new(),
        order: 0,
        metadata: Vec::new(),
        enabled: true,
        span: value.span,
    })
}

/// Reports placeholders that nothing knows.
pub(super) fn unresolved(context: &Context<'_>, span: Span, names: &[String]) {
    for name in names {
        context.complain(unresolved_problem(name).or_at(span));
    }
}

pub(super) fn unresolved_problem(name: &str) -> Invalid {
    let message = format!("`${{{name}}}` is unknown: no variable of the environment, no key");
    Invalid::new("unresolved-placeholder", message).with_help(format!(
        "set it, give it a default (`${{{name}:value}}`), or write `$\\{{{name}}}` for the text"
    ))
}

/// Whether a mapping of the file has none of these keys.
pub(super) fn has_none_of(item: &Item<'_>, names: &[&str]) -> bool {
    let Item::Nodes(nodes) = item else { return false };
    nodes.iter().all(|node| match &node.kind {
        Kind::Map(entries) => {
            !entries.iter().any(|entry| names.iter().any(|name| relaxed_equal(name, &entry.key)))
        }
        Kind::Plain | Kind::Text(_) | Kind::List(_) => true,
    })
}
