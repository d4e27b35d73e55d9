//! Reads `services` and `retry-budget` in the gateway's own notation.

use std::collections::HashSet;
use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use tollgate_filters::{Invalid, RetryBudget, RetryBudgetSettings, Scheme, Target, TargetKind};

use super::{Balance, Ejection, HealthCheck, InstanceSpec, ServiceSettings};
use crate::config::context::Value;
use crate::config::reader::{Item, Section};
use crate::config::settings::Settings;
use crate::config::settings::read::{one_of, set};
use crate::config::values;

/// Reads `services`.
pub(in crate::config::settings) fn read(section: &Section<'_, '_>, settings: &mut Settings) {
    let Some(services) = section.section("services") else { return };
    for entry in services.all() {
        let name = entry.key.to_string();
        let is_name = matches!(
            Target::parse(&format!("lb://{name}"), false).map(|target| target.kind),
            Ok(TargetKind::LoadBalanced { service, .. }) if service == name
        );
        if !is_name {
            let message = format!("no route can name the service `{name}`");
            let problem = Invalid::new("invalid-value", message)
                .with_help("a name has letters, digits, `-` and `.`, and no `_`");
            services.context.error(problem.or_at(entry.span()));
        }
        let mut service = ServiceSettings::new(&name);
        let message = format!("`{}` is a mapping", services.name_of(&name));
        let help = "write `instances: [ { uri: http://host:port } ]` below it";
        if let Some(one) = services.mapping(entry, message, help) {
            read_service(one.strictly(), &mut service);
        }
        settings.services.push(service);
    }
}

fn read_service(section: Section<'_, '_>, service: &mut ServiceSettings) {
    let kinds = [("round-robin", Balance::RoundRobin), ("least-requests", Balance::LeastRequests)];
    set(&mut service.balance, section.get("balance", |value| one_of(value, &kinds)));
    if let Some(items) = section.list("instances") {
        service.instances = instances(&section, &items);
    } else {
        let message = format!("`{}` has no `instances`", section.path);
        let problem = Invalid::new("missing-key", message)
            .with_help("write `instances: [ { uri: http://host:port } ]`");
        section.context.error(problem.or_at(section.span()));
    }
    if let Some(health) = section.section("health") {
        service.health = Some(read_health(&health));
        health.finish();
    }
    if let Some(ejection) = section.section("ejection") {
        read_ejection(&ejection, &mut service.ejection);
        ejection.finish();
    }
    section.finish();
}

fn instances(section: &Section<'_, '_>, items: &[Item<'_>]) -> Vec<InstanceSpec> {
    let mut instances: Vec<InstanceSpec> = Vec::new();
    let mut ids = HashSet::new();
    for (at, item) in items.iter().enumerate() {
        let path = format!("{}[{at}]", section.name_of("instances"));
        let Some(one) = item.section(section.context, path).map(Section::strictly) else {
            let problem = Invalid::new("wrong-type", "an instance is a mapping")
                .with_help("write `- { uri: http://host:port }`");
            section.context.error(problem.or_at(item.span()));
            continue;
        };
        let Some(instance) = instance(one) else { continue };
        if !ids.insert(instance.id.clone()) {
            let message = format!("two instances have the id `{}`", instance.id);
            let problem = Invalid::new("duplicate-id", message)
                .with_help("give each an `id` of its own, or one of them a larger `weight`");
            section.context.error(problem.or_at(item.span()));
        }
        instances.push(instance);
    }
    let span = section.key_span("instances");
    if items.is_empty() {
        let message = format!("`{}` has no instance: its requests get 503", section.path);
        let problem = Invalid::new("no-instance", message)
            .with_help("write `instances: [ { uri: http://host:port } ]`");
        section.context.warn(problem.or_at(span));
    } else if !instances.is_empty() && instances.iter().all(|instance| instance.weight == 0) {
        let message =
            format!("no instance of `{}` has a weight: nobody takes requests", section.path);
        let problem = Invalid::new("invalid-value", message)
            .with_help("give at least one a `weight` of 1 or more");
        section.context.error(problem.or_at(span));
    }
    instances
}

/// `None` if it has no address, which is told.
fn instance(section: Section<'_, '_>) -> Option<InstanceSpec> {
    let uri = section.value("uri");
    if uri.is_none() {
        let problem = Invalid::new("missing-key", "an instance needs a `uri`")
            .with_help("write `uri: http://host:port`");
        section.context.error(problem.or_at(section.span()));
    }
    let found = uri.as_ref().and_then(|value| section.convert("uri", value, address));
    if let (Some(value), Some(found)) = (&uri, &found) {
        warn_of_uri(&section, value, found);
    }
    let id = section.get("id", name);
    let weight = section.get("weight", weight).unwrap_or(1);
    let metadata = section.section("metadata").map(|all| texts(&all)).unwrap_or_default();
    section.finish();
    let address = found?;
    let id = id.unwrap_or_else(|| address.authority());
    Some(address.instance(id, weight, metadata))
}

/// Where an instance listens.
pub(super) struct Address {
    host: String,
    port: Option<u16>,
    is_secure: bool,
    pub(super) has_more: bool,
}

impl Address {
    pub(super) fn new(host: String, port: Option<u16>, is_secure: bool) -> Self {
        Self { host, port, is_secure, has_more: false }
    }

    /// Host and port, as an id where none is given.
    pub(super) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    pub(super) fn instance(
        self,
        id: String,
        weight: u32,
        metadata: Vec<(String, String)>,
    ) -> InstanceSpec {
        let Self { host, port, is_secure, .. } = self;
        InstanceSpec { id, host, port, scheme: None, is_secure, weight, metadata }
    }
}

/// What an instance's `uri` says.
pub(super) fn address(value: &Value<'_>) -> Result<Address, Invalid> {
    let text = value.text();
    let help = "write `http://host:port` or `https://host:port`";
    match Target::parse(&text, true)?.kind {
        TargetKind::Upstream { scheme: scheme @ (Scheme::Http | Scheme::Https), host, port } => {
            let written = text.trim().parse::<Uri>().ok();
            let is_written = written.as_ref().is_none_or(|uri| uri.port().is_some());
            let plain = |path: &PathAndQuery| path == "/";
            let more = written.as_ref().and_then(Uri::path_and_query);
            Ok(Address {
                host,
                port: is_written.then_some(port),
                is_secure: scheme == Scheme::Https,
                has_more: !more.is_none_or(plain),
            })
        }
        TargetKind::Upstream { .. } => {
            let message = format!("`{text}` is not the address of an instance");
            Err(Invalid::new("invalid-value", message)
                .with_help("write `http://host:port`, and `lb:ws://name` as the route's `uri`"))
        }
        TargetKind::Forward { .. }
        | TargetKind::LoadBalanced { .. }
        | TargetKind::Unrouted
        | TargetKind::Fails(_) => {
            let message = format!("`{text}` is not the address of an instance");
            Err(Invalid::new("invalid-value", message).with_help(help))
        }
    }
}

/// What works, but perhaps not as it is meant.
pub(super) fn warn_of_uri(section: &Section<'_, '_>, value: &Value<'_>, address: &Address) {
    let text = value.text();
    if address.has_more {
        let message = format!("path and query of `{text}` are ignored");
        let problem = Invalid::new("ignored-path", message)
            .with_help("put `PrefixPath` into the filters of the route");
        section.context.warn(problem.or_at(value.span));
    }
    if address.is_secure && address.host.parse::<std::net::IpAddr>().is_ok() {
        let message = format!("the certificate of `{text}` must name the address itself");
        let problem = Invalid::new("address-with-tls", message)
            .with_help("write the host name that its certificate has");
        section.context.warn(problem.or_at(value.span));
    }
}

/// Free names with one value each.
pub(super) fn texts(section: &Section<'_, '_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in section.all() {
        let Some(value) = section.context.value(&entry.value) else {
            let what = format!("`{}` must be one value", section.name_of(&entry.key));
            section.context.error(Invalid::new("wrong-type", what).or_at(entry.span()));
            continue;
        };
        found.push((entry.key.to_string(), value.text().into_owned()));
    }
    found
}

fn name(value: &Value<'_>) -> Result<String, Invalid> {
    let text = value.text();
    if text.trim().is_empty() {
        return Err(Invalid::new("invalid-value", "it is empty").with_help("write a name"));
    }
    Ok(text.into_owned())
}

fn weight(value: &Value<'_>) -> Result<u32, Invalid> {
    count(value).map_err(|problem| problem.with_help("write a whole number; 0 takes no requests"))
}

/// A whole number from 0.
pub(super) fn count(value: &Value<'_>) -> Result<u32, Invalid> {
    let number = values::int(value)?;
    u32::try_from(number).map_err(|_| {
        Invalid::new("invalid-value", format!("`{number}` is less than 0"))
            .with_help("write a whole number from 0")
    })
}

/// A whole number from 1.
fn positive(value: &Value<'_>) -> Result<u32, Invalid> {
    let number = values::positive(value)?;
    u32::try_from(number)
        .map_err(|_| Invalid::new("invalid-value", format!("{number} is too many")))
}

fn read_health(section: &Section<'_, '_>) -> HealthCheck {
    let mut health = HealthCheck::default();
    set(&mut health.path, section.get("path", health_path));
    set(&mut health.interval, section.get("interval", values::duration));
    set(&mut health.timeout, section.get("timeout", values::duration));
    set(&mut health.unhealthy_after, section.get("unhealthy-after", positive));
    set(&mut health.healthy_after, section.get("healthy-after", positive));
    health
}

pub(super) fn health_path(value: &Value<'_>) -> Result<String, Invalid> {
    let text = value.text();
    if text.starts_with('/') && text.parse::<PathAndQuery>().is_ok() {
        return Ok(text.into_owned());
    }
    Err(Invalid::new("invalid-value", format!("`{text}` is not a path"))
        .with_help("write a path such as `/healthz`"))
}

fn read_ejection(section: &Section<'_, '_>, ejection: &mut Ejection) {
    set(&mut ejection.consecutive_failures, section.get("consecutive-failures", count));
    set(&mut ejection.time, section.get("time", values::duration));
    set(&mut ejection.panic_below, section.get("panic-below", percent));
}

fn percent(value: &Value<'_>) -> Result<u8, Invalid> {
    let text = value.text();
    let number = text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
    number.filter(|percent| *percent <= 100).ok_or_else(|| {
        Invalid::new("invalid-value", format!("`{text}` is not a percentage"))
            .with_help("write `50%`; `0%` never brings ejected instances back early")
    })
}

/// Reads `retry-budget`.
pub(in crate::config::settings) fn retry_budget(
    section: &Section<'_, '_>,
    settings: &mut Settings,
) {
    let Some(budget) = section.section("retry-budget") else { return };
    let RetryBudgetSettings { ratio, floor, window } = &mut settings.retry_budget;
    set(ratio, budget.get("ratio", read_ratio));
    set(floor, budget.get("floor", count));
    set(window, budget.get("window", read_window));
    budget.finish();
}

fn read_ratio(value: &Value<'_>) -> Result<f64, Invalid> {
    let text = value.text();
    let ratio = text.trim().parse::<f64>().ok().filter(|ratio| (0.0..=10.0).contains(ratio));
    ratio.ok_or_else(|| {
        Invalid::new("invalid-value", format!("`{text}` is not a number from 0 to 10"))
            .with_help("write `0.2` for one retry for five requests")
    })
}

fn read_window(value: &Value<'_>) -> Result<Duration, Invalid> {
    let window = values::duration(value)?;
    if window.subsec_nanos() == 0 && window <= RetryBudget::LONGEST_WINDOW {
        return Ok(window);
    }
    let message = format!("`{}` is not whole seconds up to a minute", value.text());
    Err(Invalid::new("invalid-value", message).with_help("write `10s`"))
}
