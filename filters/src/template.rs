//! Texts with `{variables}` that predicates captured (`filters.md` 3.5).
//!
//! A template is taken apart at load and put together per request; what a variable brings in is
//! never looked at again. The oddities are those of the reference gateway: `{x:anything}` is the
//! variable `x`, and slashes run together in a template that has a brace.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::arguments::UnitSettings;
use crate::exchange::has_bad_escape;
use crate::java_regex::JavaPattern;
use crate::{Failure, Invalid, Variables};

/// What is sent as it is in the path of a target.
const NOT_IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');

/// A template whose variables go in as they were captured, for headers and parameters.
#[derive(Debug)]
pub(crate) struct ValueTemplate {
    text: Box<str>,
    parts: Parts,
}

impl ValueTemplate {
    /// Takes a template apart.
    pub(crate) fn new(text: &str) -> Self {
        let parts = if text.contains('{') {
            Parts::of(&collapse_slashes(text), str::to_owned)
        } else {
            Parts(vec![Part::Literal(text.into())])
        };
        Self { text: text.into(), parts }
    }

    /// The template as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, if there is no variable in it.
    pub(crate) fn fixed(&self) -> Option<&str> {
        self.parts.fixed()
    }

    /// Refuses, or warns of, variables that no predicate of the route captures.
    pub(crate) fn check(
        &self,
        field: &'static str,
        settings: &mut UnitSettings<'_>,
    ) -> Result<(), Invalid> {
        self.parts.check(field, settings)
    }

    /// Whether all variables are there, without building the text.
    pub(crate) fn resolve(&self, variables: &Variables) -> Result<(), Failure> {
        self.parts.names().try_for_each(|name| value_of(name, variables).map(drop))
    }

    /// The text with its variables in place.
    pub(crate) fn expand(&self, variables: &Variables) -> Result<Cow<'_, str>, Failure> {
        self.parts.expand(variables, |value, out| out.push_str(value))
    }
}

/// A template for a path: the result is percent-encoded, so the template is written decoded.
#[derive(Debug)]
pub(crate) struct PathTemplate {
    text: Box<str>,
    parts: Parts,
}

impl PathTemplate {
    /// Takes a template apart. Like a link it may have a scheme, a host and a query; only its path
    /// counts.
    ///
    /// # Errors
    ///
    /// A `%` that is no escape, a host that is none, a pattern in a variable that is none.
    pub(crate) fn new(field: &'static str, text: &str) -> Result<Self, Invalid> {
        check_patterns(text).map_err(|problem| Invalid::argument(field, problem))?;
        let path = path_of(text).map_err(|problem| Invalid::argument(field, problem))?;
        // An escape that the end of the path cuts short passes in the reference gateway.
        let whole = format!("{path}00");
        if has_bad_escape(&whole) {
            return Err(Invalid::argument(field, format!("`{text}` has a `%` that is no escape"))
                .with_help("a path template is written decoded"));
        }
        let encode = |literal: &str| utf8_percent_encode(literal, NOT_IN_PATH).to_string();
        Ok(Self { text: text.into(), parts: Parts::of(&collapse_slashes(path), encode) })
    }

    /// The template as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether nothing can come of it but the empty path.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.0.is_empty()
    }

    /// Refuses, or warns of, a path that cannot begin with `/` and variables that no predicate of
    /// the route captures.
    pub(crate) fn check(
        &self,
        field: &'static str,
        settings: &mut UnitSettings<'_>,
    ) -> Result<(), Invalid> {
        let rootless = match self.parts.0.first() {
            Some(Part::Literal(literal)) => !literal.starts_with('/'),
            Some(Part::Variable(_)) => false,
            None => true,
        };
        if rootless {
            let problem = format!("the path of `{}` does not begin with `/`", self.text);
            settings.refuse_or_warn(Invalid::argument(field, problem).per_request())?;
        }
        self.parts.check(field, settings)
    }

    /// The encoded path.
    pub(crate) fn expand(&self, variables: &Variables) -> Result<Cow<'_, str>, Failure> {
        self.parts
            .expand(variables, |value, out| out.extend(utf8_percent_encode(value, NOT_IN_PATH)))
    }
}

/// The path that a request is forwarded to inside the gateway. What is captured goes in decoded, and
/// an escape that is written here is one more time escaped.
#[derive(Debug)]
pub(crate) struct ForwardTemplate {
    text: Box<str>,
    parts: Parts,
}

impl ForwardTemplate {
    /// Takes a URI apart, of which only the path counts.
    ///
    /// # Errors
    ///
    /// A scheme with nothing behind it, a host that is none.
    pub(crate) fn new(field: &'static str, text: &str) -> Result<Self, Invalid> {
        let behind = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme));
        if text.trim().is_empty() || behind.is_some_and(|(_, rest)| rest.is_empty()) {
            return Err(Invalid::argument(field, format!("`{text}` is not a URI"))
                .with_help("write `forward:/path`"));
        }
        let path = path_of(text).map_err(|problem| Invalid::argument(field, problem))?;
        let parts = Parts::of(path, |literal| literal.replace('%', "%25"));
        Ok(Self { text: text.into(), parts })
    }

    /// The URI as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Refuses, or warns of, a path that does not begin with `/` and variables that no predicate of
    /// the route captures.
    pub(crate) fn check(
        &self,
        field: &'static str,
        settings: &mut UnitSettings<'_>,
    ) -> Result<(), Invalid> {
        let is_rooted = match self.parts.0.first() {
            Some(Part::Literal(literal)) => literal.starts_with('/'),
            Some(Part::Variable(_)) => true,
            None => false,
        };
        if !is_rooted {
            let problem = format!("the path of `{}` does not begin with `/`", self.text);
            let problem = Invalid::argument(field, problem).with_help("write `forward:/path`");
            settings.refuse_or_warn(problem.per_request())?;
        }
        self.parts.check(field, settings)
    }

    /// The path.
    pub(crate) fn expand(&self, variables: &Variables) -> Result<String, Failure> {
        let path = self.parts.expand(variables, |value, out| out.push_str(value))?;
        Ok(collapse_slashes(&path))
    }
}

#[derive(Debug)]
enum Part {
    Literal(Box<str>),
    Variable(Box<str>),
}

#[derive(Debug)]
struct Parts(Vec<Part>);

impl Parts {
    /// Splits at variables; `literal` makes what stands between them ready to be copied.
    fn of(text: &str, literal: impl Fn(&str) -> String) -> Self {
        let text = drop_nested(text);
        let mut parts = Vec::new();
        let mut before = String::new();
        let mut rest = &*text;
        while let Some((ahead, behind)) = rest.split_once('{') {
            before.push_str(ahead);
            if let Some((name, after)) = variable(behind) {
                if !before.is_empty() {
                    parts.push(Part::Literal(literal(&before).into()));
                    before.clear();
                }
                parts.push(Part::Variable(name.into()));
                rest = after;
            } else {
                before.push('{');
                rest = behind;
            }
        }
        before.push_str(rest);
        if !before.is_empty() {
            parts.push(Part::Literal(literal(&before).into()));
        }
        Self(parts)
    }

    fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Literal(literal)] => Some(literal),
            _ => None,
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(&**name),
            Part::Literal(_) => None,
        })
    }

    fn check(&self, field: &'static str, settings: &mut UnitSettings<'_>) -> Result<(), Invalid> {
        for name in self.names() {
            if settings.variables.iter().any(|known| known == name) {
                continue;
            }
            let known = settings.variables.join(", ");
            let message = format!("no predicate captures `{{{name}}}`");
            let problem =
                Invalid { field: Some(field), ..Invalid::new("unknown-variable", message) }
                    .with_help(if known.is_empty() {
                        "the route captures no variables".to_owned()
                    } else {
                        format!("the route captures {known}")
                    })
                    .per_request();
            settings.refuse_or_warn(problem)?;
        }
        Ok(())
    }

    fn expand(
        &self,
        variables: &Variables,
        push: impl Fn(&str, &mut String),
    ) -> Result<Cow<'_, str>, Failure> {
        if let Some(fixed) = self.fixed() {
            return Ok(Cow::Borrowed(fixed));
        }
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => out.push_str(literal),
                Part::Variable(name) => push(value_of(name, variables)?, &mut out),
            }
        }
        Ok(Cow::Owned(out))
    }
}

fn value_of<'v>(name: &str, variables: &'v Variables) -> Result<&'v str, Failure> {
    variables
        .get(name)
        .ok_or_else(|| Failure::Filter(format!("the request has no variable `{{{name}}}`")))
}

/// Reads a variable behind its `{`: one or more characters up to the next `}`, without a `/`.
///
/// The first character may be a `}`: the reference gateway reads `{}}` as the variable `}`.
fn variable(behind: &str) -> Option<(&str, &str)> {
    let mut characters = behind.char_indices();
    characters.next().filter(|(_, first)| *first != '/')?;
    let (end, _) = characters
        .find(|(_, character)| matches!(character, '}' | '/'))
        .filter(|(_, character)| *character == '}')?;
    let (inner, after) = behind.split_at_checked(end)?;
    let name = inner.split_once(':').map_or(inner, |(name, _)| name);
    Some((name, after.strip_prefix('}')?))
}

/// Drops what stands in a brace within a brace, such as the `{2}` of `{x:\d{2}}`. Only texts with a
/// `:` are looked at, wherever it stands.
fn drop_nested(text: &str) -> Cow<'_, str> {
    if !text.contains(':') {
        return Cow::Borrowed(text);
    }
    let mut level = 0_i64;
    let outer = |character: &char| {
        match character {
            '{' => level += 1,
            '}' => level -= 1,
            _ => {}
        }
        level < 1 || (level == 1 && *character != '}')
    };
    Cow::Owned(text.chars().filter(outer).collect())
}

fn collapse_slashes(text: &str) -> String {
    let mut last = None;
    text.chars()
        .filter(|character| last.replace(*character) != Some('/') || *character != '/')
        .collect()
}

/// The path of a reference such as `//host/path?query#fragment`.
fn path_of(text: &str) -> Result<&str, String> {
    let text = text.split_once('#').map_or(text, |(before, _)| before);
    let text = text.split_once('?').map_or(text, |(before, _)| before);
    let text = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        _ => text,
    };
    let Some(behind) = text.strip_prefix("//") else { return Ok(text) };
    let end = behind.find('/').unwrap_or(behind.len());
    let (authority, path) = behind.split_at_checked(end).unwrap_or((behind, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = match host.rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => port,
        _ => "",
    };
    let bad_port = !port.contains(['{', '}']) && port.bytes().any(|byte| !byte.is_ascii_digit());
    if bad_port || authority.contains(char::is_whitespace) || has_bad_escape(authority) {
        return Err(format!("`{authority}` is not a host"));
    }
    Ok(path)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Refuses `{x:` with a pattern that is none. The pattern has no other use in a template.
fn check_patterns(text: &str) -> Result<(), String> {
    let mut level = 0_i64;
    let mut inner = String::new();
    for character in text.chars() {
        match character {
            '{' => level += 1,
            '}' => level -= 1,
            _ => {}
        }
        match (character, level) {
            ('{', 1) => inner.clear(),
            ('}', 0) => {
                match inner.split_once(':') {
                    Some((_, "")) => return Err(format!("`{{{inner}}}` has no pattern")),
                    Some((_, pattern)) => {
                        JavaPattern::new(pattern).map_err(|problem| problem.to_string())?;
                    }
                    None => {}
                }
                inner.clear();
            }
            _ => inner.push(character),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn variables() -> Variables {
        let mut variables = Variables::new();
        variables.set(&Arc::from("a"), "x y");
        variables.set(&Arc::from("}"), "brace");
        variables
    }

    #[track_caller]
    fn check_value(template: &str, expected: Option<&str>) {
        let template = ValueTemplate::new(template);
        assert_eq!(template.expand(&variables()).ok().as_deref(), expected, "{template:?}");
        assert_eq!(template.resolve(&variables()).is_ok(), expected.is_some());
    }

    #[track_caller]
    fn check_path(template: &str, expected: Option<&str>) {
        let template = PathTemplate::new("template", template).unwrap();
        assert_eq!(template.expand(&variables()).ok().as_deref(), expected, "{template:?}");
    }

    #[track_caller]
    fn check_refused(template: &str, message: &str) {
        let problem = PathTemplate::new("template", template).unwrap_err();
        assert!(problem.message.contains(message), "{problem}");
    }

    #[test]
    fn reads_braces_as_the_reference_does() {
        check_value("{}", Some("{}"));
        check_value("{}}", Some("brace"));
        check_value("{{a}", None);
        check_value("{/a}{a}", Some("{/a}x y"));
        check_value("{a", Some("{a"));
        check_value("", Some(""));
    }

    #[test]
    fn keeps_slashes_where_there_is_no_brace() {
        check_value("http://h//p", Some("http://h//p"));
        check_value("//{a}//", Some("/x y/"));
    }

    #[test]
    fn takes_only_the_path_of_a_reference() {
        check_path("http://h:1/{a}", Some("/x%20y"));
        check_path("//h/{a}?x=%zz#%zz", Some("/x%20y"));
        check_path("/{a?b}/c", Some("/%7Ba"));
        check_path("/a:b//c", Some("/a:b/c"));
    }

    #[test]
    fn encodes_a_percent_sign() {
        check_path("/a%20b", Some("/a%2520b"));
        check_path("/a%2", Some("/a%252"));
    }

    #[test]
    fn refuses_what_cannot_be_a_template() {
        check_refused("/a%zz", "has a `%` that is no escape");
        check_refused("/{a%zz}", "has a `%` that is no escape");
        check_refused("/{s:}", "`{s:}` has no pattern");
        check_refused("/{s:(}", "");
        check_refused("http://h:x/p", "`h:x` is not a host");
        check_refused("http://a b/c", "`a b` is not a host");
    }
}
