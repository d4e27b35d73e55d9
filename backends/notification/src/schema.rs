//! The steps in the life of the schema; a released step is never edited, a new one is added.

use service::database::SchemaStep;

/// Every step, oldest first.
pub(crate) const STEPS: &[SchemaStep] = &[
    SchemaStep {
        version: 1,
        name: "notifications and preferences",
        sql: include_str!("../migrations/0001_notifications.sql"),
    },
    SchemaStep {
        version: 2,
        name: "deliveries",
        sql: include_str!("../migrations/0002_delivery.sql"),
    },
    SchemaStep { version: 3, name: "outbox and inbox", sql: messaging::schema::SQL },
    SchemaStep {
        version: 4,
        name: "an index of what is to be delivered",
        sql: include_str!("../migrations/0003_open.sql"),
    },
    SchemaStep {
        version: 5,
        name: "attempts whose outcome nobody knows",
        sql: include_str!("../migrations/0004_unknown.sql"),
    },
];
