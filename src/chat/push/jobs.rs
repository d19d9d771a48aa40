//! Pushes that must be tried later: jobs, done by whichever node takes them.
//!
//! A job only says where to look again, so it holds no text, and what was read, acknowledged or
//! pushed meanwhile does not ring. What quiet hours hold back is one job a device: see `digest`.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::due::Due;
use super::ring::{Undone, Why};
use super::trail::Step;
use crate::chat::Service;
use crate::chat::limits::{PUSH_AGE, PUSH_JOB_LEASE, PUSH_JOBS};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::metrics::{self, Pushed};
use crate::model::{ChatId, DeviceId, Seq, UserId};
use crate::proto::DeliveryStepKind;
use crate::store::{Job, NewJob};

const QUEUE: &str = "push";
/// Without a sign of work it is looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The first pause after a failure, doubled each time, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What a job says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Task {
    Again(Again),
    Digest(Digest),
}

/// One message to one device.
#[derive(Debug, Serialize, Deserialize)]
struct Again {
    chat: String,
    seq: Seq,
    user: String,
    device: String,
}

impl Service {
    /// Notes that a push is to be tried again.
    pub(super) async fn put_off(&self, due: &Due, why: Why) -> Result<()> {
        let after = match why {
            Why::Claimed(after) => after,
            Why::Later(after) => after.unwrap_or_default().max(pause(0, rand::random())),
        };
        let job = NewJob { id: id(due), body: body(due)? };
        Ok(self.store.put_job_later(QUEUE, job, after).await?)
    }

    /// Notes that a push may ring then, with all else that is held back until then.
    pub(super) async fn hold(&self, due: &Due, until: Timestamp) -> Result<()> {
        self.put_digest(&Digest::new(due, until, self.pushes.push.hold())).await
    }

    pub(super) async fn put_digest(&self, digest: &Digest) -> Result<()> {
        let body = serde_json::to_vec(digest).map_err(Error::internal)?;
        let job = NewJob { id: digest.id(), body };
        let after = digest.until().since(self.clock.now());
        Ok(self.store.put_job_later(QUEUE, job, after).await?)
    }

    /// A user wants to be told otherwise than before: what quiet hours hold back is decided anew.
    pub(in crate::chat) async fn decide_anew(&self, user: &UserId) -> Result<()> {
        if !self.pushes.push.is_on() {
            return Ok(());
        }
        Ok(self.store.put_jobs_forward(QUEUE, &Digest::ids_of(user.as_str())).await?)
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
        let service = Arc::clone(self);
        // To its end, also when the node leaves: what it has taken nobody else gets for a while.
        self.carry_through(async move { service.take_some().await }).await
    }

    async fn take_some(self: &Arc<Self>) -> Result<usize> {
        let jobs = self.store.take_jobs(QUEUE, PUSH_JOB_LEASE, PUSH_JOBS).await?;
        let count = jobs.len();
        let (mut done, mut tasks) = (Vec::new(), tokio::task::JoinSet::new());
        for job in jobs {
            let service = Arc::clone(self);
            tasks.spawn(async move { (service.do_one(&job).await, job.id) });
        }
        while let Some(task) = tasks.join_next().await {
            match task {
                Ok((Ok(true), id)) => done.push(id),
                Ok((Ok(false), _)) => {}
                Ok((Err(_), id)) if self.stop.is_cancelled() => {
                    // Another goes on with it.
                    self.store.put_off_job(QUEUE, &id, Duration::ZERO).await?;
                }
                // Its lease ends, and it is tried again.
                Ok((Err(error), _)) => {
                    tracing::warn!(%error, "a push that was put off is not done");
                }
                Err(error) => tracing::error!(%error, "a push that was put off is not done"),
            }
        }
        self.store.finish_jobs(QUEUE, &done).await?;
        Ok(count)
    }

    /// Looks again; answers whether the job is done.
    async fn do_one(self: &Arc<Self>, job: &Job) -> Result<bool> {
        let (undone, since) = match serde_json::from_slice(&job.body) {
            Ok(Task::Again(again)) => (self.do_again(&again).await?, job.noted_at),
            Ok(Task::Digest(digest)) => return self.do_digest_job(job, &digest).await,
            Err(_) => return Ok(true),
        };
        let Some(after) = self.next_try(&undone, since, job.attempts).await else {
            return Ok(true);
        };
        self.store.put_off_job(QUEUE, &job.id, after).await?;
        Ok(false)
    }

    async fn do_digest_job(self: &Arc<Self>, job: &Job, digest: &Digest) -> Result<bool> {
        let user = digest.user();
        let wishes = self.preferences_revision(&user).await?;
        let (undone, stays) = self.do_digest(digest).await?;
        let since = job.noted_at.max(digest.until());
        let next = self.next_try(&undone, since, job.attempts).await;
        let Some(after) = next.into_iter().chain(stays).min() else {
            return Ok(true);
        };
        self.store.put_off_job(QUEUE, &job.id, after).await?;
        // It was put forward while it was decided by what was wished before.
        if self.preferences_revision(&user).await? != wishes {
            self.decide_anew(&user).await?;
        }
        Ok(false)
    }

    async fn preferences_revision(&self, user: &UserId) -> Result<u32> {
        let found = self.store.preferences(std::slice::from_ref(user)).await?;
        Ok(found.first().map_or(0, |(_, preferences)| preferences.revision))
    }

    async fn do_again(self: &Arc<Self>, again: &Again) -> Result<Vec<Undone>> {
        let Some(chat) = ChatId::parse(&again.chat) else { return Ok(Vec::new()) };
        let message = self.store.messages(&[(chat, again.seq)]).await?.pop();
        let Some(message) = message else { return Ok(Vec::new()) };
        let (user, device) = (UserId::new(&again.user), DeviceId::new(&again.device));
        let found = self.due_again(&Arc::new(message), &user, &device).await?;
        self.ring(found).await
    }

    /// When what is not done is tried again; what is tried since too long is given up. `None`:
    /// nothing is left.
    async fn next_try(
        &self,
        undone: &[Undone],
        since: Timestamp,
        attempts: u32,
    ) -> Option<Duration> {
        let mut next = None;
        for Undone { due, why } in undone {
            let after = match *why {
                Why::Claimed(after) => after,
                Why::Later(_) if self.clock.now().since(since) >= PUSH_AGE => {
                    self.give_up(due).await;
                    continue;
                }
                Why::Later(after) => after.unwrap_or_default().max(pause(attempts, rand::random())),
            };
            next = next.max(Some(after));
        }
        next
    }

    async fn give_up(&self, due: &Due) {
        metrics::pushes().of(Pushed::GivenUp).inc();
        let (user, device) = (&due.device.user, &due.device.id);
        tracing::error!(%user, %device, "a push is given up: the push service did not take it");
        let step = Step { kind: DeliveryStepKind::Suppressed, detail: "given_up", at: None };
        self.note_steps(&[self.step(due.message.id, (user, device), step)]).await;
    }
}

fn id(due: &Due) -> String {
    let (device, message) = (&due.device, &due.message);
    format!("{}|{}|{}|{}", message.chat, device.user, device.id, message.seq)
}

fn body(due: &Due) -> Result<Vec<u8>> {
    let again = Task::Again(Again {
        chat: due.message.chat.to_string(),
        seq: due.message.seq,
        user: due.device.user.to_string(),
        device: due.device.id.to_string(),
    });
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
