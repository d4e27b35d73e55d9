//! From an entry in a route file to a unit: the two notations, argument names, and binding.

mod de;

pub(crate) use de::java_long;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(crate) use de::relaxed_equal;

use crate::breaker::Resilience;
use crate::invalid::nearest;
use crate::limit::{LimitSettings, Policy};
use crate::{Invalid, Severity, SharedHeaders, Span};

/// A predicate or filter as a route file names it, in either notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The unit's name, exactly as written.
    pub name: String,
    /// The arguments, in the order they are written.
    pub arguments: Vec<Argument>,
    /// Where the entry stands.
    pub span: Span,
}

/// One argument of an [`Entry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The name; `None` in the shortcut notation. Nested names are joined by dots.
    pub key: Option<String>,
    /// The value.
    pub value: ArgValue,
    /// Where the argument stands.
    pub span: Span,
}

/// The value of an [`Argument`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgValue {
    /// A scalar, as text.
    Text(String),
    /// A list of scalars, as texts.
    List(Vec<String>),
}

impl Entry {
    /// Reads the shortcut notation of a filter, `Name=a,b` or `Name`.
    ///
    /// Splits at the first `=`; the rest is split on every comma, each piece trimmed, empty pieces
    /// dropped. There is no quoting (`filters.md` 2.1).
    pub fn filter_shortcut(text: &str, span: Span) -> Self {
        match text.split_once('=') {
            Some((name, rest)) if !name.is_empty() => Self::shortcut(name, rest, span),
            _ => Self { name: text.to_owned(), arguments: Vec::new(), span },
        }
    }

    /// Reads the shortcut notation of a predicate, `Name=a,b`; the `=` is required
    /// (`predicates.md` 1.7).
    ///
    /// # Errors
    ///
    /// No `=`, or nothing before it.
    pub fn predicate_shortcut(text: &str, span: Span) -> Result<Self, Invalid> {
        match text.split_once('=') {
            Some((name, rest)) if !name.is_empty() => Ok(Self::shortcut(name, rest, span)),
            _ => Err(Invalid::new(
                "malformed-predicate",
                format!("`{text}` is not a predicate: expected `Name=arguments`"),
            )
            .with_help("a predicate without arguments still ends with `=`")
            .or_at(span)),
        }
    }

    fn shortcut(name: &str, rest: &str, span: Span) -> Self {
        let arguments = rest
            .split(',')
            .map(str::trim)
            .filter(|piece| !piece.is_empty())
            .map(|piece| Argument { key: None, value: ArgValue::Text(piece.to_owned()), span })
            .collect();
        Self { name: name.to_owned(), arguments, span }
    }

    pub(crate) fn unknown(
        &self,
        kind: &'static str,
        known: impl Iterator<Item = &'static str>,
    ) -> Invalid {
        let names: Vec<&str> = known.collect();
        let help = match nearest(self.name.trim(), names.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("the {kind}s are {}", names.join(", ")),
        };
        let code = if kind == "filter" { "unknown-filter" } else { "unknown-predicate" };
        Invalid::new(code, format!("unknown {kind} `{}`", self.name))
            .with_help(help)
            .or_at(self.span)
    }
}

impl Argument {
    /// Whether it has a name of its own, and not only a place in a shortcut.
    pub(crate) fn has_name(&self) -> bool {
        self.key.as_ref().is_some_and(|key| !key.starts_with("_genkey_"))
    }

    /// Whether it is the argument `name`, in any spelling.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.key.as_ref().is_some_and(|key| relaxed_equal(key, name))
    }

    /// Whether it stands below `prefix`, in any spelling.
    pub(crate) fn is_below(&self, prefix: &str) -> bool {
        let key = self.key.as_deref().unwrap_or_default();
        key.split('.').next().is_some_and(|first| relaxed_equal(first, prefix))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        for (at, argument) in self.arguments.iter().enumerate() {
            let lead = if at == 0 { " " } else { ", " };
            let key = argument.key.clone().unwrap_or_else(|| format!("_genkey_{at}"));
            match &argument.value {
                ArgValue::Text(text) => write!(formatter, "{lead}{key} = '{text}'")?,
                ArgValue::List(texts) => write!(formatter, "{lead}{key} = {texts:?}")?,
            }
        }
        Ok(())
    }
}

/// How arguments without a name reach the fields of a unit (`predicates.md` 1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// The n-th argument is the n-th field. Surplus arguments are dropped.
    Fields(&'static [&'static str]),
    /// All values, whatever their names, are the one list.
    List(&'static str),
    /// As [`Shortcut::List`]; a last value of `true` or `false` is the flag.
    ListWithFlag(&'static str, &'static str),
}

/// A unit that is built from the arguments of an entry.
pub trait FromArguments: Sized {
    /// The name in a route file.
    const NAME: &'static str;
    /// Other names it may have there.
    const ALIASES: &'static [&'static str] = &[];
    /// How arguments without a name reach the fields of [`FromArguments::Config`].
    const SHORTCUT: Shortcut;
    /// Fields that take `#{@name}`; everywhere else it is refused.
    const BEANS: &'static [&'static str] = &[];
    /// What a route file may say, as written. Field names are matched without case, `-` and `_`.
    type Config: DeserializeOwned;

    /// Looks at the entry as it is written, before its arguments are given to fields, and gives
    /// those that count.
    ///
    /// # Errors
    ///
    /// What no field can tell: a notation, or the spelling of a name.
    fn look_over<'e>(
        entry: &'e Entry,
        _settings: &mut UnitSettings<'_>,
    ) -> Result<Cow<'e, Entry>, Invalid> {
        Ok(Cow::Borrowed(entry))
    }

    /// Checks and compiles what was written.
    ///
    /// # Errors
    ///
    /// What the unit cannot use; a problem the reference gateway only meets when a request arrives
    /// is marked with [`Invalid::per_request`].
    fn from_arguments(
        config: Self::Config,
        settings: &mut UnitSettings<'_>,
    ) -> Result<Self, Invalid>;
}

/// What a unit may know about the file and the route it is built for.
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of the file")]
#[derive(Debug)]
pub struct UnitSettings<'a> {
    /// Whether the file is refused for what only fails per request, and for unknown arguments.
    pub strict: bool,
    /// Id of the route.
    pub route_id: &'a str,
    /// Names that the route's predicates capture.
    pub variables: &'a [String],
    /// `predicate.host.include-port`: whether `Host` patterns see the port. Default true.
    pub host_include_port: bool,
    /// Whether a path may have one slash more than its pattern when the file does not say
    /// (Spring Cloud Gateway up to 4.x).
    pub optional_trailing_slash: bool,
    /// `spring.webflux.base-path`: put in front of every `Path` pattern. Default empty.
    pub base_path: &'a str,
    /// `set-status.original-status-header-name`: where `SetStatus` leaves the status it replaced.
    pub original_status_header: Option<&'a str>,
    /// Whether there are rules for login tokens (`auth`). Default true.
    pub has_auth: bool,
    /// `resilience4j`: what circuit breakers go by. Default: everything by default.
    pub resilience: &'a Resilience,
    /// What the file says about rate limits. Default: everything by default.
    pub limits: &'a LimitSettings,
    /// The limit that counts for the whole route, if one of its filters writes one
    /// ([`crate::filter::written_limit`]).
    pub route_limit: Option<Policy>,
    /// The header names and values that units of the file share.
    pub shared_headers: SharedHeaders,
    /// Problems that do not stop the file from being served.
    pub warnings: Vec<(Severity, Invalid)>,
}

static NO_RESILIENCE: Resilience = Resilience::none();
static NO_LIMITS: LazyLock<LimitSettings> = LazyLock::new(LimitSettings::default);

impl<'a> UnitSettings<'a> {
    /// Settings of a native file for the route `route_id`.
    pub fn native(route_id: &'a str) -> Self {
        Self {
            strict: true,
            route_id,
            variables: &[],
            host_include_port: true,
            optional_trailing_slash: false,
            base_path: "",
            original_status_header: None,
            has_auth: true,
            resilience: &NO_RESILIENCE,
            limits: &NO_LIMITS,
            route_limit: None,
            shared_headers: SharedHeaders::default(),
            warnings: Vec::new(),
        }
    }

    /// Settings of a Spring file for the route `route_id`.
    pub fn spring(route_id: &'a str) -> Self {
        Self { strict: false, ..Self::native(route_id) }
    }

    /// Refuses a filter that needs `auth` where the file has none.
    ///
    /// # Errors
    ///
    /// The problem, which shows on every request.
    pub(crate) fn need_auth(&self) -> Result<(), Invalid> {
        if self.has_auth {
            return Ok(());
        }
        Err(Invalid::new("no-auth", "there are no login tokens without `auth`")
            .with_help("add the section `auth`, or leave the filter out")
            .per_request())
    }

    /// Refuses a problem that only shows per request in strict files; elsewhere it is a warning.
    ///
    /// # Errors
    ///
    /// The problem itself, in strict files.
    pub fn refuse_or_warn(&mut self, problem: Invalid) -> Result<(), Invalid> {
        if self.strict {
            return Err(problem);
        }
        self.warnings.push((Severity::Warning, problem));
        Ok(())
    }
}

/// A unit built from an entry, or why every request through it fails.
#[derive(Debug)]
pub(crate) enum Bound<T> {
    /// The unit.
    Unit(T),
    /// What the reference gateway would say on each request.
    FailsPerRequest(String),
}

impl<T> Bound<T> {
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Bound<U> {
        match self {
            Self::Unit(unit) => Bound::Unit(change(unit)),
            Self::FailsPerRequest(why) => Bound::FailsPerRequest(why),
        }
    }
}

/// Binds the arguments of `entry` to a unit's fields and builds the unit.
pub(crate) fn bind<U: FromArguments>(
    entry: &Entry,
    settings: &mut UnitSettings<'_>,
) -> Result<Bound<U>, Invalid> {
    let known_warnings = settings.warnings.len();
    let ignored = RefCell::default();
    let built = U::look_over(entry, settings)
        .and_then(|entry| {
            refuse_expressions(&entry, U::BEANS)?;
            de::Arguments::normalise(&entry, U::SHORTCUT, settings, &ignored)
        })
        .and_then(U::Config::deserialize)
        .and_then(|config| U::from_arguments(config, settings));
    let ignored = ignored.into_inner().into_iter();
    settings.warnings.extend(ignored.map(|problem| (Severity::Warning, problem)));
    for (_, warning) in settings.warnings.iter_mut().skip(known_warnings) {
        place(warning, entry, U::SHORTCUT);
    }
    match built {
        Ok(unit) => Ok(Bound::Unit(unit)),
        Err(mut problem) => {
            place(&mut problem, entry, U::SHORTCUT);
            if problem.fails_per_request && !settings.strict {
                let why = problem.message.clone();
                settings.warnings.push((Severity::Warning, problem));
                return Ok(Bound::FailsPerRequest(why));
            }
            Err(problem)
        }
    }
}

/// Refuses values that the reference gateway evaluates: `#{@name}` names an object of the
/// application, and this gateway has none (`predicates.md` 1.9).
///
/// The fields that take such a name look it up themselves.
fn refuse_expressions(entry: &Entry, beans: &[&str]) -> Result<(), Invalid> {
    let is_expression = |text: &&str| text.trim_start().starts_with("#{") && text.ends_with('}');
    for argument in &entry.arguments {
        let expression = match &argument.value {
            ArgValue::Text(text) => Some(text.as_str()).filter(is_expression),
            ArgValue::List(texts) => texts.iter().map(String::as_str).find(is_expression),
        };
        let Some(expression) = expression.map(str::trim) else { continue };
        let name = expression.strip_prefix("#{@").and_then(|rest| rest.strip_suffix('}'));
        if name.is_some() && beans.iter().any(|field| argument.is_named(field)) {
            continue;
        }
        let problem = match name {
            Some(name) => Invalid::new("unknown-bean", format!("no bean `{name}` is known")),
            None => Invalid::new("expression", format!("`{expression}` is an expression"))
                .with_help("expressions are not evaluated; write the value itself"),
        };
        return Err(problem.or_at(argument.span));
    }
    Ok(())
}

/// Puts a problem at the argument it names, else at the entry, and names the unit.
fn place(problem: &mut Invalid, entry: &Entry, shortcut: Shortcut) {
    if problem.span.is_none() {
        let named = problem.field.and_then(|field| de::place_of(entry, shortcut, field));
        problem.span = Some(named.unwrap_or(entry.span));
    }
    if !problem.message.starts_with(&entry.name) {
        problem.message = format!("{}: {}", entry.name, problem.message);
    }
}
