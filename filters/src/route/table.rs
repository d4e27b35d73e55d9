//! All routes in order; the first one that takes a request wins.

use std::slice;
use std::sync::Arc;

use prefetch_index::prefetch_index;

use super::index::{Candidate, Index};
use crate::predicate::{Choices, Hint};
use crate::weights::WeightTable;
use crate::{Failure, Incoming, Route};

/// All routes, checked, in the order they are tried, each with what its caller prepared for it.
/// Immutable: a reload makes a new one.
#[derive(Debug)]
pub struct RouteTable<P = ()> {
    rows: Vec<Row<P>>,
    weights: WeightTable,
    index: Index,
}

/// A route and its caller's plan, side by side: a request needs both, and for a route that was not
/// used lately it waits for each place in memory.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Row<P = ()> {
    /// What the caller prepared for the route.
    pub plan: P,
    /// The route.
    pub route: Route,
}

impl<P> RouteTable<P> {
    /// Sorts routes stably by their order numbers and indexes them.
    pub fn new(mut rows: Vec<Row<P>>) -> Self {
        let weights = WeightTable::new(rows.iter().flat_map(|Row { route, .. }| {
            route.predicates.iter().filter_map(|predicate| match predicate.hint() {
                Hint::Weight { group, weight } => Some((group, Arc::clone(&route.id), weight)),
                Hint::None | Hint::Methods(_) | Hint::Paths(_) | Hint::Hosts(_) => None,
            })
        }));
        rows.sort_by_key(|row| row.route.order);
        let index = Index::new(&rows);
        Self { rows, weights, index }
    }

    /// The routes in the order they are tried.
    pub fn routes(&self) -> impl ExactSizeIterator<Item = &Route> {
        self.rows.iter().map(|row| &row.route)
    }

    /// The route at a position that [`RouteTable::find`] gave, and its plan.
    pub fn row(&self, position: usize) -> Option<&Row<P>> {
        self.rows.get(position)
    }

    /// Begins to fetch a row from memory, for whoever needs it soon: in a large table most rows were
    /// not used lately, and waiting for them is most of what they cost. Changes nothing else.
    pub fn fetch(&self, position: usize) {
        let Some(row) = self.rows.get(position) else { return };
        prefetch_index(slice::from_ref(&row.plan), 0);
        prefetch_index(slice::from_ref(&row.route), 0);
        row.route.chain.fetch();
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
        let all = 0..self.rows.len();
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
            match self.rows.get(position).map(|row| row.route.predicates.match_all(incoming)) {
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

impl From<Vec<Route>> for RouteTable {
    fn from(routes: Vec<Route>) -> Self {
        Self::new(routes.into_iter().map(|route| Row { plan: (), route }).collect())
    }
}
