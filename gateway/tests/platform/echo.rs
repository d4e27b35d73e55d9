//! An upstream that answers each request with its head, as JSON, and does what it is told in
//! `X-Answer-…` headers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// Serves until the process ends.
#[derive(Debug)]
pub(crate) struct Echo {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Echo {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let into = Arc::clone(&into);
                thread::spawn(move || serve(stream, &into));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests whose target has this text.
    pub(crate) fn seen(&self, text: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        let has = |request: &&Value| request["target"].as_str().unwrap().contains(text);
        seen.iter().filter(has).cloned().collect()
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Value>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers: Vec<[String; 2]> = Vec::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            let (name, value) = (name.to_lowercase(), value.trim().to_owned());
            if name == "content-length" {
                length = value.parse().ok()?;
            }
            headers.push([name, value]);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8_lossy(&body).into_owned();
        let head = json!({ "method": method, "target": target, "headers": headers, "body": body });
        seen.lock().unwrap().push(head.clone());
        let told: Vec<&[String; 2]> =
            headers.iter().filter(|[name, _]| name.starts_with("answer-")).collect();
        let status = told.iter().find(|[name, _]| name == "answer-status");
        let status = status.map_or("200", |[_, status]| status.as_str());
        let more: String = told
            .iter()
            .filter_map(|[name, value]| {
                Some(format!("{}: {value}\r\n", name.strip_prefix("answer-")?))
            })
            .collect();
        let text = head.to_string();
        let length = text.len();
        write!(writer, "HTTP/1.1 {status} OK\r\n{more}Content-Length: {length}\r\n\r\n{text}")
            .ok()?;
    }
}
