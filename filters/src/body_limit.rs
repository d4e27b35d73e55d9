//! How long the body of a request may be.

use crate::{ExchangeState, Failure, HeaderField, header_value};

/// How long the body of a request may be (`RequestSize`).
#[derive(Debug, Clone)]
pub struct BodyLimit {
    most: u64,
    /// Where a client is told what is wrong.
    field: HeaderField,
}

impl BodyLimit {
    /// A limit of so many bytes.
    pub(crate) fn new(most: u64, field: HeaderField) -> Self {
        Self { most, field }
    }

    /// How many bytes a body may have.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Refuses a body that has so many bytes, or had so many when it was given up.
    pub fn refuse(&self, state: &mut ExchangeState, bytes: u64) -> Failure {
        let text = format!(
            "Request size is larger than permissible limit. Request size is {} where permissible \
             limit is {}",
            human(bytes),
            human(self.most)
        );
        // Digits and letters are always a header value.
        if let Ok(value) = header_value(&text) {
            state.pending.push((self.field.clone(), value));
        }
        Failure::RequestTooLarge
    }
}

/// A size with a unit of 1000 and one decimal, rounded half up: `5.2 MB`.
fn human(bytes: u64) -> String {
    let mut unit = 1_u128;
    let mut name = "B";
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if u128::from(bytes) < unit * 1000 {
            break;
        }
        unit *= 1000;
        name = larger;
    }
    if unit == 1 {
        return format!("{bytes} B");
    }
    let tenths = (u128::from(bytes) * 20 + unit) / (unit * 2);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_as_people_write_it() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1050, "1.1 kB"),
            (1150, "1.2 kB"),
            (1_250_000, "1.3 MB"),
            (999_950, "1000.0 kB"),
            (5_242_880, "5.2 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
