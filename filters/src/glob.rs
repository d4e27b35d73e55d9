//! One path segment or host label in which `?`, `*` and `{name}` stand for text.
//!
//! `?` is one character, `*` any number of them, `{name}` captures any number of them and
//! `{name:regex}` those that the regex matches; all else is literal. The whole text has to match,
//! and what comes first takes as much as it can.

use std::sync::Arc;

use crate::java_regex::{InvalidPattern, JavaPattern, PatternFailure};
use crate::{Failure, Variables};

/// A compiled segment or label.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    pattern: JavaPattern,
    names: Vec<Arc<str>>,
}

impl Glob {
    /// Compiles a text.
    ///
    /// # Errors
    ///
    /// The regex of a variable is not one.
    pub(crate) fn new(text: &str) -> Result<Self, InvalidPattern> {
        let mut regex = String::new();
        let mut names = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let behind = rest.strip_prefix(next).unwrap_or_default();
            rest = behind;
            match next {
                '?' => regex.push('.'),
                '*' => regex.push_str(".*"),
                '{' => match variable(behind)? {
                    Some((variable, behind)) => {
                        let (name, constraint) =
                            variable.split_once(':').unwrap_or((variable, ".*"));
                        regex.extend(["(", constraint, ")"]);
                        names.push(name.into());
                        rest = behind;
                    }
                    None => regex.push_str(r"\{"),
                },
                literal => {
                    if !literal.is_alphanumeric() {
                        regex.push('\\');
                    }
                    regex.push(literal);
                }
            }
        }
        Ok(Self { pattern: JavaPattern::with_dotall(&regex)?, names })
    }

    /// The names of the variables, in order; a name may occur twice.
    pub(crate) fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// Whether a variable's regex has groups of its own, which the reference gateway cannot tell
    /// from variables.
    pub(crate) fn has_stray_groups(&self) -> bool {
        self.pattern.group_count() != self.names.len()
    }

    /// Whether the whole of `text` matches.
    pub(crate) fn matches(&self, text: &str) -> Result<bool, Failure> {
        self.pattern.is_full_match(text).map_err(failure)
    }

    /// Sets the variables, if the whole of `text` matches.
    pub(crate) fn capture(&self, text: &str, into: &mut Variables) -> Result<(), Failure> {
        if self.names.is_empty() {
            return Ok(());
        }
        let groups = self.pattern.full_groups(text).map_err(failure)?;
        for (name, value) in self.names.iter().zip(groups.unwrap_or_default()) {
            into.set(name, value.unwrap_or_default());
        }
        Ok(())
    }
}

/// What a pattern that could not be run does to the request.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn failure(failure: PatternFailure) -> Failure {
    Failure::Predicate(failure.to_string())
}

/// What evaluating a variable whose regex has capture groups comes to (`predicates.md` 5.10).
pub(crate) fn stray_groups(pattern: &str) -> String {
    format!("a variable's regex in `{pattern}` has a capture group; write `(?:…)`")
}

/// What stands between a `{`, behind which `text` begins, and its `}`; and what follows.
fn variable(text: &str) -> Result<Option<(&str, &str)>, InvalidPattern> {
    let Some(at) = text.find(['{', '}', '/']) else { return Ok(None) };
    if at > 0 && text.get(at..).is_some_and(|end| end.starts_with('}')) {
        return Ok(text.get(..at).zip(text.get(at + 1..)));
    }
    if !text.get(at..).is_some_and(|end| end.starts_with('{')) {
        return Ok(None);
    }
    // A brace within the braces: the reference gateway's own expression decides where it ends.
    let nested = regex::Regex::new(r"\A((?:\{[^/]+?\}|[^/{}]|\\[{}])+?)\}")
        .map_err(|error| InvalidPattern::new(error.to_string()))?;
    Ok(nested.captures(text).and_then(|found| {
        let variable = found.get(1)?.as_str();
        let end = found.get(0)?.end();
        Some((variable, text.get(end..)?))
    }))
}
