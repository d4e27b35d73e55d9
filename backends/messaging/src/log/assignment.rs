//! Which member of a group works on which partition.
//!
//! What somebody works on stays there while the shares are fair. A partition that has to move is
//! first marked; its owner finishes the record in flight, commits and lets go, and only then another
//! one begins.

use std::collections::{BTreeMap, BTreeSet};

use crate::broker::Slot;

/// Who works on a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// The member, if any.
    pub(crate) by: Option<String>,
    /// Whether it is to let go.
    pub(crate) is_revoking: bool,
}

/// Shares partitions out among the members; whether anything changed.
pub(crate) fn share_out(slots: &mut BTreeMap<Slot, Held>, members: &BTreeSet<String>) -> bool {
    let before = slots.clone();
    for held in slots.values_mut() {
        held.is_revoking = false;
        if held.by.as_ref().is_some_and(|owner| !members.contains(owner)) {
            held.by = None;
        }
    }
    let mut quotas = quotas(slots, members);
    for held in slots.values_mut() {
        let Some(quota) = held.by.as_ref().and_then(|owner| quotas.get_mut(owner)) else {
            continue;
        };
        match quota.checked_sub(1) {
            Some(left) => *quota = left,
            None => held.is_revoking = true,
        }
    }
    for held in slots.values_mut().filter(|held| held.by.is_none()) {
        let most_left = quotas.iter_mut().rev().max_by_key(|(_, left)| **left);
        if let Some((member, left)) = most_left.filter(|(_, left)| **left > 0) {
            held.by = Some(member.clone());
            *left -= 1;
        }
    }
    *slots != before
}

/// How many partitions each member may have. Where they cannot all have the same number, those who
/// have more keep more.
fn quotas(slots: &BTreeMap<Slot, Held>, members: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let count = members.len().max(1);
    let (base, rest) = (slots.len() / count, slots.len() % count);
    let has =
        |member: &String| slots.values().filter(|held| held.by.as_ref() == Some(member)).count();
    let mut by_share: Vec<_> = members.iter().map(|member| (has(member), member.clone())).collect();
    by_share.sort_by(|(a, a_name), (b, b_name)| b.cmp(a).then(a_name.cmp(b_name)));
    let quota = |place: usize| base + usize::from(place < rest);
    by_share.into_iter().enumerate().map(|(place, (_, member))| (member, quota(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn slots(count: i32) -> BTreeMap<Slot, Held> {
        let slot = |partition| Slot { topic: "T".into(), partition };
        (0..count).map(|partition| (slot(partition), Held::default())).collect()
    }

    fn owners(slots: &BTreeMap<Slot, Held>) -> Vec<&str> {
        slots.values().map(|held| held.by.as_deref().unwrap_or("-")).collect()
    }

    fn revoking(slots: &BTreeMap<Slot, Held>) -> usize {
        slots.values().filter(|held| held.is_revoking).count()
    }

    #[test]
    fn a_second_member_gets_its_share_once_the_first_lets_go() {
        let mut slots = slots(6);
        assert!(share_out(&mut slots, &members(&["a"])));
        assert_eq!(owners(&slots), ["a"; 6]);
        assert!(!share_out(&mut slots, &members(&["a"])));
        assert!(share_out(&mut slots, &members(&["a", "b"])));
        assert_eq!((owners(&slots), revoking(&slots)), (vec!["a"; 6], 3));
        assert!(!share_out(&mut slots, &members(&["a", "b"])), "the same ones are marked");
        for held in slots.values_mut().filter(|held| held.is_revoking) {
            *held = Held::default();
        }
        assert!(share_out(&mut slots, &members(&["a", "b"])));
        assert_eq!(owners(&slots), ["a", "a", "a", "b", "b", "b"]);
        assert_eq!(revoking(&slots), 0);
    }

    #[test]
    fn what_a_member_left_goes_to_the_others_and_the_rest_stays() {
        let mut slots = slots(6);
        for (held, owner) in slots.values_mut().zip(["a", "b", "c", "a", "b", "c"]) {
            held.by = Some(owner.to_owned());
        }
        assert!(share_out(&mut slots, &members(&["a", "b"])));
        assert_eq!(owners(&slots), ["a", "b", "a", "a", "b", "b"]);
        assert!(share_out(&mut slots, &members(&[])));
        assert_eq!(owners(&slots), ["-"; 6]);
    }

    /// 7.7.4
    #[test]
    fn members_beyond_the_partitions_stand_by() {
        let mut slots = slots(2);
        share_out(&mut slots, &members(&["a", "b", "c"]));
        assert_eq!(owners(&slots), ["a", "b"]);
        assert!(share_out(&mut slots, &members(&["b", "c"])));
        assert_eq!(owners(&slots), ["c", "b"]);
    }

    #[test]
    fn a_member_that_leaves_before_its_share_is_free_costs_nothing() {
        let mut slots = slots(3);
        share_out(&mut slots, &members(&["a"]));
        share_out(&mut slots, &members(&["a", "b"]));
        assert_eq!(revoking(&slots), 1);
        share_out(&mut slots, &members(&["a"]));
        assert_eq!((owners(&slots), revoking(&slots)), (vec!["a"; 3], 0));
    }
}
