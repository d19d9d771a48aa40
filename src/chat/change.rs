//! A message becomes something else: stored, answered, then told to all who may see it.
//!
//! Telling a change again does no harm, for an event is a state with a revision. So a repeat that
//! changes nothing is told, too: who did it first may have gone before telling.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Service;
use super::limits::LOG_OVERLAP;
use super::roster::Roster;
use crate::bus::To;
use crate::error::{Error, Reason, Result};
use crate::model::{Chat, ChatId, Message, Seq, UserId};
use crate::proto::{self, event::Event, node};
use crate::store;
use crate::trace;
use crate::wire::{self, Told};

/// How long it is tried to find out whom to tell.
const TELL_WITHIN: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(1);

/// The message is deleted, or none of anybody's.
pub(super) fn check_changeable(message: &Message) -> Result<()> {
    let why = if message.note.is_some() {
        "a system note cannot be changed"
    } else if message.deleted_at.is_some() {
        "the message is deleted"
    } else {
        return Ok(());
    };
    Err(Error::new(Reason::MessageNotChangeable, why))
}

impl Service {
    /// Stores a change of one message, answers, and tells. Goes on when who asked has gone: what
    /// is stored is told.
    pub(super) async fn change(
        self: &Arc<Self>,
        chat: &Chat,
        write: impl Future<Output = Result<Message>> + Send + 'static,
        events: impl FnOnce(&Message) -> Vec<Event> + Send + 'static,
    ) -> Result<Message> {
        let (answer, outcome) = oneshot::channel();
        let (service, chat) = (Arc::clone(self), chat.clone());
        self.tasks.spawn(trace::carry(async move {
            let written = write.await;
            let tell = written.as_ref().ok().map(|message| (message.seq, events(message)));
            // Who asked may have gone.
            drop(answer.send(written));
            if let Some((seq, events)) = tell {
                trace::step("tell", service.tell_members(&chat, seq, events)).await;
            }
        }));
        outcome.await.unwrap_or_else(|_| Err(Error::internal("a change ended without an answer")))
    }

    /// Does something that is to be done to its end, also when who asked has gone.
    pub(super) async fn carry_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (answer, outcome) = oneshot::channel();
        // Who asked may have gone.
        self.tasks.spawn(trace::carry(async move { drop(answer.send(work.await)) }));
        outcome.await.unwrap_or_else(|_| Err(Error::internal("work ended without an answer")))
    }

    /// One message as `user` sees it now.
    pub(super) async fn show_message(
        &self,
        user: &UserId,
        chat: &Chat,
        message: Message,
    ) -> Result<proto::Message> {
        let shown = self.show_messages(user, chat, &[message]).await?;
        shown.into_iter().next().ok_or_else(Error::message_not_found)
    }

    /// Tells the sessions of all members who may see this message, on all nodes, one event after
    /// the other. Of large chats each node looks up by itself who they are.
    pub(super) async fn tell_members(self: &Arc<Self>, chat: &Chat, seq: Seq, events: Vec<Event>) {
        let began = Instant::now();
        let roster = loop {
            match self.members_since(chat.id, chat.revision).await {
                Ok(Some(roster)) => break roster,
                Ok(None) => return,
                Err(error) if began.elapsed() < TELL_WITHIN => {
                    tracing::debug!(%error, "a change is told later");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "a change is not told: the store cannot be read");
                    return;
                }
            }
        };
        for event in events {
            if roster.has_receipts() {
                self.tell_users(&who_see(&roster, seq), event).await;
                continue;
            }
            self.tell_here(&roster, seq, &event);
            if self.bus.has_peers() {
                let tell = node::TellMembers {
                    chat_id: chat.id.to_string(),
                    chat_revision: roster.chat.revision,
                    seq,
                    event: Some(proto::Event { event: Some(event) }),
                };
                self.publish(To::All, node::envelope::Body::TellMembers(tell));
            }
        }
    }

    /// Another node tells the members of a large chat.
    pub(super) fn hear_members_event(self: &Arc<Self>, tell: node::TellMembers) {
        let event = tell.event.and_then(|event| event.event);
        let (Some(chat), Some(event)) = (ChatId::parse(&tell.chat_id), event) else { return };
        if self.hub.is_empty() {
            return;
        }
        let service = Arc::clone(self);
        self.run(async move {
            match service.members_since(chat, tell.chat_revision).await {
                Ok(Some(roster)) => service.tell_here(&roster, tell.seq, &event),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot read whom a change concerns; comparing later");
                    service.lost_for_a_while(service.clock.now().minus(LOG_OVERLAP));
                }
            }
        });
    }

    fn tell_here(&self, roster: &Roster, seq: Seq, event: &Event) {
        let told = Arc::new(Told::Change(wire::event_frame(event.clone())));
        self.hub.each(&who_see(roster, seq), |listener| listener.tell(&told));
    }

    /// The members of a chat, as of this revision of it or later: who was removed by then is not
    /// among them.
    async fn members_since(
        &self,
        chat: ChatId,
        revision: u32,
    ) -> store::Result<Option<Arc<Roster>>> {
        match self.rosters.get(chat).await? {
            Some(roster) if roster.chat.revision < revision => self.rosters.load(chat).await,
            roster => Ok(roster),
        }
    }
}

fn who_see(roster: &Roster, seq: Seq) -> Vec<UserId> {
    let seats = roster.seats().iter().filter(|seat| seat.visible_from <= seq);
    seats.map(|seat| seat.user.clone()).collect()
}
