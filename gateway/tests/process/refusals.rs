//! Files and options the gateway refuses: a sentence that says what to do, and an exit code.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ended, run};
use crate::{measured, turn};

/// What is promised of the product holds for it; a build for debugging is several times slower.
const AT_ONCE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 1 });

const MUCH: u64 = 100 * 1024;

const FINE: &str = "\
routes:
- id: one
  uri: http://127.0.0.1:9
  predicates: [Path=/one]
";

fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("routes.yaml");
    fs::write(&file, content).expect("a file");
    (folder, file)
}

/// Runs a command three times at most until it ended within its time; a busy machine is slow once.
fn run_in_time(arguments: &[&str]) -> Ended {
    let mut ended = run(arguments);
    for _ in 0..2 {
        if ended.took < AT_ONCE {
            break;
        }
        ended = run(arguments);
    }
    assert!(ended.took < AT_ONCE, "{arguments:?} took {:?}", ended.took);
    assert!(ended.peak < MUCH, "{arguments:?} took {} KiB", ended.peak);
    ended
}

/// Both commands refuse a file: with this exit code and these words on standard error.
#[track_caller]
fn check_refused(what: &str, name: &str, code: i32, words: &[&str]) {
    let listen = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    for arguments in [vec!["check", name], [&["run", name], &listen[..]].concat()] {
        let ended = run_in_time(&arguments);
        measured(&format!("{what}, {}", arguments[0]), (ended.took, ended.peak));
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.errors);
        for word in words {
            assert!(ended.errors.contains(word), "`{word}` in {}", ended.errors);
        }
        assert!(ended.errors.len() < 20_000, "{} bytes of report", ended.errors.len());
        assert!(!ended.errors.contains("panicked"), "{}", ended.errors);
        assert_eq!(ended.output, "");
    }
    let ended = run_in_time(&["check", name, "--format", "json"]);
    assert_eq!(ended.code, Some(code), "{}", ended.errors);
    assert_eq!(ended.errors, "");
    let problems: Value = serde_json::from_str(&ended.output).expect("JSON");
    let problems = problems.as_array().expect("an array");
    assert!(problems.iter().any(|problem| problem["severity"] == "error"), "{problems:?}");
}

#[track_caller]
fn check_text_refused(what: &str, content: impl AsRef<[u8]>, code: i32, words: &[&str]) {
    let (_folder, file) = file(content);
    check_refused(what, file.to_str().expect("a name"), code, words);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let _turn = turn::alone();
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("none.yaml");
    let words = ["cannot read", "none.yaml", "No such file", "help:"];
    check_refused("missing", missing.to_str().expect("a name"), 2, &words);
    let folder_name = folder.path().to_str().expect("a name");
    check_refused("a folder", folder_name, 2, &["cannot read", "directory", "help:"]);
    check_text_refused("not UTF-8", b"routes:\n- id: a\xff\n", 2, &["line 2", "UTF-8", "save"]);
    let text = utf16("routes: []\n");
    check_text_refused("UTF-16", text, 2, &["line 1", "UTF-8", "save"]);
}

fn utf16(text: &str) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

#[test]
fn what_is_empty_is_refused() {
    let _turn = turn::alone();
    for text in ["", " \n\n", "# routes:\n# - id: a\n", "---\n---\n", "\u{feff}"] {
        check_text_refused("empty", text, 2, &["the file is empty", "write `routes:`"]);
    }
}

#[test]
fn hostile_files_are_refused() {
    let _turn = turn::alone();
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for at in 1..10 {
        let before = format!("*a{}", at - 1);
        let list = [before.as_str(); 10].join(", ");
        let line = format!("a{at}: &a{at} [{list}]\n");
        bomb.push_str(&line);
    }
    bomb.push_str("routes: *a9\n");
    check_text_refused("alias bomb", bomb, 2, &["help:"]);
    check_text_refused("100,000 [", format!("routes: {}", "[".repeat(100_000)), 2, &["help:"]);
    check_text_refused("100,000 {", format!("routes: {}", "{a: ".repeat(100_000)), 2, &["help:"]);
    check_text_refused("100,000 -", format!("routes:\n{}", "- ".repeat(100_000)), 2, &["help:"]);
    let large = format!("{FINE}{}", "# filling up\n".repeat((100 << 20) / 13));
    check_text_refused("100 MB", large, 2, &["larger than 16 MiB", "help:"]);
}

#[test]
fn files_with_problems_are_refused() {
    let _turn = turn::alone();
    check_text_refused("syntax", "routes:\n- id: 'a\n  uri: b\n", 1, &["routes.yaml:", "error"]);
    let five = "\
routes:
- id: a
  uri: http://127.0.0.1:9
  predicates: [Pth=/a]
- id: b
  url: http://127.0.0.1:9
  predicates: [Path=/b]
- id: c
  uri: http://127.0.0.1:9
  predicates: [Path=/c]
  filters: [StripPrefix=x]
- id: c
  uri: htp://127.0.0.1:9
  predicates: [Path=/d]
";
    let words = ["did you mean `Path`", "did you mean `uri`", ":4:", ":6:", ":11:", ":12:", ":13:"];
    check_text_refused("five problems", five, 1, &words);
}

#[test]
fn a_port_in_use_is_refused() {
    let _turn = turn::alone();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().map(|address| (address, taken)).expect("an address");
    let address = taken.0.to_string();
    let (_folder, file) = file(FINE);
    let name = file.to_str().expect("a name");
    for (listen, admin) in [(address.as_str(), "127.0.0.1:0"), ("127.0.0.1:0", &address)] {
        let ended = run_in_time(&["run", name, "--listen", listen, "--admin", admin]);
        assert_eq!(ended.code, Some(2), "{}", ended.errors);
        assert!(ended.errors.contains(&format!("cannot listen on {address}")), "{}", ended.errors);
        assert!(ended.errors.contains("--listen or --admin"), "{}", ended.errors);
        assert!(!ended.errors.contains("listening on http"), "{}", ended.errors);
    }
    let ended = run_in_time(&["run", name, "--listen", "192.0.2.1:80", "--admin", "127.0.0.1:0"]);
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    assert!(ended.errors.contains("address of this machine"), "{}", ended.errors);
}

#[test]
fn an_access_log_that_cannot_be_written_is_refused() {
    let _turn = turn::alone();
    let text = format!("access-log: {{ output: \"file:/proc/none/access.log\" }}\n{FINE}");
    let (_folder, file) = file(text);
    let name = file.to_str().expect("a name");
    let ended = run_in_time(&["run", name, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    assert!(ended.errors.contains("access-log.output"), "{}", ended.errors);
}

#[test]
fn wrong_options_are_refused() {
    let _turn = turn::alone();
    for arguments in [
        &["run", "--listen", "nowhere"][..],
        &["run", "--workers", "0"],
        &["run", "--what"],
        &["check", "--format", "xml"],
        &["fly"],
        &[],
    ] {
        let ended = run_in_time(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.errors);
        let errors = ended.errors.to_lowercase();
        assert!(errors.contains("usage") || errors.contains("--help"), "{errors}");
    }
}

#[test]
fn a_fine_file_passes() {
    let _turn = turn::alone();
    let (_folder, file) = file(FINE);
    let name = file.to_str().expect("a name");
    let ended = run_in_time(&["check", name]);
    assert_eq!((ended.code, ended.output.as_str()), (Some(0), ""));
    assert!(ended.errors.contains("1 routes, fine"), "{}", ended.errors);
    let ended = run_in_time(&["check", name, "--format", "json"]);
    assert_eq!((ended.code, ended.output.trim(), ended.errors.as_str()), (Some(0), "[]", ""));
}

#[test]
fn problems_in_json_have_exactly_these_members() {
    let _turn = turn::alone();
    let (_folder, file) = file(FINE.replace("Path=", "Pth="));
    let name = file.to_str().expect("a name");
    let ended = run_in_time(&["check", name, "--format", "json"]);
    let problems: Value = serde_json::from_str(&ended.output).expect("JSON");
    let members: Vec<&str> =
        problems[0].as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = [
        "severity",
        "code",
        "message",
        "file",
        "line",
        "column",
        "end_line",
        "end_column",
        "route",
        "help",
    ];
    assert_eq!(members, expected);
    assert_eq!(problems[0]["line"], 4);
    assert_eq!(problems[0]["severity"], "error");
    assert_eq!(problems[0]["route"], "one");
    assert_eq!(problems[0]["file"], name);
}
