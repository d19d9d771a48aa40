//! What the user wants.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{End, Engine, Leaving, Line, OnScreen, view};
use crate::client::disk::chats;
use crate::client::disk::outbox::{self, Waiting};
use crate::client::disk::sets::{self, Kind};
use crate::client::{ChatView, Place, Screen, Shown};
use crate::model::Run;

/// What is shown of a chat that is opened.
const TAIL: u32 = 20;

/// What the user wants. Whoever asked may be gone when the answer comes.
#[derive(Debug)]
pub(in crate::client) enum Order {
    Open { place: Place, answer: oneshot::Sender<Screen> },
    Say { place: Place, text: String, answer: oneshot::Sender<Shown> },
    Seen { chat_id: String, seqs: Vec<u32> },
    Typing { place: Place, typing: bool },
    Inbox(oneshot::Sender<Vec<ChatView>>),
    History { place: Place, count: u32, answer: oneshot::Sender<Vec<Shown>> },
    Block { user: String, blocked: bool },
    Waiting(oneshot::Sender<usize>),
    Leave { patience: Duration, answer: oneshot::Sender<usize> },
}

impl Engine {
    pub(super) fn order(&mut self, order: Order) -> Result<(), End> {
        match order {
            Order::Open { place, answer } => {
                let screen = self.open(&place)?;
                drop(answer.send(screen));
            }
            Order::Say { place, text, answer } => {
                let shown = self.say(&place, text)?;
                drop(answer.send(shown));
            }
            Order::Seen { chat_id, seqs } => self.seen(&chat_id, &seqs)?,
            Order::Typing { place, typing } => {
                if let Some(chat) = self.chat_of(&place)? {
                    self.say_typing(chat, typing);
                }
            }
            Order::Inbox(answer) => {
                let chats = chats::all(self.disk.db())?;
                let views = chats.iter().map(|chat| self.view(chat));
                drop(answer.send(views.collect::<Result<_, End>>()?));
            }
            Order::History { place, count, answer } => self.history(place, count, answer)?,
            Order::Block { user, blocked } => self.block(user, blocked),
            Order::Waiting(answer) => drop(answer.send(outbox::count(self.disk.db())?)),
            Order::Leave { patience, answer } => {
                let until = Instant::now() + patience;
                self.leaving = Some(Leaving { until, ends: false, answer });
            }
        }
        Ok(())
    }

    fn open(&mut self, place: &Place) -> Result<Screen, End> {
        match self.chat_of(place)? {
            Some(chat) => {
                self.screen.insert(chat.clone(), OnScreen::default());
                self.show(&chat)?;
            }
            None => {
                if let Place::Peer(peer) = place
                    && self.peers.insert(peer.clone())
                    && matches!(&self.line, Line::Up(live) if live.ready)
                {
                    self.find_peer(peer.clone());
                }
            }
        }
        let chat = self.view_of(place)?;
        let tail = self.newest(place, TAIL)?;
        Ok(Screen { chat, tail })
    }

    fn say(&mut self, place: &Place, text: String) -> Result<Shown, End> {
        let id = self.clock.new_id().to_string();
        let at = self.clock.now();
        self.disk.write(|db| outbox::push(db, place, &id, &text, at))?;
        let row =
            Waiting { position: 0, client_message_id: id, text, written_at: at, failed: None };
        let place = self.chat_of(place)?.map_or_else(|| place.clone(), Place::Chat);
        if let Place::Peer(peer) = &place
            && !self.peers.contains(peer)
            && matches!(&self.line, Line::Up(live) if live.ready)
        {
            self.find_peer(peer.clone());
        }
        Ok(view::waiting(&self.me, &place, row))
    }

    fn seen(&mut self, chat: &str, seqs: &[u32]) -> Result<(), End> {
        let runs: Vec<_> = seqs.iter().filter_map(|seq| Run::new(*seq, *seq)).collect();
        let me = self.me.as_str();
        if self.disk.write(|db| sets::add(db, chat, me, Kind::Seen, &runs))? {
            self.receipts_soon(chat, Kind::Read);
        }
        Ok(())
    }

    fn history(
        &mut self,
        place: Place,
        count: u32,
        answer: oneshot::Sender<Vec<Shown>>,
    ) -> Result<(), End> {
        if let Some(chat) = self.chat_of(&place)?
            && matches!(&self.line, Line::Up(live) if live.caught_up)
        {
            let held = chats::held(self.disk.db(), &chat)?;
            let from = chats::get(self.disk.db(), &chat)?
                .and_then(|chat| chat.membership)
                .map_or(1, |member| member.visible_from_seq.max(1));
            if held.floor > from && held.solid + 1 - held.floor < count {
                return self.step_back(&chat, place, count, answer);
            }
        }
        let shown = self.newest(&place, count)?;
        drop(answer.send(shown));
        Ok(())
    }
}
