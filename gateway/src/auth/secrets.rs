//! Secrets from the environment, or from a file that is read again when it changes.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tollgate_filters::auth::KeySet;

use super::AuthError;
use crate::secret_source::{BothSet, SecretSource, Unreadable};

/// Keys made of a key set, as they are now.
pub(super) struct KeyFile<K> {
    variable: &'static str,
    least: usize,
    current: Arc<ArcSwap<K>>,
    make: Box<dyn Fn(&KeySet) -> K + Send>,
    /// Where they came from, if that can change.
    file: Option<Watched>,
}

struct Watched {
    path: String,
    seen: Seen,
    text: String,
}

/// What changes when a file does.
type Seen = Option<(SystemTime, u64)>;

impl<K> KeyFile<K> {
    /// Reads the keys of `variable`, or of the file that `variable_FILE` names.
    pub(super) fn open(
        variable: &'static str,
        least: usize,
        environment: &(dyn Fn(&str) -> Option<String> + Send + Sync),
        make: impl Fn(&KeySet) -> K + Send + 'static,
    ) -> Result<Self, AuthError> {
        let source = SecretSource::find(variable, environment)
            .map_err(|BothSet| AuthError::Both(variable))?
            .ok_or(AuthError::Missing(variable))?;
        // Before it is read: what changes in between is read again.
        let seen = source.path().and_then(look);
        let text = source.read().map_err(|unreadable| {
            let Unreadable { variable, path, source } = unreadable;
            AuthError::Unreadable { variable, path, source }
        })?;
        let watched = |path: &str| Watched { path: path.to_owned(), seen, text: text.clone() };
        let file = source.path().map(watched);
        let keys = KeySet::from_json(&text, least)
            .map_err(|source| AuthError::Keys { variable, source })?;
        let current = Arc::new(ArcSwap::from_pointee(make(&keys)));
        Ok(Self { variable, least, current, make: Box::new(make), file })
    }

    /// The keys, which follow the file.
    pub(super) fn current(&self) -> &Arc<ArcSwap<K>> {
        &self.current
    }

    /// Reads the file again if it changed; keys that cannot be used replace nothing.
    pub(super) fn refresh(&mut self) {
        let Some(file) = &mut self.file else { return };
        let seen = look(&file.path);
        if seen.is_none() || seen == file.seen {
            return;
        }
        // One that cannot be read now is tried again.
        let Some(text) = read(&file.path) else { return };
        file.seen = seen;
        if text == file.text {
            return;
        }
        match KeySet::from_json(&text, self.least) {
            Ok(keys) => {
                self.current.store(Arc::new((self.make)(&keys)));
                tracing::info!(variable = self.variable, keys = ?keys, "keys read again");
                file.text = text;
            }
            Err(error) => tracing::error!(
                variable = self.variable,
                "the new keys are not used, the old ones stay: {error}"
            ),
        }
    }
}

fn look(path: &str) -> Seen {
    let file = fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

fn read(path: &str) -> Option<String> {
    let read: io::Result<String> = fs::read_to_string(path);
    read.inspect_err(|error| {
        tracing::error!(path, "keys cannot be read, the old ones stay: {error}");
    })
    .ok()
}
