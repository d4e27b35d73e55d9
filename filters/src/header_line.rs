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
    field: Result<HeaderField, Box<Unsendable>>,
    value: Value,
}

#[derive(Debug)]
enum Value {
    /// Without variables: ready to be sent, and as written.
    Fixed(HeaderValue, Box<str>),
    /// With variables.
    Template(Box<ValueTemplate>),
    /// Without variables, and not to be sent.
    Fails(Box<Unsendable>),
}

/// A text that cannot be sent, and why.
#[derive(Debug)]
struct Unsendable {
    written: Box<str>,
    failure: Failure,
}

impl Unsendable {
    fn new(written: &str, failure: Failure) -> Self {
        Self { written: written.into(), failure }
    }
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
        let HeaderLineConfig { name, value } = config;
        require("name", name)?;
        require("value", value)?;
        let field = match settings.shared_headers.field(name) {
            Ok(field) => {
                if field.is_framing() {
                    settings.refuse_or_warn(framing(name))?;
                }
                Ok(field)
            }
            Err(problem) => {
                let failure = Failure::Filter(problem.message.clone());
                settings.refuse_or_warn(problem)?;
                Err(Box::new(Unsendable::new(name, failure)))
            }
        };
        let template = ValueTemplate::new(value);
        template.check("value", settings)?;
        let value = match template.fixed().map(header_value) {
            None => Value::Template(Box::new(template)),
            Some(Ok(sent)) => {
                Value::Fixed(settings.shared_headers.value(sent), value.as_str().into())
            }
            Some(Err(failure)) => {
                let problem = Invalid::argument("value", failure.to_string()).per_request();
                settings.refuse_or_warn(problem)?;
                Value::Fails(Box::new(Unsendable::new(value, failure)))
            }
        };
        Ok(Self { field, value })
    }

    /// The name as written.
    pub(crate) fn name(&self) -> &str {
        match &self.field {
            Ok(field) => field.spelling(),
            Err(unsendable) => &unsendable.written,
        }
    }

    /// The value as written.
    pub(crate) fn value(&self) -> &str {
        match &self.value {
            Value::Fixed(_, written) => written,
            Value::Template(template) => template.as_str(),
            Value::Fails(unsendable) => &unsendable.written,
        }
    }

    /// Whether all variables of the value are there.
    pub(crate) fn resolve(&self, variables: &Variables) -> Result<(), Failure> {
        match &self.value {
            Value::Template(template) => template.resolve(variables),
            Value::Fixed(..) | Value::Fails(_) => Ok(()),
        }
    }

    /// The line with its variables in place.
    pub(crate) fn expand(
        &self,
        variables: &Variables,
    ) -> Result<(&HeaderField, HeaderValue), Failure> {
        let value = match &self.value {
            Value::Fixed(value, _) => value.clone(),
            Value::Template(template) => header_value(&template.expand(variables)?)?,
            Value::Fails(unsendable) => return Err(unsendable.failure.clone()),
        };
        let field = self.field.as_ref().map_err(|unsendable| unsendable.failure.clone())?;
        Ok((field, value))
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
