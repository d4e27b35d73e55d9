//! Properties of the pattern languages, through the public API.

#![expect(clippy::tests_outside_test_module, reason = "a test program")]

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tollgate_filters::Variables;
use tollgate_filters::host_pattern::HostPattern;
use tollgate_filters::path_pattern::{PathPattern, TrailingSlash};
use tollgate_filters::predicate::{Piece, RequestPath, Shape};

/// Texts made of what means something in a path pattern.
fn path_patterns() -> impl Strategy<Value = String> {
    const PARTS: [&str; 22] = [
        "/",
        "/",
        "/",
        "/a",
        "/b",
        "a",
        "b",
        "*",
        "/*",
        "/**",
        "**",
        "?",
        "/{x}",
        "{x}",
        "{y}",
        "/{x:a+}",
        "{y:[ab]*}",
        "/{*z}",
        "{z:(a)}",
        "{",
        "}",
        ";",
    ];
    vec(select(&PARTS[..]), 0..7).prop_map(|parts| parts.concat())
}

fn paths() -> impl Strategy<Value = String> {
    const PARTS: [&str; 12] =
        ["/", "/", "/", "/a", "/b", "a", "b", "%61", "%2F", "%C3%A9", ";v=1", "."];
    vec(select(&PARTS[..]), 0..8)
        .prop_map(|parts| parts.concat())
        .prop_map(|path| if path.starts_with('/') { path } else { format!("/{path}") })
}

fn host_patterns() -> impl Strategy<Value = String> {
    const PARTS: [&str; 15] = [
        ".", ".", ".", "a", "b", ":80", "*", "**", ".**.", "?", "{x}", "{x:a+}", "{y:(a)}",
        "{y:[}", "{",
    ];
    vec(select(&PARTS[..]), 0..7).prop_map(|parts| parts.concat())
}

fn hosts() -> impl Strategy<Value = String> {
    vec(select(&[".", ".", "a", "b", "a.b", ":80", "A"][..]), 0..6).prop_map(|parts| parts.concat())
}

fn slashes() -> impl Strategy<Value = TrailingSlash> {
    select(&[TrailingSlash::Exact, TrailingSlash::Optional][..])
}

/// Whether a route index that knows no more than the shape would ask the pattern.
fn admits(shape: &Shape, pieces: &[String]) -> bool {
    let long_enough = pieces.len() >= shape.pieces.len();
    let short_enough = shape.open || pieces.len() <= shape.pieces.len();
    let fits = |(piece, text): (&Piece, &String)| match piece {
        Piece::Literal(literal) => literal == text,
        Piece::Any => true,
    };
    long_enough && short_enough && shape.pieces.iter().zip(pieces).all(fits)
}

/// The decoded segments; none if the path has no leading slash.
fn segments(path: &str) -> Vec<String> {
    let decode = |segment| RequestPath::segment_value(segment).into_owned();
    path.strip_prefix('/').map_or_else(Vec::new, |path| path.split('/').map(decode).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_a_path_pattern_or_refused(
        pattern in "\\PC{0,12}",
        path in "\\PC{0,12}",
        slash in slashes(),
    ) {
        if let Ok(pattern) = PathPattern::parse(&pattern, slash) {
            drop(pattern.matches(&path));
            drop(pattern.capture(&path, &mut Variables::new()));
        }
    }

    #[test]
    fn a_shape_admits_every_path_its_pattern_matches(
        pattern in path_patterns(),
        path in paths(),
        slash in slashes(),
    ) {
        let Ok(pattern) = PathPattern::parse(&pattern, slash) else { return Ok(()) };
        if pattern.matches(&path) == Ok(true) {
            let shape = pattern.shape();
            let segments = segments(&path);
            let without_slash = match segments.split_last() {
                Some((last, front)) if last.is_empty() && slash == TrailingSlash::Optional => front,
                _ => &segments,
            };
            prop_assert!(admits(&shape, &segments) || admits(&shape, without_slash), "{shape:?}");
        }
    }

    #[test]
    fn a_variable_of_one_segment_has_no_slash_but_an_encoded_one(
        pattern in path_patterns(),
        path in paths(),
        slash in slashes(),
    ) {
        let Ok(pattern) = PathPattern::parse(&pattern, slash) else { return Ok(()) };
        if pattern.matches(&path) != Ok(true) {
            return Ok(());
        }
        let mut variables = Variables::new();
        prop_assert_eq!(pattern.capture(&path, &mut variables), Ok(()));
        let names: BTreeSet<&str> = pattern.variables().collect();
        prop_assert_eq!(variables.iter().map(|(name, _)| name).collect::<BTreeSet<_>>(), names);
        for name in pattern.variables() {
            let value = variables.get(name).unwrap_or_default();
            let is_rest = pattern.as_str().contains(&format!("{{*{name}"));
            prop_assert!(is_rest || !value.contains('/') || path.contains("%2F"), "{}", value);
        }
    }

    #[test]
    fn an_optional_slash_only_ever_adds_paths(pattern in path_patterns(), path in paths()) {
        let Ok(exact) = PathPattern::parse(&pattern, TrailingSlash::Exact) else { return Ok(()) };
        let Ok(optional) = PathPattern::parse(&pattern, TrailingSlash::Optional) else {
            return Err(TestCaseError::fail("refused"));
        };
        if exact.matches(&path) == Ok(true) {
            prop_assert_eq!(optional.matches(&path), Ok(true));
        }
    }

    #[test]
    fn any_text_is_a_host_pattern(pattern in "\\PC{0,12}", host in "\\PC{0,12}") {
        let pattern = HostPattern::parse(&pattern);
        drop(pattern.matches(&host));
        drop(pattern.capture(&host, &mut Variables::new()));
    }

    #[test]
    fn a_shape_admits_every_host_its_pattern_matches(pattern in host_patterns(), host in hosts()) {
        let pattern = HostPattern::parse(&pattern);
        let matches = pattern.matches(&host);
        prop_assert!(matches.is_ok() || pattern.problem().is_some());
        if matches == Ok(true) {
            let labels: Vec<String> =
                host.split('.').filter(|label| !label.is_empty()).rev().map(str::to_owned).collect();
            prop_assert!(admits(&pattern.shape(), &labels), "{:?}", pattern.shape());
        }
    }
}
