//! Work that some node must do, and readers of the log that take turns.
//!
//! A job is noted once and done at least once, by whichever node takes it; a turn lets one node
//! at a time read the log on from where the last one came to. Both outlive any node.

use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;
use crate::model::{MessageId, NodeId};

/// How long the id of a finished job is remembered, so that noting it again does nothing.
pub const JOBS_REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// Jobs that are told apart when they are counted: beyond this it is this many or more.
pub const JOBS_COUNTED: u32 = 100_000;

/// Work to be noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Names the work, whoever notes it; at most 200 bytes.
    pub id: String,
    /// What to do; only who put it there reads it.
    pub body: Vec<u8>,
}

/// Work that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// As it was noted.
    pub id: String,
    /// As it was noted.
    pub body: Vec<u8>,
    /// How often it was put off.
    pub attempts: u32,
    /// When it was noted, by the store's clock.
    pub noted_at: Timestamp,
}

/// Work that some node must do. All times are by the store's clock.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Notes work in a queue; it is due at once. One whose id the queue knows, waiting or finished
    /// less than [`JOBS_REMEMBERED`] ago, stays as it is.
    async fn put_jobs(&self, queue: &str, jobs: Vec<NewJob>) -> Result<()>;

    /// Notes one job as [`Self::put_jobs`] does, but it is due after this long.
    async fn put_job_later(&self, queue: &str, job: NewJob, after: Duration) -> Result<()>;

    /// Takes work of a queue that is due, the longest due first, at most `limit`. Until `lease` is
    /// over nobody else gets it; then, unless it was finished or put off, whoever asks.
    async fn take_jobs(&self, queue: &str, lease: Duration, limit: u32) -> Result<Vec<Job>>;

    /// The work is done: its body is gone, and it is not given again. Ids that are not known do
    /// no harm.
    async fn finish_jobs(&self, queue: &str, ids: &[String]) -> Result<()>;

    /// The work was tried in vain: it is due again after this long. One that is finished stays so.
    async fn put_off_job(&self, queue: &str, id: &str, after: Duration) -> Result<()>;

    /// Work of a queue whose id begins so is due at once, if it is not finished. What somebody has
    /// taken may be given to another as well.
    async fn put_jobs_forward(&self, queue: &str, prefix: &str) -> Result<()>;

    /// How much work of a queue is not finished, due or not; stops at [`JOBS_COUNTED`].
    async fn count_jobs(&self, queue: &str) -> Result<u32>;

    /// Takes the turn of this name for this long, or keeps it; answers how far the log was read
    /// in it, at first up to `start`. `None`: another one has it.
    async fn take_turn(
        &self,
        name: &str,
        holder: &NodeId,
        lease: Duration,
        start: MessageId,
    ) -> Result<Option<MessageId>>;

    /// Notes how far the log was read; `false`: the turn is another's now, and nothing was noted.
    async fn move_turn(&self, name: &str, holder: &NodeId, to: MessageId) -> Result<bool>;
}
