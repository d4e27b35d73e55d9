//! What the services keep their data in, and send their messages through.

use std::error::Error;
use std::path::Path;
use std::sync::Mutex;

use service::settings::Variables;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One kind of back end; the schemas that were made on a server are kept by name.
#[derive(Debug)]
pub struct Backing(Kind);

#[derive(Debug)]
enum Kind {
    Embedded,
    Real {
        postgres: String,
        kafka: String,
        /// Nobody is told when the server is not this machine's.
        process: Option<String>,
        run: String,
        made: Mutex<Vec<String>>,
    },
}

impl Backing {
    /// `SQLite` files and the embedded event log.
    pub fn embedded() -> Self {
        Self(Kind::Embedded)
    }

    /// The servers that `DATABASE_URL` and `KAFKA_BROKERS` name, if they do. `KAFKA_PID` is the
    /// process of the broker, if it may be stopped.
    pub fn named(variables: &Variables) -> Option<Self> {
        let (postgres, kafka) = (variables.get("DATABASE_URL")?, variables.get("KAFKA_BROKERS")?);
        Some(Self::real(postgres, kafka, variables.get("KAFKA_PID")))
    }

    /// A `PostgreSQL` server and Kafka brokers, each run with schemas of its own.
    /// `process` is the Kafka server's, if it may be stopped.
    pub fn real(postgres: &str, kafka: &str, process: Option<&str>) -> Self {
        let run = Uuid::new_v4().simple().to_string();
        let (postgres, kafka) = (postgres.to_owned(), kafka.to_owned());
        let process = process.map(str::to_owned);
        Self(Kind::Real { postgres, kafka, process, run, made: Mutex::default() })
    }

    /// Whether nothing but files is needed.
    pub fn is_embedded(&self) -> bool {
        matches!(self.0, Kind::Embedded)
    }

    /// The process of the Kafka server; nothing with the embedded log.
    pub fn kafka_process(&self) -> Result<Option<&str>> {
        match &self.0 {
            Kind::Embedded => Ok(None),
            Kind::Real { process: Some(process), .. } => Ok(Some(process)),
            Kind::Real { process: None, .. } => {
                Err("set KAFKA_PID to the server's process, which is to be stopped for a while"
                    .into())
            }
        }
    }

    /// `DATABASE_URL` of a service; a schema is made when it is asked for the first time.
    pub fn database(&self, service: &str, folder: &Path) -> Result<String> {
        let Kind::Real { postgres, run, made, .. } = &self.0 else {
            return Ok(format!("sqlite://{}", folder.join(format!("{service}.db")).display()));
        };
        // Names that begin with `pg_` are the server's own.
        let schema = format!("t_{service}_{run}");
        let mut made = made.lock().map_err(|error| error.to_string())?;
        if !made.contains(&schema) {
            make_schema(postgres, &schema)?;
            made.push(schema.clone());
        }
        let separator = if postgres.contains('?') { '&' } else { '?' };
        Ok(format!("{postgres}{separator}options[search_path]={schema}"))
    }

    /// `BROKER_URL` of all services.
    pub fn broker(&self, folder: &Path) -> String {
        match &self.0 {
            Kind::Embedded => format!("sqlite://{}", folder.join("broker.db").display()),
            // Topics of its own for each run.
            Kind::Real { kafka, run, .. } => format!("kafka://{kafka}/{run}."),
        }
    }
}

fn make_schema(server: &str, schema: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(server).await?;
        // Only a name of our own is composed.
        let statement = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        sqlx::query(statement).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    })
}
