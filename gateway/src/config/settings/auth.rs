//! `auth` and `stores`: login tokens, and where sessions are kept.

use std::fmt;
use std::time::Duration;

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use tollgate_filters::auth::{ThrottleSettings, TokenAlgorithm, TokenSettings};
use tollgate_filters::path_pattern::{PathPattern, TrailingSlash};
use tollgate_filters::{Invalid, Scheme, Target, TargetKind};

use super::Settings;
use super::read::{one_of, set};
use crate::config::context::Value;
use crate::config::reader::{Item, Section};
use crate::config::values;

/// `stores.<name>`: a place for state that several gateways share.
#[derive(Clone, PartialEq, Eq)]
pub struct Store {
    /// Its name.
    pub name: String,
    /// `url`: `redis://…`, or `file:PATH` of a file that holds it. `None`, the default: in the
    /// process.
    pub url: Option<String>,
    /// `connect-timeout`. Default 1 s.
    pub connect_timeout: Duration,
    /// `command-timeout`: how long a request waits for it. Default 250 ms.
    pub command_timeout: Duration,
}

/// `auth`: login tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// `store`: the name of the store that keeps sessions. Default `default`.
    pub store: String,
    /// `token`: what tokens say.
    pub token: TokenSettings,
    /// `token.refresh-ttl`: how long a session lives after its login. Default 30 days.
    pub session_life: Duration,
    /// `token.rotation-grace`: how long a token that was just replaced is taken. Default 10 s.
    pub grace: Duration,
    /// `token.echo`: whether a new token is in `Authorization` too. Default false.
    pub echo: bool,
    /// `identity.enabled`: whether upstreams are told who sent a request, and that the gateway
    /// vouches for it. Default true.
    pub identity: bool,
    /// `member-service`: who knows members when the store does not.
    pub member_service: MemberService,
    /// `exempt`: requests that need no token.
    pub exempt: Vec<ExemptRequests>,
    /// `login-path`: where the four login filters work as on a login. Default `/login`.
    pub login_path: String,
    /// `throttle`: how often a login may fail.
    pub throttle: ThrottleSettings,
}

/// Requests that need no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExemptRequests {
    /// A pattern of the `Path` predicate.
    pub path: String,
    /// Methods; none means all.
    pub methods: Vec<Method>,
}

/// Where the member service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberService {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub is_tls: bool,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            store: DEFAULT_STORE.to_owned(),
            token: TokenSettings::default(),
            session_life: Duration::from_hours(24 * 30),
            grace: Duration::from_secs(10),
            echo: false,
            identity: true,
            member_service: MemberService {
                host: "localhost".to_owned(),
                port: 8081,
                is_tls: false,
            },
            exempt: Vec::new(),
            login_path: "/login".to_owned(),
            throttle: ThrottleSettings::default(),
        }
    }
}

impl Store {
    /// A store in the process.
    pub fn in_process(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            url: None,
            connect_timeout: Duration::from_secs(1),
            command_timeout: Duration::from_millis(250),
        }
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The store that is used where no other is named.
pub(super) const DEFAULT_STORE: &str = "default";

/// Reads `stores` and `auth`.
pub(super) fn read(section: &Section<'_, '_>, settings: &mut Settings) {
    if let Some(stores) = section.section("stores") {
        for entry in stores.all() {
            let name = entry.key.to_string();
            let help = "write `default: { url: \"${REDIS_URL:}\" }`";
            let one = stores.mapping(entry, format!("`stores.{name}` is a mapping"), help);
            let Some(one) = one.map(Section::strictly) else { continue };
            settings.stores.push(store(&name, &one));
            one.finish();
        }
    }
    if let Some(auth) = section.section("auth") {
        settings.auth = Some(read_auth(&auth, settings));
        auth.finish();
    }
}

fn store(name: &str, section: &Section<'_, '_>) -> Store {
    let mut store = Store::in_process(name);
    store.url = section.get("url", url).flatten();
    set(&mut store.connect_timeout, section.get("connect-timeout", values::duration));
    set(&mut store.command_timeout, section.get("command-timeout", values::duration));
    store
}

/// Reads `spring.data.redis`, which is the store `default` unless the file has one.
pub(in crate::config) fn spring_redis(section: &Section<'_, '_>, settings: &mut Settings) {
    let mut store = Store::in_process(DEFAULT_STORE);
    let whole = section.get("url", url).flatten();
    let host = section.text("host").unwrap_or_else(|| "localhost".to_owned());
    let port = section.get("port", values::port).unwrap_or(6379);
    let database = section.text("database").unwrap_or_else(|| "0".to_owned());
    let encoded = |name| {
        let text = section.text(name).unwrap_or_default();
        percent_encode(text.as_bytes(), NON_ALPHANUMERIC).to_string()
    };
    let (user, password) = (encoded("username"), encoded("password"));
    let login = if password.is_empty() { String::new() } else { format!("{user}:{password}@") };
    store.url = whole.or_else(|| Some(format!("redis://{login}{host}:{port}/{database}")));
    // Nobody else connects there.
    let has_limiter = section.context.source.text.contains("RequestRateLimiter");
    let is_used = settings.auth.is_some() || has_limiter;
    let complain = |problem| {
        if is_used { section.context.error(problem) } else { section.context.warn(problem) }
    };
    if let Some(ssl) = section.section("ssl") {
        if ssl.get("enabled", values::boolean).unwrap_or(false) {
            let problem = Invalid::new("invalid-value", "TLS to Redis is not supported yet")
                .with_help("switch `ssl.enabled` off and keep the way to Redis private");
            complain(problem.or_at(ssl.key_span("enabled")));
        }
        ssl.finish();
    }
    for several in ["cluster", "sentinel"] {
        if section.item(several).is_some() {
            let message = format!("`{}` is not supported yet", section.name_of(several));
            let problem = Invalid::new("invalid-value", message)
                .with_help("write `host` and `port` of one Redis server");
            complain(problem.or_at(section.key_span(several)));
        }
    }
    let wait = |name| section.get(name, values::spring_duration).flatten();
    set(&mut store.connect_timeout, wait("connect-timeout"));
    set(&mut store.command_timeout, wait("timeout"));
    if !settings.stores.iter().any(|known| known.name == DEFAULT_STORE) {
        settings.stores.push(store);
    }
}

/// What a problem with it says must not repeat it.
fn url(value: &Value<'_>) -> Result<Option<String>, Invalid> {
    let text = value.text();
    let written = text.trim();
    if written.is_empty() {
        return Ok(None);
    }
    if written.starts_with("rediss://") {
        return Err(Invalid::new("invalid-value", "TLS to Redis is not supported yet")
            .with_help("write `redis://HOST:PORT` and keep the way there private"));
    }
    let is_known = ["redis://", "redis+unix://", "unix://", "file:"];
    if is_known.iter().any(|start| written.starts_with(start)) {
        return Ok(Some(written.to_owned()));
    }
    Err(Invalid::new("invalid-value", "not the address of a Redis server")
        .with_help("write `redis://HOST:PORT`, best as `${REDIS_URL:}`, or `file:PATH`"))
}

fn read_auth(section: &Section<'_, '_>, settings: &Settings) -> Auth {
    let mut auth = Auth::default();
    set(&mut auth.store, section.text("store"));
    let is_known = settings.stores.iter().any(|store| store.name == auth.store);
    if !is_known && auth.store != DEFAULT_STORE {
        let problem = Invalid::new("unknown-store", format!("there is no store `{}`", auth.store))
            .with_help("add it to `stores`, or leave `store` out to keep sessions in `default`");
        section.context.error(problem.or_at(section.key_span("store")));
    }
    if let Some(token) = section.section("token") {
        read_token(&token, &mut auth);
        token.finish();
    }
    if let Some(identity) = section.section("identity") {
        set(&mut auth.identity, identity.get("enabled", values::boolean));
        identity.finish();
    }
    set(&mut auth.member_service, section.get("member-service", member_service));
    set(&mut auth.login_path, section.get("login-path", path));
    if let Some(items) = section.list("exempt") {
        auth.exempt = exempt(section, &items);
    }
    if let Some(throttle) = section.section("throttle") {
        let into = &mut auth.throttle;
        set(&mut into.per_email, throttle.get("per-email", count));
        set(&mut into.per_address, throttle.get("per-address", count));
        set(&mut into.window, throttle.get("window", values::duration));
        throttle.finish();
    }
    auth
}

fn read_token(section: &Section<'_, '_>, auth: &mut Auth) {
    let token = &mut auth.token;
    set(&mut token.algorithm, section.get("algorithm", algorithm));
    set(&mut token.issuer, section.get("issuer", name));
    set(&mut token.audience, section.get("audience", name));
    set(&mut token.lifetime, section.get("access-ttl", seconds));
    set(&mut token.leeway, section.get("leeway", seconds));
    set(&mut auth.session_life, section.get("refresh-ttl", values::duration));
    set(&mut auth.grace, section.get("rotation-grace", values::duration));
    set(&mut auth.echo, section.get("echo", values::boolean));
    let access = u64::try_from(auth.token.lifetime).unwrap_or_default();
    if Duration::from_secs(access) > auth.session_life {
        let problem = Invalid::new("invalid-value", "`access-ttl` is longer than `refresh-ttl`")
            .with_help("a token cannot live longer than its session");
        section.context.error(problem.or_at(section.key_span("access-ttl")));
    }
}

fn algorithm(value: &Value<'_>) -> Result<TokenAlgorithm, Invalid> {
    let all = [TokenAlgorithm::Hs256, TokenAlgorithm::Hs384, TokenAlgorithm::Hs512];
    one_of(value, &all.map(|algorithm| (algorithm.name(), algorithm)))
}

fn name(value: &Value<'_>) -> Result<String, Invalid> {
    let text = value.text();
    if text.trim().is_empty() {
        return Err(Invalid::new("invalid-value", "it is empty").with_help("write a name"));
    }
    Ok(text.into_owned())
}

/// Tokens count in whole seconds.
fn seconds(value: &Value<'_>) -> Result<i64, Invalid> {
    let duration = values::duration(value)?;
    let seconds = i64::try_from(duration.as_secs()).ok();
    seconds.filter(|_| duration.subsec_nanos() == 0).ok_or_else(|| {
        Invalid::new("invalid-value", format!("`{}` is not whole seconds", value.text()))
            .with_help("write `5s` or `30m`")
    })
}

fn count(value: &Value<'_>) -> Result<u32, Invalid> {
    let count = values::positive(value)?;
    u32::try_from(count).map_err(|_| Invalid::new("invalid-value", format!("{count} is too many")))
}

fn path(value: &Value<'_>) -> Result<String, Invalid> {
    let text = value.text().into_owned();
    match PathPattern::parse(&text, TrailingSlash::Exact) {
        Ok(_) if text.starts_with('/') => Ok(text),
        Ok(_) => Err(Invalid::new("invalid-value", format!("`{text}` does not begin with `/`"))
            .with_help("write a pattern such as `/webhooks/**`")),
        Err(error) => Err(Invalid::new("invalid-value", error.to_string())),
    }
}

fn member_service(value: &Value<'_>) -> Result<MemberService, Invalid> {
    let text = value.text();
    match Target::parse(&text, true)?.kind {
        TargetKind::Upstream { scheme: scheme @ (Scheme::Http | Scheme::Https), host, port } => {
            Ok(MemberService { host, port, is_tls: scheme == Scheme::Https })
        }
        TargetKind::Upstream { .. }
        | TargetKind::Forward { .. }
        | TargetKind::LoadBalanced { .. }
        | TargetKind::Unrouted
        | TargetKind::Fails(_) => {
            Err(Invalid::new("invalid-value", format!("`{text}` is not the address of a service"))
                .with_help("write `http://HOST:PORT`"))
        }
    }
}

fn exempt(section: &Section<'_, '_>, items: &[Item<'_>]) -> Vec<ExemptRequests> {
    let mut exempt = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let name = format!("{}[{at}]", section.name_of("exempt"));
        let Some(one) = item.section(section.context, name).map(Section::strictly) else {
            let problem = Invalid::new("wrong-type", "an exemption is a mapping")
                .with_help("write `- { path: /login, methods: [POST] }`");
            section.context.error(problem.or_at(item.span()));
            continue;
        };
        if one.value("path").is_none() {
            let problem = Invalid::new("missing-key", "an exemption needs a `path`");
            section.context.error(problem.or_at(one.span()));
        }
        let path = one.get("path", path);
        let methods = one.list("methods").unwrap_or_default();
        let methods = methods.iter().filter_map(|item| method(section, item)).collect();
        one.finish();
        exempt.extend(path.map(|path| ExemptRequests { path, methods }));
    }
    exempt
}

fn method(section: &Section<'_, '_>, item: &Item<'_>) -> Option<Method> {
    let value = item.value(section.context)?;
    let text = value.text();
    let method = Method::from_bytes(text.trim().to_uppercase().as_bytes()).ok();
    if method.is_none() {
        let problem = Invalid::new("invalid-value", format!("`{text}` is not a method"));
        section.context.error(problem.or_at(value.span));
    }
    method
}
