//! What every session store must do, whichever it is.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tollgate::auth::RedisSessions;
use tollgate_filters::auth::{
    Beginning, Failures, Identity, InProcessSessions, LoginKey, Member, MemberStatus, Role,
    Rotated, Rotation, Seen, SessionStore, StoreError, TokenKey,
};
use uuid::Uuid;

use crate::redis_server::{Persistence, RedisServer};
use crate::stack::Stores;
use crate::tokens::millis;
use crate::{Own, wait};

pub(crate) const OWN: &[Own] = &[
    ("store_contract_a_session_lives_and_ends", life),
    ("store_contract_a_session_ends_by_itself", expiry),
    ("store_contract_rotation", rotation),
    ("store_contract_fifty_rotations_at_once", parallel_rotation),
    ("store_contract_the_grace_ends", grace),
    ("store_contract_members_are_remembered_for_a_while", members),
    ("store_contract_all_sessions_of_a_member", all_sessions),
    ("store_contract_a_login_replaces_a_session", replaced),
    ("store_contract_failures_count_from_the_first_on", failures),
    ("store_contract_an_ended_session_does_not_come_back", no_return),
];

/// A store with a runtime to ask it on.
struct Subject {
    store: Arc<dyn SessionStore>,
    runtime: Runtime,
    _redis: Option<RedisServer>,
}

impl Subject {
    fn new(stores: Stores) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let redis = (stores == Stores::Real).then(|| RedisServer::start(Persistence::Off));
        let store: Arc<dyn SessionStore> = match &redis {
            None => Arc::new(InProcessSessions::new(Arc::new(millis))),
            Some(redis) => {
                let second = Duration::from_secs(5);
                Arc::new(RedisSessions::open(&redis.url(), second, second).unwrap())
            }
        };
        Self { store, runtime, _redis: redis }
    }

    #[track_caller]
    fn ask<T>(&self, answer: impl Future<Output = Result<T, StoreError>>) -> T {
        self.runtime.block_on(answer).unwrap()
    }

    fn look_up(&self, token: TokenKey) -> Seen {
        self.ask(self.store.look_up(token))
    }

    fn begin(&self, member_id: i64) -> TokenKey {
        let beginning = beginning(member_id);
        self.ask(self.store.begin(beginning));
        key(&beginning)
    }

    fn rotate(&self, token: TokenKey, generation: u64) -> Rotated {
        self.ask(self.store.rotate(rotate(token, generation)))
    }

    fn lives(&self, token: TokenKey) -> bool {
        self.look_up(token).session.is_some()
    }
}

fn beginning(member_id: i64) -> Beginning {
    Beginning {
        session: Uuid::new_v4(),
        identity: Identity { member_id, role: Role::Admin },
        refresh_hash: [1; 32],
        user_agent_hash: [2; 8],
        life: Duration::from_mins(10),
        member_life: Duration::from_mins(5),
        email_hash: [u8::try_from(member_id % 256).unwrap(); 32],
        replaces: None,
    }
}

fn key(beginning: &Beginning) -> TokenKey {
    let member_id = beginning.identity.member_id;
    TokenKey { session: beginning.session, member_id, id: Uuid::new_v4() }
}

fn rotate(token: TokenKey, generation: u64) -> Rotation {
    Rotation { session: token.session, generation, grace: Duration::from_mins(10) }
}

fn life(stores: Stores) {
    let subject = Subject::new(stores);
    let token = subject.begin(7);
    let seen = subject.look_up(token);
    let session = seen.session.unwrap();
    assert_eq!((session.member_id, session.is_revoked, seen.is_denied), (7, false, false));
    let member = seen.member.unwrap();
    assert_eq!((member.identity.role, member.status), (Role::Admin, MemberStatus::Active));
    subject.ask(subject.store.end(token, Duration::from_mins(1)));
    let seen = subject.look_up(token);
    assert_eq!((seen.session, seen.is_denied), (None, true));
    let other = TokenKey { id: Uuid::new_v4(), ..token };
    assert!(!subject.look_up(other).is_denied);
}

fn expiry(stores: Stores) {
    let subject = Subject::new(stores);
    let short = Beginning { life: Duration::from_millis(300), ..beginning(7) };
    subject.ask(subject.store.begin(short));
    let token = key(&short);
    assert!(subject.lives(token));
    // Being used does not make it live longer.
    wait::until("the session to end", || (!subject.lives(token)).then_some(()));
    assert_eq!(subject.rotate(token, 1), Rotated::NoSession);
    let denied = subject.begin(7);
    subject.ask(subject.store.end(denied, Duration::from_millis(300)));
    wait::until("the denial to end", || (!subject.look_up(denied).is_denied).then_some(()));
}

fn rotation(stores: Stores) {
    let subject = Subject::new(stores);
    let token = subject.begin(7);
    assert_eq!(subject.rotate(token, 1), Rotated::To(2));
    assert_eq!(subject.rotate(token, 1), Rotated::To(2), "parallel, within the grace");
    assert_eq!(subject.rotate(token, 2), Rotated::To(3));
    assert_eq!(subject.rotate(token, 1), Rotated::Reused);
    assert_eq!(subject.rotate(token, 3), Rotated::Revoked);
    assert!(subject.look_up(token).session.unwrap().is_revoked);
    let nobody = TokenKey { session: Uuid::new_v4(), ..token };
    assert_eq!(subject.rotate(nobody, 1), Rotated::NoSession);
    // A store that forgot the newest renewals must not end the session for it.
    let token = subject.begin(7);
    assert_eq!(subject.rotate(token, 5), Rotated::To(6));
    assert_eq!(subject.rotate(token, 5), Rotated::To(6));
}

fn parallel_rotation(stores: Stores) {
    let subject = Subject::new(stores);
    let token = subject.begin(7);
    let all: Vec<Rotated> = subject.runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let store = Arc::clone(&subject.store);
            tasks.spawn(async move { store.rotate(rotate(token, 1)).await.unwrap() });
        }
        tasks.join_all().await
    });
    assert!(all.iter().all(|rotated| *rotated == Rotated::To(2)), "{all:?}");
    assert_eq!(all.len(), 50);
}

fn grace(stores: Stores) {
    let subject = Subject::new(stores);
    let token = subject.begin(7);
    let short = Rotation { grace: Duration::from_millis(200), ..rotate(token, 1) };
    assert_eq!(subject.ask(subject.store.rotate(short)), Rotated::To(2));
    wait::until("the grace to end", || {
        let rotated = subject.ask(subject.store.rotate(short));
        if rotated == Rotated::To(2) {
            return None;
        }
        assert_eq!(rotated, Rotated::Reused);
        Some(())
    });
}

fn members(stores: Stores) {
    let subject = Subject::new(stores);
    let token = subject.begin(7);
    let identity = Identity { member_id: 7, role: Role::User };
    let dormant = Member { identity, status: MemberStatus::Dormant };
    subject.ask(subject.store.remember(dormant, Duration::from_millis(300)));
    assert_eq!(subject.look_up(token).member, Some(dormant));
    wait::until("the member to be forgotten", || {
        subject.look_up(token).member.is_none().then_some(())
    });
    assert!(subject.lives(token));
}

fn all_sessions(stores: Stores) {
    let subject = Subject::new(stores);
    let tokens: Vec<TokenKey> = (0..5).map(|_| subject.begin(7)).collect();
    let other = subject.begin(8);
    subject.ask(subject.store.end_all(7));
    assert!(tokens.iter().all(|token| !subject.lives(*token)));
    assert_eq!(subject.look_up(tokens[0]).member, None);
    assert!(subject.lives(other));
    subject.ask(subject.store.end_all(7));
    subject.ask(subject.store.end_all(9));
    assert!(subject.lives(subject.begin(7)));
}

fn replaced(stores: Stores) {
    let subject = Subject::new(stores);
    let (before, kept) = (subject.begin(7), subject.begin(7));
    let next = Beginning { replaces: Some(before), ..beginning(7) };
    subject.ask(subject.store.begin(next));
    assert!(!subject.lives(before));
    assert!(subject.lives(kept) && subject.lives(key(&next)));
}

fn failures(stores: Stores) {
    let subject = Subject::new(stores);
    let login = LoginKey { email_hash: [7; 32], address: Some("192.0.2.1".parse().unwrap()) };
    let window = Duration::from_mins(10);
    let count = |login| subject.ask(subject.store.failures(login));
    assert_eq!(count(login), Failures::default());
    for _ in 0..3 {
        subject.ask(subject.store.failed(login, window));
    }
    assert_eq!(count(login), Failures { of_email: 3, of_address: 3 });
    let elsewhere = LoginKey { address: Some("2001:db8::1".parse().unwrap()), ..login };
    assert_eq!(count(elsewhere), Failures { of_email: 3, of_address: 0 });
    let nowhere = LoginKey { address: None, ..login };
    subject.ask(subject.store.failed(nowhere, window));
    assert_eq!(count(login), Failures { of_email: 4, of_address: 3 });
    // A good login forgets those of the address with this e-mail, not those of the client.
    subject.begin(7);
    assert_eq!(count(login), Failures { of_email: 0, of_address: 3 });
    let soon = LoginKey { email_hash: [9; 32], address: None };
    let short = Duration::from_millis(400);
    subject.ask(subject.store.failed(soon, short));
    subject.ask(subject.store.failed(soon, Duration::from_mins(10)));
    wait::until("the window to end", || (count(soon).of_email == 0).then_some(()));
}

/// A look-up notes the use of a session; one that ends at the same time must stay ended.
fn no_return(stores: Stores) {
    let subject = Subject::new(stores);
    for _ in 0..20 {
        let token = subject.begin(7);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        subject.look_up(token);
                    }
                });
            }
            scope.spawn(|| subject.ask(subject.store.end(token, Duration::from_mins(1))));
        });
        assert!(!subject.lives(token));
    }
}
