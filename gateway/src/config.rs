//! From the text of a file to settings and routes, or to everything that is wrong with it.
//!
//! A file is a tree ([`tree`]) whose sections are read once ([`reader`]): what nobody read is
//! unknown. Definitions of routes ([`routes`]) become routes ([`build`]) as they are read, and the
//! tree is gone when [`load`] returns. Nothing here opens a socket; [`load_file`] is the only
//! function that touches the disk.

mod build;
mod context;
mod findings;
mod later;
mod names;
mod placeholder;
mod problem;
mod profile;
mod properties;
mod reader;
mod report;
mod roots;
mod routes;
mod settings;
mod source;
mod tree;
mod values;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use tollgate_filters::{Invalid, Route, Span};

use build::Builder;
use context::Context;
use findings::{Findings, Found};
use placeholder::Properties;
use reader::Section;
use routes::UnitKind;
use source::Source;
use tree::{Broken, Node};

pub use problem::Problem;
pub use report::Report;
pub use settings::{
    AccessLog, AccessLogFormat, Auth, Balance, BreakerMetrics, Ejection, ExemptRequests, Forwarded,
    HealthCheck, HttpClient, InstanceSpec, Limits, Listener, LocalAnswer, LocalAnswers,
    MemberService, Metrics, ServiceSettings, Settings, Store, TargetPolicy, Timeouts, Units,
    XForwarded, XForwardedHeader,
};

/// Largest file that is looked at: 16 MiB, room for more routes than a tree may hold.
pub const LARGEST_FILE: usize = 16 << 20;

/// How many default filters may be built, one for each of them and each route.
const MOST_DEFAULTS: usize = 1_000_000;

/// A file that can be served.
#[derive(Debug)]
pub struct Loaded {
    /// Everything besides routes.
    pub settings: Settings,
    /// The routes in the order of the file, not yet sorted by [`Route::order`].
    pub routes: Vec<Route>,
    /// What somebody should look at.
    pub warnings: Report,
}

impl Loaded {
    /// Routes that were built in code, see [`crate::builder`], and what a file would say besides.
    pub fn in_code(settings: Settings, routes: Vec<Route>) -> Self {
        Self { settings, routes, warnings: Report::default() }
    }
}

/// Why a file cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There is nothing to check: the file is missing, unreadable, empty, or hostile.
    #[error("{0}")]
    Unusable(Report),
    /// The file has problems; all of them, warnings included.
    #[error("{0}")]
    Problems(Report),
}

impl LoadError {
    /// The problems, at least one of which is an error.
    pub fn report(&self) -> &Report {
        match self {
            Self::Unusable(report) | Self::Problems(report) => report,
        }
    }

    /// What a process ends with: 1 for a file with problems, 2 for one that is none.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Problems(_) => 1,
            Self::Unusable(_) => 2,
        }
    }
}

/// Reads and loads the file at `path`.
///
/// # Errors
///
/// As [`load`], and [`LoadError::Unusable`] if it cannot be read.
pub fn load_file(
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, LoadError> {
    load(&read_file(path)?, &path.display().to_string(), environment)
}

/// Reads the text of the file at `path`, as much of it as a route file may have.
///
/// # Errors
///
/// [`LoadError::Unusable`] if it cannot be read, is too large or is not UTF-8.
pub fn read_file(path: &Path) -> Result<String, LoadError> {
    let name = path.display().to_string();
    let unusable = |problem| unusable(&Source::new(&name, ""), problem);
    let mut bytes = Vec::new();
    let mut read = || -> std::io::Result<()> {
        let limit = u64::try_from(LARGEST_FILE).unwrap_or(u64::MAX);
        // One byte more tells that there is more.
        File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        Ok(())
    };
    if let Err(error) = read() {
        let problem = Invalid::new("unreadable", format!("cannot read `{name}`: {error}"));
        return Err(unusable(problem.with_help("name a file: `tollgate check FILE`")));
    }
    if bytes.len() > LARGEST_FILE {
        return Err(unusable(too_long()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
        let problem = Invalid::new("not-utf8", format!("line {line} is not UTF-8"));
        unusable(problem.with_help("save the file as UTF-8"))
    })
}

fn too_long() -> Invalid {
    Invalid::new("too-large", "the file is larger than 16 MiB")
        .with_help("split the routes over several gateways; one takes some 25,000")
}

/// Loads `text`, the content of the file `name`; a name that ends in `.properties` is read as one.
///
/// `environment` looks up variables of the environment, for placeholders and
/// `SPRING_PROFILES_ACTIVE`.
///
/// # Errors
///
/// Everything that is wrong with the file, sorted by place.
pub fn load(
    text: &str,
    name: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, LoadError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(name, text);
    if text.len() > LARGEST_FILE {
        return Err(unusable(&Source::new(name, ""), too_long()));
    }
    let is_properties = Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("properties"));
    let read = if is_properties {
        properties::documents(&source)
            .map(|documents| (documents, Vec::new()))
            .map_err(Broken::Hostile)
    } else {
        tree::documents(&source)
    };
    let (documents, repeated) = match read {
        Ok(documents) => documents,
        Err(Broken::Hostile(problem)) => return Err(unusable(&source, problem)),
        Err(Broken::Syntax(problem)) => {
            return Err(LoadError::Problems(alone(&source, problem)));
        }
    };
    let documents: Vec<&Node<'_>> =
        documents.iter().filter(|document| !document.is_null(&source)).collect();
    if documents.is_empty() {
        let problem = Invalid::new("empty", "the file is empty")
            .with_help("write `routes:` and a first route below it");
        return Err(unusable(&source, problem));
    }
    let mut findings = Findings::default();
    for problem in repeated {
        findings.push(Found::error(problem));
    }
    let (settings, routes, findings) = serve(&source, &documents, environment, findings);
    let failed = findings.has_errors();
    let report = findings.report(&source);
    if failed {
        return Err(LoadError::Problems(report));
    }
    Ok(Loaded { settings, routes, warnings: report })
}

/// A file that is fine but needs what this machine does not have.
pub(crate) fn not_usable_here(name: &str, why: &impl ToString) -> LoadError {
    let why = why.to_string();
    let (message, help) =
        why.split_once('\n').unwrap_or((&why, "correct it and save the file again"));
    let problem = Invalid::new("not-usable-here", message).with_help(help);
    LoadError::Problems(alone(&Source::new(name, ""), problem))
}

fn alone(source: &Source<'_>, problem: Invalid) -> Report {
    let mut findings = Findings::default();
    findings.push(Found::error(problem));
    findings.report(source)
}

fn unusable(source: &Source<'_>, problem: Invalid) -> LoadError {
    LoadError::Unusable(alone(source, problem))
}

/// Reads the documents of a file. What comes back is of use only if no problem is an error.
fn serve(
    source: &Source<'_>,
    documents: &[&Node<'_>],
    environment: &dyn Fn(&str) -> Option<String>,
    findings: Findings,
) -> (Settings, Vec<Route>, Findings) {
    let strict = !roots::is_spring(documents);
    let all = documents.iter().rev().copied().collect();
    let properties = Properties::new(source, environment, all);
    let mut context = Context {
        source,
        strict,
        properties,
        problems: RefCell::new(findings),
        pieces: Cell::default(),
        ignored: RefCell::default(),
    };
    if !strict {
        let mut active = profile::active(&context, documents);
        active.reverse();
        context.properties = Properties::new(source, environment, active);
    }
    let mut settings = Settings::default();
    let routes = roots::read(&context, &mut settings);
    (settings, routes, context.problems.into_inner())
}

/// Reads the routes of `section` and builds them.
fn build_routes(section: &Section<'_, '_>, settings: &Settings) -> Vec<Route> {
    let context = section.context;
    let items = section.list("default-filters").unwrap_or_default();
    let around = Section::new(context, section.name_of("default"), Vec::new(), Span::default());
    let defaults = routes::units(&around, UnitKind::Filter, &items, &mut Vec::new());
    let items = section.list("routes").unwrap_or_default();
    if !settings.enabled {
        let problem = Invalid::new("switched-off", "`enabled: false`: no route is served");
        context.warn(problem.or_at(section.key_span("enabled")));
        return Vec::new();
    }
    if defaults.len().saturating_mul(items.len()) > MOST_DEFAULTS {
        let message = format!("{} default filters for {} routes", defaults.len(), items.len());
        let problem = Invalid::new("too-large", message)
            .with_help("a default filter is built for every route, a million in all at most");
        context.error(problem.or_at(section.key_span("default-filters")));
        return Vec::new();
    }
    let mut builder = Builder::new(context, settings, &defaults);
    let mut built = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let before = context.problems.borrow().len();
        let path = format!("{}[{at}]", section.name_of("routes"));
        let Some(definition) = routes::definition(context, item, path) else { continue };
        let id: Arc<str> = match &definition.id {
            Some(id) => Arc::from(id.text.as_str()),
            None => Arc::from(format!("route-{}", at + 1)),
        };
        if definition.id.is_none() && definition.enabled {
            let problem = Invalid::new("missing-id", format!("a route without an `id` is `{id}`"))
                .with_help("give it a name: it is in metrics, logs and the admin listener");
            context.warn(problem.or_at(definition.span));
        }
        context.problems.borrow_mut().belong_to(&id, before);
        built.extend(builder.route(definition, &id));
    }
    builder.finish();
    built
}

#[cfg(test)]
mod tests;
