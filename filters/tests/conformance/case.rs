//! What a case of the corpus may say.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One file of the corpus.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Corpus {
    /// Where the vectors come from.
    #[expect(dead_code, reason = "read by people")]
    pub(crate) source: String,
    pub(crate) cases: Vec<Case>,
}

/// One case: units, and what they make of requests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Case {
    /// Id of the vector.
    pub(crate) id: String,
    /// Why the outcome is not the reference gateway's. The expectation is ours.
    pub(crate) deviates: Option<String>,
    #[serde(default)]
    pub(crate) predicates: Vec<Written>,
    #[serde(default)]
    pub(crate) default_filters: Vec<Written>,
    #[serde(default)]
    pub(crate) filters: Vec<Written>,
    /// Variables that some predicate has captured.
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) settings: Settings,
    /// Part of the message the units are refused with, in any file.
    pub(crate) invalid: Option<String>,
    /// Part of the message that native files refuse the units with; Spring files load them.
    pub(crate) native: Option<String>,
    /// Requests and whether they match, for predicates.
    #[serde(default)]
    pub(crate) requests: Vec<Probe>,
    /// The request that goes through the filters: request line and header lines.
    pub(crate) request: Option<String>,
    /// What reaches the upstream: request line, and header lines. All values of a named header are
    /// listed; `-Name` means that there is none.
    pub(crate) upstream: Option<String>,
    /// The upstream's answer: status and header lines; default 200.
    pub(crate) response: Option<String>,
    /// What the client sees, as in `upstream`.
    pub(crate) client: Option<String>,
    /// Whether the request's own `Host` goes upstream.
    pub(crate) preserves_host: Option<bool>,
    /// The filters' text forms, in the order of the way in.
    #[serde(default)]
    pub(crate) shows: Vec<String>,
    /// The phase in which the filters fail: `request` or `response`.
    pub(crate) fails: Option<String>,
}

/// A predicate or filter in either notation.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Written {
    Shortcut(String),
    Expanded {
        name: String,
        #[serde(default)]
        args: Vec<BTreeMap<String, Value>>,
    },
}

/// An argument's value. Arguments are a list of one-entry maps, because their order counts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Text(String),
    List(Vec<String>),
}

/// What a file may set for units.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Settings {
    pub(crate) include_port: Option<bool>,
    pub(crate) optional_trailing_slash: bool,
    pub(crate) base_path: String,
    pub(crate) original_status_header: Option<String>,
}

/// A request and what predicates make of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    /// Request line and header lines; a lone target means `GET`.
    pub(crate) request: String,
    /// `yes`, `no` or `error`.
    pub(crate) matches: String,
    /// Exactly what is captured.
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, String>,
    /// Address of the client.
    pub(crate) client: Option<String>,
    /// The time, as an RFC 3339 instant.
    pub(crate) now: Option<String>,
}
