//! Rules to test against: a store in the process, a clock that a test sets, members by id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use uuid::Uuid;

use super::{
    AuthSettings, Authenticator, Beginning, Clock, DirectoryError, FoundMember, Identity,
    InProcessSessions, KeySet, Member, MemberDirectory, MemberStatus, Role, SessionStore,
    ThrottleSettings, Token, TokenKeys, TokenSettings,
};
use crate::path_pattern::{PathPattern, TrailingSlash};
use crate::testing::now;

/// Seconds since the epoch when a test begins.
pub(crate) const BEGIN: i64 = 1_700_000_000;

pub(crate) struct Rules {
    pub(crate) authenticator: Authenticator,
    pub(crate) settings: AuthSettings,
    pub(crate) keys: Arc<ArcSwap<TokenKeys>>,
    pub(crate) store: Arc<InProcessSessions>,
    pub(crate) members: Arc<Members>,
    clock: Arc<AtomicI64>,
}

/// The member service: who is there, and how often it was asked.
#[derive(Debug, Default)]
pub(crate) struct Members {
    pub(crate) known: Mutex<HashMap<i64, MemberStatus>>,
    pub(crate) asked: Mutex<usize>,
    pub(crate) is_down: Mutex<bool>,
}

impl MemberDirectory for Members {
    fn find(&self, member_id: i64) -> FoundMember<'_> {
        *self.asked.lock().unwrap() += 1;
        let found = if *self.is_down.lock().unwrap() {
            Err(DirectoryError("down".to_owned()))
        } else {
            let identity = Identity { member_id, role: Role::User };
            let status = self.known.lock().unwrap().get(&member_id).copied();
            Ok(status.map(|status| Member { identity, status }))
        };
        Box::pin(std::future::ready(found))
    }
}

/// Keys of the test, the first of which signs.
pub(crate) fn keys(ids: &[&str]) -> TokenKeys {
    let key = |id: &&str| {
        let secret: String = id.chars().cycle().take(85).chain(['A']).collect();
        format!("{{\"kty\":\"oct\",\"kid\":\"{id}\",\"k\":\"{secret}\"}}")
    };
    let keys: Vec<String> = ids.iter().map(key).collect();
    let set = KeySet::from_json(&format!("{{\"keys\":[{}]}}", keys.join(",")), 63).unwrap();
    TokenKeys::new(&set, TokenSettings::default().algorithm)
}

pub(crate) fn settings() -> AuthSettings {
    AuthSettings {
        token: TokenSettings::default(),
        session_life: Duration::from_hours(24 * 30),
        grace: Duration::from_secs(10),
        echo: false,
        exempt: Vec::new(),
        login_path: PathPattern::parse("/login", TrailingSlash::Exact).unwrap(),
        throttle: ThrottleSettings::default(),
    }
}

impl Rules {
    pub(crate) fn new() -> Self {
        Self::with(settings())
    }

    pub(crate) fn with(settings: AuthSettings) -> Self {
        let clock = Arc::new(AtomicI64::new(BEGIN * 1000));
        let time = Arc::clone(&clock);
        let tell: Clock = Arc::new(move || time.load(Ordering::Relaxed));
        let keys = Arc::new(ArcSwap::from_pointee(keys(&["one"])));
        let store = Arc::new(InProcessSessions::new(Arc::clone(&tell)));
        let members = Arc::new(Members::default());
        let stored: Arc<dyn SessionStore> = Arc::<InProcessSessions>::clone(&store);
        let directory: Arc<dyn MemberDirectory> = Arc::<Members>::clone(&members);
        let authenticator =
            Authenticator::new(settings.clone(), Arc::clone(&keys), stored, directory, tell);
        Self { authenticator, settings, keys, store, members, clock }
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.clock.load(Ordering::Relaxed) / 1000
    }

    /// A token of a new session.
    pub(crate) fn log_in(&self, member_id: i64) -> String {
        let token = self.token(member_id);
        self.members.known.lock().unwrap().insert(member_id, MemberStatus::Active);
        now(self.store.begin(Beginning {
            session: token.session,
            identity: token.identity,
            refresh_hash: [1; 32],
            user_agent_hash: [2; 8],
            life: self.settings.session_life,
            member_life: Duration::from_mins(5),
            email_hash: [3; 32],
            replaces: None,
        }))
        .unwrap();
        self.sign(&token)
    }

    /// What a token of a new session would say.
    pub(crate) fn token(&self, member_id: i64) -> Token {
        Token {
            identity: Identity { member_id, role: Role::User },
            session: Uuid::new_v4(),
            generation: 1,
            id: Uuid::new_v4(),
            issued_at: self.seconds(),
            expires_at: self.seconds() + self.settings.token.lifetime,
        }
    }

    pub(crate) fn sign(&self, token: &Token) -> String {
        self.keys.load().sign(token, &self.settings.token).unwrap()
    }
}
