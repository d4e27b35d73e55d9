//! What Path and Host patterns captured from a request.

use std::sync::Arc;

/// Names and values captured by the predicates of the chosen route.
///
/// Path values are percent-decoded, host values are as sent. A later predicate's value wins over
/// an earlier one's of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    values: Vec<(Arc<str>, String)>,
}

impl Variables {
    /// No variables; allocates nothing.
    pub const fn new() -> Self {
        Self { values: Vec::new() }
    }

    /// Sets `name`, replacing an earlier value.
    pub fn set(&mut self, name: &Arc<str>, value: impl Into<String>) {
        let value = value.into();
        match self.values.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.values.push((Arc::clone(name), value)),
        }
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| &**known == name).map(|(_, value)| value.as_str())
    }

    /// All names and values, in the order they were captured.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (&**name, value.as_str()))
    }
}
