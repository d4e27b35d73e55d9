//! From sections of a file to [`Settings`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use tollgate_filters::java_regex::JavaPattern;
use tollgate_filters::{Invalid, filter, predicate};

use super::{
    AccessLog, AccessLogFormat, Listener, Settings, TargetPolicy, XForwarded, XForwardedHeader,
};
use super::{answers, auth, limits, services};
use crate::config::context::Value;
use crate::config::names::kebab;
use crate::config::reader::{Item, Section};
use crate::config::tree::Kind;
use crate::config::values;

/// Puts what is there in the place of what was.
pub(super) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Reads the sections that Spring Cloud Gateway does not have.
pub(in crate::config) fn own(section: &Section<'_, '_>, settings: &mut Settings) {
    if let Some(items) = section.list("listeners") {
        settings.listeners = listeners(section, &items);
    }
    if let Some(admin) = section.section("admin") {
        set(&mut settings.admin, admin.get("address", values::socket));
        admin.finish();
    }
    if let Some(workers) = section.get("workers", values::positive) {
        settings.workers = NonZeroUsize::new(workers);
    }
    if let Some(shutdown) = section.section("shutdown") {
        set(&mut settings.drain, shutdown.get("drain", values::duration));
        shutdown.finish();
    }
    if let Some(timeouts) = section.section("timeouts") {
        let into = &mut settings.timeouts;
        set(&mut into.write, timeouts.get("write", values::duration));
        set(&mut into.upstream_idle, timeouts.get("upstream-idle", values::duration));
        set(&mut into.stream_idle, timeouts.get("stream-idle", values::duration));
        set(&mut into.client_read, timeouts.get("client-read", values::duration));
        set(&mut into.client_keep_alive, timeouts.get("client-keep-alive", values::duration));
        timeouts.finish();
    }
    if let Some(limits) = section.section("limits") {
        let into = &mut settings.limits;
        set(&mut into.request_line, limits.get("request-line", values::size));
        set(&mut into.request_headers, limits.get("request-headers", values::size));
        set(&mut into.header_count, limits.get("header-count", values::positive));
        limits.finish();
    }
    if let Some(log) = section.section("access-log") {
        set(&mut settings.access_log, log.get("output", output));
        set(&mut settings.access_log_format, log.get("format", format));
        log.finish();
    }
    auth::read(section, settings);
    limits::key_resolvers(section, settings);
    services::read(section, settings);
    services::retry_budget(section, settings);
    answers::read(section, settings);
}

fn listeners(section: &Section<'_, '_>, items: &[Item<'_>]) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let path = format!("{}[{at}]", section.name_of("listeners"));
        let Some(one) = item.section(section.context, path).map(Section::strictly) else {
            let problem = Invalid::new("wrong-type", "a listener is a mapping")
                .with_help("write `- { address: 0.0.0.0:8000 }`");
            section.context.error(problem.or_at(item.span()));
            continue;
        };
        let address = one.value("address");
        if address.is_none() {
            let problem = Invalid::new("missing-key", "a listener needs an `address`");
            section.context.error(problem.or_at(one.span()));
        }
        let converted = address.as_ref().and_then(|value| {
            one.convert("address", value, values::socket).map(|address| (address, value.span))
        });
        let policy = [("strict", TargetPolicy::Strict), ("pass", TargetPolicy::Pass)];
        let http2 = one.get("http2", values::boolean).unwrap_or(true);
        let target_policy =
            one.get("target-policy", |value| one_of(value, &policy)).unwrap_or_default();
        one.finish();
        let Some((address, span)) = converted else { continue };
        if address.port() != 0 && listeners.iter().any(|known| known.address == address) {
            let message = format!("two listeners have the address `{address}`");
            section.context.error(Invalid::new("duplicate-listener", message).or_at(span));
        }
        listeners.push(Listener { address, http2, target_policy });
    }
    if items.is_empty() {
        let problem = Invalid::new("missing-key", "`listeners` is empty: nobody could connect");
        section.context.error(problem.or_at(section.key_span("listeners")));
    }
    listeners
}

pub(super) fn one_of<T: Copy>(value: &Value<'_>, choices: &[(&str, T)]) -> Result<T, Invalid> {
    let text = value.text();
    let found = choices.iter().find(|(name, _)| text.trim().eq_ignore_ascii_case(name));
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let names = choices.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>();
        Invalid::new("invalid-value", format!("`{text}` is not {}", names.join(" or ")))
            .with_help(format!("write {}", names.join(" or ")))
    })
}

fn format(value: &Value<'_>) -> Result<AccessLogFormat, Invalid> {
    one_of(value, &[("json", AccessLogFormat::Json)])
}

fn output(value: &Value<'_>) -> Result<AccessLog, Invalid> {
    let text = value.text();
    match text.trim() {
        "stdout" => Ok(AccessLog::Stdout),
        "stderr" => Ok(AccessLog::Stderr),
        // YAML reads a bare `off` as false.
        "off" | "false" => Ok(AccessLog::Off),
        written => match written.strip_prefix("file:").filter(|path| !path.is_empty()) {
            Some(path) => Ok(AccessLog::File(PathBuf::from(path))),
            None => Err(Invalid::new("invalid-value", format!("`{text}` is no place for a log"))
                .with_help("write `stdout`, `stderr`, `off` or `file:PATH`")),
        },
    }
}

/// Reads what stands beside the routes under Spring Cloud Gateway's prefix.
pub(in crate::config) fn gateway(section: &Section<'_, '_>, settings: &mut Settings) {
    set(&mut settings.enabled, section.get("enabled", values::boolean));
    set(
        &mut settings.fail_on_route_definition_error,
        section.get("fail-on-route-definition-error", values::boolean),
    );
    if let Some(client) = section.section("httpclient") {
        let into = &mut settings.http_client;
        set(&mut into.connect_timeout, client.get("connect-timeout", values::milliseconds));
        set(&mut into.response_timeout, client.get("response-timeout", values::spring_duration));
        client.finish();
    }
    if let Some(pattern) = section.get("trusted-proxies", pattern) {
        settings.trusted_proxies = pattern;
    }
    if let Some(forwarded) = section.section("forwarded") {
        set(&mut settings.forwarded.enabled, forwarded.get("enabled", values::boolean));
        if let Some(by) = forwarded.section("by") {
            set(&mut settings.forwarded.by, by.get("enabled", values::boolean));
            by.finish();
        }
        forwarded.finish();
    }
    if let Some(forwarded) = section.section("x-forwarded") {
        x_forwarded(forwarded, &mut settings.x_forwarded);
    }
    if let Some(metrics) = section.section("metrics") {
        let into = &mut settings.metrics;
        set(&mut into.enabled, metrics.get("enabled", values::boolean));
        set(&mut into.prefix, metrics.text("prefix"));
        if let Some(tags) = metrics.section("tags") {
            // The old name of `path-tags.enabled`, in the middle of free names.
            if let Some(path) = tags.item("path").and_then(|item| item.section(tags.context, "")) {
                set(&mut into.path_tags, path.get("enabled", values::boolean));
            }
            into.tags = labels(&tags);
        }
        if let Some(paths) = metrics.section("path-tags") {
            set(&mut into.path_tags, paths.get("enabled", values::boolean));
            paths.finish();
        }
        metrics.finish();
    }
    if let Some(balancer) = section.section("loadbalancer") {
        set(&mut settings.load_balancer_use_404, balancer.get("use404", values::boolean));
        balancer.finish();
    }
    if let Some(status) = section.section("set-status") {
        settings.units.original_status_header =
            status.text("original-status-header-name").filter(|name| !name.is_empty());
        status.finish();
    }
    limits::redis_rate_limiter(section, settings);
    predicates(section, settings);
    filters(section, settings);
}

/// A regular expression that is checked here; a blank one is none.
fn pattern(value: &Value<'_>) -> Result<Option<String>, Invalid> {
    let text = value.text();
    if text.trim().is_empty() {
        return Ok(None);
    }
    if let Err(error) = JavaPattern::new(&text) {
        let help = r"write one that an address matches as a whole: `10\.0\.0\..*`";
        return Err(Invalid::new("invalid-value", error.to_string()).with_help(help));
    }
    Ok(Some(text.into_owned()))
}

pub(super) fn labels(section: &Section<'_, '_>) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    for entry in section.all() {
        if entry.key == "path" && matches!(entry.value.kind, Kind::Map(_)) {
            continue;
        }
        let Some(value) = section.context.value(&entry.value) else {
            let what = format!("`{}` must be one value", section.name_of(&entry.key));
            section.context.error(Invalid::new("wrong-type", what).or_at(entry.span()));
            continue;
        };
        labels.push((entry.key.to_string(), value.text().into_owned()));
    }
    labels
}

fn x_forwarded(section: Section<'_, '_>, into: &mut XForwarded) {
    set(&mut into.enabled, section.get("enabled", values::boolean));
    let headers: [(&mut XForwardedHeader, &'static str, &'static str); 5] = [
        (&mut into.for_, "for-enabled", "for-append"),
        (&mut into.host, "host-enabled", "host-append"),
        (&mut into.port, "port-enabled", "port-append"),
        (&mut into.proto, "proto-enabled", "proto-append"),
        (&mut into.prefix, "prefix-enabled", "prefix-append"),
    ];
    for (header, enabled, append) in headers {
        set(&mut header.enabled, section.get(enabled, values::boolean));
        set(&mut header.append, section.get(append, values::boolean));
    }
    section.finish();
}

fn predicates(section: &Section<'_, '_>, settings: &mut Settings) {
    let Some(all) = section.section("predicate") else { return };
    for definition in predicate::ALL {
        let name = kebab(definition.name());
        let Some(one) = all.section(name.clone()) else { continue };
        if switched_off(&one) {
            settings.units.predicates_off.push(name.clone());
        }
        if name == "host" {
            let include = one.get("include-port", values::boolean);
            set(&mut settings.units.host_include_port, include);
        }
        one.finish();
    }
    all.finish();
}

fn filters(section: &Section<'_, '_>, settings: &mut Settings) {
    let Some(all) = section.section("filter") else { return };
    if let Some(hop) = all.section("remove-hop-by-hop") {
        if let Some(headers) = hop.texts("headers") {
            settings.hop_by_hop = headers.iter().map(|name| name.to_ascii_lowercase()).collect();
        }
        hop.finish();
    }
    for definition in filter::ALL {
        let name = kebab(definition.name());
        let Some(one) = all.section(name.clone()) else { continue };
        if name == "request-rate-limiter" {
            limits::filter(&one, settings);
        }
        if switched_off(&one) {
            settings.units.filters_off.push(name);
        }
        one.finish();
    }
    all.finish();
}

/// Only the word `false` switches a unit off (`predicates.md` 1.2).
fn switched_off(unit: &Section<'_, '_>) -> bool {
    let off = unit.value("enabled").map(|value| value.text().eq_ignore_ascii_case("false"));
    off.unwrap_or(false)
}

/// Reads what Spring's own keys say about listeners and paths.
pub(in crate::config) fn spring(root: &Section<'_, '_>, settings: &mut Settings) {
    if let Some(server) = root.section("server") {
        let port = server.get("port", values::port);
        let address = server.get("address", values::ip);
        server.finish();
        if port.is_some() || address.is_some() {
            let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            let at = SocketAddr::new(address, port.unwrap_or(8080));
            settings.listeners = vec![Listener::at(at)];
        }
    }
    if let Some(management) = root.section("management") {
        if let Some(server) = management.section("server") {
            if let Some(port) = server.get("port", values::port) {
                settings.admin.set_port(port);
            }
            server.finish();
        }
        management.finish();
    }
}
