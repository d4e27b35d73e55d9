//! The order of the plans on each day, and the way from one to the next.

use jiff::civil::Date;

use crate::plan::{Plan, Point};

/// Where a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) id: i64,
    pub(crate) date: Date,
    /// Position on its day, from 1.
    pub(crate) order: i64,
}

impl Plan {
    /// Where it stands.
    pub(crate) fn slot(&self) -> Slot {
        Slot { id: self.id, date: self.date, order: self.order }
    }
}

/// The slots that must change so that every day counts 1, 2, 3 …, as they must be.
///
/// `slots` come in the sequence they are to have, the days one after the other.
pub(crate) fn renumbered(slots: &[Slot]) -> Vec<Slot> {
    let days = slots.chunk_by(|one, other| one.date == other.date);
    let counted = days.flat_map(|day| (1..).zip(day));
    counted
        .filter(|(order, slot)| slot.order != *order)
        .map(|(order, slot)| Slot { order, ..*slot })
        .collect()
}

/// The slots of one day after plan `id` has moved to the place `order`; those in between move
/// over. `None` when there is no such place.
pub(crate) fn moved(day: &[Slot], id: i64, order: i64) -> Option<Vec<Slot>> {
    let from = day.iter().position(|slot| slot.id == id)?;
    let to = usize::try_from(order).ok()?.checked_sub(1).filter(|to| *to < day.len())?;
    let mut day = day.to_vec();
    let slot = day.remove(from);
    day.insert(to, slot);
    Some(day)
}

/// The plans of one day by the nearest neighbour: from `start` always on to the closest one that has
/// not been visited, and to the earlier one where two are equally close.
pub(crate) fn by_distance(mut rest: Vec<Plan>, start: usize) -> Vec<Plan> {
    let mut visited = Vec::with_capacity(rest.len());
    let mut next = (start < rest.len()).then_some(start);
    while let Some(at) = next {
        let here = rest.remove(at);
        next = closest(&rest, here.location.point);
        visited.push(here);
    }
    visited
}

fn closest(plans: &[Plan], here: Point) -> Option<usize> {
    let distances = plans.iter().map(|plan| here.haversine(plan.location.point)).enumerate();
    distances.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::plan::Location;

    const DAY: Date = date(2025, 5, 1);
    const NEXT: Date = date(2025, 5, 2);

    fn slots(slots: &[(i64, Date, i64)]) -> Vec<Slot> {
        let slot = |&(id, date, order)| Slot { id, date, order };
        slots.iter().map(slot).collect()
    }

    fn plan(id: i64, longitude: f64, latitude: f64) -> Plan {
        let location = Location {
            name: String::new(),
            point: Point { longitude, latitude },
            category: None,
            address: String::new(),
            road_address: String::new(),
            telephone: None,
        };
        Plan { id, travel_id: 1, location, date: DAY, order: id }
    }

    fn sorted(plans: &[Plan], start: usize) -> Vec<i64> {
        by_distance(plans.to_vec(), start).iter().map(|plan| plan.id).collect()
    }

    #[test]
    fn only_what_must_change_does() {
        let in_order = slots(&[(7, DAY, 1), (8, DAY, 2), (9, NEXT, 1)]);
        assert!(renumbered(&in_order).is_empty());
        let with_gaps = slots(&[(7, DAY, 1), (8, DAY, 3), (9, NEXT, 2), (6, NEXT, 4)]);
        let expected = slots(&[(8, DAY, 2), (9, NEXT, 1), (6, NEXT, 2)]);
        assert_eq!(renumbered(&with_gaps), expected);
    }

    #[test]
    fn a_plan_moves_and_the_others_move_over() {
        let day = slots(&[(1, DAY, 1), (2, DAY, 2), (3, DAY, 3), (4, DAY, 4)]);
        let ids = |id, order| {
            let day = moved(&day, id, order)?;
            Some(day.iter().map(|slot| slot.id).collect::<Vec<_>>())
        };
        assert_eq!(ids(1, 3).unwrap(), [2, 3, 1, 4]);
        assert_eq!(ids(4, 2).unwrap(), [1, 4, 2, 3]);
        assert_eq!(ids(2, 2).unwrap(), [1, 2, 3, 4]);
        for (id, order) in [(1, 0), (1, 5), (1, -1), (1, i64::MAX), (5, 1)] {
            assert_eq!(ids(id, order), None);
        }
    }

    #[test]
    fn goes_on_to_the_nearest() {
        let plans = [
            plan(1, 127.0, 37.5),
            plan(2, 129.0, 35.1),
            plan(3, 127.1, 37.4),
            plan(4, 127.4, 36.3),
        ];
        assert_eq!(sorted(&plans, 0), [1, 3, 4, 2]);
        assert_eq!(sorted(&plans, 1), [2, 4, 3, 1]);
        assert_eq!(sorted(&plans[..1], 0), [1]);
        assert!(sorted(&[], 0).is_empty());
    }

    #[test]
    fn a_degree_is_shorter_near_the_poles() {
        // One degree north is 111 km; two degrees east are 77 km at 70 degrees north.
        let plans = [plan(1, 0.0, 70.0), plan(2, 0.0, 71.0), plan(3, 2.0, 70.0)];
        assert_eq!(sorted(&plans, 0), [1, 3, 2]);
    }

    #[test]
    fn equally_close_ones_keep_their_order() {
        let plans = [plan(1, 0.0, 0.0), plan(2, 1.0, 0.0), plan(3, -1.0, 0.0), plan(4, 0.0, 0.0)];
        assert_eq!(sorted(&plans, 0), [1, 4, 2, 3]);
    }
}
