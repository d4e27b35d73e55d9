//! Who sent a request, where proxies stand in front of the gateway.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

use super::forwarding::Forwarding;

static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl Forwarding {
    /// The address of the client behind the proxies that are trusted (`trusted-proxies`); the peer's
    /// without any.
    ///
    /// Each proxy adds whom it got the request from, so the list is read from its end for as long
    /// as the addresses are of trusted proxies. What stands before the first other one was written
    /// by whoever that is. `X-Forwarded-For` counts, and without it `Forwarded` (RFC 7239).
    pub fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        if self.trusted.is_none() || !self.trusts(peer) {
            return peer;
        }
        let mut client = peer;
        for next in hops(headers) {
            // A proxy that hides who it serves, or text that nobody can read.
            let Some(next) = next else { break };
            client = next;
            if !self.trusts(next) {
                break;
            }
        }
        client
    }
}

/// Whom the proxies in front got the request from, the nearest first.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let has_list = headers.contains_key(&FOR);
    let name = if has_list { &FOR } else { &header::FORWARDED };
    let lines = headers.get_all(name).iter().rev();
    let elements = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    elements.map(move |element| {
        let node = if has_list { Some(element) } else { node_of(element) };
        address(node?.trim().trim_matches('"'))
    })
}

/// The `for` of an element of `Forwarded`.
fn node_of(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, node)| node)
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| text.parse().ok().map(|at: SocketAddr| at.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use tollgate_filters::JavaPattern;

    use super::*;

    #[track_caller]
    fn check(trusted: &str, lines: &[(&str, &str)], expected: &str) {
        let trusted = (!trusted.is_empty()).then(|| JavaPattern::new(trusted).unwrap());
        let forwarding = Forwarding { trusted, ..Forwarding::default() };
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(forwarding.client(&headers, peer), expected.parse::<IpAddr>().unwrap());
    }

    proptest! {
        /// Whatever a client writes, it is the peer or an address that trusted proxies vouch for.
        #[test]
        fn any_header_gives_an_address(
            lists in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4),
            addresses in prop::collection::vec("(10|1)\\.[0-9]\\.0\\.[0-9](:80)?|for=\"?\\[?2001:db8::1\\]?\"?|_a|", 0..5),
            is_list: bool,
            is_trusted: bool,
        ) {
            let pattern = if is_trusted { "10\\..*" } else { "192\\..*" };
            let trusted = Some(JavaPattern::new(pattern).unwrap());
            let forwarding = Forwarding { trusted, ..Forwarding::default() };
            let mut headers = HeaderMap::new();
            let name = if is_list { &FOR } else { &header::FORWARDED };
            let written = addresses.join(",").into_bytes();
            for value in lists.into_iter().chain([written]) {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    headers.append(name, value);
                }
            }
            let peer = "10.0.0.1".parse().unwrap();
            let client = forwarding.client(&headers, peer);
            prop_assert!(is_trusted || client == peer);
            // Nothing stands behind an address that is not trusted.
            let nearest = hops(&headers).next().flatten().filter(|_| is_trusted);
            if let Some(nearest) = nearest.filter(|nearest| !forwarding.trusts(*nearest)) {
                prop_assert_eq!(client, nearest);
            }
        }
    }

    #[test]
    fn nobody_is_believed_without_trusted_proxies() {
        check("", &[("x-forwarded-for", "1.2.3.4")], "10.0.0.1");
        check("10\\.9\\..*", &[("x-forwarded-for", "1.2.3.4")], "10.0.0.1");
    }

    #[test]
    fn the_list_is_read_from_its_end_through_trusted_proxies() {
        let trusted = "10\\..*";
        check(trusted, &[], "10.0.0.1");
        check(trusted, &[("x-forwarded-for", "1.2.3.4")], "1.2.3.4");
        check(trusted, &[("x-forwarded-for", "9.9.9.9, 1.2.3.4,10.0.0.2")], "1.2.3.4");
        check(
            trusted,
            &[("x-forwarded-for", "9.9.9.9"), ("x-forwarded-for", "1.2.3.4")],
            "1.2.3.4",
        );
        check(trusted, &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")], "10.0.0.3");
    }

    #[test]
    fn what_cannot_be_read_ends_the_list() {
        let trusted = "10\\..*";
        check(trusted, &[("x-forwarded-for", "1.2.3.4, unknown")], "10.0.0.1");
        check(trusted, &[("x-forwarded-for", "1.2.3.4, _hidden, 10.0.0.2")], "10.0.0.2");
        check(trusted, &[("x-forwarded-for", "")], "10.0.0.1");
    }

    #[test]
    fn ports_and_brackets_do_not_matter() {
        let trusted = "10\\..*";
        check(trusted, &[("x-forwarded-for", "1.2.3.4:5678")], "1.2.3.4");
        check(trusted, &[("x-forwarded-for", "[2001:db8::1]:80")], "2001:db8::1");
        check(trusted, &[("x-forwarded-for", "[2001:db8::1]")], "2001:db8::1");
        check(trusted, &[("x-forwarded-for", "::ffff:1.2.3.4")], "1.2.3.4");
    }

    #[test]
    fn forwarded_counts_where_there_is_no_list() {
        let trusted = "10\\..*";
        let line = "for=9.9.9.9;proto=https, For=\"[2001:db8::1]:80\", proto=http;for=10.0.0.2";
        check(trusted, &[("forwarded", line)], "2001:db8::1");
        check(trusted, &[("forwarded", line), ("x-forwarded-for", "1.2.3.4")], "1.2.3.4");
        check(trusted, &[("forwarded", "proto=https")], "10.0.0.1");
    }
}
