//! The token a request brings (RFC 6750 2.1).

use http::{HeaderMap, header};

use crate::Failure;

/// The token of the one `Authorization: Bearer` line.
///
/// # Errors
///
/// [`Failure::TokenMissing`] for no line, more than one, another scheme, or nothing behind it.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Failure> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let line = lines.next().ok_or(Failure::TokenMissing("no Authorization header"))?;
    if lines.next().is_some() {
        return Err(Failure::TokenMissing("more than one Authorization header"));
    }
    let text = line.to_str().map_err(|_| Failure::TokenMissing("not readable"))?;
    let (scheme, token) = text.split_once(' ').ok_or(Failure::TokenMissing("no scheme"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Failure::TokenMissing("another scheme than Bearer"));
    }
    let token = token.trim_matches(' ');
    if token.is_empty() { Err(Failure::TokenMissing("no token")) } else { Ok(token) }
}
