//! One running planner, asked as the gateway asks it.

use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;
use service::testing::{Answer, Process, Signer};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_planner");
pub(crate) const MEMBER: (i64, &str) = (42, "USER");

/// A planner with its data in a folder.
pub(crate) struct Planner {
    pub(crate) process: Process,
    pub(crate) signer: Signer,
}

impl Planner {
    /// Starts one and waits until it serves.
    pub(crate) fn serving(folder: &Path) -> Self {
        Self::behind(&Signer::new().unwrap(), folder)
    }

    /// As [`Planner::serving`], behind a gateway that there is already.
    pub(crate) fn behind(signer: &Signer, folder: &Path) -> Self {
        let url = url(folder);
        let broker = format!("sqlite://{}", folder.join("broker.db").display());
        let variables = [
            ("DATABASE_URL", url.as_str()),
            ("GATEWAY_PROOF_KEYS", signer.jwks()),
            ("BROKER_URL", &broker),
        ];
        Self { process: Process::serving(BINARY, &variables).unwrap(), signer: signer.clone() }
    }

    pub(crate) fn ask(&self, method: &str, target: &str, body: &Value) -> Answer {
        let headers = self.signer.gateway(method, target, Some(MEMBER));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.process.request(method, target, &headers, &body).unwrap()
    }

    /// Sends a request and does not wait for the answer.
    pub(crate) fn send(&self, method: &str, target: &str, body: &Value) -> TcpStream {
        let headers = self.signer.gateway(method, target, Some(MEMBER));
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        let body = body.to_string();
        let length = body.len();
        let text = format!(
            "{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        );
        self.process.send(&text).unwrap()
    }

    /// Asks for what must be there.
    #[track_caller]
    pub(crate) fn payload(&self, target: &str) -> Value {
        let answer = self.ask("GET", target, &Value::Null);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text);
        answer.json["payload"].clone()
    }

    /// Changes what must be possible to change; what it answers with.
    #[track_caller]
    pub(crate) fn change(&self, method: &str, target: &str, body: &Value, status: u16) -> Value {
        let answer = self.ask(method, target, body);
        assert_eq!(answer.status.as_u16(), status, "{method} {target}: {}", answer.text);
        answer.json["payload"].clone()
    }
}

/// Where a planner keeps its data in a folder.
pub(crate) fn url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("planner.db").display())
}
