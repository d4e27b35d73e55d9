//! Login tokens: who may pass, and as whom.
//!
//! | module            | holds                                                          |
//! |-------------------|----------------------------------------------------------------|
//! | [`Authenticator`] | the rules: what is demanded, issued, renewed and taken away    |
//! | [`TokenKeys`]     | signing and checking tokens                                    |
//! | [`SessionStore`]  | where sessions are kept, with [`InProcessSessions`] as one     |
//! | [`KeySet`]        | secrets by name                                                |
//!
//! A client holds an access token only. The secret that renews it stays in the session; an expired
//! token is renewed on the way, and the new one comes back in a header of the same answer.

mod answer_head;
mod authenticator;
mod bearer;
mod expiring;
mod in_process;
mod keys;
mod login;
mod member_parameter;
mod session;
mod spoof;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod throttle;
mod token;

use serde::{Deserialize, Serialize};

pub use authenticator::{
    AuthSettings, AuthState, Authenticator, DirectoryError, Exempt, FoundMember, IssuedToken,
    MemberDirectory,
};
pub use in_process::{Clock, InProcessSessions};
pub use keys::{InvalidKeySet, Key, KeySet};
pub use session::{
    Beginning, Failures, LoginKey, Member, MemberStatus, Rotated, Rotation, Seen, SessionState,
    SessionStore, StoreError, Stored, TokenKey,
};
pub use throttle::ThrottleSettings;
pub(crate) use throttle::network_of;
pub use token::{Token, TokenAlgorithm, TokenKeys, TokenProblem, TokenSettings};

/// A member of the platform, as upstreams are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// `X-Member-Id`.
    pub member_id: i64,
    /// `X-Member-Role`.
    pub role: Role,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// A customer.
    User,
    /// An operator of the platform.
    Admin,
}
