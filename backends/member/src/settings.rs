//! What the service is configured with, beside what every service is.

use std::thread;

use jiff::SignedDuration;
use service::keys::KeySet;
use service::settings::{Defaults, Invalid, Reader, Settings as ServiceSettings, Variables};

use crate::administrator::Administrator;
use crate::email::{self, Email};
use crate::password::Password;

const DEFAULTS: Defaults =
    Defaults { listen: "127.0.0.1:8081", database_url: "sqlite://data/member.db" };
const DORMANT_AFTER_DAYS: i64 = 365;
/// A hundred years are as good as never.
const MOST_DAYS: i64 = 36_500;
const MOST_WORKERS: usize = 1024;

/// Everything `main` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceSettings,
    /// `GATEWAY_PROOF_KEYS`: what the gateway and services sign with.
    pub(crate) keys: KeySet,
    /// `PASSWORD_WORKERS` (all cores but one): passwords that are checked at a time.
    pub(crate) password_workers: usize,
    /// `DORMANT_AFTER_DAYS` (365): how long a member may stay away.
    pub(crate) dormant_after: SignedDuration,
    /// `GATEWAY_ADMIN_URL`: who is told that sessions have to end.
    pub(crate) gateway_admin_url: Option<String>,
    /// `RESERVATION_URL`: who is asked whether a member may withdraw.
    pub(crate) reservation_url: Option<String>,
    /// `ADMIN_EMAIL` and `ADMIN_PASSWORD`.
    pub(crate) administrator: Option<Administrator>,
}

impl Settings {
    /// Reads the environment; all faults at once.
    pub(crate) fn read(variables: &Variables) -> Result<Self, Vec<Invalid>> {
        let mut reader = variables.reader();
        let service = reader.settings(DEFAULTS);
        let keys = reader.keys("GATEWAY_PROOF_KEYS");
        let expected = format!("a whole number from 1 to {MOST_WORKERS}");
        let password_workers =
            reader.value("PASSWORD_WORKERS", default_workers(), &expected, |text| {
                text.parse().ok().filter(|workers| (1..=MOST_WORKERS).contains(workers))
            });
        let expected = format!("a whole number of days from 1 to {MOST_DAYS}");
        let days = reader.value("DORMANT_AFTER_DAYS", DORMANT_AFTER_DAYS, &expected, |text| {
            text.parse().ok().filter(|days| (1..=MOST_DAYS).contains(days))
        });
        let gateway_admin_url = reader.optional_url("GATEWAY_ADMIN_URL");
        let reservation_url = reader.optional_url("RESERVATION_URL");
        let administrator = read_administrator(&mut reader);
        let settings = service.zip(keys).map(|(service, keys)| Self {
            service,
            keys,
            password_workers,
            dormant_after: SignedDuration::from_hours(days * 24),
            gateway_admin_url,
            reservation_url,
            administrator,
        });
        reader.finish(settings)
    }
}

/// One core is left for everything else.
fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, |cores| (cores.get() - 1).max(1))
}

/// Both or none; the values appear in no error text.
fn read_administrator(reader: &mut Reader<'_>) -> Option<Administrator> {
    let email = reader.text("ADMIN_EMAIL");
    let password = reader.text("ADMIN_PASSWORD");
    if email.is_some() != password.is_some() {
        let missing = if email.is_some() { "ADMIN_PASSWORD" } else { "ADMIN_EMAIL" };
        reader.reject(missing, "set both ADMIN_EMAIL and ADMIN_PASSWORD, or none");
    }
    let email = email.and_then(|text| {
        let email = Email::parse(&text);
        if email.is_none() {
            reader.reject("ADMIN_EMAIL", format!("is not {}", email::EXPECTED));
        }
        email
    });
    let password = password.and_then(|text| {
        let password = Password::parse(&text);
        if password.is_none() {
            reader.reject("ADMIN_PASSWORD", "has not 10 to 128 characters");
        }
        password
    });
    email.zip(password).map(|(email, password)| Administrator { email, password })
}

#[cfg(test)]
mod tests {
    use service::testing::Signer;

    use super::*;

    fn faults<const N: usize>(variables: [(&str, &str); N]) -> Vec<String> {
        let faults = Settings::read(&Variables::from(variables)).unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_the_keys_must_be_set() {
        let signer = Signer::new().unwrap();
        let variables = Variables::from([("GATEWAY_PROOF_KEYS", signer.jwks())]);
        let settings = Settings::read(&variables).unwrap();
        assert_eq!(settings.service.listen.to_string(), "127.0.0.1:8081");
        assert_eq!(settings.service.database_url.to_string(), "sqlite://data/member.db");
        assert_eq!(settings.dormant_after, SignedDuration::from_hours(365 * 24));
        assert!(settings.password_workers >= 1);
        assert!(settings.administrator.is_none());
        assert!(faults([])[0].starts_with("`GATEWAY_PROOF_KEYS`: set it or "));
    }

    #[test]
    fn names_what_cannot_be_used_and_tells_no_secret() {
        let signer = Signer::new().unwrap();
        let keys = ("GATEWAY_PROOF_KEYS", signer.jwks());
        let told = faults([
            keys,
            ("PASSWORD_WORKERS", "0"),
            ("DORMANT_AFTER_DAYS", "x"),
            ("GATEWAY_ADMIN_URL", "gateway"),
            ("RESERVATION_URL", "http://r/v1"),
            ("ADMIN_EMAIL", "mail"),
            ("ADMIN_PASSWORD", "secret"),
        ]);
        assert_eq!(
            told,
            [
                "`PASSWORD_WORKERS`: `0` is not a whole number from 1 to 1024",
                "`DORMANT_AFTER_DAYS`: `x` is not a whole number of days from 1 to 36500",
                "`GATEWAY_ADMIN_URL`: is not the base of a URL, such as http://127.0.0.1:8081",
                "`RESERVATION_URL`: is not the base of a URL, such as http://127.0.0.1:8081",
                "`ADMIN_EMAIL`: is not an e-mail address such as a@example.com",
                "`ADMIN_PASSWORD`: has not 10 to 128 characters",
            ]
        );
        let lone = faults([keys, ("ADMIN_EMAIL", "a@example.com")]);
        assert_eq!(lone, ["`ADMIN_PASSWORD`: set both ADMIN_EMAIL and ADMIN_PASSWORD, or none"]);
    }
}
