//! `FallbackHeaders` tells the upstream of a fallback why a circuit breaker sent the request there.
//!
//! It stands on the route that serves the fallback. The headers have the names below unless `args`
//! give them others: `executionExceptionTypeHeaderName`, `executionExceptionMessageHeaderName`,
//! `rootCauseExceptionTypeHeaderName`, `rootCauseExceptionMessageHeaderName`. Types are the Java
//! classes that the reference gateway throws. A request that no breaker sent is left alone.
//!
//! | route             | request                              | upstream sees                        |
//! |-------------------|--------------------------------------|--------------------------------------|
//! | `FallbackHeaders` | `/a ⏎ Execution-Exception-Type: own` | `/a ⏎ Execution-Exception-Type: own` |

use std::fmt;

use http::HeaderValue;
use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{Exchange, Failure, HeaderField, Invalid, exception, header_value};

/// Tells why a request is a fallback.
#[derive(Debug)]
pub(super) struct FallbackHeaders(Box<Fields>);

#[derive(Debug)]
struct Fields {
    class: HeaderField,
    message: HeaderField,
    root_class: HeaderField,
    root_message: HeaderField,
}

/// What a route file may say: names of headers.
#[expect(clippy::struct_field_names, reason = "they are the names of the reference")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Config {
    execution_exception_type_header_name: String,
    execution_exception_message_header_name: String,
    root_cause_exception_type_header_name: String,
    root_cause_exception_message_header_name: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            execution_exception_type_header_name: "Execution-Exception-Type".to_owned(),
            execution_exception_message_header_name: "Execution-Exception-Message".to_owned(),
            root_cause_exception_type_header_name: "Root-Cause-Exception-Type".to_owned(),
            root_cause_exception_message_header_name: "Root-Cause-Exception-Message".to_owned(),
        }
    }
}

impl FromArguments for FallbackHeaders {
    const NAME: &'static str = "FallbackHeaders";
    const SHORTCUT: Shortcut = Shortcut::Fields(&[]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let field = |name: &str| settings.shared_headers.field(name);
        Ok(Self(Box::new(Fields {
            class: field(&config.execution_exception_type_header_name)?,
            message: field(&config.execution_exception_message_header_name)?,
            root_class: field(&config.root_cause_exception_type_header_name)?,
            root_message: field(&config.root_cause_exception_message_header_name)?,
        })))
    }
}

impl FallbackHeaders {
    fn tell(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        let Some(cause) = exchange.state().cause.clone() else { return Ok(()) };
        let Fields { class, message, root_class, root_message } = &*self.0;
        let (root, root_text) = exception::root_of(&cause);
        let text = exception::message_of(&cause);
        let named = |class: exception::Class| HeaderValue::from_static(class.name());
        exchange.set_header(class, named(exception::class_of(&cause)))?;
        exchange.set_header(message, header_value(&text)?)?;
        exchange.set_header(root_class, named(root))?;
        exchange.set_header(root_message, header_value(&root_text)?)
    }
}

impl Filter for FallbackHeaders {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.tell(exchange))
    }
}

impl fmt::Display for FallbackHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fields { class, message, root_class, root_message } = &*self.0;
        write!(
            formatter,
            "FallbackHeaders executionExceptionTypeHeaderName = '{}', executionExceptionMessageHeaderName = '{}', \
             rootCauseExceptionTypeHeaderName = '{}', rootCauseExceptionMessageHeaderName = '{}'",
            class.spelling(),
            message.spelling(),
            root_class.spelling(),
            root_message.spelling()
        )
    }
}
