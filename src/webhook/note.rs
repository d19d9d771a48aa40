//! What happened becomes jobs, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Event, Shared};
use crate::metrics::{self, Hook};
use crate::store::NewJob;

/// Events that are noted together.
const TOGETHER: usize = 256;
/// After so long it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Notes what comes, until all is to stop and nothing is left.
pub(super) async fn run(shared: Arc<Shared>, mut events: mpsc::Receiver<Event>) {
    let mut some = Vec::with_capacity(TOGETHER);
    loop {
        tokio::select! {
            biased;
            count = events.recv_many(&mut some, TOGETHER) => {
                if count == 0 {
                    return;
                }
            }
            // Nothing is waiting.
            () = shared.stop.cancelled() => return,
        }
        let jobs: Vec<NewJob> = some.drain(..).map(|event| event.job()).collect();
        while !put(&shared, &jobs).await {
            if !shared.pause(AGAIN).await {
                // The log has the messages; the rest is lost, and counted.
                metrics::webhooks().of(Hook::Dropped).add(jobs.len() as u64);
                return;
            }
        }
    }
}

/// Notes the jobs for each endpoint; `false`: the store is away.
pub(super) async fn put(shared: &Shared, jobs: &[NewJob]) -> bool {
    for endpoint in 0..shared.options.urls.len() {
        let noted = shared.store.put_jobs(&shared.queue(endpoint), jobs.to_vec()).await;
        if let Err(error) = noted {
            tracing::warn!(%error, "cannot note what webhooks are to tell; trying again");
            return false;
        }
    }
    shared.work.notify_waiters();
    true
}
