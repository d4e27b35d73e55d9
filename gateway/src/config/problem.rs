//! One problem of a file, as people and machines read it.

use serde::{Serialize, Serializer};
use tollgate_filters::{Severity, Span};

/// One problem of a file.
///
/// Serialises to the object that `tollgate check --format json` prints. Lines and columns count
/// from 1, columns in characters; the end is the first character that no longer belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether the file is refused for it.
    #[serde(serialize_with = "severity")]
    pub severity: Severity,
    /// Stable name of the kind of problem, such as `unknown-filter`.
    pub code: &'static str,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// Name of the file, as it was given.
    pub file: String,
    /// First line.
    pub line: usize,
    /// First column.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// Column behind the last character.
    pub end_column: usize,
    /// Id of the route it belongs to.
    pub route: Option<String>,
    /// What to write instead.
    pub help: Option<String>,
    /// Where it stands in the text of the file.
    #[serde(skip)]
    pub span: Span,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn severity<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    })
}
