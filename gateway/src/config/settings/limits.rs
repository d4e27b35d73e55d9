//! `key-resolvers`, `redis-rate-limiter` and `filter.request-rate-limiter`: rate limits.

use http::HeaderName;
use tollgate_filters::limit::{
    HeaderNames, KeyResolver, LimitSettings, WrittenLimit, key_resolver_named,
};
use tollgate_filters::{HeaderField, Invalid, Span};

use super::Settings;
use super::read::{one_of, set};
use crate::config::context::Value;
use crate::config::reader::{Item, Section};
use crate::config::values;

/// `type` of a key resolver.
#[derive(Debug, Clone, Copy)]
enum Type {
    Member,
    ClientAddress,
    Header,
    Query,
    Cookie,
    Path,
    Host,
    Route,
    Composite,
}

const TYPES: [(&str, Type); 9] = [
    ("member", Type::Member),
    ("client-address", Type::ClientAddress),
    ("header", Type::Header),
    ("query", Type::Query),
    ("cookie", Type::Cookie),
    ("path", Type::Path),
    ("host", Type::Host),
    ("route", Type::Route),
    ("composite", Type::Composite),
];

/// A resolver whose parts may be declared below it.
struct Composite {
    name: String,
    of: Vec<(String, Span)>,
    separator: String,
}

/// Reads `key-resolvers`.
pub(super) fn key_resolvers(section: &Section<'_, '_>, settings: &mut Settings) {
    let Some(all) = section.section("key-resolvers") else { return };
    let mut composites = Vec::new();
    let mut marked: Option<String> = None;
    let into = &mut settings.rate_limits;
    for entry in all.all() {
        let help = "write `byTenant: { type: header, name: X-Tenant }`";
        let one = all.mapping(entry, "a key resolver is a mapping", help);
        let Some(one) = one.map(Section::strictly) else { continue };
        let name = entry.key.to_string();
        match resolver(&name, &one) {
            Some(Declared::Simple(resolver)) => {
                into.key_resolvers.insert(name.clone(), resolver);
            }
            Some(Declared::Composite(composite)) => composites.push(composite),
            None => {}
        }
        if one.get("default", values::boolean).unwrap_or(false) {
            if let Some(other) = &marked {
                let message = format!("`{other}` and `{name}` are both marked `default`");
                let problem = Invalid::new("duplicate-default", message)
                    .with_help("mark the one that filters without `key-resolver` use");
                all.context.error(problem.or_at(one.key_span("default")));
            }
            marked = Some(name);
        }
        one.finish();
    }
    for composite in composites {
        if let Some(resolver) = joined(&all, &composite, into) {
            into.key_resolvers.insert(composite.name, resolver);
        }
    }
    let only = || into.key_resolvers.values().next().filter(|_| into.key_resolvers.len() == 1);
    let default = only().or_else(|| into.key_resolvers.get(marked.as_deref()?)).cloned();
    set(&mut into.default_resolver, default);
}

enum Declared {
    Simple(KeyResolver),
    Composite(Composite),
}

fn resolver(name: &str, section: &Section<'_, '_>) -> Option<Declared> {
    let Some(written) = section.value("type") else {
        // What belongs to a type is no mistake of its own.
        for key in ["name", "of", "separator"] {
            drop(section.item(key));
        }
        let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        let problem = Invalid::new("missing-key", "a key resolver needs a `type`")
            .with_help(format!("it is one of {}", names.join(", ")));
        section.context.error(problem.or_at(section.span()));
        return None;
    };
    let simple = match section.convert("type", &written, |value| one_of(value, &TYPES))? {
        Type::Member => KeyResolver::Member,
        Type::ClientAddress => KeyResolver::ClientAddress,
        Type::Path => KeyResolver::Path,
        Type::Host => KeyResolver::Host,
        Type::Route => KeyResolver::Route,
        Type::Header => {
            need(section, "name");
            KeyResolver::Header(section.get("name", header)?)
        }
        Type::Query => KeyResolver::Query(named(section)?),
        Type::Cookie => KeyResolver::Cookie(named(section)?),
        Type::Composite => {
            let separator = section.text("separator").unwrap_or_else(|| "|".to_owned());
            need(section, "of");
            let items = section.list("of")?;
            let part = |item: &Item<'_>| {
                let value = item.value(section.context)?;
                Some((value.text().into_owned(), value.span))
            };
            let of = items.iter().filter_map(part).collect();
            return Some(Declared::Composite(Composite { name: name.to_owned(), of, separator }));
        }
    };
    Some(Declared::Simple(simple))
}

fn need(section: &Section<'_, '_>, key: &'static str) {
    if section.item(key).is_none() {
        let problem = Invalid::new("missing-key", format!("this key resolver needs `{key}`"));
        section.context.error(problem.or_at(section.span()));
    }
}

fn named(section: &Section<'_, '_>) -> Option<Box<str>> {
    need(section, "name");
    section.text("name").map(Into::into)
}

fn header(value: &Value<'_>) -> Result<HeaderName, Invalid> {
    let text = value.text();
    HeaderName::from_bytes(text.trim().as_bytes())
        .map_err(|_| Invalid::new("invalid-value", format!("`{text}` is not a header name")))
}

/// A composite of what is declared or built in. None of another composite, so that no circle can
/// be.
fn joined(
    all: &Section<'_, '_>,
    composite: &Composite,
    known: &LimitSettings,
) -> Option<KeyResolver> {
    if composite.of.is_empty() {
        let message = format!("the composite `{}` is of nothing", composite.name);
        all.context
            .error(Invalid::new("missing-key", message).or_at(all.key_span(&composite.name)));
        return None;
    }
    let mut of = Vec::with_capacity(composite.of.len());
    for (name, span) in &composite.of {
        let declared = known.key_resolvers.get(name).cloned();
        match declared.or_else(|| key_resolver_named(name)) {
            Some(KeyResolver::Composite { .. }) | None => {
                let message = format!("`{name}` is not a simple key resolver");
                let problem = Invalid::new("unknown-bean", message).with_help(
                    "name resolvers of `key-resolvers` that are no composites, or built-in ones",
                );
                all.context.error(problem.or_at(*span));
            }
            Some(resolver) => of.push(resolver),
        }
    }
    let is_whole = of.len() == composite.of.len();
    let separator = composite.separator.as_str().into();
    is_whole.then_some(KeyResolver::Composite { of, separator })
}

/// Reads `redis-rate-limiter`, when `stores` have been read.
pub(super) fn redis_rate_limiter(section: &Section<'_, '_>, settings: &mut Settings) {
    settings.rate_limits.stores = settings.stores.iter().map(|store| store.name.clone()).collect();
    let Some(limiter) = section.section("redis-rate-limiter") else { return };
    let into = &mut settings.rate_limits;
    let mut names = HeaderNames::default();
    let headers: [(&mut String, &'static str); 4] = [
        (&mut names.remaining, "remaining-header"),
        (&mut names.replenish_rate, "replenish-rate-header"),
        (&mut names.burst_capacity, "burst-capacity-header"),
        (&mut names.requested_tokens, "requested-tokens-header"),
    ];
    for (name, key) in headers {
        set(name, limiter.get(key, field));
    }
    let include = limiter.get("include-headers", values::boolean).unwrap_or(true);
    into.headers = include.then_some(names);
    if let Some(config) = limiter.section("config") {
        for entry in config.all() {
            let help = "write `my-route: { replenish-rate: 10, burst-capacity: 20 }`";
            let one = config.mapping(entry, "the limit of a route is a mapping", help);
            let Some(one) = one else { continue };
            let written = WrittenLimit {
                replenish_rate: one.get("replenish-rate", values::int),
                burst_capacity: one.get("burst-capacity", values::long),
                requested_tokens: one.get("requested-tokens", values::int),
            };
            match written.policy() {
                Ok(policy) => {
                    into.config.extend(policy.map(|policy| (entry.key.to_string(), policy)));
                }
                Err(problem) => one.context.error(problem.or_at(one.span())),
            }
            one.finish();
        }
    }
    limiter.finish();
}

fn field(value: &Value<'_>) -> Result<String, Invalid> {
    HeaderField::new(&value.text()).map(|field| field.spelling().to_owned())
}

/// Reads `filter.request-rate-limiter`.
pub(super) fn filter(section: &Section<'_, '_>, settings: &mut Settings) {
    let into = &mut settings.rate_limits;
    set(&mut into.deny_empty_key, section.get("deny-empty-key", values::boolean));
    set(&mut into.throw_on_limit, section.get("throw-on-limit", values::boolean));
    let status = |value: &Value<'_>| LimitSettings::parse_empty_key_status(value.text().trim());
    set(&mut into.empty_key_status, section.get("empty-key-status-code", status));
}
