//! A header line that a filter writes: its name is fixed, its value may have variables.

use http::HeaderValue;
use serde::Deserialize;

use crate::arguments::UnitSettings;
use crate::template::ValueTemplate;
use crate::{Failure, HeaderField, Invalid, Variables, header_value};

/// What a route file says of a header line.
#[derive(Debug, Deserialize)]
pub(crate) struct HeaderLineConfig {
    /// The header's name.
    pub(crate) name: String,
    /// Its value, in which `{x}` is a variable of the route.
    pub(crate) value: String,
}

/// A header line, checked. What cannot be sent is kept, because the reference gateway loads it and
/// fails when it writes the line.
#[derive(Debug)]
pub(crate) struct HeaderLine {
    name: Box<str>,
    field: Result<HeaderField, Failure>,
    template: ValueTemplate,
    /// The value, if it has no variable.
    fixed: Option<Result<HeaderValue, Failure>>,
}

impl HeaderLine {
    /// Checks a line.
    ///
    /// # Errors
    ///
    /// An empty name or value; in native files also what cannot be sent.
    pub(crate) fn new(
        config: &HeaderLineConfig,
        settings: &mut UnitSettings<'_>,
    ) -> Result<Self, Invalid> {
        require("name", &config.name)?;
        require("value", &config.value)?;
        let field = match HeaderField::new(&config.name) {
            Ok(field) => {
                if field.is_framing() {
                    settings.refuse_or_warn(framing(&config.name))?;
                }
                Ok(field)
            }
            Err(problem) => {
                let failure = Failure::Filter(problem.message.clone());
                settings.refuse_or_warn(problem)?;
                Err(failure)
            }
        };
        let template = ValueTemplate::new(&config.value);
        template.check("value", settings)?;
        let fixed = template.fixed().map(header_value);
        if let Some(Err(failure)) = &fixed {
            let problem = Invalid::argument("value", failure.to_string()).per_request();
            settings.refuse_or_warn(problem)?;
        }
        Ok(Self { name: config.name.as_str().into(), field, template, fixed })
    }

    /// The name as written.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The value as written.
    pub(crate) fn value(&self) -> &str {
        self.template.as_str()
    }

    /// Whether all variables of the value are there.
    pub(crate) fn resolve(&self, variables: &Variables) -> Result<(), Failure> {
        self.template.resolve(variables)
    }

    /// The line with its variables in place.
    pub(crate) fn expand(
        &self,
        variables: &Variables,
    ) -> Result<(&HeaderField, HeaderValue), Failure> {
        let value = match &self.fixed {
            Some(fixed) => fixed.clone()?,
            None => header_value(&self.template.expand(variables)?)?,
        };
        Ok((self.field.as_ref().map_err(Failure::clone)?, value))
    }
}

/// Refuses an empty argument.
///
/// # Errors
///
/// `text` is empty.
pub(crate) fn require(field: &'static str, text: &str) -> Result<(), Invalid> {
    if text.is_empty() {
        let problem = Invalid::new("missing-argument", format!("`{field}` is required"));
        return Err(Invalid { field: Some(field), ..problem });
    }
    Ok(())
}

fn framing(name: &str) -> Invalid {
    let message = format!("`{name}` frames the message, only the gateway writes it");
    Invalid { field: Some("name"), ..Invalid::new("framing-header", message) }
        .with_help("leave the filter out, it has no effect")
}
