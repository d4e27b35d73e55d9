//! Who gets the next request: policy without sockets and without a clock.

/// What an instance is good for at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// It takes requests.
    Up,
    /// It has failed too many of them, and gets none for a while.
    Ejected,
    /// It cannot be connected to, or its checks fail.
    Down,
}

impl InstanceState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Up, Self::Ejected, Self::Down];

    /// The word for it in metrics and on the admin listener.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Ejected => "ejected",
            Self::Down => "down",
        }
    }
}

/// The longest rota that is kept exact; weights of a longer one are rounded to it.
const LONGEST: u64 = 1000;

/// Positions of the instances in the order in which they get requests: each as often as its weight
/// says, and spread as evenly as that allows.
///
/// Ejections hold unless fewer than `panic_below` percent of the instances with a weight would be
/// left: too many that fail at a time say more about what is behind them.
pub(super) fn rota(instances: &[(u32, InstanceState)], panic_below: u8) -> Vec<usize> {
    let weighty = instances.iter().filter(|(weight, _)| *weight > 0);
    let all = weighty.clone().count();
    let up = weighty.filter(|(_, condition)| *condition == InstanceState::Up).count();
    let is_panic = up * 100 < all * usize::from(panic_below);
    let takes = |condition| match condition {
        InstanceState::Up => true,
        InstanceState::Ejected => is_panic,
        InstanceState::Down => false,
    };
    let taking: Vec<(usize, u32)> = instances
        .iter()
        .enumerate()
        .filter(|(_, (weight, condition))| *weight > 0 && takes(*condition))
        .map(|(position, (weight, _))| (position, *weight))
        .collect();
    spread(&taking)
}

/// One cycle of smooth weighted round robin: `a a b` becomes `a b a`.
fn spread(weights: &[(usize, u32)]) -> Vec<usize> {
    let mut entries = shortened(weights);
    if entries.iter().all(|entry| entry.weight == 1) {
        return entries.iter().map(|entry| entry.position).collect();
    }
    let total: i64 = entries.iter().map(|entry| entry.weight).sum();
    (0..total)
        .filter_map(|_| {
            for entry in &mut entries {
                entry.credit += entry.weight;
            }
            // Of several the first one.
            let next = entries.iter_mut().rev().max_by_key(|entry| entry.credit)?;
            next.credit -= total;
            Some(next.position)
        })
        .collect()
}

struct Entry {
    position: usize,
    weight: i64,
    credit: i64,
}

/// The smallest weights in the same proportion, rounded if they are still too large.
fn shortened(weights: &[(usize, u32)]) -> Vec<Entry> {
    let divisor = weights.iter().fold(0, |divisor, (_, weight)| common(divisor, *weight)).max(1);
    let total: u64 = weights.iter().map(|(_, weight)| u64::from(weight / divisor)).sum();
    weights
        .iter()
        .map(|(position, weight)| {
            let exact = u64::from(weight / divisor);
            let kept = if total > LONGEST { (exact * LONGEST).div_ceil(total) } else { exact };
            Entry { position: *position, weight: i64::try_from(kept).unwrap_or(1), credit: 0 }
        })
        .collect()
}

fn common(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { common(other, one % other) }
}

/// The first entry from `turn` on that may be taken.
pub(super) fn next(rota: &[usize], turn: usize, may: impl Fn(usize) -> bool) -> Option<usize> {
    let turn = turn.checked_rem(rota.len())?;
    let (before, from) = rota.split_at_checked(turn)?;
    from.iter().chain(before).copied().find(|position| may(*position))
}

/// Draws two different entries that may be taken, as often as their weights say, and gives the one
/// with the lesser load; `draw` gives a number below its argument.
pub(super) fn lesser_of_two<L: Ord>(
    rota: &[usize],
    mut draw: impl FnMut(usize) -> usize,
    may: impl Fn(usize) -> bool,
    load: impl Fn(usize) -> L,
) -> Option<usize> {
    if rota.is_empty() {
        return None;
    }
    let one = next(rota, draw(rota.len()), &may)?;
    let Some(two) = next(rota, draw(rota.len()), |position| position != one && may(position))
    else {
        return Some(one);
    };
    Some(if load(two) < load(one) { two } else { one })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn state() -> impl Strategy<Value = InstanceState> {
        prop_oneof![
            3 => Just(InstanceState::Up),
            1 => Just(InstanceState::Ejected),
            1 => Just(InstanceState::Down),
        ]
    }

    fn count(rota: &[usize]) -> HashMap<usize, usize> {
        let mut counts = HashMap::new();
        for position in rota {
            *counts.entry(*position).or_insert(0) += 1;
        }
        counts
    }

    /// Who takes requests, said as plainly as can be.
    fn takes(instances: &[(u32, InstanceState)], panic_below: u8) -> Vec<usize> {
        let with = |wanted: &[InstanceState]| -> Vec<usize> {
            (0..instances.len())
                .filter(|at| instances[*at].0 > 0 && wanted.contains(&instances[*at].1))
                .collect()
        };
        let all = with(&[InstanceState::Up, InstanceState::Ejected, InstanceState::Down]).len();
        let up = with(&[InstanceState::Up]);
        let is_enough = all == 0 || up.len() * 100 / all >= usize::from(panic_below);
        if is_enough { up } else { with(&[InstanceState::Up, InstanceState::Ejected]) }
    }

    proptest! {
        #[test]
        fn a_cycle_has_each_instance_as_often_as_its_weight(
            instances in prop::collection::vec((0u32..20, state()), 0..12),
            panic_below in prop_oneof![Just(0u8), Just(50), Just(100)],
        ) {
            let rota = rota(&instances, panic_below);
            let taking = takes(&instances, panic_below);
            let mut found: Vec<usize> = count(&rota).into_keys().collect();
            found.sort_unstable();
            prop_assert_eq!(&found, &taking);
            for one in &taking {
                for two in &taking {
                    let counts = count(&rota);
                    let (one, two) = ((*one, counts[one]), (*two, counts[two]));
                    let weight = |at: usize| usize::try_from(instances[at].0).unwrap();
                    prop_assert_eq!(one.1 * weight(two.0), two.1 * weight(one.0));
                }
            }
        }

        #[test]
        fn no_part_of_a_cycle_favours_anybody(
            weights in prop::collection::vec(1u32..20, 1..8),
        ) {
            let instances: Vec<_> = weights.iter().map(|weight| (*weight, InstanceState::Up)).collect();
            let rota = rota(&instances, 50);
            let total: u32 = weights.iter().sum();
            for end in 0..=rota.len() {
                let counts = count(&rota[..end]);
                for (at, weight) in weights.iter().enumerate() {
                    let due = f64::from(*weight) / f64::from(total) * f64::from(u32::try_from(end).unwrap());
                    let had = f64::from(u32::try_from(counts.get(&at).copied().unwrap_or(0)).unwrap());
                    let most = f64::from(u32::try_from(weights.len()).unwrap());
                    prop_assert!((had - due).abs() < most.max(2.0), "{had} of {due} in {rota:?}");
                }
            }
        }

        #[test]
        fn huge_weights_keep_their_proportion_nearly(
            weights in prop::collection::vec(1u32..1_000_000, 2..6),
        ) {
            let instances: Vec<_> = weights.iter().map(|weight| (*weight, InstanceState::Up)).collect();
            let rota = rota(&instances, 50);
            prop_assert!(rota.len() <= 1010);
            let total: f64 = weights.iter().copied().map(f64::from).sum();
            let counts = count(&rota);
            for (at, weight) in weights.iter().enumerate() {
                let share = f64::from(*weight) / total;
                let had = f64::from(u32::try_from(counts[&at]).unwrap())
                    / f64::from(u32::try_from(rota.len()).unwrap());
                prop_assert!((had - share).abs() < 0.01, "{had} for {share}");
            }
        }

        #[test]
        fn a_turn_gives_the_next_that_may_be_taken(
            rota in prop::collection::vec(0usize..6, 0..20),
            turn in any::<usize>(),
            tried in prop::collection::vec(0usize..6, 0..4),
        ) {
            let found = next(&rota, turn, |at| !tried.contains(&at));
            let expected = (0..rota.len())
                .map(|step| rota[(turn % rota.len() + step) % rota.len()])
                .find(|at| !tried.contains(at));
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn of_two_the_lesser_is_taken_and_never_a_tried_one(
            loads in prop::collection::vec(0u32..50, 1..8),
            tried in prop::collection::vec(0usize..8, 0..6),
            draws in prop::collection::vec(any::<usize>(), 2),
        ) {
            let rota: Vec<usize> = (0..loads.len()).collect();
            let mut draws = draws.into_iter();
            let may = |at: usize| !tried.contains(&at);
            let found =
                lesser_of_two(&rota, |below| draws.next().unwrap() % below, may, |at| loads[at]);
            let left: Vec<usize> = rota.iter().copied().filter(|at| may(*at)).collect();
            prop_assert_eq!(found.is_some(), !left.is_empty());
            let Some(found) = found else { return Ok(()) };
            prop_assert!(may(found));
            // The one with the most to do is never taken where there is another.
            let most = left.iter().map(|at| loads[*at]).max().unwrap();
            let is_only_most = left.iter().filter(|at| loads[**at] == most).count() == 1;
            prop_assert!(left.len() == 1 || !is_only_most || loads[found] < most);
        }
    }

    #[test]
    fn weights_are_spread() {
        let up = |weight| (weight, InstanceState::Up);
        assert_eq!(rota(&[up(5), up(1), up(1)], 50), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(rota(&[up(20), up(10)], 50), [0, 1, 0]);
        assert_eq!(rota(&[up(7), up(7), up(0)], 50), [0, 1]);
        assert!(rota(&[], 50).is_empty());
    }

    #[test]
    fn panic_brings_back_the_ejected_but_not_those_that_are_down() {
        use InstanceState::{Down, Ejected, Up};
        let with = |conditions: &[InstanceState]| {
            let instances: Vec<_> = conditions.iter().map(|condition| (1, *condition)).collect();
            rota(&instances, 50)
        };
        assert_eq!(with(&[Up, Ejected]), [0], "half is enough");
        assert_eq!(with(&[Up, Ejected, Ejected]), [0, 1, 2]);
        assert_eq!(with(&[Ejected]), [0]);
        assert_eq!(with(&[Up, Down, Down]), [0]);
        assert_eq!(with(&[Ejected, Down]), [0]);
        assert!(with(&[Down, Down]).is_empty());
    }
}
