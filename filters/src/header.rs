//! Header fields as filters name them: any spelling, checked once at load.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use pingora_http::{RequestHeader, ResponseHeader};

use crate::{Failure, Invalid};

/// A header name with the spelling of the route file.
///
/// Names compare without case; the spelling is what goes on an HTTP/1 wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderField(Arc<Field>);

#[derive(Debug, PartialEq, Eq)]
struct Field {
    name: HeaderName,
    spelling: Bytes,
    is_framing: bool,
}

impl HeaderField {
    /// Checks `text` as a header name.
    ///
    /// # Errors
    ///
    /// A name with a character that is no token character. The reference gateway loads it and fails
    /// each request (`filters.md` 3.7).
    pub fn new(text: &str) -> Result<Self, Invalid> {
        match HeaderName::from_bytes(text.as_bytes()) {
            Ok(name) => {
                let is_framing = is_framing(&name);
                let spelling = Bytes::copy_from_slice(text.as_bytes());
                Ok(Self(Arc::new(Field { name, spelling, is_framing })))
            }
            Err(_) => Err(Invalid::argument("name", format!("`{text}` is not a header name"))
                .with_help("a header name has letters, digits and the characters !#$%&'*+-.^_`|~")
                .per_request()),
        }
    }

    /// The name, for looking it up.
    pub fn name(&self) -> &HeaderName {
        &self.0.name
    }

    /// The spelling, for sending it.
    pub fn spelling(&self) -> &str {
        // A header name is ASCII by construction.
        std::str::from_utf8(&self.0.spelling).unwrap_or_default()
    }

    /// Whether the field frames the message or belongs to one connection (RFC 9110 7.6.1).
    ///
    /// The proxy writes these itself; a filter that could set them could smuggle a request.
    pub fn is_framing(&self) -> bool {
        self.0.is_framing
    }

    /// Adds a line to a request.
    ///
    /// # Errors
    ///
    /// More lines than a head can hold.
    pub fn append_to_request(
        &self,
        head: &mut RequestHeader,
        value: HeaderValue,
    ) -> Result<(), Failure> {
        if self.is_framing() {
            return Ok(());
        }
        head.append_header(self.0.spelling.clone(), value).map(drop).map_err(|_| too_many())
    }

    /// Replaces all lines of a request by one.
    ///
    /// # Errors
    ///
    /// More lines than a head can hold.
    pub fn set_on_request(
        &self,
        head: &mut RequestHeader,
        value: HeaderValue,
    ) -> Result<(), Failure> {
        if self.is_framing() {
            return Ok(());
        }
        head.insert_header(self.0.spelling.clone(), value).map_err(|_| too_many())
    }

    /// Adds a line to a response.
    ///
    /// # Errors
    ///
    /// More lines than a head can hold.
    pub fn append_to_response(
        &self,
        head: &mut ResponseHeader,
        value: HeaderValue,
    ) -> Result<(), Failure> {
        if self.is_framing() {
            return Ok(());
        }
        head.append_header(self.0.spelling.clone(), value).map(drop).map_err(|_| too_many())
    }

    /// Replaces all lines of a response by one.
    ///
    /// # Errors
    ///
    /// More lines than a head can hold.
    pub fn set_on_response(
        &self,
        head: &mut ResponseHeader,
        value: HeaderValue,
    ) -> Result<(), Failure> {
        if self.is_framing() {
            return Ok(());
        }
        head.insert_header(self.0.spelling.clone(), value).map_err(|_| too_many())
    }

    /// Drops all lines of a response.
    pub fn remove_from_response(&self, head: &mut ResponseHeader) {
        if !self.is_framing() {
            head.remove_header(&self.0.name);
        }
    }

    /// Whether there is no line of this name, or only blank ones.
    pub fn is_missing_or_blank(&self, headers: &HeaderMap) -> bool {
        headers.get_all(&self.0.name).iter().all(|value| value.as_bytes().trim_ascii().is_empty())
    }
}

/// Whether a field frames the message or belongs to one connection only.
pub(crate) fn is_framing(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONTENT_LENGTH
            | header::TRANSFER_ENCODING
            | header::CONNECTION
            | header::UPGRADE
            | header::TE
            | header::TRAILER
            | header::PROXY_AUTHENTICATE
            | header::PROXY_AUTHORIZATION
    ) || name == "keep-alive"
}

fn too_many() -> Failure {
    Failure::Filter("too many header lines".to_owned())
}

/// Turns text into a header value as the reference gateway puts it on the wire: a character up to
/// U+00FF is one Latin-1 byte, any other becomes `?` (`??` outside the basic plane, where it is two
/// UTF-16 units), trailing blanks are lost.
///
/// # Errors
///
/// A line break or NUL anywhere, or a leading blank (`filters.md` 3.7).
pub fn header_value(text: &str) -> Result<HeaderValue, Failure> {
    let trimmed = text.trim_end_matches([' ', '\t']);
    if trimmed.starts_with([' ', '\t']) || (trimmed.is_empty() && !text.is_empty()) {
        return Err(Failure::Filter("a header value begins with a blank".to_owned()));
    }
    let illegal = |_| Failure::Filter("a header value holds a control character".to_owned());
    if trimmed.is_ascii() {
        return HeaderValue::from_str(trimmed).map_err(illegal);
    }
    let latin1: Vec<u8> =
        trimmed.encode_utf16().map(|unit| u8::try_from(unit).unwrap_or(b'?')).collect();
    HeaderValue::from_bytes(&latin1).map_err(illegal)
}
