//! Who hears of receipts that were written.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Left;
use super::flush::AGAIN;
use crate::chat::Service;
use crate::model::{ChatId, ChatKind, Run, SeqSet, SessionId, UserId};
use crate::proto;
use crate::store;
use crate::webhook::{Event as Happened, Kind};
use crate::wire;

/// How long it is tried to find out whom to tell.
const TELL_WITHIN: Duration = Duration::from_secs(60);

/// What was written for one member.
pub(super) struct Written {
    pub(super) chat: ChatId,
    pub(super) user: UserId,
    pub(super) large: bool,
    pub(super) session: Option<SessionId>,
    pub(super) new_delivered: Vec<Run>,
    pub(super) new_read: Vec<Run>,
    pub(super) left: Option<Left>,
}

/// Who hears of receipts.
#[derive(Default)]
struct Audience {
    senders: Vec<UserId>,
    /// Also of what was read; else of what was received alone.
    of_reads: bool,
}

impl Service {
    pub(super) async fn tell_of_receipts(self: &Arc<Self>, of: Written) {
        use proto::event::Event;
        let (chat_id, user_id) = (of.chat.to_string(), of.user.to_string());
        if !of.new_read.is_empty() {
            self.webhooks.note(Kind::MessageRead, || {
                Happened::message_read(of.chat, &of.user, &of.new_read, self.clock.now())
            });
            let event = proto::MessageRead {
                chat_id: chat_id.clone(),
                user_id: user_id.clone(),
                seqs: wire::ranges(&of.new_read),
                unread_count: of.left.map(|left| left.unread),
                last_seq: of.left.map(|left| left.last_seq),
            };
            self.tell_own_devices(&of.user, of.session, Event::MessageRead(event)).await;
        }
        if of.large {
            return;
        }
        let mut read = SeqSet::default();
        let to = self.audience_of(&of, &of.new_read).await;
        if !of.new_read.is_empty() && to.of_reads {
            read.extend(of.new_read.iter().copied());
            let event = proto::MessageRead {
                chat_id: chat_id.clone(),
                user_id: user_id.clone(),
                seqs: wire::ranges(&of.new_read),
                unread_count: None,
                last_seq: None,
            };
            self.tell_users(&to.senders, Event::MessageRead(event)).await;
        }
        // What was read at once is told by MessageRead alone, where that may be told.
        let only = SeqSet::from_parts(0, of.new_delivered.iter().copied()).minus(&read);
        if !only.is_empty() {
            let to = self.audience_of(&of, &only).await;
            let seqs = wire::ranges(&only);
            let event = proto::MessageDelivered { chat_id, user_id, seqs };
            self.tell_users(&to.senders, Event::MessageDelivered(event)).await;
        }
    }

    /// Whom receipts for these messages concern, as soon as the store says so.
    async fn audience_of(&self, of: &Written, runs: &[Run]) -> Audience {
        if runs.is_empty() {
            return Audience::default();
        }
        let began = Instant::now();
        loop {
            match self.find_audience(of, runs).await {
                Ok(audience) => return audience,
                Err(error) if began.elapsed() < TELL_WITHIN => {
                    tracing::debug!(%error, "receipts are told later");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "receipts are not told: the store cannot be read");
                    return Audience::default();
                }
            }
        }
    }

    async fn find_audience(&self, of: &Written, runs: &[Run]) -> store::Result<Audience> {
        let Some(roster) = self.rosters.get(of.chat).await? else { return Ok(Audience::default()) };
        if roster.chat.kind == ChatKind::Direct {
            let Some(other) = roster.other(&of.user) else { return Ok(Audience::default()) };
            let between = self.between_two(&of.user, other).await?;
            let senders = Some(other.clone()).filter(|_| !between.blocked).into_iter().collect();
            return Ok(Audience { senders, of_reads: !between.hides_reads });
        }
        let mut senders = self.store.senders(of.chat, runs).await?;
        senders.retain(|sender| *sender != of.user && roster.seat(sender).is_some());
        Ok(Audience { senders, of_reads: true })
    }
}
