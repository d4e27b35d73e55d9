//! All routes in order; the first one that takes a request wins.

use std::sync::Arc;

use super::index::{Candidate, Index};
use crate::predicate::{Choices, Hint};
use crate::weights::WeightTable;
use crate::{Failure, Incoming, Route, Variables};

/// All routes, checked, in the order they are tried. Immutable: a reload makes a new one.
#[derive(Debug, Default)]
pub struct RouteTable {
    routes: Vec<Arc<Route>>,
    weights: WeightTable,
    index: Index,
}

impl RouteTable {
    /// Sorts routes stably by their order numbers and indexes them.
    pub fn new(mut routes: Vec<Route>) -> Self {
        let weights = WeightTable::new(routes.iter().flat_map(|route| {
            route.predicates.iter().filter_map(|predicate| match predicate.hint() {
                Hint::Weight { group, weight } => Some((group, Arc::clone(&route.id), weight)),
                Hint::None | Hint::Methods(_) | Hint::Paths(_) | Hint::Hosts(_) => None,
            })
        }));
        routes.sort_by_key(|route| route.order);
        let routes: Vec<Arc<Route>> = routes.into_iter().map(Arc::new).collect();
        let index = Index::new(&routes);
        Self { routes, weights, index }
    }

    /// The routes in the order they are tried.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Lets every weight group choose a route for one request. `random` gives numbers in [0, 1).
    pub fn choose(&self, random: &mut dyn FnMut() -> f64) -> Choices {
        self.weights.choose(random)
    }

    /// The position of the first route whose predicates all hold.
    ///
    /// # Errors
    ///
    /// A predicate that failed, if no other route matched (`predicates.md` 3.4).
    pub fn find(&self, incoming: &Incoming<'_>) -> Result<Option<usize>, Failure> {
        self.first_match(self.index.candidates(incoming), incoming)
    }

    /// What [`RouteTable::find`] must give, by asking every route: the reference the index is
    /// tested against.
    ///
    /// # Errors
    ///
    /// As [`RouteTable::find`].
    pub fn find_without_index(&self, incoming: &Incoming<'_>) -> Result<Option<usize>, Failure> {
        let all = 0..self.routes.len();
        self.first_match(all.map(|position| Candidate { position, is_decided: false }), incoming)
    }

    fn first_match(
        &self,
        candidates: impl Iterator<Item = Candidate>,
        incoming: &Incoming<'_>,
    ) -> Result<Option<usize>, Failure> {
        let mut failed = None;
        for Candidate { position, is_decided } in candidates {
            if is_decided {
                return Ok(Some(position));
            }
            match self.routes.get(position).map(|route| route.takes(incoming)) {
                Some(Ok(true)) => return Ok(Some(position)),
                Some(Err(failure)) => {
                    failed.get_or_insert(failure);
                }
                Some(Ok(false)) | None => {}
            }
        }
        failed.map_or(Ok(None), Err)
    }
}

impl Route {
    /// Whether all predicates hold, asked in their order until one does not.
    ///
    /// # Errors
    ///
    /// A predicate that failed.
    pub fn takes(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        for predicate in &self.predicates {
            if !predicate.matches(incoming)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the predicates capture from a request the route takes.
    ///
    /// # Errors
    ///
    /// A predicate that failed.
    pub fn capture(&self, incoming: &Incoming<'_>) -> Result<Variables, Failure> {
        let mut variables = Variables::new();
        for predicate in &self.predicates {
            predicate.capture(incoming, &mut variables)?;
        }
        Ok(variables)
    }
}
