//! `${name:default}` in values (`predicates.md` 1.5).

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::source::Source;
use super::tree::{Kind, Node};

/// Where the values of placeholders come from: the environment first, then the file.
pub(super) struct Properties<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    /// The documents that apply, the later one first.
    pub(super) documents: Vec<&'a Node<'a>>,
    /// Built when a placeholder asks the file.
    index: OnceCell<Index>,
}

impl std::fmt::Debug for Properties<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Properties").field("documents", &self.documents.len()).finish()
    }
}

/// A value with its placeholders filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resolved<'t> {
    pub(super) text: Cow<'t, str>,
    /// Placeholders that nothing knows and that stay as they are written.
    pub(super) unresolved: Vec<String>,
}

/// Why placeholders cannot be filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unresolvable {
    /// A value refers to itself.
    Circle(String),
    /// Values that refer to values grow without end.
    TooLarge,
}

/// Longest text that placeholders may grow into.
const LONGEST: usize = 1 << 20;

/// How many characters are looked at to fill one value.
const MOST_WORK: usize = 1 << 24;

/// How deep placeholders may stand in placeholders and in their values.
const DEEPEST: usize = 64;

impl<'a> Properties<'a> {
    pub(super) fn new(
        source: &'a Source<'a>,
        environment: &'a dyn Fn(&str) -> Option<String>,
        documents: Vec<&'a Node<'a>>,
    ) -> Self {
        Self { source, environment, documents, index: OnceCell::new() }
    }

    /// Fills in the placeholders of `text`.
    pub(super) fn resolve<'t>(&self, text: Cow<'t, str>) -> Result<Resolved<'t>, Unresolvable> {
        if !text.contains("${") {
            return Ok(Resolved { text, unresolved: Vec::new() });
        }
        let mut work =
            Work { properties: self, open: Vec::new(), unresolved: Vec::new(), depth: 0, spent: 0 };
        let text = Cow::Owned(work.fill(&text)?);
        Ok(Resolved { text, unresolved: work.unresolved })
    }

    fn lookup(&self, name: &str) -> Option<String> {
        let given = environment_names(name).into_iter().find_map(|name| (self.environment)(&name));
        given.or_else(|| {
            let index = self.index.get_or_init(|| Index::of(self.source, &self.documents));
            index.find(name).map(ToString::to_string)
        })
    }
}

/// The text of every scalar of the file by its path.
#[derive(Debug, Default)]
struct Index {
    written: HashMap<String, Rc<str>>,
    /// Paths with a dash, without it.
    dashless: HashMap<String, Rc<str>>,
}

impl Index {
    fn of(source: &Source<'_>, documents: &[&Node<'_>]) -> Self {
        let mut index = Self::default();
        for document in documents {
            index.add(source, String::new(), document);
        }
        index
    }

    /// A name is found as it is written, and one in lower case also without dashes.
    fn find(&self, name: &str) -> Option<&Rc<str>> {
        self.written.get(name).or_else(|| self.dashless.get(name))
    }

    fn add(&mut self, source: &Source<'_>, path: String, node: &Node<'_>) {
        if path.len() > LONGEST_PATH {
            return;
        }
        match &node.kind {
            Kind::Plain | Kind::Text(_) => {
                let Some(typed) = node.typed(source) else { return };
                let text: Rc<str> = Rc::from(&*typed.text());
                if path.contains('-') {
                    let dashless = path.replace('-', "");
                    self.dashless.entry(dashless).or_insert_with(|| Rc::clone(&text));
                }
                self.written.entry(path).or_insert(text);
            }
            Kind::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.add(source, format!("{path}[{at}]"), item);
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    let key = &entry.key;
                    let inner = match (path.is_empty(), entry.bracketed) {
                        (_, true) => format!("{path}[{key}]"),
                        (true, false) => key.to_string(),
                        (false, false) => format!("{path}.{key}"),
                    };
                    self.add(source, inner, &entry.value);
                }
            }
        }
    }
}

/// A longer name is no property.
const LONGEST_PATH: usize = 256;

/// The names under which the environment may know a property.
fn environment_names(name: &str) -> Vec<String> {
    let plain: String =
        name.chars().map(|c| if matches!(c, '.' | '[' | ']') { '_' } else { c }).collect();
    let dashed = plain.replace('-', "_");
    let mut names = vec![name.to_owned(), plain.clone(), dashed.clone()];
    names.push(plain.replace('-', "").to_uppercase());
    names.push(dashed.to_uppercase());
    names.dedup();
    names
}

struct Work<'a> {
    properties: &'a Properties<'a>,
    /// Names whose values are being filled in.
    open: Vec<String>,
    unresolved: Vec<String>,
    depth: usize,
    spent: usize,
}

impl Work<'_> {
    fn fill(&mut self, text: &str) -> Result<String, Unresolvable> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let closing = split_closing(behind);
            self.spend(closing.map_or(behind.len(), |(inner, _)| inner.len()))?;
            let Some((inner, after)) = closing else {
                out.push_str(before);
                out.push_str("${");
                rest = behind;
                continue;
            };
            if let Some(before) = before.strip_suffix('\\') {
                out.push_str(before);
                out.push_str("${");
                rest = behind;
                continue;
            }
            out.push_str(before);
            out.push_str(&self.value(inner)?);
            rest = after;
            self.spend(out.len().saturating_sub(LONGEST) * MOST_WORK)?;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// Every brace that is looked for costs the text it is looked for in.
    fn spend(&mut self, work: usize) -> Result<(), Unresolvable> {
        self.spent = self.spent.saturating_add(work).saturating_add(1);
        if self.spent > MOST_WORK { Err(Unresolvable::TooLarge) } else { Ok(()) }
    }

    /// The value of what stands between the braces.
    fn value(&mut self, inner: &str) -> Result<String, Unresolvable> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Unresolvable::TooLarge);
        }
        let value = self.value_of(inner);
        self.depth -= 1;
        value
    }

    fn value_of(&mut self, inner: &str) -> Result<String, Unresolvable> {
        let (written, default) = split_default(inner);
        let name = if written.contains("${") { self.fill(&written)? } else { written };
        if self.open.contains(&name) {
            return Err(Unresolvable::Circle(name));
        }
        if let Some(found) = self.properties.lookup(&name) {
            if !found.contains("${") {
                return Ok(found);
            }
            self.open.push(name);
            let filled = self.fill(&found);
            self.open.pop();
            return filled;
        }
        if let Some(default) = default {
            return self.fill(default);
        }
        if self.unresolved.len() < MOST_UNRESOLVED && !self.unresolved.contains(&name) {
            self.unresolved.push(name);
        }
        Ok(format!("${{{inner}}}"))
    }
}

/// How many unknown names of one value are told.
const MOST_UNRESOLVED: usize = 10;

/// Splits behind a `${` at the brace that closes it; braces within count.
fn split_closing(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                let (inner, rest) = text.split_at(at);
                return Some((inner, rest.strip_prefix('}')?));
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Splits at the first colon outside inner placeholders; `\:` is a colon of the name.
fn split_default(inner: &str) -> (String, Option<&str>) {
    let mut name = String::with_capacity(inner.len());
    let mut depth = 0_usize;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                if name.ends_with('\\') {
                    name.pop();
                } else {
                    let default = inner.split_at(at).1.strip_prefix(':');
                    return (name, default);
                }
            }
            _ => {}
        }
        name.push(c);
    }
    (name, None)
}
