//! What the CMS is configured with, beside what every service is.

use service::settings::{Defaults, Invalid, Reader, Settings as ServiceSettings, Variables};

use crate::area;
use crate::data_set::Plan;
use crate::generator::DEFAULT_SEED;
use crate::key::ApiKey;

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
    /// `CMS_API_KEY`: what callers send as `X-Api-Key`.
    pub(crate) api_key: ApiKey,
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
        let api_key = read_key(&mut reader);
        let settings = service.zip(api_key);
        reader.finish(settings.map(|(service, api_key)| Self { service, plan, api_key }))
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
