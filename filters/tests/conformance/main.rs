//! Runs the corpus in `tests/conformance/*.yaml`: one named test for each case, through the public
//! API. Each case has the id of the vector it comes from.
//!
//! A case is run as a Spring file would have it and, unless `native` tells what a native file is
//! refused for, once more as a native one.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test program")]

mod attempts;
mod case;
mod limit;
mod run;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use case::Corpus;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut trials = Vec::new();
    let mut deviations = 0;
    for path in files {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let corpus: Corpus = serde_yaml::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in corpus.cases {
            deviations += usize::from(case.deviates.is_some());
            let name = format!("{stem}::{}", case.id);
            trials.push(Trial::test(name, move || run::check(&case).map_err(Into::into)));
        }
    }
    if !arguments.list {
        println!("conformance cases: {}, of which deviations: {deviations}", trials.len());
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
