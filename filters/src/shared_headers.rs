//! Header names and values that the routes of a file share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bytes::BytesMut;
use http::HeaderValue;

use crate::{HeaderField, Invalid};

/// The header names and values that the routes of a file write. A clone is a handle to the same.
///
/// A request to one of many routes waits for each place in memory it goes to; names that are the
/// same for all, and values side by side with few reference counts, are likely to be at hand.
#[derive(Debug, Clone, Default)]
pub struct SharedHeaders(Rc<RefCell<Known>>);

#[derive(Debug, Default)]
struct Known {
    fields: HashMap<String, HeaderField>,
    /// Room for the next values.
    values: BytesMut,
}

/// How many bytes of values share a reference count: enough to keep the counts together, too few
/// for busy routes to share one.
const BLOCK: usize = 1024;

impl SharedHeaders {
    /// The field with this spelling.
    ///
    /// # Errors
    ///
    /// As [`HeaderField::new`].
    pub fn field(&self, text: &str) -> Result<HeaderField, Invalid> {
        let mut known = self.0.borrow_mut();
        if let Some(field) = known.fields.get(text) {
            return Ok(field.clone());
        }
        let field = HeaderField::new(text)?;
        known.fields.insert(text.to_owned(), field.clone());
        Ok(field)
    }

    /// The same value, beside those of other routes.
    pub fn value(&self, value: HeaderValue) -> HeaderValue {
        let text = value.as_bytes();
        if text.len() > BLOCK / 8 {
            return value;
        }
        let values = &mut self.0.borrow_mut().values;
        if values.capacity() < text.len() {
            *values = BytesMut::with_capacity(BLOCK);
        }
        values.extend_from_slice(text);
        HeaderValue::from_maybe_shared(values.split().freeze()).unwrap_or(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_one_spelling_are_one() {
        let shared = SharedHeaders::default();
        let spelling = |text| shared.field(text).unwrap().spelling().as_ptr();
        assert_eq!(spelling("X-Tag"), spelling("X-Tag"));
        assert_ne!(spelling("X-Tag"), spelling("x-tag"));
        assert!(shared.field("X Tag").is_err());
    }

    #[test]
    fn values_stay_what_they_are() {
        let shared = SharedHeaders::default();
        let texts: Vec<String> = (0..300).map(|length| "v".repeat(length)).collect();
        let value = |text: &String| shared.value(HeaderValue::from_str(text).unwrap());
        let values: Vec<HeaderValue> = texts.iter().map(value).collect();
        drop(shared);
        assert_eq!(values, texts);
    }
}
