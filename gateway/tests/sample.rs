//! The route file that the repository comes with.
#![cfg(test)]

use std::fs;
use std::path::Path;

use tollgate::config;
use tollgate_filters::{filter, predicate};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../routes.yaml");

#[test]
fn loads_without_a_warning() {
    let loaded = config::load_file(Path::new(FILE), &|_| None).unwrap();
    assert_eq!(loaded.warnings.to_string(), "");
    assert_eq!(&*loaded.routes[0].id, "cms");
}

#[test]
fn shows_every_unit() {
    let text = fs::read_to_string(FILE).unwrap();
    let words: Vec<&str> = text.split(|other: char| !other.is_ascii_alphabetic()).collect();
    let predicates = predicate::ALL.iter().map(predicate::Definition::name);
    let filters = filter::ALL.iter().map(filter::Definition::name);
    for name in predicates.chain(filters) {
        assert!(words.contains(&name), "{name} is not in routes.yaml");
    }
}

/// What stands in comments must not rot either.
#[test]
fn loads_with_its_comments_taken_away() {
    let text = fs::read_to_string(FILE).unwrap();
    let (head, rest) = text.split_at(text.find("  # - id: everything-else").unwrap());
    let defaults = head.lines().skip_while(|line| !line.starts_with("# listeners:"));
    let defaults = defaults.take_while(|line| line.starts_with('#'));
    let defaults: String = defaults.map(|line| line.replacen("# ", "", 1) + "\n").collect();
    let rest: String = rest.lines().map(|line| line.replacen("# ", "", 1) + "\n").collect();
    let loaded = config::load(&(defaults + head + &rest), "routes.yaml", &|_| None).unwrap();
    assert_eq!(&*loaded.routes.last().unwrap().id, "everything-else");
    let mut settings = loaded.settings;
    assert!(settings.workers.is_some());
    settings.workers = None;
    assert_eq!(settings, config::Settings::default());
}
