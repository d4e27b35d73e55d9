//! One query layer for `SQLite` and `PostgreSQL` (decision 0004).
//!
//! Queries are written once, in the common part of both dialects: placeholders are `$1`, `$2`, …;
//! columns are `BIGINT` or `TEXT` (dates as `YYYY-MM-DD`, instants as RFC 3339 in UTC); upserts are
//! `ON CONFLICT`; sums are cast to `BIGINT`.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection, SqlSafeStr, Transaction};

/// How long a request waits for a free connection: less than the 2 s callers of a service wait, so
/// that they are told.
const ACQUIRE_LIMIT: Duration = Duration::from_millis(1500);

/// How long a connection that nobody used is taken to be as it was.
const TRUSTED: Duration = Duration::from_secs(1);

/// Where a service keeps its data.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file, created with its folder when it is missing.
    Sqlite(PathBuf),
    /// A server, and the database and schema on it.
    Postgres(String),
}

/// A pool of connections to the store of one service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    pool: AnyPool,
    dialect: Dialect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

/// One step in the life of a schema; its SQL never changes once it has been released.
#[derive(Debug, Clone, Copy)]
pub struct SchemaStep {
    /// Position among the steps, from 1.
    pub version: i64,
    /// What the step does, in a few words.
    pub name: &'static str,
    /// The statements, in the part of SQL that both dialects share.
    pub sql: &'static str,
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL names no store that is supported.
    #[error("start it with sqlite:// or postgres://")]
    UnknownScheme,
    /// The folder of a `SQLite` file can neither be found nor made.
    #[error("cannot make the folder {}; make it or set DATABASE_URL to another file", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store does not answer.
    #[error("cannot open {url}; check that it can be reached and DATABASE_URL is right")]
    Open {
        /// Where, without a password.
        url: DatabaseUrl,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The schema cannot be brought up to date.
    #[error("cannot bring the schema up to date; the database may belong to another version")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("the database refused a statement")]
    Query(#[from] sqlx::Error),
}

impl DatabaseUrl {
    /// Reads a `DATABASE_URL`.
    pub fn parse(text: &str) -> Result<Self, DatabaseError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
        let path = path.and_then(|path| path.split('?').next()).filter(|path| !path.is_empty());
        path.map(|path| Self::Sqlite(path.into())).ok_or(DatabaseError::UnknownScheme)
    }

    fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    fn options(&self) -> Result<AnyConnectOptions, sqlx::Error> {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}?mode=rwc", path.display()).parse(),
            Self::Postgres(url) => url.parse(),
        }
    }
}

/// Without user, password and options: it appears in logs and error texts.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite://{}", path.display()),
            Self::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let place = rest.split('?').next().unwrap_or_default();
                let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
                write!(formatter, "postgres://{place}")
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Database {
    /// Opens the store and brings its schema up to date.
    pub async fn open(url: &DatabaseUrl, schema: &[SchemaStep]) -> Result<Self, DatabaseError> {
        install_default_drivers();
        if let DatabaseUrl::Sqlite(path) = url {
            make_folder(path)?;
        }
        let dialect = url.dialect();
        let failed = |source| DatabaseError::Open { url: url.clone(), source };
        let pool = AnyPoolOptions::new()
            .max_connections(if dialect == Dialect::Sqlite { 8 } else { 16 })
            .acquire_timeout(ACQUIRE_LIMIT)
            // It was tested when it was given back.
            .test_before_acquire(false)
            .before_acquire(|connection, known| {
                Box::pin(async move {
                    if known.idle_for > TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(move |connection, _| Box::pin(prepare(connection, dialect)))
            .connect_with(url.options().map_err(failed)?)
            .await
            .map_err(failed)?;
        let steps = schema.iter().map(SchemaStep::migration).collect();
        Migrator::with_migrations(steps).run(&pool).await?;
        Ok(Self { pool, dialect })
    }

    /// The pool, for reading.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Begins a transaction that will write.
    ///
    /// On `SQLite` it takes the write lock at once: a transaction that first reads and then writes
    /// fails without waiting when another has written in between.
    pub async fn write(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.dialect {
            Dialect::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Dialect::Postgres => self.pool.begin().await,
        }
    }

    /// Empties tables: one that refers to another stands before it.
    ///
    /// `PostgreSQL` locks them in this order, and nobody reads them until the transaction ends. To
    /// delete their rows instead would look for what refers to each of them.
    pub async fn empty(
        &self,
        connection: &mut AnyConnection,
        tables: &[&'static str],
    ) -> Result<(), sqlx::Error> {
        let statements = match self.dialect {
            Dialect::Sqlite => tables.iter().map(|table| format!("DELETE FROM {table}")).collect(),
            Dialect::Postgres => vec![format!("TRUNCATE {}", tables.join(", "))],
        };
        for statement in statements {
            // Tables are named by the program alone.
            sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// Asks the store for a sign of life.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map(drop)
    }

    /// Waits until every connection is closed.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl SchemaStep {
    fn migration(&self) -> Migration {
        let name = Cow::Borrowed(self.name);
        Migration::new(self.version, name, MigrationType::Simple, self.sql.into_sql_str(), false)
    }
}

fn make_folder(path: &Path) -> Result<(), DatabaseError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    fs::create_dir_all(folder)
        .map_err(|source| DatabaseError::Folder { folder: folder.to_owned(), source })
}

async fn prepare(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), sqlx::Error> {
    let statements: &[&'static str] = match dialect {
        // FULL, because an answer that tells of a booking must survive a power cut.
        Dialect::Sqlite => &[
            "PRAGMA busy_timeout = 5000",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
        ],
        Dialect::Postgres => &[
            "SET statement_timeout = '10s'",
            "SET idle_in_transaction_session_timeout = '30s'",
            "SET TIME ZONE 'UTC'",
        ],
    };
    for statement in statements {
        sqlx::query(*statement).execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds() {
        let file = DatabaseUrl::parse("sqlite://data/cms.db?mode=rwc").unwrap();
        assert_eq!(file, DatabaseUrl::Sqlite("data/cms.db".into()));
        assert!(matches!(
            DatabaseUrl::parse("postgresql://localhost/cms").unwrap(),
            DatabaseUrl::Postgres(_)
        ));
        for text in ["", "sqlite://", "mysql://localhost/cms", "data/cms.db"] {
            assert!(DatabaseUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn never_shows_a_password() {
        let url = DatabaseUrl::parse("postgres://cms:p@ss@db:5432/cms?password=x").unwrap();
        assert_eq!(format!("{url} {url:?}"), "postgres://db:5432/cms postgres://db:5432/cms");
    }
}
