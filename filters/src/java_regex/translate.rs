//! From Java's notation to the one the engines share.

use super::InvalidPattern;
use super::class::other_case;
use super::escape::Escape;

/// How deep groups and classes may nest; the engines' own limits lie beyond it.
const DEPTH_LIMIT: usize = 60;

/// A pattern in the engines' notation.
#[derive(Debug)]
pub(super) struct Translation {
    pub(super) pattern: String,
    /// What the pattern matches if it has no operators at all.
    pub(super) literal: Option<String>,
    pub(super) needs_backtracking: bool,
    /// Whether the pattern has a `$` that also matches before a final line terminator.
    pub(super) has_line_end: bool,
    /// Names of the capture groups, in order.
    pub(super) groups: Vec<Option<String>>,
}

/// What may be taken for granted about the texts to match.
///
/// A `$` is costly, as it also matches before a final line terminator; texts that have none are
/// nearly all there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnds {
    /// The text does not end in a line terminator.
    Absent,
    /// It does.
    Final,
}

/// The inline flags.
#[expect(clippy::struct_excessive_bools, reason = "Java has these seven")]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) unicode_case: bool,
    pub(super) unicode_classes: bool,
    pub(super) dotall: bool,
    pub(super) multiline: bool,
    pub(super) unix_lines: bool,
    pub(super) comments: bool,
}

/// Translates a pattern.
pub(super) fn translate(
    text: &str,
    dotall: bool,
    ends: LineEnds,
) -> Result<Translation, InvalidPattern> {
    let first = Translator::new(text, dotall, ends, usize::MAX).run()?;
    if first.highest_reference <= first.groups.len() {
        return Ok(first.finish());
    }
    // References beyond the last group never match; how many groups there are is only known now.
    let groups = first.groups.len();
    Ok(Translator::new(text, dotall, ends, groups).run()?.finish())
}

/// What an atom is, for the quantifier behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Atom {
    /// Can be followed by a quantifier as it stands.
    Single,
    /// Consumes nothing, so that repeating it makes no difference.
    Assertion,
    /// No atom at all, as `(?i)`.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Translator {
    chars: Vec<char>,
    pub(super) at: usize,
    depth: usize,
    pub(super) flags: Flags,
    ends: LineEnds,
    known_groups: usize,
    highest_reference: usize,
    pub(super) groups: Vec<Option<String>>,
    pub(super) needs_backtracking: bool,
    has_line_end: bool,
    pub(super) literal: Option<String>,
    pub(super) out: String,
}

impl Translator {
    fn new(text: &str, dotall: bool, ends: LineEnds, known_groups: usize) -> Self {
        Self {
            chars: unquoted(text),
            at: 0,
            depth: 0,
            flags: Flags { dotall, ..Flags::default() },
            ends,
            known_groups,
            highest_reference: 0,
            groups: Vec::new(),
            needs_backtracking: false,
            has_line_end: false,
            literal: Some(String::new()),
            out: String::new(),
        }
    }

    fn run(mut self) -> Result<Self, InvalidPattern> {
        self.alternatives()?;
        match self.peek() {
            Some(_) => Err(InvalidPattern::new("`)` without `(`")),
            None => Ok(self),
        }
    }

    fn finish(self) -> Translation {
        Translation {
            pattern: self.out,
            literal: self.literal,
            needs_backtracking: self.needs_backtracking,
            has_line_end: self.has_line_end,
            groups: self.groups,
        }
    }

    pub(super) fn alternatives(&mut self) -> Result<(), InvalidPattern> {
        loop {
            self.sequence()?;
            if self.peek() != Some('|') {
                return Ok(());
            }
            self.next_significant();
            self.push("|");
        }
    }

    fn sequence(&mut self) -> Result<(), InvalidPattern> {
        loop {
            let start = self.out.len();
            let atom = match self.peek() {
                None | Some('|' | ')') => return Ok(()),
                Some(dangling @ ('*' | '+' | '?')) => {
                    return Err(InvalidPattern::new(format!(
                        "nothing to repeat before `{dangling}`"
                    )));
                }
                // Java repeats nothing then: `a{2}{3}` is `a{2}`.
                Some('{') => {
                    self.push("(?:)");
                    Atom::Assertion
                }
                Some(_) => self.atom()?,
            };
            if atom != Atom::Nothing {
                self.quantifier(start, atom)?;
            }
        }
    }

    fn atom(&mut self) -> Result<Atom, InvalidPattern> {
        match self.next_significant() {
            Some('(') => self.group(),
            Some('[') => {
                let class = self.class()?;
                self.push_class(&class);
                Ok(Atom::Single)
            }
            Some('.') => {
                self.push(match (self.flags.dotall, self.flags.unix_lines) {
                    (true, _) => "(?s:.)",
                    (false, true) => r"[^\n]",
                    (false, false) => r"[^\n\r\u{85}\u{2028}\u{2029}]",
                });
                Ok(Atom::Single)
            }
            Some('^') => {
                self.line_start();
                Ok(Atom::Assertion)
            }
            Some('$') => {
                self.line_end(self.flags.multiline);
                Ok(Atom::Assertion)
            }
            Some('\\') => self.escaped_atom(),
            Some(other) => {
                self.push_char(other);
                Ok(Atom::Single)
            }
            None => Ok(Atom::Nothing),
        }
    }

    fn escaped_atom(&mut self) -> Result<Atom, InvalidPattern> {
        let back = self.at;
        match self.next() {
            Some('A') => self.push(r"\A"),
            Some('z') => self.push(r"\z"),
            Some('Z') => self.line_end(false),
            Some('G') => self.push_fancy(r"\G"),
            Some('b') if !self.starts_with("{g}") => self.push(r"\b"),
            Some('B') => self.push(r"\B"),
            Some('R') => {
                self.push(r"(?:\r\n|[\n-\r\u{85}\u{2028}\u{2029}])");
                return Ok(Atom::Single);
            }
            Some('k') => {
                if self.next() != Some('<') {
                    return Err(InvalidPattern::new("`\\k` wants `<name>`"));
                }
                let name = self.group_name()?;
                let at = self.groups.iter().position(|known| known.as_ref() == Some(&name));
                let at = at.ok_or_else(|| {
                    InvalidPattern::new(format!("there is no group `{name}` yet"))
                })?;
                return Ok(self.reference(at + 1));
            }
            Some('1'..='9') => {
                self.at = back;
                let number = self.reference_number();
                return Ok(self.reference(number));
            }
            _ => {
                self.at = back;
                match self.escape()? {
                    Escape::Char(found) => self.push_char(found),
                    Escape::Set(body, negated) => {
                        let lead = if negated { "[^" } else { "[" };
                        self.push_class(&format!("{lead}{body}]"));
                    }
                }
                return Ok(Atom::Single);
            }
        }
        Ok(Atom::Assertion)
    }

    /// The first digit counts in any case, others as long as there is such a group.
    fn reference_number(&mut self) -> usize {
        let value = |digit: u32| usize::try_from(digit).unwrap_or(usize::MAX);
        let mut number = self.digit(10).map_or(0, value);
        loop {
            let back = self.at;
            let Some(digit) = self.digit(10) else { return number };
            let longer = number.saturating_mul(10).saturating_add(value(digit));
            if longer > self.groups.len() {
                self.at = back;
                return number;
            }
            number = longer;
        }
    }

    fn reference(&mut self, number: usize) -> Atom {
        self.highest_reference = self.highest_reference.max(number);
        if number > self.known_groups {
            self.push_fancy("(?:(?!)a)");
        } else if self.flags.ignore_case {
            self.push_fancy(&format!(r"(?i:\{number})"));
        } else {
            self.push_fancy(&format!(r"(?:\{number})"));
        }
        Atom::Single
    }

    fn line_start(&mut self) {
        if !self.flags.multiline {
            self.push(r"\A");
        } else if self.flags.unix_lines {
            self.push_fancy(r"(?:(?:\A|(?<=\n))(?!\z))");
        } else {
            self.push_fancy(r"(?:(?:\A|(?<=[\n\u{85}\u{2028}\u{2029}])|(?<=\r)(?!\n))(?!\z))");
        }
    }

    fn line_end(&mut self, multiline: bool) {
        let unix = self.flags.unix_lines;
        if multiline && unix {
            self.push_fancy(r"(?:\z|(?=\n))");
        } else if multiline {
            self.push_fancy(r"(?:\z|(?=[\r\u{85}\u{2028}\u{2029}])|(?<!\r)(?=\n))");
        } else {
            self.has_line_end = true;
            match (self.ends, unix) {
                (LineEnds::Absent, _) => self.push(r"\z"),
                (LineEnds::Final, true) => self.push_fancy(r"(?=\n?\z)"),
                (LineEnds::Final, false) => self.push_fancy(
                    r"(?:\z|(?=(?:\r\n|[\r\u{85}\u{2028}\u{2029}])\z)|(?<!\r)(?=\n\z))",
                ),
            }
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.literal = None;
        self.out.push_str(text);
    }

    pub(super) fn push_fancy(&mut self, text: &str) {
        self.needs_backtracking = true;
        self.push(text);
    }

    fn push_class(&mut self, class: &str) {
        if self.flags.ignore_case && self.flags.unicode_case {
            self.push(&format!("(?i:{class})"));
        } else {
            self.push(class);
        }
    }

    fn push_char(&mut self, found: char) {
        if self.flags.ignore_case && self.flags.unicode_case {
            let mut text = String::from("(?i:");
            push_escaped(&mut text, found);
            text.push(')');
            self.push(&text);
        } else if self.flags.ignore_case && found.is_ascii_alphabetic() {
            self.push(&format!("[{found}{}]", other_case(found)));
        } else {
            if let Some(literal) = &mut self.literal {
                literal.push(found);
            }
            push_escaped(&mut self.out, found);
        }
    }

    pub(super) fn enter(&mut self) -> Result<(), InvalidPattern> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(InvalidPattern::new(format!("nests deeper than {DEPTH_LIMIT}")));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn go_back(&mut self, position: usize) {
        self.at = position;
    }

    pub(super) fn starts_with(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(offset, next)| self.chars.get(self.at + offset) == Some(&next))
    }

    /// The next character, blanks and comments skipped where they do not count.
    pub(super) fn peek(&mut self) -> Option<char> {
        while self.flags.comments {
            match self.chars.get(self.at) {
                Some(' ' | '\t'..='\r') => self.at += 1,
                Some('#') => {
                    let rest = self.chars.iter().skip(self.at);
                    self.at += rest.take_while(|next| !LINE_FEEDS.contains(next)).count();
                }
                _ => break,
            }
        }
        self.peek_raw()
    }

    pub(super) fn peek_raw(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn next_significant(&mut self) -> Option<char> {
        self.peek();
        self.next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek_raw()?;
        self.at += 1;
        Some(next)
    }
}

const LINE_FEEDS: [char; 5] = super::LINE_TERMINATORS;

/// Appends a character that stands for itself, inside or outside of a class.
pub(super) fn push_escaped(out: &mut String, found: char) {
    if found.is_ascii_alphanumeric() || !found.is_ascii() || matches!(found, '_' | '/' | ' ') {
        out.push(found);
    } else if found.is_ascii_punctuation() && !matches!(found, '<' | '>') {
        out.push('\\');
        out.push(found);
    } else {
        out.extend(found.escape_unicode());
    }
}

/// The characters of a pattern, `\Q…\E` resolved to single escapes.
///
/// Java does so before it parses, so that a quotation may stand anywhere, classes included.
fn unquoted(text: &str) -> Vec<char> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        if next != '\\' {
            out.push(next);
            continue;
        }
        if let Some(quotation) = rest.as_str().strip_prefix('Q') {
            let (quoted, behind) = quotation.split_once("\\E").unwrap_or((quotation, ""));
            for (at, literal) in quoted.chars().enumerate() {
                if at == 0 && literal.is_ascii_digit() {
                    // Else it could become part of an escape before the quotation.
                    out.extend(['\\', 'x', '3']);
                } else if literal.is_ascii() && !literal.is_ascii_alphanumeric() {
                    out.push('\\');
                }
                out.push(literal);
            }
            rest = behind.chars();
        } else {
            out.push('\\');
            out.extend(rest.next());
        }
    }
    out
}
