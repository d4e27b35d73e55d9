//! What the tests of this crate share.

use service::database::SchemaStep;

/// The schema of a service that does nothing but send and receive.
pub(crate) const STEPS: &[SchemaStep] =
    &[SchemaStep { version: 1, name: "messages", sql: crate::schema::SQL }];
