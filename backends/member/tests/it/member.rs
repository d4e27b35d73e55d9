//! One running member service, and a gateway that calls it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use service::testing::{Answer, Process, Signer};
use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, Connection};
use tokio::runtime::Runtime;

use crate::PASSWORD;

/// The service, and what it is called with.
pub(crate) struct Member {
    pub(crate) process: Process,
    pub(crate) signer: Signer,
    keys: PathBuf,
}

impl Member {
    /// Starts the binary with its data in `folder`, and waits until it serves.
    pub(crate) fn serving(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let signer = Signer::new().unwrap();
        let keys = folder.join("keys.json");
        fs::write(&keys, signer.jwks()).unwrap();
        let database = url(folder);
        let mut all = vec![
            ("DATABASE_URL", database.as_str()),
            ("GATEWAY_PROOF_KEYS_FILE", keys.to_str().unwrap()),
        ];
        all.extend(variables);
        let process = Process::serving(env!("CARGO_BIN_EXE_member"), &all).unwrap();
        Self { process, signer, keys }
    }

    /// Sends what the gateway would, for a member or for nobody.
    pub(crate) fn ask(
        &self,
        method: &str,
        target: &str,
        caller: Option<i64>,
        body: &str,
    ) -> Answer {
        let headers = self.signer.gateway(method, target, caller.map(|id| (id, "USER")));
        self.process.request(method, target, &headers, body).unwrap()
    }

    pub(crate) fn sign_up(&self, number: u32) -> Answer {
        self.ask("POST", "/v1/members", None, &wish(number).to_string())
    }

    pub(crate) fn log_in(&self, number: u32, password: &str) -> Answer {
        let body = json!({ "memberEmail": format!("m{number}@example.com"), "password": password });
        self.ask("POST", "/v1/login", None, &body.to_string())
    }

    /// Puts another key set where the service reads its own.
    pub(crate) fn change_keys(&mut self) {
        self.signer = Signer::new().unwrap();
        let beside = self.keys.with_extension("new");
        fs::write(&beside, self.signer.jwks()).unwrap();
        fs::rename(beside, &self.keys).unwrap();
    }
}

pub(crate) fn wish(number: u32) -> Value {
    json!({
        "memberEmail": format!("M{number}@example.com"),
        "password": PASSWORD,
        "memberName": format!("Member {number}"),
        "phoneNumber": format!("010{number:08}"),
    })
}

/// Makes the members of a store that nobody uses just now have signed up long ago.
pub(crate) fn let_time_pass(folder: &Path) {
    install_default_drivers();
    Runtime::new().unwrap().block_on(async {
        let mut store = AnyConnection::connect(&url(folder)).await.unwrap();
        let changed = sqlx::query("UPDATE members SET joined_at = '2020-01-01T00:00:00.000Z'");
        assert_eq!(changed.execute(&mut store).await.unwrap().rows_affected(), 1);
        store.close().await.unwrap();
    });
}

fn url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("member.db").display())
}
