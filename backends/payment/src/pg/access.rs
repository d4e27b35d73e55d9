//! Where the payment gateway is, and who we are there.
//!
//! | variable        | default                    | what                                             |
//! |-----------------|----------------------------|--------------------------------------------------|
//! | `PG_URL`        | `http://127.0.0.1:8093/pg` | the stand-in, or `https://api.tosspayments.com`  |
//! | `PG_SECRET_KEY` | none, it must be set       | the merchant's secret key                        |

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use service::settings::Reader;
use subtle::ConstantTimeEq;

/// Where the stand-in listens.
const DEFAULT_URL: &str = "http://127.0.0.1:8093/pg";

/// Where the payment gateway is, and what proves who we are.
#[derive(Debug, Clone)]
pub struct Access {
    /// Below it are `/v1/payments/…`.
    pub url: String,
    /// What proves who we are.
    pub secret: SecretKey,
}

/// The merchant's secret key.
#[derive(Clone)]
pub struct SecretKey(Arc<str>);

impl Access {
    /// Reads `PG_URL` and `PG_SECRET_KEY`.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.url_with_path("PG_URL", DEFAULT_URL);
        let secret = SecretKey::read(reader);
        Some(Self { url: url?, secret: secret? })
    }
}

impl SecretKey {
    /// Takes visible ASCII, as the payment gateway hands keys out.
    pub fn parse(text: &str) -> Option<Self> {
        let is_fine = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        (is_fine && !text.contains(':')).then(|| Self(text.into()))
    }

    /// Reads `PG_SECRET_KEY`; never tells what was given.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let key = Self::parse(&reader.text("PG_SECRET_KEY").unwrap_or_default());
        if key.is_none() {
            let expected = "set it, or PG_SECRET_KEY_FILE, to the merchant's secret key at the \
                            payment gateway, such as test_sk_…";
            reader.reject("PG_SECRET_KEY", expected);
        }
        key
    }

    /// Whether it is the same, without telling by the time it takes how much of it is.
    pub fn is(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }

    /// The value of `Authorization`: the key as the user, without a password.
    pub fn authorization(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:", self.0)))
    }
}

/// Without the key: it appears in settings, which may be logged.
impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretKey")
    }
}

#[cfg(test)]
mod tests {
    use service::settings::Variables;

    use super::*;

    fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<Access, String> {
        let variables = Variables::from(pairs);
        let mut reader = variables.reader();
        let access = Access::read(&mut reader);
        reader.finish(access).map_err(|faults| faults[0].to_string())
    }

    #[test]
    fn needs_a_key_and_nothing_else() {
        let access = read([("PG_SECRET_KEY", "test_sk_1")]).unwrap();
        assert_eq!(access.url, "http://127.0.0.1:8093/pg");
        assert_eq!(access.secret.authorization(), "Basic dGVzdF9za18xOg==");
        assert!(!format!("{access:?}").contains("test_sk"));
        for key in ["", "a b", "a:b", "é"] {
            let fault = read([("PG_SECRET_KEY", key)]).unwrap_err();
            assert!(fault.starts_with("`PG_SECRET_KEY`: set it, or PG_SECRET_KEY_FILE"), "{fault}");
        }
    }

    /// PY-06
    #[test]
    fn py_06_the_real_payment_gateway_can_be_chosen() {
        let url = "https://api.tosspayments.com";
        assert_eq!(read([("PG_SECRET_KEY", "live_sk"), ("PG_URL", url)]).unwrap().url, url);
        let fault = read([("PG_SECRET_KEY", "live_sk"), ("PG_URL", "toss")]).unwrap_err();
        assert!(fault.starts_with("`PG_URL`: "), "{fault}");
    }
}
