//! The whole platform: six services, the payment gateway's stand-in, the gateway with the
//! repository's `routes.yaml`, and what they keep their data in.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use tempfile::TempDir;
use uuid::Uuid;

use crate::echo::Echo;
use crate::http::{Answer, Request};
use crate::program::{Program, address_after, folder};
use crate::redis_server::{Persistence, RedisServer};
use crate::tokens::Tokens;
use crate::wait;

/// What the platform keeps its data in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stores {
    /// `SQLite` files, and sessions in the gateway's memory.
    Embedded,
    /// `PostgreSQL` and Redis.
    Real,
}

/// Every service, in the order they are started.
pub(crate) const SERVICES: [&str; 7] =
    ["pg", "cms", "payment", "reservation", "member", "planner", "notification"];

/// How the gateway is started.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) persistence: Persistence,
    /// Replacements in `routes.yaml`.
    pub(crate) edits: Vec<(String, String)>,
    /// Where the gateway finds Redis, if not directly.
    pub(crate) redis_url: Option<String>,
    /// How many lodgings there are.
    pub(crate) lodgings: u32,
    /// Services that are started.
    pub(crate) services: &'static [&'static str],
}

impl Default for Options {
    fn default() -> Self {
        Self {
            persistence: Persistence::Off,
            edits: vec![many_logins()],
            redis_url: None,
            lodgings: 60,
            services: &SERVICES,
        }
    }
}

/// The suite logs in more often than a client may fail to.
pub(crate) fn many_logins() -> (String, String) {
    let written = "  # throttle: { per-email: 5, per-address: 50, window: 15m }";
    (
        written.to_owned(),
        "  throttle: { per-email: 1000, per-address: 100000, window: 15m }".to_owned(),
    )
}

#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) redis: Option<RedisServer>,
    pub(crate) gateway: Program,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) echo: Echo,
    pub(crate) tokens: Tokens,
    services: Mutex<HashMap<&'static str, Service>>,
    api_key: String,
    _folder: TempDir,
}

#[derive(Debug)]
struct Service {
    program: Program,
    address: SocketAddr,
    environment: Vec<(String, String)>,
}

/// A member who signed up.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) email: String,
    pub(crate) password: String,
}

/// Names that are used once only.
static NAMES: AtomicU32 = AtomicU32::new(1);

impl Stack {
    pub(crate) fn start(stores: Stores) -> Self {
        Self::with(stores, &Options::default())
    }

    pub(crate) fn with(stores: Stores, options: &Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(folder.path());
        let redis = (stores == Stores::Real).then(|| RedisServer::start(options.persistence));
        let api_key = Uuid::new_v4().simple().to_string();
        let mut services = HashMap::new();
        let mut environment: Vec<(String, String)> = vec![
            ("GATEWAY_PROOF_KEYS_FILE".to_owned(), text(tokens.proof_keys_file())),
            ("CMS_API_KEY".to_owned(), api_key.clone()),
            ("CMS_LODGINGS".to_owned(), options.lodgings.to_string()),
            (
                "BROKER_URL".to_owned(),
                format!("sqlite://{}", folder.path().join("broker.db").display()),
            ),
            ("PG_SECRET_KEY".to_owned(), "test_sk_of_the_stack".to_owned()),
        ];
        for name in SERVICES {
            let url = format!("{}_URL", name.to_uppercase());
            if !options.services.contains(&name) {
                let nobody = format!("http://{}{}", crate::program::free_address(), path_of(name));
                environment.push((url, nobody));
                continue;
            }
            let mut own = environment.clone();
            own.push(("DATABASE_URL".to_owned(), database(stores, name, folder.path())));
            let service = Service::start(name, "127.0.0.1:0", own);
            environment.push((url, format!("http://{}{}", service.address, path_of(name))));
            services.insert(name, service);
        }
        let echo = Echo::start();
        let file = folder.path().join("routes.yaml");
        fs::write(&file, routes(&echo, &options.edits)).unwrap();
        environment.push(("TOKEN_KEYS_FILE".to_owned(), text(tokens.token_keys_file())));
        let own_url = redis.as_ref().map(RedisServer::url);
        if let Some(url) = options.redis_url.clone().or(own_url) {
            environment.push(("REDIS_URL".to_owned(), url));
        }
        let (gateway, address, admin) = start_gateway(&file, &environment);
        let services = Mutex::new(services);
        Self { redis, gateway, address, admin, echo, tokens, services, api_key, _folder: folder }
    }

    pub(crate) fn api_key(&self) -> &str {
        &self.api_key
    }

    pub(crate) fn service(&self, name: &str) -> SocketAddr {
        self.services.lock().unwrap()[name].address
    }

    pub(crate) fn kill(&self, name: &str) {
        self.services.lock().unwrap().get_mut(name).unwrap().program.kill();
    }

    /// Starts a service again where it was.
    pub(crate) fn start_again(&self, name: &'static str) {
        let mut services = self.services.lock().unwrap();
        let before = services.remove(name).unwrap();
        let again = Service::start(name, &before.address.to_string(), before.environment);
        services.insert(name, again);
    }

    /// A request to the gateway.
    pub(crate) fn ask(&self, line: &str) -> Request {
        Request::new(self.address, line)
    }

    pub(crate) fn admin(&self, line: &str) -> Request {
        Request::new(self.admin, line)
    }

    pub(crate) fn get(&self, target: &str, token: &str) -> Answer {
        self.ask(&format!("GET {target}")).bearer(token).send()
    }

    #[track_caller]
    pub(crate) fn sign_up(&self) -> Account {
        let number = NAMES.fetch_add(1, Ordering::Relaxed);
        let email = format!("member{number}@example.com");
        let password = format!("the hidden password {number}");
        let answer = self
            .ask("POST /members")
            .json(&json!({
                "memberEmail": email, "password": password, "memberName": format!("Member {number}"),
                "nickName": format!("nick{number}"), "phoneNumber": format!("010{number:08}"),
                "accountType": "LOCAL"
            }))
            .send()
            .check(201);
        let id = answer.payload()["memberId"].as_i64().unwrap();
        Account { id, email, password }
    }

    pub(crate) fn try_login(&self, account: &Account) -> Answer {
        self.ask("POST /login").json(&login_body(&account.email, &account.password)).send()
    }

    #[track_caller]
    pub(crate) fn log_in(&self, account: &Account) -> String {
        let token = self.try_login(account).check(200).token().unwrap();
        Tokens::saw(&token);
        token
    }

    /// A new member and a token.
    #[track_caller]
    pub(crate) fn member(&self) -> (Account, String) {
        let account = self.sign_up();
        let token = self.log_in(&account);
        (account, token)
    }

    /// The value of a series of the gateway.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.admin("GET /metrics").send().body;
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or_default()
    }

    /// The access log's line for a path.
    #[track_caller]
    pub(crate) fn log_of(&self, path: &str) -> Value {
        wait::until("a line in the access log", || {
            let output = self.gateway.output();
            let lines = output.lines().rev();
            let mut lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| line["path"] == path)
        })
    }
}

pub(crate) fn login_body(email: &str, password: &str) -> Value {
    json!({ "memberEmail": email, "password": password })
}

impl Service {
    fn start(name: &str, listen: &str, environment: Vec<(String, String)>) -> Self {
        let mut command = Command::new(folder().join(name));
        command
            .env_clear()
            .env("LISTEN", listen)
            .env("ADMIN_LISTEN", "127.0.0.1:0")
            .envs(environment.iter().cloned());
        let mut program = Program::start(command);
        let address = program.tells(&format!("{name} to serve"), |log| {
            let line = log.lines().find(|line| line.contains("\"message\":\"serving\""))?;
            address_after(line, "\"address\":\"")
        });
        Self { program, address, environment }
    }
}

pub(crate) fn start_gateway(
    file: &Path,
    environment: &[(String, String)],
) -> (Program, SocketAddr, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(["run", file.to_str().unwrap()]);
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.env_clear().envs(environment.iter().cloned());
    let mut program = Program::start(command);
    let (address, admin) = program.tells("the gateway to serve", |log| {
        let admin = address_after(log, "admin on http://")?;
        Some((address_after(log, "listening on http://")?, admin))
    });
    (program, address, admin)
}

/// The repository's routes, and some that end at the echo.
fn routes(echo: &Echo, edits: &[(String, String)]) -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../routes.yaml");
    let mut text = fs::read_to_string(file).unwrap();
    for (from, to) in edits {
        assert!(text.contains(from), "routes.yaml has no `{from}`");
        text = text.replace(from, to);
    }
    let exempt = "    - { path: /webhooks/** }";
    assert!(text.contains(exempt));
    text = text.replace(exempt, &format!("{exempt}\n    - {{ path: /checked/** }}\n   "));
    let uri = echo.uri();
    text + &format!(
        "
  - {{ id: echo, uri: '{uri}', predicates: [Path=/echo/**] }}
  - {{ id: webhook-echo, uri: '{uri}', predicates: [Path=/webhooks/echo] }}
  - {{ id: untold, uri: '{uri}', predicates: [Path=/untold/**], metadata: {{ identity: false }} }}
  - {{ id: saved, uri: '{uri}', predicates: [Path=/saved/**], filters: [SaveSession] }}
  - id: checked
    uri: '{uri}'
    predicates: [Path=/checked/**]
    filters: [PrefixLoginTokenFilter, MemberParameterFilter, MemberResponseFilter, PostfixLoginTokenFilter]
  - {{ id: parameter, uri: '{uri}', predicates: [Path=/parameter/**], filters: [MemberParameterFilter=memberId] }}
  - id: forging
    uri: '{uri}'
    predicates: [Path=/forging/**]
    filters: ['SetRequestHeader=X-Member-Id, 1', 'AddRequestHeader=X-Member-Role, ADMIN', 'AddRequestHeader=X-Gateway-Auth, v1']
"
    )
}

/// A file, or a schema of its own on the server.
/// Where a service serves below its address.
pub(crate) fn path_of(service: &str) -> &'static str {
    if service == "pg" { "/pg" } else { "" }
}

fn database(stores: Stores, service: &str, folder: &Path) -> String {
    if stores == Stores::Embedded {
        return format!("sqlite://{}", folder.join(format!("{service}.db")).display());
    }
    let server = postgres().unwrap();
    // Names that begin with `pg_` are the server's own.
    let schema = format!("t_{service}_{}", Uuid::new_v4().simple());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&server).await.unwrap();
        let statement = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    let separator = if server.contains('?') { '&' } else { '?' };
    format!("{server}{separator}options[search_path]={schema}")
}

/// The `PostgreSQL` server of the test run.
#[expect(clippy::disallowed_methods, reason = "a test program reads its own environment")]
pub(crate) fn postgres() -> Option<String> {
    std::env::var("DATABASE_URL").ok().filter(|url| url.starts_with("postgres"))
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// How long a thing may take that must be quick.
pub(crate) const QUICK: Duration = Duration::from_secs(2);
