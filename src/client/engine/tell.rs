//! What follows from what was merged: what is told, what is acknowledged, what is asked.

use std::time::Duration;

use tokio::time::Instant;

use super::live::InFlight;
use super::{End, Engine, Line, view};
use crate::client::apply::{Effects, peer};
use crate::client::disk::sets::Kind;
use crate::client::disk::{chats, messages, outbox};
use crate::client::merge::Presence;
use crate::client::news::News;
use crate::client::{Place, Shown};
use crate::proto::JoinChat;
use crate::proto::connect_request::Command;

/// Who is not heard to be typing for so long is not.
const TYPING_FOR: Duration = Duration::from_secs(6);

impl Engine {
    pub(super) fn effects(&mut self, effects: Effects) -> Result<(), End> {
        if !effects.arrived.is_empty() {
            self.disk.write(|db| {
                effects.arrived.iter().try_for_each(|chat| messages::settle(db, chat, None))
            })?;
        }
        for (user, presence) in effects.presence {
            self.heard_presence(user, presence);
        }
        for (user_id, blocked) in effects.blocks {
            self.tell(News::Blocked { user_id, blocked });
        }
        for chat in &effects.renewed {
            self.renewed(chat)?;
        }
        for (chat, user, typing) in effects.typing {
            self.heard_typing(chat, user, typing);
        }
        for chat in &effects.arrived {
            self.arrived(chat)?;
        }
        for (chat, seq) in &effects.changed {
            self.changed(chat, *seq)?;
        }
        if !effects.ticks.is_empty() {
            self.tell(News::Ticks(effects.ticks));
        }
        for chat in effects.left {
            self.screen.remove(&chat);
            self.tell(News::Left(chat));
        }
        for chat in effects.ask {
            self.ask_chat(chat);
        }
        Ok(())
    }

    /// New messages of a chat are on the disk.
    fn arrived(&mut self, chat: &str) -> Result<(), End> {
        self.receipts_soon(chat, Kind::Delivered);
        self.mend(chat)?;
        if self.screen.contains_key(chat) {
            return self.tell_messages(chat);
        }
        self.tell_elsewhere(chat)
    }

    /// Tells what is new in a chat on screen, as far as it is without a hole.
    fn tell_messages(&mut self, chat: &str) -> Result<(), End> {
        let held = chats::held(self.disk.db(), chat)?;
        let Some(screen) = self.screen.get_mut(chat) else { return Ok(()) };
        if held.solid <= screen.told_to {
            return Ok(());
        }
        let first = held.floor.max(screen.told_to + 1);
        screen.told_to = held.solid;
        let shown = view::range(self.disk.db(), &self.me, chat, first, held.solid)?;
        if shown.is_empty() {
            return Ok(());
        }
        self.ask_presence(chat, &shown)?;
        self.tell(News::Messages(shown));
        Ok(())
    }

    /// Presence shows once the other has written: with the first message it is asked for.
    fn ask_presence(&mut self, chat: &str, new: &[Shown]) -> Result<(), End> {
        let Some(kept) = chats::get(self.disk.db(), chat)? else { return Ok(()) };
        let Some(peer) = peer(&self.me, &kept) else { return Ok(()) };
        let wrote = new.iter().any(|shown| shown.sender_id == peer);
        if wrote && !self.presence.contains_key(peer) {
            self.presence.insert(peer.to_owned(), Presence::default());
            self.ask_chat(chat.to_owned());
        }
        Ok(())
    }

    fn tell_elsewhere(&mut self, chat: &str) -> Result<(), End> {
        let Some(kept) = chats::get(self.disk.db(), chat)? else { return Ok(()) };
        let view = self.view(&kept)?;
        if view.unread > 0 {
            self.tell(News::Elsewhere(view));
        }
        Ok(())
    }

    fn changed(&mut self, chat: &str, seq: u32) -> Result<(), End> {
        let told = self.screen.get(chat).is_some_and(|screen| seq <= screen.told_to);
        if told && let Some(shown) = view::range(self.disk.db(), &self.me, chat, seq, seq)?.pop() {
            self.tell(News::Changed(shown));
        }
        Ok(())
    }

    /// A chat has changed itself.
    fn renewed(&mut self, chat: &str) -> Result<(), End> {
        if let Some(kept) = chats::get(self.disk.db(), chat)?
            && (self.screen.contains_key(chat) || self.is_awaited(&kept))
        {
            let view = self.view(&kept)?;
            self.tell(News::Chat(view));
        }
        Ok(())
    }

    fn is_awaited(&self, chat: &crate::proto::Chat) -> bool {
        peer(&self.me, chat).is_some_and(|peer| self.peers.contains(peer))
    }

    /// Has a chat on screen, also in the eyes of the server.
    pub(super) fn show(&mut self, chat: &str) -> Result<(), End> {
        self.join(chat);
        self.ask_chat(chat.to_owned());
        self.mend(chat)
    }

    pub(super) fn join(&mut self, chat: &str) {
        let Line::Up(live) = &mut self.line else { return };
        if !live.ready {
            return;
        }
        let join = Command::JoinChat(JoinChat { chat_id: chat.to_owned() });
        // Where there is no room, typing does not show until the next stream.
        live.command(String::new(), join, InFlight::Other);
    }

    fn heard_presence(&mut self, user: String, new: Presence) {
        let old = self.presence.get(&user).copied();
        let kept = old.map_or(new, |old| old.then(new));
        if old == Some(kept) {
            return;
        }
        self.presence.insert(user.clone(), kept);
        self.tell(News::Presence { user_id: user, presence: kept });
    }

    fn heard_typing(&mut self, chat_id: String, user_id: String, typing: bool) {
        let key = (chat_id.clone(), user_id.clone());
        let known = if typing {
            self.typing.insert(key, Instant::now() + TYPING_FOR).is_some()
        } else {
            self.typing.remove(&key).is_none()
        };
        if !known {
            self.tell(News::Typing { chat_id, user_id, typing });
        }
    }

    /// Who has not been heard of for a while does not write any more.
    pub(super) fn lapse_typing(&mut self, now: Instant) {
        let lapsed: Vec<_> =
            self.typing.iter().filter(|(_, at)| now >= **at).map(|(key, _)| key.clone()).collect();
        for (chat_id, user_id) in lapsed {
            self.heard_typing(chat_id, user_id, false);
        }
    }

    /// The newest of what is held, and what waits, oldest first.
    pub(super) fn newest(&mut self, place: &Place, count: u32) -> Result<Vec<Shown>, End> {
        let db = self.disk.db();
        let mut shown = Vec::new();
        let chat = self.chat_of(place)?;
        if let Some(chat) = &chat {
            let held = chats::held(db, chat)?;
            if held.floor > 0 {
                let first = held.floor.max((held.solid + 1).saturating_sub(count));
                shown = view::range(db, &self.me, chat, first, held.solid)?;
            }
            if let Some(screen) = self.screen.get_mut(chat) {
                screen.told_to = screen.told_to.max(held.solid);
            }
        }
        let place = chat.map_or_else(|| place.clone(), Place::Chat);
        let waiting = outbox::of(db, &place)?;
        shown.extend(waiting.into_iter().map(|row| view::waiting(&self.me, &place, row)));
        Ok(shown)
    }
}
