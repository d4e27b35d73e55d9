//! What stands behind a backslash.

use super::InvalidPattern;
use super::property;
use super::translate::{Flags, Translator};

/// What an escape stands for.
#[derive(Debug)]
pub(super) enum Escape {
    Char(char),
    /// The body of a class, and whether it is negated.
    Set(String, bool),
}

impl Escape {
    fn set(body: &str, negated: bool) -> Self {
        Self::Set(body.to_owned(), negated)
    }
}

impl Translator {
    /// Reads an escape that means the same inside and outside of a class; the backslash is read.
    pub(super) fn escape(&mut self) -> Result<Escape, InvalidPattern> {
        let Some(letter) = self.next() else {
            return Err(InvalidPattern::new("nothing behind the last `\\`"));
        };
        if let Some(body) = shorthand(letter.to_ascii_lowercase(), self.flags) {
            return Ok(Escape::set(body, letter.is_ascii_uppercase()));
        }
        let found = match letter {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{C}',
            'a' => '\u{7}',
            'e' => '\u{1B}',
            '0' => self.octal()?,
            'x' => self.hexadecimal()?,
            'u' => self.utf16()?,
            'c' => {
                let control = self.next().and_then(|next| u8::try_from(next).ok());
                let control = control.filter(u8::is_ascii);
                let control = control.ok_or_else(|| InvalidPattern::new("`\\c` wants a letter"))?;
                char::from(control ^ 0x40)
            }
            'p' | 'P' => return self.property(letter == 'P'),
            letter if letter.is_ascii_alphanumeric() => {
                return Err(InvalidPattern::new(format!("unknown escape `\\{letter}`")));
            }
            other => other,
        };
        Ok(Escape::Char(found))
    }

    fn property(&mut self, negated: bool) -> Result<Escape, InvalidPattern> {
        let mut name = String::new();
        match self.next() {
            Some('{') => loop {
                match self.next() {
                    Some('}') => break,
                    Some(next) => name.push(next),
                    None => return Err(InvalidPattern::new("`\\p{` without `}`")),
                }
            },
            Some(letter) => name.push(letter),
            None => return Err(InvalidPattern::new("nothing behind `\\p`")),
        }
        match property::body(&name, self.flags.ignore_case, self.flags.unicode_classes) {
            Some(body) => Ok(Escape::Set(body, negated)),
            None => Err(InvalidPattern::new(format!("unknown property `\\p{{{name}}}`"))),
        }
    }

    /// `\0n`, `\0nn` or `\0mnn`, at most `\0377`.
    fn octal(&mut self) -> Result<char, InvalidPattern> {
        let first = self.digit(8).ok_or_else(|| InvalidPattern::new("`\\0` wants octal digits"))?;
        let mut value = first;
        for place in 1..3 {
            if place == 2 && first > 3 {
                break;
            }
            let Some(digit) = self.digit(8) else { break };
            value = value * 8 + digit;
        }
        self.code_point(value)
    }

    /// `\xhh` or `\x{h…}`.
    fn hexadecimal(&mut self) -> Result<char, InvalidPattern> {
        let wrong = || InvalidPattern::new("`\\x` wants two hexadecimal digits, or `{…}`");
        if self.peek_raw() != Some('{') {
            let value = self.fixed_hexadecimal(2).ok_or_else(wrong)?;
            return self.code_point(value);
        }
        self.next();
        let mut value = self.digit(16).ok_or_else(wrong)?;
        while let Some(digit) = self.digit(16) {
            value = value
                .checked_mul(16)
                .and_then(|value| value.checked_add(digit))
                .ok_or_else(wrong)?;
        }
        if self.next() != Some('}') {
            return Err(wrong());
        }
        self.code_point(value)
    }

    /// `\uhhhh`; two that form a surrogate pair are one character.
    fn utf16(&mut self) -> Result<char, InvalidPattern> {
        let wrong = || InvalidPattern::new("`\\u` wants four hexadecimal digits");
        let high = self.fixed_hexadecimal(4).ok_or_else(wrong)?;
        if (0xD800..0xDC00).contains(&high) && self.starts_with("\\u") {
            self.next();
            self.next();
            let low = self.fixed_hexadecimal(4).ok_or_else(wrong)?;
            if (0xDC00..0xE000).contains(&low) {
                return self.code_point(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00));
            }
        }
        self.code_point(high)
    }

    #[expect(clippy::unused_self, reason = "reads like its siblings")]
    fn code_point(&self, value: u32) -> Result<char, InvalidPattern> {
        char::from_u32(value)
            .ok_or_else(|| InvalidPattern::new(format!("`{value:x}` is no character")))
    }

    fn fixed_hexadecimal(&mut self, digits: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..digits {
            value = value * 16 + self.digit(16)?;
        }
        Some(value)
    }

    /// Reads one digit, if there is one.
    pub(super) fn digit(&mut self, radix: u32) -> Option<u32> {
        let digit = self.peek_raw()?.to_digit(radix)?;
        self.next();
        Some(digit)
    }
}

/// The body of the class that a lower-case letter stands for.
fn shorthand(letter: char, flags: Flags) -> Option<&'static str> {
    Some(match (letter, flags.unicode_classes) {
        ('d', false) => "0-9",
        ('d', true) => r"\p{Nd}",
        ('w', false) => "0-9A-Z_a-z",
        ('w', true) => r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}",
        ('s', false) => r"\x20\t-\r",
        ('s', true) => r"\p{White_Space}",
        ('h', _) => r"\x20\t\u{A0}\u{1680}\u{180E}\u{2000}-\u{200A}\u{202F}\u{205F}\u{3000}",
        ('v', _) => r"\n-\r\u{85}\u{2028}\u{2029}",
        _ => return None,
    })
}
