//! What goes for good: users, and what deleted groups leave behind.
//!
//! It is noted as a job of the store before any of it goes, and each step may be repeated: whatever
//! stops half-way, some node finishes it. Each step is bounded, however much there is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::Service;
use super::limits::{ERASE_AGAIN, ERASE_GIVEN_UP, ERASE_LEASE, ERASE_LOOK, ERASED_AGAIN};
use crate::error::Result;
use crate::model::{ChatId, UserId};
use crate::store::{self, Job, NewJob};

mod chat;
mod user;

pub use user::Fate;

/// In the store.
const QUEUE: &str = "erase";

/// What is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Erasure {
    /// A user, and what becomes of the messages.
    User(UserId, Fate),
    /// What the messages of a deleted chat carry.
    Chat(ChatId),
}

impl Erasure {
    fn body(&self) -> String {
        match self {
            Self::User(user, Fate::Keep) => format!("user keep {user}"),
            Self::User(user, Fate::Erase) => format!("user erase {user}"),
            Self::Chat(chat) => format!("chat {chat}"),
        }
    }

    fn read(body: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(body).ok()?.split(' ');
        let what = (words.next()?, words.next()?, words.next());
        if words.next().is_some() {
            return None;
        }
        match what {
            ("user", "keep", Some(user)) => Some(Self::User(UserId::parse(user)?, Fate::Keep)),
            ("user", "erase", Some(user)) => Some(Self::User(UserId::parse(user)?, Fate::Erase)),
            ("chat", chat, None) => Some(Self::Chat(ChatId::parse(chat)?)),
            _ => None,
        }
    }
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    All,
    /// It is not time yet.
    Later(Duration),
}

/// What this node knows of the work.
#[derive(Debug, Default)]
pub(super) struct Erasing {
    /// There is some.
    due: Notify,
}

impl Erasing {
    /// Something is due now.
    pub(super) fn wake(&self) {
        self.due.notify_one();
    }
}

impl Service {
    /// Notes what is to go; it is due after this long. Each time it is another job: the store
    /// remembers those that are finished.
    pub(super) async fn note_erasure(&self, what: &Erasure, after: Duration) -> store::Result<()> {
        let id = self.clock.new_id().to_string();
        let job = NewJob { id: id.clone(), body: what.body().into_bytes() };
        self.store.put_jobs(QUEUE, vec![job]).await?;
        if !after.is_zero() {
            // Who takes it before this does no harm.
            self.store.put_off_job(QUEUE, &id, after).await?;
        }
        Ok(())
    }

    /// Does what is due, for as long as the service runs.
    pub(super) async fn erase_what_is_due(self: Arc<Self>) {
        loop {
            match self.erase_one().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "cannot read what is to go; trying again"),
            }
            // Sooner, where there is reason to.
            let _sooner = timeout(ERASE_LOOK, self.erasing.due.notified()).await;
        }
    }

    /// Answers whether there was one.
    async fn erase_one(self: &Arc<Self>) -> store::Result<bool> {
        let Some(job) = self.store.take_jobs(QUEUE, ERASE_LEASE, 1).await?.pop() else {
            return Ok(false);
        };
        match self.erase_within(&job).await? {
            Ok(Done::All) => self.store.finish_jobs(QUEUE, &[job.id]).await?,
            Ok(Done::Later(after)) => self.store.put_off_job(QUEUE, &job.id, after).await?,
            Err(error) => {
                tracing::warn!(job = job.id, %error, "what is to go stays for now");
                self.store.put_off_job(QUEUE, &job.id, ERASE_AGAIN).await?;
            }
        }
        Ok(true)
    }

    /// Keeps the job for as long as it takes.
    async fn erase_within(self: &Arc<Self>, job: &Job) -> store::Result<Result<Done>> {
        let work = self.erase(job);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = sleep(ERASE_LEASE / 3) => {
                    self.store.put_off_job(QUEUE, &job.id, ERASE_LEASE).await?;
                }
            }
        }
    }

    async fn erase(self: &Arc<Self>, job: &Job) -> Result<Done> {
        match Erasure::read(&job.body) {
            Some(Erasure::User(user, fate)) => {
                self.erase_user(&user, fate).await?;
                Ok(Done::All)
            }
            Some(Erasure::Chat(chat)) if self.still_has(chat).await? => {
                // It is about to be deleted, or that came to nothing.
                let waited = self.clock.now().since(job.noted_at);
                let gave_up = waited > ERASE_GIVEN_UP;
                Ok(if gave_up { Done::All } else { Done::Later(ERASED_AGAIN) })
            }
            Some(Erasure::Chat(chat)) => {
                self.erase_chat(chat).await?;
                Ok(Done::All)
            }
            None => {
                tracing::error!(job = job.id, "what is to go cannot be read; it is dropped");
                Ok(Done::All)
            }
        }
    }

    async fn still_has(&self, chat: ChatId) -> store::Result<bool> {
        Ok(!self.store.chats(&[chat]).await?.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again() {
        let user = UserId::new("ann:1@x");
        for what in [
            Erasure::User(user.clone(), Fate::Keep),
            Erasure::User(user, Fate::Erase),
            Erasure::Chat(ChatId(uuid::Uuid::nil())),
        ] {
            assert_eq!(Erasure::read(what.body().as_bytes()), Some(what));
        }
        for odd in ["", "user", "user keep", "user drop ann", "chat x", "chat", "user keep a b"] {
            assert_eq!(Erasure::read(odd.as_bytes()), None, "{odd}");
        }
    }
}
