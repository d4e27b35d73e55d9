//! Access tokens: JWTs (RFC 7519) that the gateway signs for itself.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::verify;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Identity, KeySet, Role};

/// `auth.token.algorithm`: how tokens are signed. No other is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    #[default]
    Hs512,
}

/// What is put into tokens and demanded of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// How tokens are signed. Default HS512.
    pub algorithm: TokenAlgorithm,
    /// `iss`. Default `gateway`.
    pub issuer: String,
    /// `aud`. Default `travel-platform`.
    pub audience: String,
    /// Seconds from `iat` to `exp`. Default 30 minutes.
    pub lifetime: i64,
    /// Seconds by which clocks may differ. Default 5.
    pub leeway: i64,
}

/// The keys of tokens, ready for use.
pub struct TokenKeys {
    algorithm: Algorithm,
    keys: Vec<TokenKey>,
}

struct TokenKey {
    id: String,
    signing: EncodingKey,
    verifying: DecodingKey,
}

/// What a token says, once its signature is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Whose it is.
    pub identity: Identity,
    /// `sid`: the session it belongs to.
    pub session: Uuid,
    /// `gen`: the generation of the session it was issued for.
    pub generation: u64,
    /// `jti`: its own name.
    pub id: Uuid,
    /// `iat`: when it was issued, in seconds since the epoch.
    pub issued_at: i64,
    /// `exp`: when it expires, in seconds since the epoch.
    pub expires_at: i64,
}

/// Why a text is no token of ours. For the log: a client is never told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// Longer than any token of ours.
    #[error("it is too long")]
    TooLong,
    /// Not three parts of base64url.
    #[error("it does not have three parts of base64url")]
    Malformed,
    /// A header that is not the one we write.
    #[error("its header is not one of ours")]
    Header,
    /// Another algorithm than the configured one.
    #[error("it names another algorithm")]
    Algorithm,
    /// A `kid` no key has.
    #[error("no key has its `kid`")]
    UnknownKey,
    /// A signature that does not fit.
    #[error("its signature does not fit")]
    Signature,
    /// Claims that are missing, doubled, or of another type.
    #[error("its claims are not those of ours")]
    Claims,
    /// Another `iss`.
    #[error("another issuer")]
    Issuer,
    /// Another `aud`.
    #[error("another audience")]
    Audience,
    /// An `iat` in the future, or not before `exp`.
    #[error("its dates cannot be")]
    Dates,
}

/// Longer than what we write, by far.
const LONGEST_TOKEN: usize = 2048;

/// The header of a token. A member that is not ours, such as `jku` or `x5u`, refuses it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenHeader<'t> {
    #[serde(borrow)]
    alg: Cow<'t, str>,
    #[serde(borrow)]
    kid: Cow<'t, str>,
    #[serde(borrow, default)]
    typ: Option<Cow<'t, str>>,
}

#[derive(Serialize, Deserialize)]
struct Claims<'t> {
    #[serde(borrow)]
    iss: Cow<'t, str>,
    #[serde(borrow)]
    aud: Cow<'t, str>,
    #[serde(borrow)]
    sub: Cow<'t, str>,
    sid: Uuid,
    #[serde(rename = "gen")]
    generation: u64,
    jti: Uuid,
    role: Role,
    iat: i64,
    exp: i64,
}

impl TokenAlgorithm {
    /// As a route file and a token's header write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// How many bytes a secret needs: as many as the digest has (RFC 7518 3.2).
    pub fn least_secret(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs384 => 48,
            Self::Hs512 => 64,
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Hs384 => Algorithm::HS384,
            Self::Hs512 => Algorithm::HS512,
        }
    }
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            algorithm: TokenAlgorithm::default(),
            issuer: "gateway".to_owned(),
            audience: "travel-platform".to_owned(),
            lifetime: 30 * 60,
            leeway: 5,
        }
    }
}

impl TokenKeys {
    /// Prepares the keys of a set.
    pub fn new(set: &KeySet, algorithm: TokenAlgorithm) -> Self {
        let keys = set.keys().iter().map(|key| TokenKey {
            id: key.id.clone(),
            signing: EncodingKey::from_secret(&key.secret),
            verifying: DecodingKey::from_secret(&key.secret),
        });
        Self { algorithm: algorithm.algorithm(), keys: keys.collect() }
    }

    /// Writes a token; `None` if there is no key, which a key set cannot be.
    pub fn sign(&self, token: &Token, settings: &TokenSettings) -> Option<String> {
        let key = self.keys.first()?;
        let mut header = Header::new(self.algorithm);
        header.kid = Some(key.id.clone());
        let claims = Claims {
            iss: Cow::Borrowed(&settings.issuer),
            aud: Cow::Borrowed(&settings.audience),
            sub: Cow::Owned(token.identity.member_id.to_string()),
            sid: token.session,
            generation: token.generation,
            jti: token.id,
            role: token.identity.role,
            iat: token.issued_at,
            exp: token.expires_at,
        };
        encode(&header, &claims, &key.signing).ok()
    }

    /// Checks everything about a token but whether it has expired.
    ///
    /// # Errors
    ///
    /// Anything that is not as [`TokenKeys::sign`] writes it.
    pub fn verify(
        &self,
        text: &str,
        settings: &TokenSettings,
        now: i64,
    ) -> Result<Token, TokenProblem> {
        if text.len() > LONGEST_TOKEN {
            return Err(TokenProblem::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenProblem::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenProblem::Malformed)?;
        let header = decode(header)?;
        let header: TokenHeader<'_> =
            serde_json::from_slice(&header).map_err(|_| TokenProblem::Header)?;
        if header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(TokenProblem::Header);
        }
        if header.alg != settings.algorithm.name() {
            return Err(TokenProblem::Algorithm);
        }
        let key = self.keys.iter().find(|key| key.id == header.kid);
        let key = key.ok_or(TokenProblem::UnknownKey)?;
        let fits = verify(signature, signed.as_bytes(), &key.verifying, self.algorithm);
        if !fits.unwrap_or(false) {
            return Err(TokenProblem::Signature);
        }
        let claims = decode(claims)?;
        let claims: Claims<'_> =
            serde_json::from_slice(&claims).map_err(|_| TokenProblem::Claims)?;
        claims.check(settings, now)
    }
}

impl Claims<'_> {
    fn check(&self, settings: &TokenSettings, now: i64) -> Result<Token, TokenProblem> {
        if self.iss != settings.issuer {
            return Err(TokenProblem::Issuer);
        }
        if self.aud != settings.audience {
            return Err(TokenProblem::Audience);
        }
        let is_early = self.iat > now.saturating_add(settings.leeway);
        if is_early || self.iat < 0 || self.exp <= self.iat {
            return Err(TokenProblem::Dates);
        }
        let member_id = member_id(&self.sub).ok_or(TokenProblem::Claims)?;
        Ok(Token {
            identity: Identity { member_id, role: self.role },
            session: self.sid,
            generation: self.generation,
            id: self.jti,
            issued_at: self.iat,
            expires_at: self.exp,
        })
    }
}

/// A member's id as it is written: a positive number, no sign, no leading zero.
pub(super) fn member_id(text: &str) -> Option<i64> {
    let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|id| is_canonical && *id > 0)
}

fn decode(part: &str) -> Result<Vec<u8>, TokenProblem> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenProblem::Malformed)
}

/// Names only.
impl fmt::Debug for TokenKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}
