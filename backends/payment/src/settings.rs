//! What the service is configured with.
//!
//! Beside what every service reads, and the timings:
//!
//! | variable             | default                      | what                                     |
//! |----------------------|------------------------------|------------------------------------------|
//! | `GATEWAY_PROOF_KEYS` | must be set                  | the keys of the gateway and the services |
//! | `BROKER_URL`         | `sqlite://data/broker.db`    | where messages go through                |
//! | `PG_URL`             | `http://127.0.0.1:8093/pg`   | the payment gateway                      |
//! | `PG_SECRET_KEY`      | must be set                  | the merchant's secret key there          |
//! | `PG_MERCHANT_ID`     | `tollgate`                   | the merchant, at most 14 characters      |
//! | `INSTANCE`           | `1`                          | which of several processes this one is   |
//! | `TEST_MODE`          | `0`                          | 1 opens the endpoints for tests          |
//! | `CRASH_AT`           | nowhere                      | where a test wants the process to die    |

use messaging::broker::Settings as BrokerSettings;
use payment::pg::Access;
use service::crash::{Crash, test_mode};
use service::keys::KeySet;
use service::settings::{Defaults, Invalid, Settings as ServiceSettings, Variables};
use service::timing::Timing;

use crate::cashier::CRASH_POINTS;

const DEFAULTS: Defaults =
    Defaults { listen: "127.0.0.1:8083", database_url: "sqlite://data/payment.db" };

/// Everything `main` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceSettings,
    pub(crate) proof_keys: KeySet,
    pub(crate) broker: BrokerSettings,
    pub(crate) timing: Timing,
    pub(crate) crash: Crash,
    pub(crate) pg: Pg,
    pub(crate) is_test: bool,
}

/// The payment gateway, and who we are there.
#[derive(Debug)]
pub(crate) struct Pg {
    pub(crate) access: Access,
    pub(crate) merchant: String,
}

impl Settings {
    /// Reads the environment; all faults at once.
    pub(crate) fn read(variables: &Variables) -> Result<Self, Vec<Invalid>> {
        let mut reader = variables.reader();
        let service = reader.settings(DEFAULTS);
        let proof_keys = reader.keys("GATEWAY_PROOF_KEYS");
        let broker = BrokerSettings::read(&mut reader);
        let timing = Timing::read(&mut reader);
        let is_test = test_mode(&mut reader);
        let crash = Crash::read(&mut reader, is_test, CRASH_POINTS);
        let access = Access::read(&mut reader);
        let merchant = reader.value(
            "PG_MERCHANT_ID",
            "tollgate".to_owned(),
            "1 to 14 letters or digits",
            |text| {
                let fits = (1..=14).contains(&text.len());
                let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
                (fits && is_plain).then(|| text.to_owned())
            },
        );
        let needed = (|| Some((service?, proof_keys?, broker?, access?)))();
        reader.finish(needed.map(|(service, proof_keys, broker, access)| Self {
            service,
            proof_keys,
            broker,
            timing,
            crash,
            pg: Pg { access, merchant },
            is_test,
        }))
    }
}

#[cfg(test)]
mod tests {
    use service::testing::Signer;

    use super::*;

    #[test]
    fn needs_the_keys_and_nothing_else() {
        let signer = Signer::new().unwrap();
        let variables =
            Variables::from([("GATEWAY_PROOF_KEYS", signer.jwks()), ("PG_SECRET_KEY", "test_sk")]);
        let settings = Settings::read(&variables).unwrap();
        assert_eq!(settings.service.listen.to_string(), "127.0.0.1:8083");
        assert_eq!(settings.service.database_url.to_string(), "sqlite://data/payment.db");
        assert_eq!(settings.broker.url.to_string(), "sqlite://data/broker.db");
        assert_eq!(settings.pg.access.url, "http://127.0.0.1:8093/pg");
        assert!(!settings.is_test && !format!("{settings:?}").contains("test_sk"));
        let faults = Settings::read(&Variables::default()).unwrap_err();
        assert!(faults[0].to_string().starts_with("`GATEWAY_PROOF_KEYS`: "), "{faults:?}");
        assert!(faults[1].to_string().starts_with("`PG_SECRET_KEY`: "), "{faults:?}");
    }

    ///
    #[test]
    fn a_29_settings_that_break_a_ratio_are_named() {
        let signer = Signer::new().unwrap();
        let keys = ("GATEWAY_PROOF_KEYS", signer.jwks());
        let variables = Variables::from([keys, ("TIMING_PG_TIMEOUT", "20s")]);
        let faults = Settings::read(&variables).unwrap_err();
        let told = format!("{}", faults[0]);
        assert!(told.contains("pg_timeout") && told.contains("step_lease"), "{told}");
    }
}
