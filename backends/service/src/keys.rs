//! Shared secrets as a JWK Set of `oct` keys (RFC 7517): the first signs, all verify.
//!
//! To rotate, put the new key last, wait until every process knows it, move it to the front, and
//! take the old one out. A set that came from a file is looked at again when it is used, at most
//! once a second; a file that cannot be used changes nothing and is told on the log.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// What a key set looks like, for error texts.
pub(crate) const EXAMPLE: &str =
    r#"{"keys":[{"kty":"oct","kid":"k1","k":"32 random bytes or more in base64url"}]}"#;
/// RFC 7518 section 3.2 asks for at least as many bytes as the hash has.
const SHORTEST_BYTES: usize = 32;
const LONGEST_KID: usize = 64;
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A set of keys; cheap to clone.
#[derive(Clone)]
pub struct KeySet(Arc<Inner>);

/// Why a text is no key set. Nothing of the text is told.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not JSON, or not a JWK Set.
    #[error("no JWK Set from line {line}, column {column} on")]
    NotASet {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The set is empty.
    #[error("holds no key")]
    Empty,
    /// One key cannot be used.
    #[error("key {position} {reason}")]
    Unusable {
        /// Position in the set, from 1.
        position: usize,
        /// What is wrong, to be read after the position.
        reason: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot be read")]
    Unreadable(#[from] io::Error),
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mismatch {
    #[error("no key has this id")]
    UnknownKey,
    #[error("the signature is not that of this request")]
    Signature,
}

struct Inner {
    keys: ArcSwap<Keys>,
    file: Option<WatchedFile>,
}

struct Keys {
    signing: Key,
    others: Vec<Key>,
}

struct Key {
    id: String,
    mac: Hmac<Sha256>,
}

struct WatchedFile {
    path: PathBuf,
    seen: Mutex<Seen>,
}

struct Seen {
    looked_at: Instant,
    version: Option<Version>,
}

/// What changes when a file is written or replaced.
type Version = (SystemTime, u64);

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    k: String,
}

impl KeySet {
    /// Reads a JWK Set.
    pub fn from_json(text: &str) -> Result<Self, KeyError> {
        Ok(Self::new(Keys::parse(text)?, None))
    }

    /// Reads a JWK Set from a file, and again when the file changes.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        // The version first: what changes while it is read is read again.
        let seen = Seen { looked_at: Instant::now(), version: version(path) };
        let keys = Keys::read(path)?;
        Ok(Self::new(keys, Some(WatchedFile { path: path.to_owned(), seen: Mutex::new(seen) })))
    }

    fn new(keys: Keys, file: Option<WatchedFile>) -> Self {
        Self(Arc::new(Inner { keys: ArcSwap::from_pointee(keys), file }))
    }

    /// Id of the signing key, and the signature of `text` in unpadded base64url.
    pub(crate) fn sign(&self, text: &str) -> (String, String) {
        self.refresh();
        let keys = self.0.keys.load();
        let signature = URL_SAFE_NO_PAD.encode(keys.signing.signature(text));
        (keys.signing.id.clone(), signature)
    }

    /// Whether `signature` is that of `text` under the key `id`, compared in constant time.
    pub(crate) fn verify(&self, id: &str, text: &str, signature: &str) -> Result<(), Mismatch> {
        self.refresh();
        let keys = self.0.keys.load();
        let key = keys.all().find(|key| key.id == id).ok_or(Mismatch::UnknownKey)?;
        let sent = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Mismatch::Signature)?;
        let is_equal = key.signature(text).ct_eq(&sent);
        if bool::from(is_equal) { Ok(()) } else { Err(Mismatch::Signature) }
    }

    /// Takes over what the file holds if it has changed.
    fn refresh(&self) {
        let Some(file) = &self.0.file else { return };
        // It is enough that one caller looks; the others go on with the keys at hand.
        let Ok(mut seen) = file.seen.try_lock() else { return };
        if seen.looked_at.elapsed() < LOOK_INTERVAL {
            return;
        }
        seen.looked_at = Instant::now();
        let version = version(&file.path);
        if version == seen.version {
            return;
        }
        seen.version = version;
        match Keys::read(&file.path) {
            Ok(keys) => {
                self.0.keys.store(Arc::new(keys));
                tracing::info!(path = %file.path.display(), keys = ?self, "the keys were read again");
            }
            Err(error) => {
                let path = file.path.display();
                tracing::error!(%path, %error, "the old keys stay; write a JWK Set to the file");
            }
        }
    }
}

/// The ids only.
impl fmt::Debug for KeySet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.keys.load();
        formatter.write_str("KeySet")?;
        formatter.debug_list().entries(keys.all().map(|key| &key.id)).finish()
    }
}

impl Keys {
    fn read(path: &Path) -> Result<Self, KeyError> {
        Self::parse(&fs::read_to_string(path)?)
    }

    fn parse(text: &str) -> Result<Self, KeyError> {
        // Its own words could hold a part of the text.
        let set: JwkSet = serde_json::from_str(text)
            .map_err(|error| KeyError::NotASet { line: error.line(), column: error.column() })?;
        let mut ids = HashSet::new();
        let keys = set.keys.into_iter().enumerate().map(|(index, jwk)| {
            let is_new = ids.insert(jwk.kid.clone());
            let key = if is_new { Key::new(jwk) } else { Err("has the kid of another key") };
            key.map_err(|reason| KeyError::Unusable { position: index + 1, reason })
        });
        let mut keys = keys.collect::<Result<Vec<_>, _>>()?.into_iter();
        let signing = keys.next().ok_or(KeyError::Empty)?;
        Ok(Self { signing, others: keys.collect() })
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        iter::once(&self.signing).chain(&self.others)
    }
}

impl Key {
    fn new(jwk: Jwk) -> Result<Self, &'static str> {
        if jwk.kty != "oct" {
            return Err("is not of kty `oct`");
        }
        // It stands in a header between semicolons.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=LONGEST_KID).contains(&jwk.kid.len()) || !jwk.kid.bytes().all(is_plain) {
            return Err("has no kid of 1 to 64 letters, digits, `-`, `_` or `.`");
        }
        let secret = URL_SAFE_NO_PAD.decode(jwk.k.trim_end_matches('='));
        let secret = secret.map_err(|_| "has a k that is not base64url")?;
        if secret.len() < SHORTEST_BYTES {
            return Err("has a k of less than 32 bytes");
        }
        let mac = Hmac::new_from_slice(&secret).map_err(|_| "has a k that cannot be used")?;
        Ok(Self { id: jwk.kid, mac })
    }

    fn signature(&self, text: &str) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn version(path: &Path) -> Option<Version> {
    let of = |file: Metadata| Some((file.modified().ok()?, file.len()));
    fs::metadata(path).ok().and_then(of)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn set(ids: &[&str]) -> String {
        let keys = ids.iter().map(|id| {
            let secret = URL_SAFE_NO_PAD.encode(id.repeat(32));
            format!(r#"{{"kty":"oct","kid":"{id}","k":"{secret}"}}"#)
        });
        format!(r#"{{"keys":[{}]}}"#, keys.collect::<Vec<_>>().join(","))
    }

    fn error(text: &str) -> String {
        KeySet::from_json(text).unwrap_err().to_string()
    }

    #[test]
    fn the_first_signs_and_all_verify() {
        let old = KeySet::from_json(&set(&["a", "b"])).unwrap();
        let new = KeySet::from_json(&set(&["b", "a"])).unwrap();
        let (id, signature) = old.sign("text");
        assert_eq!(id, "a");
        assert_eq!(new.verify("a", "text", &signature), Ok(()));
        assert_eq!(new.verify("b", "text", &signature), Err(Mismatch::Signature));
        assert_eq!(new.verify("a", "texts", &signature), Err(Mismatch::Signature));
        assert_eq!(new.verify("c", "text", &signature), Err(Mismatch::UnknownKey));
    }

    #[test]
    fn a_signature_has_one_spelling() {
        let keys = KeySet::from_json(&set(&["a"])).unwrap();
        let (_, signature) = keys.sign("text");
        for other in [format!("{signature}="), signature.to_lowercase(), format!("{signature}A")] {
            assert_eq!(keys.verify("a", "text", &other), Err(Mismatch::Signature), "{other}");
        }
    }

    #[test]
    fn tells_what_is_wrong_and_nothing_of_the_text() {
        assert_eq!(error("secret"), "no JWK Set from line 1, column 1 on");
        assert_eq!(error(r#"{"keys":"secret"}"#), "no JWK Set from line 1, column 16 on");
        assert_eq!(error(r#"{"keys":[]}"#), "holds no key");
        assert_eq!(error(&set(&["a"]).replace("oct", "RSA")), "key 1 is not of kty `oct`");
        assert_eq!(error(&set(&["a", "a"])), "key 2 has the kid of another key");
        assert_eq!(
            error(&set(&["a;b"])),
            "key 1 has no kid of 1 to 64 letters, digits, `-`, `_` or `.`"
        );
        let short = r#"{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}"#;
        assert_eq!(error(short), "key 1 has a k of less than 32 bytes");
        assert_eq!(
            error(&short.replace("c2VjcmV0", "secret!")),
            "key 1 has a k that is not base64url"
        );
    }

    #[test]
    fn debug_output_holds_ids_only() {
        let keys = KeySet::from_json(&set(&["a", "b"])).unwrap();
        assert_eq!(format!("{keys:?}"), r#"KeySet["a", "b"]"#);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_read_again_when_it_changes() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("keys.json");
        fs::write(&path, set(&["a"])).unwrap();
        let keys = KeySet::from_file(&path).unwrap();
        let signer = || keys.sign("text").0;

        fs::write(&path, set(&["b", "a"])).unwrap();
        assert_eq!(signer(), "a", "looked at again too soon");
        tokio::time::advance(LOOK_INTERVAL).await;
        assert_eq!(signer(), "b");

        for broken in ["", "{", r#"{"keys":[]}"#] {
            fs::write(&path, broken).unwrap();
            tokio::time::advance(LOOK_INTERVAL).await;
            assert_eq!(signer(), "b", "{broken}");
        }
        fs::remove_file(&path).unwrap();
        tokio::time::advance(LOOK_INTERVAL).await;
        assert_eq!(signer(), "b");

        fs::write(&path, set(&["c"])).unwrap();
        tokio::time::advance(LOOK_INTERVAL).await;
        assert_eq!(signer(), "c");
    }
}
