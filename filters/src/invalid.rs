//! Why an entry of a route file cannot be used, and where it stands.

use std::fmt;

/// A byte range in the text of a route file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

impl Span {
    /// The range from `start` to `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// How much a problem weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is served; somebody should look.
    Warning,
}

/// One problem in a route file.
///
/// The text names the thing in backticks and says what was expected; it is lower case and has no
/// full stop, because it stands behind a file name, a line and a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Stable, machine-readable name of the kind of problem, such as `unknown-filter`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where it stands. A unit may leave this to its caller, which knows the entry's place.
    pub span: Option<Span>,
    /// The argument the problem is about, if the unit knows it: its place wins over the entry's.
    pub field: Option<&'static str>,
    /// Whether the reference gateway would load the entry and fail each request instead.
    ///
    /// Native files refuse such an entry; Spring files warn and fail the request.
    pub fails_per_request: bool,
}

impl Invalid {
    /// A problem that stops the file from being loaded.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
            span: None,
            field: None,
            fails_per_request: false,
        }
    }

    /// A problem with the value of an argument.
    pub fn argument(field: &'static str, message: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new("invalid-argument", message) }
    }

    /// A problem the reference gateway only meets when a request arrives.
    #[must_use]
    pub fn per_request(mut self) -> Self {
        self.fails_per_request = true;
        self
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the place, unless one is known already.
    #[must_use]
    pub fn or_at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(formatter, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Invalid {}

/// The name among `known` that `written` was probably meant to be.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&written, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1.max(name.len() / 4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
