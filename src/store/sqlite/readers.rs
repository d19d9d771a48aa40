//! The threads that read, each with a connection of its own.
//!
//! A read is one transaction, begun after the call: it sees all that any call has answered, and
//! nothing that comes while it runs.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::READS_WAITING;
use super::queue::{self, Queue};
use crate::store::{Result, StoreError};
use crate::vital::{Vital, caught};

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The near end of the reader threads.
pub(super) struct Readers(Queue<Job>);

impl Readers {
    /// Starts a thread for each connection.
    pub(super) fn start(
        connections: Vec<Connection>,
        vital: &Vital,
    ) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (sender, jobs) = sync_channel::<Job>(READS_WAITING);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::new();
        for db in connections {
            let jobs = jobs.clone();
            threads.push(vital.thread("sqlite-reader", move || {
                while let Some(job) = next(&jobs) {
                    job(&db);
                }
            })?);
        }
        Ok((Self(Queue::new(sender)), threads))
    }

    /// Reads, in one transaction.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (to, from) = oneshot::channel();
        let job = move |db: &Connection| {
            if !to.is_closed() {
                // Who asked may have gone meanwhile: a read leaves nothing behind.
                let read = caught(|| snapshot(db, read));
                drop(to.send(read.unwrap_or_else(|panic| Err(StoreError::Broken(panic.into())))));
            }
        };
        let pushed = self.0.push(Box::new(job));
        queue::outcome(pushed.map(|()| from)).await
    }

    /// Takes no more reads; the threads end when those they have are done.
    pub(super) fn close(&self) {
        self.0.close();
    }
}

fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    jobs.lock().recv().ok()
}

fn snapshot<T>(
    db: &Connection,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    let transaction = db.unchecked_transaction()?;
    let answer = read(db)?;
    transaction.commit()?;
    Ok(answer)
}
