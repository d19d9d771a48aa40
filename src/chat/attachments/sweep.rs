//! What is due is looked after: uploads that were never finished, files that no message took,
//! claims whose message never came, files of deleted messages, previews that were not made.
//!
//! What is due is taken with a lease, and each step may be done twice, or be stopped before the
//! next: two nodes do no harm to each other, and a node that stops leaves its work to another.

use std::sync::Arc;

use tokio::time::timeout;

use super::Service;
use crate::chat::limits::{FILE_SWEEP, FILE_SWEEP_LEASE, FILE_SWEEP_PAGE, ORPHAN_AGE};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::metrics::{self, Went};
use crate::model::AttachmentId;
use crate::store::{File, Settled};

impl Service {
    /// Looks after files for as long as the service runs, from its start on.
    pub(in crate::chat) async fn look_after_files(self: Arc<Self>) {
        loop {
            if self.settings.attachments.is_some() {
                let swept = self.sweep_files().await;
                metrics::file_sweeps().of(Went::of(&swept)).inc();
                if let Err(error) = swept {
                    tracing::warn!(%error, "files that are due are looked after later");
                }
            }
            // Sooner, where there is reason to.
            let _sooner = timeout(FILE_SWEEP, self.attachments.due.notified()).await;
        }
    }

    async fn sweep_files(self: &Arc<Self>) -> Result<()> {
        loop {
            let now = self.clock.now();
            let again = now.plus(FILE_SWEEP_LEASE);
            let due = self.store.due_files(now, again, FILE_SWEEP_PAGE).await?;
            let full = due.len() >= FILE_SWEEP_PAGE as usize;
            for file in due {
                if let Err(error) = self.look_after(&file, now).await {
                    let id = file.attachment.id;
                    tracing::warn!(%error, file = %id, "a file that is due is looked after later");
                }
            }
            if !full {
                return Ok(());
            }
        }
    }

    async fn look_after(self: &Arc<Self>, file: &File, now: Timestamp) -> Result<()> {
        let id = file.attachment.id;
        let seen = file.claim.as_ref().map(|claim| claim.since);
        match self.fate(file, now).await? {
            Settled::Doomed => self.remove(id, seen).await?,
            settled => {
                self.store.settle_file(id, seen, settled).await?;
                if file.wants_preview {
                    self.make_preview(id).await?;
                }
            }
        }
        Ok(())
    }

    /// What becomes of a file.
    async fn fate(&self, file: &File, now: Timestamp) -> Result<Settled> {
        if file.doomed || file.body.is_none() {
            return Ok(Settled::Doomed);
        }
        if let Some(claim) = &file.claim {
            let sent = self.store.by_client_id(claim.chat, &file.owner, &claim.client_message_id);
            match sent.await? {
                // Also where the claim was given back too early: the message has the last word.
                Some(sent) if sent.attachments.iter().any(|of| of.id == file.attachment.id) => {
                    return Ok(Settled::Taken);
                }
                Some(sent) if claim.held && sent.deleted_at.is_some() => {
                    return Ok(Settled::Doomed);
                }
                _ => {}
            }
        }
        let goes_at = file.attachment.id.time().plus(ORPHAN_AGE);
        let claimed = file.claim.as_ref().is_some_and(|claim| claim.held);
        // One that was given back just now has a while to be sent again.
        let goes_at = if claimed { goes_at.max(now.plus(FILE_SWEEP_LEASE)) } else { goes_at };
        Ok(if goes_at > now { Settled::Free(goes_at) } else { Settled::Doomed })
    }

    /// Takes away a file whose claim is as it was seen: first nobody gets it any more, then its
    /// bytes go, then what is known of it.
    async fn remove(&self, id: AttachmentId, seen: Option<Timestamp>) -> Result<()> {
        if !self.store.settle_file(id, seen, Settled::Doomed).await? {
            let file = self.store.files(&[id]).await?.pop();
            if !file.is_some_and(|file| file.doomed) {
                return Ok(());
            }
        }
        self.depot()?.remove(id.0).await?;
        self.store.forget_file(id).await?;
        metrics::files_removed().inc();
        Ok(())
    }

    /// Takes away an upload that was refused or cut, or whose user goes; what cannot be done now
    /// is done later.
    pub(in crate::chat) async fn let_go(&self, id: AttachmentId, seen: Option<Timestamp>) {
        let removed: Result<(), Error> = self.remove(id, seen).await;
        if let Err(error) = removed {
            tracing::warn!(%error, file = %id, "an upload that ended is taken away later");
            drop(self.store.make_due(&[id], self.clock.now()).await);
        }
    }
}
