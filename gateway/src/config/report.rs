//! All problems of a file, for people and for machines.

use std::fmt::{self, Write};

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use tollgate_filters::Severity;

use super::problem::Problem;
use super::source::Source;

/// The problems of one file, sorted by place.
///
/// Its text form is the plain one of [`Report::render`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    name: String,
    /// Kept only if there is something to show.
    text: String,
    problems: Vec<Problem>,
}

impl Report {
    pub(super) fn new(source: &Source<'_>, problems: Vec<Problem>) -> Self {
        let text = if problems.is_empty() { String::new() } else { source.text.to_owned() };
        Self { name: source.name.to_owned(), text, problems }
    }

    /// The problems, in the order of their places.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems as one JSON array.
    ///
    /// # Errors
    ///
    /// None that this type can cause.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&self.problems)
    }

    /// The problems with the lines they stand in and what to do, and a closing line that counts
    /// them; empty if there are none. With `color`, in the colours of a terminal.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let source = Source::new(&self.name, &self.text);
        let mut out = String::new();
        for problem in &self.problems {
            out.push_str(&render(&renderer, &source, problem));
            out.push_str("\n\n");
        }
        if !self.is_empty() {
            out.push_str(&self.summary());
            out.push('\n');
        }
        out
    }

    /// The closing line, such as `routes.yaml: 2 errors, 1 warning`.
    pub fn summary(&self) -> String {
        let count = |wanted: Severity| {
            self.problems.iter().filter(|problem| problem.severity == wanted).count()
        };
        let mut parts = Vec::new();
        for (number, noun) in
            [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")]
        {
            if number > 0 {
                parts.push(format!("{number} {noun}{}", if number == 1 { "" } else { "s" }));
            }
        }
        let what = if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") };
        format!("{}: {what}", self.name)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(false))
    }
}

fn render(renderer: &Renderer, source: &Source<'_>, problem: &Problem) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(printable(&problem.message)).id(problem.code);
    // The renderer looks at every line it is given, so it gets those of the problem only.
    let (line, start, excerpt) = source.excerpt(problem.span);
    let shown = problem.span.start - start..problem.span.end.max(problem.span.start) - start;
    let mut group = if excerpt.is_empty() || excerpt.len() > LONGEST_EXCERPT {
        let place = Origin::path(source.name).line(problem.line).char_column(problem.column);
        title.element(place)
    } else {
        title.element(
            Snippet::source(excerpt)
                .line_start(line)
                .path(source.name)
                .annotation(AnnotationKind::Primary.span(shown)),
        )
    };
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    renderer.render(&[group])
}

/// A longer line helps nobody, and looking for its edges takes time.
const LONGEST_EXCERPT: usize = 4096;

/// Control characters of a hostile file must not reach a terminal.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            // Writing to a string cannot fail.
            out.write_fmt(format_args!("{}", c.escape_default())).unwrap_or_default();
        } else {
            out.push(c);
        }
    }
    out
}
