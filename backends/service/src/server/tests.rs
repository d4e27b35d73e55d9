use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use utoipa::openapi::OpenApi;

use super::*;
use crate::app::{Registry, Shared};
use crate::clock::Clock;
use crate::database::{Database, DatabaseUrl};

const LONG: Duration = Duration::from_mins(1);

/// What a handler that waits tells and is told.
#[derive(Debug, Clone, Default)]
struct Slow {
    entered: Arc<Notify>,
    released: Arc<Notify>,
}

async fn wait(State(slow): State<Slow>) -> &'static str {
    slow.entered.notify_one();
    slow.released.notified().await;
    "finished"
}

/// Serves with one request in flight while `during` sends stops; how it ended, and that answer.
async fn check(
    drain: Duration,
    during: impl AsyncFnOnce(SocketAddr, Slow, mpsc::Sender<()>),
) -> (End, String) {
    let folder = TempDir::new().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
    let database = Database::open(&url, &[]).await.unwrap();
    let slow = Slow::default();
    let routes = Router::new().route("/slow", get(wait)).with_state(slow.clone());
    let shared = Shared { database, clock: Clock::system(), registry: Registry::new() };
    let app = App::new(routes, &OpenApi::default(), shared).unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, mut stops) = mpsc::channel(2);
    // A closed channel is no signal.
    let told = async || {
        if stops.recv().await.is_none() {
            pending::<()>().await;
        }
    };
    let client = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        slow.entered.notified().await;
        during(address, slow.clone(), stop).await;
        let mut answer = String::new();
        // A connection that is cut has nothing to read, which is what some tests expect.
        drop(stream.read_to_string(&mut answer).await);
        answer
    };
    tokio::join!(serve_until(listener, app, drain, told), client)
}

#[tokio::test]
async fn an_open_request_is_answered_before_the_end() {
    let (end, answer) = check(LONG, async |address, slow, stop| {
        stop.send(()).await.unwrap();
        // Closed for new connections at once.
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        slow.released.notify_one();
    })
    .await;
    assert_eq!(end, End::Drained);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("finished"), "{answer}");
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off() {
    let drain = Duration::from_millis(20);
    let (end, answer) = check(drain, async |_, _, stop| stop.send(()).await.unwrap()).await;
    assert_eq!((end, answer.as_str()), (End::Expired, ""));
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let (end, answer) = check(LONG, async |_, _, stop| {
        stop.send(()).await.unwrap();
        stop.send(()).await.unwrap();
    })
    .await;
    assert_eq!((end, answer.as_str()), (End::ToldTwice, ""));
}

#[tokio::test]
async fn an_address_in_use_is_told_with_what_to_do() {
    let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = first.local_addr().unwrap();
    let error = bind(address).await.unwrap_err();
    let text = "is in use; stop the process that listens there or set LISTEN to a free address";
    assert_eq!(error.to_string(), format!("{address} {text}"));
}
