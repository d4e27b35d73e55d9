//! The steps in the life of the schema; a released step is never edited, a new one is added.

use service::database::SchemaStep;

/// Every step, oldest first.
pub(crate) const STEPS: &[SchemaStep] = &[
    SchemaStep {
        version: 1,
        name: "lodgings, rooms and the nights that are not open",
        sql: include_str!("../migrations/0001_lodgings.sql"),
    },
    SchemaStep {
        version: 2,
        name: "holds and bookings",
        sql: include_str!("../migrations/0002_reservations.sql"),
    },
    SchemaStep {
        version: 3,
        name: "the nights of each reservation",
        sql: include_str!("../migrations/0003_reservation_nights.sql"),
    },
];
