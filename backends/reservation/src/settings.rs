//! What the service is configured with.
//!
//! | variable             | default                     | what                                     |
//! |----------------------|-----------------------------|------------------------------------------|
//! | `GATEWAY_PROOF_KEYS` | none, it must be set        | keys of the gateway and the services     |
//! | `CMS_URL`            | `http://127.0.0.1:8085`     | where the CMS is                         |
//! | `CMS_API_KEY`        | none, it must be set        | what the CMS is sent as `X-Api-Key`      |
//! | `PAYMENT_URL`        | `http://127.0.0.1:8083`     | where the payment service is             |
//! | `BROKER_URL`         | `sqlite://data/broker.db`   | where messages go through                |
//! | `INSTANCE`           | `1`                         | which of several processes this one is   |
//! | `TEST_MODE`          | `0`                         | 1 lets `CRASH_AT` count                  |
//! | `CRASH_AT`           | nowhere                     | where a test wants the process to die    |
//! | `TIMING_…`           | see [`service::timing`]     |                                          |
//!
//! Beside these it reads what every service does.

use axum::http::HeaderValue;
use messaging::broker::Settings as BrokerSettings;
use service::crash::{Crash, test_mode};
use service::keys::KeySet;
use service::settings::{Defaults, Invalid, Reader, Settings as ServiceSettings, Variables};
use service::timing::Timing;

use crate::saga::CRASH_POINTS;

const DEFAULTS: Defaults =
    Defaults { listen: "127.0.0.1:8082", database_url: "sqlite://data/reservation.db" };
const CMS_URL: &str = "http://127.0.0.1:8085";
const PAYMENT_URL: &str = "http://127.0.0.1:8083";

/// Everything `main` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceSettings,
    pub(crate) proof_keys: KeySet,
    pub(crate) cms_url: String,
    pub(crate) cms_api_key: HeaderValue,
    pub(crate) payment_url: String,
    pub(crate) broker: BrokerSettings,
    pub(crate) timing: Timing,
    pub(crate) crash: Crash,
}

impl Settings {
    /// Reads the environment; all faults at once.
    pub(crate) fn read(variables: &Variables) -> Result<Self, Vec<Invalid>> {
        let mut reader = variables.reader();
        let service = reader.settings(DEFAULTS);
        let proof_keys = reader.keys("GATEWAY_PROOF_KEYS");
        let cms_url = reader.url("CMS_URL", CMS_URL);
        let cms_api_key = read_key(&mut reader);
        let payment_url = reader.url("PAYMENT_URL", PAYMENT_URL);
        let broker = BrokerSettings::read(&mut reader);
        let timing = Timing::read(&mut reader);
        let is_test = test_mode(&mut reader);
        let crash = Crash::read(&mut reader, is_test, CRASH_POINTS);
        let settings = || {
            Some(Self {
                service: service?,
                proof_keys: proof_keys?,
                cms_url: cms_url?,
                cms_api_key: cms_api_key?,
                payment_url: payment_url?,
                broker: broker?,
                timing,
                crash,
            })
        };
        let settings = settings();
        reader.finish(settings)
    }
}

/// Never tells what was given: it is a secret.
fn read_key(reader: &mut Reader<'_>) -> Option<HeaderValue> {
    let text = reader.text("CMS_API_KEY").unwrap_or_default();
    let key = HeaderValue::from_str(&text).ok().filter(|key| !key.is_empty());
    let Some(mut key) = key else {
        let expected = "set it, or CMS_API_KEY_FILE, to the key that the CMS was started with";
        reader.reject("CMS_API_KEY", expected);
        return None;
    };
    key.set_sensitive(true);
    Some(key)
}

#[cfg(test)]
mod tests {
    use service::testing::Signer;

    use super::*;

    ///
    #[test]
    fn a_29_settings_that_break_a_ratio_are_named() {
        let signer = Signer::new().unwrap();
        let variables = Variables::from([
            ("GATEWAY_PROOF_KEYS", signer.jwks()),
            ("CMS_API_KEY", "opensesame"),
            ("TIMING_CMS_TIMEOUT", "20s"),
        ]);
        let faults = Settings::read(&variables).unwrap_err();
        let told = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert!(told.contains("cms_timeout") && told.contains("step_lease"), "{told}");
    }

    #[test]
    fn needs_the_keys_and_nothing_else() {
        let signer = Signer::new().unwrap();
        let variables =
            Variables::from([("GATEWAY_PROOF_KEYS", signer.jwks()), ("CMS_API_KEY", "opensesame")]);
        let settings = Settings::read(&variables).unwrap();
        assert_eq!(settings.service.listen.to_string(), "127.0.0.1:8082");
        assert_eq!(settings.service.database_url.to_string(), "sqlite://data/reservation.db");
        assert_eq!(settings.cms_url, "http://127.0.0.1:8085");
        assert_eq!(settings.payment_url, "http://127.0.0.1:8083");
        assert_eq!(settings.broker.url.to_string(), "sqlite://data/broker.db");
        assert!(!format!("{settings:?}").contains("opensesame"));
    }

    #[test]
    fn names_what_cannot_be_used() {
        let variables = Variables::from([
            ("CMS_URL", "cms"),
            ("CMS_API_KEY", ""),
            ("PAYMENT_URL", "pay"),
            ("TIMING_CMS_TIMEOUT", "2"),
            ("TEST_MODE", "1"),
            ("CRASH_AT", "nowhere.at_all"),
        ]);
        let faults: Vec<_> = Settings::read(&variables).unwrap_err();
        let faults = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        for name in [
            "GATEWAY_PROOF_KEYS",
            "CMS_URL",
            "CMS_API_KEY",
            "PAYMENT_URL",
            "TIMING_CMS_TIMEOUT",
            "CRASH_AT",
        ] {
            assert!(faults.contains(&format!("`{name}`: ")), "{faults}");
        }
    }
}
