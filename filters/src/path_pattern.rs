//! The pattern language of the `Path` predicate (`predicates.md` 5.9 and 5.10).
//!
//! | pattern        | takes                                                       |
//! |----------------|-------------------------------------------------------------|
//! | `/a?c`         | one UTF-16 unit for the `?`                                 |
//! | `/a/*`         | one segment, or none behind the last slash                  |
//! | `/a/{x}`       | one segment that is not empty, decoded                      |
//! | `/a/{x:\d+}`   | one segment that the Java regex matches                     |
//! | `/v{n}-*.html` | one segment in parts                                        |
//! | `/a/**`        | any rest, the empty one included                            |
//! | `/a/{*rest}`   | the same, with its leading slash                            |
//! | `/**/x`        | any number of leading segments, as few as do; so `/{*a}/x`  |
//!
//! A request's path is matched raw, segment by segment: what follows a `;` takes no part, the rest
//! is percent-decoded, and an encoded slash never separates. Patterns are not decoded.

mod parse;

use std::borrow::Cow;
use std::sync::Arc;

use memchr::memchr2;

use crate::glob::{self, Glob};
use crate::java_regex::{InvalidPattern, JavaPattern};
use crate::predicate::{Piece, RequestPath, Shape};
use crate::{Failure, Variables};

/// A compiled path pattern.
#[derive(Debug, Clone)]
pub struct PathPattern {
    text: Arc<str>,
    elements: Vec<Element>,
    slash: TrailingSlash,
    has_stray_groups: bool,
}

/// Whether a path may have one slash more than its pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrailingSlash {
    /// It may not (Spring Cloud Gateway 5.x).
    Exact,
    /// It may, behind a last segment (Spring Cloud Gateway up to 4.x).
    Optional,
}

/// Why a text is no path pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("path pattern `{pattern}`: {problem}")]
pub struct InvalidPath {
    /// The text.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: PathProblem,
}

/// What is wrong with a path pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// A brace is not closed.
    #[error("`{{` without `}}` in the same segment")]
    Unclosed,
    /// A brace is not opened.
    #[error("`}}` without `{{`")]
    Stray,
    /// A brace within braces.
    #[error("`{{` inside of `{{…}}`")]
    Nested,
    /// A colon and nothing behind it.
    #[error("a variable has `:` but no regex behind it")]
    NoRegex,
    /// A regex that is not one.
    #[error("the regex of a variable: {0}")]
    BadRegex(#[from] InvalidPattern),
    /// A character that a variable's name cannot have.
    #[error(
        "`{0}` in the name of a variable; expected a letter, `_` or `$`, then also digits, `-`"
    )]
    BadName(char),
    /// Two variables of one name.
    #[error("two variables are named `{0}`")]
    SameName(String),
    /// `{*x}` beside something else.
    #[error("`{{*…}}` has to be the whole segment")]
    NotAlone,
    /// `**` in the middle.
    #[error("`**` and `{{*…}}` can only be the first or the last segment")]
    InTheMiddle,
    /// More than one `**`.
    #[error("`**` and `{{*…}}` can occur only once")]
    Twice,
}

#[derive(Debug, Clone)]
enum Element {
    Separator,
    Segment(Segment),
    /// `**` or `{*name}`, with the slash before it.
    Rest(Option<Arc<str>>),
}

#[derive(Debug, Clone)]
enum Segment {
    Literal(String),
    /// A literal with `?`.
    SingleWildcards(String),
    /// `*`.
    Wildcard,
    /// `{name}` or `{name:regex}`.
    Variable(Arc<str>, Option<Box<JavaPattern>>),
    /// Text together with `*`, `{name}` or `?`.
    Mixed(Box<Glob>),
}

impl PathPattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// What the reference gateway refuses at load.
    pub fn parse(text: &str, slash: TrailingSlash) -> Result<Self, InvalidPath> {
        match parse::elements(text) {
            Ok(elements) => {
                let has_stray_groups = elements.iter().any(Element::has_stray_groups);
                Ok(Self { text: text.into(), elements, slash, has_stray_groups })
            }
            Err(problem) => Err(InvalidPath { pattern: text.to_owned(), problem }),
        }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The pattern as written, to keep.
    pub fn shared(&self) -> &Arc<str> {
        &self.text
    }

    /// The names of the variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.elements.iter().flat_map(Element::names).map(|name| &**name)
    }

    /// Whether a variable's regex has a capture group, on which matching fails.
    pub fn has_stray_groups(&self) -> bool {
        self.has_stray_groups
    }

    /// Whether the pattern matches the raw path of a request.
    ///
    /// # Errors
    ///
    /// A variable's regex has capture groups or takes too many steps.
    pub fn matches(&self, path: &str) -> Result<bool, Failure> {
        let matches = self.run(path, None)?;
        // Among other text, such a regex only fails once everything has matched.
        if matches && self.has_stray_groups {
            return Err(self.stray_groups());
        }
        Ok(matches)
    }

    /// Sets the variables from the raw path of a request, which the pattern matches.
    ///
    /// # Errors
    ///
    /// As [`PathPattern::matches`].
    pub fn capture(&self, path: &str, into: &mut Variables) -> Result<(), Failure> {
        self.run(path, Some(into)).map(drop)
    }

    /// What all paths that the pattern matches have in common.
    pub fn shape(&self) -> Shape {
        let mut shape = Shape { pieces: Vec::new(), open: true };
        let mut elements = self.elements.iter().peekable();
        while let Some(Element::Separator) = elements.next() {
            let piece = match elements.next() {
                None => Piece::Literal(String::new()),
                Some(Element::Segment(Segment::Literal(text))) => Piece::Literal(text.clone()),
                // `***` also takes the place of a further slash.
                Some(Element::Segment(Segment::Mixed(glob)))
                    if glob.names().is_empty() && glob.matches("") != Ok(false) =>
                {
                    break;
                }
                // Matching fails here, whatever would follow, and the failure has to be seen.
                Some(Element::Segment(Segment::Variable(_, Some(regex)))) if regex.has_groups() => {
                    break;
                }
                Some(Element::Segment(_)) => Piece::Any,
                Some(Element::Separator | Element::Rest(_)) => break,
            };
            shape.pieces.push(piece);
            shape.open = elements.peek().is_some();
        }
        shape
    }

    /// Whether the shape says it all: literal segments, then any rest.
    pub fn is_its_shape(&self) -> bool {
        let Some((Element::Rest(_), before)) = self.elements.split_last() else { return false };
        let is_literal = |pair: &[Element]| {
            matches!(pair, [Element::Separator, Element::Segment(Segment::Literal(_))])
        };
        !before.is_empty() && before.chunks(2).all(is_literal)
    }

    fn run(&self, path: &str, into: Option<&mut Variables>) -> Result<bool, Failure> {
        match self.elements.split_first() {
            None => Ok(path.is_empty() || (self.slash == TrailingSlash::Optional && path == "/")),
            Some((Element::Rest(name), behind)) if !behind.is_empty() => {
                self.run_behind_prefix(name.as_ref(), behind, path, into)
            }
            Some((Element::Separator | Element::Segment(_), _)) if path.is_empty() => Ok(false),
            Some(_) => self.walk(&self.elements, path, into),
        }
    }

    /// Tries the shortest prefix first.
    fn run_behind_prefix(
        &self,
        name: Option<&Arc<str>>,
        behind: &[Element],
        path: &str,
        into: Option<&mut Variables>,
    ) -> Result<bool, Failure> {
        let mut rest = path;
        while !rest.is_empty() {
            if !self.walk(behind, rest, None)? {
                rest = split_element(rest).1;
                continue;
            }
            if let Some(into) = into {
                self.walk(behind, rest, Some(into))?;
                if let Some(name) = name {
                    into.set(name, decoded(path.strip_suffix(rest).unwrap_or_default()));
                }
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Matches elements one by one; nothing in here has a choice.
    fn walk(
        &self,
        elements: &[Element],
        path: &str,
        mut into: Option<&mut Variables>,
    ) -> Result<bool, Failure> {
        let mut rest = path;
        let mut left = elements.iter();
        while let Some(element) = left.next() {
            let is_last = left.len() == 0;
            match element {
                Element::Separator => match rest.strip_prefix('/') {
                    Some(behind) => rest = behind,
                    None => return Ok(false),
                },
                Element::Rest(name) => {
                    if let (Some(name), Some(into)) = (name, into) {
                        into.set(name, decoded(rest));
                    }
                    return Ok(rest.is_empty() || rest.starts_with('/'));
                }
                Element::Segment(segment) => {
                    let (raw, behind) = split_element(rest);
                    let raw = if raw == "/" { "" } else { raw };
                    if !self.step(segment, rest, raw, is_last, into.as_deref_mut())? {
                        return Ok(false);
                    }
                    rest = behind;
                    if is_last && rest == "/" && self.takes_slash_behind(segment, raw) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(rest.is_empty())
    }

    fn step(
        &self,
        segment: &Segment,
        rest: &str,
        raw: &str,
        is_last: bool,
        into: Option<&mut Variables>,
    ) -> Result<bool, Failure> {
        let is_segment = !raw.is_empty();
        match segment {
            Segment::Literal(text) => Ok(is_segment && is_value(raw, text)),
            Segment::SingleWildcards(text) => {
                Ok(is_segment && fits(text, &RequestPath::segment_value(raw)))
            }
            Segment::Wildcard if is_last => Ok(is_segment || rest.is_empty()),
            Segment::Wildcard => Ok(has_value(raw)),
            Segment::Variable(name, regex) => {
                if !has_value(raw) {
                    return Ok(false);
                }
                if let Some(into) = into {
                    into.set(name, RequestPath::segment_value(raw));
                    return Ok(true);
                }
                match regex {
                    None => Ok(true),
                    Some(regex) if regex.has_groups() => Err(self.stray_groups()),
                    Some(regex) => {
                        regex.is_full_match(&RequestPath::segment_value(raw)).map_err(glob::failure)
                    }
                }
            }
            Segment::Mixed(glob) if !is_segment && !glob.names().is_empty() => Ok(false),
            Segment::Mixed(glob) => {
                let value = RequestPath::segment_value(raw);
                if let Some(into) = into {
                    glob.capture(&value, into)?;
                    return Ok(true);
                }
                let wants_value = is_last && !glob.names().is_empty();
                Ok(glob.matches(&value)? && !(wants_value && value.is_empty()))
            }
        }
    }

    /// Whether a slash behind the last segment may stand there.
    fn takes_slash_behind(&self, segment: &Segment, raw: &str) -> bool {
        let is_optional = self.slash == TrailingSlash::Optional;
        is_optional && (has_value(raw) || !matches!(segment, Segment::Wildcard))
    }

    fn stray_groups(&self) -> Failure {
        Failure::Predicate(glob::stray_groups(&self.text))
    }
}

impl Element {
    fn has_stray_groups(&self) -> bool {
        match self {
            Self::Segment(Segment::Variable(_, Some(regex))) => regex.has_groups(),
            Self::Segment(Segment::Mixed(glob)) => glob.has_stray_groups(),
            Self::Separator | Self::Segment(_) | Self::Rest(_) => false,
        }
    }

    fn names(&self) -> &[Arc<str>] {
        match self {
            Self::Separator | Self::Rest(None) => &[],
            Self::Rest(Some(name)) => std::slice::from_ref(name),
            Self::Segment(segment) => match segment {
                Segment::Variable(name, _) => std::slice::from_ref(name),
                Segment::Mixed(glob) => glob.names(),
                Segment::Literal(_) | Segment::SingleWildcards(_) | Segment::Wildcard => &[],
            },
        }
    }
}

/// Splits off a slash or a segment.
fn split_element(path: &str) -> (&str, &str) {
    let end = if path.starts_with('/') { 1 } else { path.find('/').unwrap_or(path.len()) };
    path.split_at_checked(end).unwrap_or((path, ""))
}

/// Whether anything of a raw segment takes part in matching.
fn has_value(raw: &str) -> bool {
    !raw.is_empty() && !raw.starts_with(';')
}

fn is_value(raw: &str, text: &str) -> bool {
    match memchr2(b'%', b';', raw.as_bytes()) {
        None => raw == text,
        Some(_) => RequestPath::segment_value(raw) == text,
    }
}

/// Whether `value` is `text`, in which a `?` stands for any UTF-16 unit.
fn fits(text: &str, value: &str) -> bool {
    let mut units = value.encode_utf16();
    let fits = text
        .encode_utf16()
        .all(|wanted| units.next().is_some_and(|unit| wanted == u16::from(b'?') || wanted == unit));
    fits && units.next().is_none()
}

/// Slashes as they are, segments as they take part in matching.
fn decoded(path: &str) -> Cow<'_, str> {
    if memchr2(b'%', b';', path.as_bytes()).is_none() {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    for (at, segment) in path.split('/').enumerate() {
        if at > 0 {
            out.push('/');
        }
        out.push_str(&RequestPath::segment_value(segment));
    }
    Cow::Owned(out)
}
