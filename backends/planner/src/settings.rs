//! What the service is configured with, beside what every service is.

use messaging::broker::Settings as BrokerSettings;
use service::crash::{Crash, test_mode};
use service::keys::KeySet;
use service::settings::{Defaults, Invalid, Settings as ServiceSettings, Variables};
use service::timing::Timing;

const DEFAULTS: Defaults =
    Defaults { listen: "127.0.0.1:8080", database_url: "sqlite://data/planner.db" };

/// Everything `main` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceSettings,
    /// `GATEWAY_PROOF_KEYS`: what the gateway signs its requests with.
    pub(crate) proof_keys: KeySet,
    /// `BROKER_URL` and `INSTANCE`: where messages go through, and which process this one is.
    pub(crate) broker: BrokerSettings,
    /// `TIMING_…`
    pub(crate) timing: Timing,
    /// `CRASH_AT`, with `TEST_MODE=1`: where a test wants the process to die.
    pub(crate) crash: Crash,
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
        let crash = Crash::read(&mut reader, is_test, &[messaging::relay::CRASH_POINT]);
        let needed = (|| Some((service?, proof_keys?, broker?)))();
        reader.finish(needed.map(|(service, proof_keys, broker)| Self {
            service,
            proof_keys,
            broker,
            timing,
            crash,
        }))
    }
}

#[cfg(test)]
mod tests {
    use service::testing::Signer;

    use super::*;

    /// TP-01
    #[test]
    fn tp_01_needs_the_keys_of_the_gateway_and_nothing_else() {
        let signer = Signer::new().unwrap();
        let variables = Variables::from([("GATEWAY_PROOF_KEYS", signer.jwks())]);
        let settings = Settings::read(&variables).unwrap();
        assert_eq!(settings.service.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.service.database_url.to_string(), "sqlite://data/planner.db");
    }

    #[test]
    fn names_what_cannot_be_used() {
        let faults = Settings::read(&Variables::from([("LISTEN", "8080")])).unwrap_err();
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].starts_with("`LISTEN`: "), "{faults:?}");
        assert!(faults[1].starts_with("`GATEWAY_PROOF_KEYS`: "), "{faults:?}");
    }
}
