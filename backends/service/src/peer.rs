//! Calls to another service, on which typed clients are built.
//!
//! Every call has a time limit; only those whose repetition does no more are sent again, after a
//! lost connection, a time-out, or an answer that says the peer is not able just now.

use std::future::Future;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::{Client, Response, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::correlation;
use crate::keys::KeySet;
use crate::problem::{FieldError, Problem};
use crate::proof;
use crate::tls::{self, TlsError};

/// The largest answer that is read.
const ANSWER_LIMIT_BYTES: usize = 1024 * 1024;
/// Shorter than a service keeps an unused connection (75 s), so that none is reused as it closes.
const IDLE_LIMIT: Duration = Duration::from_secs(50);
/// Before a call is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// What clients are told to wait when a peer is not available.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Another service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Peer {
    name: &'static str,
    base: String,
    client: Client,
    limits: Limits,
    headers: HeaderMap,
    proof: Option<Signing>,
}

/// How long a call may take, and how often it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time to connect.
    pub connect: Duration,
    /// Time of one attempt, from connecting to the last byte of the answer.
    pub call: Duration,
    /// Attempts after the first, for calls that may be repeated.
    pub retries: u32,
}

/// Whether a call may be sent again when it is not known what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// A second one could do more than the first.
    Never,
    /// A second one does no more than the first.
    Idempotent,
}

/// Why a call brought no value.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The peer answered with an error.
    #[error("answered {status} {code}: {detail}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its code, empty when it gave none.
        code: String,
        /// Its sentence, empty when it gave none.
        detail: String,
        /// What it found wrong with which field.
        errors: Vec<FieldError>,
    },
    /// No connection, or it was lost.
    #[error("cannot be reached; check that it runs and that its URL is right")]
    Unreachable(#[source] reqwest::Error),
    /// The time of the call ran out.
    #[error("did not answer in time")]
    TimedOut,
    /// The answer is not what was agreed.
    #[error("answered with something else than was asked for")]
    Garbled(#[source] serde_json::Error),
    /// The answer is larger than 1 MiB.
    #[error("answered with more than 1 MiB")]
    TooLarge,
    /// The base or the target is no URL that can be called.
    #[error(
        "`{0}` cannot be called; use http:// or https:// with a host, and a target that starts with /"
    )]
    Target(String),
    /// The body cannot be written as JSON.
    #[error("the call cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// The client cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client cannot be set up.
    #[error("no client can be set up")]
    Client(#[source] reqwest::Error),
}

#[derive(Debug, Clone)]
struct Signing {
    service: &'static str,
    keys: KeySet,
    clock: Clock,
}

/// An error answer, in our words or in those of others.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    code: String,
    #[serde(alias = "message")]
    detail: String,
    errors: Vec<FieldError>,
}

impl Peer {
    /// A peer at `base`, such as `http://127.0.0.1:8083`; `name` is what the log calls it.
    pub fn new(name: &'static str, base: &str, limits: Limits) -> Result<Self, PeerError> {
        let is_http = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        let url = Url::parse(base).ok().filter(is_http);
        let url = url.ok_or_else(|| PeerError::Target(base.to_owned()))?;
        let client = tls::client(url.as_str())?
            .connect_timeout(limits.connect)
            .pool_idle_timeout(IDLE_LIMIT)
            .build()
            .map_err(PeerError::Client)?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { name, base, client, limits, headers: HeaderMap::new(), proof: None })
    }

    /// Sends a header with every call; its value appears in no log.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }

    /// Signs every call as `service`.
    #[must_use]
    pub fn with_proof(mut self, service: &'static str, keys: KeySet, clock: Clock) -> Self {
        self.proof = Some(Signing { service, keys, clock });
        self
    }

    /// Reads; `target` is path and query, encoded. Sent again when nothing came back.
    pub async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, PeerError> {
        let url = self.url(target)?;
        self.call(Retry::Idempotent, || self.attempt(Method::GET, &url, None)).await
    }

    /// Sends `body`; an empty answer is read as `null`, so `()` fits it.
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        target: &str,
        body: &B,
        retry: Retry,
    ) -> Result<T, PeerError> {
        let url = self.url(target)?;
        let body = serde_json::to_vec(body).map_err(PeerError::Unwritable)?;
        self.call(retry, || self.attempt(Method::POST, &url, Some(body.clone()))).await
    }

    fn url(&self, target: &str) -> Result<Url, PeerError> {
        let url = Url::parse(&format!("{}{target}", self.base)).ok();
        let url = url.filter(|_| target.starts_with('/'));
        url.ok_or_else(|| PeerError::Target(target.to_owned()))
    }

    async fn call<T, F>(&self, retry: Retry, attempt: impl Fn() -> F) -> Result<T, PeerError>
    where
        F: Future<Output = Result<T, PeerError>>,
    {
        let mut left = if retry == Retry::Idempotent { self.limits.retries } else { 0 };
        loop {
            match timeout(self.limits.call, attempt()).await.unwrap_or(Err(PeerError::TimedOut)) {
                Err(error) if left > 0 && error.may_pass() => {
                    left -= 1;
                    tracing::warn!(peer = self.name, %error, "calling again");
                    #[expect(clippy::disallowed_methods, reason = "a back-off")]
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        method: Method,
        url: &Url,
        body: Option<Vec<u8>>,
    ) -> Result<T, PeerError> {
        let mut request = self.client.request(method.clone(), url.clone());
        request = request.headers(self.headers.clone());
        request = request.header(correlation::TRACE_PARENT, correlation::trace_parent());
        if let Some(Signing { service, keys, clock }) = &self.proof {
            let target = target(url);
            let signed = (method.as_str(), target.as_str(), body.as_deref().unwrap_or_default());
            let proof = proof::sign_service(keys, clock, service, signed);
            request = request.header(proof::SERVICE_AUTH, proof);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let answer = read(response).await?;
        if !status.is_success() {
            return Err(refused(status, &answer));
        }
        let json: &[u8] = if answer.is_empty() { b"null" } else { &answer };
        serde_json::from_slice(json).map_err(PeerError::Garbled)
    }
}

impl PeerError {
    /// What the client of this service is told when it can do nothing about it: 503 with
    /// `unavailable_code` when the peer is not able, 504 `UPSTREAM_TIMEOUT` when it is silent, 502
    /// `UPSTREAM_PROTOCOL` when it does not keep to what was agreed.
    pub fn into_problem(self, unavailable_code: &'static str) -> Problem {
        let problem = match &self {
            Self::TimedOut => Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "UPSTREAM_TIMEOUT",
                "a service this one needs did not answer in time; try again",
            ),
            error if error.may_pass() => Problem::unavailable(
                unavailable_code,
                "a service this one needs is not available; try again",
                RETRY_AFTER,
            ),
            Self::Refused { .. } | Self::Garbled(_) | Self::TooLarge => Problem::new(
                StatusCode::BAD_GATEWAY,
                "UPSTREAM_PROTOCOL",
                "a service this one needs answered in an unexpected way; the log has the trace id",
            ),
            Self::Unreachable(_)
            | Self::Target(_)
            | Self::Unwritable(_)
            | Self::Tls(_)
            | Self::Client(_) => Problem::unexplained(),
        };
        problem.caused_by(self)
    }

    /// Whether the same call may go well a moment later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut => true,
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Garbled(_)
            | Self::TooLarge
            | Self::Target(_)
            | Self::Unwritable(_)
            | Self::Tls(_)
            | Self::Client(_) => false,
        }
    }
}

/// Without the URL, whose query may hold what belongs in no log.
fn lost(error: reqwest::Error) -> PeerError {
    PeerError::Unreachable(error.without_url())
}

fn target(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

async fn read(mut response: Response) -> Result<Vec<u8>, PeerError> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if answer.len() + chunk.len() > ANSWER_LIMIT_BYTES {
            return Err(PeerError::TooLarge);
        }
        answer.extend_from_slice(&chunk);
    }
    Ok(answer)
}

fn refused(status: StatusCode, answer: &[u8]) -> PeerError {
    let Told { code, detail, errors } = serde_json::from_slice(answer).unwrap_or_default();
    PeerError::Refused { status, code, detail, errors }
}

#[cfg(test)]
mod tests;
