//! What begins with a parenthesis: groups, looks around, and inline flags.

use super::InvalidPattern;
use super::translate::{Atom, Translator};

impl Translator {
    /// Reads a group behind its parenthesis.
    pub(super) fn group(&mut self) -> Result<Atom, InvalidPattern> {
        self.enter()?;
        let flags = self.flags;
        let mut atom = Atom::Single;
        if self.peek_raw() == Some('?') {
            self.next();
            match self.next() {
                Some(':') => self.push("(?:"),
                Some('>') => self.push_fancy("(?>"),
                Some(look @ ('=' | '!')) => {
                    self.push_fancy(if look == '=' { "(?=" } else { "(?!" });
                    atom = Atom::Assertion;
                }
                Some('<') => match self.peek_raw() {
                    Some(look @ ('=' | '!')) => {
                        self.next();
                        self.push_fancy(if look == '=' { "(?<=" } else { "(?<!" });
                        atom = Atom::Assertion;
                    }
                    _ => self.named_group()?,
                },
                Some(letter) => {
                    self.at -= 1;
                    if self.inline_flags(letter)? {
                        self.leave();
                        return Ok(Atom::Nothing);
                    }
                    self.push("(?:");
                }
                None => return Err(unclosed()),
            }
        } else {
            self.groups.push(None);
            self.push("(");
        }
        let start = self.out.len();
        let groups = self.groups.len();
        self.alternatives()?;
        if self.next_significant() != Some(')') {
            return Err(unclosed());
        }
        if self.out.len() == start && self.groups.len() == groups {
            // Nothing in there; the engines refuse to repeat it.
            atom = Atom::Assertion;
        }
        self.push(")");
        self.flags = flags;
        self.leave();
        Ok(atom)
    }

    fn named_group(&mut self) -> Result<(), InvalidPattern> {
        let name = self.group_name()?;
        if self.groups.iter().any(|known| known.as_ref() == Some(&name)) {
            return Err(InvalidPattern::new(format!("two groups are named `{name}`")));
        }
        self.groups.push(Some(name));
        self.push("(");
        Ok(())
    }

    /// Reads a name and its `>`.
    pub(super) fn group_name(&mut self) -> Result<String, InvalidPattern> {
        let mut name = String::new();
        while let Some(next) = self.next() {
            match next {
                '>' if !name.is_empty() => return Ok(name),
                letter if letter.is_ascii_alphabetic() => name.push(letter),
                digit if digit.is_ascii_digit() && !name.is_empty() => name.push(digit),
                _ => break,
            }
        }
        Err(InvalidPattern::new("a group name is a letter, then letters and digits, then `>`"))
    }

    /// Reads `i-s)` or `i-s:` and says whether the flags hold for the rest of the group.
    fn inline_flags(&mut self, first: char) -> Result<bool, InvalidPattern> {
        let mut on = true;
        loop {
            let next = self.peek_raw();
            let flags = &mut self.flags;
            match next {
                Some('i') => flags.ignore_case = on,
                Some('m') => flags.multiline = on,
                Some('s') => flags.dotall = on,
                Some('d') => flags.unix_lines = on,
                Some('u') => flags.unicode_case = on,
                Some('x') => flags.comments = on,
                Some('U') => {
                    flags.unicode_classes = on;
                    flags.unicode_case = on;
                }
                Some('-') if on => on = false,
                Some(end @ (')' | ':')) => {
                    self.at += 1;
                    self.literal = None;
                    return Ok(end == ')');
                }
                _ => return Err(InvalidPattern::new(format!("unknown group `(?{first}`"))),
            }
            self.at += 1;
        }
    }
}

fn unclosed() -> InvalidPattern {
    InvalidPattern::new("`(` without `)`")
}
