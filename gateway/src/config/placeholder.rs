//! `${name:default}` in values (`predicates.md` 1.5).

use std::borrow::Cow;

use super::source::Source;
use super::tree::{Kind, Node};

/// Where the values of placeholders come from: the environment first, then the file.
pub(super) struct Properties<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    /// The documents that apply, the later one first.
    pub(super) documents: Vec<&'a Node<'a>>,
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

impl Properties<'_> {
    /// Fills in the placeholders of `text`.
    pub(super) fn resolve<'t>(&self, text: Cow<'t, str>) -> Result<Resolved<'t>, Unresolvable> {
        if !text.contains("${") {
            return Ok(Resolved { text, unresolved: Vec::new() });
        }
        let mut work =
            Work { properties: self, open: Vec::new(), unresolved: Vec::new(), steps: 0 };
        let text = Cow::Owned(work.fill(&text)?);
        Ok(Resolved { text, unresolved: work.unresolved })
    }

    fn lookup(&self, name: &str) -> Option<String> {
        environment_names(name).into_iter().find_map(|name| (self.environment)(&name)).or_else(
            || {
                let find =
                    |exact| self.documents.iter().find_map(|root| self.find(root, name, exact));
                find(true).or_else(|| (!name.contains(char::is_uppercase)).then(|| find(false))?)
            },
        )
    }

    /// The scalar under the path `rest`, with dashes of the file's keys counted or left out.
    fn find(&self, node: &Node<'_>, rest: &str, exact: bool) -> Option<String> {
        match &node.kind {
            Kind::Plain | Kind::Text(_) => {
                let typed = rest.is_empty().then(|| scalar(node, self.source))?;
                typed.map(Cow::into_owned)
            }
            Kind::List(items) => {
                let (index, behind) = rest.strip_prefix('[')?.split_once(']')?;
                let item = items.get(index.parse::<usize>().ok()?)?;
                self.find(item, behind.strip_prefix('.').unwrap_or(behind), exact)
            }
            Kind::Map(entries) => entries.iter().find_map(|entry| {
                let key: Cow<'_, str> = if exact {
                    Cow::Borrowed(&*entry.key)
                } else {
                    entry.key.replace('-', "").into()
                };
                let behind = match rest.strip_prefix('[') {
                    Some(inner) => inner.strip_prefix(&*key)?.strip_prefix(']')?,
                    None => rest.strip_prefix(&*key)?,
                };
                let inner = behind.strip_prefix('.').unwrap_or(behind);
                let whole = behind.is_empty() || behind.starts_with(['.', '[']);
                whole.then(|| self.find(&entry.value, inner, exact))?
            }),
        }
    }
}

fn scalar<'t>(node: &'t Node<'_>, source: &'t Source<'_>) -> Option<Cow<'t, str>> {
    node.typed(source).map(super::tree::Typed::text)
}

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
    steps: usize,
}

impl Work<'_> {
    fn fill(&mut self, text: &str) -> Result<String, Unresolvable> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let Some((inner, after)) = split_closing(behind) else {
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
            self.steps += 1;
            if self.steps > LONGEST || out.len() > LONGEST {
                return Err(Unresolvable::TooLarge);
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The value of what stands between the braces.
    fn value(&mut self, inner: &str) -> Result<String, Unresolvable> {
        let (written, default) = split_default(inner);
        let name = if written.contains("${") { self.fill(&written)? } else { written };
        if self.open.contains(&name) {
            return Err(Unresolvable::Circle(name));
        }
        if let Some(found) = self.properties.lookup(&name) {
            if !found.contains("${") {
                return Ok(found);
            }
            if self.open.len() > 64 {
                return Err(Unresolvable::TooLarge);
            }
            self.open.push(name);
            let filled = self.fill(&found);
            self.open.pop();
            return filled;
        }
        if let Some(default) = default {
            return self.fill(default);
        }
        self.unresolved.push(name);
        Ok(format!("${{{inner}}}"))
    }
}

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
