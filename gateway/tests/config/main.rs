//! Loads the files of `tests/config/*.yaml`: one named test for each case, through the public API.
//! A case has the id of the vector it comes from.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test program")]

mod case;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use case::Corpus;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut trials = Vec::new();
    for path in files {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let corpus: Corpus = serde_yaml::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in corpus.cases {
            let name = format!("{stem}::{}", case.id);
            trials.push(Trial::test(name, move || case.check().map_err(Into::into)));
        }
    }
    if !arguments.list {
        println!("files to load: {}", trials.len());
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
