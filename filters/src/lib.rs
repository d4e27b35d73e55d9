//! The vocabulary of a gateway that speaks the Spring Cloud Gateway language.
//!
//! A [`RouteTable`] holds [`Route`]s in order. Each route has [`Predicate`]s that say which
//! requests it takes, and a [`Chain`] of [`Filter`]s that edit the [`Exchange`] on the way in and
//! on the way out. Units are built from what a route file says ([`Entry`]) and refuse what they
//! cannot serve ([`Invalid`]); what can still go wrong while serving is a [`Failure`].
//!
//! Nothing in here opens a socket, reads a file or looks at a clock: the caller brings the request
//! head, the time and the random numbers. Only the names of tokens and sessions ([`auth`]) are drawn
//! here, from the system.

mod address;
mod answer;
mod arguments;
mod around;
mod body_limit;
mod chain;
mod date_time;
mod digits;
mod duration;
mod edits;
mod exchange;
mod failure;
mod glob;
mod header;
mod header_line;
mod header_name;
mod invalid;
mod java_uri;
mod parts;
mod query;
mod retry_budget;
mod route;
mod shared_headers;
mod status;
mod template;
#[cfg(test)]
mod testing;
mod variables;
mod weights;

pub mod auth;
pub mod breaker;
pub mod exception;
pub mod filter;
pub mod host_pattern;
pub mod java_regex;
pub mod limit;
pub mod path_pattern;
pub mod predicate;
pub mod retry;

pub use answer::Answer;
pub use arguments::{ArgValue, Argument, Entry, FromArguments, Shortcut, UnitSettings};
pub use around::{Around, Outcome, Verdict};
pub use body_limit::BodyLimit;
pub use chain::{Chain, Ordered};
pub use duration::{DurationText, iso_text};
pub use edits::Edits;
pub use exchange::{Exchange, ExchangeState, FramingEdit, Kept, RequestBody, has_bad_escape};
pub use failure::{Failure, Side};
pub use filter::{AnyFilter, Filter, Flow, Hook};
pub use header::{HeaderField, header_value};
pub use invalid::{Invalid, Severity, Span};
pub use java_regex::JavaPattern;
pub use parts::{MonotonicClock, Parts};
pub use predicate::{Choices, Incoming, Predicate, Predicates};
pub use retry_budget::{RetryBudget, RetryBudgetSettings};
pub use route::{MetadataValue, Route, RouteTable, Row, Scheme, Source, Target, TargetKind};
pub use shared_headers::SharedHeaders;
pub use status::status_name;
pub use variables::Variables;
pub use weights::WeightTable;
