//! Addresses and networks as a route file writes them (`predicates.md` 5.12).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::digits::parse_long;

/// Reads `address` or `address/prefix` as the reference gateway does: without a prefix it is 32,
/// for IPv6 too.
pub(crate) fn parse_network(text: &str) -> Option<IpNet> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, u8::try_from(parse_long(prefix)?).ok()?),
        None => (text, 32),
    };
    IpNet::new(parse_address(address)?, prefix).ok()
}

/// Reads an address as Java does, except for host names. Nothing and `localhost` are the loopback
/// address.
fn parse_address(text: &str) -> Option<IpAddr> {
    if text.is_empty() {
        return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    if text.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    match text.strip_prefix('[') {
        Some(rest) => parse_v6(rest.strip_suffix(']')?),
        None => parse_v4(text).map(IpAddr::V4).or_else(|| parse_v6(text)),
    }
}

/// One to four decimal numbers; the last fills the bytes that are left.
pub(crate) fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    const LONGEST: usize = "255.255.255.255".len();
    if text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let mut numbers = text.split('.').map(str::parse::<u64>);
    let last = numbers.next_back()?.ok()?;
    let mut bits = 0;
    let mut free = 32;
    for number in numbers {
        let byte = number.ok().filter(|number| *number <= 255)?;
        free -= 8;
        if free == 0 {
            return None;
        }
        bits |= byte << free;
    }
    (last < 1 << free).then_some(())?;
    Some(Ipv4Addr::from_bits(u32::try_from(bits | last).ok()?))
}

/// Groups of any length whose value fits; an IPv4-mapped address becomes IPv4.
fn parse_v6(text: &str) -> Option<IpAddr> {
    let text = match text.split_once('%') {
        // A number is a scope, which takes no part in matching; a name is an interface of this
        // machine.
        Some((address, scope)) => {
            scope.parse::<u32>().ok()?;
            address
        }
        None => text,
    };
    let mut groups = Vec::new();
    if let Some((before, after)) = text.split_once("::") {
        let mut tail = Vec::new();
        push_groups(before, &mut groups)?;
        push_groups(after, &mut tail)?;
        let missing = 8_usize.checked_sub(groups.len() + tail.len()).filter(|left| *left > 0)?;
        groups.extend(std::iter::repeat_n(0, missing));
        groups.append(&mut tail);
    } else if text.contains(':') {
        push_groups(text, &mut groups)?;
    }
    let groups: [u16; 8] = groups.try_into().ok()?;
    Some(IpAddr::V6(Ipv6Addr::from(groups)).to_canonical())
}

fn push_groups(text: &str, groups: &mut Vec<u16>) -> Option<()> {
    if text.is_empty() {
        return Some(());
    }
    let mut pieces = text.split(':').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() && piece.bytes().filter(|byte| *byte == b'.').count() == 3 {
            let [a, b, c, d] = parse_v4(piece)?.octets();
            groups.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
        } else if piece.starts_with('+') {
            return None;
        } else {
            groups.push(u16::from_str_radix(piece, 16).ok()?);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let network = parse_network(text).map(|network| network.to_string());
        assert_eq!(network.as_deref(), expected, "{text}");
    }

    /// What Java 17 makes of each.
    #[test]
    fn reads_what_java_reads() {
        check("10.0.0.1", Some("10.0.0.1/32"));
        check("10.1", Some("10.0.0.1/32"));
        check("10.0.0/24", Some("10.0.0.0/24"));
        check("167772161", Some("10.0.0.1/32"));
        check("4294967295", Some("255.255.255.255/32"));
        check("010.0.0.1", Some("10.0.0.1/32"));
        check("0010.000.0.01", Some("10.0.0.1/32"));
        check("00010.000.0.01", Some("10.0.0.1/32"));
        check("10.0.65535", Some("10.0.255.255/32"));
        check("10.16777215", Some("10.255.255.255/32"));
        check("[::1]/128", Some("::1/128"));
        check("::1", Some("::1/32"));
        check("::", Some("::/32"));
        check("1::", Some("1::/32"));
        check("::ffff:10.0.0.1", Some("10.0.0.1/32"));
        check("::ffff:a00:1", Some("10.0.0.1/32"));
        check("::10.0.0.1", Some("::a00:1/32"));
        check("::ffff:010.0.0.1", Some("10.0.0.1/32"));
        check("1:2:3:4:5:6:7:8", Some("1:2:3:4:5:6:7:8/32"));
        check("1:2:3:4:5:6:7::", Some("1:2:3:4:5:6:7:0/32"));
        check("::2:3:4:5:6:7:8", Some("0:2:3:4:5:6:7:8/32"));
        check("1:2:3:4:5:6:1.2.3.4", Some("1:2:3:4:5:6:102:304/32"));
        check("::00001", Some("::1/32"));
        check("::0000000000000001", Some("::1/32"));
        check("fe80::1%1", Some("fe80::1/32"));
        check("fe80::1%1/64", Some("fe80::1/64"));
        check("/24", Some("127.0.0.1/24"));
        check("localhost", Some("127.0.0.1/32"));
        check("LocalHost/8", Some("127.0.0.1/8"));
        check("10.0.0.0/+8", Some("10.0.0.0/8"));
        check("10.0.0.0/-0", Some("10.0.0.0/0"));
        check("10.0.0.0/08", Some("10.0.0.0/8"));
        check("10.0.0.0/٣", Some("10.0.0.0/3"));
        check("::/0", Some("::/0"));
        check("::/128", Some("::/128"));
    }

    #[test]
    fn refuses_what_java_refuses() {
        let refused = [
            "4294967296",
            "10.0.0.256",
            "10.0.0.",
            ".1",
            "1..2",
            "1.2.3.4.5",
            "10.0.65536",
            "10.16777216",
            "0x7f.1",
            "[10.0.0.1]",
            "[::1",
            "[]",
            "::ffff:10.0.0.1/33",
            "::ffff:10.1",
            "1:2:3:4::5:6:7:8",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7",
            "::1::",
            ":::",
            ":1",
            "1:",
            "1:2:3:4:5:6:7:1.2.3.4",
            "::12345",
            "::g",
            "fe80::1%",
            "fe80::1%nope",
            "/",
            "10.0.0.0/",
            "10.0.0.0/x",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/24/8",
            "300.1.1.1",
            "\"10.0.0.1\"",
            "10.0.0.1 ",
            " 10.0.0.1",
            "10.0.0.0/ 8",
            "::/129",
            "::+1",
            "::-1",
            "1.2.3.4:5",
            "::1.2.3.4:5",
            "1.2.3.4%1",
            "10.0.0.1/4294967304",
            "de.ad",
        ];
        for text in refused {
            check(text, None);
        }
    }
}
