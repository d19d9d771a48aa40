//! A chat's messages, page by page: backwards, forwards, or what has changed.

use prost::Message as _;

use super::Service;
use super::access::chat_id;
use super::limits::{CHANGE_OVERLAP, MAX_HIDDEN_LISTED, MAX_PAGE_BYTES};
use super::seal::{Purpose, armour, bad_token, unarmour};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{self, ChatId, Seq, UserId};
use crate::proto;
use crate::store::{ChangeCursor, Span};

const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

/// Where a page starts, and which way it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Below this, newest first.
    Before(Seq),
    /// Above this, oldest first.
    After(Seq),
    /// What was edited, deleted or reacted to after this place among the changes.
    Changed(ChangeCursor),
}

/// Which page of a chat's history.
#[derive(Clone, Debug)]
pub struct Page {
    /// The chat, as given.
    pub chat_id: String,
    /// As given; 0: the default.
    pub size: u32,
    /// As given; empty: the first page.
    pub token: String,
    /// Where the first page starts, if given.
    pub anchor: Option<Anchor>,
}

impl Anchor {
    /// Changes since a time that a client was told.
    pub fn changed_since(at: Timestamp) -> Self {
        Self::Changed(ChangeCursor { at: at.minus(CHANGE_OVERLAP), seq: 0 })
    }

    fn encode(self) -> Vec<u8> {
        let (kind, at, seq) = match self {
            Self::Before(seq) => (0u8, 0, seq),
            Self::After(seq) => (1, 0, seq),
            Self::Changed(cursor) => (2, cursor.at.0, cursor.seq),
        };
        let mut out = vec![kind];
        out.extend(at.to_be_bytes());
        out.extend(seq.to_be_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (at, seq) = rest.split_at_checked(8)?;
        let at = Timestamp(i64::from_be_bytes(at.try_into().ok()?));
        let seq = u32::from_be_bytes(seq.try_into().ok()?);
        match kind {
            0 => Some(Self::Before(seq)),
            1 => Some(Self::After(seq)),
            2 => Some(Self::Changed(ChangeCursor { at, seq })),
            _ => None,
        }
    }
}

impl Service {
    /// One page, and the token of the next; empty: no more that way.
    pub async fn list_messages(
        &self,
        user: &UserId,
        page: Page,
    ) -> Result<(Vec<proto::Message>, String)> {
        let chat = chat_id(&page.chat_id)?;
        let admitted = self.admitted(user, chat).await?;
        let anchor = self.anchor(user, chat, &page)?;
        let limit = if page.size == 0 { DEFAULT_PAGE } else { page.size.min(MAX_PAGE) };
        let from = admitted.member.visible_from;
        // One more than asked for tells whether there are more.
        let (mut anchors, mut messages): (Vec<_>, Vec<_>) = match anchor {
            Anchor::Before(seq) => {
                let found = self.store.history(chat, Span::Before(seq), from, limit + 1).await?;
                found.into_iter().map(|m| (Anchor::Before(m.seq), m)).unzip()
            }
            Anchor::After(seq) => {
                let found = self.store.history(chat, Span::After(seq), from, limit + 1).await?;
                found.into_iter().map(|m| (Anchor::After(m.seq), m)).unzip()
            }
            Anchor::Changed(cursor) => {
                let found = self.store.changed_messages(&[chat], cursor, limit + 1).await?;
                found.into_iter().map(|c| (Anchor::Changed(c.cursor), c.message)).unzip()
            }
        };
        let mut more = messages.len() > limit as usize;
        messages.truncate(limit as usize);
        anchors.truncate(limit as usize);
        if let Anchor::Changed(cursor) = anchor {
            messages.retain(|message| message.seq >= from);
            if page.token.is_empty() {
                // All at once and first: without their content they are small.
                messages.splice(0..0, self.newly_hidden(user, (chat, from), cursor.at).await?);
            }
        }
        let mut shown = self.show_messages(user, &admitted.chat, &messages).await?;
        let fits = fitting(&shown);
        if fits < shown.len() {
            // Changes were filtered, so their anchors are found by message.
            let last = messages[fits - 1].seq;
            anchors
                .truncate(anchors.iter().position(|a| a.seq() == last).map_or(fits, |at| at + 1));
            shown.truncate(fits);
            more = true;
        }
        let next =
            anchors.last().filter(|_| more).map(|anchor| self.page_token(user, chat, *anchor));
        Ok((shown, next.unwrap_or_default()))
    }

    /// Messages of a chat that the user has deleted for themselves since then, from `from` on,
    /// without their content.
    async fn newly_hidden(
        &self,
        user: &UserId,
        (chat, from): (ChatId, Seq),
        since: Timestamp,
    ) -> Result<Vec<model::Message>> {
        let mut hidden = self.store.hidden_since(user, since, MAX_HIDDEN_LISTED).await?;
        hidden.retain(|hidden| hidden.chat == chat && hidden.seq >= from);
        let places: Vec<_> = hidden.iter().map(|hidden| (hidden.chat, hidden.seq)).collect();
        let mut found = Vec::with_capacity(places.len());
        for some in places.chunks(MAX_PAGE as usize) {
            for mut message in self.store.messages(some).await? {
                message.text = String::new();
                message.reactions = Vec::new();
                found.push(message);
            }
        }
        Ok(found)
    }

    fn anchor(&self, user: &UserId, chat: ChatId, page: &Page) -> Result<Anchor> {
        if page.token.is_empty() {
            return match page.anchor {
                None => Ok(Anchor::Before(Seq::MAX)),
                Some(Anchor::Before(0)) => Err(Error::field("before_seq", "at least 1")),
                Some(anchor) => Ok(anchor),
            };
        }
        let token = unarmour(&page.token).ok_or_else(bad_token)?;
        let body = self.sealer.open(user, Purpose::History(chat), &token).ok_or_else(bad_token)?;
        Anchor::decode(body).ok_or_else(bad_token)
    }

    fn page_token(&self, user: &UserId, chat: ChatId, anchor: Anchor) -> String {
        armour(&self.sealer.seal(user, Purpose::History(chat), &anchor.encode()))
    }
}

impl Anchor {
    fn seq(self) -> Seq {
        match self {
            Self::Before(seq) | Self::After(seq) => seq,
            Self::Changed(cursor) => cursor.seq,
        }
    }
}

/// How many of these fit into one answer; at least one.
fn fitting(messages: &[proto::Message]) -> usize {
    let mut bytes = 0;
    let fits = messages.iter().take_while(|message| {
        bytes += message.encoded_len() + 8;
        bytes <= MAX_PAGE_BYTES
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_survives_its_token() {
        let cursor = ChangeCursor { at: Timestamp(-5), seq: 9 };
        for anchor in [Anchor::Before(7), Anchor::After(0), Anchor::Changed(cursor)] {
            assert_eq!(Anchor::decode(&anchor.encode()), Some(anchor));
        }
        assert_eq!(Anchor::decode(&[3; 13]), None);
        assert_eq!(Anchor::decode(&[0; 12]), None);
    }
}
