//! An upstream together with how to speak to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use pingora_core::upstreams::peer::{ALPN, HttpPeer};
use tollgate_filters::Scheme;

use super::{UpgradeConnector, Upstream};
use crate::config::Timeouts;

/// An upstream and how to speak to it: one for each scheme, host and port. How long to wait for a
/// connection is said for each attempt.
#[derive(Debug)]
pub struct Destination {
    /// The host and its addresses.
    pub upstream: Arc<Upstream>,
    /// What goes into `Host` unless the client's is preserved.
    pub host: HeaderValue,
    /// Connection settings, all but the address and what differs between attempts.
    pub template: HttpPeer,
    /// The same for requests that ask for another protocol.
    pub upgrading: HttpPeer,
    /// Whether only WebSocket handshakes are proxied (`ws:` and `wss:`).
    pub needs_upgrade: bool,
}

impl Destination {
    /// Prepares connections to an upstream.
    pub fn new(scheme: Scheme, upstream: Arc<Upstream>, timeouts: &Timeouts) -> Self {
        let is_tls = matches!(scheme, Scheme::Https | Scheme::Wss);
        let host = upstream.host();
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let host_text = match upstream.port() {
            80 | 443 => bracketed,
            port => format!("{bracketed}:{port}"),
        };
        let placeholder = SocketAddr::from(([0, 0, 0, 0], upstream.port()));
        let sni = if is_tls { host.to_owned() } else { String::new() };
        let mut peer = HttpPeer::new(placeholder, is_tls, sni);
        peer.options.write_timeout = Some(timeouts.write);
        peer.options.idle_timeout = Some(timeouts.upstream_idle);
        peer.options.alpn = if is_tls { ALPN::H2H1 } else { ALPN::H1 };
        peer.options.max_h2_streams = 100;
        let mut upgrading = peer.clone();
        upgrading.options.alpn = ALPN::H1;
        // An upstream that refuses keeps its connection open, but who asks the next time connects.
        upgrading.options.idle_timeout = Some(Duration::ZERO);
        upgrading.options.custom_l4 = Some(Arc::new(UpgradeConnector));
        // Connections that differ in more than their address must not be shared.
        upgrading.group_key = 1;
        Self {
            host: HeaderValue::from_str(&host_text)
                .unwrap_or_else(|_| HeaderValue::from_static("invalid")),
            upstream,
            template: peer,
            upgrading,
            needs_upgrade: matches!(scheme, Scheme::Ws | Scheme::Wss),
        }
    }

    /// Where to connect, and how; see [`Upstream::address`]. `silence` is how long the upstream may
    /// say nothing, `None` for ever; `connect_limit` how long the connection may take, TLS
    /// included.
    pub fn peer(
        &self,
        began_at: usize,
        refused: usize,
        silence: Option<Duration>,
        connect_limit: Duration,
        is_upgrade: bool,
    ) -> Option<Box<HttpPeer>> {
        let address = self.upstream.address(began_at, refused)?;
        let template = if is_upgrade { &self.upgrading } else { &self.template };
        let mut peer = Box::new(template.clone());
        peer._address = address.into();
        peer.options.connection_timeout = Some(connect_limit);
        peer.options.total_connection_timeout = Some(connect_limit);
        peer.options.read_timeout = silence;
        Some(peer)
    }
}
