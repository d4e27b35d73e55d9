//! What the service is configured with.
//!
//! Beside what every service reads, and the timings:
//!
//! | variable             | default                     | what                                     |
//! |----------------------|-----------------------------|------------------------------------------|
//! | `GATEWAY_PROOF_KEYS` | must be set                 | the keys of the gateway and the services |
//! | `BROKER_URL`         | `sqlite://data/broker.db`   | where messages come from                 |
//! | `MEMBER_URL`         | none                        | who knows e-mail addresses               |
//! | `SINK_FILE`          | `data/notifications.jsonl`  | what stands in for mail and SMS          |
//! | `INSTANCE`           | `1`                         | which of several processes this one is   |
//! | `TEST_MODE`          | `0`                         | 1 lets `CRASH_AT` count                  |
//! | `CRASH_AT`           | nowhere                     | where a test wants the process to die    |

use std::path::PathBuf;

use messaging::broker::Settings as BrokerSettings;
use service::crash::{Crash, test_mode};
use service::keys::KeySet;
use service::settings::{Defaults, Invalid, Settings as ServiceSettings, Variables};
use service::timing::Timing;

/// The points at which the process can be told to die.
const CRASH_POINTS: &[&str] = &[
    "notification.record.before_offset",
    "notification.send.after_sink",
    messaging::relay::CRASH_POINT,
];
const SINK_FILE: &str = "data/notifications.jsonl";
const DEFAULTS: Defaults =
    Defaults { listen: "127.0.0.1:8084", database_url: "sqlite://data/notification.db" };

/// Everything `main` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceSettings,
    pub(crate) proof_keys: KeySet,
    pub(crate) broker: BrokerSettings,
    pub(crate) timing: Timing,
    pub(crate) crash: Crash,
    pub(crate) member_url: Option<String>,
    pub(crate) sink_file: PathBuf,
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
        let member_url = reader.optional_url("MEMBER_URL");
        let sink_file = reader.text("SINK_FILE").unwrap_or_else(|| SINK_FILE.to_owned());
        let needed = (|| Some((service?, proof_keys?, broker?)))();
        reader.finish(needed.map(|(service, proof_keys, broker)| Self {
            service,
            proof_keys,
            broker,
            timing,
            crash,
            member_url,
            sink_file: sink_file.into(),
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
        let variables = Variables::from([("GATEWAY_PROOF_KEYS", signer.jwks())]);
        let settings = Settings::read(&variables).unwrap();
        assert_eq!(settings.service.listen.to_string(), "127.0.0.1:8084");
        assert_eq!(settings.service.database_url.to_string(), "sqlite://data/notification.db");
        let faults = Settings::read(&Variables::default()).unwrap_err();
        assert!(faults[0].to_string().starts_with("`GATEWAY_PROOF_KEYS`: "), "{faults:?}");
    }
}
