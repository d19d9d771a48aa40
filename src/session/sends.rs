//! The sends of one stream: Acks of one chat come in the order of their commands, and the Ack of
//! a message before its own `MessageSent`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::chat::send::Draft;
use crate::error::Error;
use crate::metrics::{self, Via};
use crate::model::{MessageId, Seq};
use crate::proto::SendOutcome;
use crate::wire::Told;

/// What came of a send.
pub(super) type Outcome = Result<SendOutcome, Error>;

/// One send that waits for its Ack.
#[derive(Debug)]
struct Waiting {
    ack_id: String,
    /// Known once it is on its way into the log.
    id: Option<MessageId>,
    came: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Behind another of its chat that is still being checked.
    Queued(Box<Draft>),
    /// Being checked.
    Checking,
    /// On its way into the log.
    Storing,
    /// Answered as soon as those before it are.
    Done(Box<Outcome>),
}

/// What a session is to do next, in this order.
#[derive(Debug)]
pub(super) enum Next {
    /// Answer a send.
    Ack(String, Box<Outcome>),
    /// Tell a message that waited for its Ack.
    Tell(Arc<Told>),
}

/// The sends of one chat, oldest first, and what waits for their Acks.
#[derive(Debug, Default)]
struct Line {
    sends: VecDeque<Waiting>,
    held: VecDeque<Arc<Told>>,
}

/// All sends of a stream that wait for their Ack. Lines go by the chat's id, or by what a client
/// took for one.
#[derive(Debug, Default)]
pub(super) struct Sends {
    lines: HashMap<String, Line>,
    count: usize,
}

impl Sends {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Takes one more. `Some`: check it now; otherwise its turn comes with [`Self::stored`].
    pub(super) fn begin(&mut self, ack_id: String, draft: Draft) -> Option<Draft> {
        let line = self.lines.entry(draft.chat_id.clone()).or_default();
        self.count += 1;
        let came = Instant::now();
        let free = !line
            .sends
            .iter()
            .any(|waiting| matches!(waiting.state, State::Queued(_) | State::Checking));
        if free {
            line.sends.push_back(Waiting { ack_id, id: None, came, state: State::Checking });
            Some(draft)
        } else {
            let state = State::Queued(Box::new(draft));
            line.sends.push_back(Waiting { ack_id, id: None, came, state });
            None
        }
    }

    /// The one being checked is on its way into the log, or was refused. Answers the next of its
    /// chat to be checked.
    pub(super) fn checked(&mut self, chat: &str, came: Result<MessageId, Error>) -> Option<Draft> {
        let line = self.lines.get_mut(chat)?;
        let checking = line.sends.iter_mut().find(|w| matches!(w.state, State::Checking))?;
        checking.id = came.as_ref().ok().copied();
        checking.state = match came {
            Ok(_) => State::Storing,
            Err(error) => State::Done(Box::new(Err(error))),
        };
        let next = line.sends.iter_mut().find(|w| matches!(w.state, State::Queued(_)))?;
        match std::mem::replace(&mut next.state, State::Checking) {
            State::Queued(draft) => Some(*draft),
            other => {
                next.state = other;
                None
            }
        }
    }

    /// A send has its outcome.
    pub(super) fn stored(&mut self, chat: &str, id: MessageId, outcome: Outcome) {
        let Some(line) = self.lines.get_mut(chat) else { return };
        if let Some(waiting) = line.sends.iter_mut().find(|w| w.id == Some(id))
            && matches!(waiting.state, State::Storing)
        {
            waiting.state = State::Done(Box::new(outcome));
        }
    }

    /// A message is to be told. `None`: it, or one before it, waits for its Ack and comes with
    /// [`Self::next`].
    pub(super) fn passes(
        &mut self,
        chat: &str,
        id: MessageId,
        outcome: impl FnOnce() -> SendOutcome,
        told: Arc<Told>,
    ) -> Option<Arc<Told>> {
        let Some(line) = self.lines.get_mut(chat) else { return Some(told) };
        let own = line.sends.iter_mut().find(|waiting| waiting.id == Some(id));
        let wait = own.is_some() || !line.held.is_empty();
        if let Some(own) = own
            && matches!(own.state, State::Storing)
        {
            // The event is ahead of the answer, and says the same.
            own.state = State::Done(Box::new(Ok(outcome())));
        }
        if wait {
            line.held.push_back(told);
            return None;
        }
        Some(told)
    }

    /// The last message of a chat that waits for an Ack, its own or that of one before it.
    pub(super) fn holds_up_to(&self, chat: &str) -> Option<Seq> {
        match **self.lines.get(chat)?.held.back()? {
            Told::Message { seq, .. } => Some(seq),
            _ => None,
        }
    }

    /// What is to be answered or told next in this chat.
    pub(super) fn next(&mut self, chat: &str) -> Option<Next> {
        let line = self.lines.get_mut(chat)?;
        if let Some(first) = line.sends.front()
            && matches!(first.state, State::Done(_))
        {
            let Waiting { ack_id, came, state, .. } = line.sends.pop_front()?;
            self.count -= 1;
            if let State::Done(outcome) = state {
                if outcome.is_ok() {
                    metrics::send_seconds().of(Via::Stream).took(came.elapsed());
                }
                return Some(Next::Ack(ack_id, outcome));
            }
        }
        if line.held_may_go() {
            return line.held.pop_front().map(Next::Tell);
        }
        if line.sends.is_empty() && line.held.is_empty() {
            self.lines.remove(chat);
        }
        None
    }
}

impl Line {
    /// A message that is held goes once its own send is answered.
    fn held_may_go(&self) -> bool {
        let Some(first) = self.held.front() else { return false };
        let Told::Message { id, .. } = **first else { return true };
        !self.sends.iter().any(|waiting| waiting.id == Some(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use crate::error::Reason;
    use crate::model::ChatId;
    use crate::proto::MessageType;
    use crate::wire::EncodedFrame;

    fn draft(chat: &str) -> Draft {
        Draft {
            chat_id: chat.to_owned(),
            client_message_id: "id".to_owned(),
            kind: MessageType::Unspecified,
            text: "text".to_owned(),
            attachment_ids: Vec::new(),
            reply_to: String::new(),
            mentions: Vec::new(),
        }
    }

    fn outcome(id: MessageId) -> SendOutcome {
        SendOutcome { message_id: id.to_string(), ..SendOutcome::default() }
    }

    fn told(id: MessageId) -> Arc<Told> {
        let frame = EncodedFrame::default();
        Arc::new(Told::Message { chat: ChatId(id.0), seq: 1, id, frame })
    }

    fn all(sends: &mut Sends, chat: &str) -> Vec<String> {
        std::iter::from_fn(|| sends.next(chat))
            .map(|next| match next {
                Next::Ack(id, outcome) if outcome.is_ok() => format!("ack {id}"),
                Next::Ack(id, _) => format!("error {id}"),
                Next::Tell(_) => "event".to_owned(),
            })
            .collect()
    }

    fn id() -> MessageId {
        MessageId(SystemClock.new_id())
    }

    #[test]
    fn one_of_a_chat_is_checked_at_a_time() {
        let mut sends = Sends::default();
        assert!(sends.begin("1".into(), draft("a")).is_some());
        assert!(sends.begin("2".into(), draft("a")).is_none());
        assert!(sends.begin("3".into(), draft("b")).is_some());
        assert!(sends.checked("a", Ok(id())).is_some());
        assert!(sends.checked("a", Ok(id())).is_none());
        assert_eq!(sends.len(), 3);
    }

    #[test]
    fn acks_of_a_chat_keep_the_order_of_commands() {
        let mut sends = Sends::default();
        let (one, two) = (id(), id());
        sends.begin("1".into(), draft("a"));
        sends.begin("2".into(), draft("a"));
        sends.checked("a", Ok(one));
        sends.checked("a", Ok(two));
        sends.stored("a", two, Ok(outcome(two)));
        assert!(all(&mut sends, "a").is_empty());
        sends.stored("a", one, Err(Error::new(Reason::ClientIdReused, "")));
        assert_eq!(all(&mut sends, "a"), ["error 1", "ack 2"]);
        assert_eq!(sends.len(), 0);
        assert!(sends.lines.is_empty());
    }

    #[test]
    fn an_ack_comes_before_its_own_event_whichever_is_first() {
        let mut sends = Sends::default();
        let (one, two, other) = (id(), id(), id());
        sends.begin("1".into(), draft("a"));
        sends.begin("2".into(), draft("a"));
        sends.checked("a", Ok(one));
        sends.checked("a", Ok(two));
        assert!(sends.passes("a", two, || outcome(two), told(two)).is_none());
        assert!(sends.passes("a", other, || outcome(other), told(other)).is_none());
        assert!(all(&mut sends, "a").is_empty());
        assert_eq!((sends.holds_up_to("a"), sends.holds_up_to("b")), (Some(1), None));
        sends.stored("a", one, Err(Error::chat_not_found()));
        assert_eq!(all(&mut sends, "a"), ["error 1", "ack 2", "event", "event"]);
        assert_eq!(sends.holds_up_to("a"), None);
        sends.stored("a", two, Ok(outcome(two)));
        assert!(all(&mut sends, "a").is_empty());
        assert!(sends.passes("a", other, || outcome(other), told(other)).is_some());
    }
}
