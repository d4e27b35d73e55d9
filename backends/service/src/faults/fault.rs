//! One fault, and how it is written.

use std::time::Duration;

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::check::Check;
use crate::problem::Problem;

/// A fault that waits for its calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The operation it strikes.
    pub operation: String,
    /// What a call must be about; anything where nothing is said.
    pub only: Subject,
    /// What happens.
    pub kind: Kind,
    /// How often it strikes; always when nothing is said.
    pub times: Option<u32>,
    /// How likely it strikes a call, from 0 to 1.
    pub probability: f64,
}

/// What a call is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Subject {
    /// The reservation, at the CMS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The room, at the CMS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_id: Option<i64>,
    /// The order, at the payment gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `delay`
    Delay(Duration),
    /// `delay_after`
    DelayAfter(Duration),
    /// `status`
    Status(StatusCode, String),
    /// `drop_before`
    DropBefore,
    /// `drop_after`
    DropAfter,
    /// `garbage`
    Garbage,
    /// `expire_hold`
    ExpireHold,
    /// `duplicate`
    Duplicate,
    /// `pg_code`
    PgCode(String),
}

/// A fault as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    /// The operation it strikes, such as `approve`.
    #[schema(value_type = String, required = true)]
    operation: Option<String>,
    /// What a call must be about.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    only: Option<Subject>,
    /// One of `delay`, `delay_after`, `status`, `drop_before`, `drop_after`, `garbage`,
    /// `expire_hold`, `duplicate` and `pg_code`.
    #[schema(value_type = String, required = true)]
    kind: Option<String>,
    /// A duration, a status with a code, or a code, as the kind needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// How often it strikes; always when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    times: Option<i64>,
    /// How likely it strikes a call (1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    probability: Option<f64>,
}

impl Fault {
    pub(super) fn is_for(&self, operation: &str, subject: &Subject) -> bool {
        fn fits<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none() || wanted == found
        }
        let Subject { external_id, room_id, order_id } = &self.only;
        self.operation == operation
            && fits(external_id.as_ref(), subject.external_id.as_ref())
            && fits(room_id.as_ref(), subject.room_id.as_ref())
            && fits(order_id.as_ref(), subject.order_id.as_ref())
    }

    pub(super) fn read(written: Written, operations: &[&str]) -> Result<Self, Problem> {
        let Written { operation, only, kind, value, times, probability } = written;
        let mut check = Check::new();
        let operation = check.required("operation", operation);
        let expected = format!("one of {}", operations.join(", "));
        let operation = check.parse("operation", operation.as_deref(), expected, |text| {
            operations.contains(&text).then(|| text.to_owned())
        });
        let kind = check.required("kind", kind);
        let kind =
            check.parse("kind", kind.as_deref(), EXPECTED, |kind| Kind::of(kind, value.as_deref()));
        let times = check.within("times", times, 1..=i64::from(u32::MAX));
        let probability = check.within("probability", probability.or(Some(1.0)), 0.0..=1.0);
        let fault = || {
            Some(Self {
                operation: operation?,
                only: only.unwrap_or_default(),
                kind: kind?,
                times: times.and_then(|times| times.try_into().ok()),
                probability: probability?,
            })
        };
        check.finish_with(fault())
    }

    pub(super) fn write(&self) -> Written {
        let (kind, value) = self.kind.written();
        Written {
            operation: Some(self.operation.clone()),
            only: (self.only != Subject::default()).then(|| self.only.clone()),
            kind: Some(kind.to_owned()),
            value,
            times: self.times.map(i64::from),
            probability: Some(self.probability),
        }
    }
}

const EXPECTED: &str = "a kind with the value it needs, such as delay with 800ms, status with 409 \
     SOME_CODE, drop_after without one";

impl Kind {
    /// Reads `kind=value` or `kind`, as in the header of a single call.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let (kind, value) =
            text.split_once('=').map_or((text, None), |(kind, value)| (kind, Some(value)));
        Self::of(kind, value).ok_or_else(|| {
            let detail = format!("X-Fault must be {EXPECTED}");
            Problem::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", detail)
        })
    }

    fn of(kind: &str, value: Option<&str>) -> Option<Self> {
        Some(match (kind, value) {
            ("delay", Some(value)) => Self::Delay(duration(value)?),
            ("delay_after", Some(value)) => Self::DelayAfter(duration(value)?),
            ("status", Some(value)) => {
                let (status, code) = value.split_once(' ').unwrap_or((value, "INTERNAL_ERROR"));
                let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
                let is_error = status.is_client_error() || status.is_server_error();
                is_error.then(|| Self::Status(status, code.to_owned()))?
            }
            ("drop_before", None) => Self::DropBefore,
            ("drop_after", None) => Self::DropAfter,
            ("garbage", None) => Self::Garbage,
            ("expire_hold", None) => Self::ExpireHold,
            ("duplicate", None) => Self::Duplicate,
            ("pg_code", Some(code)) => Self::PgCode(code.to_owned()),
            _ => return None,
        })
    }

    fn written(&self) -> (&'static str, Option<String>) {
        let text = |time: &Duration| Some(format!("{}ms", time.as_millis()));
        match self {
            Self::Delay(time) => ("delay", text(time)),
            Self::DelayAfter(time) => ("delay_after", text(time)),
            Self::Status(status, code) => ("status", Some(format!("{} {code}", status.as_u16()))),
            Self::DropBefore => ("drop_before", None),
            Self::DropAfter => ("drop_after", None),
            Self::Garbage => ("garbage", None),
            Self::ExpireHold => ("expire_hold", None),
            Self::Duplicate => ("duplicate", None),
            Self::PgCode(code) => ("pg_code", Some(code.clone())),
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    let duration: SignedDuration = text.parse().ok()?;
    duration.try_into().ok()
}
