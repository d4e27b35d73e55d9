//! The steps in the life of the schema; a released step is never edited, a new one is added.

use service::database::SchemaStep;

/// Every step, oldest first.
pub(crate) const STEPS: &[SchemaStep] = &[
    SchemaStep {
        version: 1,
        name: "reservations",
        sql: include_str!("../migrations/0001_reservations.sql"),
    },
    SchemaStep {
        version: 2,
        name: "steps, history, alerts and what is due",
        sql: include_str!("../migrations/0002_saga.sql"),
    },
    SchemaStep { version: 3, name: "outbox and inbox", sql: messaging::schema::SQL },
    SchemaStep {
        version: 4,
        name: "an index of open steps",
        sql: include_str!("../migrations/0003_open.sql"),
    },
];
