//! The steps in the life of the schema; a released step is never edited, a new one is added.

use service::database::SchemaStep;

/// Every step, oldest first.
pub(crate) const STEPS: &[SchemaStep] = &[
    SchemaStep {
        version: 1,
        name: "travels with their regions and plans",
        sql: include_str!("../migrations/0001_travels.sql"),
    },
    SchemaStep {
        version: 2,
        name: "what members were told of their travels",
        sql: include_str!("../migrations/0002_events.sql"),
    },
    SchemaStep { version: 3, name: "outbox and inbox", sql: messaging::schema::SQL },
];
