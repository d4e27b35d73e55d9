//! URIs as `java.net.URI` reads and writes them: RFC 2396, with characters beyond ASCII left as
//! they are.

use percent_encoding::{AsciiSet, utf8_percent_encode};

use crate::exchange::has_bad_escape;
use crate::query::{NOT_IN_QUERY, Parameters};

/// A URI in parts, as written.
#[derive(Debug, Clone)]
pub(crate) struct JavaUri {
    /// Scheme with its `:`, authority with its `//`.
    front: String,
    path: String,
    query: String,
    fragment: Option<String>,
}

const NOT_IN_PATH: &AsciiSet = &NOT_IN_QUERY.add(b'?').add(b'[').add(b']');

impl JavaUri {
    /// Reads an absolute or relative URI.
    ///
    /// # Errors
    ///
    /// What is wrong with it, to stand behind its name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let illegal = |next: &char| is_quoted(*next) || "\"<>\\^`{|}".contains(*next);
        if let Some(illegal) = text.chars().find(illegal) {
            return Err(format!("is not a URI: it holds `{}`", illegal.escape_debug()));
        }
        if has_bad_escape(text) {
            return Err("is not a URI: a `%` in it is no escape".to_owned());
        }
        let (text, fragment) = match text.split_once('#') {
            Some((text, fragment)) => (text, Some(fragment.to_owned())),
            None => (text, None),
        };
        if fragment.as_ref().is_some_and(|fragment| fragment.contains('#')) {
            return Err("is not a URI: it has two fragments".to_owned());
        }
        let (scheme, rest) = split_scheme(text)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match rest.strip_prefix("//") {
            Some(behind) => {
                let end = behind.find('/').unwrap_or(behind.len());
                rest.split_at_checked(end + 2).unwrap_or((rest, ""))
            }
            None => ("", rest),
        };
        if authority == "//" && path.is_empty() {
            return Err("is not a URI: it has no host behind `//`".to_owned());
        }
        if path.contains(['[', ']']) {
            return Err("is not a URI: its path holds a bracket".to_owned());
        }
        if !scheme.is_empty() && authority.is_empty() && path.is_empty() {
            return Err("is not a URI: there is nothing behind the scheme".to_owned());
        }
        Ok(Self {
            front: format!("{scheme}{authority}"),
            path: path.to_owned(),
            query: query.to_owned(),
            fragment,
        })
    }

    /// Writes the URI anew with more parameters, encoding what needs it and every `%`.
    pub(crate) fn with_parameters(&self, more: Parameters<'_>) -> String {
        let mut parameters = Parameters::raw(&self.query);
        parameters.extend(more);
        let mut out = self.front.clone();
        let mut last = None;
        let path =
            self.path.chars().filter(|next| last.replace(*next) != Some('/') || *next != '/');
        quote(&path.collect::<String>(), NOT_IN_PATH, &mut out);
        if !parameters.is_empty() {
            out.push('?');
            quote(&parameters.to_raw(), NOT_IN_QUERY, &mut out);
        }
        if let Some(fragment) = &self.fragment {
            out.push('#');
            quote(fragment, NOT_IN_QUERY, &mut out);
        }
        out
    }
}

fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    let end = text.find(['/', '?', ':']).filter(|end| text.as_bytes().get(*end) == Some(&b':'));
    let Some((scheme, rest)) = end.and_then(|end| text.split_at_checked(end + 1)) else {
        return Ok(("", text));
    };
    let name = scheme.trim_end_matches(':');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(legal) {
        return Ok((scheme, rest));
    }
    Err(format!("is not a URI: `{name}` is not a scheme"))
}

/// Encodes what is in `set`, and blanks and control characters beyond ASCII; leaves other
/// characters beyond ASCII as they are.
fn quote(text: &str, set: &'static AsciiSet, out: &mut String) {
    let mut buffer = [0; 4];
    for character in text.chars() {
        if character.is_ascii() || is_quoted(character) {
            out.extend(utf8_percent_encode(character.encode_utf8(&mut buffer), set));
        } else {
            out.push(character);
        }
    }
}

/// Whether a character is a blank or a control character in Java's eyes.
fn is_quoted(character: char) -> bool {
    character.is_control() || character.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(text: &str) {
        assert!(JavaUri::parse(text).is_err(), "{text}");
    }

    #[track_caller]
    fn check_written(text: &str, query: &str, expected: &str) {
        let uri = JavaUri::parse(text).unwrap();
        assert_eq!(uri.with_parameters(Parameters::decoded(query)), expected);
    }

    #[test]
    fn refuses_what_java_refuses() {
        check_refused("https://a b");
        check_refused("/{x}");
        check_refused("/%zz");
        check_refused("1a:b");
        check_refused(":b");
        check_refused("https:");
        check_refused("https://");
        check_refused("/a[1]");
        check_refused("#a#b");
    }

    #[test]
    fn keeps_user_port_and_brackets_of_a_query() {
        check_written(
            "https://u:p@a.test:8443/p?x=[1]&%41&y=%20&&z#f%20x",
            "",
            "https://u:p@a.test:8443/p?x=[1]&%2541&y=%2520&z#f%2520x",
        );
        check_written("http://[::1]:80?x", "y", "http://[::1]:80?x&y");
    }

    #[test]
    fn leaves_letters_beyond_ascii() {
        check_written("/", "a=%C3%A9%C2%A0%0A", "/?a=é%C2%A0%0A");
    }
}
