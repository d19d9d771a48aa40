//! What is kept, as it is shown.

use rusqlite::{Connection, Result};

use super::{End, Engine};
use crate::client::apply::peer;
use crate::client::disk::outbox::Waiting;
use crate::client::disk::sets::{self, Kind};
use crate::client::disk::{chats, messages};
use crate::client::merge::counts;
use crate::client::news::{Progress, shown};
use crate::client::{ChatView, Place, Shown};
use crate::proto::{self, MessageState};

/// Messages of a chat, ascending.
pub(super) fn range(
    db: &Connection,
    me: &str,
    chat: &str,
    first: u32,
    last: u32,
) -> Result<Vec<Shown>> {
    let mut read = sets::get(db, chat, me, Kind::Read)?;
    read.union(&sets::get(db, chat, me, Kind::Seen)?);
    let kept = messages::range(db, chat, first, last)?;
    let show = |kept: messages::Kept| {
        let message = kept.message;
        let others = message.sender_id != me;
        let unread = others && counts(&message) && !read.contains(message.seq);
        shown(&message, Progress::State(kept.state), unread)
    };
    Ok(kept.into_iter().map(show).collect())
}

/// A row of the outbox.
pub(super) fn waiting(me: &str, place: &Place, row: Waiting) -> Shown {
    let chat_id = match place {
        Place::Chat(chat) => chat.clone(),
        Place::Peer(_) => String::new(),
    };
    Shown {
        chat_id,
        seq: 0,
        client_message_id: row.client_message_id,
        sender_id: me.to_owned(),
        at: row.written_at,
        text: row.text,
        edited: false,
        deleted: false,
        unread: false,
        progress: row.failed.map_or(Progress::Waiting, Progress::Failed),
    }
}

impl Engine {
    /// A chat as it is listed.
    pub(super) fn view(&self, chat: &proto::Chat) -> Result<ChatView, End> {
        let db = self.disk.db();
        let peer = peer(&self.me, chat).map(ToOwned::to_owned);
        let name = |member: &proto::Member| {
            let name =
                if member.display_name.is_empty() { &member.user_id } else { &member.display_name };
            (member.user_id.clone(), name.clone())
        };
        let names: Vec<_> = chat.members.iter().map(name).collect();
        let title = match &peer {
            Some(peer) => name_of(&names, peer),
            None => chat.title.clone(),
        };
        let held = chats::held(db, &chat.chat_id)?;
        let newest = range(db, &self.me, &chat.chat_id, held.solid, held.solid)?.pop();
        let listed = chat.last_message.as_ref();
        let preview = match newest {
            Some(newest) if listed.is_none_or(|listed| listed.seq <= newest.seq) => Some(newest),
            _ => listed.map(|last| shown(last, Progress::State(MessageState::Unspecified), false)),
        };
        Ok(ChatView {
            chat_id: chat.chat_id.clone(),
            title,
            presence: peer.as_ref().and_then(|peer| self.presence.get(peer)).copied(),
            peer,
            names,
            unread: chats::unread(db, &self.me, &chat.chat_id)?,
            preview,
        })
    }

    /// The chat of a place, if it is known.
    pub(super) fn chat_of(&self, place: &Place) -> Result<Option<String>, End> {
        match place {
            Place::Chat(chat) => Ok(Some(chat.clone())),
            Place::Peer(peer) => Ok(chats::with_peer(self.disk.db(), peer)?),
        }
    }

    /// A place as it is listed, also where the server has not named its chat yet.
    pub(super) fn view_of(&self, place: &Place) -> Result<ChatView, End> {
        let chat = self.chat_of(place)?;
        if let Some(chat) = &chat
            && let Some(kept) = chats::get(self.disk.db(), chat)?
        {
            return self.view(&kept);
        }
        let (title, peer) = match place {
            Place::Peer(peer) => (peer.clone(), Some(peer.clone())),
            Place::Chat(chat) => (chat.clone(), None),
        };
        Ok(ChatView {
            chat_id: chat.unwrap_or_default(),
            title,
            peer,
            names: Vec::new(),
            unread: 0,
            preview: None,
            presence: None,
        })
    }
}

fn name_of(names: &[(String, String)], user: &str) -> String {
    names
        .iter()
        .find(|(id, _)| id == user)
        .map_or_else(|| user.to_owned(), |(_, name)| name.clone())
}
