//! What the gateway itself writes on a request before it goes upstream: `Host`, `X-Forwarded-*`
//! and `Forwarded`, and what it takes away (`global.md` 6).

use std::net::{IpAddr, SocketAddr};

use http::{HeaderName, HeaderValue, Uri, header};
use pingora_http::RequestHeader;
use tollgate_filters::JavaPattern;

use crate::config::{Forwarded, XForwarded, XForwardedHeader};
use crate::ip_text::write_ip;

/// Which forwarding headers are written, and whom to believe.
#[derive(Debug, Default)]
pub struct Forwarding {
    /// Peers whose own forwarding headers are extended; others' are dropped. None by default.
    pub trusted: Option<JavaPattern>,
    /// The `X-Forwarded-*` headers.
    pub x_forwarded: XForwarded,
    /// `Forwarded` (RFC 7239).
    pub forwarded: Forwarded,
}

/// What is known about the client side of a request.
#[derive(Debug, Clone, Copy)]
pub struct Downstream<'a> {
    /// Address of the peer.
    pub peer: Option<SocketAddr>,
    /// Address the peer connected to.
    pub local: Option<SocketAddr>,
    /// Whether the peer speaks TLS.
    pub is_tls: bool,
    /// The `Host` the client sent.
    pub host: Option<&'a HeaderValue>,
    /// Targets that path filters replaced.
    pub original_targets: &'a [Uri],
}

static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

impl Forwarding {
    /// Writes the forwarding headers of `request`, which has its final path.
    pub fn apply(&self, request: &mut RequestHeader, downstream: &Downstream<'_>) {
        let peer = downstream.peer.map(|peer| peer.ip().to_canonical());
        let is_trusted = match peer {
            None => self.trusted.is_some(),
            Some(peer) => self.trusts(peer),
        };
        let earlier = if is_trusted { self.trusted.as_ref() } else { None };
        let mut elements = Vec::new();
        if let (Some(trusted), true) = (earlier, self.forwarded.enabled) {
            elements = kept_elements(request, trusted);
        }
        // Most requests have none: one walk over the names is less than looking each one up.
        if request.headers.keys().any(is_forwarding) {
            request.remove_header(&header::FORWARDED);
            if earlier.is_none() || !self.x_forwarded.enabled {
                drop_x_forwarded(request);
            }
        }
        let scheme = if downstream.is_tls { "https" } else { "http" };
        let host = downstream.host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.forwarded.enabled {
            elements.push(self.own_element(downstream, scheme, host));
            write_forwarded(request, elements);
        }
        if !self.x_forwarded.enabled {
            return;
        }
        let kept = |request: &RequestHeader, name| earlier.map(|_| kept_lines(request, name, None));
        if let Some(own) = peer.and_then(address_value) {
            let lines = earlier.map(|trusted| kept_lines(request, &FOR, Some(trusted)));
            write(request, self.x_forwarded.for_, "X-Forwarded-For", lines, own);
        }
        let (lines, own) = (kept(request, &PROTO), HeaderValue::from_static(scheme));
        write(request, self.x_forwarded.proto, "X-Forwarded-Proto", lines, own);
        if let Some(own) = downstream.host.filter(|_| !host.is_empty()) {
            let short = without_default_port(host, downstream.is_tls);
            let as_sent = short.len() == own.len();
            let own = if as_sent { Some(own.clone()) } else { HeaderValue::from_str(short).ok() };
            if let Some(own) = own {
                let lines = kept(request, &HOST);
                write(request, self.x_forwarded.host, "X-Forwarded-Host", lines, own);
            }
        }
        if self.x_forwarded.port.enabled {
            let own = HeaderValue::from(port_of(host, downstream.is_tls));
            let lines = kept(request, &PORT);
            write(request, self.x_forwarded.port, "X-Forwarded-Port", lines, own);
        }
        if self.x_forwarded.prefix.enabled {
            self.write_prefix(request, downstream);
        }
    }

    /// Whether what an address sends about clients is believed.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.as_ref().is_some_and(|trusted| full_match(trusted, &address.to_string()))
    }

    /// For each replaced target that ends with the path that leaves, what stood before it.
    fn write_prefix(&self, request: &mut RequestHeader, downstream: &Downstream<'_>) {
        let target = request.uri.path().to_owned();
        let target = target.strip_suffix('/').unwrap_or(&target);
        for original in downstream.original_targets {
            let path = original.path();
            let path = path.strip_suffix('/').unwrap_or(path);
            let Some(prefix) = path.strip_suffix(target).filter(|prefix| !prefix.is_empty()) else {
                continue;
            };
            let Ok(own) = HeaderValue::from_str(prefix) else { continue };
            let lines = Some(kept_lines(request, &PREFIX, None));
            write(request, self.x_forwarded.prefix, "X-Forwarded-Prefix", lines, own);
        }
    }

    fn own_element(&self, downstream: &Downstream<'_>, scheme: &str, host: &str) -> String {
        let mut element = format!("proto={scheme}");
        if let (true, Some(local)) = (self.forwarded.by, downstream.local) {
            push_pair(&mut element, "by", &local.to_string());
        }
        if !host.is_empty() {
            push_pair(&mut element, "host", host);
        }
        if let Some(peer) = downstream.peer {
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            push_pair(&mut element, "for", &peer.to_string());
        }
        element
    }
}

/// The elements of `Forwarded` whose `for` is a trusted address, each to become a line.
fn kept_elements(request: &RequestHeader, trusted: &JavaPattern) -> Vec<String> {
    let is_kept = |element: &&str| {
        let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
        let client = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case("for"));
        client.is_some_and(|(_, value)| full_match(trusted, value.trim()))
    };
    let lines = request.headers.get_all(header::FORWARDED).iter();
    let elements = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    elements.map(str::trim).filter(is_kept).map(str::to_owned).collect()
}

fn write_forwarded(request: &mut RequestHeader, elements: Vec<String>) {
    for element in elements {
        if let Ok(value) = HeaderValue::from_str(&element) {
            // A head cannot be so full: the guard limits it.
            drop(request.append_header("Forwarded", value));
        }
    }
}

fn push_pair(line: &mut String, key: &str, value: &str) {
    let quote = if value.contains(':') { "\"" } else { "" };
    line.extend([";", key, "=", quote, value, quote]);
}

fn full_match(pattern: &JavaPattern, text: &str) -> bool {
    // A pattern that runs into its limit trusts nobody.
    pattern.is_full_match(text).unwrap_or(false)
}

/// The lines of a header that stay, joined by commas.
fn kept_lines(request: &RequestHeader, name: &HeaderName, trusted: Option<&JavaPattern>) -> String {
    let mut joined = String::new();
    for line in request.headers.get_all(name) {
        let Ok(line) = line.to_str() else { continue };
        if trusted.is_none_or(|trusted| full_match(trusted, line)) {
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(line);
        }
    }
    joined
}

/// Writes one header; `earlier` is what a trusted proxy sent.
fn write(
    request: &mut RequestHeader,
    how: XForwardedHeader,
    spelling: &'static str,
    earlier: Option<String>,
    own: HeaderValue,
) {
    if !how.enabled {
        return;
    }
    let value = match earlier.filter(|lines| how.append && !lines.is_empty()) {
        None => Some(own),
        Some(mut lines) => own.to_str().ok().and_then(|own| {
            lines.push(',');
            lines.push_str(own);
            HeaderValue::try_from(lines).ok()
        }),
    };
    if let Some(value) = value {
        // A head cannot be so full: the guard limits it.
        drop(request.insert_header(spelling, value));
    }
}

/// An address as a header value, formatted without a string on the heap.
fn address_value(address: IpAddr) -> Option<HeaderValue> {
    let mut text = [0; 45];
    let mut rest = text.as_mut_slice();
    write_ip(&mut rest, address).ok()?;
    let unused = rest.len();
    HeaderValue::from_bytes(text.get(..text.len() - unused)?).ok()
}

fn is_forwarding(name: &HeaderName) -> bool {
    *name == header::FORWARDED || name.as_str().starts_with("x-forwarded-")
}

/// Drops every header whose name begins with `x-forwarded-`.
fn drop_x_forwarded(request: &mut RequestHeader) {
    while let Some(name) =
        request.headers.keys().find(|name| name.as_str().starts_with("x-forwarded-")).cloned()
    {
        request.remove_header(&name);
    }
}

fn without_default_port(host: &str, is_tls: bool) -> &str {
    host.strip_suffix(if is_tls { ":443" } else { ":80" }).unwrap_or(host)
}

fn port_of(host: &str, is_tls: bool) -> u16 {
    let written = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    written.unwrap_or(if is_tls { 443 } else { 80 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: &[(&'static str, &str)], path: &str) -> RequestHeader {
        let mut head = RequestHeader::build("GET", path.as_bytes(), None).unwrap();
        for (name, value) in lines {
            head.append_header(*name, *value).unwrap();
        }
        head
    }

    const ON: XForwardedHeader = XForwardedHeader { enabled: true, append: true };
    const REPLACE: XForwardedHeader = XForwardedHeader { enabled: true, append: false };

    fn everything(trusted: Option<&str>) -> Forwarding {
        Forwarding {
            trusted: trusted.map(|text| JavaPattern::new(text).unwrap()),
            x_forwarded: XForwarded { port: ON, prefix: ON, ..XForwarded::default() },
            ..Forwarding::default()
        }
    }

    #[track_caller]
    fn check(
        forwarding: &Forwarding,
        mut head: RequestHeader,
        host: &str,
        originals: &[&str],
        expected: &[(&str, Option<&str>)],
    ) {
        let host = HeaderValue::from_str(host).unwrap();
        let originals: Vec<Uri> = originals.iter().map(|uri| uri.parse().unwrap()).collect();
        let downstream = Downstream {
            peer: Some("10.0.0.1:80".parse().unwrap()),
            local: None,
            is_tls: false,
            host: Some(&host),
            original_targets: &originals,
        };
        forwarding.apply(&mut head, &downstream);
        for (name, value) in expected {
            let found: Vec<&str> =
                head.headers.get_all(*name).iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(found, value.iter().copied().collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn writes_its_own() {
        // G6.2-1, G6.2-2
        check(
            &everything(None),
            request(&[], "/get"),
            "localhost:8080",
            &[],
            &[
                ("x-forwarded-for", Some("10.0.0.1")),
                ("x-forwarded-host", Some("localhost:8080")),
                ("x-forwarded-port", Some("8080")),
                ("x-forwarded-proto", Some("http")),
            ],
        );
        check(
            &everything(None),
            request(&[], "/get"),
            "localhost",
            &[],
            &[("x-forwarded-host", Some("localhost")), ("x-forwarded-port", Some("80"))],
        );
    }

    const EXISTING: [(&str, &str); 5] = [
        ("X-Forwarded-For", "192.168.0.2"),
        ("X-Forwarded-Host", "example.com"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Prefix", "/prefix"),
    ];

    #[test]
    fn extends_the_chain_of_a_trusted_proxy() {
        // G6.2-3
        check(
            &everything(Some(".*")),
            request(&EXISTING, "/get"),
            "localhost:8080",
            &[],
            &[
                ("x-forwarded-for", Some("192.168.0.2,10.0.0.1")),
                ("x-forwarded-host", Some("example.com,localhost:8080")),
                ("x-forwarded-port", Some("443,8080")),
                ("x-forwarded-proto", Some("https,http")),
                ("x-forwarded-prefix", Some("/prefix")),
            ],
        );
        // G6.2-10
        check(
            &everything(Some(".*")),
            request(&[("X-Forwarded-For", "10.0.0.1")], "/get"),
            "h",
            &[],
            &[("x-forwarded-for", Some("10.0.0.1,10.0.0.1"))],
        );
    }

    #[test]
    fn replaces_where_append_is_off() {
        // G6.2-4
        let replace = Forwarding {
            x_forwarded: XForwarded {
                enabled: true,
                for_: REPLACE,
                host: REPLACE,
                port: REPLACE,
                proto: REPLACE,
                prefix: REPLACE,
            },
            ..everything(Some(".*"))
        };
        check(
            &replace,
            request(&EXISTING, "/get"),
            "localhost:8080",
            &[],
            &[
                ("x-forwarded-for", Some("10.0.0.1")),
                ("x-forwarded-host", Some("localhost:8080")),
                ("x-forwarded-proto", Some("http")),
                ("x-forwarded-prefix", Some("/prefix")),
            ],
        );
    }

    #[test]
    fn tells_the_prefix_that_filters_took_away() {
        // G6.2-5 … G6.2-9
        for (original, target, expected) in [
            ("/prefix/get/", "/get", Some("/prefix")),
            ("/resource/resource/", "/resource", Some("/resource")),
            ("/foo/bar", "/", Some("/foo/bar")),
            ("/get/", "/get", None),
            ("/one/two/three", "/two", None),
        ] {
            check(
                &everything(None),
                request(&[], target),
                "h",
                &[original],
                &[("x-forwarded-prefix", expected)],
            );
        }
    }

    #[test]
    fn drops_what_an_untrusted_peer_sent() {
        // G6.2-11; ours are written all the same
        check(
            &everything(Some(r"11\.0\.0\..*")),
            request(&[("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-Evil", "x")], "/get"),
            "h",
            &[],
            &[("x-forwarded-for", Some("10.0.0.1")), ("x-forwarded-evil", None)],
        );
        // G6.2-12
        check(
            &everything(Some(r"10\.0\.0\..*")),
            request(&[("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", "10.0.0.10")], "/get"),
            "h",
            &[],
            &[("x-forwarded-for", Some("10.0.0.10,10.0.0.1"))],
        );
    }

    #[test]
    fn writes_forwarded_on_request() {
        // G6.3
        let forwarding = Forwarding {
            forwarded: Forwarded { enabled: true, by: false },
            ..Forwarding::default()
        };
        check(
            &forwarding,
            request(&[("Forwarded", "for=6.6.6.6")], "/get"),
            "myhost",
            &[],
            &[("forwarded", Some("proto=http;host=myhost;for=\"10.0.0.1:80\""))],
        );
        let trusting = Forwarding { trusted: Some(JavaPattern::new(".*").unwrap()), ..forwarding };
        let mut head = request(
            &[("Forwarded", "for=12.34.56.78;host=example.com;proto=https, for=23.45.67.89")],
            "/get",
        );
        let downstream = Downstream {
            peer: Some("[2001:db8:cafe::17]:80".parse().unwrap()),
            local: None,
            is_tls: false,
            host: None,
            original_targets: &[],
        };
        trusting.apply(&mut head, &downstream);
        let lines: Vec<&str> =
            head.headers.get_all("forwarded").iter().map(|line| line.to_str().unwrap()).collect();
        let own = "proto=http;for=\"[2001:db8:cafe::17]:80\"";
        assert_eq!(lines, ["for=12.34.56.78;host=example.com;proto=https", "for=23.45.67.89", own]);
    }
}
