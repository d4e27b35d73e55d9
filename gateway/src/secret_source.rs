//! Where the environment keeps a secret: in a variable, or in the file that `VARIABLE_FILE` names.

use std::fs;
use std::io;

/// Where a secret is.
pub(crate) enum SecretSource {
    /// In the variable itself.
    Variable(String),
    /// In a file.
    File {
        /// The variable that names it.
        variable: String,
        /// Where it is.
        path: String,
    },
}

/// The variable and the one that names a file are both set.
#[derive(Debug)]
pub(crate) struct BothSet;

/// A file that cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// The variable that names it.
    pub(crate) variable: String,
    /// Where it is.
    pub(crate) path: String,
    /// Why.
    pub(crate) source: io::Error,
}

impl SecretSource {
    /// Where the secret of `variable` is, if it is anywhere; blanks are nothing.
    ///
    /// # Errors
    ///
    /// It is in two places.
    pub(crate) fn find(
        variable: &str,
        environment: &(dyn Fn(&str) -> Option<String> + Send + Sync),
    ) -> Result<Option<Self>, BothSet> {
        let of_file = format!("{variable}_FILE");
        let set = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        match (set(variable), set(&of_file)) {
            (Some(_), Some(_)) => Err(BothSet),
            (Some(text), None) => Ok(Some(Self::Variable(text))),
            (None, Some(path)) => Ok(Some(Self::File { variable: of_file, path })),
            (None, None) => Ok(None),
        }
    }

    /// The file, if it is in one.
    pub(crate) fn path(&self) -> Option<&str> {
        match self {
            Self::Variable(_) => None,
            Self::File { path, .. } => Some(path),
        }
    }

    /// The secret as it is now.
    ///
    /// # Errors
    ///
    /// Its file cannot be read.
    pub(crate) fn read(&self) -> Result<String, Unreadable> {
        match self {
            Self::Variable(text) => Ok(text.clone()),
            Self::File { variable, path } => fs::read_to_string(path).map_err(|source| {
                Unreadable { variable: variable.clone(), path: path.clone(), source }
            }),
        }
    }
}
