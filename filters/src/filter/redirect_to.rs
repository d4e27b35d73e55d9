//! `RedirectTo=status, url, includeRequestParams` answers with a redirect.
//!
//! No upstream is asked and no filter behind it runs. The status is any from 300 to 399, by number
//! or name. With `includeRequestParams`, false unless written, the request's parameters go behind
//! those of the URL; the result is encoded as text that is not encoded yet, so every `%` of the URL
//! becomes `%25`.
//!
//! | route                                    | request   | client sees                              |
//! |------------------------------------------|-----------|------------------------------------------|
//! | `RedirectTo=302, https://a.test`         | `/?a=1`   | `302 ⏎ Location: https://a.test`         |
//! | `RedirectTo=FOUND, https://a.test, true` | `/?a=x+y` | `302 ⏎ Location: https://a.test?a=x%20y` |

use std::borrow::Cow;
use std::fmt;

use http::HeaderValue;
use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::java_uri::JavaUri;
use crate::query::Parameters;
use crate::status::Status;
use crate::{Answer, Exchange, Failure, HeaderField, Invalid, header_value};

/// Answers with a redirect.
#[derive(Debug)]
pub(super) struct RedirectTo {
    status: u16,
    url: Box<str>,
    /// The URL in parts, if the request's parameters go into it.
    parts: Option<Box<JavaUri>>,
    field: HeaderField,
    /// `Location` as long as no parameter goes into it.
    location: HeaderValue,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// The status, 300 to 399.
    status: String,
    /// Where to send the client; relative is fine.
    url: String,
    /// Whether the request's parameters go into the URL.
    #[serde(default)]
    include_request_params: bool,
}

impl FromArguments for RedirectTo {
    const NAME: &'static str = "RedirectTo";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["status", "url", "includeRequestParams"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let redirecting = |code: &u16| (300..400).contains(code);
        let Some(status) = Status::parse(&config.status)?.sendable().filter(redirecting) else {
            let problem = format!("`{}` is not from 300 to 399", config.status);
            return Err(Invalid::argument("status", problem));
        };
        let illegal = |problem| Invalid::argument("url", format!("`{}` {problem}", config.url));
        let parts = JavaUri::parse(&config.url).map_err(illegal)?;
        let parts = config.include_request_params.then(|| Box::new(parts));
        let url = parts.as_ref().map_or_else(
            || Cow::Borrowed(&*config.url),
            |parts| Cow::Owned(parts.with_parameters(Parameters::default())),
        );
        let location =
            header_value(&url).map_err(|problem| Invalid::argument("url", problem.to_string()))?;
        let field = settings.shared_headers.field("Location")?;
        Ok(Self { status, parts, field, location, url: config.url.into() })
    }
}

impl RedirectTo {
    fn location(&self, query: Option<&str>) -> Result<HeaderValue, Failure> {
        match (&self.parts, query) {
            (Some(parts), Some(query)) => {
                header_value(&parts.with_parameters(Parameters::decoded(query)))
            }
            _ => Ok(self.location.clone()),
        }
    }
}

impl Filter for RedirectTo {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::Ready(self.location(exchange.query()).map(|location| {
            let answer = Answer::new(self.status).with_header(self.field.clone(), location);
            Flow::Respond(Box::new(answer))
        }))
    }
}

impl fmt::Display for RedirectTo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "RedirectTo {} = {}, includeRequestParams = {}",
            self.status,
            self.url,
            self.parts.is_some()
        )
    }
}
