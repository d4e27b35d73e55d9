//! From definitions to routes: every unit is built, every problem is told once.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_filters::breaker::Resilience;
use tollgate_filters::filter::written_limit;
use tollgate_filters::limit::{LimitSettings, Policy};
use tollgate_filters::{
    AnyFilter, ArgValue, Chain, Entry, Invalid, Predicate, Route, Severity, SharedHeaders, Source,
    Span, Target, TargetKind, UnitSettings, filter, predicate,
};

use super::context::Context;
use super::findings::Found;
use super::names::{kebab, suggestion};
use super::routes::{Definition, Unit, UnitKind, unresolved_problem};
use super::settings::{ServiceSettings, Settings, Units};

/// Builds routes, one after the other.
#[derive(Debug)]
pub(super) struct Builder<'b, 'a> {
    context: &'b Context<'a>,
    settings: &'b Settings,
    defaults: &'b [Unit],
    /// Name of the file.
    file: Arc<str>,
    shared_headers: SharedHeaders,
    /// Where ids stand that are taken.
    ids: HashMap<Arc<str>, Span>,
    /// Problems of default filters, with the routes they come up in.
    default_problems: Vec<(Found, usize)>,
    built: usize,
}

impl<'b, 'a> Builder<'b, 'a> {
    pub(super) fn new(
        context: &'b Context<'a>,
        settings: &'b Settings,
        defaults: &'b [Unit],
    ) -> Self {
        Self {
            context,
            settings,
            defaults,
            file: context.source.name.into(),
            shared_headers: SharedHeaders::default(),
            ids: HashMap::new(),
            default_problems: Vec::new(),
            built: 0,
        }
    }

    /// Builds one route. `None` if it is switched off or refused.
    pub(super) fn route(&mut self, definition: Definition, id: &Arc<str>) -> Option<Route> {
        // What is refused already is not worth building once there is enough to tell.
        let enough = self.context.problems.borrow().is_full(Severity::Error);
        if !definition.enabled || enough {
            return None;
        }
        self.take_id(&definition, id);
        self.built += 1;
        let mut attempt = Attempt::new(self, id);
        let predicates = attempt.predicates(&definition.predicates);
        let mut variables: Vec<String> = predicates
            .iter()
            .flat_map(|predicate| predicate.variables())
            .map(str::to_owned)
            .collect();
        if predicates.len() < definition.predicates.len()
            || !definition.broken_predicates.is_empty()
        {
            let broken = definition.predicates.iter().flat_map(|unit| texts(&unit.entry));
            let broken = broken.chain(definition.broken_predicates.iter().map(String::as_str));
            variables.extend(broken.flat_map(names_in_braces));
        }
        // Defaults are built first, and the last one built counts (`resilience.md` 1.5).
        let written = self.defaults.iter().chain(&definition.filters);
        attempt.route_limit = written.rev().find_map(|unit| written_limit(&unit.entry));
        let own_start = attempt.found.len();
        let defaults = attempt.filters(self.defaults, &variables);
        let of_defaults = attempt.found.split_off(own_start);
        let defaults_failed = has_errors(&of_defaults);
        self.note_default_problems(of_defaults);
        let filters = attempt.filters(&definition.filters, &variables);
        let target = attempt.target(&definition);
        let failed = has_errors(&attempt.found) || defaults_failed;
        self.settle(attempt.found);
        let target = target.filter(|_| !failed)?;
        Some(Route {
            id: Arc::clone(id),
            order: definition.order,
            target,
            predicates: predicates.into(),
            chain: Chain::merge(defaults, filters),
            metadata: definition.metadata,
            source: Some(self.source_of(definition.span)),
        })
    }

    fn source_of(&self, span: Span) -> Source {
        let line = self.context.source.lines.line(span.start);
        Source { file: Arc::clone(&self.file), line }
    }

    fn take_id(&mut self, definition: &Definition, id: &Arc<str>) {
        let span = definition.id.as_ref().map_or(definition.span, |id| id.span);
        match self.ids.get(id) {
            None => drop(self.ids.insert(Arc::clone(id), span)),
            Some(first) => {
                let line = self.context.source.lines.line(first.start);
                let message = format!("two routes have the id `{id}`, the first on line {line}");
                let problem = Invalid::new("duplicate-id", message).or_at(span);
                let severity =
                    if self.context.strict { Severity::Error } else { Severity::Warning };
                let found = Found { severity, problem, route: Some(Arc::clone(id)) };
                self.context.problems.borrow_mut().push(found);
            }
        }
    }

    /// With `fail-on-route-definition-error: false`, what is wrong with a route is only told.
    fn settle(&self, mut found: Vec<Found>) {
        if !self.settings.fail_on_route_definition_error {
            for one in &mut found {
                if one.severity == Severity::Error {
                    one.severity = Severity::Warning;
                    one.problem.message.push_str("; the route is left out");
                }
            }
        }
        let mut problems = self.context.problems.borrow_mut();
        for one in found {
            problems.push(one);
        }
    }

    fn note_default_problems(&mut self, found: Vec<Found>) {
        for one in found {
            let same = |(known, _): &&mut (Found, usize)| known.problem == one.problem;
            match self.default_problems.iter_mut().find(same) {
                Some((_, count)) => *count += 1,
                None => self.default_problems.push((one, 1)),
            }
        }
    }

    /// Tells the problems of default filters once; with the route, if it is the route's doing.
    pub(super) fn finish(mut self) {
        if self.built == 0 {
            let nobody = Arc::from("default-filters");
            let mut attempt = Attempt::new(&self, &nobody);
            drop(attempt.filters(self.defaults, &[]));
            attempt.found.retain(|found| found.problem.code == "unknown-filter");
            self.note_default_problems(attempt.found);
        }
        let built = self.built;
        let told =
            std::mem::take(&mut self.default_problems).into_iter().map(|(mut found, count)| {
                if count >= built {
                    found.route = None;
                }
                found
            });
        self.settle(told.collect());
    }
}

fn has_errors(found: &[Found]) -> bool {
    found.iter().any(|one| one.severity == Severity::Error)
}

/// One route while it is built.
struct Attempt<'b, 'a> {
    context: &'b Context<'a>,
    told: &'b Units,
    services: &'b [ServiceSettings],
    has_auth: bool,
    resilience: &'b Resilience,
    id: &'b Arc<str>,
    limits: &'b LimitSettings,
    /// The limit that a filter of the route writes.
    route_limit: Option<Policy>,
    shared_headers: SharedHeaders,
    found: Vec<Found>,
}

impl<'b, 'a> Attempt<'b, 'a> {
    fn new(builder: &Builder<'b, 'a>, id: &'b Arc<str>) -> Self {
        Self {
            context: builder.context,
            told: &builder.settings.units,
            services: &builder.settings.services,
            has_auth: builder.settings.auth.is_some(),
            resilience: &builder.settings.resilience,
            id,
            limits: &builder.settings.rate_limits,
            route_limit: None,
            shared_headers: builder.shared_headers.clone(),
            found: Vec::new(),
        }
    }

    fn tell(&mut self, severity: Severity, problem: Invalid) {
        self.found.push(Found { severity, problem, route: Some(Arc::clone(self.id)) });
    }

    fn predicates(&mut self, units: &[Unit]) -> Vec<Box<dyn Predicate>> {
        let build =
            |unit: &Unit, settings: &mut UnitSettings<'_>| predicate::build(&unit.entry, settings);
        self.units(UnitKind::Predicate, units, &[], build)
    }

    fn filters(&mut self, units: &[Unit], variables: &[String]) -> Vec<AnyFilter> {
        let build =
            |unit: &Unit, settings: &mut UnitSettings<'_>| filter::build(&unit.entry, settings);
        self.units(UnitKind::Filter, units, variables, build)
    }

    fn units<T>(
        &mut self,
        kind: UnitKind,
        units: &[Unit],
        variables: &[String],
        build: impl Fn(&Unit, &mut UnitSettings<'_>) -> Result<T, Invalid>,
    ) -> Vec<T> {
        let mut ready = Vec::with_capacity(units.len());
        for unit in units {
            if self.refused(kind, unit) {
                continue;
            }
            let mut settings = UnitSettings {
                strict: self.context.strict,
                variables,
                host_include_port: self.told.host_include_port,
                optional_trailing_slash: self.told.optional_trailing_slash,
                base_path: &self.told.base_path,
                original_status_header: self.told.original_status_header.as_deref(),
                has_auth: self.has_auth,
                resilience: self.resilience,
                limits: self.limits,
                route_limit: self.route_limit,
                shared_headers: self.shared_headers.clone(),
                ..UnitSettings::native(self.id)
            };
            let outcome = build(unit, &mut settings);
            for (severity, problem) in settings.warnings {
                // A placeholder that nothing knows is told as such, not as a variable as well.
                let variable = |name: &String| problem.message.contains(&format!("{{{name}}}"));
                if !unit.unresolved.iter().any(variable) {
                    self.tell(severity, problem.or_at(unit.entry.span));
                }
            }
            match outcome {
                Ok(one) => ready.push(one),
                Err(problem) => self.tell(Severity::Error, problem.or_at(unit.entry.span)),
            }
        }
        ready
    }

    /// Whether a unit is not even tried: it is switched off, or a placeholder in it is unknown.
    fn refused(&mut self, kind: UnitKind, unit: &Unit) -> bool {
        let off = match kind {
            UnitKind::Predicate => &self.told.predicates_off,
            UnitKind::Filter => &self.told.filters_off,
        };
        let noun = kind.noun();
        let name = kebab(&unit.entry.name);
        if off.contains(&name) {
            let code = match kind {
                UnitKind::Predicate => "unknown-predicate",
                UnitKind::Filter => "unknown-filter",
            };
            let message = format!("{noun} `{}` is switched off", unit.entry.name);
            let help = format!("remove `{noun}.{name}.enabled: false`");
            let problem = Invalid::new(code, message).with_help(help);
            self.tell(Severity::Error, problem.or_at(unit.entry.span));
            return true;
        }
        let mut refused = false;
        for name in &unit.unresolved {
            // `${name}` in a replacement is a reference to a group of the expression beside it.
            let group = format!("(?<{name}>");
            if texts(&unit.entry).any(|text| text.contains(&group)) {
                continue;
            }
            let severity = if self.context.strict { Severity::Error } else { Severity::Warning };
            refused |= self.context.strict;
            self.tell(severity, unresolved_problem(name).or_at(unit.entry.span));
        }
        refused
    }

    /// Names are compared with case, as Spring's simple discovery does.
    fn check_service(&mut self, service: &str, span: Span) {
        if self.services.iter().any(|known| known.name == service) {
            return;
        }
        let known: Vec<&str> = self.services.iter().map(|known| known.name.as_str()).collect();
        let help = if known.is_empty() {
            format!(
                "write `services: {{ {service}: {{ instances: [ {{ uri: http://host:port }} ] }} }}`"
            )
        } else {
            suggestion(service, &known)
        };
        let problem = Invalid::new("unknown-service", format!("there is no service `{service}`"));
        let severity = if self.context.strict { Severity::Error } else { Severity::Warning };
        self.tell(severity, problem.with_help(help).or_at(span));
    }

    fn target(&mut self, definition: &Definition) -> Option<Target> {
        let Some(uri) = definition.uri.as_ref().filter(|uri| !uri.text.trim().is_empty()) else {
            let problem = Invalid::new("missing-uri", "the route has no `uri`")
                .with_help("write where it leads: `uri: http://host:port`");
            self.tell(Severity::Error, problem.or_at(definition.span));
            return None;
        };
        match Target::parse(&uri.text, self.context.strict) {
            Ok(target) => {
                if let TargetKind::Fails(why) = &target.kind {
                    let problem = Invalid::new("invalid-uri", why.clone());
                    self.tell(Severity::Warning, problem.or_at(uri.span));
                }
                if let TargetKind::LoadBalanced { service, .. } = &target.kind {
                    self.check_service(service, uri.span);
                }
                Some(target)
            }
            Err(problem) => {
                self.tell(Severity::Error, problem.or_at(uri.span));
                None
            }
        }
    }
}

/// The texts of an entry's arguments.
fn texts(entry: &Entry) -> impl Iterator<Item = &str> {
    entry.arguments.iter().flat_map(|argument| match &argument.value {
        ArgValue::Text(text) => std::slice::from_ref(text).iter().map(String::as_str),
        ArgValue::List(texts) => texts.iter().map(String::as_str),
    })
}

/// What a pattern that could not be built would have captured, so that one mistake is not told
/// once more for every template that uses its variables.
fn names_in_braces(text: &str) -> impl Iterator<Item = String> {
    text.split('{').skip(1).filter_map(|rest| {
        let name = rest.split(['}', ':']).next()?;
        Some(name.trim_start_matches('*').to_owned())
    })
}
