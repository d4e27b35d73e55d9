//! Values as they stand in a store, written and read (decision 0004).

use std::str::FromStr;

use jiff::Timestamp;
use sqlx::error::DatabaseError;

use crate::clock::stamp;
use crate::code::Code;

/// A stored value this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("the store holds `{0}`, which this version does not know")]
struct Unreadable(String);

/// An instant as it is stored: RFC 3339 in UTC with milliseconds, so that texts sort as instants do.
pub fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// `($5, $6, $7)` for `first` 5 and `count` 3.
pub fn placeholders(first: usize, count: usize) -> String {
    let numbers: Vec<_> = (first..first + count).map(|number| format!("${number}")).collect();
    format!("({})", numbers.join(", "))
}

/// `($2, $3), ($4, $5)` for `first` 2, `width` 2 and `count` 2.
pub fn rows(first: usize, width: usize, count: usize) -> String {
    let rows: Vec<_> = (0..count).map(|row| placeholders(first + row * width, width)).collect();
    rows.join(", ")
}

/// `('A', 'B')` for values with the codes `A` and `B`.
pub fn quoted<T: Code>(values: &[T]) -> String {
    let codes: Vec<_> = values.iter().map(|value| format!("'{}'", value.code())).collect();
    format!("({})", codes.join(", "))
}

/// A stored value.
pub fn read<T: FromStr>(text: &str) -> Result<T, sqlx::Error> {
    text.parse().map_err(|_| unreadable(text))
}

/// A stored value that is one of a few.
pub fn read_code<T: Code>(text: &str) -> Result<T, sqlx::Error> {
    T::by_code(text).ok_or_else(|| unreadable(text))
}

/// A stored instant as it appears in answers.
pub fn read_instant(text: &str) -> Result<String, sqlx::Error> {
    read::<Timestamp>(text).map(stamp)
}

/// Whether a statement was refused because another row has what must be unique.
pub fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(DatabaseError::is_unique_violation)
}

/// The error for a stored value that cannot be read.
pub fn unreadable(text: impl Into<String>) -> sqlx::Error {
    sqlx::Error::Decode(Unreadable(text.into()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;
    use crate::proof::Role;

    #[test]
    fn placeholders_are_numbered() {
        assert_eq!(placeholders(5, 3), "($5, $6, $7)");
        assert_eq!(rows(2, 2, 2), "($2, $3), ($4, $5)");
    }

    #[test]
    fn instants_have_milliseconds() {
        let at = "2025-05-01T01:00:00Z".parse().unwrap();
        assert_eq!(instant(at), "2025-05-01T01:00:00.000Z");
        assert_eq!(read_instant(&instant(at)).unwrap(), "2025-05-01T10:00:00.000+09:00");
    }

    #[test]
    fn codes_are_read_as_they_are_written() {
        assert_eq!(quoted(Role::ALL), "('USER', 'ADMIN')");
        assert_eq!(read_code::<Role>("ADMIN").unwrap(), Role::Admin);
    }

    #[test]
    fn what_cannot_be_read_is_a_fault_of_ours() {
        let faults = [
            read::<i64>("one").unwrap_err(),
            read_code::<Role>("admin").unwrap_err(),
            read_instant("yesterday").unwrap_err(),
        ];
        for fault in faults {
            assert_eq!(Problem::from(fault).code, "INTERNAL_ERROR");
        }
    }
}
