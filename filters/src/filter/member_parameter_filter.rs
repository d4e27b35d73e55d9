//! `MemberParameterFilter` (also `CheckMember`) checks who a request speaks for.
//!
//! On a login: the body must be one, and not too many may have failed lately. On any other request:
//! a `memberId` in the query must be the member's own. `MemberParameterFilter=memberId` also writes
//! it, for services that read a parameter; parameters end up in logs, so that is off by default.
//!
//! | route                            | request                                            | upstream sees         |
//! |----------------------------------|----------------------------------------------------|-----------------------|
//! | `MemberParameterFilter`          | `/a?memberId=42 ⏎ Authorization: Bearer {token}`   | `/a?memberId=42`      |
//! | `MemberParameterFilter=memberId` | `/a?x=1 ⏎ Authorization: Bearer {token}`           | `/a?x=1&memberId=42`  |
//! | `MemberParameterFilter=owner`    | `/a?%6fwner=42 ⏎ Authorization: Bearer {token}`    | `/a?owner=42`         |

use std::fmt;

use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{Exchange, Invalid};

/// Checks who a request speaks for.
#[derive(Debug)]
pub(super) struct MemberParameterFilter {
    parameter: Option<String>,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// The query parameter that gets the member's id; none by default.
    parameter: Option<String>,
}

impl FromArguments for MemberParameterFilter {
    const NAME: &'static str = "MemberParameterFilter";
    const ALIASES: &'static [&'static str] = &["CheckMember", "MemberParameter"];
    const SHORTCUT: Shortcut = Shortcut::Fields(&["parameter"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        settings.need_auth()?;
        let is_name = |name: &String| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if let Some(name) = config.parameter.as_ref().filter(|name| !is_name(name)) {
            let problem = format!("`{name}` is not a name of letters, digits and `_`");
            return Err(Invalid::argument("parameter", problem));
        }
        Ok(Self { parameter: config.parameter })
    }
}

impl Filter for MemberParameterFilter {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::Wait(Box::pin(async {
            let parameter = self.parameter.as_deref();
            exchange.authenticator()?.check_member(exchange, parameter).await
        }))
    }
}

impl fmt::Display for MemberParameterFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Self::NAME)?;
        match &self.parameter {
            Some(parameter) => write!(formatter, " parameter = '{parameter}'"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Failure;
    use crate::testing::{check_invalid, run};

    #[test]
    fn another_members_id_is_refused() {
        for query in ["memberId=41", "x=1&member%49d=1", "memberId", "memberId=42&memberId=1"] {
            let request = format!("GET /a?{query}\nAuthorization: Bearer {{token}}");
            let (flow, ..) = run("MemberParameterFilter", &request);
            assert_eq!(flow.unwrap_err(), Failure::MemberMismatch, "{query}");
            let (flow, ..) = run("MemberParameterFilter=owner", &request);
            assert_eq!(flow.unwrap_err(), Failure::MemberMismatch, "{query}");
        }
    }

    #[test]
    fn a_parameter_has_a_plain_name() {
        check_invalid("MemberParameterFilter=a&b", "is not a name");
    }
}
