//! What the service is configured with.
//!
//! | variable             | default                        | what                                 |
//! |----------------------|--------------------------------|--------------------------------------|
//! | `GATEWAY_PROOF_KEYS` | none, it must be set           | keys of the gateway and the services |
//! | `CMS_URL`            | `http://127.0.0.1:8085`        | where the CMS is                     |
//! | `CMS_API_KEY`        | none, it must be set           | what the CMS is sent as `X-Api-Key`  |
//! | `TIMING_…`           | see [`service::timing`]          |                                      |
//!
//! Beside these it reads what every service does.

use axum::http::HeaderValue;
use service::keys::KeySet;
use service::settings::{Defaults, Invalid, Reader, Settings as ServiceSettings, Variables};

use service::timing::Timing;

const DEFAULTS: Defaults =
    Defaults { listen: "127.0.0.1:8082", database_url: "sqlite://data/reservation.db" };
const CMS_URL: &str = "http://127.0.0.1:8085";

/// Everything `main` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceSettings,
    pub(crate) proof_keys: KeySet,
    pub(crate) cms_url: String,
    pub(crate) cms_api_key: HeaderValue,
    pub(crate) timing: Timing,
}

impl Settings {
    /// Reads the environment; all faults at once.
    pub(crate) fn read(variables: &Variables) -> Result<Self, Vec<Invalid>> {
        let mut reader = variables.reader();
        let service = reader.settings(DEFAULTS);
        let proof_keys = reader.keys("GATEWAY_PROOF_KEYS");
        let cms_url = reader.url("CMS_URL", CMS_URL);
        let cms_api_key = read_key(&mut reader);
        let timing = Timing::read(&mut reader);
        let settings = || {
            Some(Self {
                service: service?,
                proof_keys: proof_keys?,
                cms_url: cms_url?,
                cms_api_key: cms_api_key?,
                timing,
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

    #[test]
    fn needs_the_keys_and_nothing_else() {
        let signer = Signer::new().unwrap();
        let variables =
            Variables::from([("GATEWAY_PROOF_KEYS", signer.jwks()), ("CMS_API_KEY", "opensesame")]);
        let settings = Settings::read(&variables).unwrap();
        assert_eq!(settings.service.listen.to_string(), "127.0.0.1:8082");
        assert_eq!(settings.service.database_url.to_string(), "sqlite://data/reservation.db");
        assert_eq!(settings.cms_url, "http://127.0.0.1:8085");
        assert!(!format!("{settings:?}").contains("opensesame"));
    }

    #[test]
    fn names_what_cannot_be_used() {
        let variables =
            Variables::from([("CMS_URL", "cms"), ("CMS_API_KEY", ""), ("TIMING_CMS_TIMEOUT", "2")]);
        let faults: Vec<_> = Settings::read(&variables).unwrap_err();
        let faults = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        for name in ["GATEWAY_PROOF_KEYS", "CMS_URL", "CMS_API_KEY", "TIMING_CMS_TIMEOUT"] {
            assert!(faults.contains(&format!("`{name}`: ")), "{faults}");
        }
    }
}
