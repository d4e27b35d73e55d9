//! What the CMS is configured with, beside what every service is.

use service::settings::{Defaults, Invalid, Settings as ServiceSettings, Variables};

use crate::area;
use crate::data_set::Plan;
use crate::generator::DEFAULT_SEED;

const DEFAULTS: Defaults =
    Defaults { listen: "127.0.0.1:8085", database_url: "sqlite://data/cms.db" };
/// Nights ahead that are opened and closed when the data set is new.
const HORIZON_NIGHTS: i32 = 90;
const MOST_LODGINGS: i64 = 100_000;

/// Everything `main` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceSettings,
    /// `CMS_SEED` and `CMS_LODGINGS`: the data set an empty store is filled with.
    pub(crate) plan: Plan,
}

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
        reader.finish(service.map(|service| Self { service, plan }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_data_set_everyone_knows() {
        let settings = Settings::read(&Variables::default()).unwrap();
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
                "`CMS_LODGINGS`: `0` is not a whole number from 1 to 100000"
            ]
        );
    }
}
