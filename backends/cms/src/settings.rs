//! What the CMS is configured with.
//!
//! | variable                 | default                | what                                         |
//! |--------------------------|------------------------|----------------------------------------------|
//! | `CMS_API_KEY`            | none, it must be set   | what callers send as `X-Api-Key`             |
//! | `CMS_SEED`, `CMS_LODGINGS` | `20250303`, `3000`   | the data set an empty store is filled with   |
//! | `ADMIN_LISTEN`           | `127.0.0.1:9085`       | where operators and tests connect            |
//! | `BATCH_EVERY`            | `60s`                  | how often rooms are opened and closed        |
//! | `TIMING_HOLD`            | `15m`                  | how long nights are held                     |
//!
//! Beside these it reads what every service does, and `TEST_MODE` and `CRASH_AT`.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;
use service::crash::{Crash, test_mode};
use service::settings::{Defaults, Invalid, Reader, Settings as ServiceSettings, Variables};

use service::timing::Timing;

use crate::area;
use crate::data_set::Plan;
use crate::generator::DEFAULT_SEED;
use crate::key::ApiKey;

const DEFAULTS: Defaults =
    Defaults { listen: "127.0.0.1:8085", database_url: "sqlite://data/cms.db" };
/// Nights ahead that are opened and closed when the data set is new.
pub(crate) const HORIZON_NIGHTS: i32 = 90;
const MOST_LODGINGS: i64 = 100_000;

/// Everything `main` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceSettings,
    /// `CMS_SEED` and `CMS_LODGINGS`: the data set an empty store is filled with.
    pub(crate) plan: Plan,
    /// `CMS_API_KEY`: what callers send as `X-Api-Key`.
    pub(crate) api_key: ApiKey,
    pub(crate) admin_listen: SocketAddr,
    pub(crate) batch_every: Duration,
    pub(crate) hold: Duration,
    pub(crate) is_test: bool,
    pub(crate) crash: Crash,
}

/// Where it can be told to die.
const CRASH_POINTS: &[&str] = &["cms.call.before_answer"];

impl Settings {
    /// Reads the environment; all faults at once.
    pub(crate) fn read(variables: &Variables) -> Result<Self, Vec<Invalid>> {
        let mut reader = variables.reader();
        let service = reader.settings(DEFAULTS);
        let seed = reader
            .value("CMS_SEED", DEFAULT_SEED, "a whole number below 2^64", |text| text.parse().ok());
        let expected = format!("a whole number from 1 to {MOST_LODGINGS}");
        let lodgings = reader.value("CMS_LODGINGS", area::LODGINGS, &expected, |text| {
            text.parse().ok().filter(|count| (1..=MOST_LODGINGS).contains(count))
        });
        let plan = Plan { seed, lodgings, nights: HORIZON_NIGHTS };
        let api_key = read_key(&mut reader);
        let local = SocketAddr::from(([127, 0, 0, 1], 9085));
        let expected = "an address such as 127.0.0.1:9085";
        let admin_listen = reader.value("ADMIN_LISTEN", local, expected, |text| text.parse().ok());
        let every = Duration::from_mins(1);
        let expected = "a duration such as 60s, 1s or more";
        let batch_every = reader.value("BATCH_EVERY", every, expected, |text| {
            let every: SignedDuration = text.parse().ok()?;
            Duration::try_from(every).ok().filter(|every| every.as_secs() > 0)
        });
        let hold = Timing::read(&mut reader).hold;
        let is_test = test_mode(&mut reader);
        let crash = Crash::read(&mut reader, is_test, CRASH_POINTS);
        let settings = service.zip(api_key).map(|(service, api_key)| Self {
            service,
            plan,
            api_key,
            admin_listen,
            batch_every,
            hold,
            is_test,
            crash,
        });
        reader.finish(settings)
    }
}

/// Never tells what was given: it is a secret.
fn read_key(reader: &mut Reader<'_>) -> Option<ApiKey> {
    let key = ApiKey::parse(&reader.text("CMS_API_KEY").unwrap_or_default());
    if key.is_none() {
        let expected = "set it, or CMS_API_KEY_FILE, to the key that callers send as X-Api-Key: \
                        letters, digits and signs without spaces";
        reader.reject("CMS_API_KEY", expected);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_data_set_everyone_knows() {
        let settings = Settings::read(&Variables::from([("CMS_API_KEY", "key")])).unwrap();
        assert_eq!(settings.plan, Plan { seed: 20_250_303, lodgings: 3000, nights: 90 });
        assert_eq!(settings.service.listen.to_string(), "127.0.0.1:8085");
        assert_eq!(settings.service.database_url.to_string(), "sqlite://data/cms.db");
    }

    #[test]
    fn names_what_cannot_be_used() {
        let variables = Variables::from([("CMS_SEED", "-1"), ("CMS_LODGINGS", "0")]);
        let faults: Vec<_> = Settings::read(&variables).unwrap_err();
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "`CMS_SEED`: `-1` is not a whole number below 2^64",
                "`CMS_LODGINGS`: `0` is not a whole number from 1 to 100000",
                "`CMS_API_KEY`: set it, or CMS_API_KEY_FILE, to the key that callers send as \
                 X-Api-Key: letters, digits and signs without spaces"
            ]
        );
    }

    #[test]
    fn never_shows_the_key() {
        let settings = Settings::read(&Variables::from([("CMS_API_KEY", "opensesame")])).unwrap();
        assert!(!format!("{settings:?}").contains("opensesame"));
        let faults = Settings::read(&Variables::from([("CMS_API_KEY", "open sesame")]));
        assert!(!format!("{:?}", faults.unwrap_err()).contains("sesame"));
    }
}
