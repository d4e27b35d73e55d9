//! The replacement text of a pattern (`filters.md` 3.6).

use std::fmt;

use super::{JavaPattern, Spans};

/// What takes the place of a match: text, `$1`, `${name}`, `\c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// The digits behind a `$`. How many of them count depends on the groups there are.
    Number(String),
    Name(String),
    /// Raised when a match is replaced, never before.
    Bad(&'static str),
}

/// Why a replacement makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nonsense<'a> {
    Malformed(&'static str),
    NoNumber(&'a str),
    NoName(&'a str),
}

impl fmt::Display for Nonsense<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => formatter.write_str(why),
            Self::NoNumber(digits) => write!(formatter, "there is no group `${digits}`"),
            Self::NoName(name) => write!(formatter, "there is no group `${{{name}}}`"),
        }
    }
}

impl Replacement {
    /// Reads a replacement as a route file has it, where `$\` stands for `$` because `${…}` would
    /// be a placeholder.
    pub fn parse_configured(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::parse(&text.replace("$\\", "$")) }
    }

    /// Reads a replacement. Whatever is wrong with it is kept: it only counts if a match occurs.
    pub fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text.chars();
        while let Some(next) = rest.next() {
            let part = match next {
                '\\' => match rest.next() {
                    Some(escaped) => {
                        literal.push(escaped);
                        continue;
                    }
                    None => Part::Bad("nothing behind the last `\\`"),
                },
                '$' => {
                    let (part, behind) = reference(rest.as_str());
                    rest = behind.chars();
                    part
                }
                other => {
                    literal.push(other);
                    continue;
                }
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            let stop = matches!(part, Part::Bad(_));
            parts.push(part);
            if stop {
                break;
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Self { text: text.to_owned(), parts }
    }

    /// The replacement as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names behind `${`, in order.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::Literal(_) | Part::Number(_) | Part::Bad(_) => None,
        })
    }

    /// Whether a match of `pattern` can be replaced. Makes the pattern ready to search.
    ///
    /// # Errors
    ///
    /// What every match would fail with: a group that is not there, a `$` without one, a last `\`.
    pub fn check(&self, pattern: &JavaPattern) -> Result<(), String> {
        pattern.prepare_search().map_err(|invalid| invalid.to_string())?;
        let spans = Spans { whole: (0, 0), groups: vec![None; pattern.groups.len()] };
        self.expand(&pattern.groups, &spans, "", &mut String::new())
            .map_err(|nonsense| nonsense.to_string())
    }

    /// Appends what takes the place of one match.
    pub(super) fn expand(
        &self,
        names: &[Option<String>],
        spans: &Spans,
        text: &str,
        out: &mut String,
    ) -> Result<(), Nonsense<'_>> {
        for part in &self.parts {
            match part {
                Part::Literal(literal) => out.push_str(literal),
                Part::Bad(why) => return Err(Nonsense::Malformed(why)),
                Part::Name(name) => {
                    let at = names
                        .iter()
                        .position(|known| known.as_ref() == Some(name))
                        .ok_or(Nonsense::NoName(name))?;
                    out.push_str(group(spans, text, at + 1));
                }
                Part::Number(digits) => {
                    let (number, used) = number(digits, names.len());
                    if number > names.len() {
                        return Err(Nonsense::NoNumber(digits.get(..used).unwrap_or(digits)));
                    }
                    out.push_str(group(spans, text, number));
                    out.push_str(digits.get(used..).unwrap_or_default());
                }
            }
        }
        Ok(())
    }
}

/// Reads what stands behind a `$`, and what is left.
fn reference(text: &str) -> (Part, &str) {
    if let Some(inner) = text.strip_prefix('{') {
        let end = inner.find(|next: char| !next.is_ascii_alphanumeric()).unwrap_or(inner.len());
        let (name, behind) = inner.split_at_checked(end).unwrap_or((inner, ""));
        let Some(behind) = behind.strip_prefix('}').filter(|_| !name.is_empty()) else {
            return (Part::Bad("`${` without a group name and `}`"), "");
        };
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            return (Part::Bad("a group name cannot start with a digit"), "");
        }
        return (Part::Name(name.to_owned()), behind);
    }
    let end = text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len());
    match text.split_at_checked(end) {
        Some((digits, behind)) if !digits.is_empty() => (Part::Number(digits.to_owned()), behind),
        _ => (Part::Bad("`$` without a group; a literal one is written `\\$`"), ""),
    }
}

/// The group that `digits` name and how many of them it takes: the first counts in any case,
/// others as long as there is such a group.
fn number(digits: &str, groups: usize) -> (usize, usize) {
    let mut values = digits.bytes().map(|digit| usize::from(digit.wrapping_sub(b'0')));
    let mut number = values.next().unwrap_or_default();
    let mut used = 1;
    for value in values {
        let longer = number.saturating_mul(10).saturating_add(value);
        if longer > groups {
            break;
        }
        number = longer;
        used += 1;
    }
    (number, used)
}

fn group<'t>(spans: &Spans, text: &'t str, number: usize) -> &'t str {
    let span = match number.checked_sub(1) {
        None => Some(spans.whole),
        Some(at) => spans.groups.get(at).copied().flatten(),
    };
    span.and_then(|(start, end)| text.get(start..end)).unwrap_or_default()
}
