//! What earlier answers told, so that later requests can ask for things that exist.

use std::collections::{BTreeMap, VecDeque};

use proptest::sample::Index;
use serde_json::Value;

/// Newer values push older ones out.
const MOST_VALUES: usize = 8;

/// Values of answers, by the name of the member that held them.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    values: BTreeMap<String, VecDeque<Value>>,
}

impl Memory {
    /// Takes in every text and number of an answer.
    pub(super) fn learn(&mut self, answer: &Value) {
        match answer {
            Value::Object(members) => {
                for (name, value) in members {
                    if value.is_string() || value.is_number() {
                        self.keep(name, value);
                    }
                    self.learn(value);
                }
            }
            Value::Array(values) => {
                for value in values {
                    self.learn(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// A value that was answered under `name`, or under the name it stands for: `cursor` for
    /// `nextCursor`, `planIds` and `startPlanId` for `planId`.
    pub(super) fn recall(&self, name: &str, pick: Index) -> Option<&Value> {
        let singular = name.strip_suffix('s').unwrap_or(name);
        let known = self.values.get(name).or_else(|| self.values.get(singular));
        let known = known.or_else(|| self.ending_like(singular))?;
        known.get(pick.index(known.len()))
    }

    fn ending_like(&self, name: &str) -> Option<&VecDeque<Value>> {
        let name = name.to_lowercase();
        let fits = |known: &str| {
            let known = known.to_lowercase();
            // Three letters and fewer, such as `id`, end too many names.
            known.len() > 3 && name.len() > 3 && (name.ends_with(&known) || known.ends_with(&name))
        };
        let fitting = self.values.iter().filter(|(known, _)| fits(known));
        fitting.max_by_key(|(known, _)| known.len()).map(|(_, values)| values)
    }

    pub(super) fn keep(&mut self, name: &str, value: &Value) {
        let values = self.values.entry(name.to_owned()).or_default();
        if !values.contains(value) {
            values.push_front(value.clone());
            values.truncate(MOST_VALUES);
        }
    }
}

/// Whether a member of this name points to something that has to exist.
pub(super) fn is_reference(name: &str) -> bool {
    ["Id", "Ids", "Key", "ursor"].iter().any(|ending| name.ends_with(ending)) || name == "id"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(name: &str, recalled: &Value) {
        let mut memory = Memory::default();
        memory.learn(&json!({
            "payload": [{ "planId": 7, "id": 1 }], "page": { "nextCursor": "abc", "last": null }
        }));
        let pick = any::<Index>().new_tree(&mut TestRunner::deterministic()).unwrap().current();
        assert_eq!(memory.recall(name, pick).unwrap_or(&Value::Null), recalled);
    }

    #[test]
    fn recalls_values_by_their_name() {
        check("planId", &json!(7));
        check("last", &Value::Null);
        check("roomId", &Value::Null);
    }

    #[test]
    fn recalls_values_by_the_name_they_stand_for() {
        check("planIds", &json!(7));
        check("startPlanId", &json!(7));
        check("cursor", &json!("abc"));
    }

    #[test]
    fn forgets_the_oldest() {
        let mut memory = Memory::default();
        for id in 0..20 {
            memory.learn(&json!({ "roomId": id }));
        }
        assert_eq!(memory.values["roomId"].len(), MOST_VALUES);
        assert_eq!(memory.values["roomId"][0], 19);
    }
}
