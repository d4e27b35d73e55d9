//! Patterns in the dialect of `java.util.regex`, as route files have them (`predicates.md` 4).
//!
//! A pattern is translated once, at load: to `regex`, which runs in linear time, where that engine
//! can say it; else to `fancy-regex`, which backtracks and gives up after [`STEP_LIMIT`] steps. The
//! replacement language is Java's as well (`filters.md` 3.6).
//!
//! It does not know `\X`, `\b{g}`, `\N{…}`, Unicode blocks beyond the common ones, and single
//! surrogates. It takes look-behinds of any length, which Java does not. `\G` also matches one character behind an empty match.

mod class;
mod escape;
mod group;
mod property;
mod quantifier;
mod replacement;
#[cfg(test)]
mod tests;
mod translate;

use std::borrow::Cow;
use std::sync::OnceLock;

pub use replacement::Replacement;
use translate::{LineEnds, Translation};

/// How many times a pattern that needs backtracking may go back on one text.
const STEP_LIMIT: usize = 100_000;

/// How many bytes a compiled pattern may take.
const SIZE_LIMIT: usize = 4 << 20;

/// How many instructions a pattern that needs backtracking may have.
const PROGRAM_LIMIT: usize = 50_000;

/// How long the text of a pattern may be.
const TEXT_LIMIT: usize = 64 << 10;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct JavaPattern {
    text: String,
    dotall: bool,
    /// Names of the capture groups, in order.
    groups: Vec<Option<String>>,
    has_line_end: bool,
    full: Program,
    /// Compiled on first use, as most patterns are only ever used one way.
    search: OnceLock<Result<Program, InvalidPattern>>,
    /// For texts that end in a line terminator, before which `$` matches, too.
    full_at_line_end: OnceLock<Result<Program, InvalidPattern>>,
    search_at_line_end: OnceLock<Result<Program, InvalidPattern>>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPattern(String);

impl InvalidPattern {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Why a pattern could not be run on a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternFailure {
    /// It goes back and forth too often.
    #[error("pattern `{pattern}` takes more than {STEP_LIMIT} steps")]
    LimitReached {
        /// The pattern.
        pattern: String,
    },
    /// A match occurred and the replacement makes no sense.
    #[error("{0}")]
    BadReplacement(String),
}

/// Which part of a text a program has to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Full,
    Search,
}

impl JavaPattern {
    /// Compiles a pattern without flags.
    ///
    /// # Errors
    ///
    /// A text that Java refuses, or that takes more room than a pattern may.
    pub fn new(text: &str) -> Result<Self, InvalidPattern> {
        Self::compile(text, false)
    }

    /// Compiles a pattern in which `.` matches line ends, too, as in paths and hosts.
    ///
    /// # Errors
    ///
    /// As [`JavaPattern::new`].
    pub fn with_dotall(text: &str) -> Result<Self, InvalidPattern> {
        Self::compile(text, true)
    }

    fn compile(text: &str, dotall: bool) -> Result<Self, InvalidPattern> {
        if text.len() > TEXT_LIMIT {
            return Err(InvalidPattern::new(format!("pattern is longer than {TEXT_LIMIT} bytes")));
        }
        let translation = translate::translate(text, dotall, LineEnds::Absent)?;
        let full = Program::compile(&translation, Scope::Full)?;
        Ok(Self {
            text: text.to_owned(),
            dotall,
            groups: translation.groups,
            has_line_end: translation.has_line_end,
            full,
            search: OnceLock::new(),
            full_at_line_end: OnceLock::new(),
            search_at_line_end: OnceLock::new(),
        })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern matches the whole of `text`.
    ///
    /// # Errors
    ///
    /// The pattern takes too many steps on this text.
    pub fn is_full_match(&self, text: &str) -> Result<bool, PatternFailure> {
        self.full_program(text)?.is_match(text).ok_or_else(|| self.limit_reached())
    }

    /// The names of the named groups, in order.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().filter_map(Option::as_deref)
    }

    /// Whether the pattern has capture groups, named or not.
    pub fn has_groups(&self) -> bool {
        !self.groups.is_empty()
    }

    /// How many capture groups the pattern has, named or not.
    pub(crate) fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// What the groups captured if the pattern matches the whole of `text`.
    pub(crate) fn full_groups<'t>(
        &self,
        text: &'t str,
    ) -> Result<Option<Vec<Option<&'t str>>>, PatternFailure> {
        let mut spans = Spans::default();
        let program = self.full_program(text)?;
        if !program.captures_at(text, 0, &mut spans).ok_or_else(|| self.limit_reached())? {
            return Ok(None);
        }
        let group = |span: Option<(usize, usize)>| span.and_then(|(from, to)| text.get(from..to));
        Ok(Some(spans.groups.into_iter().map(group).collect()))
    }

    /// Replaces every match in `text`.
    ///
    /// As in Java, an empty match right behind another match counts: `.*` matches `abc` twice.
    ///
    /// # Errors
    ///
    /// The pattern takes too many steps on this text, or it matches and [`Replacement::check`]
    /// would refuse the replacement.
    pub fn replace_all<'t>(
        &self,
        text: &'t str,
        replacement: &Replacement,
    ) -> Result<Cow<'t, str>, PatternFailure> {
        let program = self.search_program(text)?;
        let mut spans = Spans::default();
        let mut out = String::new();
        let mut copied = 0;
        let mut from = 0;
        let mut found = false;
        while program.captures_at(text, from, &mut spans).ok_or_else(|| self.limit_reached())? {
            let (start, end) = spans.whole;
            found = true;
            out.push_str(text.get(copied..start).unwrap_or_default());
            replacement
                .expand(&self.groups, &spans, text, &mut out)
                .map_err(|reason| PatternFailure::BadReplacement(reason.to_string()))?;
            copied = end;
            from = end;
            if start == end {
                match text.get(end..).and_then(|rest| rest.chars().next()) {
                    Some(next) => from += next.len_utf8(),
                    None => break,
                }
            }
        }
        if !found {
            return Ok(Cow::Borrowed(text));
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Ok(Cow::Owned(out))
    }

    fn full_program(&self, text: &str) -> Result<&Program, PatternFailure> {
        if self.has_line_end && text.ends_with(LINE_TERMINATORS) {
            self.later(&self.full_at_line_end, LineEnds::Final, Scope::Full)
        } else {
            Ok(&self.full)
        }
    }

    fn search_program(&self, text: &str) -> Result<&Program, PatternFailure> {
        if self.has_line_end && text.ends_with(LINE_TERMINATORS) {
            self.later(&self.search_at_line_end, LineEnds::Final, Scope::Search)
        } else {
            self.later(&self.search, LineEnds::Absent, Scope::Search)
        }
    }

    /// Compiles the search, so that no request has to.
    fn prepare_search(&self) -> Result<(), InvalidPattern> {
        let compiled = self.search.get_or_init(|| self.program(LineEnds::Absent, Scope::Search));
        compiled.as_ref().map(drop).map_err(Clone::clone)
    }

    fn later<'a>(
        &self,
        cell: &'a OnceLock<Result<Program, InvalidPattern>>,
        ends: LineEnds,
        scope: Scope,
    ) -> Result<&'a Program, PatternFailure> {
        // What can fail is the size, which the first program was measured by already.
        cell.get_or_init(|| self.program(ends, scope)).as_ref().map_err(|_| self.limit_reached())
    }

    fn program(&self, ends: LineEnds, scope: Scope) -> Result<Program, InvalidPattern> {
        Program::compile(&translate::translate(&self.text, self.dotall, ends)?, scope)
    }

    fn limit_reached(&self) -> PatternFailure {
        PatternFailure::LimitReached { pattern: self.text.clone() }
    }
}

/// What ends a line, for `.`, `^` and `$`.
const LINE_TERMINATORS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// A translated pattern in the cheapest engine that can run it.
#[derive(Debug, Clone)]
enum Program {
    /// The whole text is this one.
    Literal(String),
    Linear(regex::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

impl Program {
    fn compile(translation: &Translation, scope: Scope) -> Result<Self, InvalidPattern> {
        if let (Some(literal), Scope::Full) = (&translation.literal, scope) {
            return Ok(Self::Literal(literal.clone()));
        }
        let body = &translation.pattern;
        let anchored = match scope {
            Scope::Full => Cow::Owned(format!(r"\A(?:{body})\z")),
            Scope::Search => Cow::Borrowed(body.as_str()),
        };
        if translation.needs_backtracking {
            return fancy_regex::RegexBuilder::new(&anchored)
                .backtrack_limit(STEP_LIMIT)
                .delegate_size_limit(SIZE_LIMIT)
                .max_prog_size(PROGRAM_LIMIT)
                .build()
                .map(|regex| Self::Backtracking(Box::new(regex)))
                .map_err(|error| refused(&error.to_string()));
        }
        regex::RegexBuilder::new(&anchored)
            .size_limit(SIZE_LIMIT)
            .nest_limit(1000)
            .build()
            .map(Self::Linear)
            .map_err(|error| refused(&error.to_string()))
    }

    /// `None` if the limit is reached.
    fn is_match(&self, text: &str) -> Option<bool> {
        match self {
            Self::Literal(literal) => Some(literal == text),
            Self::Linear(regex) => Some(regex.is_match(text)),
            Self::Backtracking(regex) => regex.is_match(text).ok(),
        }
    }

    /// Finds the next match; `None` if the limit is reached.
    fn captures_at(&self, text: &str, from: usize, spans: &mut Spans) -> Option<bool> {
        spans.groups.clear();
        match self {
            Self::Literal(literal) => {
                spans.whole = (0, text.len());
                Some(from == 0 && literal == text)
            }
            Self::Linear(regex) => {
                let Some(captures) = regex.captures_at(text, from) else { return Some(false) };
                spans.fill(captures.iter().map(|group| group.map(|found| found.range())));
                Some(true)
            }
            Self::Backtracking(regex) => {
                let Some(captures) = regex.captures_from_pos(text, from).ok()? else {
                    return Some(false);
                };
                spans.fill(captures.iter().map(|group| group.map(|found| found.range())));
                Some(true)
            }
        }
    }
}

/// The engines explain themselves over several lines; the last one has the reason.
fn refused(explanation: &str) -> InvalidPattern {
    let reason = explanation.lines().last().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason).trim_end_matches('.');
    let mut chars = reason.chars();
    let lower: String =
        chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect();
    InvalidPattern::new(lower)
}

/// Where a match and its groups lie.
#[derive(Debug, Default)]
struct Spans {
    whole: (usize, usize),
    groups: Vec<Option<(usize, usize)>>,
}

impl Spans {
    fn fill(&mut self, ranges: impl Iterator<Item = Option<std::ops::Range<usize>>>) {
        let mut spans = ranges.map(|range| range.map(|range| (range.start, range.end)));
        self.whole = spans.next().flatten().unwrap_or_default();
        self.groups.extend(spans);
    }
}
