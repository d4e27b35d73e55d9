//! Sessions in Redis, under the keys of `domain.md` 6.5, so that several gateways share them.
//!
//! | key                              | type    | ends after                        |
//! |----------------------------------|---------|-----------------------------------|
//! | `auth:session:{sid}`             | hash    | `refresh-ttl`, from the login on  |
//! | `auth:member:{memberId}`         | hash    | 5 minutes                         |
//! | `auth:member-sessions:{memberId}`| set     | `refresh-ttl`, from the last login on |
//! | `auth:deny:{jti}`                | string  | when the token does               |
//! | `auth:login-fail:{sha256}`       | counter | `throttle.window`                 |
//! | `auth:login-fail-ip:{address}`   | counter | `throttle.window`                 |
//!
//! A look-up is one turn, and so is everything else but ending all sessions of a member. Redis'
//! own clock decides about the grace of a rotation.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use redis::{Pipeline, RedisError, Script, pipe};
use tollgate_filters::auth::{
    Beginning, Failures, Identity, LoginKey, Member, MemberStatus, Role, Rotated, Rotation, Seen,
    SessionState, SessionStore, StoreError, Stored, TokenKey,
};
use uuid::Uuid;

use super::hex;
use crate::clock;
use crate::stores::RedisLink;

/// Sessions in Redis.
#[derive(Debug)]
pub struct RedisSessions {
    link: Arc<RedisLink>,
    check: Script,
    rotate: Script,
    count: Script,
}

/// Looks at a session and notes its use; one that has ended must not come back.
const CHECK: &str = r"
local seen = redis.call('HMGET', KEYS[1], 'memberId', 'revoked')
if seen[1] then redis.call('HSET', KEYS[1], 'lastSeenAt', ARGV[1]) end
return seen
";

/// Renews a session, or revokes it (`domain.md` 6.9).
const ROTATE: &str = r"
local s = redis.call('HMGET', KEYS[1], 'gen', 'prevGen', 'prevGenUntil', 'refreshHash', 'revoked')
if not s[1] then return {'gone', 0} end
if s[5] then return {'revoked', 0} end
if not s[4] then return {'no-refresh', 0} end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local presented, current = tonumber(ARGV[1]), tonumber(s[1])
if presented >= current then
  redis.call('HSET', KEYS[1], 'gen', presented + 1, 'prevGen', presented,
             'prevGenUntil', string.format('%.0f', now + ARGV[2]))
  return {'to', presented + 1}
end
if presented == tonumber(s[2]) and now < tonumber(s[3]) then return {'to', current} end
redis.call('HSET', KEYS[1], 'revoked', 1)
return {'reused', 0}
";

/// Counts for a while from the first time on.
const COUNT: &str = r"
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
";

type Fields = (Option<String>, Option<String>);

impl RedisSessions {
    /// Sessions in the server at `url`. It is connected to by the first request.
    ///
    /// # Errors
    ///
    /// A `url` that is none.
    pub fn open(
        url: &str,
        connect_limit: Duration,
        patience: Duration,
    ) -> Result<Self, RedisError> {
        let link = RedisLink::new(url, Self::scripts().into(), connect_limit, patience)?;
        Ok(Self::on(Arc::new(link)))
    }

    /// Sessions on a connection that has [`RedisSessions::scripts`].
    pub(crate) fn on(link: Arc<RedisLink>) -> Self {
        let [check, rotate, count] = Self::scripts();
        Self { link, check, rotate, count }
    }

    /// What the connection must have loaded.
    pub(crate) fn scripts() -> [Script; 3] {
        [CHECK, ROTATE, COUNT].map(Script::new)
    }

    async fn look_up(&self, token: TokenKey) -> Result<Seen, StoreError> {
        let mut commands = pipe();
        run(&mut commands, &self.check, &session_key(token.session)).arg(clock::unix_millis());
        commands.cmd("HMGET").arg(member_key(token.member_id)).arg(&["role", "status"]);
        commands.cmd("EXISTS").arg(deny_key(token.id));
        let (session, member, is_denied): (Fields, Fields, bool) = self.link.ask(&commands).await?;
        Ok(Seen {
            session: session_state(session)?,
            member: member_of(token.member_id, &member),
            is_denied,
        })
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        let mut commands = pipe();
        run(&mut commands, &self.rotate, &session_key(rotation.session))
            .arg(rotation.generation)
            .arg(millis(rotation.grace));
        let ((outcome, generation),): ((String, u64),) = self.link.ask(&commands).await?;
        match outcome.as_str() {
            "to" => Ok(Rotated::To(generation)),
            "gone" => Ok(Rotated::NoSession),
            "no-refresh" => Ok(Rotated::NoRefresh),
            "revoked" => Ok(Rotated::Revoked),
            "reused" => Ok(Rotated::Reused),
            other => Err(StoreError(format!("the rotation script says `{other}`"))),
        }
    }

    async fn begin(&self, beginning: Beginning) -> Result<(), StoreError> {
        let Identity { member_id, role } = beginning.identity;
        let session = session_key(beginning.session);
        let sessions = member_sessions_key(member_id);
        let now = clock::unix_millis();
        let mut commands = pipe();
        commands.atomic();
        if let Some(replaced) = beginning.replaces {
            commands.del(session_key(replaced.session)).ignore();
            let others = member_sessions_key(replaced.member_id);
            commands.srem(others, replaced.session.to_string()).ignore();
        }
        commands
            .cmd("HSET")
            .arg(&session)
            .arg("memberId")
            .arg(member_id)
            .arg("role")
            .arg(role.name())
            .arg("refreshHash")
            .arg(hex(&beginning.refresh_hash))
            .arg("gen")
            .arg(1)
            .arg("createdAt")
            .arg(now)
            .arg("lastSeenAt")
            .arg(now)
            .arg("userAgentHash")
            .arg(hex(&beginning.user_agent_hash))
            .ignore();
        expire(&mut commands, &session, beginning.life);
        commands.sadd(&sessions, beginning.session.to_string()).ignore();
        expire(&mut commands, &sessions, beginning.life);
        let member = Member { identity: beginning.identity, status: MemberStatus::Active };
        remember(&mut commands, member, beginning.member_life);
        commands.del(email_key(&beginning.email_hash)).ignore();
        self.link.ask(&commands).await
    }

    async fn end(&self, token: TokenKey, deny_for: Duration) -> Result<(), StoreError> {
        let mut commands = pipe();
        commands.atomic();
        commands.cmd("SET").arg(deny_key(token.id)).arg(1).arg("PX").arg(millis(deny_for)).ignore();
        commands.del(session_key(token.session)).ignore();
        let sessions = member_sessions_key(token.member_id);
        commands.srem(sessions, token.session.to_string()).ignore();
        self.link.ask(&commands).await
    }

    async fn end_all(&self, member_id: i64) -> Result<(), StoreError> {
        let key = member_sessions_key(member_id);
        let mut commands = pipe();
        commands.smembers(&key);
        let (sessions,): (Vec<String>,) = self.link.ask(&commands).await?;
        let mut commands = pipe();
        commands.atomic();
        // Only those that were read: a login may add one meanwhile.
        for session in &sessions {
            commands.del(format!("auth:session:{session}")).ignore();
            commands.srem(&key, session).ignore();
        }
        commands.del(member_key(member_id)).ignore();
        self.link.ask(&commands).await
    }

    async fn remember(&self, member: Member, life: Duration) -> Result<(), StoreError> {
        let mut commands = pipe();
        commands.atomic();
        remember(&mut commands, member, life);
        self.link.ask(&commands).await
    }

    async fn failures(&self, login: LoginKey) -> Result<Failures, StoreError> {
        let mut commands = pipe();
        commands.get(email_key(&login.email_hash));
        if let Some(address) = login.address {
            commands.get(address_key(address));
        }
        let counts: Vec<Option<u32>> = self.link.ask(&commands).await?;
        let count = |at: usize| counts.get(at).copied().flatten().unwrap_or_default();
        Ok(Failures { of_email: count(0), of_address: count(1) })
    }

    async fn failed(&self, login: LoginKey, window: Duration) -> Result<(), StoreError> {
        let mut commands = pipe();
        let addresses = login.address.map(address_key);
        for key in [Some(email_key(&login.email_hash)), addresses].into_iter().flatten() {
            run(&mut commands, &self.count, &key).arg(millis(window));
        }
        let _counts: Vec<u32> = self.link.ask(&commands).await?;
        Ok(())
    }
}

impl SessionStore for RedisSessions {
    fn look_up(&self, token: TokenKey) -> Stored<'_, Seen> {
        Box::pin(self.look_up(token))
    }

    fn rotate(&self, rotation: Rotation) -> Stored<'_, Rotated> {
        Box::pin(self.rotate(rotation))
    }

    fn begin(&self, beginning: Beginning) -> Stored<'_, ()> {
        Box::pin(self.begin(beginning))
    }

    fn end(&self, token: TokenKey, deny_for: Duration) -> Stored<'_, ()> {
        Box::pin(self.end(token, deny_for))
    }

    fn end_all(&self, member_id: i64) -> Stored<'_, ()> {
        Box::pin(self.end_all(member_id))
    }

    fn remember(&self, member: Member, life: Duration) -> Stored<'_, ()> {
        Box::pin(self.remember(member, life))
    }

    fn failures(&self, login: LoginKey) -> Stored<'_, Failures> {
        Box::pin(self.failures(login))
    }

    fn failed(&self, login: LoginKey, window: Duration) -> Stored<'_, ()> {
        Box::pin(self.failed(login, window))
    }
}

/// Adds a call of a script with one key.
fn run<'p>(commands: &'p mut Pipeline, script: &Script, key: &str) -> &'p mut Pipeline {
    commands.cmd("EVALSHA").arg(script.get_hash()).arg(1).arg(key)
}

fn expire(commands: &mut Pipeline, key: &str, life: Duration) {
    commands.cmd("PEXPIRE").arg(key).arg(millis(life)).ignore();
}

fn remember(commands: &mut Pipeline, member: Member, life: Duration) {
    let Member { identity: Identity { member_id, role }, status } = member;
    let key = member_key(member_id);
    commands
        .cmd("HSET")
        .arg(&key)
        .arg("memberId")
        .arg(member_id)
        .arg("role")
        .arg(role.name())
        .arg("status")
        .arg(status.name())
        .ignore();
    expire(commands, &key, life);
}

fn session_state((member_id, revoked): Fields) -> Result<Option<SessionState>, StoreError> {
    let Some(member_id) = member_id else { return Ok(None) };
    let odd = || StoreError("a session without a member's id".to_owned());
    let member_id = member_id.parse().map_err(|_| odd())?;
    Ok(Some(SessionState { member_id, is_revoked: revoked.is_some() }))
}

/// What cannot be read counts as not there, and the member service is asked.
fn member_of(member_id: i64, (role, status): &Fields) -> Option<Member> {
    let role = Role::parse(role.as_deref()?)?;
    let status = MemberStatus::parse(status.as_deref()?)?;
    Some(Member { identity: Identity { member_id, role }, status })
}

fn session_key(session: Uuid) -> String {
    format!("auth:session:{session}")
}

fn member_key(member_id: i64) -> String {
    format!("auth:member:{member_id}")
}

fn member_sessions_key(member_id: i64) -> String {
    format!("auth:member-sessions:{member_id}")
}

fn deny_key(token: Uuid) -> String {
    format!("auth:deny:{token}")
}

fn email_key(hash: &[u8]) -> String {
    format!("auth:login-fail:{}", hex(hash))
}

fn address_key(address: IpAddr) -> String {
    format!("auth:login-fail-ip:{address}")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
