//! Any text as a Java pattern and replacement, on any text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_filters::java_regex::{JavaPattern, PatternFailure, Replacement};

fuzz_target!(|input: (&str, &str, &str)| {
    let (pattern, text, replacement) = input;
    let Ok(pattern) = JavaPattern::new(pattern) else { return };
    drop(pattern.is_full_match(text));
    let replacement = Replacement::parse_configured(replacement);
    let checked = replacement.check(&pattern);
    let replaced = pattern.replace_all(text, &replacement);
    if checked.is_ok() {
        assert!(!matches!(replaced, Err(PatternFailure::BadReplacement(_))));
    }
});
