//! Problems on their way to the report.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_filters::{Invalid, Severity, Span};

use super::problem::Problem;
use super::report::Report;
use super::source::Source;

/// A problem and the route it belongs to.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) severity: Severity,
    pub(super) problem: Invalid,
    pub(super) route: Option<Arc<str>>,
}

impl Found {
    pub(super) fn error(problem: Invalid) -> Self {
        Self { severity: Severity::Error, problem, route: None }
    }
}

/// How many errors, and how many warnings, are told: a file that is no route file at all must not
/// cost more than one that is.
const MOST: usize = 1000;

/// All problems of a file, in the order they were found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Found>,
    errors: usize,
    warnings: usize,
}

impl Findings {
    /// Takes one problem, or only counts it if there are too many.
    pub(super) fn push(&mut self, found: Found) {
        let full = self.is_full(found.severity);
        self.count(found.severity);
        if !full {
            self.found.push(found);
        }
    }

    /// Counts a problem that is not worth its words any more.
    pub(super) fn count(&mut self, severity: Severity) {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
    }

    /// Whether further problems of this kind are only counted.
    pub(super) fn is_full(&self, severity: Severity) -> bool {
        match severity {
            Severity::Error => self.errors >= MOST,
            Severity::Warning => self.warnings >= MOST,
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many problems are kept.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// Says that everything found since there were `before` problems belongs to `route`.
    pub(super) fn belong_to(&mut self, route: &Arc<str>, before: usize) {
        for found in self.found.iter_mut().skip(before) {
            found.route = Some(Arc::clone(route));
        }
    }

    /// Sorts by place, drops what was found twice, and adds lines and columns.
    pub(super) fn report(mut self, source: &Source<'_>) -> Report {
        let span = |found: &Found| found.problem.span.unwrap_or_default();
        self.found.sort_by_key(span);
        self.found.dedup_by(|later, earlier| {
            let same_key = later.problem.code == "duplicate-key";
            span(later) == span(earlier)
                && later.problem.code == earlier.problem.code
                && (same_key || later.problem.message == earlier.problem.message)
        });
        let mut positions = Positions { source, known: HashMap::new(), last: (0, 1, 1) };
        let mut problems: Vec<Problem> =
            self.found.into_iter().map(|found| problem(found, &mut positions)).collect();
        let more = self.errors.saturating_sub(MOST) + self.warnings.saturating_sub(MOST);
        if more > 0 {
            problems.extend(problems.last().cloned().map(|last| Problem {
                severity: Severity::Warning,
                code: "more-problems",
                message: format!("{more} more problems are not shown"),
                route: None,
                help: Some("mend these first".to_owned()),
                ..last
            }));
        }
        Report::new(source, problems)
    }
}

fn problem(found: Found, positions: &mut Positions<'_>) -> Problem {
    let span = found.problem.span.unwrap_or_default();
    let (line, column) = positions.start(span);
    let (end_line, end_column) = positions.end(span, (line, column));
    Problem {
        severity: found.severity,
        code: found.problem.code,
        message: clipped(found.problem.message),
        file: positions.source.name.to_owned(),
        line,
        column,
        end_line,
        end_column,
        route: found.route.map(|route| route.to_string()),
        help: found.problem.help.map(clipped),
        span,
    }
}

/// Messages quote what is written, which may be as long as the file.
fn clipped(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        message.push('…');
    }
    message
}

const LONGEST_MESSAGE: usize = 1000;

/// Lines and columns of places that come in order, so that a file of one long line is read once.
struct Positions<'s> {
    source: &'s Source<'s>,
    /// Ends of places seen before.
    known: HashMap<Span, (usize, usize)>,
    /// Offset, line and column of the last start.
    last: (usize, usize, usize),
}

impl Positions<'_> {
    fn start(&mut self, span: Span) -> (usize, usize) {
        let (offset, line, column) = self.last;
        let (line, column) = self.advance(offset, (line, column), span.start);
        self.last = (span.start.max(offset), line, column);
        (line, column)
    }

    fn end(&mut self, span: Span, start: (usize, usize)) -> (usize, usize) {
        if let Some(known) = self.known.get(&span) {
            return *known;
        }
        let end = self.advance(span.start, start, span.end);
        self.known.insert(span, end);
        end
    }

    /// The position at `to`, counted from a known one at `from`.
    fn advance(&self, from: usize, known: (usize, usize), to: usize) -> (usize, usize) {
        let line = self.source.lines.line(to);
        if line != known.0 {
            return self.source.position(to);
        }
        let between = self.source.text.get(from..to).unwrap_or_default();
        (line, known.1 + between.chars().count())
    }
}
