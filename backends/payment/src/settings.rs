//! What the service is configured with.
//!
//! Beside what every service reads: `GATEWAY_PROOF_KEYS`, the keys of the gateway and the services,
//! which must be set.

use service::keys::KeySet;
use service::settings::{Defaults, Invalid, Settings as ServiceSettings, Variables};

const DEFAULTS: Defaults =
    Defaults { listen: "127.0.0.1:8083", database_url: "sqlite://data/payment.db" };

/// Everything `main` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceSettings,
    pub(crate) proof_keys: KeySet,
}

impl Settings {
    /// Reads the environment; all faults at once.
    pub(crate) fn read(variables: &Variables) -> Result<Self, Vec<Invalid>> {
        let mut reader = variables.reader();
        let service = reader.settings(DEFAULTS);
        let proof_keys = reader.keys("GATEWAY_PROOF_KEYS");
        let settings = service.zip(proof_keys);
        reader.finish(settings.map(|(service, proof_keys)| Self { service, proof_keys }))
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
        assert_eq!(settings.service.listen.to_string(), "127.0.0.1:8083");
        assert_eq!(settings.service.database_url.to_string(), "sqlite://data/payment.db");
        let faults = Settings::read(&Variables::default()).unwrap_err();
        assert!(faults[0].to_string().starts_with("`GATEWAY_PROOF_KEYS`: "), "{faults:?}");
    }
}
