//! A header name that a filter removes.

use serde::Deserialize;

use crate::arguments::UnitSettings;
use crate::{Failure, HeaderField, Invalid};

/// What a route file says of a header to remove.
#[derive(Debug, Deserialize)]
pub(crate) struct HeaderNameConfig {
    /// The header's name.
    name: Option<String>,
}

/// A header to remove, checked.
#[derive(Debug)]
pub(crate) struct RemovedHeader {
    text: Option<String>,
    field: Option<HeaderField>,
}

impl RemovedHeader {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// In native files, no name or one that no header can have. The reference gateway loads both:
    /// it fails each request without a name, and never finds a header with an impossible one.
    pub(crate) fn new(
        config: HeaderNameConfig,
        settings: &mut UnitSettings<'_>,
    ) -> Result<Self, Invalid> {
        let field = match &config.name {
            Some(text) => settings.shared_headers.field(text),
            None => Err(missing().per_request()),
        };
        let field = match field {
            Ok(field) => Some(field),
            Err(problem) => {
                settings.refuse_or_warn(problem)?;
                None
            }
        };
        Ok(Self { text: config.name, field })
    }

    /// The name as written.
    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// The header, if there can be one of that name.
    ///
    /// # Errors
    ///
    /// The file gives no name.
    pub(crate) fn field(&self) -> Result<Option<&HeaderField>, Failure> {
        match &self.text {
            Some(_) => Ok(self.field.as_ref()),
            None => Err(Failure::Filter(missing().message)),
        }
    }
}

fn missing() -> Invalid {
    Invalid::new("missing-argument", "`name` is required")
}
