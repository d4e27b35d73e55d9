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
    /// Id of the route that has the units; default `r`.
    pub(crate) route: Option<String>,
    /// The `Weight` predicates of all routes, in the order of the file.
    #[serde(default)]
    pub(crate) weights: Vec<Share>,
    /// What the weight groups choose.
    #[serde(default)]
    pub(crate) draws: Vec<Draw>,
    /// Values of a route's `uri`.
    #[serde(default)]
    pub(crate) targets: Vec<TargetProbe>,
    /// What the first predicate is shown as.
    pub(crate) shown: Option<String>,
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
    /// How attempts end, one after the other, and what the filters make of it: `500 -> again 10ms`.
    /// See `attempts.rs` for the words.
    #[serde(default)]
    pub(crate) attempts: Vec<String>,
    /// Calls of one bucket.
    pub(crate) bucket: Option<BucketProbe>,
    /// Requests that go through the filters one after the other.
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
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
    pub(crate) limits: Limits,
}

/// What a file may set for rate limits.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Limits {
    pub(crate) without_headers: bool,
    pub(crate) deny_empty_key: Option<bool>,
    pub(crate) throw_on_limit: bool,
    /// Rate, burst and cost by route id.
    pub(crate) config: BTreeMap<String, [i32; 3]>,
    /// Whether the store does not answer.
    pub(crate) lost: bool,
}

/// A token bucket and what its calls give.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BucketProbe {
    pub(crate) rate: i32,
    pub(crate) capacity: i64,
    pub(crate) requested: i32,
    /// How many seconds it is kept at least.
    #[serde(default)]
    pub(crate) life: u64,
    pub(crate) calls: Vec<Call>,
}

/// One call of a bucket.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    pub(crate) now: u64,
    pub(crate) allowed: bool,
    pub(crate) remaining: i64,
}

/// The same request some times, and what the client sees each time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Seconds since the first one.
    #[serde(default)]
    pub(crate) at: u64,
    #[serde(default = "once")]
    pub(crate) times: usize,
    pub(crate) request: String,
    pub(crate) client: String,
}

fn once() -> usize {
    1
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
    /// The numbers that the weight groups draw, in the order of the groups.
    #[serde(default)]
    pub(crate) random: Vec<f64>,
}

/// A route's `Weight` predicate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Share {
    pub(crate) group: String,
    pub(crate) route: String,
    pub(crate) weight: i32,
}

/// One drawing of all weight groups.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draw {
    /// The numbers, in the order of the groups.
    pub(crate) random: Vec<f64>,
    /// Which route each group chooses; a group that is not named chooses none.
    #[serde(default)]
    pub(crate) chosen: BTreeMap<String, String>,
}

/// A route's `uri` and what the gateway does with it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetProbe {
    pub(crate) uri: String,
    /// What metrics and the admin listener show; default the `uri`.
    pub(crate) shown: Option<String>,
    /// `http HOST PORT` (or another scheme), `forward PATH`, `lb SERVICE`, `lb SERVICE SCHEME`,
    /// `nowhere`, or `failure`. Not needed if the case is refused.
    #[serde(default)]
    pub(crate) goes: String,
}
