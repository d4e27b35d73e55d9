//! Names as Spring compares them, and the name somebody meant.

/// Whether two names are the same without case, `-` and `_` (`predicates.md` 1.3).
pub(super) fn relaxed_equal(left: &str, right: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = u8> {
        text.bytes()
            .filter(|byte| !matches!(byte, b'-' | b'_'))
            .map(|byte| byte.to_ascii_lowercase())
    }
    left == right || letters(left).eq(letters(right))
}

/// `AddRequestHeader` is `add-request-header`; `XForwardedRemoteAddr` is `xforwarded-remote-addr`.
pub(super) fn kebab(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (at, c) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        if c.is_uppercase() && before.is_some_and(|before| before.is_lowercase()) {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// What to say to somebody who wrote an unknown name.
pub(super) fn suggestion(written: &str, known: &[&str]) -> String {
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let wanted = plain(written);
    let nearest = known
        .iter()
        .map(|name| (strsim::osa_distance(&wanted, &plain(name)), name))
        .filter(|(distance, name)| *distance <= 1.max(name.len() / 3))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => format!("the keys here are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_without_case_dashes_and_underscores() {
        assert!(relaxed_equal("default-filters", "DEFAULT_Filters"));
        assert!(relaxed_equal("defaultFilters", "default-filters"));
        assert!(!relaxed_equal("filter", "filters"));
    }

    #[test]
    fn splits_names_before_capitals() {
        assert_eq!(kebab("AddRequestHeadersIfNotPresent"), "add-request-headers-if-not-present");
        assert_eq!(kebab("XForwardedRemoteAddr"), "xforwarded-remote-addr");
        assert_eq!(kebab("JsonToGrpc"), "json-to-grpc");
    }

    #[test]
    fn suggests_the_nearest_name_or_lists_them() {
        assert_eq!(suggestion("prdicates", &["id", "predicates"]), "did you mean `predicates`?");
        assert_eq!(suggestion("quux", &["id", "uri"]), "the keys here are id, uri");
    }
}
