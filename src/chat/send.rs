//! Sending: checked, stored, answered, then told.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Service;
use super::access::chat_id;
use super::attachments;
use super::feed::Sent;
use super::limits::COMPARE_EVERY;
use super::mentions;
use super::text;
use crate::error::{Error, Result};
use crate::metrics::{self, Via};
use crate::model::{AttachmentId, ChatId, Message, MessageId, MessageKind, Seq, UserId};
use crate::proto;
use crate::store::{AppendError, Appended, NewMessage};
use crate::trace;
use crate::webhook::{Event as Happened, Kind};
use crate::wire;

/// What a client wants to send.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Where to, as given.
    pub chat_id: String,
    /// Chosen by the sending device.
    pub client_message_id: String,
    /// What the client takes it for.
    pub kind: proto::MessageType,
    /// As given.
    pub text: String,
    /// As given.
    pub attachment_ids: Vec<String>,
    /// As given; empty: none.
    pub reply_to: String,
    /// As given.
    pub mentions: Vec<String>,
}

/// A send that is on its way into the log. Dropping it undoes nothing.
#[derive(Debug)]
pub struct Submitted {
    /// The id the message has if it is new.
    pub id: MessageId,
    /// What comes of it.
    pub outcome: oneshot::Receiver<Result<Appended>>,
}

impl Submitted {
    /// Waits for what comes of it.
    pub async fn stored(self) -> Result<Appended> {
        self.outcome
            .await
            .unwrap_or_else(|_| Err(Error::internal("a send ended without an answer")))
    }
}

/// As the contract tells it.
pub fn outcome(appended: &Appended) -> proto::SendOutcome {
    proto::SendOutcome {
        message_id: appended.message.id.to_string(),
        seq: appended.message.seq,
        created_at: Some(wire::timestamp(appended.message.created_at())),
        duplicate: appended.duplicate,
    }
}

impl Service {
    /// Checks a send and hands it to the store. Of two calls for one chat, one awaited after the
    /// other, the first gets the lower `seq`. Who is told hears of it after the outcome is sent.
    pub async fn submit(self: &Arc<Self>, user: &UserId, draft: Draft) -> Result<Submitted> {
        self.rates.message(user)?;
        let chat = chat_id(&draft.chat_id)?;
        text::client_id("client_message_id", &draft.client_message_id)?;
        let under_way = self.reserves.send_begins();
        let Some(checked) = self.check(user, chat, draft).await? else {
            return Err(Error::chat_not_found());
        };
        let new = match checked {
            Checked::New(new) => new,
            Checked::Known(message) => {
                let (sender, outcome) = oneshot::channel();
                let id = message.id;
                // Who asked is still there: it holds the other end.
                let _kept =
                    sender.send(Ok(Appended { message: Arc::new(message), duplicate: true }));
                return Ok(Submitted { id, outcome });
            }
        };
        #[cfg(mutants)]
        if let Some(message) = crate::mutants::remembered(chat, user, &new.client_message_id) {
            let (sender, outcome) = oneshot::channel();
            let (id, _) = (message.id, sender.send(Ok(Appended { message, duplicate: true })));
            return Ok(Submitted { id, outcome });
        }
        Ok(self.append_and_tell(new, Some((user.clone(), under_way))))
    }

    /// Appends, answers, then tells, in a task of its own: a caller that goes away stops nothing.
    /// The typing of `writer` ends with it, and so does what its check held.
    pub(super) fn append_and_tell(
        self: &Arc<Self>,
        new: NewMessage,
        writer: Option<(UserId, TaskTrackerToken)>,
    ) -> Submitted {
        let (id, chat) = (new.id, new.chat);
        let files: Vec<AttachmentId> = new.attachments.iter().map(|of| of.id).collect();
        let appended = self.store.append(new);
        let (answer, outcome) = oneshot::channel();
        let service = Arc::clone(self);
        let (writer, under_way) = writer.unzip();
        self.tasks.spawn(trace::carry(async move {
            let appended = appended.await;
            drop(under_way);
            if !files.is_empty() && is_refused(&appended) {
                service.unclaim_later(&files).await;
            }
            if matches!(appended, Err(AppendError::NotMember)) {
                // The list this node held was out of date.
                service.rosters.forget(chat);
            }
            let told = appended.as_ref().ok().filter(|appended| !service.is_old_news(appended));
            let message = told.map(|appended| Arc::clone(&appended.message));
            #[cfg(mutants)]
            message.iter().for_each(crate::mutants::remember);
            // A stream that went away needs no answer; the message is stored all the same.
            drop(answer.send(appended.map_err(Error::from)));
            if let Some(message) = message {
                if let Some(writer) = &writer {
                    service.typing_ends(message.chat, writer);
                }
                trace::step("tell", service.tell_of_message(&message)).await;
            }
        }));
        Submitted { id, outcome }
    }

    /// Sends and waits.
    pub async fn send(self: &Arc<Self>, user: &UserId, draft: Draft) -> Result<proto::SendOutcome> {
        let came = Instant::now();
        let appended = self.submit(user, draft).await?.stored().await?;
        metrics::send_seconds().of(Via::Call).took(came.elapsed());
        Ok(outcome(&appended))
    }

    /// `None`: no such chat for this user.
    async fn check(&self, user: &UserId, chat: ChatId, draft: Draft) -> Result<Option<Checked>> {
        let roster = match self.rosters.at_hand(chat) {
            Some(roster) if roster.seat(user).is_some() => Some(roster),
            _ => self.rosters.load(chat).await?,
        };
        let seat = roster.as_ref().and_then(|roster| roster.seat(user).cloned());
        let (Some(roster), Some(seat)) = (roster, seat) else {
            return self.known(user, chat, draft).await;
        };
        self.mind_untold(&roster.chat);
        if self.is_cut(user, &roster).await? {
            // A repeat of what was stored once is answered as it was then.
            return self
                .known(user, chat, draft)
                .await?
                .map_or(Err(Error::blocked()), |k| Ok(Some(k)));
        }
        let text = text::text_beside(draft.attachment_ids.len(), &draft.text)?;
        let files = attachments::ids(&draft.attachment_ids)?;
        let mentions = mentions::read(&draft.mentions, &text)?;
        let content_hash = self.content_hash(&text, &draft);
        let roster = match self.with_seats(roster, &mentions).await {
            Ok(roster) => roster,
            Err(error) => {
                return self.known(user, chat, draft).await?.map_or(Err(error), |k| Ok(Some(k)));
            }
        };
        let reply_to = match self.reply_target(chat, &draft.reply_to, seat.visible_from).await {
            Ok(target) => target,
            Err(error) => {
                // A repeat of what was stored once is answered as it was then.
                return self.known(user, chat, draft).await?.map_or(Err(error), |k| Ok(Some(k)));
            }
        };
        let claimed = self.claim_attachments(user, &files, chat, &draft.client_message_id).await;
        let attachments = match claimed {
            Ok(attachments) => attachments,
            Err(error) => {
                return self.known(user, chat, draft).await?.map_or(Err(error), |k| Ok(Some(k)));
            }
        };
        if let Err(error) = checked_type(draft.kind, MessageKind::of(&text, &attachments)) {
            self.unclaim_later(&files).await;
            return Err(error);
        }
        Ok(Some(Checked::New(NewMessage {
            id: MessageId(self.clock.new_id()),
            chat,
            sender: Some(user.clone()),
            client_message_id: draft.client_message_id,
            content_hash,
            words: self.words_of(&text),
            text,
            attachments,
            reply_to,
            mentions,
            note: None,
            member_as_of: roster.as_of,
        })))
    }

    /// What this user sent under this id before, member or not.
    async fn known(&self, user: &UserId, chat: ChatId, draft: Draft) -> Result<Option<Checked>> {
        let found = self.store.by_client_id(chat, user, &draft.client_message_id).await?;
        let Some(message) = found else { return Ok(None) };
        let text = text::text_beside(draft.attachment_ids.len(), &draft.text)?;
        if self.content_hash(&text, &draft) != message.content_hash {
            return Err(AppendError::Reused.into());
        }
        Ok(Some(Checked::Known(message)))
    }

    fn content_hash(&self, text: &str, draft: &Draft) -> [u8; 16] {
        let mut parts = vec![text.as_bytes(), draft.reply_to.as_bytes()];
        parts.extend(draft.attachment_ids.iter().map(String::as_bytes));
        if !draft.mentions.is_empty() {
            // What can be no id of an attachment.
            parts.push(b"@");
            parts.extend(draft.mentions.iter().map(String::as_bytes));
        }
        self.sealer.content_hash(&parts)
    }

    async fn reply_target(
        &self,
        chat: ChatId,
        raw: &str,
        visible_from: Seq,
    ) -> Result<Option<(MessageId, Seq)>> {
        if raw.is_empty() {
            return Ok(None);
        }
        let not_found =
            || Error { field: "reply_to_message_id".into(), ..Error::message_not_found() };
        let id = MessageId::parse(raw).ok_or_else(not_found)?;
        let found = self.store.message(chat, id).await?;
        let target = found.filter(|message| message.seq >= visible_from).ok_or_else(not_found)?;
        Ok(Some((target.id, target.seq)))
    }

    /// A repeat of what was stored just now may be of a message that nobody told. Of an older one
    /// every stream has learned by itself, and to tell it would set feeds back to it.
    fn is_old_news(&self, appended: &Appended) -> bool {
        let young = self.clock.now().minus(COMPARE_EVERY * 2);
        appended.duplicate && appended.message.created_at() < young
    }

    /// Tells sessions here and nodes elsewhere of a stored message.
    pub(super) async fn tell_of_message(self: &Arc<Self>, message: &Message) {
        #[cfg(mutants)]
        crate::mutants::arrived(message);
        self.webhooks.note(Kind::MessageSent, || Happened::message_sent(message));
        self.pushes.stored(message);
        self.hand_on(Sent::committed(message, &self.links));
        self.publish_message(message).await;
    }
}

/// Whether it is certain that this is not in the log by this append.
fn is_refused(appended: &std::result::Result<Appended, AppendError>) -> bool {
    matches!(appended, Err(AppendError::NotMember | AppendError::Reused | AppendError::Full))
}

enum Checked {
    New(NewMessage),
    Known(Message),
}

fn checked_type(given: proto::MessageType, kind: MessageKind) -> Result<()> {
    let derived = wire::message_type(kind);
    if given == proto::MessageType::Unspecified || given == derived {
        return Ok(());
    }
    let name = derived.as_str_name().trim_start_matches("MESSAGE_TYPE_");
    Err(Error::field("type", format!("the server derives {name} from this content")))
}
