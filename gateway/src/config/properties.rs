//! A `.properties` file as the tree a YAML file of the same keys would be.
//!
//! Every value is text; `\` continues a line and escapes a character; `#---` begins a document, as
//! in Spring Boot.

use std::collections::HashMap;

use tollgate_filters::{Invalid, Span};

use super::source::Source;
use super::tree::{Node, Written};

/// Reads every document of a file.
pub(super) fn documents<'t>(source: &Source<'t>) -> Result<Vec<Node<'t>>, Invalid> {
    let mut documents = Vec::new();
    let mut document = Document::default();
    let mut names = 0;
    let mut lines = Logical { source, at: 0 };
    while let Some(line) = lines.next_line() {
        match line {
            Line::Separator => documents.push(Node::document(std::mem::take(&mut document).pairs)),
            Line::Pair { key, value } => {
                names += key.0.split(['.', '[']).count();
                if names > MOST_NAMES {
                    let message = format!("the keys of the file have more than {MOST_NAMES} parts");
                    let help = "write the routes as YAML, which says each prefix once";
                    let problem = Invalid::new("too-large", message).with_help(help);
                    return Err(problem.or_at(key.1));
                }
                document.put(key, value);
            }
        }
    }
    documents.push(Node::document(document.pairs));
    Ok(documents)
}

/// Each part of a dotted key becomes a node.
const MOST_NAMES: usize = 500_000;

/// The pairs of a document; a key that comes again has its later value.
#[derive(Default)]
struct Document {
    pairs: Vec<(Written, Written)>,
    places: HashMap<String, usize>,
}

impl Document {
    fn put(&mut self, key: Written, value: Written) {
        let place = *self.places.entry(key.0.clone()).or_insert(self.pairs.len());
        match self.pairs.get_mut(place) {
            Some(pair) => *pair = (key, value),
            None => self.pairs.push((key, value)),
        }
    }
}

enum Line {
    Separator,
    Pair { key: Written, value: Written },
}

/// Lines with their continuations.
struct Logical<'s, 't> {
    source: &'s Source<'t>,
    at: usize,
}

impl Logical<'_, '_> {
    fn next_line(&mut self) -> Option<Line> {
        loop {
            let rest = self.source.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            let trimmed = rest.trim_start_matches([' ', '\t', '\u{c}']);
            let start = self.at + rest.len() - trimmed.len();
            let first = trimmed.lines().next().unwrap_or_default();
            if first.is_empty() || first.starts_with(['#', '!']) {
                let ended = trimmed.split_once('\n').map(|(_, behind)| behind.len());
                self.at = self.source.text.len() - ended.unwrap_or(0);
                if matches!(first.trim_end(), "#---" | "!---") {
                    return Some(Line::Separator);
                }
                continue;
            }
            return Some(self.pair(start));
        }
    }

    /// Reads the pair that begins at `start`, to the end of its last line.
    fn pair(&mut self, start: usize) -> Line {
        let (key, key_end) = self.piece(start, |c| matches!(c, '=' | ':' | ' ' | '\t' | '\u{c}'));
        let rest = self.source.text.get(key_end..).unwrap_or_default();
        let blanks = [' ', '\t', '\u{c}'];
        let behind = rest.trim_start_matches(blanks);
        let behind = behind.strip_prefix(['=', ':']).unwrap_or(behind).trim_start_matches(blanks);
        let value_start = key_end + rest.len() - behind.len();
        let (value, value_end) = self.piece(value_start, |_| false);
        self.at = value_end + 1;
        let key = (key, Span::new(start, key_end));
        Line::Pair { key, value: (value, Span::new(value_start, value_end)) }
    }

    /// The unescaped text from `start` to the end of the line or to `ends`, and its end.
    fn piece(&self, start: usize, ends: impl Fn(char) -> bool) -> (String, usize) {
        let rest = self.source.text.get(start..).unwrap_or_default();
        let mut text = String::new();
        let mut chars = rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let is_break = c == '\n' || (c == '\r' && chars.peek().is_none_or(|(_, c)| *c == '\n'));
            if is_break || ends(c) {
                return (text, start + at);
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            chars.next_if(|(_, c)| *c == '\r');
            match chars.next() {
                None => {}
                Some((_, '\n')) => {
                    while chars.next_if(|(_, c)| matches!(c, ' ' | '\t')).is_some() {}
                }
                Some((_, 't')) => text.push('\t'),
                Some((_, 'n')) => text.push('\n'),
                Some((_, 'r')) => text.push('\r'),
                Some((_, 'f')) => text.push('\u{c}'),
                Some((_, 'u')) => {
                    let digits: String =
                        std::iter::from_fn(|| chars.next_if(|(_, c)| c.is_ascii_hexdigit()))
                            .take(4)
                            .map(|(_, c)| c)
                            .collect();
                    let code = u32::from_str_radix(&digits, 16).ok();
                    text.push(code.and_then(char::from_u32).unwrap_or('\u{fffd}'));
                }
                Some((_, c)) => text.push(c),
            }
        }
        (text, self.source.text.len())
    }
}
