//! The steps in the life of the schema; a released step is never edited, a new one is added.

use service::database::SchemaStep;

/// Every step, oldest first.
pub(crate) const STEPS: &[SchemaStep] = &[SchemaStep {
    version: 1,
    name: "payments, their ledger, answers and what is to be announced",
    sql: include_str!("../../../migrations/pg/0001_ledger.sql"),
}];
