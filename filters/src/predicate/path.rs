//! `Path=patterns` or `Path=patterns,matchTrailingSlash` takes requests whose path fits one of the
//! patterns.
//!
//! | predicate            | request           | matches |
//! |----------------------|-------------------|---------|
//! | `Path=/red/{s},/b/*` | `/red/1`          | `yes`   |
//! | `Path=/red/{s},/b/*` | `/b/x?y=/z`       | `yes`   |
//! | `Path=/red/{s}`      | `/red/1/`         | `no`    |
//! | `Path=/red/{s},true` | `/red/1/`         | `yes`   |
//! | `Path=/red/**`       | `/red/a;v=1/b%20` | `yes`   |
//! | `Path=/red`          | `/RED`            | `no`    |
//! | `Path=red`           | `/red`            | `no`    |
//!
//! The language is that of [`crate::path_pattern`]. The first pattern that fits counts, not the most
//! specific one. Nothing is normalised: `//`, `.` and `..` are what they are.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::{Hint, Incoming, Predicate, Shape};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::glob;
use crate::path_pattern::{PathPattern, TrailingSlash};
use crate::{Failure, Invalid, Variables};

/// Asks for a path that fits one of the patterns.
#[derive(Debug)]
pub(super) struct Path {
    patterns: Vec<PathPattern>,
    shapes: Vec<Shape>,
    written: Config,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// Path patterns; the first that fits counts.
    #[serde(default)]
    patterns: Vec<String>,
    /// Whether a path may have one slash more than its pattern. Default: it may not.
    match_trailing_slash: Option<bool>,
}

impl FromArguments for Path {
    const NAME: &'static str = "Path";
    const SHORTCUT: Shortcut = Shortcut::ListWithFlag("patterns", "matchTrailingSlash");
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let is_optional = config.match_trailing_slash.unwrap_or(settings.optional_trailing_slash);
        let slash = if is_optional { TrailingSlash::Optional } else { TrailingSlash::Exact };
        let mut patterns = Vec::with_capacity(config.patterns.len());
        for text in &config.patterns {
            let pattern = PathPattern::parse(&with_base(settings.base_path, text), slash)
                .map_err(|invalid| Invalid::argument("patterns", invalid.to_string()))?;
            if pattern.has_stray_groups() {
                let problem = glob::stray_groups(pattern.as_str());
                settings.refuse_or_warn(Invalid::argument("patterns", problem).per_request())?;
            }
            patterns.push(pattern);
        }
        let shapes = patterns.iter().map(PathPattern::shape).collect();
        Ok(Self { patterns, shapes, written: config })
    }
}

/// The reference gateway joins the texts, and adds a slash only to a pattern that lacks one.
fn with_base<'a>(base: &str, pattern: &'a str) -> Cow<'a, str> {
    if base.trim().is_empty() {
        return Cow::Borrowed(pattern);
    }
    let lacks_slash = !pattern.starts_with('/') && pattern.encode_utf16().nth(1).is_some();
    Cow::Owned(format!("{base}{}{pattern}", if lacks_slash { "/" } else { "" }))
}

impl Path {
    fn first_match(&self, path: &str) -> Result<Option<&PathPattern>, Failure> {
        for pattern in &self.patterns {
            if pattern.matches(path)? {
                return Ok(Some(pattern));
            }
        }
        Ok(None)
    }
}

impl Predicate for Path {
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        Ok(self.first_match(incoming.path().0)?.is_some())
    }

    fn capture(&self, incoming: &Incoming<'_>, into: &mut Variables) -> Result<(), Failure> {
        let path = incoming.path().0;
        let pattern = match self.patterns.as_slice() {
            [only] => Some(only),
            _ => self.first_match(path)?,
        };
        pattern.map_or(Ok(()), |pattern| pattern.capture(path, into))
    }

    fn variables(&self) -> Vec<&str> {
        self.patterns.iter().flat_map(PathPattern::variables).collect()
    }

    fn path_pattern(&self, incoming: &Incoming<'_>) -> Option<&Arc<str>> {
        // A pattern that fails did so when the route was chosen.
        self.first_match(incoming.path().0).ok().flatten().map(PathPattern::shared)
    }

    fn hint(&self) -> Hint<'_> {
        Hint::Paths(&self.shapes)
    }

    fn is_its_hint(&self) -> bool {
        self.patterns.iter().all(PathPattern::is_its_shape)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = self.written.patterns.join(", ");
        let flag = self.written.match_trailing_slash.unwrap_or(true);
        write!(formatter, "Paths: [{patterns}], match trailing slash: {flag}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_invalid, check_match, head};
    use crate::{Entry, Span, predicate};

    fn build(shortcut: &str) -> Box<dyn Predicate> {
        let entry = Entry::predicate_shortcut(shortcut, Span::default()).unwrap();
        predicate::build(&entry, &mut UnitSettings::spring("test")).unwrap()
    }

    #[test]
    fn shows_itself_as_the_reference_gateway_does() {
        let text = |shortcut| build(shortcut).to_string();
        assert_eq!(text("Path=/a, /b"), "Paths: [/a, /b], match trailing slash: true");
        assert_eq!(text("Path=/a,FALSE"), "Paths: [/a], match trailing slash: false");
    }

    #[test]
    fn a_lone_flag_is_no_pattern() {
        check_match("Path=true", "GET /", false);
    }

    #[test]
    fn tells_what_is_wrong_with_a_pattern() {
        check_invalid("Path=/{a", "Path: path pattern `/{a`: `{` without `}`");
        check_invalid("Path=/{a:[}", "Path: path pattern `/{a:[}`: the regex of a variable: `[`");
        check_invalid(
            "Path=/{a:(b)}",
            "Path: a variable's regex in `/{a:(b)}` has a capture group",
        );
    }

    #[test]
    fn names_its_variables_in_order() {
        assert_eq!(build("Path=/{b}/{a}-{c},/{*d}").variables(), ["b", "a", "c", "d"]);
    }

    #[test]
    fn captures_by_the_first_pattern_that_fits() {
        let head = head("GET /a/1");
        let mut variables = Variables::new();
        build("Path=/b/{x},/a/{y},/a/{z}").capture(&Incoming::new(&head), &mut variables).unwrap();
        assert_eq!(variables.iter().collect::<Vec<_>>(), [("y", "1")]);
    }
}
