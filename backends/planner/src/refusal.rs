//! Why a travel was not read or changed, and what the client is told.

use axum::http::StatusCode;
use jiff::civil::Date;
use service::problem::{FieldError, Problem};

use crate::period::Period;
use crate::plan::MOST_PLANS;

/// Why something was not done; the store is as it was before.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("you have no travel with this id; GET /travels lists those you have")]
    NoTravel,
    #[error("this travel has no such region; GET its regions for those it has")]
    NoRegion,
    #[error("this travel has no such plan, or not on that day; GET its plans for those it has")]
    NoPlan,
    #[error("your travel {travel_id} {period} has days in common with it; choose other days")]
    Overlap { travel_id: i64, period: Period },
    #[error("a plan on {day} is not within the travel {period}; choose other days")]
    PlanOutOfRange { day: Date, period: Period },
    #[error("a travel has at least one region; replace the regions instead")]
    LastRegion,
    /// How many plans there are on the day.
    #[error("the day has {0} plans")]
    NoSuchPlace(usize),
    #[error("the travel is full")]
    Full,
    #[error("another request was faster")]
    Concurrent,
    #[error("the travel could not be stored; the log has the trace id")]
    NotCreated(#[source] sqlx::Error),
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NoTravel => Self::not_found("TRAVEL_NOT_FOUND", detail),
            Refusal::NoRegion => Self::not_found("REGION_NOT_FOUND", detail),
            Refusal::NoPlan => Self::not_found("PLAN_NOT_FOUND", detail),
            Refusal::Overlap { .. } => Self::conflict("TRAVEL_OVERLAP", detail),
            Refusal::PlanOutOfRange { .. } => Self::conflict("PLAN_OUT_OF_RANGE", detail),
            Refusal::LastRegion => Self::conflict("LAST_REGION", detail),
            Refusal::NoSuchPlace(plans) => {
                invalid("planOrder", format!("must be from 1 to {plans}, the plans on its day"))
            }
            Refusal::Full => {
                let reason = format!("has {MOST_PLANS} plans, the most there may be; delete some");
                invalid("travelId", reason)
            }
            Refusal::Concurrent => Self::concurrent(),
            Refusal::NotCreated(error) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "TRAVEL_CREATED_FAIL", detail)
                    .caused_by(error)
            }
            Refusal::Store(error) => error.into(),
        }
    }
}

fn invalid(field: &str, reason: String) -> Problem {
    Problem::invalid(vec![FieldError { field: field.to_owned(), reason, rejected: None }])
}
