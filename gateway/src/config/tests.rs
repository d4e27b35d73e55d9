//! How problems look, and what a file may ask of the machine.

use std::fmt::Write;
use std::path::Path;

use super::*;

fn nothing(_: &str) -> Option<String> {
    None
}

#[track_caller]
fn refused(text: &str) -> LoadError {
    load(text, "routes.yaml", &nothing).unwrap_err()
}

const FAULTY: &str = "\
routes:
  - id: a
    uri: http://a.example
    predicates: [Methd=GET]
    filters:
      - StripPrefix= x
  - uri: http://b.example
    predicates: [Method=GET]
";

#[test]
fn people_see_the_line_the_caret_and_what_to_do() {
    let expected = "\
error[unknown-predicate]: unknown predicate `Methd`
 --> routes.yaml:4:18
  |
4 |     predicates: [Methd=GET]
  |                  ^^^^^^^^^
  |
  = help: did you mean `Method`?

error[invalid-argument]: StripPrefix: `parts`: `x` is not a whole number
 --> routes.yaml:6:22
  |
6 |       - StripPrefix= x
  |                      ^

warning[missing-id]: a route without an `id` is `route-2`
 --> routes.yaml:7:5
  |
7 |   - uri: http://b.example
  |     ^^^
  |
  = help: give it a name: it is in metrics, logs and the admin listener

routes.yaml: 2 errors, 1 warning
";
    assert_eq!(refused(FAULTY).to_string(), expected);
}

#[test]
fn machines_see_the_members_of_every_problem() {
    let json = refused(FAULTY).report().to_json().unwrap();
    let first = r#"[
  {
    "severity": "error",
    "code": "unknown-predicate",
    "message": "unknown predicate `Methd`",
    "file": "routes.yaml",
    "line": 4,
    "column": 18,
    "end_line": 4,
    "end_column": 27,
    "route": "a",
    "help": "did you mean `Method`?"
  },"#;
    assert!(json.starts_with(first), "{json}");
}

#[test]
fn terminals_get_colours_but_no_control_characters_of_the_file() {
    let report = refused("routes: []\n\"a\\e[2J\": 1\n");
    let shown = report.report().render(true);
    assert!(shown.contains("\u{1b}["), "{shown:?}");
    assert!(!shown.contains("\u{1b}[2J"), "{shown:?}");
}

#[test]
fn an_unusable_file_ends_with_2_and_a_faulty_one_with_1() {
    assert_eq!(refused("").exit_code(), 2);
    assert_eq!(refused("routes: [").exit_code(), 1);
    assert_eq!(refused(FAULTY).exit_code(), 1);
}

#[track_caller]
fn check_unreadable(bytes: Option<&[u8]>, code: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routes.yaml");
    if let Some(bytes) = bytes {
        std::fs::write(&path, bytes).unwrap();
    }
    let error = load_file(&path, &nothing).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert_eq!(error.report().problems()[0].code, code);
    assert!(error.report().problems()[0].help.is_some());
}

#[test]
fn a_file_that_is_none_is_told_apart() {
    check_unreadable(None, "unreadable");
    check_unreadable(Some(b"routes: []\n# \xff\n"), "not-utf8");
    check_unreadable(Some(b""), "empty");
    check_unreadable(Some(&vec![b'#'; LARGEST_FILE + 1]), "too-large");
    assert_eq!(load_file(Path::new("/"), &nothing).unwrap_err().exit_code(), 2);
}

#[track_caller]
fn check_hostile(text: &str) {
    let error = refused(text);
    let codes: Vec<_> = error.report().problems().iter().map(|problem| problem.code).collect();
    assert!(codes.contains(&"too-large"), "{codes:?}");
    assert!(error.report().render(false).len() < 10_000);
}

#[test]
fn a_file_cannot_ask_for_too_much() {
    check_hostile(&"[".repeat(1_000_000));
    check_hostile(&"- ".repeat(100_000));
    check_hostile(&"? ".repeat(100_000));
    check_hostile(&"--- x\n".repeat(10_000));
    check_hostile("a: &a [*a]\n");
    let dotted = |number| format!("{}{number}: 1\n", "a.".repeat(60));
    check_hostile(&(0..3000).map(dotted).collect::<String>());
    let many = "Path=/a,".repeat(600_000);
    check_hostile(&format!("routes: [{{ id: a, uri: 'http://a', predicates: '{many}' }}]"));
}

#[test]
fn placeholders_cannot_ask_for_too_much() {
    for text in ["${".repeat(100_000), "${x:".repeat(100_000) + &"}".repeat(100_000)] {
        let file = format!("routes: [{{ id: '{text}', uri: 'http://a', predicates: [Path=/a] }}]");
        let error = refused(&file);
        assert_eq!(error.report().problems()[0].code, "placeholder-circle");
    }
}

#[test]
fn only_the_first_thousand_problems_are_told() {
    let mut text = String::from("routes: []\n");
    for number in 0..3000 {
        writeln!(text, "key-{number}: 1").unwrap();
    }
    let error = refused(&text);
    let problems = error.report().problems();
    assert_eq!(problems.len(), 1001);
    assert_eq!(problems[1000].message, "2000 more problems are not shown");
}

#[test]
fn start_only_keys_are_compared() {
    let settings = |text: &str| load(text, "routes.yaml", &nothing).unwrap().settings;
    let one = settings("workers: 1\n");
    let two = settings("workers: 2\nadmin.address: 127.0.0.1:1\nshutdown.drain: 1s\n");
    assert_eq!(one.start_only_changes(&two), ["admin", "workers"]);
    assert!(one.start_only_changes(&one).is_empty());
}

#[test]
fn lines_of_routes_are_known() {
    let loaded = load("routes:\n\n  - a=http://a,Path=/a\n", "routes.yaml", &nothing).unwrap();
    assert_eq!(loaded.routes[0].source.as_ref().unwrap().line, 3);
}
