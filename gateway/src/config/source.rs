//! From byte offsets to lines and columns.

use tollgate_filters::Span;

/// Where the lines of a text begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    starts: Box<[u32]>,
}

impl Lines {
    /// Finds the lines of `text`.
    pub(super) fn of(text: &str) -> Self {
        let breaks = memchr::memchr_iter(b'\n', text.as_bytes());
        let behind = breaks.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX));
        // Counted first: a file may be nothing but line breaks, and a growing list is held twice.
        let mut starts =
            Vec::with_capacity(memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1);
        starts.push(0);
        starts.extend(behind);
        Self { starts: starts.into() }
    }

    /// The line, from 1, that holds the byte at `offset`.
    pub(super) fn line(&self, offset: usize) -> usize {
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        self.starts.partition_point(|start| *start <= offset).max(1)
    }

    /// The offset of the first byte of a line, counted from 1; 0 for a line there is not.
    fn start(&self, line: usize) -> usize {
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        usize::try_from(start).unwrap_or(usize::MAX)
    }
}

/// The text of a file, its name, and its lines.
#[derive(Debug)]
pub(super) struct Source<'t> {
    pub(super) name: &'t str,
    pub(super) text: &'t str,
    pub(super) lines: Lines,
}

impl<'t> Source<'t> {
    pub(super) fn new(name: &'t str, text: &'t str) -> Self {
        Self { name, text, lines: Lines::of(text) }
    }

    /// The text at `span`; empty if there is none.
    pub(super) fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// Line and column, both from 1, of the character at `offset`.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.line(offset);
        let before = self.text.get(self.lines.start(line)..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The offset of the character at a line and column, both from 1.
    pub(super) fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.lines.start(line);
        let rest = self.text.get(start..).unwrap_or_default();
        let skipped = column.saturating_sub(1);
        start
            + rest
                .chars()
                .take(skipped)
                .take_while(|c| *c != '\n')
                .map(char::len_utf8)
                .sum::<usize>()
    }

    /// The lines that hold `span`, without the last line break, and the offset of the first.
    pub(super) fn excerpt(&self, span: Span) -> (usize, usize, &'t str) {
        let first = self.lines.line(span.start);
        let start = self.lines.start(first);
        let rest = self.text.get(span.end.max(span.start)..).unwrap_or_default();
        let end = span.end.max(span.start) + rest.find('\n').unwrap_or(rest.len());
        (first, start, self.text.get(start..end).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_columns_in_characters() {
        let source = Source::new("x", "a\nöö b\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(7), (2, 4));
        assert_eq!(source.offset(2, 4), 7);
        assert_eq!(source.offset(2, 99), 8);
        assert_eq!(source.position(99), (3, 1));
    }

    #[test]
    fn an_excerpt_is_whole_lines() {
        let source = Source::new("x", "a\nbb\nccc");
        assert_eq!(source.excerpt(Span::new(3, 4)), (2, 2, "bb"));
        assert_eq!(source.excerpt(Span::new(3, 6)), (2, 2, "bb\nccc"));
    }
}
