//! Predicates: which requests a route takes.
//!
//! To add one, write `predicate/<name>.rs` and add its two lines here: the module and its place in
//! [`ALL`].

mod incoming;
mod late_pattern;

mod after;
mod before;
mod between;
mod cookie;
mod header;
mod host;
mod method;
mod path;
mod query;
mod remote_addr;
mod weight;

use std::fmt::{Debug, Display};
use std::ops::Deref;
use std::sync::Arc;

use crate::arguments::{Bound, FromArguments, UnitSettings, bind};
use crate::{Entry, Failure, Invalid, Variables};

pub(crate) use cookie::cookies;
pub(crate) use host::without_port;
pub use incoming::{Choices, Incoming, RequestPath};

/// Every predicate a route may name, in alphabetical order.
pub const ALL: &[Definition] = &[
    Definition::of::<after::After>(),
    Definition::of::<before::Before>(),
    Definition::of::<between::Between>(),
    Definition::of::<cookie::Cookie>(),
    Definition::of::<header::Header>(),
    Definition::of::<host::Host>(),
    Definition::of::<method::Method>(),
    Definition::of::<path::Path>(),
    Definition::of::<query::Query>(),
    Definition::of::<remote_addr::RemoteAddr>(),
    Definition::of::<weight::Weight>(),
];

/// A condition on a request.
///
/// Pure: it changes nothing and has no state. Its text form is the one the reference gateway shows:
/// `Methods: [GET, PUT]`.
pub trait Predicate: Debug + Display + Send + Sync {
    /// Whether the request meets the condition.
    ///
    /// # Errors
    ///
    /// The condition cannot be evaluated, for example because a pattern ran into its limit. The
    /// route counts as not matching; the error is raised only if no other route matches.
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure>;

    /// Adds what the condition captured; called for the chosen route only, so that nothing leaks
    /// from routes that were rejected.
    ///
    /// # Errors
    ///
    /// As [`Predicate::matches`].
    fn capture(&self, _incoming: &Incoming<'_>, _into: &mut Variables) -> Result<(), Failure> {
        Ok(())
    }

    /// The names [`Predicate::capture`] may set.
    fn variables(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The `Path` pattern that fits a request that meets the condition.
    fn path_pattern(&self, _incoming: &Incoming<'_>) -> Option<&Arc<str>> {
        None
    }

    /// What the route index may rely on.
    fn hint(&self) -> Hint<'_> {
        Hint::None
    }

    /// Whether the hint says it all: every request it admits meets the condition, which then need
    /// not be asked. Only for [`Hint::Paths`].
    fn is_its_hint(&self) -> bool {
        false
    }
}

/// The conditions of one route, in the order they are asked.
#[derive(Debug, Default)]
pub struct Predicates {
    all: Box<[Box<dyn Predicate>]>,
    /// Whether any of them captures something.
    has_variables: bool,
}

impl Predicates {
    /// Whether all hold, asked in their order until one does not.
    ///
    /// # Errors
    ///
    /// A predicate that failed.
    pub fn match_all(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        for predicate in &self.all {
            if !predicate.matches(incoming)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What they capture from a request they take.
    ///
    /// # Errors
    ///
    /// A predicate that failed.
    pub fn capture(&self, incoming: &Incoming<'_>) -> Result<Variables, Failure> {
        let mut variables = Variables::new();
        if self.has_variables {
            for predicate in &self.all {
                predicate.capture(incoming, &mut variables)?;
            }
        }
        Ok(variables)
    }

    /// The `Path` pattern that fits a request they take (`predicates.md` 3.2); `None` if the route
    /// has no such predicate.
    pub fn path_pattern(&self, incoming: &Incoming<'_>) -> Option<&Arc<str>> {
        self.all.iter().rev().find_map(|predicate| predicate.path_pattern(incoming))
    }
}

impl From<Vec<Box<dyn Predicate>>> for Predicates {
    fn from(all: Vec<Box<dyn Predicate>>) -> Self {
        let has_variables = all.iter().any(|predicate| !predicate.variables().is_empty());
        Self { all: all.into(), has_variables }
    }
}

impl Deref for Predicates {
    type Target = [Box<dyn Predicate>];

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

/// What every request that meets a predicate has in common.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Hint<'a> {
    /// Nothing the index can use.
    None,
    /// The method is one of these.
    Methods(MethodSet),
    /// The path has one of these shapes.
    Paths(&'a [Shape]),
    /// The host, read label by label from the right, has one of these shapes.
    Hosts(&'a [Shape]),
    /// The predicate is true only if its weight group chose its route.
    Weight {
        /// Name of the group.
        group: &'a str,
        /// Share of the route within the group.
        weight: i32,
    },
}

/// What every text that a pattern matches has in common: its pieces up to the first `**`.
///
/// A shape may admit more than its pattern, never less.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape {
    /// The leading pieces.
    pub pieces: Vec<Piece>,
    /// Whether further pieces may follow.
    pub open: bool,
}

/// One piece of a [`Shape`]: a path segment or a host label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Piece {
    /// Exactly this text, after decoding.
    Literal(String),
    /// Any one piece, the empty one included.
    Any,
}

/// A set of the eight standard methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MethodSet(u8);

impl MethodSet {
    /// Every method, standard or not.
    pub const ANY: Self = Self(u8::MAX);

    const STANDARD: [http::Method; 8] = [
        http::Method::GET,
        http::Method::HEAD,
        http::Method::POST,
        http::Method::PUT,
        http::Method::PATCH,
        http::Method::DELETE,
        http::Method::OPTIONS,
        http::Method::TRACE,
    ];

    /// The set of one method; empty for a method outside the eight.
    pub fn of(method: &http::Method) -> Self {
        let at = Self::STANDARD.iter().position(|standard| standard == method);
        Self(at.map_or(0, |at| 1 << at))
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both sets have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the sets share a method.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// One row of [`ALL`]: a predicate's name and how it is built from a route file.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    name: &'static str,
    build: Build,
}

type Build = fn(&Entry, &mut UnitSettings<'_>) -> Result<Bound<Box<dyn Predicate>>, Invalid>;

impl Definition {
    const fn of<P: Predicate + FromArguments + 'static>() -> Self {
        Self {
            name: P::NAME,
            build: |entry, settings| {
                let boxed = |unit| -> Box<dyn Predicate> { Box::new(unit) };
                bind::<P>(entry, settings).map(|bound| bound.map(boxed))
            },
        }
    }

    /// The name a route file uses.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// Builds the predicate that `entry` names.
///
/// # Errors
///
/// An unknown name, or arguments the predicate refuses.
pub fn build(
    entry: &Entry,
    settings: &mut UnitSettings<'_>,
) -> Result<Box<dyn Predicate>, Invalid> {
    let Some(definition) = ALL.iter().find(|definition| definition.name == entry.name) else {
        return Err(entry.unknown("predicate", ALL.iter().map(Definition::name)));
    };
    Ok(match (definition.build)(entry, settings)? {
        Bound::Unit(unit) => unit,
        Bound::FailsPerRequest(why) => Box::new(AlwaysFails { text: entry.to_string(), why }),
    })
}

/// Refuses a required argument that is there but empty.
fn required(field: &'static str, value: &str) -> Result<(), Invalid> {
    if value.is_empty() {
        let message = format!("`{field}` is required");
        return Err(Invalid { field: Some(field), ..Invalid::new("missing-argument", message) });
    }
    Ok(())
}

/// Stands in for a predicate of a Spring file whose evaluation fails in the reference gateway.
#[derive(Debug)]
struct AlwaysFails {
    text: String,
    why: String,
}

impl Display for AlwaysFails {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Predicate for AlwaysFails {
    fn matches(&self, _: &Incoming<'_>) -> Result<bool, Failure> {
        Err(Failure::Predicate(self.why.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_predicate_table;

    /// Every file of the folder: a file that is not listed in [`ALL`] fails the count.
    const SOURCES: &[(&str, &str)] = &[
        ("After", include_str!("predicate/after.rs")),
        ("Before", include_str!("predicate/before.rs")),
        ("Between", include_str!("predicate/between.rs")),
        ("Cookie", include_str!("predicate/cookie.rs")),
        ("Header", include_str!("predicate/header.rs")),
        ("Host", include_str!("predicate/host.rs")),
        ("Method", include_str!("predicate/method.rs")),
        ("Path", include_str!("predicate/path.rs")),
        ("Query", include_str!("predicate/query.rs")),
        ("RemoteAddr", include_str!("predicate/remote_addr.rs")),
        ("Weight", include_str!("predicate/weight.rs")),
    ];

    #[test]
    fn every_header_table_tells_the_truth() {
        for (name, source) in SOURCES {
            assert!(ALL.iter().any(|definition| definition.name == *name), "{name} is not listed");
            check_predicate_table(source);
        }
        assert_eq!(SOURCES.len(), ALL.len());
    }

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(ALL.iter().map(Definition::name).is_sorted_by(|a, b| a < b));
    }
}
