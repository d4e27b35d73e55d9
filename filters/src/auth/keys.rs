//! Sets of secret keys: the first signs, all verify.
//!
//! A set is a JWK Set (RFC 7517) of `oct` keys, so that a key can be added in front before the old
//! one is taken away, and nobody is logged out:
//!
//! ```json
//! { "keys": [ { "kty": "oct", "kid": "2025-06", "k": "…base64url…" },
//!             { "kty": "oct", "kid": "2025-05", "k": "…base64url…" } ] }
//! ```

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Keys in the order of their file.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

/// One secret and its name.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// `kid`: the name that goes with what it signed.
    pub id: String,
    /// `k`: the bytes.
    pub secret: Box<[u8]>,
}

/// Why a text is no key set. Never holds a part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeySet {
    /// Not a JWK Set.
    #[error(
        "it is not a JWK Set such as {{\"keys\":[{{\"kty\":\"oct\",\"kid\":\"k1\",\"k\":\"…\"}}]}}"
    )]
    NotASet,
    /// A set without keys.
    #[error("it has no key; make one with `openssl rand 64 | basenc --base64url -w0 | tr -d =`")]
    Empty,
    /// A key that is no secret.
    #[error("key {0} is not of the type `oct`; only secrets can be used here")]
    NotASecret(usize),
    /// A key whose name cannot be sent in a header.
    #[error("key {0} needs a `kid` of letters, digits, `.`, `_` and `-`")]
    BadName(usize),
    /// Two keys of one name.
    #[error("two keys have the `kid` `{0}`")]
    SameName(String),
    /// A value that is not base64url.
    #[error("the `k` of key {0} is not base64url without padding")]
    NotBase64(usize),
    /// A secret that can be guessed.
    #[error("the secret of key {position} has {bytes} bytes, at least {least} are needed")]
    TooShort {
        /// Which key, from 1.
        position: usize,
        /// How long it is.
        bytes: usize,
        /// How long it has to be.
        least: usize,
    },
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    kty: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    k: String,
}

impl KeySet {
    /// Reads a JWK Set whose secrets have `least` bytes or more.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn from_json(text: &str, least: usize) -> Result<Self, InvalidKeySet> {
        let document: Document = serde_json::from_str(text).map_err(|_| InvalidKeySet::NotASet)?;
        let mut keys: Vec<Key> = Vec::with_capacity(document.keys.len());
        for (position, written) in (1..).zip(document.keys) {
            if written.kty != "oct" {
                return Err(InvalidKeySet::NotASecret(position));
            }
            if !is_name(&written.kid) {
                return Err(InvalidKeySet::BadName(position));
            }
            if keys.iter().any(|key| key.id == written.kid) {
                return Err(InvalidKeySet::SameName(written.kid));
            }
            let secret = URL_SAFE_NO_PAD
                .decode(written.k.trim_end_matches('='))
                .map_err(|_| InvalidKeySet::NotBase64(position))?;
            if secret.len() < least {
                return Err(InvalidKeySet::TooShort { position, bytes: secret.len(), least });
            }
            keys.push(Key { id: written.kid, secret: secret.into() });
        }
        if keys.is_empty() { Err(InvalidKeySet::Empty) } else { Ok(Self(keys)) }
    }

    /// The keys; the first one signs.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }
}

/// Names only.
impl fmt::Debug for KeySet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

fn is_name(kid: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&kid.len()) && kid.bytes().all(is_fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kid: &str, k: &str) -> String {
        format!("{{\"kty\":\"oct\",\"kid\":\"{kid}\",\"k\":\"{k}\"}}")
    }

    #[test]
    fn keeps_the_order_and_shows_no_secret() {
        let text = format!("{{\"keys\":[{},{}]}}", key("new", "AAAA"), key("old", "AQEB"));
        let set = KeySet::from_json(&text, 3).unwrap();
        assert_eq!(&*set.keys()[1].secret, [1, 1, 1]);
        assert_eq!(
            format!("{set:?} {:?}", set.keys()[0]),
            "{\"new\", \"old\"} Key { id: \"new\", .. }"
        );
    }

    #[test]
    fn tells_what_is_wrong() {
        let of = |keys: &str| KeySet::from_json(&format!("{{\"keys\":[{keys}]}}"), 3).unwrap_err();
        assert_eq!(KeySet::from_json("secret", 3).unwrap_err(), InvalidKeySet::NotASet);
        assert_eq!(of(""), InvalidKeySet::Empty);
        assert_eq!(of("{\"kty\":\"RSA\",\"kid\":\"a\"}"), InvalidKeySet::NotASecret(1));
        assert_eq!(of(&key("", "AAAA")), InvalidKeySet::BadName(1));
        assert_eq!(of(&key("../a", "AAAA")), InvalidKeySet::BadName(1));
        assert_eq!(of(&key("a", "AA AA")), InvalidKeySet::NotBase64(1));
        let twice = format!("{},{}", key("a", "AAAA"), key("a", "AQEB"));
        assert_eq!(of(&twice), InvalidKeySet::SameName("a".to_owned()));
        let short = InvalidKeySet::TooShort { position: 1, bytes: 1, least: 3 };
        assert_eq!(of(&key("a", "AA")), short);
    }
}
