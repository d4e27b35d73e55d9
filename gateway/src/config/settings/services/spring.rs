//! Reads services from Spring's keys: `spring.cloud.discovery.client.simple.instances` and
//! `spring.cloud.loadbalancer`.

use std::time::Duration;

use tollgate_filters::Invalid;

use super::read::{Address, address, health_path, texts, warn_of_uri};
use super::{HealthCheck, InstanceSpec, ServiceSettings};
use crate::config::reader::{Item, Section};
use crate::config::settings::Settings;
use crate::config::values;

/// Reads `discovery` and `loadbalancer` below `spring.cloud`. A service that `tollgate.services` has
/// too is taken from there.
pub(in crate::config) fn spring_services(cloud: &Section<'_, '_>, settings: &mut Settings) {
    let mut found = Vec::new();
    if let Some(discovery) = cloud.section("discovery") {
        if let Some(client) = discovery.section("client") {
            if let Some(simple) = client.section("simple") {
                if let Some(instances) = simple.section("instances") {
                    found = services(&instances);
                }
                simple.finish();
            }
            client.finish();
        }
        discovery.finish();
    }
    if let Some(balancer) = cloud.section("loadbalancer") {
        balance(&balancer, &mut found);
        balancer.finish();
    }
    found.retain(|service| settings.services.iter().all(|known| known.name != service.name));
    settings.services.extend(found);
}

fn services(section: &Section<'_, '_>) -> Vec<ServiceSettings> {
    let mut services: Vec<ServiceSettings> = Vec::new();
    for entry in section.all() {
        // Brackets keep dots in a name.
        let name = entry.key.trim_start_matches('[').trim_end_matches(']');
        let mut service = ServiceSettings::new(name);
        let items = section.list(entry.key.to_string()).unwrap_or_default();
        for (at, item) in items.iter().enumerate() {
            let path = format!("{}[{at}]", section.name_of(&entry.key));
            let Some(one) = item.section(section.context, path) else {
                let message = format!("`{}[{at}]` is not an instance", section.name_of(&entry.key));
                let problem = Invalid::new("wrong-type", message).with_help("write `- uri: …`");
                section.context.warn(problem.or_at(item.span()));
                continue;
            };
            let Some(mut instance) = instance(one, item) else { continue };
            let is_taken = |id: &str| service.instances.iter().any(|known| known.id == id);
            if is_taken(&instance.id) {
                let message = format!("two instances have the id `{}`", instance.id);
                let problem = Invalid::new("duplicate-id", message)
                    .with_help("give each an `instance-id` of its own");
                section.context.warn(problem.or_at(item.span()));
                instance.id = format!("{}#{at}", instance.id);
            }
            service.instances.push(instance);
        }
        services.push(service);
    }
    services
}

/// `uri` beats `host` and `port`; only `https` and `secure` ask for TLS (asked of the reference
/// gateway).
fn instance(section: Section<'_, '_>, item: &Item<'_>) -> Option<InstanceSpec> {
    let uri = section.value("uri");
    let host = section.text("host").filter(|host| !host.trim().is_empty());
    let port = section.get("port", values::port).filter(|port| *port > 0);
    let is_secure = section.get("secure", values::boolean).unwrap_or(false);
    let id = section.text("instance-id").filter(|id| !id.trim().is_empty());
    let metadata = section.section("metadata").map(|all| texts(&all)).unwrap_or_default();
    // The name is the key's.
    drop(section.item("service-id"));
    let found = match (&uri, host) {
        (Some(uri), _) => section.convert("uri", uri, address),
        (None, Some(host)) => Some(Address::new(host, port, is_secure)),
        (None, None) => {
            let problem = Invalid::new("missing-key", "an instance without `uri` and `host`")
                .with_help("write `uri: http://host:port`");
            section.context.warn(problem.or_at(item.span()));
            None
        }
    };
    if let (Some(value), Some(found)) = (&uri, &found) {
        warn_of_uri(&section, value, found);
    }
    section.finish();
    let address = found?;
    let id = id.unwrap_or_else(|| address.authority());
    let mut instance = address.instance(id, 1, metadata);
    instance.is_secure |= is_secure;
    Some(instance)
}

/// What `configurations` can say that has a meaning here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Configuration {
    Default,
    HealthCheck,
    Weighted,
}

fn balance(section: &Section<'_, '_>, services: &mut [ServiceSettings]) {
    let of_all = configuration(section).unwrap_or(Configuration::Default);
    let health = section.section("health-check");
    let interval = health.as_ref().and_then(interval);
    let clients = section.section("clients");
    for service in services {
        let own = clients.as_ref().and_then(|clients| clients.section(service.name.clone()));
        let configuration = own.as_ref().and_then(configuration).unwrap_or(of_all);
        let own_health = own.as_ref().and_then(|own| own.section("health-check"));
        let own_interval = own_health.as_ref().and_then(self::interval);
        let own_path = own_health.as_ref().and_then(|health| path(health, &service.name));
        match configuration {
            Configuration::Default => {}
            Configuration::Weighted => {
                for instance in &mut service.instances {
                    instance.weight = weight(instance);
                }
            }
            Configuration::HealthCheck => {
                let of_all = || health.as_ref().and_then(|health| path(health, &service.name));
                let path = own_path.or_else(of_all);
                service.health = Some(HealthCheck {
                    path: path.unwrap_or_else(|| "/actuator/health".to_owned()),
                    interval: own_interval.or(interval).unwrap_or(USUAL_INTERVAL),
                    timeout: USUAL_TIMEOUT,
                    unhealthy_after: 1,
                    healthy_after: 1,
                });
            }
        }
        for section in [own_health, own].into_iter().flatten() {
            section.finish();
        }
    }
    for section in [health, clients].into_iter().flatten() {
        section.finish();
    }
}

/// `health-check.interval` where it is not said.
const USUAL_INTERVAL: Duration = Duration::from_secs(25);

/// Spring's checks have no limit of their own.
const USUAL_TIMEOUT: Duration = Duration::from_secs(5);

fn configuration(section: &Section<'_, '_>) -> Option<Configuration> {
    let value = section.value("configurations")?;
    let text = value.text();
    Some(match text.trim() {
        "default" | "" => Configuration::Default,
        "health-check" => Configuration::HealthCheck,
        "weighted" => Configuration::Weighted,
        _ => {
            let message =
                format!("`{}: {text}` has no effect here", section.name_of("configurations"));
            let problem = Invalid::new("ignored-value", message)
                .with_help("`default`, `health-check` and `weighted` have");
            section.context.warn(problem.or_at(value.span));
            Configuration::Default
        }
    })
}

fn interval(health: &Section<'_, '_>) -> Option<Duration> {
    health.get("interval", values::spring_duration).flatten().filter(|every| !every.is_zero())
}

/// `path.<service>`, else `path.default`.
fn path(health: &Section<'_, '_>, service: &str) -> Option<String> {
    let paths = health.section("path")?;
    let all = paths.all();
    let of = |name: &str| all.iter().find(|entry| entry.key == name);
    let entry = of(service).or_else(|| of("default"))?;
    let value = paths.context.value(&entry.value)?;
    paths.convert(&entry.key, &value, health_path)
}

/// `metadata.weight`; what is no weight counts as 1, as in the reference gateway.
fn weight(instance: &InstanceSpec) -> u32 {
    let written = instance.metadata.iter().find(|(name, _)| name == "weight");
    written
        .and_then(|(_, weight)| weight.trim().parse().ok())
        .filter(|weight| *weight > 0)
        .unwrap_or(1)
}
