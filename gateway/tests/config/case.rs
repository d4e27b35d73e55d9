//! What a case may say, and whether it is so.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use tollgate::config::{LoadError, Loaded, Problem, load};
use tollgate_filters::breaker::Resilience;
use tollgate_filters::{Route, Severity};

/// One file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Corpus {
    /// Where the vectors come from.
    #[expect(dead_code, reason = "read by people")]
    source: String,
    pub(crate) cases: Vec<Case>,
}

/// A file and what comes of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// Id of the vector, or a sentence.
    pub(crate) id: String,
    /// Name of the file. Default: `routes.yaml`.
    name: Option<String>,
    /// Text of the file.
    file: String,
    /// Variables of the environment.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Why the outcome is not the reference gateway's. The expectation is ours.
    #[serde(default)]
    #[expect(dead_code, reason = "read by people")]
    deviates: Option<String>,
    /// All errors and warnings, in order: `error 3:5 code` or `warning 3:5 code`, and after a
    /// colon a part of the message or of the help.
    #[serde(default)]
    problems: Vec<String>,
    /// The exit code of a file that is refused.
    #[serde(default)]
    exit: Option<u8>,
    /// Each route: id, order, target, then predicates and filters behind `|`, then metadata.
    #[serde(default)]
    routes: Option<Vec<String>>,
    /// Parts of the text form of the settings.
    #[serde(default)]
    settings: Vec<String>,
    /// What breakers go by, by their names.
    #[serde(default)]
    resilience: BTreeMap<String, Protection>,
}

/// What a breaker goes by, as far as the case tells; a limit or a bulkhead that is not told is not
/// there, if the case tells of one of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Protection {
    minimum: Option<u32>,
    window: Option<u32>,
    /// The text form of its wait.
    open: Option<String>,
    declared: Option<bool>,
    /// The text form of its time limit.
    limit: Option<String>,
    places: Option<usize>,
}

impl Protection {
    fn check(&self, id: &str, resilience: &Resilience) -> Result<(), String> {
        let (breaker, declared) = resilience.breaker(id);
        let found = Self {
            minimum: self.minimum.map(|_| breaker.minimum_number_of_calls),
            window: self.window.map(|_| breaker.sliding_window_size),
            open: self.open.as_ref().map(|_| format!("{:?}", breaker.wait_in_open_state)),
            declared: self.declared.map(|_| declared),
            limit: resilience.time_limit(id).map(|limit| format!("{limit:?}")),
            places: resilience.bulkhead(id).map(|bulkhead| bulkhead.max_concurrent_calls),
        };
        let told_of_breaker =
            self.minimum.is_some() || self.window.is_some() || self.open.is_some();
        let same_breaker = found.minimum == self.minimum
            && found.window == self.window
            && found.open == self.open
            && found.declared == self.declared;
        let same_rest = found.limit == self.limit && found.places == self.places;
        let rest_is_told = self.limit.is_some() || self.places.is_some() || !told_of_breaker;
        if same_breaker && (same_rest || !rest_is_told) {
            return Ok(());
        }
        Err(format!("`{id}` goes by {found:?}, not {self:?}"))
    }
}

impl Case {
    pub(crate) fn check(&self) -> Result<(), String> {
        let environment = |name: &str| self.environment.get(name).cloned();
        match load(&self.file, self.name.as_deref().unwrap_or("routes.yaml"), &environment) {
            Ok(loaded) => self.check_loaded(&loaded),
            Err(error) => self.check_refused(&error),
        }
    }

    fn check_loaded(&self, loaded: &Loaded) -> Result<(), String> {
        self.check_problems(loaded.warnings.problems())?;
        if self.exit.is_some() {
            return Err("the file loads".to_owned());
        }
        if let Some(expected) = &self.routes {
            let found: Vec<String> = loaded.routes.iter().map(line).collect();
            if found != *expected {
                return Err(format!("routes are {found:#?}, not {expected:#?}"));
            }
        }
        let settings = format!("{:?}", loaded.settings);
        let missing = self.settings.iter().find(|part| !settings.contains(part.as_str()));
        match missing {
            Some(part) => Err(format!("no `{part}` in {settings}")),
            None => self
                .resilience
                .iter()
                .try_for_each(|(id, expected)| expected.check(id, &loaded.settings.resilience)),
        }
    }

    fn check_refused(&self, error: &LoadError) -> Result<(), String> {
        let rendered = error.report().render(false);
        self.check_problems(error.report().problems())?;
        match self.exit {
            Some(code) if code == error.exit_code() => Ok(()),
            Some(code) => Err(format!("exit code {}, not {code}", error.exit_code())),
            None if self.problems.iter().any(|problem| problem.starts_with("error")) => Ok(()),
            None => Err(format!("the file is refused:\n{rendered}")),
        }
    }

    fn check_problems(&self, found: &[Problem]) -> Result<(), String> {
        let shown: Vec<String> = found.iter().map(show).collect();
        let same = shown.len() == self.problems.len()
            && shown.iter().zip(&self.problems).all(|(shown, expected)| is_told(shown, expected));
        if same {
            Ok(())
        } else {
            Err(format!("problems are {shown:#?}, not {:#?}", self.problems))
        }
    }
}

fn is_told(shown: &str, expected: &str) -> bool {
    match expected.split_once(": ") {
        Some((head, part)) => shown.starts_with(&format!("{head}: ")) && shown.contains(part),
        None => shown.starts_with(&format!("{expected}: ")),
    }
}

fn show(problem: &Problem) -> String {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let Problem { code, line, column, message, .. } = problem;
    let route = problem.route.as_ref().map(|id| format!(" [{id}]")).unwrap_or_default();
    let help = problem.help.as_deref().unwrap_or_default();
    format!("{severity} {line}:{column} {code}: {message}{route} ({help})")
}

fn line(route: &Route) -> String {
    let mut out = format!("{} {} {}", route.id, route.order, route.target);
    for predicate in route.predicates.iter() {
        write!(out, " | {predicate}").unwrap();
    }
    for (order, filter) in route.chain.steps() {
        write!(out, " | {order} {filter}").unwrap();
    }
    if !route.metadata.is_empty() {
        write!(out, " | {:?}", route.metadata).unwrap();
    }
    out
}
