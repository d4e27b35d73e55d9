//! Walks through everything that can happen between a reservation, its payment, the CMS and the
//! payment gateway (4.9.7): messages out of order and twice, answers that are lost, confirms and
//! approvals that land late, holds that run out, refunds that are refused, a payment cancelled
//! outside, a cancel at any moment, processes that die.
//!
//! The services are the tables they run on; the rest of the world is [`world`]. Nothing is random.
#![cfg(test)]

mod moves;
mod payment_moves;
mod world;

use std::collections::HashMap;
use std::collections::VecDeque;

use crate::world::{Lie, World};

/// What a walk through everything has found.
#[derive(Debug, Default)]
struct Walk {
    worlds: Vec<World>,
    /// From where each world was first reached, and how.
    origin: Vec<(usize, &'static str)>,
    /// Into which worlds each one can turn.
    next: Vec<Vec<usize>>,
}

impl Walk {
    /// Everything that can be reached; ends at the first world that breaks a promise.
    fn through(lie: Option<Lie>) -> (Self, Option<String>) {
        let mut walk = Self::default();
        let mut known = HashMap::new();
        let mut to_do = VecDeque::from([0]);
        let start = World::new(lie);
        known.insert(start.clone(), 0);
        walk.add(start, (0, "start"));
        while let Some(at) = to_do.pop_front() {
            let world = walk.worlds[at].clone();
            let mut next = Vec::new();
            for (how, to) in moves::all(&world) {
                let number = known.get(&to).copied().unwrap_or(walk.worlds.len());
                next.push(number);
                if number < walk.worlds.len() {
                    continue;
                }
                known.insert(to.clone(), number);
                walk.add(to.clone(), (at, how));
                if let Some(broken) = to.broken() {
                    let story = walk.story(number);
                    return (walk, Some(format!("{broken}\n{story}\n{to:#?}")));
                }
                to_do.push_back(number);
            }
            walk.next[at] = next;
        }
        (walk, None)
    }

    fn add(&mut self, world: World, origin: (usize, &'static str)) {
        self.worlds.push(world);
        self.origin.push(origin);
        self.next.push(Vec::new());
    }

    /// What happened on the shortest way to a world.
    fn story(&self, mut at: usize) -> String {
        let mut told = Vec::new();
        while at != 0 {
            let (from, how) = self.origin[at];
            let world = &self.worlds[at];
            told.push(format!("{how}: {:?}", world.reservation.status));
            at = from;
        }
        told.reverse();
        told.join("\n")
    }

    /// A world from which no end can be reached.
    fn stuck(&self) -> Option<usize> {
        let mut from: Vec<Vec<usize>> = vec![Vec::new(); self.worlds.len()];
        for (at, next) in self.next.iter().enumerate() {
            for to in next {
                from[*to].push(at);
            }
        }
        let ends = (0..self.worlds.len()).filter(|at| self.worlds[*at].is_quiet());
        let mut to_do: Vec<_> = ends.collect();
        let mut reaches = vec![false; self.worlds.len()];
        while let Some(at) = to_do.pop() {
            if !reaches[at] {
                reaches[at] = true;
                to_do.extend(&from[at]);
            }
        }
        reaches.iter().position(|reaches| !reaches)
    }
}

/// 4.9.7, 4.9.8: every end is consistent, nobody is charged twice, and every way leads to an end.
#[test]
fn every_way_ends_well() {
    let (walk, broken) = Walk::through(None);
    assert!(broken.is_none(), "{}", broken.unwrap());
    let ends = walk.worlds.iter().filter(|world| world.is_quiet()).count();
    assert!(walk.worlds.len() > 10_000 && ends > 10, "{} worlds, {ends} ends", walk.worlds.len());
    let confirmed = walk.worlds.iter().filter(|world| world.is_quiet() && world.is_confirmed());
    assert!(confirmed.count() > 0);
    if let Some(stuck) = walk.stuck() {
        panic!("no end can be reached after\n{}\n{:#?}", walk.story(stuck), walk.worlds[stuck]);
    }
}

/// 4.9.7: whoever takes a time-out for a refusal keeps money.
#[test]
fn a_timeout_taken_for_a_refusal_is_found() {
    let (_, broken) = Walk::through(Some(Lie::TimeoutIsRefusal));
    let broken = broken.expect("kept money is not found");
    assert!(broken.starts_with("money is kept"), "{broken}");
}

/// 4.9.7: so does whoever gives a payment in doubt up before the payment gateway does.
#[test]
fn an_early_abort_is_found() {
    let (_, broken) = Walk::through(Some(Lie::AbortsEarly));
    let broken = broken.expect("kept money is not found");
    assert!(broken.starts_with("money is kept"), "{broken}");
}
