//! Asks the member service about a member (`domain.md` SY-04).

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Method, header};
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType};
use pingora_http::RequestHeader;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tollgate_filters::auth::{
    DirectoryError, FoundMember, Identity, Member, MemberDirectory, MemberStatus, Role,
};

use super::Proofs;
use crate::clock;
use crate::config::MemberService;
use crate::upstream::{Upstream, Upstreams};

/// How long a request waits for the member service.
const LIMIT: Duration = Duration::from_secs(2);

/// So many questions at a time: all members are forgotten at once when a store is flushed.
const AT_A_TIME: usize = 32;

/// An answer is far shorter.
const LONGEST_ANSWER: usize = 16 << 10;

/// The name the gateway goes by among services.
const SELF: &str = "gateway";

/// The member service, as the gateway asks it.
pub(super) struct MemberServiceClient {
    connector: Arc<Connector>,
    template: HttpPeer,
    host: String,
    upstream: Option<Arc<Upstream>>,
    proofs: Arc<ArcSwap<Proofs>>,
    places: Semaphore,
}

#[derive(Deserialize)]
struct Envelope {
    payload: AuthView,
}

#[derive(Deserialize)]
struct AuthView {
    role: String,
    status: String,
}

impl MemberServiceClient {
    pub(super) fn new(
        service: &MemberService,
        upstreams: &Upstreams,
        proofs: Arc<ArcSwap<Proofs>>,
        connector: Arc<Connector>,
    ) -> Self {
        let MemberService { host, port, is_tls } = service;
        let (mut prepared, failed) = upstreams.prepare([(host.clone(), *port)]);
        for (host, reason) in failed {
            tracing::warn!("`{host}` has no address now: {reason}");
        }
        let sni = if *is_tls { host.clone() } else { String::new() };
        let placeholder = std::net::SocketAddr::from(([0, 0, 0, 0], *port));
        let mut template = HttpPeer::new(placeholder, *is_tls, sni);
        template.options.connection_timeout = Some(LIMIT);
        template.options.read_timeout = Some(LIMIT);
        template.options.write_timeout = Some(LIMIT);
        template.options.idle_timeout = Some(Duration::from_secs(50));
        Self {
            connector,
            template,
            host: format!("{host}:{port}"),
            upstream: prepared.remove(&(host.clone(), *port)),
            proofs,
            places: Semaphore::new(AT_A_TIME),
        }
    }

    async fn ask(&self, member_id: i64) -> Result<Option<Member>, DirectoryError> {
        let limited = timeout(LIMIT, async {
            let closed = |_| Error::explain(ErrorType::InternalError, "no more questions");
            let _place = self.places.acquire().await.map_err(closed)?;
            self.exchange(member_id).await
        });
        let (status, body) = match limited.await {
            Ok(outcome) => outcome.map_err(|error| DirectoryError(error.to_string()))?,
            Err(_) => return Err(DirectoryError("no answer in time".to_owned())),
        };
        match status {
            200 => read(member_id, &body).map(Some),
            404 if is_unknown(&body) => Ok(None),
            other => Err(DirectoryError(format!("it answers {other}"))),
        }
    }

    async fn exchange(&self, member_id: i64) -> pingora_core::Result<(u16, Vec<u8>)> {
        let mut peer = self.template.clone();
        let address =
            self.upstream.as_ref().and_then(|upstream| upstream.address(upstream.preferred(), 0));
        let no_address = || Error::explain(ErrorType::ConnectNoRoute, "its name has no address");
        peer._address = address.ok_or_else(no_address)?.into();
        let (mut session, _) = self.connector.get_http_session(&peer).await?;
        session.set_read_timeout(Some(LIMIT));
        session.set_write_timeout(Some(LIMIT));
        session.write_request_header(Box::new(self.request(member_id)?)).await?;
        session.finish_request_body().await?;
        session.read_response_header().await?;
        let status = session.response_header().map_or(0, |head| head.status.as_u16());
        let body = read_body(&mut session).await?;
        self.connector.release_http_session(session, &peer, None).await;
        Ok((status, body))
    }

    fn request(&self, member_id: i64) -> pingora_core::Result<RequestHeader> {
        let target = format!("/internal/v1/members/{member_id}/auth-view");
        let mut head = RequestHeader::build(Method::GET, target.as_bytes(), Some(3))?;
        head.insert_header(header::HOST, self.host.as_str())?;
        head.insert_header(header::ACCEPT, "application/json")?;
        let now = clock::unix_millis() / 1000;
        if let Some(proof) = self.proofs.load().service(SELF, &Method::GET, &target, now) {
            head.insert_header("X-Service-Auth", proof)?;
        }
        Ok(head)
    }
}

impl MemberDirectory for MemberServiceClient {
    fn find(&self, member_id: i64) -> FoundMember<'_> {
        Box::pin(self.ask(member_id))
    }
}

/// Where it is, not what it holds.
impl Debug for MemberServiceClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("MemberServiceClient").field(&self.host).finish()
    }
}

async fn read_body(session: &mut HttpSession) -> pingora_core::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = session.read_response_body().await? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            let kind = ErrorType::InvalidHTTPHeader;
            return Err(Error::explain(kind, "its answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether it is the member service that knows nobody, and not something else in its place.
fn is_unknown(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Problem {
        code: String,
    }
    serde_json::from_slice(body).is_ok_and(|problem: Problem| problem.code == "MEMBER_NOT_FOUND")
}

fn read(member_id: i64, body: &[u8]) -> Result<Member, DirectoryError> {
    let odd = || DirectoryError("its answer is not that of a member service".to_owned());
    let Envelope { payload } = serde_json::from_slice(body).map_err(|_| odd())?;
    let role = Role::parse(&payload.role).ok_or_else(odd)?;
    let status = MemberStatus::parse(&payload.status).ok_or_else(odd)?;
    Ok(Member { identity: Identity { member_id, role }, status })
}
