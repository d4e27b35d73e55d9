//! What an upstream does with a request.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Holds answers back until a test opens it.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets everybody pass from now on.
    pub(crate) fn open(&self) {
        self.0.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    pub(crate) async fn pass(&self) {
        drop(self.0.acquire().await.unwrap());
    }
}

/// What an upstream does with a request, step by step.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Read the request's body to its end.
    ReadBody,
    /// A status line and header lines.
    Head(Vec<String>),
    Send(Vec<u8>),
    Wait(Gate),
    /// Send back whatever arrives until the client closes.
    Echo,
    /// Send this every few milliseconds for as long as the gateway takes it.
    Drip(Vec<u8>),
    /// Keep the connection and stay silent.
    Never,
    Close,
}

impl Reply {
    pub(crate) fn ok(body: &str) -> Self {
        Self::new(200, body)
    }

    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self::bytes(status, body.as_bytes())
    }

    pub(crate) fn bytes(status: u16, body: &[u8]) -> Self {
        let head =
            vec![format!("HTTP/1.1 {status} Reply"), format!("Content-Length: {}", body.len())];
        Self { steps: vec![Step::ReadBody, Step::Head(head), Step::Send(body.to_vec())] }
    }

    /// Each piece is a chunk of its own.
    pub(crate) fn chunked(pieces: &[&str]) -> Self {
        let head = vec!["HTTP/1.1 200 OK".to_owned(), "Transfer-Encoding: chunked".to_owned()];
        let mut steps = vec![Step::ReadBody, Step::Head(head)];
        let chunk = |piece: &&str| Step::Send(format!("{:x}\r\n{piece}\r\n", piece.len()).into());
        steps.extend(pieces.iter().map(chunk));
        steps.push(Step::Send(b"0\r\n\r\n".to_vec()));
        Self { steps }
    }

    /// Reads the request and does nothing yet.
    pub(crate) fn nothing() -> Self {
        Self { steps: vec![Step::ReadBody] }
    }

    /// Does not wait for the request's body.
    pub(crate) fn at_once() -> Self {
        Self { steps: Vec::new() }
    }

    /// Exactly these bytes.
    pub(crate) fn raw(text: &str) -> Self {
        Self::nothing().send(text)
    }

    /// Adds a line to the head.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        for step in &mut self.steps {
            if let Step::Head(lines) = step {
                lines.push(format!("{name}: {value}"));
            }
        }
        self
    }

    pub(crate) fn send(self, text: &str) -> Self {
        self.then(Step::Send(text.into()))
    }

    pub(crate) fn then_read(self) -> Self {
        self.then(Step::ReadBody)
    }

    pub(crate) fn wait(self, gate: &Gate) -> Self {
        self.then(Step::Wait(gate.clone()))
    }

    pub(crate) fn echo(self) -> Self {
        self.then(Step::Echo)
    }

    pub(crate) fn drip(self, text: &str) -> Self {
        self.then(Step::Drip(text.into()))
    }

    pub(crate) fn never(self) -> Self {
        self.then(Step::Never)
    }

    pub(crate) fn close(self) -> Self {
        self.then(Step::Close)
    }

    /// Does nothing of all that before the gate opens.
    pub(crate) fn after(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Wait(gate.clone()));
        self
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}
