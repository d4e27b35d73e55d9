//! The route file that the repository comes with.
#![cfg(test)]

use std::fs;
use std::path::Path;

use tollgate::config::{self, LocalAnswers, Settings};
use tollgate_filters::breaker::Resilience;
use tollgate_filters::limit::LimitSettings;
use tollgate_filters::{filter, predicate};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../routes.yaml");

#[test]
fn loads_without_a_warning() {
    let loaded = config::load_file(Path::new(FILE), &|_| None).unwrap();
    assert_eq!(loaded.warnings.to_string(), "");
    assert_eq!(&*loaded.routes[0].id, "member-service");
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

/// What stands in comments must not rot either, and must be the default where it says so.
#[test]
fn loads_with_its_comments_taken_away() {
    let text = fs::read_to_string(FILE).unwrap();
    let as_it_is = config::load(&text, "routes.yaml", &|_| None).unwrap();
    let (head, rest) = text.split_at(text.find("  # # A lodging").unwrap());
    let uncommented = |line: &str| line.replacen("# ", "", 1) + "\n";
    let defaults = head.lines().skip_while(|line| !line.starts_with("# listeners:"));
    let defaults = defaults.take_while(|line| line.starts_with('#'));
    let defaults: String = defaults.map(uncommented).collect();
    let sections = |line: &str| {
        let is_commented = line.starts_with("  ") && line.trim_start().starts_with("# ");
        if is_commented { uncommented(line) } else { line.to_owned() + "\n" }
    };
    let (own, routes) = head.split_at(head.find("# Run on every route").unwrap());
    let own: String = own.lines().map(sections).collect();
    let rest: String = rest.lines().map(uncommented).collect();
    let whole = defaults + &own + routes + &rest;
    let loaded = config::load(&whole, "routes.yaml", &|_| None).unwrap();
    assert_eq!(&*loaded.routes.last().unwrap().id, "everything-else");
    assert!(loaded.settings.workers.is_some());
    let settings = Settings { workers: None, ..loaded.settings };
    assert_eq!(settings, as_it_is.settings);
    let untouched = Settings {
        auth: None,
        stores: Vec::new(),
        services: Vec::new(),
        rate_limits: LimitSettings::default(),
        resilience: Resilience::default(),
        answers: LocalAnswers::default(),
        ..settings
    };
    assert_eq!(untouched, Settings::default());
}
