//! What is asked beside the stream: chats, pages, tokens. Each answer is merged by the rules and
//! may ask for the next.

use tokio::sync::oneshot;

use super::live::InFlight;
use super::{End, Engine, Line};
use crate::client::apply::{Apply, Effects};
use crate::client::disk::{self, chats, messages, outbox};
use crate::client::merge::stamp;
use crate::client::news::News;
use crate::client::trouble::Trouble;
use crate::client::{Place, Shown};
use crate::clock::Timestamp;
use crate::proto::connect_request::Command;
use crate::proto::list_messages_request::Anchor;
use crate::proto::{
    self, ChatKind, CreateChatRequest, GetChatRequest, ListChatsRequest, ListMessagesRequest,
    RefreshToken,
};

/// Messages in the first look at a chat, and in a step back into its history.
const PAGE: u32 = 50;
/// Messages in a page that mends.
const MEND_PAGE: u32 = 200;
/// More than this is not fetched to the last: the newest page is what is looked at.
const TOO_MUCH: u32 = 1000;

type Came<T> = Result<T, Trouble>;

/// An answer has come.
pub(super) enum Job {
    Peer { peer: String, came: Came<proto::CreateChatResponse> },
    Chat { chat: String, came: Came<proto::GetChatResponse> },
    Chats { came: Came<proto::ListChatsResponse> },
    Page { chat: String, why: Why, came: Came<proto::ListMessagesResponse> },
    Block { user: String, came: Came<()> },
    Token(Came<String>),
}

/// What a page of messages is for.
pub(super) enum Why {
    /// The first look at a chat, or one from which too much is lacking.
    Newest,
    /// What lacks above what is held; `to`: or up to there, where it is a hole.
    After { to: Option<u32> },
    /// What has changed of what is held.
    Changed,
    /// A step back.
    Older { place: Place, count: u32, answer: oneshot::Sender<Vec<Shown>> },
}

impl Engine {
    /// Asks for the direct chat with a user, which is made if there is none.
    pub(super) fn find_peer(&mut self, peer: String) {
        let Line::Up(live) = &mut self.line else { return };
        let calls = live.calls.clone();
        live.start(async move {
            let request = CreateChatRequest {
                kind: ChatKind::Direct.into(),
                member_ids: vec![peer.clone()],
                ..CreateChatRequest::default()
            };
            Job::Peer { peer, came: calls.create_chat(request).await }
        });
    }

    /// Asks for one chat as it is now.
    pub(super) fn ask_chat(&mut self, chat: String) {
        let Line::Up(live) = &mut self.line else { return };
        let calls = live.calls.clone();
        live.start(async move {
            let request = GetChatRequest { chat_id: chat.clone() };
            Job::Chat { chat, came: calls.get_chat(request).await }
        });
    }

    /// Asks for a page of the inbox.
    pub(super) fn list_chats(&mut self, page_token: String) {
        let Line::Up(live) = &mut self.line else { return };
        let calls = live.calls.clone();
        live.start(async move {
            let request =
                ListChatsRequest { page_size: 100, page_token, ..ListChatsRequest::default() };
            Job::Chats { came: calls.list_chats(request).await }
        });
    }

    /// Gets a token that lasts longer and gives it to the stream.
    pub(super) fn renew_token(&mut self) {
        let sign_in = self.link.sign_in.clone();
        let Line::Up(live) = &mut self.line else { return };
        live.start(async move { Job::Token(sign_in.token(true).await) });
    }

    /// Asks that a user be blocked, or no more. That it was done is told by an event.
    pub(super) fn block(&mut self, user: String, blocked: bool) {
        let Line::Up(live) = &mut self.line else {
            let why = "the server is away".to_owned();
            return self.tell(News::NotBlocked { user_id: user, why });
        };
        let calls = live.calls.clone();
        live.start(async move {
            let user_id = user.clone();
            let came = if blocked {
                calls.block_user(proto::BlockUserRequest { user_id }).await.map(drop)
            } else {
                calls.unblock_user(proto::UnblockUserRequest { user_id }).await.map(drop)
            };
            Job::Block { user, came }
        });
    }

    fn page(&mut self, chat: &str, why: Why, request: ListMessagesRequest) {
        let Line::Up(live) = &mut self.line else { return };
        let (calls, chat) = (live.calls.clone(), chat.to_owned());
        live.start(async move {
            let request = ListMessagesRequest { chat_id: chat.clone(), ..request };
            Job::Page { chat, why, came: calls.list_messages(request).await }
        });
    }

    /// Looks what lacks of a chat's messages and asks for it: one page at a time.
    pub(super) fn mend(&mut self, chat: &str) -> Result<(), End> {
        let held = chats::held(self.disk.db(), chat)?;
        let on_screen = self.screen.contains_key(chat);
        let hole = messages::beyond_hole(self.disk.db(), chat, held.solid)?;
        let Line::Up(live) = &mut self.line else { return Ok(()) };
        if !live.ready || live.listing.is_some() || live.mending.contains(chat) {
            return Ok(());
        }
        let lacks = held.head.saturating_sub(held.solid);
        let stale = held.stale.is_some() && on_screen;
        let after = Anchor::AfterSeq(held.solid);
        let (why, page_size, anchor) = if held.floor == 0 {
            if !on_screen || held.head == 0 {
                return Ok(());
            }
            (Why::Newest, PAGE, None)
        } else if lacks > TOO_MUCH && (stale || hole.is_some()) {
            (Why::Newest, PAGE, None)
        } else if stale {
            (Why::After { to: None }, MEND_PAGE, Some(after))
        } else if let Some(hole) = hole {
            (Why::After { to: Some(hole) }, MEND_PAGE, Some(after))
        } else {
            return Ok(());
        };
        live.mending.insert(chat.to_owned());
        let request = ListMessagesRequest { page_size, anchor, ..ListMessagesRequest::default() };
        self.page(chat, why, request);
        Ok(())
    }

    fn changed_since(&mut self, chat: &str, since: Timestamp, page_token: String) {
        let anchor = Some(Anchor::ChangedSince(stamp(since)));
        let request = ListMessagesRequest {
            page_size: MEND_PAGE,
            page_token,
            anchor,
            ..ListMessagesRequest::default()
        };
        self.page(chat, Why::Changed, request);
    }

    /// Asks for what is below what is held, to show it.
    pub(super) fn step_back(
        &mut self,
        chat: &str,
        place: Place,
        count: u32,
        answer: oneshot::Sender<Vec<Shown>>,
    ) -> Result<(), End> {
        let held = chats::held(self.disk.db(), chat)?;
        let lacks = count.saturating_sub(held.solid + 1 - held.floor);
        let request = ListMessagesRequest {
            page_size: lacks.clamp(PAGE, MEND_PAGE),
            anchor: Some(Anchor::BeforeSeq(held.floor)),
            ..ListMessagesRequest::default()
        };
        self.page(chat, Why::Older { place, count, answer }, request);
        Ok(())
    }

    pub(super) fn job_done(&mut self, job: Job) -> Result<(), End> {
        match job {
            Job::Peer { peer, came: Ok(answer) } => match answer.chat {
                Some(chat) => self.found_peer(&peer, chat),
                None => Ok(()),
            },
            Job::Peer { peer, came: Err(trouble) } => self.no_peer(&peer, trouble),
            Job::Chat { chat, came } => self.chat_answered(&chat, came),
            Job::Chats { came: Ok(page) } => self.chats_listed(page),
            Job::Page { chat, why, came } => self.page_answered(&chat, why, came),
            Job::Token(Ok(token)) => {
                let Line::Up(live) = &mut self.line else { return Ok(()) };
                let refresh = Command::RefreshToken(RefreshToken { token });
                let ack_id = live.ack_id();
                // Without room the stream ends with its token, and the next has a new one.
                live.command(ack_id, refresh, InFlight::Other);
                Ok(())
            }
            Job::Token(Err(trouble)) => {
                // Until the token ends there is time to ask again.
                tracing::debug!(?trouble, "no new token");
                let Line::Up(live) = &mut self.line else { return Ok(()) };
                let pause = std::time::Duration::from_secs(10);
                live.token_due = Some(tokio::time::Instant::now() + pause);
                Ok(())
            }
            Job::Block { user, came: Err(Trouble::Over(why)) } => {
                self.tell(News::NotBlocked { user_id: user, why });
                Ok(())
            }
            Job::Block { .. } => Ok(()),
            Job::Chats { came: Err(trouble) } => {
                self.cut(trouble);
                Ok(())
            }
        }
    }

    fn merged(
        &mut self,
        what: impl FnOnce(&mut Apply<'_>) -> rusqlite::Result<()>,
    ) -> Result<Effects, End> {
        let mut effects = Effects::default();
        let me = self.me.as_str();
        self.disk.write(|db| what(&mut Apply { db, me, effects: &mut effects }))?;
        if let Line::Up(live) = &mut self.line
            && let Some(listing) = &mut live.listing
        {
            listing.heard.extend(effects.heard.iter().cloned());
        }
        Ok(effects)
    }

    fn found_peer(&mut self, peer: &str, chat: proto::Chat) -> Result<(), End> {
        let id = chat.chat_id.clone();
        let effects = self.merged(|apply| {
            apply.chat(chat)?;
            chats::found_peer(apply.db, peer, &id)
        })?;
        self.effects(effects)?;
        if self.peers.remove(peer) {
            self.screen.entry(id.clone()).or_default();
            self.join(&id);
            self.mend(&id)?;
        }
        Ok(())
    }

    fn no_peer(&mut self, peer: &str, trouble: Trouble) -> Result<(), End> {
        let Trouble::Over(why) = trouble else { return Ok(()) };
        let waiting = outbox::of(self.disk.db(), &Place::Peer(peer.to_owned()))?;
        self.disk.write(|db| outbox::fail_peer(db, peer, &why))?;
        for row in waiting.into_iter().filter(|row| row.failed.is_none()) {
            let (client_message_id, text) = (row.client_message_id, row.text);
            self.tell(News::Failed { client_message_id, text, why: why.clone() });
        }
        self.tell(News::Refused(format!("cannot open the chat with {peer}: {why}")));
        Ok(())
    }

    fn chat_answered(&mut self, chat: &str, came: Came<proto::GetChatResponse>) -> Result<(), End> {
        match came {
            Ok(answer) => {
                let Some(new) = answer.chat else { return Ok(()) };
                let effects = self.merged(|apply| apply.chat(new))?;
                self.effects(effects)?;
                self.mend(chat)
            }
            Err(Trouble::Over(why)) if self.screen.contains_key(chat) => self.lost(chat, &why),
            // It was left meanwhile.
            Err(_) => Ok(()),
        }
    }

    /// A chat on screen is not there. One with a peer may be there under another name.
    pub(super) fn lost(&mut self, chat: &str, why: &str) -> Result<(), End> {
        let peer = chats::peer_of(self.disk.db(), chat)?;
        self.disk.write(|db| chats::forget(db, chat))?;
        self.screen.remove(chat);
        match peer {
            Some(peer) => {
                self.peers.insert(peer.clone());
                self.find_peer(peer);
            }
            None => self.tell(News::Refused(format!("cannot open this chat: {why}"))),
        }
        Ok(())
    }

    fn chats_listed(&mut self, page: proto::ListChatsResponse) -> Result<(), End> {
        let listed: Vec<_> = page.chats.iter().map(|chat| chat.chat_id.clone()).collect();
        let mut effects =
            self.merged(|apply| page.chats.into_iter().try_for_each(|chat| apply.chat(chat)))?;
        // The whole inbox is no news of each chat in it.
        effects.renewed.retain(|chat| self.screen.contains_key(chat));
        self.effects(effects)?;
        let Line::Up(live) = &mut self.line else { return Ok(()) };
        let Some(listing) = &mut live.listing else { return Ok(()) };
        listing.listed.extend(listed);
        if !page.next_page_token.is_empty() {
            self.list_chats(page.next_page_token);
            return Ok(());
        }
        let Some(listing) = live.listing.take() else { return Ok(()) };
        let checkpoint = live.checkpoint.take();
        self.disk.write(|db| {
            for chat in chats::ids(db)? {
                if !listing.listed.contains(&chat) && !listing.heard.contains(&chat) {
                    chats::forget(db, &chat)?;
                }
            }
            checkpoint.map_or(Ok(()), |at| disk::keep_checkpoint(db, &at))
        })?;
        for chat in chats::ids(self.disk.db())? {
            self.mend(&chat)?;
        }
        Ok(())
    }

    fn page_answered(
        &mut self,
        chat: &str,
        why: Why,
        came: Came<proto::ListMessagesResponse>,
    ) -> Result<(), End> {
        let page = match came {
            Ok(page) => page,
            Err(trouble) => {
                tracing::debug!(?trouble, "no page of messages");
                if let Why::Older { place, count, answer } = why {
                    let shown = self.newest(&place, count)?;
                    drop(answer.send(shown));
                }
                return Ok(());
            }
        };
        let newest = page.messages.iter().map(|message| message.seq).max();
        let last = page.next_page_token.is_empty();
        let mends = matches!(why, Why::Changed);
        let mut held = chats::held(self.disk.db(), chat)?;
        let effects = self.merged(|apply| {
            let new = |seq: u32| !mends || (held.floor..=held.solid).contains(&seq);
            for message in page.messages.into_iter().filter(|message| new(message.seq)) {
                apply.message(message)?;
            }
            let from = newest.filter(|_| matches!(why, Why::Newest));
            messages::settle(apply.db, chat, from)?;
            held = chats::held(apply.db, chat)?;
            if let Why::After { to: Some(to) } = why
                && last
                && held.solid < to
            {
                // What is not there cannot be had: no hole that this client can fill.
                messages::settle(apply.db, chat, Some(to))?;
            }
            if last && mends {
                chats::not_stale(apply.db, chat)?;
            }
            Ok(())
        })?;
        self.effects(effects)?;
        match (why, held.stale) {
            (Why::Older { place, count, answer }, _) => {
                let shown = self.newest(&place, count)?;
                drop(answer.send(shown));
                return Ok(());
            }
            (Why::Changed, Some(since)) if !last => {
                self.changed_since(chat, since, page.next_page_token);
                return Ok(());
            }
            (Why::After { to: None }, Some(since)) if last => {
                self.changed_since(chat, since, String::new());
                return Ok(());
            }
            (Why::Newest, Some(since)) => {
                self.changed_since(chat, since, String::new());
                return Ok(());
            }
            _ => {}
        }
        if let Line::Up(live) = &mut self.line {
            live.mending.remove(chat);
        }
        if !matches!((newest, last), (None, true)) || mends {
            self.mend(chat)?;
        }
        Ok(())
    }
}
