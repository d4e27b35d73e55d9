//! What stands behind an atom: how often it is repeated.

use super::InvalidPattern;
use super::translate::{Atom, Translator};

impl Translator {
    /// Reads a quantifier, if there is one, for the atom that begins at `start` of the output.
    pub(super) fn quantifier(&mut self, start: usize, atom: Atom) -> Result<(), InvalidPattern> {
        let (quantifier, least) = match self.peek() {
            Some('?') => ("?".to_owned(), 0),
            Some('*') => ("*".to_owned(), 0),
            Some('+') => ("+".to_owned(), 1),
            Some('{') => self.counted()?,
            _ => return Ok(()),
        };
        self.next_significant();
        self.literal = None;
        let is_possessive = self.peek() == Some('+');
        let is_lazy = self.peek() == Some('?');
        if is_possessive || is_lazy {
            self.next_significant();
        }
        if atom == Atom::Assertion {
            if least == 0 {
                self.out.insert_str(start, "(?:");
                self.out.push_str("|)");
            }
            return Ok(());
        }
        self.out.push_str(&quantifier);
        if is_lazy {
            self.out.push('?');
        }
        if is_possessive {
            self.needs_backtracking = true;
            self.out.insert_str(start, "(?>");
            self.out.push(')');
        }
        Ok(())
    }

    /// Reads `{n}`, `{n,}` or `{n,m}` up to its last character, which is left.
    fn counted(&mut self) -> Result<(String, u32), InvalidPattern> {
        let wrong =
            || InvalidPattern::new("`{` opens no repetition; a literal one is written `\\{`");
        self.next_significant();
        let least = self.count().ok_or_else(wrong)?;
        let text = match self.peek_raw() {
            Some('}') => format!("{{{least}}}"),
            Some(',') => {
                self.next();
                if self.peek_raw() == Some('}') {
                    format!("{{{least},}}")
                } else {
                    let most = self.count().ok_or_else(wrong)?;
                    if most < least {
                        return Err(InvalidPattern::new("a repetition ends before it starts"));
                    }
                    format!("{{{least},{most}}}")
                }
            }
            _ => return Err(wrong()),
        };
        if self.peek_raw() != Some('}') {
            return Err(wrong());
        }
        Ok((text, least))
    }

    fn count(&mut self) -> Option<u32> {
        let mut count = self.digit(10)?;
        while let Some(digit) = self.digit(10) {
            count = count.checked_mul(10)?.checked_add(digit)?;
        }
        Some(count)
    }
}
