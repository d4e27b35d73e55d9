//! The keys of a test run: tokens are read with them, and made as nobody should.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tollgate_filters::auth::{KeySet, Token, TokenKeys, TokenSettings};
use uuid::Uuid;

/// What must not be told: keys, tokens, passwords.
pub(crate) static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[derive(Debug)]
pub(crate) struct Tokens {
    keys: TokenKeys,
    /// The secret of the key that signs.
    pub(crate) secret: Vec<u8>,
    token_keys_file: PathBuf,
    proof_keys_file: PathBuf,
    pub(crate) settings: TokenSettings,
}

impl Tokens {
    /// Makes key files in a folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let token_keys_file = folder.join("token-keys.json");
        let proof_keys_file = folder.join("proof-keys.json");
        let (set, secret) = key_set(&["k1"]);
        fs::write(&token_keys_file, &set).unwrap();
        fs::write(&proof_keys_file, key_set(&["p1"]).0).unwrap();
        let settings = TokenSettings::default();
        let keys = TokenKeys::new(&KeySet::from_json(&set, 64).unwrap(), settings.algorithm);
        Self { keys, secret, token_keys_file, proof_keys_file, settings }
    }

    pub(crate) fn token_keys_file(&self) -> &Path {
        &self.token_keys_file
    }

    pub(crate) fn proof_keys_file(&self) -> &Path {
        &self.proof_keys_file
    }

    /// Remembers a token as a secret.
    pub(crate) fn saw(token: &str) {
        SECRETS.lock().unwrap().push(token.to_owned());
    }

    #[track_caller]
    pub(crate) fn read(&self, token: &str) -> Token {
        self.keys.verify(token, &self.settings, seconds()).unwrap()
    }

    pub(crate) fn sign(&self, token: &Token) -> String {
        let text = self.keys.sign(token, &self.settings).unwrap();
        Self::saw(&text);
        text
    }

    /// The same token as if it had been issued an hour ago.
    pub(crate) fn expired(&self, token: &str) -> String {
        let token = self.read(token);
        self.sign(&Token {
            issued_at: token.issued_at - 3600,
            expires_at: token.expires_at - 3600,
            ..token
        })
    }

    /// The claims as they are written.
    pub(crate) fn claims(token: &str) -> Value {
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    pub(crate) fn header(token: &str) -> Value {
        let part = token.split('.').next().unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }
}

/// A key set with random secrets, and the first secret.
pub(crate) fn key_set(ids: &[&str]) -> (String, Vec<u8>) {
    let mut first = Vec::new();
    let keys: Vec<String> = ids
        .iter()
        .map(|id| {
            let secret: Vec<u8> = (0..4).flat_map(|_| *Uuid::new_v4().as_bytes()).collect();
            let text = URL_SAFE_NO_PAD.encode(&secret);
            if first.is_empty() {
                first = secret;
            }
            let key = format!("{{\"kty\":\"oct\",\"kid\":\"{id}\",\"k\":\"{text}\"}}");
            SECRETS.lock().unwrap().push(text);
            key
        })
        .collect();
    (format!("{{\"keys\":[{}]}}", keys.join(",")), first)
}

/// Milliseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "tokens of real processes live in real time")]
pub(crate) fn millis() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// Seconds since the epoch.
pub(crate) fn seconds() -> i64 {
    millis() / 1000
}
