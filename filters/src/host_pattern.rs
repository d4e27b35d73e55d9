//! The pattern language of the `Host` predicate (`predicates.md` 5.7).
//!
//! Pattern and host are split at their dots, empty pieces dropped. A piece `**` takes any number of
//! labels, every other piece exactly one: `?` is one character, `*` any number, `{name}` captures
//! any number, `{name:regex}` what the Java regex matches. As the split comes first, a regex cannot
//! have a dot. Matching minds case; the port is part of the last label.

use std::sync::Arc;

use crate::glob::{self, Glob};
use crate::java_regex::InvalidPattern;
use crate::predicate::{Piece, Shape};
use crate::{Failure, Variables};

/// A compiled host pattern.
#[derive(Debug, Clone)]
pub struct HostPattern {
    text: String,
    /// The labels between one `**` and the next; without any, there is one run.
    runs: Vec<Vec<Label>>,
    /// Why capturing fails once the whole host has matched.
    uncapturable: Option<String>,
}

#[derive(Debug, Clone)]
enum Label {
    Literal(String),
    /// `*`.
    Wildcard,
    /// `{name}`.
    Variable(Arc<str>),
    Mixed(Box<Glob>),
    /// Its regex is not one; the reference gateway finds out when it gets there.
    Broken(InvalidPattern),
}

impl HostPattern {
    /// Compiles a pattern. Every text is one; see [`HostPattern::problem`].
    pub fn parse(text: &str) -> Self {
        let mut run = Vec::new();
        let mut runs = Vec::new();
        for piece in pieces(text) {
            if piece == "**" {
                runs.push(std::mem::take(&mut run));
            } else {
                run.push(Label::parse(piece));
            }
        }
        runs.push(run);
        let uncapturable = runs.iter().flatten().find_map(|label| label.uncapturable(text));
        Self { text: text.to_owned(), runs, uncapturable }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Why evaluating the pattern fails, if it does: a regex that is not one or has groups, or a
    /// variable that takes a rest.
    pub fn problem(&self) -> Option<String> {
        self.runs.iter().flatten().find_map(|label| match label {
            Label::Broken(invalid) => Some(self.broken(invalid)),
            Label::Literal(_) | Label::Wildcard | Label::Variable(_) | Label::Mixed(_) => {
                label.uncapturable(&self.text)
            }
        })
    }

    /// The names of the variables, in order; a name may occur twice.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().flatten().flat_map(Label::names).map(|name| &**name)
    }

    /// Whether the pattern matches a host.
    ///
    /// # Errors
    ///
    /// [`HostPattern::problem`], or a regex takes too many steps.
    pub fn matches(&self, host: &str) -> Result<bool, Failure> {
        let matches = self.walk(host, |label, text| label.matches(text, self))?;
        match &self.uncapturable {
            Some(why) if matches => Err(Failure::Predicate(why.clone())),
            _ => Ok(matches),
        }
    }

    /// Sets the variables from a host that the pattern matches. Of two with one name, the last
    /// value wins.
    ///
    /// # Errors
    ///
    /// As [`HostPattern::matches`].
    pub fn capture(&self, host: &str, into: &mut Variables) -> Result<(), Failure> {
        let capture = |label: &Label, text: &str| {
            let matches = label.matches(text, self)?;
            if matches {
                label.capture(text, into)?;
            }
            Ok(matches)
        };
        self.walk(host, capture).map(drop)
    }

    /// What the labels of all hosts that the pattern matches have in common, from the right.
    pub fn shape(&self) -> Shape {
        let (Some(last), is_open) = (self.runs.last(), self.runs.len() > 1) else {
            return Shape::default();
        };
        if !is_open && matches!(last.last(), Some(Label::Wildcard)) {
            // `a.*` also matches `a.`, which has a label less.
            return Shape { pieces: Vec::new(), open: true };
        }
        if self.runs.iter().flatten().any(|label| matches!(label, Label::Broken(_))) {
            // It fails as soon as it is reached, on hosts of any length.
            return Shape { pieces: Vec::new(), open: true };
        }
        let piece = |label: &Label| match label {
            Label::Literal(text) => Piece::Literal(text.clone()),
            Label::Wildcard | Label::Variable(_) | Label::Mixed(_) | Label::Broken(_) => Piece::Any,
        };
        Shape { pieces: last.iter().rev().map(piece).collect(), open: is_open }
    }

    fn walk(
        &self,
        host: &str,
        mut visit: impl FnMut(&Label, &str) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        if host.starts_with('.') != self.text.starts_with('.') {
            return Ok(false);
        }
        let agree_on_end = host.ends_with('.') == self.text.ends_with('.');
        let mut labels = pieces(host);
        let Some((first, behind)) = self.runs.split_first() else { return Ok(false) };
        let mut wanted = first.iter();
        while let Some(label) = wanted.next() {
            let Some(text) = labels.next() else {
                let is_last = behind.is_empty() && wanted.len() == 0;
                return Ok(is_last && matches!(label, Label::Wildcard) && host.ends_with('.'));
            };
            if !visit(label, text)? {
                return Ok(false);
            }
        }
        let Some((last, middle)) = behind.split_last() else {
            return Ok(labels.next().is_none() && agree_on_end);
        };
        for (at, label) in last.iter().rev().enumerate() {
            let Some(text) = labels.next_back() else { return Ok(false) };
            if !visit(label, text)? || (at == 0 && !agree_on_end) {
                return Ok(false);
            }
        }
        for run in middle {
            loop {
                let mut ahead = labels.clone();
                if starts_with(&mut ahead, run, &mut visit)? {
                    labels = ahead;
                    break;
                }
                if labels.next().is_none() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn broken(&self, invalid: &InvalidPattern) -> String {
        format!("the regex of a variable in `{}`: {invalid}", self.text)
    }
}

fn starts_with(
    labels: &mut dyn Iterator<Item = &str>,
    run: &[Label],
    visit: &mut impl FnMut(&Label, &str) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    for label in run {
        let Some(text) = labels.next() else { return Ok(false) };
        if !visit(label, text)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn pieces(text: &str) -> impl DoubleEndedIterator<Item = &str> + Clone {
    text.split('.').filter(|piece| !piece.is_empty())
}

impl Label {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::Wildcard;
        }
        if !text.contains(['*', '?', '{']) {
            return Self::Literal(text.to_owned());
        }
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        if let Some(name) =
            inner.filter(|name| !name.is_empty() && !name.contains(['{', '}', ':', '/']))
        {
            return Self::Variable(name.into());
        }
        Glob::new(text).map_or_else(Self::Broken, |glob| Self::Mixed(Box::new(glob)))
    }

    fn matches(&self, text: &str, pattern: &HostPattern) -> Result<bool, Failure> {
        match self {
            Self::Literal(literal) => Ok(literal == text),
            Self::Wildcard | Self::Variable(_) => Ok(true),
            Self::Mixed(glob) => glob.matches(text),
            Self::Broken(invalid) => Err(Failure::Predicate(pattern.broken(invalid))),
        }
    }

    fn uncapturable(&self, pattern: &str) -> Option<String> {
        if matches!(self, Self::Mixed(glob) if glob.has_stray_groups()) {
            return Some(glob::stray_groups(pattern));
        }
        let rest = self.names().iter().find(|name| name.starts_with('*'))?;
        Some(format!(
            "`{{{rest}}}` in `{pattern}`: a host has no such variable; use `**` for a rest"
        ))
    }

    fn capture(&self, text: &str, into: &mut Variables) -> Result<(), Failure> {
        match self {
            Self::Variable(name) => into.set(name, text),
            Self::Mixed(glob) => glob.capture(text, into)?,
            Self::Literal(_) | Self::Wildcard | Self::Broken(_) => {}
        }
        Ok(())
    }

    fn names(&self) -> &[Arc<str>] {
        match self {
            Self::Variable(name) => std::slice::from_ref(name),
            Self::Mixed(glob) => glob.names(),
            Self::Literal(_) | Self::Wildcard | Self::Broken(_) => &[],
        }
    }
}
