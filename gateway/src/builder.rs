//! Routes built in code, by the same units and checks as a route file:
//!
//! ```
//! use tollgate::builder::RouteBuilder;
//!
//! let routes = RouteBuilder::new()
//!     .route("places-service", |route| {
//!         route.path("/place/**").method("GET").filter("PrefixPath=/v1").uri("http://localhost:8082")
//!     })
//!     .build()
//!     .unwrap();
//! assert_eq!(&*routes[0].id, "places-service");
//! ```

use std::collections::HashSet;

use tollgate_filters::filter::written_limit;
use tollgate_filters::{
    ArgValue, Argument, Chain, Entry, Filter, Invalid, Ordered, Predicate, Route, SharedHeaders,
    Span, Target, UnitSettings, filter, predicate,
};

/// Collects routes; [`RouteBuilder::build`] tells everything that is wrong with them.
#[derive(Debug, Default)]
pub struct RouteBuilder {
    routes: Vec<RouteSpec>,
}

/// One route that is being described.
#[derive(Debug, Default)]
pub struct RouteSpec {
    id: String,
    uri: String,
    order: i32,
    predicates: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Named { order: Option<i32>, entry: Entry },
    Own { order: Option<i32>, filter: Box<dyn Filter> },
}

/// Why routes cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("route `{route}`: {problem}")]
pub struct InvalidRoute {
    /// Id of the route.
    pub route: String,
    /// What is wrong.
    pub problem: Invalid,
}

impl RouteBuilder {
    /// No routes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route; routes of equal order are tried in the order they are added.
    #[must_use]
    pub fn route(mut self, id: &str, describe: impl FnOnce(RouteSpec) -> RouteSpec) -> Self {
        self.routes.push(describe(RouteSpec { id: id.to_owned(), ..RouteSpec::default() }));
        self
    }

    /// Adds the routes of another builder, such as one for each service.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.routes.extend(other.routes);
        self
    }

    /// Checks and compiles all routes.
    ///
    /// # Errors
    ///
    /// Every problem of every route; an id that is used twice is one.
    pub fn build(self) -> Result<Vec<Route>, Vec<InvalidRoute>> {
        let mut problems = Vec::new();
        let mut routes = Vec::new();
        let mut ids = HashSet::new();
        let shared_headers = SharedHeaders::default();
        for spec in self.routes {
            let id = spec.id.clone();
            if !ids.insert(id.clone()) {
                let problem = Invalid::new("duplicate-id", format!("the id `{id}` is used twice"));
                problems.push(InvalidRoute { route: id.clone(), problem });
            }
            match spec.build(&shared_headers) {
                Ok(route) => routes.push(route),
                Err(found) => problems.extend(
                    found.into_iter().map(|problem| InvalidRoute { route: id.clone(), problem }),
                ),
            }
        }
        if problems.is_empty() { Ok(routes) } else { Err(problems) }
    }
}

impl RouteSpec {
    /// Takes requests whose path matches the pattern.
    #[must_use]
    pub fn path(self, pattern: &str) -> Self {
        self.predicate(&format!("Path={pattern}"))
    }

    /// Takes requests with one of the methods, separated by commas.
    #[must_use]
    pub fn method(self, methods: &str) -> Self {
        self.predicate(&format!("Method={methods}"))
    }

    /// Takes requests that meet any other predicate, in the shortcut notation.
    #[must_use]
    pub fn predicate(mut self, shortcut: &str) -> Self {
        self.predicates.push(shortcut.to_owned());
        self
    }

    /// Adds a filter in the shortcut notation, at its place in the list.
    #[must_use]
    pub fn filter(mut self, shortcut: &str) -> Self {
        let entry = Entry::filter_shortcut(shortcut, Span::default());
        self.steps.push(Step::Named { order: None, entry });
        self
    }

    /// Adds a filter with arguments by name, at its place in the list: for filters that have no
    /// shortcut, such as `RequestRateLimiter`.
    #[must_use]
    pub fn filter_with(mut self, name: &str, arguments: &[(&str, &str)]) -> Self {
        let argument = |(key, value): &(&str, &str)| Argument {
            key: Some((*key).to_owned()),
            value: ArgValue::Text((*value).to_owned()),
            span: Span::default(),
        };
        let arguments = arguments.iter().map(argument).collect();
        let entry = Entry { name: name.to_owned(), arguments, span: Span::default() };
        self.steps.push(Step::Named { order: None, entry });
        self
    }

    /// Adds a filter in the shortcut notation with an order number.
    #[must_use]
    pub fn filter_at(mut self, order: i32, shortcut: &str) -> Self {
        let entry = Entry::filter_shortcut(shortcut, Span::default());
        self.steps.push(Step::Named { order: Some(order), entry });
        self
    }

    /// Adds a filter of the application's own, at its place in the list unless it names an order.
    #[must_use]
    pub fn own_filter(mut self, filter: Box<dyn Filter>) -> Self {
        self.steps.push(Step::Own { order: None, filter });
        self
    }

    /// Adds a filter of the application's own with an order number.
    #[must_use]
    pub fn own_filter_at(mut self, order: i32, filter: Box<dyn Filter>) -> Self {
        self.steps.push(Step::Own { order: Some(order), filter });
        self
    }

    /// Routes with a lower number are tried first; 0 by default.
    #[must_use]
    pub fn order(mut self, order: i32) -> Self {
        self.order = order;
        self
    }

    /// Where requests go.
    #[must_use]
    pub fn uri(mut self, uri: &str) -> Self {
        uri.clone_into(&mut self.uri);
        self
    }

    fn build(self, shared_headers: &SharedHeaders) -> Result<Route, Vec<Invalid>> {
        let mut problems = Vec::new();
        let mut settings = UnitSettings {
            shared_headers: shared_headers.clone(),
            ..UnitSettings::native(&self.id)
        };
        let mut predicates: Vec<Box<dyn Predicate>> = Vec::new();
        for shortcut in &self.predicates {
            let entry = Entry::predicate_shortcut(shortcut, Span::default());
            match entry.and_then(|entry| predicate::build(&entry, &mut settings)) {
                Ok(built) => predicates.push(built),
                Err(problem) => problems.push(problem),
            }
        }
        let captured = predicates.iter().flat_map(|predicate| predicate.variables());
        let variables: Vec<String> = captured.map(str::to_owned).collect();
        settings.variables = &variables;
        let mut written = self.steps.iter().filter_map(|step| match step {
            Step::Named { entry, .. } => written_limit(entry),
            Step::Own { .. } => None,
        });
        settings.route_limit = written.next_back();
        let mut steps = Vec::new();
        for (place, step) in (1..).zip(self.steps) {
            let (order, built) = match step {
                Step::Own { order, filter } => (order, Ok(filter.into())),
                Step::Named { order, entry } => (order, filter::build(&entry, &mut settings)),
            };
            match built {
                Ok(filter) => {
                    let order = order.or(filter.order()).unwrap_or(place);
                    steps.push(Ordered { order, filter });
                }
                Err(problem) => problems.push(problem),
            }
        }
        let target = Target::parse(&self.uri, true).map_err(|problem| problems.push(problem)).ok();
        match target {
            Some(target) if problems.is_empty() => Ok(Route {
                id: self.id.as_str().into(),
                order: self.order,
                target,
                predicates: predicates.into(),
                chain: Chain::ordered(steps),
                metadata: Vec::new(),
                source: None,
            }),
            _ => Err(problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_every_problem_of_every_route() {
        let problems = RouteBuilder::new()
            .route("a", |route| route.path("/{").filter("StripPrefx=1").uri("nowhere"))
            .route("a", |route| route.path("/a").uri("http://h"))
            .build()
            .unwrap_err();
        let codes: Vec<&str> = problems.iter().map(|problem| problem.problem.code).collect();
        assert!(problems.len() >= 4, "{problems:?}");
        assert!(codes.contains(&"unknown-filter") && codes.contains(&"duplicate-id"));
    }
}
