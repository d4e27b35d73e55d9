//! Where a file keeps routes and settings: at its root, or under Spring's prefixes.

use tollgate_filters::{Invalid, Route};

use super::build_routes;
use super::context::Context;
use super::later::SPRING_CLOUD_GATEWAY;
use super::names::relaxed_equal;
use super::reader::Section;
use super::settings::{self, Settings};
use super::tree::{Entry, Kind, Node};

/// Whether a file is one of Spring's: it has a `spring` root.
pub(super) fn is_spring(documents: &[&Node<'_>]) -> bool {
    documents.iter().any(|document| key(document, "spring").is_some())
}

fn key<'n, 'a>(document: &'n Node<'a>, name: &str) -> Option<&'n Entry<'a>> {
    let Kind::Map(entries) = &document.kind else { return None };
    entries.iter().find(|entry| relaxed_equal(&entry.key, name))
}

/// Reads settings and routes from the documents that apply.
pub(super) fn read(context: &Context<'_>, settings: &mut Settings) -> Vec<Route> {
    for document in &context.properties.documents {
        if !matches!(document.kind, Kind::Map(_)) {
            let problem = Invalid::new("wrong-type", "a document is a mapping of keys to values")
                .with_help("write `routes:` and the routes below it");
            context.error(problem.or_at(document.span()));
        }
    }
    let root = Section::root(context, &context.properties.documents);
    if context.strict { native(root, settings) } else { spring(root, settings) }
}

fn native(root: Section<'_, '_>, settings: &mut Settings) -> Vec<Route> {
    settings::own(&root, settings);
    settings::resilience4j(&root, settings);
    settings::gateway(&root, settings);
    let routes = build_routes(&root, settings);
    root.finish();
    routes
}

fn spring(root: Section<'_, '_>, settings: &mut Settings) -> Vec<Route> {
    let context = root.context;
    refuse_native_routes(context);
    settings::spring(&root, settings);
    if let Some(own) = root.section("tollgate").map(Section::strictly) {
        settings::own(&own, settings);
        own.finish();
    }
    settings::resilience4j(&root, settings);
    let mut routes = Vec::new();
    if let Some(spring) = root.section("spring") {
        if let Some(webflux) = spring.section("webflux") {
            settings.units.base_path = webflux.text("base-path").unwrap_or_default();
            webflux.finish();
        }
        if let Some(data) = spring.section("data") {
            if let Some(redis) = data.section("redis") {
                settings::spring_redis(&redis, settings);
                redis.finish();
            }
            data.finish();
        }
        for name in ["config", "profiles"] {
            drop(spring.item(name));
        }
        if let Some(cloud) = spring.section("cloud") {
            settings::spring_circuit_breaker(&cloud, settings);
            settings::spring_services(&cloud, settings);
            if let Some(gateway) = cloud.section("gateway") {
                routes = prefixes(gateway, settings);
            }
            cloud.finish();
        }
        spring.finish();
    }
    root.finish();
    tell_ignored(context);
    routes
}

/// Reads both prefixes. Where one document has both, the old one wins (`predicates.md` 1.1).
fn prefixes(old: Section<'_, '_>, settings: &mut Settings) -> Vec<Route> {
    refuse_servlet(&old);
    let server = old.section("server");
    let new = server.as_ref().and_then(|server| server.section("webflux"));
    settings.units.optional_trailing_slash = new.is_none();
    let gateway = match new {
        Some(new) => old.and(new),
        None => old,
    };
    settings::gateway(&gateway, settings);
    let routes = build_routes(&gateway, settings);
    if settings.units.optional_trailing_slash && !routes.is_empty() {
        let message = format!(
            "only `{SPRING_CLOUD_GATEWAY}.*` is written: a path may have one slash more than its \
             pattern, as in version 4"
        );
        let problem = Invalid::new("optional-trailing-slash", message)
            .with_help("write `spring.cloud.gateway.server.webflux` for exact paths");
        gateway.context.warn(problem.or_at(gateway.span()));
    }
    if let Some(server) = server {
        server.finish();
    }
    gateway.finish();
    routes
}

/// The servlet flavour has other filters and other names for them.
fn refuse_servlet(gateway: &Section<'_, '_>) {
    let server = gateway.section("server");
    let below = server.as_ref().map(|server| (server, "webmvc"));
    for (section, name) in [(gateway, "mvc")].into_iter().chain(below) {
        for (_, entry) in section.entries(name) {
            let message =
                format!("`{}` configures the servlet gateway", section.name_of(&entry.key));
            let problem = Invalid::new("servlet-gateway", message)
                .with_help("move the routes to `spring.cloud.gateway.server.webflux.routes`");
            gateway.context.error(problem.or_at(entry.span()));
        }
    }
}

fn refuse_native_routes(context: &Context<'_>) {
    let documents = &context.properties.documents;
    let spring = documents.iter().rev().find_map(|document| key(document, "spring"));
    for document in documents {
        for name in ["routes", "default-filters"] {
            let (Some(native), Some(spring)) = (key(document, name), spring) else { continue };
            native.used.set(true);
            let line = context.source.lines.line(spring.span().start);
            let message =
                format!("`{}` at the root of a file that has `spring` on line {line}", native.key);
            let problem = Invalid::new("two-roots", message)
                .with_help("move it under `spring.cloud.gateway.server.webflux`, or drop `spring`");
            context.error(problem.or_at(native.span()));
        }
    }
}

/// How many names one warning lists.
const MOST_NAMES: usize = 50;

/// Tells once which keys of other programs are not looked at, and which of the gateway.
fn tell_ignored(context: &Context<'_>) {
    let mut ignored = context.ignored.take();
    ignored.sort_by_key(|(_, span)| *span);
    let (ours, foreign): (Vec<_>, Vec<_>) =
        ignored.into_iter().partition(|(name, _)| name.starts_with(SPRING_CLOUD_GATEWAY));
    let told = [
        (ours, "ignored-gateway-key", "keys of Spring Cloud Gateway have no effect here yet"),
        (foreign, "ignored-key", "keys that are not the gateway's are ignored"),
    ];
    for (keys, code, what) in told {
        let Some((_, span)) = keys.first() else { continue };
        let mut names: Vec<String> = keys.iter().map(|(name, _)| format!("`{name}`")).collect();
        names.dedup();
        let more = names.len().saturating_sub(MOST_NAMES);
        names.truncate(MOST_NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!("{what}: {}{more}", names.join(", "));
        context.warn(Invalid::new(code, message).or_at(*span));
    }
}
