//! An answer the gateway gives without asking an upstream.

use bytes::Bytes;
use http::HeaderValue;

use crate::header::HeaderField;

/// An answer made by a filter, such as a redirect.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status, 100 to 999.
    pub status: u16,
    /// Header lines, in order.
    pub headers: Vec<(HeaderField, HeaderValue)>,
    /// The body; empty for none.
    pub body: Bytes,
}

impl Answer {
    /// An answer without headers and body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// Adds a header line.
    #[must_use]
    pub fn with_header(mut self, name: HeaderField, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}
