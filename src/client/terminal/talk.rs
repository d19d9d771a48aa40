//! One chat on screen: what is heard of it and what is typed into it.

use std::sync::Arc;

use super::screen::Screen;
use super::{Client, Link, News, Place, Shown, Stopped, messages};
use crate::client::{ChatView, Presence, Progress};
use crate::clock::Clock;

/// The chat, without the way to the engine: what it looks like.
pub(super) struct View {
    pub(super) screen: Screen,
    clock: Arc<dyn Clock>,
    pub(super) place: Place,
    chat: Option<ChatView>,
    presence: Option<Presence>,
    link: Option<Link>,
    typing: Vec<String>,
    waiting: usize,
    told_waiting: usize,
}

/// The chat, and whom to tell.
pub(super) struct Talk {
    pub(super) client: Client,
    pub(super) view: View,
}

impl Talk {
    pub(super) fn new(client: Client, place: Place, screen: Screen, clock: Arc<dyn Clock>) -> Self {
        let view = View {
            screen,
            clock,
            place,
            chat: None,
            presence: None,
            link: None,
            typing: Vec::new(),
            waiting: 0,
            told_waiting: 0,
        };
        Self { client, view }
    }

    /// Shows what is held, before anything is heard.
    pub(super) async fn begin(&mut self, server: &str) -> Result<(), Stopped> {
        let screen = self.client.open(self.view.place.clone()).await?;
        let view = &mut self.view;
        let title = screen.chat.title.clone();
        view.screen.aside(&format!("{title}, as {} on {server}; /help helps", view.me()));
        view.take_chat(screen.chat);
        view.waiting = self.client.waiting().await?;
        let seen = view.messages(screen.tail);
        view.settle();
        self.seen(seen).await
    }

    /// Something was heard.
    pub(super) async fn heard(&mut self, news: News) -> Result<(), Stopped> {
        let sent = matches!(news, News::Ticks(_) | News::Failed { .. } | News::Messages(_));
        let seen = self.view.heard(news);
        if sent && self.view.waiting > 0 {
            self.view.waiting = self.client.waiting().await?;
        }
        self.view.settle();
        self.seen(seen).await
    }

    /// A line was typed; `false`: the user leaves.
    pub(super) async fn typed(&mut self, line: &str) -> Result<bool, Stopped> {
        let line = line.trim_end();
        if line.trim().is_empty() {
            return Ok(true);
        }
        if let Some(command) = line.strip_prefix('/') {
            return self.command(command).await;
        }
        let shown = self.client.say(self.view.place.clone(), line.to_owned()).await?;
        self.view.waiting = self.client.waiting().await?;
        self.view.screen.message(shown);
        self.view.settle();
        Ok(true)
    }

    /// The user writes, or has stopped.
    pub(super) async fn typing(&mut self, typing: bool) -> Result<(), Stopped> {
        self.client.typing(self.view.place.clone(), typing).await
    }

    pub(super) fn resized(&mut self, columns: usize, rows: usize) {
        self.view.screen.resized(columns, rows);
    }

    pub(super) async fn seen(&mut self, seqs: Vec<u32>) -> Result<(), Stopped> {
        let Some(chat) = self.view.chat_id() else { return Ok(()) };
        if seqs.is_empty() {
            return Ok(());
        }
        self.client.seen(chat, seqs).await
    }

    /// The way to the engine, and what it looks like.
    pub(super) fn part(self) -> (Client, View) {
        (self.client, self.view)
    }
}

impl View {
    fn me(&self) -> &str {
        &self.screen.paper.me
    }

    fn chat_id(&self) -> Option<String> {
        self.chat.as_ref().map(|chat| chat.chat_id.clone()).filter(|id| !id.is_empty())
    }

    fn is_here(&self, chat_id: &str) -> bool {
        self.chat.as_ref().is_some_and(|chat| chat.chat_id == chat_id)
    }

    fn take_chat(&mut self, chat: ChatView) {
        self.screen.paper.names.clone_from(&chat.names);
        if let Some(presence) = chat.presence {
            self.take_presence(chat.peer.as_deref().unwrap_or_default(), presence);
        }
        self.chat = Some(chat);
    }

    fn take_presence(&mut self, user: &str, presence: Presence) {
        let before = self.presence.replace(presence);
        let same = before.is_some_and(|before| before.online == presence.online);
        let unknown = !presence.online && presence.at.is_none();
        let news = !same && (before.is_some() || !unknown);
        if news {
            let text = self.screen.paper.presence(user, presence, self.clock.now());
            self.screen.aside(&text);
        }
    }

    /// Shows what is heard when nothing is to be answered any more.
    pub(super) fn show(&mut self, news: News) {
        self.heard(news);
        self.settle();
    }

    /// Says what stays behind.
    pub(super) fn say_waiting(&mut self, count: usize) {
        self.screen.status(None);
        let text = format!("{} in the outbox: they go out with the next run", messages(count));
        self.screen.aside(&text);
    }

    /// Shows what is heard; answers what of it the user sees.
    fn heard(&mut self, news: News) -> Vec<u32> {
        match news {
            News::Link(link) => self.heard_link(&link),
            News::Chat(chat) => {
                let known = self.chat_id();
                if known.is_none_or(|known| known == chat.chat_id) || self.is_peer(&chat) {
                    self.take_chat(chat);
                }
            }
            News::Messages(new) => {
                if new.first().is_some_and(|first| self.is_here(&first.chat_id)) {
                    return self.messages(new);
                }
            }
            News::Changed(new) => {
                if self.is_here(&new.chat_id) {
                    self.screen.changed(new);
                }
            }
            News::Ticks(ticks) => self.screen.ticks(&ticks),
            News::Failed { client_message_id, text, why } => {
                self.screen.changed(self.failed(client_message_id, text, why));
            }
            News::Elsewhere(chat) => {
                self.screen.aside(&format!("{}: {} unread; /chats", chat.title, chat.unread));
            }
            News::Left(chat) if self.is_here(&chat) => {
                self.screen.aside("you are in this chat no longer");
            }
            News::Typing { chat_id, user_id, typing } if self.is_here(&chat_id) => {
                self.typing.retain(|user| *user != user_id);
                if typing {
                    self.typing.push(user_id);
                    if self.screen.is_pipe() {
                        let text = self.typing_text();
                        self.screen.status(text);
                    }
                }
            }
            News::Presence { user_id, presence } => {
                let peer = self.chat.as_ref().and_then(|chat| chat.peer.as_ref());
                if peer == Some(&user_id) {
                    self.take_presence(&user_id, presence);
                }
            }
            News::Blocked { user_id, blocked } => {
                let now = if blocked { "is blocked" } else { "is not blocked any more" };
                self.screen.aside(&format!("{user_id} {now}"));
            }
            News::NotBlocked { user_id, why } => self.screen.aside(&format!("{user_id}: {why}")),
            News::Refused(why) => self.screen.aside(&why),
            News::Left(_) | News::Typing { .. } => {}
        }
        Vec::new()
    }

    /// The other one, where there is just one.
    pub(super) fn peer(&self) -> Option<&str> {
        match &self.place {
            Place::Peer(peer) => Some(peer),
            Place::Chat(_) => self.chat.as_ref().and_then(|chat| chat.peer.as_deref()),
        }
    }

    fn is_peer(&self, chat: &ChatView) -> bool {
        matches!(&self.place, Place::Peer(peer) if chat.peer.as_ref() == Some(peer))
    }

    fn failed(&self, client_message_id: String, text: String, why: String) -> Shown {
        Shown {
            chat_id: self.chat_id().unwrap_or_default(),
            seq: 0,
            client_message_id,
            sender_id: self.me().to_owned(),
            at: self.clock.now(),
            text,
            edited: false,
            deleted: false,
            unread: false,
            progress: Progress::Failed(why),
        }
    }

    /// Shows messages; those that were unread are announced, and are read from now on.
    fn messages(&mut self, new: Vec<Shown>) -> Vec<u32> {
        let unread = new.iter().filter(|shown| shown.unread).count();
        let before = self.chat.as_ref().map_or(0, |chat| chat.unread as usize);
        let mut announced = unread < 2;
        let mut seen = Vec::new();
        for shown in new {
            if shown.seq > 0 {
                seen.push(shown.seq);
            }
            if shown.unread && !announced {
                announced = true;
                let further = before.saturating_sub(unread);
                self.announce(unread, further);
            }
            if shown.sender_id == self.me() && self.screen.has(&shown.client_message_id) {
                self.settle_own(shown);
                continue;
            }
            self.typing.retain(|user| *user != shown.sender_id);
            self.screen.message(shown);
        }
        if let Some(chat) = &mut self.chat {
            chat.unread = chat.unread.saturating_sub(u32::try_from(unread).unwrap_or(u32::MAX));
        }
        seen
    }

    fn announce(&mut self, unread: usize, further: usize) {
        let more = if further > 0 {
            format!(", and {further} further up: /history {}", unread + further)
        } else {
            String::new()
        };
        self.screen.aside(&format!("— {unread} unread{more} —"));
    }

    /// An own message that stands here already comes from the server.
    fn settle_own(&mut self, shown: Shown) {
        if let Progress::State(state) = shown.progress {
            let tick = crate::client::Tick {
                chat_id: shown.chat_id,
                seq: shown.seq,
                client_message_id: shown.client_message_id,
                state,
            };
            self.screen.ticks(&[tick]);
        }
    }

    fn heard_link(&mut self, link: &Link) {
        let before = self.link.replace(link.clone());
        match (link, before) {
            (Link::Over(why), _) => self.screen.aside(&format!("not connected: {why}")),
            (Link::Up, Some(_)) if self.screen.is_pipe() => self.screen.aside("connected"),
            (Link::Down(why), _) if self.screen.is_pipe() => {
                self.screen.aside(&format!("reconnecting … ({why})"));
            }
            _ => {}
        }
        if !matches!(link, Link::Up) {
            self.typing.clear();
        }
    }

    fn typing_text(&self) -> Option<String> {
        let names: Vec<_> = self.typing.iter().map(|user| self.screen.paper.name(user)).collect();
        match names.as_slice() {
            [] => None,
            [one] => Some(format!("{one} is typing …")),
            some => Some(format!("{} are typing …", some.join(", "))),
        }
    }

    /// Says how things are, below all lines.
    fn settle(&mut self) {
        let up = matches!(self.link, Some(Link::Up));
        let waiting = match self.waiting {
            0 => None,
            some => Some(format!("waiting: {} in the outbox", messages(some))),
        };
        if self.screen.is_pipe() {
            self.told_waiting = self.told_waiting.min(self.waiting);
            let away = matches!(self.link, Some(Link::Down(_)));
            if away && self.waiting > self.told_waiting {
                self.told_waiting = self.waiting;
                self.screen.status(waiting);
            }
            return;
        }
        let link = match &self.link {
            Some(Link::Down(why)) => Some(format!("reconnecting … ({why})")),
            _ => None,
        };
        let text = match (link, waiting, up) {
            (Some(link), Some(waiting), _) => Some(format!("{link}; {waiting}")),
            (Some(link), None, _) => Some(link),
            (None, Some(waiting), false) => Some(waiting),
            _ => self.typing_text(),
        };
        self.screen.status(text);
    }

    pub(super) fn show_chats(&mut self, chats: &[ChatView]) {
        if chats.is_empty() {
            self.screen.aside("no chats yet");
        }
        for chat in chats {
            let text = self.screen.paper.chat(chat);
            self.screen.plain(&text);
        }
    }

    pub(super) fn show_history(&mut self, shown: Vec<Shown>) -> Vec<u32> {
        if shown.is_empty() {
            self.screen.aside("nothing was said here yet");
        }
        let seen = shown.iter().map(|shown| shown.seq).filter(|seq| *seq > 0).collect();
        for shown in shown {
            let text = self.screen.paper.message(&shown);
            self.screen.plain(&text);
        }
        seen
    }

    pub(super) fn show_who(&mut self, chats: &[ChatView]) {
        let here = self.chat_id();
        let now = chats.iter().find(|chat| Some(&chat.chat_id) == here.as_ref());
        let Some(chat) = now.or(self.chat.as_ref()) else { return };
        let paper = &self.screen.paper;
        let text = match (&chat.peer, self.presence) {
            (Some(peer), Some(presence)) => paper.presence(peer, presence, self.clock.now()),
            (Some(peer), None) => {
                format!("{}: presence shows once they have written here", paper.name(peer))
            }
            (None, _) => {
                let names: Vec<_> = chat.names.iter().map(|(_, name)| name.as_str()).collect();
                format!("{}: {}", chat.title, names.join(", "))
            }
        };
        self.screen.aside(&text);
    }
}
