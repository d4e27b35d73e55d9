//! What reading a file needs everywhere.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use tollgate_filters::{Invalid, Severity, Span};

use super::findings::{Findings, Found};
use super::placeholder::{Properties, Unresolvable};
use super::source::Source;
use super::tree::{Node, Typed};

/// The text of a file, its flavour, and a place for problems.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) source: &'a Source<'a>,
    /// Whether what nobody reads is an error.
    pub(super) strict: bool,
    pub(super) properties: Properties<'a>,
    pub(super) problems: RefCell<Findings>,
    /// How many units and arguments were read.
    pub(super) pieces: Cell<usize>,
    /// Keys that nobody read, of files that are not strict.
    pub(super) ignored: RefCell<Vec<(String, Span)>>,
}

/// Three units with two arguments each for 50,000 routes.
const MOST_PIECES: usize = 500_000;

/// How many pieces a text has that is split on commas.
pub(super) fn pieces(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b',').count() + 1
}

/// A scalar as it is used: with its placeholders filled in.
#[derive(Debug, Clone)]
pub(super) struct Value<'a> {
    pub(super) typed: Typed<'a>,
    pub(super) span: Span,
    /// Where the text begins in the file, if it stands there character by character.
    pub(super) offset: Option<usize>,
    /// Placeholders that nothing knows.
    pub(super) unresolved: Vec<String>,
}

impl<'a> Value<'a> {
    /// The value as text.
    pub(super) fn text(&self) -> Cow<'a, str> {
        self.typed.clone().text()
    }

    /// A part of the value; `text` must come from [`Value::text`].
    pub(super) fn piece(&self, at: usize, text: &str) -> Value<'a> {
        let offset = self.offset.map(|start| start + at);
        let is_in = |name: &str| text.contains(&format!("${{{name}"));
        Value {
            typed: Typed::Text(Cow::Owned(text.to_owned())),
            span: offset.map_or(self.span, |start| Span::new(start, start + text.len())),
            offset,
            unresolved: self.unresolved.iter().filter(|name| is_in(name)).cloned().collect(),
        }
    }
}

impl<'a> Context<'a> {
    pub(super) fn error(&self, problem: Invalid) {
        self.report(Severity::Error, problem);
    }

    pub(super) fn warn(&self, problem: Invalid) {
        self.report(Severity::Warning, problem);
    }

    fn report(&self, severity: Severity, problem: Invalid) {
        self.problems.borrow_mut().push(Found { severity, problem, route: None });
    }

    /// Counts units and arguments before they are made, because each takes far more room than it
    /// is long. False if there are too many, which is told once.
    pub(super) fn has_room(&self, pieces: usize, span: Span) -> bool {
        let before = self.pieces.get();
        let after = before.saturating_add(pieces);
        self.pieces.set(after);
        if before <= MOST_PIECES && after > MOST_PIECES {
            let message = format!("more than {MOST_PIECES} predicates, filters and arguments");
            let problem = Invalid::new("too-large", message)
                .with_help("split the routes over several gateways");
            self.error(problem.or_at(span));
        }
        after <= MOST_PIECES
    }

    /// An error in strict files, a warning in others.
    pub(super) fn complain(&self, problem: Invalid) {
        if self.strict { self.error(problem) } else { self.warn(problem) }
    }

    /// The value of a scalar node; `None` for a list or a mapping.
    pub(super) fn value(&self, node: &Node<'a>) -> Option<Value<'a>> {
        let span = node.span();
        let typed = node.typed(self.source)?;
        let offset = offset(&typed, self.source.slice(span), span);
        let as_written = Value { typed, span, offset, unresolved: Vec::new() };
        let Typed::Text(text) = &as_written.typed else { return Some(as_written) };
        if !text.contains("${") {
            return Some(as_written);
        }
        match self.properties.resolve(text.clone()) {
            Ok(resolved) => Some(Value {
                offset: offset.filter(|_| resolved.text == *text),
                typed: Typed::Text(resolved.text),
                span,
                unresolved: resolved.unresolved,
            }),
            Err(why) => {
                self.error(circle(&why).or_at(span));
                Some(as_written)
            }
        }
    }
}

/// Where a text begins in the file, if it stands there as it reads: plain or in quotes.
fn offset(typed: &Typed<'_>, slice: &str, span: Span) -> Option<usize> {
    let Typed::Text(text) = typed else { return None };
    if *text == slice {
        return Some(span.start);
    }
    let inner = slice.get(1..slice.len().saturating_sub(1))?;
    (inner == text).then_some(span.start + 1)
}

fn circle(why: &Unresolvable) -> Invalid {
    match why {
        Unresolvable::Circle(name) => {
            Invalid::new("placeholder-circle", format!("`${{{name}}}` refers to itself"))
        }
        Unresolvable::TooLarge => {
            Invalid::new("placeholder-circle", "the placeholders grow beyond 1 MiB or 64 levels")
        }
    }
}
