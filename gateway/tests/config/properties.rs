//! Whatever a file says, loading it ends with routes or with problems that can be shown.

#![expect(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test program")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tollgate::config::{Report, load};
use tollgate_filters::Severity;

const NATIVE: &str = r#"
listeners: [{ address: 127.0.0.1:0, http2: true, target-policy: pass }]
timeouts: { write: 1s }
metrics: { tags: { zone: a } }
default-filters: ["AddResponseHeader=X-D, ${D:d}"]
routes:
  - &first
    id: a
    uri: http://a.example
    order: 010
    predicates: ["Path=/a/{id}", "Method=GET,PUT"]
    filters:
      - StripPrefix=1
      - name: AddRequestHeader
        args: { name: X, value: "{id}" }
    metadata: { k: [1, ~, { l: yes }] }
  - { <<: *first, id: b }
  - c=http://c.example,Path=/c
"#;

const SPRING: &str = r#"
spring.profiles.active: one
logging.level: info
---
spring.config.activate.on-profile: one & !two
spring.cloud.gateway.server.webflux:
  httpclient: { connect-timeout: 100, response-timeout: 2s }
  routes[0]: { id: a, uri: "http://a", predicates: { 0: "Path=${p:/a}" } }
---
spring:
  cloud:
    gateway:
      routes:
        - id: b
          uri: lb://b
          predicates: [{ name: Path, args: { patterns.0: /a, matchTrailingSlash: false } }]
tollgate: { workers: 2 }
"#;

const PROPERTIES: &str = "
# a comment
spring.cloud.gateway.server.webflux.routes[0].id=a
spring.cloud.gateway.server.webflux.routes[0].uri : http://a
spring.cloud.gateway.server.webflux.routes[0].predicates[0]=Path=\\
    /a
#---
server.port=8081
";

/// What means something to one of the parsers.
const PIECES: [&str; 36] = [
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\"",
    "'",
    "|",
    ">",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "---\n",
    "#",
    "# ",
    "${",
    "${a:",
    "}",
    "\\",
    "\u{feff}",
    "\t",
    ".",
    "[0]",
    "[999999999999999999999]",
    "0x",
    "1e999",
    "routes",
    "spring",
    "ö",
];

#[derive(Debug, Clone)]
enum Edit {
    Delete(Index, usize),
    Insert(Index, &'static str),
    Repeat(Index, usize, usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        (any::<Index>(), 1_usize..20).prop_map(|(at, length)| Edit::Delete(at, length)),
        (any::<Index>(), select(PIECES.to_vec())).prop_map(|(at, text)| Edit::Insert(at, text)),
        (any::<Index>(), 1_usize..20, 1_usize..40)
            .prop_map(|(at, length, times)| Edit::Repeat(at, length, times)),
    ];
    vec(edit, 0..12)
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for edit in edits {
        let place = |at: &Index| at.index(letters.len() + 1);
        match edit {
            Edit::Delete(at, length) => {
                let start = place(at);
                let end = (start + length).min(letters.len());
                letters.drain(start..end);
            }
            Edit::Insert(at, text) => {
                let start = place(at);
                letters.splice(start..start, text.chars());
            }
            Edit::Repeat(at, length, times) => {
                let start = place(at);
                let end = (start + length).min(letters.len());
                let piece: String = letters.iter().skip(start).take(end - start).collect();
                letters.splice(end..end, piece.repeat(*times).chars());
            }
        }
    }
    letters.into_iter().collect()
}

fn check(text: &str, name: &str) {
    let environment = |name: &str| (name == "D").then(|| "${D2:x}".to_owned());
    match load(text, name, &environment) {
        Ok(loaded) => check_report(text, &loaded.warnings),
        Err(error) => {
            let report = error.report();
            assert!(report.problems().iter().any(|one| one.severity == Severity::Error));
            check_report(text, report);
        }
    }
}

/// Every problem stands in the file, in order, and can be shown to people and machines.
fn check_report(text: &str, report: &Report) {
    let lines = text.matches('\n').count() + 1;
    for problem in report.problems() {
        assert!((1..=lines).contains(&problem.line), "{problem:?}");
        assert!((1..=lines).contains(&problem.end_line), "{problem:?}");
        let start = (problem.line, problem.column);
        assert!(start <= (problem.end_line, problem.end_column), "{problem:?}");
        assert!(!problem.message.is_empty());
    }
    assert!(report.problems().is_sorted_by_key(|problem| problem.line), "{report:?}");
    assert_eq!(report.render(false).is_empty(), report.is_empty());
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json.as_array().unwrap().len(), report.problems().len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_loaded_or_refused(text in any::<String>(), pieces in vec(select(PIECES.to_vec()), 0..40)) {
        check(&text, "any.yaml");
        check(&pieces.concat(), "any.yaml");
        check(&pieces.concat(), "any.properties");
    }

    #[test]
    fn a_changed_native_file_is_loaded_or_refused(edits in edits()) {
        check(&edited(NATIVE, &edits), "routes.yaml");
    }

    #[test]
    fn a_changed_spring_file_is_loaded_or_refused(edits in edits()) {
        check(&edited(SPRING, &edits), "application.yml");
    }

    #[test]
    fn a_changed_properties_file_is_loaded_or_refused(edits in edits()) {
        check(&edited(PROPERTIES, &edits), "application.properties");
    }
}

#[test]
fn the_files_that_are_changed_load_as_they_are() {
    let load = |text, name| load(text, name, &|_| None).map(|loaded| loaded.routes.len());
    assert_eq!(load(NATIVE, "routes.yaml"), Ok(3));
    assert_eq!(load(SPRING, "application.yml"), Ok(1));
    assert_eq!(load(PROPERTIES, "application.properties"), Ok(1));
}
