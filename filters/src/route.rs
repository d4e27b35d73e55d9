//! Routes, and the table that chooses one for a request.

mod index;
mod table;
mod target;

use std::sync::Arc;

use crate::{Chain, Predicates};

pub use table::{RouteTable, Row};
pub use target::{Scheme, Target, TargetKind};

/// What a route's `metadata` may hold, with the types of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataValue {
    /// Nothing after the key.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<MetadataValue>),
    /// A map, in the order it is written.
    Map(Vec<(String, MetadataValue)>),
}

/// One route: which requests it takes, what it does to them and where it sends them.
///
/// What every request needs of its route stands first.
#[derive(Debug)]
#[repr(C)]
pub struct Route {
    /// Conditions that must all hold.
    pub predicates: Predicates,
    /// The filters, default filters included.
    pub chain: Chain,
    /// The route's name: in metrics, logs and the admin listener.
    pub id: Arc<str>,
    /// Where requests go.
    pub target: Target,
    /// Free values, some of which the gateway reads (`predicates.md` 2.9). Keys are exact.
    pub metadata: Vec<(String, MetadataValue)>,
    /// Where the route stands in its file; `None` for routes built in code.
    pub source: Option<Source>,
    /// Routes with a lower number are tried first; equal numbers keep the order of the file.
    pub order: i32,
}

/// A place in a route file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
}
