//! The query of a target, as filters edit it (`filters.md` 3.2, 3.3).
//!
//! An edited query is written anew: parameters of one name stand together, in the place of the
//! first. A query that no filter edits is never touched.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str};

use crate::exchange::has_bad_escape;

/// What neither query nor fragment may hold, the `%` included.
pub(crate) const NOT_IN_QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// All but what is never encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Names and values of a query, in order. A parameter without `=` has no value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters<'q>(Vec<(Cow<'q, str>, Option<Cow<'q, str>>)>);

impl<'q> Parameters<'q> {
    /// Reads a query and leaves names and values as they are.
    pub(crate) fn raw(query: &'q str) -> Self {
        Self(pairs(query).map(|(name, value)| (name.into(), value.map(Cow::from))).collect())
    }

    /// Reads a query and decodes names and values as those of a form.
    pub(crate) fn decoded(query: &'q str) -> Self {
        Self(pairs(query).map(|(name, value)| (decode(name), value.map(decode))).collect())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Drops all parameters of a name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Adds those of `other` behind its own.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The query, names and values as they are.
    pub(crate) fn to_raw(&self) -> String {
        self.written(|text, out| out.push_str(text))
    }

    /// The query, all but letters, digits and `-._~` encoded.
    pub(crate) fn to_encoded(&self) -> String {
        self.written(|text, out| {
            out.extend(percent_encoding::utf8_percent_encode(text, RESERVED));
        })
    }

    fn written(&self, push: impl Fn(&str, &mut String)) -> String {
        let mut out = String::new();
        for (name, value) in self.grouped() {
            if !out.is_empty() {
                out.push('&');
            }
            push(name, &mut out);
            if let Some(value) = value {
                out.push('=');
                push(value, &mut out);
            }
        }
        out
    }

    /// All parameters, those of one name together.
    ///
    /// By a map, because a client may send thousands of names.
    fn grouped(&self) -> Vec<(&str, Option<&str>)> {
        let mut firsts = HashMap::new();
        let mut placed: Vec<(usize, &str, Option<&str>)> = Vec::with_capacity(self.0.len());
        for (at, (name, value)) in self.0.iter().enumerate() {
            placed.push((*firsts.entry(&**name).or_insert(at), name, value.as_deref()));
        }
        placed.sort_by_key(|(place, ..)| *place);
        placed.into_iter().map(|(_, name, value)| (name, value)).collect()
    }
}

/// Whether a target is encoded already: it has a `%`, and nothing in it needs one.
///
/// A lone `[` or a second `=` in a value is enough to say no.
pub(crate) fn is_fully_encoded(path: &str, query: Option<&str>) -> bool {
    let query = query.unwrap_or_default();
    (path.contains('%') || query.contains('%'))
        && is_legal(path, |byte| is_path_byte(byte) || byte == b'/')
        && is_legal_query(query)
}

/// Whether names and values of a query hold nothing that has to be encoded.
pub(crate) fn is_legal_query(query: &str) -> bool {
    let legal = |byte| (is_path_byte(byte) && !b"=&".contains(&byte)) || b"/?".contains(&byte);
    pairs(query)
        .flat_map(|(name, value)| [Some(name), value])
        .flatten()
        .all(|text| is_legal(text, legal))
}

/// Encodes what a query may not hold, and every `%`.
pub(crate) fn escape_query(query: &str) -> String {
    percent_encoding::utf8_percent_encode(query, NOT_IN_QUERY).to_string()
}

fn is_legal(text: &str, legal: impl Fn(u8) -> bool) -> bool {
    !has_bad_escape(text) && text.bytes().all(|byte| byte == b'%' || legal(byte))
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

/// Splits a query: pieces between `&`, stray `=` before a name dropped, pieces without a name
/// dropped.
fn pairs(query: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    query.split('&').filter_map(|piece| {
        let piece = piece.trim_start_matches('=');
        let (name, value) = match piece.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (piece, None),
        };
        (!name.is_empty()).then_some((name, value))
    })
}

/// The first value of a parameter, decoded; `None` if there is no such parameter or it has no value.
pub(crate) fn first_value<'q>(query: &'q str, wanted: &str) -> Option<Cow<'q, str>> {
    let (_, value) = pairs(query).find(|(name, _)| decode(name) == wanted)?;
    value.map(decode)
}

/// Decodes a name or value of a form; what is not UTF-8 becomes U+FFFD.
fn decode(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_raw(query: &str, expected: &str) {
        assert_eq!(Parameters::raw(query).to_raw(), expected, "{query}");
    }

    #[test]
    fn writes_parameters_of_one_name_together() {
        check_raw("a=1&b=2&a=3", "a=1&a=3&b=2");
        check_raw("&&b=1&", "b=1");
        check_raw("=x", "x");
        check_raw("==&x==&y=", "x==&y=");
    }

    #[test]
    fn tells_no_value_from_an_empty_one() {
        check_raw("a&b=&a=", "a&a=&b=");
    }

    #[test]
    fn decodes_as_a_form_does() {
        assert_eq!(
            Parameters::decoded("a=x+y%2B%C3%A9%FF").to_encoded(),
            "a=x%20y%2B%C3%A9%EF%BF%BD"
        );
    }

    #[test]
    fn knows_an_encoded_target() {
        assert!(is_fully_encoded("/a%20b", None));
        assert!(is_fully_encoded("/a", Some("x=%20&y=/?")));
        assert!(!is_fully_encoded("/a", Some("x=1")));
        assert!(!is_fully_encoded("/a", Some("x=%20&y=b=c")));
        assert!(!is_fully_encoded("/a", Some("x[]=%20")));
    }
}
