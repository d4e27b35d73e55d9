//! What the services' tests need: a router called without a socket, real processes, proofs, and every
//! kind of database.

pub mod openapi;
mod process;
mod signer;

use std::error::Error;
use std::fmt::Debug;
use std::io::{self, Write};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde::Serialize;
use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

pub use self::process::Process;
pub use self::signer::Signer;
use crate::code::Code;
use crate::database::{Database, DatabaseUrl, SchemaStep};
use crate::settings::Variables;

/// Headers of a request, in the order they are sent.
pub type Headers = Vec<(&'static str, String)>;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as it came.
    pub text: String,
    /// Its body as JSON; null when it is none.
    pub json: Value,
}

impl Answer {
    /// A header's text, empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Sends one request to a router.
pub async fn send(router: &Router, request: Request<Body>) -> Result<Answer, Box<dyn Error>> {
    let response = router.clone().oneshot(request).await?;
    let (head, body) = response.into_parts();
    let text = String::from_utf8(to_bytes(body, usize::MAX).await?.to_vec())?;
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ok(Answer { status: head.status, headers: head.headers, text, json })
}

/// Sends a GET to a router.
pub async fn get(router: &Router, target: &str) -> Result<Answer, Box<dyn Error>> {
    send(router, Request::get(target).body(Body::empty())?).await
}

/// Sends a request with headers and, unless it is empty, a JSON body to a router.
pub async fn call(
    router: &Router,
    method: &str,
    target: &str,
    headers: &[(&str, String)],
    body: &str,
) -> Result<Answer, Box<dyn Error>> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    send(router, request.body(Body::from(body.to_owned()))?).await
}

/// Checks that answers are written with the codes that stand in the store.
///
/// # Panics
///
/// If one is not.
#[track_caller]
pub fn check_codes<T: Code + Serialize + Debug + PartialEq>() {
    for value in T::ALL {
        assert_eq!(serde_json::to_value(value).ok(), Some(value.code().into()));
        assert_eq!(T::by_code(value.code()), Some(*value));
    }
}

/// Runs a test on an empty `SQLite` file and, where `DATABASE_URL` names one, on an empty schema of a
/// `PostgreSQL` server.
///
/// Without a server it says so on standard error; with `CI=true` that is an error.
pub async fn on_each_database(
    schema: &[SchemaStep],
    test: impl AsyncFn(Database),
) -> Result<(), Box<dyn Error>> {
    on_sqlite(schema, &test).await?;
    let variables = Variables::of_process();
    match variables.get("DATABASE_URL").filter(|url| url.starts_with("postgres")) {
        Some(url) => on_postgres(url, schema, test).await,
        None if variables.get("CI") == Some("true") => {
            Err("DATABASE_URL is not set; with CI=true set it to a postgres:// URL".into())
        }
        None => {
            writeln!(
                io::stderr(),
                "skipped: no DATABASE_URL (postgres://…), tested on SQLite only"
            )?;
            Ok(())
        }
    }
}

/// Runs a test on an empty `SQLite` file, where the kind of store does not matter.
pub async fn on_sqlite(
    schema: &[SchemaStep],
    test: impl AsyncFnOnce(Database),
) -> Result<(), Box<dyn Error>> {
    let folder = TempDir::new()?;
    let file = DatabaseUrl::Sqlite(folder.path().join("test.db"));
    let database = Database::open(&file, schema).await?;
    test(database.clone()).await;
    database.close().await;
    Ok(())
}

/// A test that fails leaves its schema behind, to be looked at.
async fn on_postgres(
    url: &str,
    schema: &[SchemaStep],
    test: impl AsyncFn(Database),
) -> Result<(), Box<dyn Error>> {
    sqlx::any::install_default_drivers();
    let mut server = AnyConnection::connect(url).await?;
    let name = format!("test_{}", Uuid::new_v4().simple());
    sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {name}"))).execute(&mut server).await?;
    let separator = if url.contains('?') { '&' } else { '?' };
    let own = DatabaseUrl::parse(&format!("{url}{separator}options[search_path]={name}"))?;
    let database = Database::open(&own, schema).await?;
    test(database.clone()).await;
    database.close().await;
    sqlx::query(AssertSqlSafe(format!("DROP SCHEMA {name} CASCADE"))).execute(&mut server).await?;
    server.close().await?;
    Ok(())
}
