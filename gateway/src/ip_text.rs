//! IP addresses as text, for what is written on every request.

use std::io::{self, Write};
use std::net::IpAddr;

/// Writes an address as its `Display` does, IPv4 without the formatting machinery.
///
/// # Errors
///
/// The output takes no more.
pub(crate) fn write_ip(out: &mut impl Write, ip: IpAddr) -> io::Result<()> {
    let IpAddr::V4(ip) = ip else { return write!(out, "{ip}") };
    let mut number = itoa::Buffer::new();
    for (at, octet) in ip.octets().into_iter().enumerate() {
        if at > 0 {
            out.write_all(b".")?;
        }
        out.write_all(number.format(octet).as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_as_display_does() {
        for text in ["0.0.0.0", "10.20.100.255", "::1", "2001:db8::7"] {
            let mut out = Vec::new();
            write_ip(&mut out, text.parse().unwrap()).unwrap();
            assert_eq!(out, text.as_bytes());
        }
    }
}
