//! Who hears of a change: members by its note, which each node hands on after the chat as it now
//! is (see [`feed`](crate::chat::feed)); who went, by a word of their own and nothing after it.
//!
//! A node that dies between a change and its note leaves the chat untold: whoever loads such a
//! chat has the note written, and told.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::chat::Service;
use crate::chat::limits::{GONE_AT_ONCE, MAX_RECEIPT_MEMBERS, UNTOLD_QUEUE};
use crate::chat::view::removed_event;
use crate::error::Result;
use crate::model::{Chat, ChatId, Message, NoteKind, UserId};
use crate::webhook::{Event as Happened, Kind};

/// Chats that were found untold.
pub(in crate::chat) struct Untold {
    queue: mpsc::Sender<ChatId>,
    waiting: Mutex<HashSet<ChatId>>,
}

/// The end that the telling task holds.
pub(in crate::chat) struct Found(mpsc::Receiver<ChatId>);

impl Untold {
    /// None yet.
    pub(in crate::chat) fn new() -> (Self, Found) {
        let (queue, found) = mpsc::channel(UNTOLD_QUEUE);
        (Self { queue, waiting: Mutex::default() }, Found(found))
    }
}

impl Service {
    pub(super) async fn tell_of_change(
        self: &Arc<Self>,
        chat: &Chat,
        notes: &[Message],
        gone: &[UserId],
    ) {
        // What was known of the members is out of date before anybody is told.
        for note in notes {
            self.rosters.note(chat.id, note.seq);
        }
        self.tell_gone(chat.id, chat.revision, gone).await;
        if chat.deleted_at.is_some() {
            self.rosters.forget(chat.id);
            self.tell_product(chat, &[]);
            return;
        }
        match self.rosters.get(chat.id).await {
            Ok(Some(roster)) => self.tell_product(chat, &roster.users()),
            // It was deleted since, and that is told.
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the product is not told of a change"),
        }
        for note in notes {
            self.tell_of_message(note).await;
        }
    }

    fn tell_product(&self, chat: &Chat, members: &[UserId]) {
        let event = || Happened::chat_updated(chat, members, self.clock.now());
        self.webhooks.note(Kind::ChatUpdated, event);
    }

    async fn tell_gone(self: &Arc<Self>, chat: ChatId, revision: u32, gone: &[UserId]) {
        for user in gone {
            self.typing_ends(chat, user);
            self.pushes.read(chat, user, None);
        }
        if gone.len() <= MAX_RECEIPT_MEMBERS {
            self.see_notices_soon(gone.to_vec());
        }
        for some in gone.chunks(GONE_AT_ONCE) {
            self.tell_users(some, removed_event(chat, revision)).await;
        }
    }

    /// Has a chat's note told if it was left behind.
    pub(in crate::chat) fn mind_untold(&self, chat: &Chat) {
        if chat.untold && self.untold.waiting.lock().insert(chat.id) {
            let queued = self.untold.queue.try_send(chat.id);
            if queued.is_err() {
                // Who loads it next tries again.
                self.untold.waiting.lock().remove(&chat.id);
            }
        }
    }

    /// Tells what was left behind.
    pub(in crate::chat) async fn tell_untold(self: Arc<Self>, found: Found) {
        let mut found = found.0;
        while let Some(chat) = found.recv().await {
            if let Err(error) = self.tell_late(chat).await {
                tracing::warn!(%chat, %error, "a change of a group stays untold for now");
            }
            self.untold.waiting.lock().remove(&chat);
        }
    }

    async fn tell_late(self: &Arc<Self>, chat: ChatId) -> Result<()> {
        for note in self.store.tell_changes(chat).await? {
            tracing::info!(%chat, seq = note.seq, "told of a change that was left behind");
            self.rosters.note(chat, note.seq);
            for user in gone_by(&note) {
                let place = self.store.member(chat, user).await?;
                // Who has come back hears of that.
                if let Some(place) = place.filter(|place| place.left_at.is_some()) {
                    let user = std::slice::from_ref(&place.user);
                    self.tell_gone(chat, place.left_revision, user).await;
                }
            }
            self.tell_of_message(&note).await;
        }
        if let Some(roster) = self.rosters.get(chat).await? {
            self.tell_product(&roster.chat, &roster.users());
        }
        Ok(())
    }
}

/// Who went, as a note tells it.
fn gone_by(note: &Message) -> Vec<&UserId> {
    match &note.note {
        Some(note) if note.kind == NoteKind::MembersRemoved => note.users.iter().collect(),
        Some(note) if note.kind == NoteKind::MemberLeft => note.actor.iter().collect(),
        _ => Vec::new(),
    }
}
