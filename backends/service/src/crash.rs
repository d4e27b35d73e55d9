//! Points at which a process can be told to die, so that tests can see what survives it.
//!
//! `CRASH_AT=<point>[:n]` names one of a service's own points, and at which passage (1) the process
//! ends there: as by `kill -9`, without unwinding, flushing or committing. It is honoured only with
//! `TEST_MODE=1`, and a name that the service does not have is an error at the start.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::settings::Reader;

/// Where this process dies, if anywhere; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Crash(Option<Arc<Armed>>);

#[derive(Debug)]
struct Armed {
    point: String,
    passages_left: AtomicU32,
}

impl Crash {
    /// Reads `CRASH_AT`; `points` are the names this service has.
    pub fn read(reader: &mut Reader<'_>, is_test: bool, points: &[&str]) -> Self {
        let Some(text) = reader.text("CRASH_AT") else { return Self::default() };
        let (point, passage) = text.split_once(':').unwrap_or((&text, "1"));
        let passage = passage.parse().ok().filter(|passage| *passage > 0);
        let Some(passage) = passage.filter(|_| points.contains(&point)) else {
            let expected = points.join(", ");
            reader.reject("CRASH_AT", format!("`{text}` is not one of {expected}, or its passage"));
            return Self::default();
        };
        if !is_test {
            return Self::default();
        }
        let passages_left = AtomicU32::new(passage);
        Self(Some(Arc::new(Armed { point: point.to_owned(), passages_left })))
    }

    /// Ends the process if this is the passage it was told to die at.
    pub fn pass(&self, point: &str) {
        let Some(armed) = self.0.as_ref().filter(|armed| armed.point == point) else { return };
        if armed.passages_left.fetch_sub(1, Ordering::SeqCst) == 1 {
            die();
        }
    }
}

/// As `kill -9` does it: nothing of the process runs any more.
fn die() {
    let own = process::id().to_string();
    // The signal needs no `unsafe` when another process sends it.
    drop(process::Command::new("kill").args(["-KILL", &own]).status());
    process::abort();
}

/// Whether `TEST_MODE=1` is set, which opens what must never be open in production.
pub fn test_mode(reader: &mut Reader<'_>) -> bool {
    reader.value("TEST_MODE", false, "0 or 1", |text| match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Variables;

    const POINTS: &[&str] = &["pg.confirm.after_charge"];

    fn read(text: &str, is_test: bool) -> Result<Crash, String> {
        let variables = Variables::from([("CRASH_AT", text)]);
        let mut reader = variables.reader();
        let crash = Crash::read(&mut reader, is_test, POINTS);
        reader.finish(Some(crash)).map_err(|faults| faults[0].to_string())
    }

    #[test]
    fn only_a_test_arms_it() {
        assert!(read("pg.confirm.after_charge:2", true).unwrap().0.is_some());
        let crash = read("pg.confirm.after_charge", false).unwrap();
        assert!(crash.0.is_none());
        crash.pass("pg.confirm.after_charge");
    }

    #[test]
    fn other_points_and_earlier_passages_are_passed() {
        let crash = read("pg.confirm.after_charge:2", true).unwrap();
        crash.pass("pg.confirm.after_charge");
        crash.pass("pg.cancel.after_refund");
        assert_eq!(crash.0.unwrap().passages_left.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn an_unknown_point_is_an_error() {
        for text in ["nowhere", "pg.confirm.after_charge:0", "pg.confirm.after_charge:x", ""] {
            let fault = read(text, true).unwrap_err();
            let expected = format!(
                "`CRASH_AT`: `{text}` is not one of pg.confirm.after_charge, or its passage"
            );
            assert_eq!(fault, expected);
        }
    }
}
