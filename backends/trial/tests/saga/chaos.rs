//! a while of trouble, and the proof that nothing was lost.

use std::io::{self, Write};
use std::time::Duration;

use service::settings::Variables;
use trial::{chaos, checker};

use crate::stage::{eventually, on_each};

/// In an ordinary test run; `make chaos` takes longer.
const SECONDS: u64 = 60;
const SEED: u64 = 20_250_303;

///
#[test]
fn a_24_nothing_is_lost_in_a_while_of_trouble() {
    on_each(async |stage| {
        let variables = Variables::of_process();
        let number =
            |name: &str, default| variables.get(name).map_or(default, |text| text.parse().unwrap());
        let time = Duration::from_secs(number("CHAOS_SECONDS", SECONDS));
        let seed = number("CHAOS_SEED", SEED);
        let wanted = chaos::rage(&stage.platform, time, seed).await.unwrap();
        let mut left = Vec::new();
        let quiet = eventually("everything ends", async || {
            left = stage.platform.unfinished().await.ok()?;
            left.is_empty().then_some(())
        });
        quiet.await;
        let evidence = stage.platform.evidence().await.unwrap();
        let ends = evidence.ends();
        writeln!(io::stderr(), "CHAOS_SEED={seed}: {wanted} wanted, {ends:?}").unwrap();
        let violations = checker::check(&evidence);
        assert!(violations.is_empty(), "{violations:#?}");
        assert!(ends.contains_key("CONFIRMED") && ends.contains_key("CANCELLED"), "{ends:?}");
    });
}
