//! The filters of one route in the order they run.

use std::slice;

use pingora_http::ResponseHeader;
use prefetch_index::prefetch_index;
use smallvec::SmallVec;

use crate::filter::AnyFilter;
use crate::{Exchange, Failure, Filter, Flow, Hook, Parts};

/// A filter and its number in the chain.
#[derive(Debug)]
pub struct Ordered {
    /// Lower numbers stand further out: earlier on the way in, later on the way back.
    pub order: i32,
    /// The filter.
    pub filter: AnyFilter,
}

/// The filters of one route: ascending on the way in, in reverse on the way back.
#[derive(Debug, Default)]
pub struct Chain {
    /// A few in place: a request to one of many routes waits for each place in memory it goes to.
    filters: SmallVec<[AnyFilter; 4]>,
    /// The number of each.
    orders: Box<[i32]>,
    /// How many filters there are up to the last one that changes the request.
    changes_until: usize,
    /// Positions in the order of the way back, where it is not the reverse.
    back: Option<Box<[usize]>>,
}

impl Chain {
    /// Numbers default filters 1, 2, … and the route's own filters 1, 2, … and sorts both stably:
    /// the lists interleave (`filters.md` 1.1). A filter with an order of its own keeps it but uses
    /// up its place.
    pub fn merge(defaults: Vec<AnyFilter>, own: Vec<AnyFilter>) -> Self {
        let numbered = |filters: Vec<AnyFilter>| {
            (1..)
                .zip(filters)
                .map(|(place, filter)| Ordered { order: filter.order().unwrap_or(place), filter })
        };
        Self::ordered(numbered(defaults).chain(numbered(own)).collect())
    }

    /// Sorts filters stably by the numbers they come with, as routes built in code give them.
    pub fn ordered(mut steps: Vec<Ordered>) -> Self {
        steps.sort_by_key(|step| step.order);
        let (orders, filters): (Vec<i32>, SmallVec<[AnyFilter; 4]>) =
            steps.into_iter().map(|Ordered { order, filter }| (order, filter)).unzip();
        let post_order = |at: &usize| filters.get(*at).and_then(|filter| filter.post_order());
        let (mut late, mut back): (Vec<usize>, Vec<usize>) =
            (0..filters.len()).rev().partition(|at| post_order(at).is_some());
        let back = (!late.is_empty()).then(|| {
            late.sort_by_key(post_order);
            back.append(&mut late);
            back.into_boxed_slice()
        });
        let changes = filters.iter().rposition(|filter| filter.changes_request());
        let changes_until = changes.map_or(0, |last| last + 1);
        Self { filters, orders: orders.into(), changes_until, back }
    }

    /// The filters with their numbers, in the order of the way in.
    pub fn steps(&self) -> impl Iterator<Item = (i32, &dyn Filter)> {
        self.orders.iter().copied().zip(self.filters.iter().map(|filter| &**filter))
    }

    /// Begins to fetch the filters from memory ([`crate::RouteTable::fetch`]).
    pub(crate) fn fetch(&self) {
        // Their number would have to be waited for.
        prefetch_index(slice::from_ref(&self.filters), 0);
        prefetch_index(slice::from_ref(&self.orders), 0);
    }

    /// Gives every filter what it shares with those of other tables.
    pub fn prepare(&self, parts: &Parts) {
        for filter in &self.filters {
            filter.prepare(parts);
        }
    }

    /// Whether filters that change the request stand behind the one at `place`.
    pub fn changes_behind(&self, place: usize) -> bool {
        place + 1 < self.changes_until
    }

    /// Runs the way in from the filter at `place` on, until one wants something else than to go on;
    /// then `place` is that filter's.
    ///
    /// # Errors
    ///
    /// The first filter that fails ends the chain.
    pub async fn on_request(
        &self,
        place: &mut usize,
        exchange: &mut Exchange<'_>,
    ) -> Result<Flow, Failure> {
        while let Some(filter) = self.filters.get(*place) {
            let flow = match filter.on_request(exchange) {
                Hook::Ready(outcome) => outcome?,
                Hook::Wait(later) => later.await?,
            };
            match flow {
                Flow::Continue => *place += 1,
                Flow::Respond(_)
                | Flow::Refuse(_)
                | Flow::ReadBody { .. }
                | Flow::Around(_)
                | Flow::Forward { .. } => return Ok(flow),
            }
        }
        Ok(Flow::Continue)
    }

    /// Runs the way back over the upstream's head, from its step `from` on. Ends before the filter
    /// at `place`, if that is wanted, and gives the step behind it.
    ///
    /// # Errors
    ///
    /// The first filter that fails ends the chain.
    pub async fn on_response(
        &self,
        from: usize,
        until: Option<usize>,
        exchange: &mut Exchange<'_>,
        head: &mut ResponseHeader,
    ) -> Result<usize, Failure> {
        for step in from..self.filters.len() {
            let Some(place) = self.place_of(step) else { continue };
            if until == Some(place) {
                return Ok(step + 1);
            }
            let Some(filter) = self.filters.get(place) else { continue };
            match filter.on_response(exchange, head) {
                Hook::Ready(outcome) => outcome?,
                Hook::Wait(later) => later.await?,
            }
        }
        Ok(self.filters.len())
    }

    /// The step of the way back that comes after the filter at `place`.
    pub fn step_behind(&self, place: usize) -> usize {
        let step = match &self.back {
            None => self.filters.len().checked_sub(place + 1),
            Some(back) => back.iter().position(|at| *at == place),
        };
        step.map_or(self.filters.len(), |step| step + 1)
    }

    /// Runs what must be on every answer, whoever made it.
    pub fn on_answer(&self, exchange: &mut Exchange<'_>, head: &mut ResponseHeader) {
        for step in 0..self.filters.len() {
            if let Some(filter) = self.place_of(step).and_then(|place| self.filters.get(place)) {
                filter.on_answer(exchange, head);
            }
        }
    }

    /// The place of the filter whose turn is at a step of the way back.
    fn place_of(&self, step: usize) -> Option<usize> {
        match &self.back {
            None => self.filters.len().checked_sub(step + 1),
            Some(back) => back.get(step).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Named(&'static str, Option<i32>);

    impl Filter for Named {
        fn order(&self) -> Option<i32> {
            self.1
        }
    }

    impl fmt::Display for Named {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str(self.0)
        }
    }

    #[track_caller]
    fn check(defaults: &[Named], own: &[Named], expected: &[(&str, i32)]) {
        let boxed = |filters: &[Named]| -> Vec<AnyFilter> {
            let one = |named: &Named| -> Box<dyn Filter> { Box::new(Named(named.0, named.1)) };
            filters.iter().map(|named| one(named).into()).collect()
        };
        let chain = Chain::merge(boxed(defaults), boxed(own));
        let steps: Vec<(String, i32)> =
            chain.steps().map(|(order, filter)| (filter.to_string(), order)).collect();
        let expected: Vec<(String, i32)> =
            expected.iter().map(|(name, order)| ((*name).to_owned(), *order)).collect();
        assert_eq!(steps, expected);
    }

    // ORD-15
    #[test]
    fn a_filter_with_an_order_of_its_own_uses_up_its_place() {
        check(
            &[],
            &[Named("remove", None), Named("custom", Some(9999)), Named("add", None)],
            &[("remove", 1), ("add", 3), ("custom", 9999)],
        );
    }

    // ORD-16
    #[test]
    fn a_default_filter_stands_before_the_routes_own_of_the_same_number() {
        check(
            &[Named("default", None)],
            &[Named("own", None), Named("own too", None)],
            &[("default", 1), ("own", 1), ("own too", 2)],
        );
    }
}
