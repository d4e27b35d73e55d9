//! What the service is configured with.

use service::settings::{Defaults, Invalid, Settings as ServiceSettings, Variables};

const DEFAULTS: Defaults =
    Defaults { listen: "127.0.0.1:8081", database_url: "sqlite://data/member.db" };

/// Everything `main` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceSettings,
}

impl Settings {
    /// Reads the environment; all faults at once.
    pub(crate) fn read(variables: &Variables) -> Result<Self, Vec<Invalid>> {
        let mut reader = variables.reader();
        let service = reader.settings(DEFAULTS);
        reader.finish(service.map(|service| Self { service }))
    }
}
