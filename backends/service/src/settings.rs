//! Configuration, read once from the environment.
//!
//! A value `X` may be given in a file instead, named by `X_FILE`; that is how secrets arrive.
//! Every fault is collected, so that one start tells all of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;

use crate::database::DatabaseUrl;
use crate::keys::{EXAMPLE, KeyError, KeySet};

/// The environment, or a map that stands for it in a test.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

/// What one service falls back to when a variable is not set.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// Address and port to listen on.
    pub listen: &'static str,
    /// Where the service keeps its data.
    pub database_url: &'static str,
}

/// What every service is configured with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `LISTEN`: address and port to listen on.
    pub listen: SocketAddr,
    /// `DATABASE_URL`: `sqlite://FILE` or `postgres://…`.
    pub database_url: DatabaseUrl,
    /// `DRAIN_SECONDS` (25): how long open requests may finish after the first signal.
    pub drain: Duration,
    /// `RUST_LOG` (`info`): which log lines are written.
    pub log: String,
}

/// Why one variable cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{variable}`: {reason}")]
pub struct Invalid {
    variable: String,
    reason: String,
}

/// Reads variables and remembers what was wrong with them.
#[derive(Debug)]
pub struct Reader<'a> {
    variables: &'a Variables,
    invalid: Vec<Invalid>,
}

impl Variables {
    /// The environment of this process; variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let texts = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self(texts.collect())
    }

    /// The value of one variable as it stands, without `_FILE`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Starts to read.
    pub fn reader(&self) -> Reader<'_> {
        Reader { variables: self, invalid: Vec::new() }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Variables {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Variables {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(pairs: T) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Where a value is given.
enum Source<'a> {
    Value(&'a str),
    File(&'a str),
}

impl<'a> Reader<'a> {
    /// The text of `name`, or of the file that `name_FILE` names, without the final line end.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.source(name)? {
            Source::Value(value) => Some(value.to_owned()),
            Source::File(path) => match fs::read_to_string(path) {
                Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => {
                    self.reject(&format!("{name}_FILE"), format!("cannot read {path}: {error}"));
                    None
                }
            },
        }
    }

    /// The key set in `name`, or in the file that `name_FILE` names, which is read again when it
    /// changes. One must be set.
    pub fn keys(&mut self, name: &str) -> Option<KeySet> {
        let before = self.invalid.len();
        let (variable, keys) = match self.source(name) {
            Some(Source::Value(text)) => (name.to_owned(), KeySet::from_json(text)),
            Some(Source::File(path)) => {
                (format!("{name}_FILE"), KeySet::from_file(Path::new(path)))
            }
            None => {
                if self.invalid.len() == before {
                    let reason = format!("set it or `{name}_FILE` to a key set such as {EXAMPLE}");
                    self.reject(name, reason);
                }
                return None;
            }
        };
        let explain = |error: &KeyError| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            self.reject(&variable, format!("{error}{cause}; a key set is such as {EXAMPLE}"));
        };
        keys.inspect_err(explain).ok()
    }

    /// The base URL of a peer in `name`, or `default`: a scheme and a host, without a path.
    pub fn url(&mut self, name: &str, default: &str) -> Option<String> {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        self.base(name, &text)
    }

    /// The base URL of a peer that is not needed; nothing when `name` is not set.
    pub fn optional_url(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        self.base(name, &text)
    }

    /// As [`Reader::url`], for a peer that may be served below a path.
    pub fn url_with_path(&mut self, name: &str, default: &str) -> Option<String> {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        self.plain(name, &text)
    }

    /// As [`Reader::optional_url`], for a peer that may be served below a path.
    pub fn optional_url_with_path(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        self.plain(name, &text)
    }

    fn plain(&mut self, name: &str, text: &str) -> Option<String> {
        let url = plain_url(text);
        if url.is_none() {
            self.reject(name, "is not a URL such as http://127.0.0.1:8093/pg");
        }
        url.map(|url| url.as_str().trim_end_matches('/').to_owned())
    }

    fn base(&mut self, name: &str, text: &str) -> Option<String> {
        let url = plain_url(text).filter(|url| url.path() == "/");
        if url.is_none() {
            self.reject(name, "is not the base of a URL, such as http://127.0.0.1:8081");
        }
        url.map(|url| url.as_str().trim_end_matches('/').to_owned())
    }

    fn source(&mut self, name: &str) -> Option<Source<'a>> {
        let file_name = format!("{name}_FILE");
        match (self.variables.get(name), self.variables.get(&file_name)) {
            (Some(_), Some(_)) => {
                self.reject(name, format!("set it or `{file_name}`, not both"));
                None
            }
            (Some(value), None) => Some(Source::Value(value)),
            (None, Some(path)) => Some(Source::File(path)),
            (None, None) => None,
        }
    }

    /// The value of `name`, or `default`; `expected` finishes the sentence "is not …".
    pub fn value<T>(
        &mut self,
        name: &str,
        default: T,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        let Some(text) = self.text(name) else { return default };
        parse(&text).unwrap_or_else(|| {
            self.reject(name, format!("`{text}` is not {expected}"));
            default
        })
    }

    /// Records that `variable` cannot be used.
    pub fn reject(&mut self, variable: &str, reason: impl Into<String>) {
        self.invalid.push(Invalid { variable: variable.to_owned(), reason: reason.into() });
    }

    /// What every service is configured with.
    ///
    /// `None` when one of the values cannot be used; [`Reader::finish`] then tells which.
    pub fn settings(&mut self, defaults: Defaults) -> Option<Settings> {
        let listen = self.text("LISTEN").unwrap_or_else(|| defaults.listen.to_owned());
        let listen = listen.parse().inspect_err(|_| {
            self.reject("LISTEN", format!("`{listen}` is not an address such as 127.0.0.1:8085"));
        });
        let database =
            self.text("DATABASE_URL").unwrap_or_else(|| defaults.database_url.to_owned());
        let database_url = DatabaseUrl::parse(&database).inspect_err(|error| {
            self.reject("DATABASE_URL", error.to_string());
        });
        let drain =
            self.value("DRAIN_SECONDS", 25, "a whole number of seconds", |text| text.parse().ok());
        let log = self.text("RUST_LOG").unwrap_or_else(|| "info".to_owned());
        Some(Settings {
            listen: listen.ok()?,
            database_url: database_url.ok()?,
            drain: Duration::from_secs(drain),
            log,
        })
    }

    /// Hands out `value` if everything read so far could be used.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Invalid>> {
        value.filter(|_| self.invalid.is_empty()).ok_or(self.invalid)
    }
}

/// A URL without user, query and fragment.
fn plain_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| {
        let has_more = url.query().is_some() || url.fragment().is_some();
        let has_user = !url.username().is_empty() || url.password().is_some();
        matches!(url.scheme(), "http" | "https") && !has_more && !has_user
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const DEFAULTS: Defaults =
        Defaults { listen: "127.0.0.1:8085", database_url: "sqlite://data/cms.db" };

    fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<Settings, String> {
        let variables = Variables::from(pairs);
        let mut reader = variables.reader();
        let settings = reader.settings(DEFAULTS);
        reader.finish(settings).map_err(|invalid| {
            invalid.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })
    }

    #[test]
    fn an_empty_environment_gives_the_defaults() {
        let settings = read([]).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8085");
        assert_eq!(settings.drain, Duration::from_secs(25));
        assert_eq!(settings.log, "info");
    }

    #[test]
    fn tells_every_fault_at_once() {
        let faults =
            read([("LISTEN", "8085"), ("DATABASE_URL", "mysql://x"), ("DRAIN_SECONDS", "-1")]);
        assert_eq!(
            faults.unwrap_err(),
            "`LISTEN`: `8085` is not an address such as 127.0.0.1:8085; \
             `DATABASE_URL`: start it with sqlite:// or postgres://; \
             `DRAIN_SECONDS`: `-1` is not a whole number of seconds"
        );
    }

    #[test]
    fn a_value_may_come_from_a_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "0.0.0.0:9").unwrap();
        let settings = read([("LISTEN_FILE", file.path().to_str().unwrap())]).unwrap();
        assert_eq!(settings.listen.to_string(), "0.0.0.0:9");
    }

    #[test]
    fn a_value_and_a_file_contradict_each_other() {
        let faults = read([("LISTEN", "0.0.0.0:9"), ("LISTEN_FILE", "/nowhere")]);
        assert_eq!(faults.unwrap_err(), "`LISTEN`: set it or `LISTEN_FILE`, not both");
    }

    #[test]
    fn a_missing_file_is_named() {
        let faults = read([("LISTEN_FILE", "/nowhere")]).unwrap_err();
        assert!(faults.starts_with("`LISTEN_FILE`: cannot read /nowhere: "), "{faults}");
    }

    /// What is wrong with key sets, each in a variable of its own.
    fn key_faults<const N: usize>(pairs: [(&str, &str); N]) -> Vec<String> {
        let variables = Variables::from(pairs);
        let mut reader = variables.reader();
        let keys = reader.keys("KEYS").is_some();
        let faults = reader.finish(keys.then_some(())).err().unwrap_or_default();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_must_be_set_and_the_text_says_how() {
        let missing = format!("`KEYS`: set it or `KEYS_FILE` to a key set such as {EXAMPLE}");
        assert_eq!(key_faults([]), [missing]);
        let broken = format!("`KEYS`: holds no key; a key set is such as {EXAMPLE}");
        assert_eq!(key_faults([("KEYS", r#"{"keys":[]}"#)]), [broken]);
        let both = key_faults([("KEYS", "{}"), ("KEYS_FILE", "/nowhere")]);
        assert_eq!(both, ["`KEYS`: set it or `KEYS_FILE`, not both"]);
        let unreadable = key_faults([("KEYS_FILE", "/nowhere")]);
        assert!(
            unreadable[0].starts_with("`KEYS_FILE`: cannot be read: No such"),
            "{unreadable:?}"
        );
    }

    #[test]
    fn keys_come_from_a_value_or_a_file() {
        let set = r#"{"keys":[{"kty":"oct","kid":"k1","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}"#;
        assert!(key_faults([("KEYS", set)]).is_empty());
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{set}").unwrap();
        assert!(key_faults([("KEYS_FILE", file.path().to_str().unwrap())]).is_empty());
    }

    #[test]
    fn bases_have_a_scheme_and_a_host_and_nothing_else() {
        let read = |text| {
            let variables = Variables::from([("PEER_URL", text)]);
            let mut reader = variables.reader();
            let url = reader.url("PEER_URL", "http://127.0.0.1:1");
            reader.finish(url).map_err(|faults| faults[0].to_string())
        };
        assert_eq!(read("http://peer:8081/").unwrap(), "http://peer:8081");
        assert_eq!(read("https://peer").unwrap(), "https://peer");
        for text in
            ["", "peer:8081", "ftp://peer", "http://", "http://p/v1", "http://p?x", "http://a@p"]
        {
            let fault = "`PEER_URL`: is not the base of a URL, such as http://127.0.0.1:8081";
            assert_eq!(read(text).unwrap_err(), fault, "{text}");
        }
        let variables = Variables::default();
        assert_eq!(
            variables.reader().url("X", "http://127.0.0.1:1").unwrap(),
            "http://127.0.0.1:1"
        );
        assert_eq!(variables.reader().optional_url("X"), None);
    }

    #[test]
    fn some_bases_have_a_path() {
        let read = |text| {
            let variables = Variables::from([("PG_URL", text)]);
            let mut reader = variables.reader();
            let url = reader.optional_url_with_path("PG_URL");
            assert_eq!(reader.url_with_path("PG_URL", "http://other"), url);
            reader.finish(url).map_err(|faults| faults[0].to_string())
        };
        assert_eq!(read("http://pg:8093/pg/").unwrap(), "http://pg:8093/pg");
        assert_eq!(read("https://api.tosspayments.com").unwrap(), "https://api.tosspayments.com");
        for text in ["", "pg/x", "ftp://pg/x", "http://p/x?y", "http://p/x#y", "http://a@p/x"] {
            let fault = "`PG_URL`: is not a URL such as http://127.0.0.1:8093/pg";
            assert_eq!(read(text).unwrap_err(), fault, "{text}");
        }
        let variables = Variables::default();
        let url = variables.reader().url_with_path("PG_URL", "http://127.0.0.1:8093/pg");
        assert_eq!(url.unwrap(), "http://127.0.0.1:8093/pg");
        assert_eq!(variables.reader().optional_url_with_path("PG_URL"), None);
    }

    #[test]
    fn debug_output_holds_no_values() {
        let variables = Variables::from([("CMS_API_KEY", "secret")]);
        assert_eq!(format!("{variables:?}"), "{\"CMS_API_KEY\"}");
    }
}
