//! `[…]`: nested unions, `&&` and negation.

use super::InvalidPattern;
use super::escape::Escape;
use super::translate::{Flags, Translator, push_escaped};

impl Translator {
    /// Reads a class behind its `[` and gives it in the engines' notation.
    pub(super) fn class(&mut self) -> Result<String, InvalidPattern> {
        self.enter()?;
        // Only directly behind the bracket is it a negation, even where blanks do not count.
        let negated = self.peek_raw() == Some('^');
        if negated {
            self.next();
        }
        let set = self.members()?;
        if self.next_significant() != Some(']') {
            return Err(InvalidPattern::new("`[` without `]`"));
        }
        self.leave();
        Ok(if negated { format!("[^{set}]") } else { set })
    }

    /// Reads members up to the `]`, which is left. What follows a `&&` reaches to the end.
    fn members(&mut self) -> Result<String, InvalidPattern> {
        let mut left = String::new();
        loop {
            match self.peek() {
                None => return Err(InvalidPattern::new("`[` without `]`")),
                Some(']') if !left.is_empty() => return Ok(format!("[{left}]")),
                Some('[') => {
                    self.next_significant();
                    left.push_str(&self.class()?);
                }
                Some('&') if self.is_intersection() => {
                    self.next_significant();
                    self.next_significant();
                    let right = self.right_of_intersection()?;
                    left = match (left.is_empty(), right) {
                        (true, None) => {
                            return Err(InvalidPattern::new("`&&` between nothing"));
                        }
                        (true, Some(right)) => right,
                        (false, None) => left,
                        (false, Some(right)) => format!("[[{left}]&&{right}]"),
                    };
                }
                Some(_) => left.push_str(&self.member()?),
            }
        }
    }

    fn right_of_intersection(&mut self) -> Result<Option<String>, InvalidPattern> {
        let mut right = String::new();
        loop {
            match self.peek() {
                None => return Err(InvalidPattern::new("`[` without `]`")),
                Some(']' | '&') => break,
                Some('[') => {
                    self.next_significant();
                    right.push_str(&self.class()?);
                }
                Some(_) => {
                    self.enter()?;
                    right.push_str(&self.members()?);
                    self.leave();
                }
            }
        }
        Ok((!right.is_empty()).then(|| format!("[{right}]")))
    }

    fn is_intersection(&mut self) -> bool {
        let back = self.position();
        self.next_significant();
        let found = self.peek() == Some('&');
        self.go_back(back);
        found
    }

    /// One character, range or escaped set.
    fn member(&mut self) -> Result<String, InvalidPattern> {
        let first = match self.next_significant() {
            Some('\\') => match self.escape()? {
                Escape::Char(found) => found,
                Escape::Set(body, negated) => {
                    return Ok(if negated { format!("[^{body}]") } else { format!("[{body}]") });
                }
            },
            Some(found) => found,
            None => return Err(InvalidPattern::new("`[` without `]`")),
        };
        let back = self.position();
        if self.next_significant() != Some('-') || matches!(self.peek(), Some('[' | ']') | None) {
            self.go_back(back);
            return Ok(range(first, first, self.flags));
        }
        let last = match self.next_significant() {
            Some('\\') => match self.escape()? {
                Escape::Char(found) => found,
                Escape::Set(..) => return Err(illegal_range()),
            },
            Some(found) => found,
            None => return Err(illegal_range()),
        };
        if last < first {
            return Err(illegal_range());
        }
        Ok(range(first, last, self.flags))
    }
}

fn illegal_range() -> InvalidPattern {
    InvalidPattern::new("a range in a class ends before it starts")
}

/// A range as members of a class, with the other case of its letters under `(?i)`.
fn range(first: char, last: char, flags: Flags) -> String {
    let mut out = String::new();
    push_range(&mut out, first, last);
    if flags.ignore_case && !flags.unicode_case {
        for [low, high] in [['a', 'z'], ['A', 'Z']] {
            let (from, to) = (first.max(low), last.min(high));
            if from <= to {
                push_range(&mut out, other_case(from), other_case(to));
            }
        }
    }
    out
}

fn push_range(out: &mut String, first: char, last: char) {
    push_escaped(out, first);
    if first != last {
        out.push('-');
        push_escaped(out, last);
    }
}

pub(super) fn other_case(letter: char) -> char {
    if letter.is_ascii_uppercase() {
        letter.to_ascii_lowercase()
    } else {
        letter.to_ascii_uppercase()
    }
}
