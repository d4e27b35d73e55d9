//! The steps in the life of the schema; a released step is never edited, a new one is added.

use service::database::SchemaStep;

/// Every step, oldest first.
pub(crate) const STEPS: &[SchemaStep] = &[SchemaStep {
    version: 1,
    name: "travels with their regions and plans",
    sql: include_str!("../migrations/0001_travels.sql"),
}];
