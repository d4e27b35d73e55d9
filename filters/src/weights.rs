//! Weight groups: which route of a group takes a request (`predicates.md` 6).

use std::sync::Arc;

use crate::predicate::Choices;

/// The shares of all routes with a `Weight` predicate.
///
/// Built anew with each route table, so that a route which is gone has no share.
#[derive(Debug, Clone, Default)]
pub struct WeightTable(Vec<Group>);

#[derive(Debug, Clone)]
struct Group {
    name: Arc<str>,
    members: Vec<Member>,
}

#[derive(Debug, Clone)]
struct Member {
    route: Arc<str>,
    weight: i32,
    /// Upper end of the member's range; the lower one is the end of the member before.
    end: f64,
}

impl WeightTable {
    /// The table of group, route id and weight, in the order in which the routes are defined.
    ///
    /// A route that enters a group twice keeps its place and gets the later weight.
    pub fn new(entries: impl IntoIterator<Item = (impl AsRef<str>, Arc<str>, i32)>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (name, route, weight) in entries {
            let member = Member { route, weight, end: 0.0 };
            let name = name.as_ref();
            match groups.iter_mut().find(|group| &*group.name == name) {
                Some(group) => group.enter(member),
                None => groups.push(Group { name: name.into(), members: vec![member] }),
            }
        }
        groups.iter_mut().for_each(Group::set_ranges);
        Self(groups)
    }

    /// Draws once for every group. `random` gives numbers from 0.0 to just below 1.0.
    ///
    /// Allocates nothing if there are no groups.
    pub fn choose(&self, random: &mut dyn FnMut() -> f64) -> Choices {
        let mut choices = Choices::with_capacity(self.0.len());
        for group in &self.0 {
            choices.push(&group.name, group.choose(random()));
        }
        choices
    }
}

impl Group {
    fn enter(&mut self, member: Member) {
        match self.members.iter_mut().find(|known| known.route == member.route) {
            Some(known) => known.weight = member.weight,
            None => self.members.push(member),
        }
    }

    /// Lays the members' shares end to end, in the arithmetic of the reference gateway: a sum of
    /// 0 makes every end NaN, a sum beyond 32 bits wraps, rounding errors add up.
    fn set_ranges(&mut self) {
        let sum = self.members.iter().fold(0_i32, |sum, member| sum.wrapping_add(member.weight));
        let mut end = 0.0;
        for member in &mut self.members {
            end += f64::from(member.weight) / f64::from(sum);
            member.end = end;
        }
    }

    /// The first member whose range holds `drawn`. Ends below 0 and NaN hold nothing.
    fn choose(&self, drawn: f64) -> Option<&Arc<str>> {
        let mut start = 0.0;
        for member in &self.members {
            if start <= drawn && drawn < member.end {
                return Some(&member.route);
            }
            start = member.end;
        }
        None
    }
}
