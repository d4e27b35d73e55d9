//! What the stand-in is configured with.
//!
//! Beside what every service reads, and the timings (`pg_window`, `pg_session` and `webhook_retry`
//! are its own):
//!
//! | variable             | default   | what                                                      |
//! |----------------------|-----------|-----------------------------------------------------------|
//! | `PG_SECRET_KEY`      | must be set | the merchant's secret key, as the payment service has it |
//! | `PG_MERCHANT_ID`     | `tollgate` | the merchant, at most 14 characters                       |
//! | `PG_LATENCY`         | `default` | how long a confirm takes: `default` (300–800 ms), `slow` (6–17 s), `zero`, or a range such as `1s-2s` |
//! | `WEBHOOK_URL`        | none      | where events are announced: the gateway's route `/webhooks/toss` |
//! | `TEST_MODE`          | `0`       | 1 believes `X-Fault` and `CRASH_AT`                       |
//! | `CRASH_AT`           | nowhere   | where a test wants the process to die                     |
//! | `GATEWAY_PROOF_KEYS` | none      | with `TEST_MODE=1`: announces as the gateway passes it on, to be used where none is in between |

use payment::pg::SecretKey;
use service::crash::{Crash, test_mode};
use service::keys::KeySet;
use service::settings::{Defaults, Invalid, Reader, Settings as ServiceSettings, Variables};
use service::timing::Timing;

use crate::latency::Latency;

/// Where the process can be told to die.
pub(crate) const CRASH_POINTS: &[&str] = &[AFTER_CHARGE, AFTER_REFUND];
pub(crate) const AFTER_CHARGE: &str = "pg.confirm.after_charge";
pub(crate) const AFTER_REFUND: &str = "pg.cancel.after_refund";

const DEFAULTS: Defaults =
    Defaults { listen: "127.0.0.1:8093", database_url: "sqlite://data/pg.db" };

/// Everything `main` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceSettings,
    pub(crate) timing: Timing,
    pub(crate) secret: SecretKey,
    pub(crate) merchant: String,
    pub(crate) latency: Latency,
    pub(crate) webhook_url: Option<String>,
    pub(crate) is_test: bool,
    pub(crate) crash: Crash,
    /// Of the gateway in front of the merchant, in test mode only.
    pub(crate) proof_keys: Option<KeySet>,
}

impl Settings {
    /// Reads the environment; all faults at once.
    pub(crate) fn read(variables: &Variables) -> Result<Self, Vec<Invalid>> {
        let mut reader = variables.reader();
        let service = reader.settings(DEFAULTS);
        let timing = Timing::read(&mut reader);
        let secret = SecretKey::read(&mut reader);
        let merchant = merchant(&mut reader);
        let latency = reader.value(
            "PG_LATENCY",
            Latency::default(),
            "default, slow, zero or a range such as 1s-2s",
            Latency::parse,
        );
        let webhook_url = reader.optional_url_with_path("WEBHOOK_URL");
        let is_test = test_mode(&mut reader);
        let crash = Crash::read(&mut reader, is_test, CRASH_POINTS);
        let has_keys = ["GATEWAY_PROOF_KEYS", "GATEWAY_PROOF_KEYS_FILE"]
            .into_iter()
            .any(|name| variables.get(name).is_some());
        let proof_keys = if is_test && has_keys { reader.keys("GATEWAY_PROOF_KEYS") } else { None };
        let needed = service.zip(secret);
        reader.finish(needed.map(|(service, secret)| Self {
            service,
            timing,
            secret,
            merchant,
            latency,
            webhook_url,
            is_test,
            crash,
            proof_keys,
        }))
    }
}

fn merchant(reader: &mut Reader<'_>) -> String {
    let expected = "1 to 14 letters or digits";
    reader.value("PG_MERCHANT_ID", "tollgate".to_owned(), expected, |text| {
        let fits = (1..=14).contains(&text.len());
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (fits && is_plain).then(|| text.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use service::testing::Signer;

    use super::*;

    const SECRET: (&str, &str) = ("PG_SECRET_KEY", "test_sk_1");

    fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<Settings, String> {
        Settings::read(&Variables::from(pairs))
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn needs_the_secret_key_and_nothing_else() {
        let settings = read([SECRET]).unwrap();
        assert_eq!(settings.service.listen.to_string(), "127.0.0.1:8093");
        assert_eq!(settings.service.database_url.to_string(), "sqlite://data/pg.db");
        assert_eq!((settings.webhook_url.is_none(), settings.is_test), (true, false));
        assert!(!format!("{settings:?}").contains("test_sk"));
        assert!(read([]).unwrap_err().starts_with("`PG_SECRET_KEY`: "));
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        for (name, value) in [
            ("PG_LATENCY", "fast"),
            ("WEBHOOK_URL", "toss"),
            ("PG_MERCHANT_ID", "a merchant with a long name"),
            ("CRASH_AT", "nowhere"),
        ] {
            let fault = read([SECRET, (name, value)]).unwrap_err();
            assert!(fault.starts_with(&format!("`{name}`: ")), "{fault}");
        }
    }

    #[test]
    fn it_passes_for_the_gateway_in_tests_only() {
        let signer = Signer::new().unwrap();
        let keys = ("GATEWAY_PROOF_KEYS", signer.jwks());
        assert!(read([SECRET, keys]).unwrap().proof_keys.is_none());
        assert!(read([SECRET, keys, ("TEST_MODE", "1")]).unwrap().proof_keys.is_some());
    }
}
