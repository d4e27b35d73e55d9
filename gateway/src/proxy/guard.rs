//! What is refused before a route is chosen: ambiguous framing, bad targets, bad hosts.
//!
//! Pingora is lenient where two readers of one message could disagree about its end or its address;
//! this check closes those cases with one pass over the head as it was received. It never changes
//! the request: what passes is routed on and forwarded byte for byte.

use http::{HeaderMap, Method, Version, header};
use memchr::{memchr, memchr_iter, memmem};
use percent_encoding::percent_decode;
use pingora_http::RequestHeader;
use tollgate_filters::{Failure, has_bad_escape};

use crate::config::{Limits, TargetPolicy};

/// Checks a request head; `raw` is the head as received over HTTP/1, or `None` over HTTP/2.
///
/// # Errors
///
/// The reason to refuse the request. [`Failure::BadFraming`] means that the connection cannot be
/// used further.
pub fn check(
    head: &RequestHeader,
    raw: Option<&[u8]>,
    limits: &Limits,
    policy: TargetPolicy,
) -> Result<(), Failure> {
    if let Some(raw) = raw {
        check_raw(raw, limits)?;
        check_framing(&head.headers)?;
    }
    if head.headers.len() > limits.header_count {
        return Err(Failure::HeadersTooLarge);
    }
    check_host(head)?;
    let target = head.raw_path();
    let for_server = target == b"*" && head.method == Method::OPTIONS;
    if !(target.starts_with(b"/") || is_absolute(target) || for_server) {
        return Err(Failure::BadTarget("neither a path nor a URI"));
    }
    check_target(target, policy)
}

fn check_raw(raw: &[u8], limits: &Limits) -> Result<(), Failure> {
    let line_end = memchr(b'\n', raw).unwrap_or(raw.len());
    if line_end > limits.request_line {
        return Err(Failure::UriTooLong);
    }
    if raw.len() - line_end > limits.request_headers {
        return Err(Failure::HeadersTooLarge);
    }
    // Pingora drops `Content-Length` when both are there, so only the raw head tells.
    let (mut lengths, mut encodings) = (0, 0);
    for at in memchr_iter(b'\n', raw) {
        if at.checked_sub(1).and_then(|before| raw.get(before)) != Some(&b'\r') {
            return Err(Failure::BadFraming("a line ends without a carriage return"));
        }
        let line = raw.get(at + 1..).unwrap_or_default();
        match line.first() {
            Some(b'c' | b'C') if is_field(line, b"content-length") => lengths += 1,
            Some(b't' | b'T') if is_field(line, b"transfer-encoding") => encodings += 1,
            _ => {}
        }
    }
    if lengths > 1 {
        return Err(Failure::BadFraming("more than one `Content-Length`"));
    }
    if lengths > 0 && encodings > 0 {
        return Err(Failure::BadFraming("both `Content-Length` and `Transfer-Encoding`"));
    }
    Ok(())
}

/// Whether a line begins with this field name, given in lower case.
fn is_field(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
        && line.get(name.len()) == Some(&b':')
}

fn check_framing(headers: &HeaderMap) -> Result<(), Failure> {
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => {
            Ok(())
        }
        _ => Err(Failure::BadFraming("a `Transfer-Encoding` other than `chunked`")),
    }
}

fn check_host(head: &RequestHeader) -> Result<(), Failure> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(Failure::BadHost("more than one `Host`"));
    }
    let Some(host) = host else {
        let has_authority = head.uri.authority().is_some();
        let may_lack_one = has_authority || head.version < Version::HTTP_11;
        return if may_lack_one { Ok(()) } else { Err(Failure::BadHost("`Host` is missing")) };
    };
    if is_host(host.as_bytes()) { Ok(()) } else { Err(Failure::BadHost("`Host` is malformed")) }
}

/// Whether text is a host name or address with an optional port (RFC 9110 7.2).
fn is_host(text: &[u8]) -> bool {
    let (name, port) = if text.first() == Some(&b'[') {
        let Some(end) = memchr(b']', text) else { return false };
        let (literal, rest) = text.split_at(end + 1);
        let inside = literal.get(1..end).unwrap_or_default();
        let is_address = std::str::from_utf8(inside)
            .is_ok_and(|inside| inside.parse::<std::net::Ipv6Addr>().is_ok());
        if !is_address {
            return false;
        }
        match rest.split_first() {
            None => return true,
            Some((b':', port)) => (literal, Some(port)),
            Some(_) => return false,
        }
    } else {
        match memchr(b':', text) {
            Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
            None => (text, None),
        }
    };
    let port_is_fine = port.is_none_or(|port| {
        port.iter().all(u8::is_ascii_digit)
            && std::str::from_utf8(port).is_ok_and(|port| port.parse::<u16>().is_ok())
    });
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=[]:".contains(byte);
    port_is_fine && !name.is_empty() && name.iter().all(allowed)
}

/// Whether a target is a URI with an authority: `http://h/x`.
fn is_absolute(target: &[u8]) -> bool {
    let scheme = memmem::find(target, b"://").and_then(|end| target.get(..end));
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.iter().all(u8::is_ascii_alphanumeric))
}

/// Checks a raw request target (`predicates.md` 3.7 and the dot rules).
///
/// # Errors
///
/// [`Failure::BadTarget`] with the reason.
pub fn check_target(target: &[u8], policy: TargetPolicy) -> Result<(), Failure> {
    let split = memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at(split);
    for &byte in path {
        if !is_path_byte(byte, policy) {
            return Err(Failure::BadTarget("a character a path cannot have"));
        }
    }
    for &byte in query {
        if !(is_path_byte(byte, policy) || matches!(byte, b'[' | b']')) {
            return Err(Failure::BadTarget("a character a query cannot have"));
        }
    }
    if has_bad_escape(target) {
        return Err(Failure::BadTarget("`%` without two hexadecimal digits"));
    }
    if policy == TargetPolicy::Strict { check_dots(path) } else { Ok(()) }
}

fn is_path_byte(byte: u8, policy: TargetPolicy) -> bool {
    match byte {
        0..=b' '
        | b'"'
        | b'<'
        | b'>'
        | b'\\'
        | b'^'
        | b'`'
        | b'{'
        | b'|'
        | b'}'
        | b'['
        | b']'
        | 0x7F => false,
        0x80.. => policy == TargetPolicy::Pass,
        _ => true,
    }
}

/// Refuses NUL and segments that are `.` or `..` after decoding once, splitting at every decoded
/// `/` or `\` and cutting at `;`: what a backend that normalises would resolve.
///
/// # Errors
///
/// [`Failure::BadTarget`] with the reason.
pub fn check_dots(path: &[u8]) -> Result<(), Failure> {
    // A dot segment needs a dot behind a separator, written or escaped.
    if memchr(b'%', path).is_none() {
        return if has_dot_segment(path) { Err(DOT_SEGMENT) } else { Ok(()) };
    }
    let decoded: Vec<u8> = percent_decode(path).collect();
    if memchr(0, &decoded).is_some() {
        return Err(Failure::BadTarget("a NUL in the path"));
    }
    if has_dot_segment(&decoded) { Err(DOT_SEGMENT) } else { Ok(()) }
}

const DOT_SEGMENT: Failure = Failure::BadTarget("a `.` or `..` segment");

fn has_dot_segment(path: &[u8]) -> bool {
    memchr(b'.', path).is_some()
        && path.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
            let end = memchr(b';', segment).unwrap_or(segment.len());
            matches!(segment.get(..end), Some(b"." | b".."))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { request_line: 64, request_headers: 256, header_count: 4 };

    #[track_caller]
    fn check_code(raw: &str, expected: Option<&str>) {
        let mut lines = raw.split("\r\n");
        let mut first = lines.next().unwrap().split(' ');
        let method = first.next().unwrap();
        let mut head =
            RequestHeader::build(method, first.next().unwrap().as_bytes(), None).unwrap();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap();
            head.append_header(name.to_owned(), value.trim()).unwrap();
        }
        let outcome = check(&head, Some(raw.as_bytes()), &LIMITS, TargetPolicy::Strict);
        assert_eq!(outcome.err().map(|failure| failure.code()), expected, "{raw}");
    }

    #[test]
    fn lets_ordinary_requests_pass() {
        check_code("GET /a?b=[c] HTTP/1.1\r\nHost: h:80\r\n\r\n", None);
        check_code("GET /a//b%2Fc;x=1/%25 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", None);
        check_code("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", None);
        check_code("GET /a/.../b..c HTTP/1.1\r\nHost: h\r\n\r\n", None);
    }

    #[test]
    fn refuses_ambiguous_framing() {
        let bad = Some("BAD_FRAMING");
        check_code(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            bad,
        );
        check_code(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n",
            bad,
        );
        check_code("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", bad);
        check_code("GET / HTTP/1.1\nHost: h\r\n\r\n", bad);
    }

    #[test]
    fn refuses_bad_hosts() {
        for host in ["", "a b", "h:", "h:x", "h:99999", "u@h", "[::1", "a/b"] {
            check_code(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), Some("BAD_HOST"));
        }
        check_code("GET / HTTP/1.1\r\nX: y\r\n\r\n", Some("BAD_HOST"));
    }

    #[track_caller]
    fn check_path(target: &str, fine: bool) {
        assert_eq!(check_target(target.as_bytes(), TargetPolicy::Strict).is_ok(), fine, "{target}");
    }

    #[test]
    fn refuses_what_a_backend_would_resolve() {
        for target in [
            "/a/../b",
            "/..",
            "/.",
            "/a/./b",
            "/%2e%2e/x",
            "/.%2E/x",
            "/..;/x",
            "/a%2F..%2Fb",
            "/a%5C..%5Cb",
            "/a%00b",
            "/a%zz",
            "/a%",
            "/a|b",
            "/a[b]",
            "/\u{e9}",
            "/a?x=|",
            "/a?x=%",
        ] {
            check_path(target, false);
        }
        for target in ["/a//b", "/a%2Fb", "/a;x=1/b", "/%25", "/a?x=../y", "/a?x=[y]", "/..a/b.."] {
            check_path(target, true);
        }
    }

    #[test]
    fn limits_the_head() {
        let long = "x".repeat(80);
        check_code(&format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"), Some("URI_TOO_LONG"));
        let wide = "x".repeat(300);
        check_code(
            &format!("GET / HTTP/1.1\r\nHost: h\r\nX: {wide}\r\n\r\n"),
            Some("HEADERS_TOO_LARGE"),
        );
        check_code(
            "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n\r\n",
            Some("HEADERS_TOO_LARGE"),
        );
    }
}
