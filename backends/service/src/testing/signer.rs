//! Proofs as the gateway and other services send them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::Headers;
use crate::clock::Clock;
use crate::keys::{KeyError, KeySet};
use crate::proof::{
    GATEWAY_AUTH, MEMBER_ID, MEMBER_ROLE, SERVICE_AUTH, Subject, sign_gateway, sign_service,
};

/// Signs what tests send, with a random key of its own.
#[derive(Debug, Clone)]
pub struct Signer {
    jwks: String,
    keys: KeySet,
    clock: Clock,
}

impl Signer {
    /// A signer with a new key, by the machine's clock.
    pub fn new() -> Result<Self, KeyError> {
        let secret: Vec<u8> = (0..4).flat_map(|_| Uuid::new_v4().into_bytes()).collect();
        let k = URL_SAFE_NO_PAD.encode(secret);
        let jwks = format!(r#"{{"keys":[{{"kty":"oct","kid":"test","k":"{k}"}}]}}"#);
        let keys = KeySet::from_json(&jwks)?;
        Ok(Self { jwks, keys, clock: Clock::system() })
    }

    /// The same key by another clock: that of the service under test.
    #[must_use]
    pub fn at(&self, clock: &Clock) -> Self {
        Self { clock: clock.clone(), ..self.clone() }
    }

    /// The key set, for `GATEWAY_PROOF_KEYS`.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// The key set, for a router.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// What the gateway adds to a request, for a member (`(42, "USER")`) or nobody.
    pub fn gateway(&self, method: &str, target: &str, member: Option<(i64, &str)>) -> Headers {
        let id = member.map(|(id, _)| id.to_string());
        let role = member.map_or(Subject::NOBODY.role, |(_, role)| role);
        let subject = Subject { id: id.as_deref().unwrap_or(Subject::NOBODY.id), role };
        let proof = sign_gateway(&self.keys, &self.clock, (method, target), subject);
        let mut headers = vec![(GATEWAY_AUTH, proof)];
        headers.extend(member.map(|(id, _)| (MEMBER_ID, id.to_string())));
        headers.extend(member.map(|(_, role)| (MEMBER_ROLE, role.to_owned())));
        headers
    }

    /// What the service `name` adds to a request.
    pub fn service(&self, name: &str, method: &str, target: &str, body: &[u8]) -> Headers {
        let proof = sign_service(&self.keys, &self.clock, name, (method, target, body));
        vec![(SERVICE_AUTH, proof)]
    }
}
