//! `tollgate_service_instances`: how many instances of each service are in which state.

use std::collections::HashMap;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{MetricFamily, MetricType};

use super::families::{family, gauge, labels};
use crate::balance::{InstanceState, Services};
use crate::clock;

/// Shows every service.
#[derive(Debug)]
pub(super) struct ServiceCollector {
    services: Arc<Services>,
    described: Desc,
}

const NAME: &str = "tollgate_service_instances";
const HELP: &str = "Instances of services, by what is known about them.";

impl ServiceCollector {
    /// Shows these services.
    ///
    /// # Errors
    ///
    /// A name that is none, which is a defect of this file.
    pub(super) fn new(services: Arc<Services>) -> prometheus::Result<Self> {
        let described = Desc::new(NAME.to_owned(), HELP.to_owned(), vec![], HashMap::new())?;
        Ok(Self { services, described })
    }
}

impl Collector for ServiceCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.described]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let now = clock::now();
        let mut metrics = Vec::new();
        for service in self.services.all() {
            let instances = service.instances();
            for state in InstanceState::ALL {
                let are_in = instances.iter().filter(|instance| instance.state(now) == state);
                let count = u32::try_from(are_in.count()).unwrap_or(u32::MAX);
                let labels = labels([("service", service.name()), ("state", state.name())]);
                metrics.push(gauge(labels, count.into()));
            }
        }
        if metrics.is_empty() {
            return Vec::new();
        }
        vec![family(NAME.to_owned(), HELP, MetricType::GAUGE, metrics)]
    }
}
