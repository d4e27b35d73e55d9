//! Any text as a file, in both formats: it loads, or its problems can be shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate::config::load;

fuzz_target!(|text: &str| {
    let environment = |name: &str| (name == "SET").then(|| "value".to_owned());
    for name in ["fuzz.yaml", "fuzz.properties"] {
        match load(text, name, &environment) {
            Ok(loaded) => drop(loaded.warnings.render(false)),
            Err(error) => {
                assert!(!error.report().is_empty());
                drop(error.report().render(true));
            }
        }
    }
});
