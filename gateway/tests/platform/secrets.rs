//! Nothing that any program wrote may hold a secret.

use crate::program::EVERYTHING;
use crate::tokens::SECRETS;

/// Looks for every key, token and password of this run in everything that was written.
pub(crate) fn check() -> Result<(), String> {
    let everything = EVERYTHING.lock().unwrap();
    let secrets = SECRETS.lock().unwrap();
    assert!(everything.len() > 1000 && secrets.len() > 10, "nothing was looked at");
    let told = secrets.iter().find(|secret| everything.contains(secret.as_str()));
    let told = told.map(String::as_str).or_else(|| {
        ["the hidden password", "$argon2", "Bearer ey"]
            .into_iter()
            .find(|it| everything.contains(it))
    });
    let Some(secret) = told else { return Ok(()) };
    let line = everything.lines().find(|line| line.contains(secret)).unwrap_or_default();
    Err(format!("told: {line}"))
}
