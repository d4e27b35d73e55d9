//! The walk-through that `make run` prints and `make demo` runs, word for word.

use std::path::Path;
use std::process::Command;

use crate::Own;
use crate::stack::{Options, Stack, Stores, path_of};

pub(crate) const OWN: &[Own] = &[("the_walk_through_works_as_it_is_printed", walk)];

fn walk(stores: Stores) {
    let stack =
        Stack::with(stores, &Options { lodgings: 3000, edits: Vec::new(), ..Options::default() });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/walk");
    let output = Command::new("bash")
        .args(["-euo", "pipefail"])
        .arg(script)
        .env("GATEWAY", format!("http://{}", stack.address))
        .env("PG", format!("http://{}{}", stack.service("pg"), path_of("pg")))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}\n{}", stack.gateway.output());
    for part in [
        "\"memberId\":",
        "\"memberEmail\":",
        "\"startPrice\":",
        "\"roomName\":",
        "\"status\":\"PENDING_PAYMENT\"",
        "\"status\":\"CONFIRMED\"",
        "\"refundStatus\":\"DONE\"",
        "\"to\":\"CANCELLED\"",
        "\"regionName\":\"경주\"",
        "\"locationName\":\"Beach\"",
        "204",
        "AUTH_SESSION_REVOKED",
    ] {
        assert!(told.contains(part), "no {part} in\n{told}");
    }
}
