//! The steps in the life of the schema; a released step is never edited, a new one is added.

use service::database::SchemaStep;

/// Every step, oldest first.
pub(crate) const STEPS: &[SchemaStep] = &[
    SchemaStep {
        version: 1,
        name: "payments, refunds and what the payment gateway announced",
        sql: include_str!("../migrations/0001_payments.sql"),
    },
    SchemaStep {
        version: 2,
        name: "leases, what is due, and history",
        sql: include_str!("../migrations/0002_lifecycle.sql"),
    },
    SchemaStep { version: 3, name: "outbox and inbox", sql: messaging::schema::SQL },
    SchemaStep {
        version: 4,
        name: "an index of what is to be followed",
        sql: include_str!("../migrations/0003_open.sql"),
    },
    SchemaStep {
        version: 5,
        name: "what operators say",
        sql: include_str!("../migrations/0004_notes.sql"),
    },
    SchemaStep {
        version: 6,
        name: "indexes of what is due",
        sql: include_str!("../migrations/0005_due.sql"),
    },
];
