//! YAML text to documents, with limits on what a file may ask of the machine.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy, Options};
use serde_yaml::{Error, Spanned};
use tollgate_filters::{Invalid, Span};

use super::{Entry, Kind, Node, Place};
use crate::config::source::Source;

/// Why a text is no tree.
#[derive(Debug)]
pub(in crate::config) enum Broken {
    /// It asks for more than a route file needs.
    Hostile(Invalid),
    /// It is not YAML.
    Syntax(Invalid),
}

/// The documents of a file, and what is wrong with them.
pub(in crate::config) type Documents<'t> = (Vec<Node<'t>>, Vec<Invalid>);

/// Reads every document of a file.
pub(in crate::config) fn documents<'t>(source: &Source<'t>) -> Result<Documents<'t>, Broken> {
    let mut nodes: Vec<Node<'t>> = serde_yaml::from_multiple_with_options(source.text, options())
        .map_err(|error| broken(&error, source))?;
    let mut refine = Refine { source, added: 0, problems: Vec::new() };
    for node in &mut nodes {
        refine.node(node);
    }
    if refine.added > SEGMENTS_IN_ALL {
        return Err(Broken::Hostile(too_large("dotted keys")));
    }
    Ok((nodes, refine.problems))
}

/// A file of 25,000 routes with three units each has 300,000 nodes.
const NODES: usize = 350_000;

/// The deepest key of Spring Cloud Gateway stands 12 levels deep. Every level takes stack while the
/// file is read.
const DEPTH: usize = 32;

fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_nodes: NODES,
            max_depth: DEPTH,
            max_events: 3 * NODES,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: NODES / 2,
        },
        // Both places of a repeated key are reported later; the parser knows only one.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        ignore_binary_tag_for_string: true,
        emit_comments: false,
        with_snippet: false,
    }
}

fn broken(error: &Error, source: &Source<'_>) -> Broken {
    let span = error.location().map_or(Span::default(), |place| {
        let whole = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let start = source.offset(whole(place.line()), whole(place.column()));
        let rest = source.text.get(start..).unwrap_or_default();
        Span::new(start, start + rest.chars().next().map_or(0, char::len_utf8))
    });
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or_default().to_owned();
    let over = matches!(
        error.without_snippet(),
        Error::Budget { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::RecursiveReferencesRequireWeakTypes { .. }
    ) || message.contains("limit exceeded");
    if over {
        return Broken::Hostile(too_large(&message).or_at(span));
    }
    let in_flow = message.contains("flow");
    let problem = Invalid::new("yaml-syntax", message).or_at(span);
    Broken::Syntax(if in_flow {
        problem.with_help("between `[` and `]`, a text with `{`, `}`, `,` or `: ` needs quotes")
    } else {
        problem
    })
}

fn too_large(what: &str) -> Invalid {
    Invalid::new("too-large", format!("the file asks for too much: {what}")).with_help(format!(
        "a file may have {NODES} values, half as many by aliases, at most {DEPTH} levels deep"
    ))
}

/// Gives scalar keys their text, and takes dotted keys apart: `a.b[0]: x` is `a: {b: {0: x}}`.
struct Refine<'s, 't> {
    source: &'s Source<'t>,
    /// How many values dotted keys have added.
    added: usize,
    problems: Vec<Invalid>,
}

impl<'t> Refine<'_, 't> {
    fn node(&mut self, node: &mut Node<'t>) {
        match &mut node.kind {
            Kind::Plain => {}
            Kind::Text(text) => {
                let span = node.place.span();
                if *text == self.source.slice(span) && !is_forced_text(self.source, span) {
                    node.kind = Kind::Plain;
                }
            }
            Kind::List(items) => items.iter_mut().for_each(|item| self.node(item)),
            Kind::Map(entries) => {
                for entry in entries.iter_mut() {
                    self.node(&mut entry.value);
                    if matches!(entry.key, Cow::Borrowed("")) {
                        let written = self.source.slice(entry.place.span());
                        entry.key = super::Typed::plain(written).text();
                    }
                }
                self.refuse_repeated(entries);
                for entry in entries {
                    self.dotted(entry);
                }
            }
        }
    }

    fn refuse_repeated(&mut self, entries: &[Entry<'t>]) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            // Most mappings have a handful of keys, and looking at them beats hashing them.
            let first = if entries.len() <= 8 {
                entries.iter().take(at).find(|other| other.key == entry.key).map(Entry::span)
            } else {
                let known = seen.get(&*entry.key).copied();
                seen.entry(&entry.key).or_insert(entry.span());
                known
            };
            if let Some(first) = first.filter(|_| self.problems.len() < MOST_REPEATED) {
                let line = self.source.lines.line(first.start);
                let message = format!("`{}` is given twice, first on line {line}", entry.key);
                self.problems.push(Invalid::new("duplicate-key", message).or_at(entry.span()));
            }
        }
    }

    fn dotted(&mut self, entry: &mut Entry<'t>) {
        if entry.key.contains(['.', '[']) && self.added <= SEGMENTS_IN_ALL {
            self.added += take_apart(entry);
        }
    }
}

/// How many repeated keys are told.
const MOST_REPEATED: usize = 1000;

/// A longer key is no property of anybody.
const SEGMENTS: usize = 64;

/// Segments of dotted keys in a file: each becomes a node.
const SEGMENTS_IN_ALL: usize = NODES / 4;

/// How far before a scalar its tag may begin. A file without blanks must not be read again for
/// every scalar.
const LOOK_BACK: usize = 128;

/// Whether a scalar that reads as it stands is text all the same: a tag or a block's header stands
/// before it.
fn is_forced_text(source: &Source<'_>, span: Span) -> bool {
    let from = source.text.floor_char_boundary(span.start.saturating_sub(LOOK_BACK));
    let before = source.text.get(from..span.start).unwrap_or_default();
    let mut words = before.split_whitespace().rev().filter(|word| !word.starts_with('&'));
    words.next().is_some_and(|word| word.starts_with(['!', '|', '>']))
}

/// Makes nested mappings of a dotted key, and tells how many names it has.
pub(super) fn take_apart(entry: &mut Entry<'_>) -> usize {
    let segments = segments(&entry.key);
    let count = segments.len();
    let mut segments = segments.into_iter().rev();
    let Some((mut key, mut bracketed)) = segments.next().filter(|_| count <= SEGMENTS) else {
        return count;
    };
    for (outer, outer_bracketed) in segments {
        let empty = Node { place: entry.value.place, kind: Kind::Plain };
        let inner = Entry {
            key: Cow::Owned(key),
            bracketed,
            place: entry.place,
            value: std::mem::replace(&mut entry.value, empty),
            used: Cell::new(false),
        };
        entry.value = Node { place: entry.place, kind: Kind::Map(vec![inner]) };
        (key, bracketed) = (outer, outer_bracketed);
    }
    entry.key = Cow::Owned(key);
    entry.bracketed = bracketed;
    count
}

/// `a.b[c.d]` is `a`, `b` and, in brackets, `c.d`.
fn segments(key: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut rest = key;
    while !rest.is_empty() {
        if let Some((inner, behind)) = rest.strip_prefix('[').and_then(|text| text.split_once(']'))
        {
            found.push((inner.to_owned(), true));
            rest = behind.strip_prefix('.').unwrap_or(behind);
            continue;
        }
        let end = rest.char_indices().skip(1).find(|(_, c)| matches!(c, '.' | '['));
        let (segment, behind) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        found.push((segment.trim_start_matches('.').to_owned(), false));
        rest = behind.strip_prefix('.').unwrap_or(behind);
    }
    found
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind<'de>>::deserialize(deserializer)?;
        let span = spanned.defined.span();
        let whole = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok());
        let start = whole(span.byte_offset()).unwrap_or(0);
        let end = start + whole(span.byte_len()).unwrap_or(0);
        Ok(Self { place: Place::new(start, end), kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Kind<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

/// Builds nodes. Numbers and truth values are dropped: their type is read from the file by the
/// rules of YAML 1.1, which the parser does not follow.
struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Kind<'de>, E> {
        Ok(Kind::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Kind<'de>, E> {
        Ok(Kind::Plain)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Kind<'de>, E> {
        Ok(Kind::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Kind<'de>, E> {
        Ok(Kind::Plain)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Kind<'de>, E> {
        Ok(Kind::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kind<'de>, E> {
        Ok(Kind::Plain)
    }

    fn visit_unit<E>(self) -> Result<Kind<'de>, E> {
        Ok(Kind::Plain)
    }

    fn visit_none<E>(self) -> Result<Kind<'de>, E> {
        Ok(Kind::Plain)
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind<'de>, E> {
        Ok(Kind::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Kind<'de>, E> {
        Ok(Kind::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Kind<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        items.shrink_to_fit();
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Kind<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Node<'de>>()? {
            let text = match key.kind {
                Kind::Text(text) => text,
                // Filled in by `refine`. A list or mapping as a key reads as its first character,
                // which no section knows.
                Kind::Plain | Kind::List(_) | Kind::Map(_) => Cow::Borrowed(""),
            };
            let value = access.next_value()?;
            let used = Cell::new(false);
            entries.push(Entry { key: text, bracketed: false, place: key.place, value, used });
        }
        entries.shrink_to_fit();
        Ok(Kind::Map(entries))
    }
}
