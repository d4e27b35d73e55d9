//! Any text as a path pattern, on any path.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_filters::Variables;
use tollgate_filters::path_pattern::{PathPattern, TrailingSlash};

fuzz_target!(|input: (&str, &str)| {
    let (pattern, path) = input;
    for slash in [TrailingSlash::Exact, TrailingSlash::Optional] {
        let Ok(pattern) = PathPattern::parse(pattern, slash) else { return };
        if pattern.matches(path) == Ok(true) {
            assert_eq!(pattern.capture(path, &mut Variables::new()), Ok(()));
        }
        drop(pattern.shape());
    }
});
