//! Where sessions are kept.

use std::fmt::Debug;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use uuid::Uuid;

use super::{Identity, Role};

/// An answer of a store, which may come later.
pub type Stored<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store did not do what it was asked, or nobody knows whether it did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Keeps sessions, what is known of members, and failed logins.
///
/// There are two: in the process, and in Redis under the keys of `domain.md` 6.5. Both do each of
/// these at once for everybody who looks: nobody sees a half.
pub trait SessionStore: Debug + Send + Sync {
    /// What is known about a token's session; notes that the session was used.
    fn look_up(&self, token: TokenKey) -> Stored<'_, Seen>;

    /// Renews a session whose token has expired (`domain.md` 6.9).
    fn rotate(&self, rotation: Rotation) -> Stored<'_, Rotated>;

    /// Makes a session, remembers its member, forgets the failures of the login, and ends the
    /// session it replaces.
    fn begin(&self, beginning: Beginning) -> Stored<'_, ()>;

    /// Ends a session and denies its token.
    fn end(&self, token: TokenKey, deny_for: Duration) -> Stored<'_, ()>;

    /// Ends all sessions of a member and forgets what is known about it.
    fn end_all(&self, member_id: i64) -> Stored<'_, ()>;

    /// Remembers a member for a while.
    fn remember(&self, member: Member, life: Duration) -> Stored<'_, ()>;

    /// How many logins failed lately.
    fn failures(&self, login: LoginKey) -> Stored<'_, Failures>;

    /// Counts a failed login for as long as `window` from the first one on.
    fn failed(&self, login: LoginKey, window: Duration) -> Stored<'_, ()>;
}

/// What a look-up needs to know of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenKey {
    /// The session.
    pub session: Uuid,
    /// The member.
    pub member_id: i64,
    /// The token.
    pub id: Uuid,
}

/// What a store knows about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// The session; `None` if there is none (any more).
    pub session: Option<SessionState>,
    /// The member; `None` if nothing is remembered.
    pub member: Option<Member>,
    /// Whether the token was denied.
    pub is_denied: bool,
}

/// What matters about a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionState {
    /// Whose it is.
    pub member_id: i64,
    /// Whether a token of it was used again after it had been replaced.
    pub is_revoked: bool,
}

/// What is remembered of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub identity: Identity,
    /// Whether tokens may be used.
    pub status: MemberStatus,
}

/// The state of a member's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberStatus {
    /// May use tokens.
    Active,
    /// Has not logged in for long.
    Dormant,
    /// Has left.
    Withdrawn,
}

/// An expired token that asks for a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The session.
    pub session: Uuid,
    /// The generation of the token.
    pub generation: u64,
    /// How long the generation before the current one is taken for a parallel request.
    pub grace: Duration,
}

/// What became of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// A token of this generation may be issued.
    To(u64),
    /// There is no session (any more).
    NoSession,
    /// The session has no refresh entry.
    NoRefresh,
    /// The session was revoked before.
    Revoked,
    /// The token had been replaced: the session is revoked now.
    Reused,
}

/// A session that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// Its name.
    pub session: Uuid,
    /// Who logged in; active.
    pub identity: Identity,
    /// SHA-256 of the refresh secret.
    pub refresh_hash: [u8; 32],
    /// The first bytes of the SHA-256 of `User-Agent`, for whoever looks into the store.
    pub user_agent_hash: [u8; 8],
    /// How long it lives.
    pub life: Duration,
    /// How long its member is remembered.
    pub member_life: Duration,
    /// Whose failures are forgotten.
    pub email_hash: [u8; 32],
    /// The session it replaces, if a token of one came with the login.
    pub replaces: Option<TokenKey>,
}

/// Who tries to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginKey {
    /// SHA-256 of the e-mail address in lower case.
    pub email_hash: [u8; 32],
    /// The client's address.
    pub address: Option<IpAddr>,
}

/// Failed logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failures {
    /// With this e-mail address.
    pub of_email: u32,
    /// From this address.
    pub of_address: u32,
}

impl MemberStatus {
    /// As the member service and stores write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Dormant => "DORMANT",
            Self::Withdrawn => "WITHDRAWN",
        }
    }

    /// Reads what [`MemberStatus::name`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Dormant, Self::Withdrawn].into_iter().find(|one| one.name() == text)
    }
}

impl Role {
    /// As tokens, headers and stores write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Admin => "ADMIN",
        }
    }

    /// Reads what [`Role::name`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Admin].into_iter().find(|one| one.name() == text)
    }
}
