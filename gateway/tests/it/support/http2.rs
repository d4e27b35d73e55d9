//! An HTTP/2 client with prior knowledge.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Answer, DEADLINE};

/// One HTTP/2 connection.
pub(crate) struct Http2 {
    runtime: Runtime,
    sender: SendRequest<Bytes>,
    _connection: JoinSet<()>,
}

impl Http2 {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (sender, connection) = runtime.block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            let (sender, connection) = client::handshake(stream).await.unwrap();
            let mut tasks = JoinSet::new();
            tasks.spawn(async move { drop(connection.await) });
            (sender, tasks)
        });
        Self { runtime, sender, _connection: connection }
    }

    /// Sends a request and reads its answer.
    #[track_caller]
    pub(crate) fn send(&mut self, request: Request<&'static str>) -> Answer {
        let sender = self.sender.clone();
        let exchange = async {
            let mut sender = sender.ready().await.unwrap();
            let (parts, body) = request.into_parts();
            let request = Request::from_parts(parts, ());
            let (response, mut stream) = sender.send_request(request, body.is_empty()).unwrap();
            if !body.is_empty() {
                stream.send_data(Bytes::from_static(body.as_bytes()), true).unwrap();
            }
            read(response.await.unwrap()).await
        };
        self.runtime.block_on(async { timeout(DEADLINE, exchange).await }).unwrap()
    }
}

async fn read(response: Response<h2::RecvStream>) -> Answer {
    let (parts, mut stream) = response.into_parts();
    let mut body = Vec::new();
    while let Some(chunk) = stream.data().await {
        let chunk = chunk.unwrap();
        stream.flow_control().release_capacity(chunk.len()).unwrap();
        body.extend_from_slice(&chunk);
    }
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().map(line).collect(),
        body,
        interim: Vec::new(),
    }
}
