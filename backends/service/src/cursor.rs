//! Where the next page of a list begins.
//!
//! A cursor is base64url of the last row's sort value and id, so that rows that come and go between
//! two pages neither repeat nor hide others. It is bound to the filter it was made for: with another
//! filter the position would mean nothing, so it is refused. It is no secret and grants nothing.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// Where a page ended: the sort value of its last row, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor<K, I = i64> {
    /// Sort value of the last row.
    pub key: K,
    /// Id of the last row, which decides among equal sort values.
    pub id: I,
}

/// Stands for the filter and the order of one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of parameters as they were sent; their order does not matter.
    pub fn of<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut parameters: Vec<_> = parameters.into_iter().collect();
        parameters.sort_unstable();
        let mut digest = Sha256::new();
        for text in parameters.iter().flat_map(|(name, value)| [name, value]) {
            digest.update(text.as_bytes());
            digest.update([0]);
        }
        // A guard against mistakes, not against forgery: nine bytes are twelve characters.
        let digest = digest.finalize();
        Self(URL_SAFE_NO_PAD.encode(digest.get(..9).unwrap_or_default()))
    }
}

impl<K: Serialize + DeserializeOwned, I: Serialize + DeserializeOwned> Cursor<K, I> {
    /// The text a client sends to get the next page.
    pub fn encode(&self, filter: &Fingerprint) -> Result<String, Problem> {
        let text =
            serde_json::to_vec(&(&filter.0, &self.key, &self.id)).map_err(Problem::internal)?;
        Ok(URL_SAFE_NO_PAD.encode(text))
    }

    /// The position a client sent; 400 `INVALID_CURSOR` unless it was made for this filter.
    pub fn decode(text: &str, filter: &Fingerprint) -> Result<Self, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let position = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let (made_for, key, id): (String, K, I) =
            position.ok_or_else(|| invalid("the cursor is not one of this service"))?;
        if made_for != filter.0 {
            return Err(invalid("the cursor was made for another filter or order; leave it out"));
        }
        Ok(Self { key, id })
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "INVALID_CURSOR", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_was() {
        let filter = Fingerprint::of([("area", "1"), ("type", "MOTEL")]);
        let same = Fingerprint::of([("type", "MOTEL"), ("area", "1")]);
        let cursor = Cursor { key: Some("가".to_owned()), id: 7 };
        assert_eq!(Cursor::decode(&cursor.encode(&filter).unwrap(), &same).unwrap(), cursor);
        let cursor = Cursor { key: 1, id: "01968a3e".to_owned() };
        assert_eq!(Cursor::decode(&cursor.encode(&filter).unwrap(), &same).unwrap(), cursor);
    }

    #[test]
    fn another_filter_refuses_it() {
        let cursor = Cursor { key: 1, id: 7 };
        let text = cursor.encode(&Fingerprint::of([("area", "1")])).unwrap();
        let problem = Cursor::<i64>::decode(&text, &Fingerprint::of([("area", "2")])).unwrap_err();
        assert_eq!(problem.code, "INVALID_CURSOR");
    }

    #[test]
    fn names_and_values_do_not_run_together() {
        assert_ne!(Fingerprint::of([("a", "bc")]), Fingerprint::of([("ab", "c")]));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "%%%", "AAAA", "bnVsbA"] {
            let problem = Cursor::<i64>::decode(text, &Fingerprint::of([])).unwrap_err();
            assert_eq!(problem.code, "INVALID_CURSOR", "{text}");
        }
    }
}
