//! The few words that describe a member.

use serde::Serialize;
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

impl Status {
    const ALL: [Self; 3] = [Self::Active, Self::Dormant, Self::Withdrawn];

    /// The word for it in the store and in answers.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Dormant => "DORMANT",
            Self::Withdrawn => "WITHDRAWN",
        }
    }

    pub(crate) fn by_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

impl AccountType {
    const ALL: [Self; 4] = [Self::Local, Self::Google, Self::Kakao, Self::Naver];

    /// The word for it in the store and in answers.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Local => "LOCAL",
            Self::Google => "GOOGLE",
            Self::Kakao => "KAKAO",
            Self::Naver => "NAVER",
        }
    }

    pub(crate) fn by_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl Gender {
    /// The word for it in the store and in answers.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::M => "M",
            Self::F => "F",
        }
    }

    pub(crate) fn by_code(code: &str) -> Option<Self> {
        [Self::M, Self::F].into_iter().find(|gender| gender.code() == code)
    }
}
