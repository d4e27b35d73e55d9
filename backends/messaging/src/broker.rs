//! Where messages go through.

use std::fmt;
use std::path::PathBuf;

use service::settings::Reader;

/// Where a process finds the log when it is not told.
pub const DEFAULT_URL: &str = "sqlite://data/broker.db";

/// Which log: `BROKER_URL`.
#[derive(Clone, PartialEq, Eq)]
pub enum BrokerUrl {
    /// `sqlite://FILE`: a log in one file that the processes of one machine share.
    Log(PathBuf),
    /// `kafka://HOST:PORT,HOST:PORT/PREFIX`: Apache Kafka. The prefix stands before the name of
    /// every topic, group and transaction, so that several platforms can share it.
    Kafka {
        /// `HOST:PORT,HOST:PORT`
        servers: String,
        /// Empty unless the URL has one.
        prefix: String,
    },
}

/// A `BROKER_URL` that names no log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("start it with sqlite:// and a file, or kafka:// and host:port,host:port/PREFIX")]
pub struct UnknownBroker;

impl BrokerUrl {
    /// Reads a `BROKER_URL`.
    pub fn parse(text: &str) -> Result<Self, UnknownBroker> {
        if let Some(rest) = text.strip_prefix("kafka://") {
            let (servers, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let is_server = |server: &str| {
                let port = server.rsplit_once(':').filter(|(host, _)| !host.is_empty());
                port.is_some_and(|(_, port)| port.parse::<u16>().is_ok())
            };
            // The characters of a topic's name.
            let is_name = |character: char| {
                character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
            };
            if !servers.split(',').all(is_server) || !prefix.chars().all(is_name) {
                return Err(UnknownBroker);
            }
            return Ok(Self::Kafka { servers: servers.to_owned(), prefix: prefix.to_owned() });
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
        let path = path.and_then(|path| path.split('?').next()).filter(|path| !path.is_empty());
        path.map(|path| Self::Log(path.into())).ok_or(UnknownBroker)
    }

    /// Reads `BROKER_URL`, or takes [`DEFAULT_URL`].
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text("BROKER_URL").unwrap_or_else(|| DEFAULT_URL.to_owned());
        let url = Self::parse(&text);
        url.inspect_err(|error| reader.reject("BROKER_URL", error.to_string())).ok()
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(path) => write!(formatter, "sqlite://{}", path.display()),
            Self::Kafka { servers, prefix } => write!(formatter, "kafka://{servers}/{prefix}"),
        }
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds() {
        let file = BrokerUrl::parse("sqlite://data/broker.db?mode=rwc").unwrap();
        assert_eq!(file, BrokerUrl::Log("data/broker.db".into()));
        let kafka = BrokerUrl::parse("kafka://a:9092,b:9093/test-1.").unwrap();
        let expected =
            BrokerUrl::Kafka { servers: "a:9092,b:9093".to_owned(), prefix: "test-1.".to_owned() };
        assert_eq!(kafka, expected);
        assert_eq!(BrokerUrl::parse(&kafka.to_string()).unwrap(), kafka);
        assert!(BrokerUrl::parse("kafka://a:9092").is_ok());
        for text in ["", "sqlite://", "kafka://", "kafka://a", "kafka://a:1,", "kafka://a:1/b c"] {
            assert_eq!(BrokerUrl::parse(text), Err(UnknownBroker), "{text}");
        }
    }
}
