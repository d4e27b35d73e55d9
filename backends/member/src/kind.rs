//! The few words that describe a member.

use serde::Serialize;
use service::code::Code;
use utoipa::ToSchema;

/// Where a member is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Active,
    /// Did not log in for long; may come back.
    Dormant,
    /// Gone for good; only the id is left.
    Withdrawn,
}

/// Who checks that a member is who it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum AccountType {
    /// This service, by a password.
    Local,
    Google,
    Kakao,
    Naver,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) enum Gender {
    M,
    F,
}

impl Code for Status {
    const ALL: &'static [Self] = &[Self::Active, Self::Dormant, Self::Withdrawn];

    fn code(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Dormant => "DORMANT",
            Self::Withdrawn => "WITHDRAWN",
        }
    }
}

impl Code for AccountType {
    const ALL: &'static [Self] = &[Self::Local, Self::Google, Self::Kakao, Self::Naver];

    fn code(self) -> &'static str {
        match self {
            Self::Local => "LOCAL",
            Self::Google => "GOOGLE",
            Self::Kakao => "KAKAO",
            Self::Naver => "NAVER",
        }
    }
}

impl Code for Gender {
    const ALL: &'static [Self] = &[Self::M, Self::F];

    fn code(self) -> &'static str {
        match self {
            Self::M => "M",
            Self::F => "F",
        }
    }
}

#[cfg(test)]
mod tests {
    use service::testing::check_codes;

    use super::*;

    #[test]
    fn stored_codes_are_those_of_the_api() {
        check_codes::<Status>();
        check_codes::<AccountType>();
        check_codes::<Gender>();
    }
}
