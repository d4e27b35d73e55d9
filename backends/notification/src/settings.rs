//! What the service is configured with.
//!
//! Beside what every service reads, and the timings:
//!
//! | variable             | default                     | what                                     |
//! |----------------------|-----------------------------|------------------------------------------|
//! | `GATEWAY_PROOF_KEYS` | must be set                 | the keys of the gateway and the services |
//! | `BROKER_URL`         | `sqlite://data/broker.db`   | where messages come from                 |
//! | `MEMBER_URL`         | none                        | who knows e-mail addresses               |
//! | `SMTP_URL`           | none: the file below        | the mail server                          |
//! | `SMTP_FROM`          | none; needed with a server  | in whose name mail is sent               |
//! | `SMS_URL`, `SMS_KEY` | none: the file below        | the provider of text messages            |
//! | `SINK_FILE`          | `data/notifications.jsonl`  | what stands in for those that are none   |
//! | `INSTANCE`           | `1`                         | which of several processes this one is   |
//! | `TEST_MODE`          | `0`                         | 1 lets `CRASH_AT` count                  |
//! | `CRASH_AT`           | nowhere                     | where a test wants the process to die    |

use std::path::PathBuf;

use lettre::transport::smtp;
use messaging::broker::Settings as BrokerSettings;
use service::crash::{Crash, test_mode};
use service::keys::KeySet;
use service::settings::{Defaults, Invalid, Reader, Settings as ServiceSettings, Variables};
use service::timing::Timing;

use crate::provider::{MailSettings, TextsSettings};

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
    pub(crate) mail: Option<MailSettings>,
    pub(crate) texts: Option<TextsSettings>,
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
        let (mail, texts) = (mail(&mut reader), texts(&mut reader));
        let sink_file = reader.text("SINK_FILE").unwrap_or_else(|| SINK_FILE.to_owned());
        let needed = (|| Some((service?, proof_keys?, broker?)))();
        reader.finish(needed.map(|(service, proof_keys, broker)| Self {
            service,
            proof_keys,
            broker,
            timing,
            crash,
            member_url,
            mail,
            texts,
            sink_file: sink_file.into(),
        }))
    }
}

/// What the URL holds is never told: there may be a password in it.
fn mail(reader: &mut Reader<'_>) -> Option<MailSettings> {
    let url = reader.text("SMTP_URL");
    let from = reader.text("SMTP_FROM");
    let (url, from) = match (url, from) {
        (Some(url), Some(from)) => (url, from),
        (Some(_), None) => {
            reader.reject("SMTP_FROM", "set it, such as Tollgate <stay@example.com>");
            return None;
        }
        (None, from) => {
            if from.is_some() {
                reader.reject("SMTP_FROM", "is of no use without `SMTP_URL`");
            }
            return None;
        }
    };
    if shows_password(&url) {
        let reason =
            "would send its password for everybody to read; add ?tls=required, or use smtps://";
        reader.reject("SMTP_URL", reason);
    }
    let Ok(from) = from.parse() else {
        reader.reject("SMTP_FROM", "is no address such as Tollgate <stay@example.com>");
        return None;
    };
    let explain = |error: &smtp::Error| {
        let example = "smtp://user:password@mail.example.com:587?tls=required";
        reader.reject("SMTP_URL", format!("{error}; it is such as {example}, or smtps://…"));
    };
    MailSettings::new(&url, from).inspect_err(explain).ok()
}

/// A password on its way to another machine without TLS.
fn shows_password(url: &str) -> bool {
    let place = url.strip_prefix("smtp://").and_then(|rest| rest.rsplit_once('@'));
    place.is_some_and(|(_, place)| {
        let is_here = ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| place.starts_with(own));
        !is_here && !place.contains("tls=required")
    })
}

fn texts(reader: &mut Reader<'_>) -> Option<TextsSettings> {
    let url = reader.optional_url_with_path("SMS_URL");
    let key = reader.text("SMS_KEY");
    if url.is_none() && key.is_some() {
        reader.reject("SMS_KEY", "is of no use without `SMS_URL`");
    }
    url.map(|url| TextsSettings { url, key })
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
    #[test]
    fn a_mail_server_needs_a_sender_and_its_password_stays_secret() {
        let signer = Signer::new().unwrap();
        let read = |url: &str, from: &str| {
            Settings::read(&Variables::from([
                ("GATEWAY_PROOF_KEYS", signer.jwks()),
                ("SMTP_URL", url),
                ("SMTP_FROM", from),
            ]))
        };
        let settings = read("smtp://me:s3cret@localhost:25", "Us <us@example.com>").unwrap();
        assert!(settings.mail.is_some());
        for (url, from, variable) in [
            ("http://me:s3cret@localhost", "us@example.com", "`SMTP_URL`: "),
            ("smtp://me:s3cret@localhost", "us", "`SMTP_FROM`: "),
            ("smtp://me:s3cret@example.com", "us@example.com", "`SMTP_URL`: would send"),
        ] {
            let faults = read(url, from).unwrap_err();
            assert!(faults[0].to_string().starts_with(variable), "{faults:?}");
            assert!(!format!("{faults:?}").contains("s3cret"), "{faults:?}");
        }
        let alone = [("GATEWAY_PROOF_KEYS", signer.jwks()), ("SMTP_URL", "smtp://localhost")];
        let faults = Settings::read(&Variables::from(alone)).unwrap_err();
        assert!(faults[0].to_string().starts_with("`SMTP_FROM`: "), "{faults:?}");
        for variable in ["SMTP_FROM", "SMS_KEY"] {
            let orphan = [("GATEWAY_PROOF_KEYS", signer.jwks()), (variable, "us@example.com")];
            let faults = Settings::read(&Variables::from(orphan)).unwrap_err();
            assert!(faults[0].to_string().contains("is of no use without"), "{faults:?}");
        }
    }
}
