//! A connection to Redis that is made again when it is lost.
//!
//! Requests never connect. While there is no connection they fail at once, so that an outage costs
//! nobody a wait and Redis meets one client, not all of them, when it is back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisError, RedisResult, Script,
};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tollgate_filters::auth::StoreError;

use crate::clock;

/// The first pause before another attempt to connect; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// So many commands in a row without an answer, and the connection counts as lost.
const SILENT: u32 = 8;

/// A connection to Redis that is made again when it is lost.
#[derive(Debug)]
pub(crate) struct RedisLink {
    keeper: Arc<Keeper>,
    state: watch::Receiver<State>,
    /// The keeper's task. Started by the first request, because only there is a runtime.
    task: Mutex<JoinSet<()>>,
    /// How long a request waits.
    patience: Duration,
    connect_limit: Duration,
}

#[derive(Debug)]
struct Keeper {
    client: Client,
    config: Connecting,
    scripts: Vec<Script>,
    state: watch::Sender<State>,
    lost: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Connecting {
    connect_limit: Duration,
    patience: Duration,
}

#[derive(Clone)]
enum State {
    /// Nobody has asked yet.
    Asleep,
    /// The first attempt is going on.
    Beginning,
    Up(MultiplexedConnection, Arc<Silence>),
    Down(Arc<str>),
}

/// How many commands in a row had no answer.
type Silence = AtomicU32;

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Asleep => "Asleep",
            Self::Beginning => "Beginning",
            Self::Up(..) => "Up",
            Self::Down(_) => "Down",
        })
    }
}

impl RedisLink {
    /// A link to the server at `url`, which loads `scripts` whenever it connects.
    pub(crate) fn new(
        url: &str,
        scripts: Vec<Script>,
        connect_limit: Duration,
        patience: Duration,
    ) -> Result<Self, RedisError> {
        let client = Client::open(url)?;
        let (sender, state) = watch::channel(State::Asleep);
        let config = Connecting { connect_limit, patience };
        let keeper = Keeper { client, config, scripts, state: sender, lost: Notify::new() };
        let keeper = Arc::new(keeper);
        Ok(Self { keeper, state, task: Mutex::default(), patience, connect_limit })
    }

    /// Sends commands in one turn. They are sent again if the connection was lost before there was
    /// an answer, so they must be such that twice is as good as once.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        match self.try_once(commands).await {
            Err(Trouble::Lost) => self.try_once(commands).await,
            outcome => outcome,
        }
        .map_err(|trouble| match trouble {
            Trouble::Lost => StoreError("the connection was lost twice".to_owned()),
            Trouble::Refused(reason) => StoreError(reason),
        })
    }

    async fn try_once<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, Trouble> {
        let (mut connection, silence) = self.connection().await?;
        let answer: RedisResult<T> =
            match timeout(self.patience, commands.query_async(&mut connection)).await {
                Ok(answer) => answer,
                Err(_) => return Err(self.silent(&silence)),
            };
        match answer {
            Ok(answer) => {
                silence.store(0, Ordering::Relaxed);
                Ok(answer)
            }
            Err(error) if error.is_timeout() => Err(self.silent(&silence)),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn silent(&self, silence: &Silence) -> Trouble {
        let before = silence.fetch_add(1, Ordering::Relaxed);
        if before + 1 == SILENT {
            self.keeper.lose("it does not answer");
        }
        Trouble::Refused("no answer in time".to_owned())
    }

    fn failed(&self, error: &RedisError) -> Trouble {
        let has_no_script = error.code() == Some("NOSCRIPT");
        if has_no_script || error.is_unrecoverable_error() || error.code() == Some("READONLY") {
            self.keeper.lose(&error.to_string());
            return Trouble::Lost;
        }
        Trouble::Refused(error.to_string())
    }

    fn wake(&self) {
        let is_first = self.keeper.state.send_if_modified(|state| {
            let is_first = matches!(state, State::Asleep);
            if is_first {
                *state = State::Beginning;
            }
            is_first
        });
        if is_first {
            let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            task.spawn(Arc::clone(&self.keeper).keep());
        }
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, Arc<Silence>), Trouble> {
        let mut state = self.state.clone();
        if matches!(*state.borrow(), State::Asleep) {
            self.wake();
        }
        let settled = state.wait_for(|state| matches!(state, State::Up(..) | State::Down(_)));
        let settled = timeout(self.connect_limit.max(self.patience), settled).await;
        match settled.map(|state| state.map(|state| state.clone())) {
            Ok(Ok(State::Up(connection, silence))) => Ok((connection, silence)),
            Ok(Ok(State::Down(reason))) => Err(Trouble::Refused(reason.to_string())),
            Ok(Ok(State::Asleep | State::Beginning) | Err(_)) | Err(_) => {
                Err(Trouble::Refused("no connection in time".to_owned()))
            }
        }
    }
}

enum Trouble {
    /// Another attempt may find a new connection.
    Lost,
    Refused(String),
}

impl Keeper {
    /// Connects, and connects again whenever the connection is lost.
    async fn keep(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    tracing::info!("connected to Redis");
                    let began = clock::now();
                    self.state.send_replace(State::Up(connection, Arc::default()));
                    self.lost.notified().await;
                    if began.elapsed() >= LONGEST_PAUSE {
                        pause = FIRST_PAUSE;
                        continue;
                    }
                    // One that is lost at once, such as a replica's, would be again.
                    self.state.send_replace(State::Down("lost as soon as it was made".into()));
                    rest(&mut pause).await;
                }
                Err(error) => {
                    let reason = error.to_string();
                    if pause == FIRST_PAUSE {
                        tracing::warn!("no connection to Redis, trying again: {reason}");
                    }
                    self.state.send_replace(State::Down(reason.into()));
                    rest(&mut pause).await;
                }
            }
        }
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.config.connect_limit))
            .set_response_timeout(Some(self.config.patience));
        let mut connection =
            self.client.get_multiplexed_async_connection_with_config(&config).await?;
        for script in &self.scripts {
            let _hash: String = script.load_async(&mut connection).await?;
        }
        Ok(connection)
    }

    fn lose(&self, reason: &str) {
        let is_news = self.state.send_if_modified(|state| {
            let was_up = matches!(state, State::Up(..));
            if was_up {
                *state = State::Beginning;
            }
            was_up
        });
        if is_news {
            tracing::warn!("the connection to Redis is lost: {reason}");
            self.lost.notify_one();
        }
    }
}

/// Waits before another attempt, twice as long the next time.
async fn rest(pause: &mut Duration) {
    #[expect(clippy::disallowed_methods, reason = "a back-off, not a wait for an event")]
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}
