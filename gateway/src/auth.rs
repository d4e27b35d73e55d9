//! Login tokens, the parts that know files, sockets and time; the rules are in
//! [`tollgate_filters::auth`].

mod members;
mod proof;
mod redis_sessions;
mod secrets;

use std::fmt::{self, Write};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora_core::connectors::http::Connector;
use tollgate_filters::auth::{
    AuthSettings, Authenticator, Clock, Exempt, InProcessSessions, InvalidKeySet, MemberDirectory,
    SessionStore, TokenAlgorithm, TokenKeys,
};
use tollgate_filters::path_pattern::{InvalidPath, PathPattern, TrailingSlash};

pub use proof::{Proofs, ServiceProof};
pub use redis_sessions::RedisSessions;

use self::members::MemberServiceClient;
use self::secrets::KeyFile;
use crate::clock;
use crate::config::{Auth, ExemptRequests, Settings};
use crate::reload::Environment;
use crate::snapshot::Shared;
use crate::stores::{Stores, UnusableStore};
use crate::upstream::Upstreams;

/// The environment variable with the keys that sign tokens.
pub const TOKEN_KEYS: &str = "TOKEN_KEYS";

/// The environment variable with the keys that vouch for identities.
pub const PROOF_KEYS: &str = "GATEWAY_PROOF_KEYS";

/// A proof is HMAC-SHA256: shorter secrets would be weaker than it.
const LEAST_PROOF_SECRET: usize = 32;

/// Why login tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// A variable that must be there is not.
    #[error(
        "`auth` needs `{0}` or `{0}_FILE`\nset one to a JWK Set of secrets, or to a file with one; the README shows how to make one"
    )]
    Missing(&'static str),
    /// Both forms of a variable are there.
    #[error("`{0}` and `{0}_FILE` are both set\nset one of them")]
    Both(&'static str),
    /// A file of secrets that cannot be read.
    #[error(
        "cannot read `{path}`, which `{variable}` names: {source}\nmake it readable for this user"
    )]
    Unreadable {
        /// The variable that names it.
        variable: String,
        /// Where it is.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Keys that cannot be used.
    #[error("the keys of `{variable}` cannot be used: {source}")]
    Keys {
        /// The variable.
        variable: &'static str,
        /// What is wrong with them.
        source: InvalidKeySet,
    },
    /// A store whose address is none.
    #[error(transparent)]
    Store(#[from] UnusableStore),
    /// A pattern that is none.
    #[error(transparent)]
    Path(#[from] InvalidPath),
}

/// What outlives reloads: keys, sessions, and what is going on.
pub struct AuthParts {
    environment: Environment,
    running: Mutex<Option<Running>>,
}

/// Without secrets.
impl fmt::Debug for AuthParts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuthParts").finish_non_exhaustive()
    }
}

/// Login tokens as one snapshot uses them.
#[derive(Debug)]
pub struct AuthInUse {
    /// The rules.
    pub authenticator: Authenticator,
    /// The keys of proofs, which follow their file.
    pub keys: Arc<ArcSwap<Proofs>>,
    /// Whether upstreams are told identities.
    pub tells_identity: bool,
}

struct Running {
    algorithm: TokenAlgorithm,
    tokens: KeyFile<TokenKeys>,
    proofs: KeyFile<Proofs>,
    /// Connections to the member service. Making one reads the system's certificates.
    connector: Arc<Connector>,
    rules: Option<Arc<AuthInUse>>,
    store: Arc<dyn SessionStore>,
}

impl AuthParts {
    /// Nothing yet; secrets are read from `environment` when a file first has `auth`.
    pub fn new(environment: Environment) -> Self {
        Self { environment, running: Mutex::new(None) }
    }

    /// Login tokens as `settings` want them; `None` without `auth`.
    ///
    /// # Errors
    ///
    /// Secrets or stores that cannot be used.
    pub fn prepare(
        &self,
        settings: &Settings,
        upstreams: &Upstreams,
        stores: &Stores,
    ) -> Result<Option<Arc<AuthInUse>>, AuthError> {
        let Some(auth) = &settings.auth else { return Ok(None) };
        let mut running = lock(&self.running);
        // What runs stays as it is if something fails.
        let started = match &*running {
            Some(parts) if parts.algorithm == auth.token.algorithm => None,
            other => Some(self.start(auth, stores, other.as_ref())?),
        };
        if started.is_some() {
            *running = started;
        }
        let Some(parts) = &mut *running else { return Ok(None) };
        let rules = parts.rules(auth, upstreams)?;
        parts.rules = Some(Arc::clone(&rules));
        Ok(Some(rules))
    }

    /// Reads secrets and makes the store; one that is there stays.
    fn start(
        &self,
        auth: &Auth,
        stores: &Stores,
        before: Option<&Running>,
    ) -> Result<Running, AuthError> {
        let algorithm = auth.token.algorithm;
        let tokens =
            KeyFile::open(TOKEN_KEYS, algorithm.least_secret(), &*self.environment, move |set| {
                TokenKeys::new(set, algorithm)
            })?;
        let proofs =
            KeyFile::open(PROOF_KEYS, LEAST_PROOF_SECRET, &*self.environment, Proofs::new)?;
        let (store, connector) = match before {
            Some(before) => (Arc::clone(&before.store), Arc::clone(&before.connector)),
            None => (open_store(auth, stores)?, Arc::new(Connector::new(None))),
        };
        Ok(Running { algorithm, tokens, proofs, connector, rules: None, store })
    }

    /// Reads the files of secrets again that changed.
    pub fn refresh(&self) {
        if let Some(running) = &mut *lock(&self.running) {
            running.tokens.refresh();
            running.proofs.refresh();
        }
    }
}

/// Reads files of secrets again that changed, every second, on a thread of its own. Ends when it is
/// dropped.
#[derive(Debug)]
pub struct KeyWatch {
    /// The thread ends when this is gone.
    _running: mpsc::Sender<()>,
}

/// How soon a changed file of secrets is seen.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl KeyWatch {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let (running, stopped) = mpsc::channel();
        thread::Builder::new().name("keys".to_owned()).spawn(move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                shared.auth.refresh();
            }
        })?;
        Ok(Self { _running: running })
    }
}

impl Running {
    fn rules(&self, auth: &Auth, upstreams: &Upstreams) -> Result<Arc<AuthInUse>, AuthError> {
        let settings = rules_of(auth)?;
        let proofs = Arc::clone(self.proofs.current());
        let members: Arc<dyn MemberDirectory> = Arc::new(MemberServiceClient::new(
            &auth.member_service,
            upstreams,
            Arc::clone(&proofs),
            Arc::clone(&self.connector),
        ));
        let authenticator = match &self.rules {
            Some(before) => before.authenticator.with(settings, members),
            None => Authenticator::new(
                settings,
                Arc::clone(self.tokens.current()),
                Arc::clone(&self.store),
                members,
                milliseconds(),
            ),
        };
        Ok(Arc::new(AuthInUse { authenticator, keys: proofs, tells_identity: auth.identity }))
    }
}

fn open_store(auth: &Auth, stores: &Stores) -> Result<Arc<dyn SessionStore>, AuthError> {
    Ok(match stores.link(&auth.store)? {
        Some(link) => Arc::new(RedisSessions::on(link)),
        None => Arc::new(InProcessSessions::new(milliseconds())),
    })
}

fn rules_of(auth: &Auth) -> Result<AuthSettings, InvalidPath> {
    let exempt = |rule: &ExemptRequests| {
        PathPattern::parse(&rule.path, TrailingSlash::Exact)
            .map(|path| Exempt { path, methods: rule.methods.clone() })
    };
    // Routes of old files take one slash more; what reaches the login must count as one.
    let login_path = PathPattern::parse(&auth.login_path, TrailingSlash::Optional)?;
    Ok(AuthSettings {
        token: auth.token.clone(),
        session_life: auth.session_life,
        grace: auth.grace,
        echo: auth.echo,
        exempt: auth.exempt.iter().map(exempt).collect::<Result<_, _>>()?,
        login_path,
        throttle: auth.throttle.clone(),
    })
}

fn milliseconds() -> Clock {
    Arc::new(clock::unix_millis)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
