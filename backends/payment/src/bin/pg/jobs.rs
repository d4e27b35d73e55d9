//! Work that goes on when the client who asked for it has hung up.

use std::future::Future;
use std::pin::Pin;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use service::problem::Problem;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::Instrument;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes work over; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Jobs(mpsc::UnboundedSender<Job>);

/// Does the work.
pub(crate) struct Workshop(mpsc::UnboundedReceiver<Job>);

/// It is being shut down.
#[derive(Debug, thiserror::Error)]
#[error("the work was not finished")]
struct Unfinished;

/// Somebody to take work over, and somebody to do it.
pub(crate) fn open() -> (Jobs, Workshop) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Jobs(sender), Workshop(receiver))
}

impl Workshop {
    /// Works until nobody is left to bring more.
    pub(crate) async fn run(mut self) {
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                job = self.0.recv() => match job {
                    Some(job) => drop(running.spawn(job)),
                    None => break,
                },
                Some(_) = running.join_next() => {}
            }
        }
    }
}

/// Lets a request be answered to its end although nobody may be left to hear it: a real payment
/// gateway does not stop halfway because a connection is gone.
pub(crate) async fn finish(
    State(jobs): State<Jobs>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (tell, told) = oneshot::channel();
    let work = async move {
        // The client may have gone.
        drop(tell.send(next.run(request).await));
    };
    let job = Box::pin(work.in_current_span());
    jobs.0.send(job).map_err(|_| Problem::internal(Unfinished))?;
    told.await.map_err(|_| Problem::internal(Unfinished))
}
