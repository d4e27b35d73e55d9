//! Reads path patterns.

use std::sync::Arc;

use super::{Element, PathProblem, Segment};
use crate::glob::Glob;
use crate::java_regex::JavaPattern;

/// The elements of a pattern, in order.
pub(super) fn elements(text: &str) -> Result<Vec<Element>, PathProblem> {
    let mut elements = Vec::new();
    let mut names = Vec::new();
    let mut has_rest = false;
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('/') {
            elements.push(Element::Separator);
            rest = behind;
            continue;
        }
        let start = text.len() - rest.len();
        let segment = Scan::of(rest)?;
        rest = rest.get(segment.text.len()..).unwrap_or_default();
        let mut element = segment.element()?;
        if let Element::Rest(name) = &mut element {
            if has_rest {
                return Err(PathProblem::Twice);
            }
            if start > 1 && !rest.is_empty() {
                return Err(PathProblem::InTheMiddle);
            }
            has_rest = true;
            elements.pop_if(|before| matches!(before, Element::Separator));
            // The reference gateway takes a second `x` in `/{x}/{*x}`; the first one wins.
            name.take_if(|name| names.contains(name));
        } else {
            if let Some(name) = element.names().iter().find(|name| names.contains(name)) {
                return Err(PathProblem::SameName(name.to_string()));
            }
            names.extend_from_slice(element.names());
        }
        elements.push(element);
    }
    Ok(elements)
}

/// One segment of a pattern and what is in it.
#[derive(Debug)]
struct Scan<'a> {
    text: &'a str,
    /// How many variables there are.
    variables: usize,
    /// Whether a variable begins with `*`.
    has_rest: bool,
    has_wildcard: bool,
    has_single_wildcard: bool,
}

impl<'a> Scan<'a> {
    /// Reads up to the next separator; a slash inside of a regex does not count if it is escaped.
    fn of(text: &'a str) -> Result<Self, PathProblem> {
        let mut scan = Self {
            text,
            variables: 0,
            has_rest: false,
            has_wildcard: false,
            has_single_wildcard: false,
        };
        let mut rest = text.chars();
        loop {
            let left = rest.as_str();
            match rest.next() {
                None => break,
                Some('/') => {
                    scan.text = text.strip_suffix(left).unwrap_or(text);
                    break;
                }
                Some('{') => {
                    rest = scan.variable(rest.as_str())?.chars();
                    scan.variables += 1;
                }
                Some('}') => return Err(PathProblem::Stray),
                Some('*') => scan.has_wildcard = true,
                Some('?') => scan.has_single_wildcard = true,
                Some(_) => {}
            }
        }
        Ok(scan)
    }

    /// Reads a variable behind its `{` and gives what follows its `}`.
    fn variable(&mut self, text: &'a str) -> Result<&'a str, PathProblem> {
        let mut rest = text;
        if let Some(behind) = text.strip_prefix('*') {
            self.has_rest = true;
            rest = behind;
        }
        let mut is_first = true;
        loop {
            let next = rest.chars().next().ok_or(PathProblem::Unclosed)?;
            let behind = rest.strip_prefix(next).unwrap_or_default();
            match next {
                '}' => return Ok(behind),
                '/' => return Err(PathProblem::Unclosed),
                '{' => return Err(PathProblem::Nested),
                ':' if !self.has_rest => return behind_regex(behind),
                other if !is_name_character(other, is_first) => {
                    return Err(PathProblem::BadName(other));
                }
                _ => is_first = false,
            }
            rest = behind;
        }
    }

    fn element(&self) -> Result<Element, PathProblem> {
        let Self { text, .. } = *self;
        if text == "**" {
            return Ok(Element::Rest(None));
        }
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let segment = match (self.variables, inner) {
            (1, Some(inner)) if self.has_rest => {
                let name = inner.strip_prefix('*').unwrap_or(inner);
                return Ok(Element::Rest(Some(Arc::from(name))));
            }
            (1, Some(inner)) => match inner.split_once(':') {
                None => Segment::Variable(inner.into(), None),
                Some((name, regex)) => {
                    Segment::Variable(name.into(), Some(Box::new(JavaPattern::with_dotall(regex)?)))
                }
            },
            (1.., _) if self.has_rest => return Err(PathProblem::NotAlone),
            (1.., _) => {
                let glob = Glob::new(text)?;
                let mut names = glob.names().iter();
                while let Some(name) = names.next() {
                    if names.as_slice().contains(name) {
                        return Err(PathProblem::SameName(name.to_string()));
                    }
                }
                Segment::Mixed(Box::new(glob))
            }
            (0, _) if text == "*" => Segment::Wildcard,
            (0, _) if self.has_wildcard => Segment::Mixed(Box::new(Glob::new(text)?)),
            (0, _) if self.has_single_wildcard => Segment::SingleWildcards(text.to_owned()),
            (0, _) => Segment::Literal(text.to_owned()),
        };
        Ok(Element::Segment(segment))
    }
}

/// Skips a regex, which reaches up to the `}` that closes its variable.
fn behind_regex(text: &str) -> Result<&str, PathProblem> {
    let mut depth = 0_usize;
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => {
                rest.next();
            }
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' if rest.as_str().len() + 1 == text.len() => return Err(PathProblem::NoRegex),
            '}' => return Ok(rest.as_str()),
            '/' => return Err(PathProblem::Unclosed),
            _ => {}
        }
    }
    Err(PathProblem::Unclosed)
}

/// Whether a Java identifier may have the character; names may have `-`, too.
fn is_name_character(next: char, is_first: bool) -> bool {
    if next.is_ascii() {
        let part =
            next.is_ascii_digit() || next == '-' || (next.is_control() && !next.is_whitespace());
        return next.is_ascii_alphabetic() || matches!(next, '_' | '$') || (!is_first && part);
    }
    let class =
        if is_first { r"\p{javaJavaIdentifierStart}" } else { r"\p{javaJavaIdentifierPart}" };
    // Java looks at UTF-16 units here, so that nothing beyond them is part of a name.
    next <= '\u{FFFF}'
        && JavaPattern::new(class).is_ok_and(|class| {
            class.is_full_match(next.encode_utf8(&mut [0; 4])).unwrap_or_default()
        })
}
