//! What was given to streams, for whoever asks why it rang: `WRITTEN` in the trail.
//!
//! A message costs the store nothing here as long as it is acknowledged. Each stream remembers what
//! it was given last; when a push is found due all the same, all nodes are asked, and who has given
//! the message to a stream of that device notes when. What is lost with a node is one step less to
//! tell.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::due::Due;
use super::trail::Step;
use crate::bus::To;
use crate::chat::Service;
use crate::chat::hub::Listener;
use crate::chat::limits::{DUE_ASKED, WRITTEN_GONE, WRITTEN_REMEMBERED};
use crate::model::{ChatId, DeviceId, MessageId, Seq, UserId};
use crate::proto::{DeliveryStepKind, node};
use crate::store::{Spot, Trace};

/// How long it is remembered what an ended stream was given: longer than any look waits.
const GONE_AGE: Duration = Duration::from_secs(300);

/// What a stream was given last, the newest at the end.
#[derive(Debug, Default)]
pub struct Written(Mutex<VecDeque<Given>>);

#[derive(Clone, Copy, Debug)]
struct Given {
    chat: ChatId,
    seq: Seq,
    at: Instant,
}

impl Written {
    fn note(&self, given: Given) {
        let mut all = self.0.lock();
        if all.len() >= WRITTEN_REMEMBERED {
            all.pop_front();
        }
        all.push_back(given);
    }

    fn find(&self, chat: ChatId, seq: Seq) -> Option<Instant> {
        find(self.0.lock().iter(), chat, seq)
    }
}

fn find<'g>(given: impl IntoIterator<Item = &'g Given>, chat: ChatId, seq: Seq) -> Option<Instant> {
    given.into_iter().find(|of| (of.chat, of.seq) == (chat, seq)).map(|of| of.at)
}

/// What devices were given by streams that have ended.
#[derive(Debug)]
pub(super) struct Ended(Cache<(UserId, DeviceId), Arc<[Given]>>);

impl Default for Ended {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(WRITTEN_GONE).time_to_live(GONE_AGE).build())
    }
}

impl Ended {
    fn keep(&self, listener: &Listener) {
        let given = listener.written.0.lock().clone();
        if given.is_empty() {
            return;
        }
        let device = (listener.who.user.clone(), listener.who.device.clone());
        let mut all = self.0.get(&device).map(|before| before.to_vec()).unwrap_or_default();
        all.extend(given);
        let newest = all.len().saturating_sub(WRITTEN_REMEMBERED);
        self.0.insert(device, all[newest..].into());
    }

    fn find(&self, device: &(UserId, DeviceId), chat: ChatId, seq: Seq) -> Option<Instant> {
        find(self.0.get(device)?.iter(), chat, seq)
    }
}

impl Service {
    /// A message was given to a stream then. Costs next to nothing: all messages come by here.
    pub(crate) fn note_written(&self, listener: &Listener, chat: ChatId, seq: Seq, at: Instant) {
        if self.pushes.push.is_on() {
            listener.written.note(Given { chat, seq, at });
        }
    }

    /// A stream ends: what it was given is remembered for a while.
    pub(crate) fn keep_written(&self, listener: &Listener) {
        self.pushes.ended.keep(listener);
    }

    /// Has it noted, on whichever node, which of these were given to a stream of their device.
    pub(super) fn ask_who_wrote(self: &Arc<Self>, due: &[Due]) {
        if self.bus.has_peers() {
            for some in due.chunks(DUE_ASKED) {
                let pushes = node::PushesDue { due: some.iter().map(to_wire).collect() };
                self.publish(To::All, node::envelope::Body::PushesDue(pushes));
            }
        }
        self.note_what_is_written_here(due);
    }

    /// The same, of streams of this node.
    pub(super) fn note_what_is_written_here(self: &Arc<Self>, due: &[Due]) {
        let written = |of: &Due| self.written(of.message.id, of.spot(), of.message.seq);
        self.note_later(due.iter().filter_map(written).collect());
    }

    /// Another node asks.
    pub(in crate::chat) fn hear_pushes_due(self: &Arc<Self>, pushes: &node::PushesDue) {
        let written = |of: &node::PushDue| {
            let spot = Spot {
                chat: ChatId::parse(&of.chat_id)?,
                user: UserId::parse(&of.user_id)?,
                device: Some(DeviceId::parse(&of.device_id)?),
            };
            self.written(MessageId::parse(&of.message_id)?, spot, of.seq)
        };
        self.note_later(pushes.due.iter().filter_map(written).collect());
    }

    fn note_later(self: &Arc<Self>, traces: Vec<Trace>) {
        if !traces.is_empty() {
            let service = Arc::clone(self);
            self.run(async move { service.note_steps(&traces).await });
        }
    }

    fn written(&self, message: MessageId, spot: Spot, seq: Seq) -> Option<Trace> {
        let Spot { chat, user, device } = spot;
        let streams = self.hub.of(&user);
        let device = (user, device?);
        let live = streams.iter().filter(|of| of.who.device == device.1);
        let live = live.filter_map(|of| of.written.find(chat, seq));
        let given = live.chain(self.pushes.ended.find(&device, chat, seq)).min()?;
        let at = Some(self.clock.now().minus(given.elapsed()));
        let step = Step { kind: DeliveryStepKind::Written, detail: "", at };
        Some(self.step(message, (&device.0, &device.1), step))
    }
}

fn to_wire(due: &Due) -> node::PushDue {
    node::PushDue {
        message_id: due.message.id.to_string(),
        chat_id: due.message.chat.to_string(),
        seq: due.message.seq,
        user_id: due.device.user.to_string(),
        device_id: due.device.id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    #[test]
    fn a_stream_remembers_what_it_was_given_last() {
        let (written, chat) = (Written::default(), ChatId(SystemClock.new_id()));
        let now = Instant::now();
        let at = |seq: Seq| now + Duration::from_secs(seq.into());
        let room = u32::try_from(WRITTEN_REMEMBERED).unwrap();
        for seq in 1..=room + 1 {
            written.note(Given { chat, seq, at: at(seq) });
        }
        assert_eq!(written.find(chat, 1), None);
        assert_eq!(written.find(chat, 2), Some(at(2)));
        assert_eq!(written.find(chat, room + 1), Some(at(room + 1)));
        assert_eq!(written.find(ChatId(SystemClock.new_id()), 2), None);
    }
}
