//! Pushes that must be tried later: jobs, done by whichever node takes them.
//!
//! A job only says where to look again, so it holds no text, and what was read, acknowledged or
//! pushed meanwhile does not ring.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::due::Due;
use super::ring::Why;
use crate::chat::Service;
use crate::chat::limits::{PUSH_AGE, PUSH_JOB_LEASE, PUSH_JOBS};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::metrics::{self, Pushed};
use crate::model::{ChatId, DeviceId, Message, Seq, UserId};
use crate::proto::DeliveryStepKind;
use crate::store::{Job, NewJob, Trace};

const QUEUE: &str = "push";
/// Without a sign of work it is looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The first pause after a failure, doubled each time, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What a job says.
#[derive(Debug, Serialize, Deserialize)]
struct Again {
    chat: String,
    seq: Seq,
    user: String,
    device: String,
    /// Not before then: it does not count as tried since before.
    #[serde(default)]
    held_until: i64,
}

impl Service {
    /// Notes that a push is to be tried again.
    pub(super) async fn put_off(&self, due: &Due, why: Why) -> Result<()> {
        let after = match why {
            Why::Claimed(after) => after,
            Why::Later(after) => after.unwrap_or_default().max(pause(0, rand::random())),
        };
        let job = NewJob { id: id(due), body: body(due, Timestamp::default())? };
        Ok(self.store.put_job_later(QUEUE, job, after).await?)
    }

    /// Notes that a push may ring then.
    pub(super) async fn hold(&self, due: &Due, until: Timestamp) -> Result<()> {
        let job = NewJob { id: format!("{}|{}", id(due), until.0), body: body(due, until)? };
        let after = until.since(self.clock.now());
        Ok(self.store.put_job_later(QUEUE, job, after).await?)
    }

    /// Does jobs as they fall due.
    pub(super) async fn do_push_jobs(self: Arc<Self>) {
        loop {
            match self.do_some().await {
                Ok(0) => tokio::time::sleep(LOOK_EVERY).await,
                // There may be more.
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot do pushes that were put off; trying again");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    async fn do_some(self: &Arc<Self>) -> Result<usize> {
        let jobs = self.store.take_jobs(QUEUE, PUSH_JOB_LEASE, PUSH_JOBS).await?;
        let count = jobs.len();
        let (mut done, mut tasks) = (Vec::new(), tokio::task::JoinSet::new());
        for job in jobs {
            let service = Arc::clone(self);
            tasks.spawn(async move { service.do_one(job).await });
        }
        while let Some(task) = tasks.join_next().await {
            match task {
                Ok(Ok(Some(id))) => done.push(id),
                Ok(Ok(None)) => {}
                // Its lease ends, and it is tried again.
                Ok(Err(error)) => tracing::warn!(%error, "a push that was put off is not done"),
                Err(error) => tracing::error!(%error, "a push that was put off is not done"),
            }
        }
        self.store.finish_jobs(QUEUE, &done).await?;
        Ok(count)
    }

    /// Looks again; answers the job if it is done.
    async fn do_one(self: &Arc<Self>, job: Job) -> Result<Option<String>> {
        let Some((again, message)) = self.read_job(&job).await? else { return Ok(Some(job.id)) };
        let (user, device) = (UserId::new(&again.user), DeviceId::new(&again.device));
        let found = self.due_again(&message, &user, &device).await?;
        for (due, until) in found.held {
            self.hold(&due, until).await?;
        }
        let Some(undone) = self.ring(found.due).await?.pop() else { return Ok(Some(job.id)) };
        let since = job.noted_at.max(Timestamp(again.held_until));
        let after = match undone.why {
            Why::Claimed(after) => after,
            Why::Later(_) if self.clock.now().since(since) >= PUSH_AGE => {
                self.give_up(&undone.due).await;
                return Ok(Some(job.id));
            }
            Why::Later(after) => after.unwrap_or_default().max(pause(job.attempts, rand::random())),
        };
        self.store.put_off_job(QUEUE, &job.id, after).await?;
        Ok(None)
    }

    async fn read_job(&self, job: &Job) -> Result<Option<(Again, Arc<Message>)>> {
        let Ok(again) = serde_json::from_slice::<Again>(&job.body) else { return Ok(None) };
        let Some(chat) = ChatId::parse(&again.chat) else { return Ok(None) };
        let message = self.store.messages(&[(chat, again.seq)]).await?.pop();
        Ok(message.map(|message| (again, Arc::new(message))))
    }

    async fn give_up(&self, due: &Due) {
        metrics::pushes().of(Pushed::GivenUp).inc();
        let (user, device) = (&due.device.user, &due.device.id);
        tracing::error!(%user, %device, "a push is given up: the push service did not take it");
        let trace = Trace {
            message: due.message.id,
            user: user.clone(),
            device: Some(device.clone()),
            step: DeliveryStepKind::Suppressed.into(),
            detail: "given up".to_owned(),
        };
        if let Err(error) = self.store.note_trail(&[trace]).await {
            tracing::warn!(%error, "cannot note what became of a push");
        }
    }
}

fn id(due: &Due) -> String {
    let (device, message) = (&due.device, &due.message);
    format!("{}|{}|{}|{}", message.chat, device.user, device.id, message.seq)
}

fn body(due: &Due, until: Timestamp) -> Result<Vec<u8>> {
    let again = Again {
        chat: due.message.chat.to_string(),
        seq: due.message.seq,
        user: due.device.user.to_string(),
        device: due.device.id.to_string(),
        held_until: until.0,
    };
    serde_json::to_vec(&again).map_err(Error::internal)
}

/// Exponential, at random from the upper half. `chance` is from 0 to 1.
fn pause(attempts: u32, chance: f64) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempts.min(20)));
    pause.min(LONGEST_PAUSE).mul_f64(0.5 + 0.5 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_five_minutes() {
        assert_eq!(pause(0, 1.0), FIRST_PAUSE);
        assert_eq!(pause(3, 0.0), Duration::from_secs(8));
        assert_eq!(pause(u32::MAX, 1.0), LONGEST_PAUSE);
    }
}
