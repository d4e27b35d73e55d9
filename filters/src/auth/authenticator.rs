//! The rules of login tokens (`domain.md` 6): what is demanded of a request, issued, renewed and
//! taken away.

use std::fmt::{self, Debug};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderValue, Method, header};
use pingora_http::{RequestHeader, ResponseHeader};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::answer_head::{asks_to_revoke, identity_of, write_token};
use super::bearer::bearer;
use super::in_process::Clock;
use super::member_parameter::{check_parameter, has_pair};
use super::session::{
    Beginning, LoginKey, Member, MemberStatus, Rotated, Rotation, Seen, SessionStore, StoreError,
    TokenKey,
};
use super::throttle::{Attempt, Attempts, ThrottleSettings, network_of};
use super::token::{Token, TokenKeys, TokenSettings};
use super::{Identity, login, spoof};
use crate::path_pattern::PathPattern;
use crate::{Exchange, Failure, Flow};

/// `auth`: what is demanded and for how long it holds.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// What tokens say.
    pub token: TokenSettings,
    /// `token.refresh-ttl`: how long a session lives after its login. Default 30 days.
    pub session_life: Duration,
    /// `token.rotation-grace`: how long a token that was just replaced is taken for a parallel
    /// request. Default 10 s.
    pub grace: Duration,
    /// `token.echo`: whether a new token is also in `Authorization`. Default false.
    pub echo: bool,
    /// `exempt`: requests that need no token. Default none.
    pub exempt: Vec<Exempt>,
    /// `login-path`: where the four login filters work as on a login. Default `/login`.
    pub login_path: PathPattern,
    /// How often a login may fail.
    pub throttle: ThrottleSettings,
}

/// Requests that need no token.
#[derive(Debug, Clone)]
pub struct Exempt {
    /// Which paths, in the language of the `Path` predicate.
    pub path: PathPattern,
    /// Which methods; none means all.
    pub methods: Vec<Method>,
}

/// What is found about a member; it may come later.
pub type FoundMember<'a> =
    Pin<Box<dyn Future<Output = Result<Option<Member>, DirectoryError>> + Send + 'a>>;

/// Who knows members when the store does not: the member service.
pub trait MemberDirectory: Debug + Send + Sync {
    /// Looks a member up; `None` if there is no such member.
    fn find(&self, member_id: i64) -> FoundMember<'_>;
}

/// The directory did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DirectoryError(pub String);

/// What one request carries about its login.
#[derive(Debug, Default)]
pub struct AuthState {
    identity: Option<Identity>,
    token: Option<Token>,
    renewed: Option<IssuedToken>,
    is_login: bool,
    /// The login that is going on.
    login: Option<OpenLogin>,
    /// The session that a login replaces.
    replaces: Option<TokenKey>,
    /// Who logged in, as the member service told.
    logged_in: Option<Identity>,
}

#[derive(Debug)]
struct OpenLogin {
    key: LoginKey,
    /// Counts as open until there is an answer.
    _attempt: Attempt,
}

/// A new token for the client.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    pub(super) text: HeaderValue,
    pub(super) expires_at: i64,
}

/// Checks, issues and renews tokens.
pub struct Authenticator {
    settings: AuthSettings,
    keys: Arc<ArcSwap<TokenKeys>>,
    store: Arc<dyn SessionStore>,
    members: Arc<dyn MemberDirectory>,
    attempts: Arc<Attempts>,
    clock: Clock,
}

/// How long a member is remembered before the member service is asked again.
const MEMBER_LIFE: Duration = Duration::from_mins(5);

impl AuthState {
    /// Who the request comes from, once that is known.
    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }
}

impl Authenticator {
    /// Puts the parts together. All but `settings` may outlive a reload.
    pub fn new(
        settings: AuthSettings,
        keys: Arc<ArcSwap<TokenKeys>>,
        store: Arc<dyn SessionStore>,
        members: Arc<dyn MemberDirectory>,
        clock: Clock,
    ) -> Self {
        Self { settings, keys, store, members, attempts: Arc::default(), clock }
    }

    /// The same with other settings and another directory; what is going on goes on.
    #[must_use]
    pub fn with(&self, settings: AuthSettings, members: Arc<dyn MemberDirectory>) -> Self {
        Self {
            settings,
            keys: Arc::clone(&self.keys),
            store: Arc::clone(&self.store),
            members,
            attempts: Arc::clone(&self.attempts),
            clock: Arc::clone(&self.clock),
        }
    }

    /// Where sessions are kept.
    pub fn store(&self) -> &dyn SessionStore {
        &*self.store
    }

    /// Deletes what a client must not say about itself; to be called before a route is chosen.
    pub fn strip(head: &mut RequestHeader) {
        spoof::strip_request(head);
    }

    /// The global rule: a request that is not exempt needs a token (`domain.md` 6.4).
    ///
    /// `path` is the raw path as the client sent it.
    ///
    /// # Errors
    ///
    /// Why the request must not pass.
    pub async fn demand(&self, exchange: &mut Exchange<'_>, path: &str) -> Result<(), Failure> {
        let is_login =
            *exchange.method() == Method::POST && self.settings.login_path.matches(path)?;
        if is_login {
            exchange.auth_state().is_login = true;
        }
        if self.is_exempt(exchange.method(), path)? {
            return Ok(());
        }
        self.authenticate(exchange).await
    }

    fn is_exempt(&self, method: &Method, path: &str) -> Result<bool, Failure> {
        for exempt in &self.settings.exempt {
            let has_method = exempt.methods.is_empty() || exempt.methods.contains(method);
            if has_method && exempt.path.matches(path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether it is known who sent a request, so that [`Authenticator::authenticate`] has nothing
    /// to do.
    pub(crate) fn is_settled(exchange: &mut Exchange<'_>) -> bool {
        exchange
            .auth_state_if_any()
            .is_some_and(|state| !state.is_login && state.identity.is_some())
    }

    /// Whether a login goes on, or an answer says something to the gateway alone; if not,
    /// [`Authenticator::answered`] has nothing to do.
    pub(crate) fn has_answer(exchange: &mut Exchange<'_>, head: &ResponseHeader) -> bool {
        Self::is_told(head) || exchange.auth_state_if_any().is_some_and(|state| state.is_login)
    }

    /// Whether somebody has logged in with this request, so that a token is to be issued.
    pub(crate) fn has_logged_in(exchange: &mut Exchange<'_>) -> bool {
        exchange.auth_state_if_any().is_some_and(|state| state.logged_in.is_some())
    }

    /// Finds out who sent a request, and renews a token that has expired. Does nothing when that
    /// is known already.
    ///
    /// # Errors
    ///
    /// Why the request must not pass.
    pub async fn authenticate(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        if exchange.auth_state().identity.is_some() {
            return Ok(());
        }
        let token = self.verify(bearer(exchange.headers())?)?;
        let member = self.check_session(&token).await?;
        let renewed = if self.is_expired(&token) {
            Some(self.renew(&token, member.identity).await?)
        } else {
            None
        };
        let state = exchange.auth_state();
        state.identity = Some(member.identity);
        state.token = Some(token);
        state.renewed = renewed;
        // It is for the gateway, and an upstream could use it.
        exchange.strip_header(&header::AUTHORIZATION);
        Ok(())
    }

    fn verify(&self, text: &str) -> Result<Token, Failure> {
        let now = self.seconds();
        let token = self.keys.load().verify(text, &self.settings.token, now);
        let token = token.map_err(Failure::TokenInvalid)?;
        let expired_for = now.saturating_sub(token.expires_at);
        if expired_for > seconds(self.settings.session_life) {
            return Err(Failure::RefreshExpired);
        }
        Ok(token)
    }

    /// The member of a token whose session lives.
    async fn check_session(&self, token: &Token) -> Result<Member, Failure> {
        let key = key_of(token);
        let Seen { session, member, is_denied } = self.store.look_up(key).await?;
        if is_denied || session.is_some_and(|session| session.is_revoked) {
            return Err(Failure::SessionRevoked);
        }
        if session.ok_or(Failure::SessionExpired)?.member_id != key.member_id {
            return Err(Failure::SessionExpired);
        }
        let member = match member {
            Some(member) => Some(member),
            None => self.find_member(key.member_id).await?,
        };
        let active = member.filter(|member| member.status == MemberStatus::Active);
        if active.is_none() {
            self.store.end_all(key.member_id).await?;
        }
        active.ok_or(Failure::MemberInactive)
    }

    async fn find_member(&self, member_id: i64) -> Result<Option<Member>, Failure> {
        let found = self.members.find(member_id).await;
        let member = found.map_err(|error| Failure::MemberUnavailable(error.0))?;
        if let Some(member) = member {
            self.store.remember(member, MEMBER_LIFE).await?;
        }
        Ok(member)
    }

    fn is_expired(&self, token: &Token) -> bool {
        self.seconds() >= token.expires_at.saturating_add(self.settings.token.leeway)
    }

    async fn renew(&self, token: &Token, identity: Identity) -> Result<IssuedToken, Failure> {
        let rotation = Rotation {
            session: token.session,
            generation: token.generation,
            grace: self.settings.grace,
        };
        match self.store.rotate(rotation).await? {
            Rotated::To(generation) => self.issue(identity, token.session, generation),
            Rotated::NoSession => Err(Failure::SessionExpired),
            Rotated::NoRefresh => Err(Failure::RefreshExpired),
            Rotated::Revoked => Err(Failure::SessionRevoked),
            Rotated::Reused => Err(Failure::TokenReused),
        }
    }

    fn issue(
        &self,
        identity: Identity,
        session: Uuid,
        generation: u64,
    ) -> Result<IssuedToken, Failure> {
        let now = self.seconds();
        let settings = &self.settings.token;
        let token = Token {
            identity,
            session,
            generation,
            id: Uuid::new_v4(),
            issued_at: now,
            expires_at: now.saturating_add(settings.lifetime),
        };
        let text = self.keys.load().sign(&token, settings);
        let text = text.and_then(|text| HeaderValue::try_from(text).ok());
        let mut text =
            text.ok_or_else(|| Failure::Filter("a token could not be signed".to_owned()))?;
        text.set_sensitive(true);
        Ok(IssuedToken { text, expires_at: token.expires_at })
    }

    /// The request side of a member check. On a login: the body is one and the throttle allows it.
    /// On any other request: an identity is there, and a `memberId` in the query is the same.
    ///
    /// # Errors
    ///
    /// Why the request must not pass.
    pub async fn check_member(
        &self,
        exchange: &mut Exchange<'_>,
        parameter: Option<&str>,
    ) -> Result<Flow, Failure> {
        if exchange.auth_state().is_login {
            return self.check_login(exchange).await;
        }
        self.authenticate(exchange).await?;
        let identity = exchange.auth_state().identity.ok_or(Failure::MemberInactive)?;
        check_parameter(exchange, identity.member_id, parameter)?;
        Ok(Flow::Continue)
    }

    async fn check_login(&self, exchange: &mut Exchange<'_>) -> Result<Flow, Failure> {
        let Some(body) = &exchange.state().body else {
            return Ok(Flow::ReadBody { limit: login::LARGEST_BODY });
        };
        let email = login::email(body)?;
        let key = LoginKey {
            email_hash: Sha256::digest(email.as_bytes()).into(),
            address: exchange.client().map(network_of),
        };
        let attempt = self.attempts.begin(key);
        let failures = self.store.failures(key).await?;
        let throttle = &self.settings.throttle;
        if !attempt.is_within(failures, throttle) {
            return Err(Failure::LoginThrottled(throttle.window.as_secs()));
        }
        exchange.auth_state().login = Some(OpenLogin { key, _attempt: attempt });
        Ok(Flow::Continue)
    }

    /// The token check of a route. On a login a token is optional: the session of one that is good
    /// is replaced by the new one. The token never goes upstream.
    ///
    /// # Errors
    ///
    /// Why the request must not pass.
    pub async fn check_token(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        if !exchange.auth_state().is_login {
            return self.authenticate(exchange).await;
        }
        let presented = bearer(exchange.headers()).and_then(|text| self.verify(text));
        let good = presented.ok().filter(|token| !self.is_expired(token));
        if let Some(token) = good.as_ref().map(key_of) {
            let seen = self.store.look_up(token).await?;
            let lives = seen.session.is_some_and(|session| {
                session.member_id == token.member_id && !session.is_revoked && !seen.is_denied
            });
            exchange.auth_state().replaces = Some(token).filter(|_| lives);
        }
        exchange.strip_header(&header::AUTHORIZATION);
        Ok(())
    }

    /// The response side of a member check. On a login: remembers who logged in, counts a failure.
    /// On any other request: ends the member's sessions if the service asks for it.
    ///
    /// # Errors
    ///
    /// The store does not answer, or the member service named nobody.
    pub async fn answered(
        &self,
        exchange: &mut Exchange<'_>,
        head: &mut ResponseHeader,
    ) -> Result<(), Failure> {
        if exchange.auth_state().is_login {
            self.login_answered(exchange, head).await?;
        }
        self.heed(exchange, head).await
    }

    /// Whether an answer says something to the gateway alone.
    pub fn is_told(head: &ResponseHeader) -> bool {
        spoof::has_internal(head)
    }

    /// Takes what a service says to the gateway alone off an answer, without doing it.
    pub fn ignore(head: &mut ResponseHeader) {
        spoof::strip_answer(head);
    }

    /// Does what an answer asks the gateway to do, and takes it off the answer; for every answer
    /// that [`Authenticator::is_told`] finds something on.
    ///
    /// # Errors
    ///
    /// The store does not answer.
    pub async fn heed(
        &self,
        exchange: &mut Exchange<'_>,
        head: &mut ResponseHeader,
    ) -> Result<(), Failure> {
        if asks_to_revoke(head) {
            self.revoke(exchange).await?;
        }
        spoof::strip_answer(head);
        Ok(())
    }

    async fn login_answered(
        &self,
        exchange: &mut Exchange<'_>,
        head: &ResponseHeader,
    ) -> Result<(), Failure> {
        let Some(login) = &exchange.auth_state().login else { return Ok(()) };
        let key = login.key;
        match head.status.as_u16() {
            200 => {
                let nobody = || Failure::UpstreamProtocol("the login names no member".to_owned());
                let state = exchange.auth_state();
                if state.logged_in.is_none() {
                    state.logged_in = Some(identity_of(head).ok_or_else(nobody)?);
                }
            }
            401 => self.store.failed(key, self.settings.throttle.window).await?,
            _ => {}
        }
        Ok(())
    }

    async fn revoke(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        let state = exchange.auth_state();
        let Some(identity) = state.identity else { return Ok(()) };
        // A token of a session that ends now would only be refused.
        state.renewed = None;
        Ok(self.store.end_all(identity.member_id).await?)
    }

    /// Issues the token of a login that went well.
    ///
    /// # Errors
    ///
    /// The store does not answer.
    pub async fn issue_on_login(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        let agent = exchange.headers().get(header::USER_AGENT).cloned();
        let state = exchange.auth_state();
        let (Some(login), Some(identity)) = (&state.login, state.logged_in.take()) else {
            return Ok(());
        };
        let agent = Sha256::digest(agent.as_ref().map_or(&b""[..], HeaderValue::as_bytes));
        let mut user_agent_hash = [0; 8];
        user_agent_hash.iter_mut().zip(agent).for_each(|(to, from)| *to = from);
        // Two version 4 ids are 244 random bits; nobody is ever shown the secret itself.
        let secret = [Uuid::new_v4(), Uuid::new_v4()];
        let refresh = secret.iter().fold(Sha256::new(), Digest::chain_update);
        let session = Uuid::new_v4();
        let beginning = Beginning {
            session,
            identity,
            refresh_hash: refresh.finalize().into(),
            user_agent_hash,
            life: self.settings.session_life,
            member_life: MEMBER_LIFE,
            email_hash: login.key.email_hash,
            replaces: state.replaces,
        };
        self.store.begin(beginning).await?;
        exchange.auth_state().renewed = Some(self.issue(identity, session, 1)?);
        Ok(())
    }

    /// Puts a new token on an answer, whoever made the answer.
    pub fn attach(&self, exchange: &mut Exchange<'_>, head: &mut ResponseHeader) {
        let Some(state) = exchange.auth_state_if_any() else { return };
        // The client may log in again as soon as it has this answer.
        state.login = None;
        if let Some(issued) = state.renewed.take() {
            // A head cannot be so full: those of upstreams are limited.
            let _is_written = write_token(&issued, self.settings.echo, head);
        }
    }

    /// Ends the session of a request, or all of its member.
    ///
    /// # Errors
    ///
    /// Nobody is logged in, or the store does not answer.
    pub async fn log_out(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        self.authenticate(exchange).await?;
        let wants_all = has_pair(exchange.query(), "all", "true");
        let state = exchange.auth_state();
        state.renewed = None;
        let Some(token) = state.token else { return Err(Failure::SessionExpired) };
        let left = token.expires_at.saturating_sub(self.seconds());
        let left = left.saturating_add(self.settings.token.leeway);
        let deny_for = Duration::from_secs(u64::try_from(left).unwrap_or_default().max(1));
        // The token last: with it the client may ask again if something failed.
        if wants_all {
            self.store.end_all(token.identity.member_id).await?;
        }
        self.store.end(key_of(&token), deny_for).await?;
        Ok(())
    }

    fn seconds(&self) -> i64 {
        (self.clock)().div_euclid(1000)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::StoreUnavailable(error.0)
    }
}

/// Settings only: the rest is secret or large.
impl Debug for Authenticator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Authenticator").field(&self.settings).finish()
    }
}

/// When it expires, not what it is.
impl Debug for IssuedToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IssuedToken(expires at {})", self.expires_at)
    }
}

fn key_of(token: &Token) -> TokenKey {
    TokenKey { session: token.session, member_id: token.identity.member_id, id: token.id }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
