//! Making chats: a direct one is found or made, a group is made once per `client_chat_id`.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::Instrument as _;

use super::Service;
use super::limits::{COMPARE_EVERY, MAX_CHATS};
use super::people::user_id;
use super::text;
use crate::error::{Error, Reason, Result};
use crate::model::{Chat, ChatId, ChatKind, MessageId, NoteKind, Role, SystemNote, UserId};
use crate::proto;
use crate::store::{Created, NewChat, NewMessage, Span};
use crate::webhook::{Event as Happened, Kind};

/// What a client wants to make.
#[derive(Clone, Debug)]
pub struct ChatDraft {
    /// What sort.
    pub kind: ChatKind,
    /// The other members, as given.
    pub member_ids: Vec<String>,
    /// As given.
    pub title: String,
    /// As given.
    pub client_chat_id: String,
    /// As given; empty: none.
    pub avatar_url: String,
}

impl Service {
    /// Makes a chat or finds it; `true`: it was not there before.
    pub async fn create_chat(
        self: &Arc<Self>,
        user: &UserId,
        draft: ChatDraft,
    ) -> Result<(proto::Chat, bool)> {
        let (new, others) = match draft.kind {
            ChatKind::Direct => self.direct(user, &draft)?,
            ChatKind::Group => self.group(user, &draft)?,
        };
        if let Some(found) = self.check_blocks(user, &new, &others, &draft).await? {
            return Ok((self.show_chat(user, found).await?, false));
        }
        if let Some(found) = self.check_room(user, &new, &others).await? {
            return Ok((self.show_chat(user, found).await?, false));
        }
        // A caller that goes away half-way must not leave a chat that nobody was told of.
        let made = Arc::clone(self).make_and_tell(user.clone(), new);
        let made = self.tasks.spawn(made.in_current_span()).await;
        let (chat, created) =
            made.map_err(|_| Error::internal("making a chat ended without an answer"))??;
        Ok((self.show_chat(user, chat).await?, created))
    }

    async fn make_and_tell(self: Arc<Self>, user: UserId, new: NewChat) -> Result<(Chat, bool)> {
        let (chat, created) = match self.store.create_chat(new).await? {
            Created::Chat(chat, created) => (chat, created),
            other => return Err(not_made(&other)),
        };
        // A repeat may be of a call that had no answer, and told nobody: feeds know what was told.
        let young = chat.id.time() >= self.clock.now().minus(COMPARE_EVERY * 2);
        if created || (young && chat.kind == ChatKind::Group) {
            self.tell_of_chat(&user, &chat).await?;
        }
        Ok((chat, created))
    }

    fn direct(&self, user: &UserId, draft: &ChatDraft) -> Result<(NewChat, Vec<UserId>)> {
        let others = others(user, &draft.member_ids)?;
        let [other] = others.as_slice() else {
            return Err(Error::field("member_ids", "a direct chat is with exactly one other user"));
        };
        if !draft.title.is_empty() {
            return Err(Error::field("title", "a direct chat has no title"));
        }
        if !draft.client_chat_id.is_empty() {
            return Err(Error::field("client_chat_id", "for groups only"));
        }
        if !draft.avatar_url.is_empty() {
            return Err(Error::field("avatar_url", "for groups only"));
        }
        let id = ChatId(self.clock.new_id());
        let (key, content_hash) = self.direct_key(user, other);
        let new = NewChat {
            key: Some(key),
            id,
            content_hash,
            chat: shared(id, ChatKind::Direct, String::new(), user, 2),
            members: vec![(user.clone(), Role::Member), (other.clone(), Role::Member)],
            note: None,
        };
        Ok((new, others))
    }

    /// What the direct chat of these two is found by.
    pub(super) fn direct_key(&self, user: &UserId, other: &UserId) -> (String, [u8; 16]) {
        let (a, b) = if user < other { (user, other) } else { (other, user) };
        (format!("d|{a}|{b}"), self.sealer.content_hash(&[b"direct"]))
    }

    fn group(&self, user: &UserId, draft: &ChatDraft) -> Result<(NewChat, Vec<UserId>)> {
        let max = self.settings.max_group_members;
        if draft.member_ids.len() >= max as usize {
            return Err(Error::over_limit("member_ids", max - 1, "users besides you"));
        }
        let others = others(user, &draft.member_ids)?;
        let title = text::title(&draft.title)?;
        let avatar_url = text::avatar_url(&draft.avatar_url)?;
        if !draft.client_chat_id.is_empty() {
            text::client_id("client_chat_id", &draft.client_chat_id)?;
        }
        let mut parts = vec![b"group".as_slice(), title.as_bytes(), avatar_url.as_bytes()];
        parts.extend(others.iter().map(|other| other.as_str().as_bytes()));
        let content_hash = self.sealer.content_hash(&parts);
        let id = ChatId(self.clock.new_id());
        let count = u32::try_from(others.len() + 1).unwrap_or(u32::MAX);
        let mut members = vec![(user.clone(), Role::Owner)];
        members.extend(others.iter().map(|other| (other.clone(), Role::Member)));
        let new = NewChat {
            key: (!draft.client_chat_id.is_empty())
                .then(|| format!("g|{user}|{}", draft.client_chat_id)),
            id,
            content_hash,
            chat: Chat { avatar_url, ..shared(id, ChatKind::Group, title, user, count) },
            members,
            note: Some(self.group_created(id, user)),
        };
        Ok((new, others))
    }

    fn group_created(&self, chat: ChatId, by: &UserId) -> NewMessage {
        NewMessage {
            id: MessageId(self.clock.new_id()),
            chat,
            sender: None,
            client_message_id: "group-created".to_owned(),
            content_hash: self.sealer.content_hash(&[b"group-created"]),
            text: format!("{by} made the group"),
            attachments: Vec::new(),
            reply_to: None,
            mentions: Vec::new(),
            words: Vec::new(),
            note: Some(SystemNote {
                kind: NoteKind::GroupCreated,
                actor: Some(by.clone()),
                users: Vec::new(),
                title: String::new(),
            }),
            member_as_of: 0,
        }
    }

    /// Refuses a chat with someone between whom and its maker there is a block, unless it is there.
    async fn check_blocks(
        &self,
        user: &UserId,
        new: &NewChat,
        others: &[UserId],
        draft: &ChatDraft,
    ) -> Result<Option<Chat>> {
        let blocked = self.blocked_with(user, others).await?;
        let Some(first) = blocked.first() else { return Ok(None) };
        let there = match &new.key {
            Some(key) => self.store.find_chat(key, new.content_hash).await?,
            None => None,
        };
        match there {
            Some(Created::Chat(chat, _)) => Ok(Some(chat)),
            Some(other) => Err(not_made(&other)),
            None => {
                let at = draft.member_ids.iter().position(|id| id == first.as_str()).unwrap_or(0);
                Err(Error { field: format!("member_ids[{at}]").into(), ..Error::blocked() })
            }
        }
    }

    /// Refuses a chat that would be one too many for someone, unless it is a direct chat that is
    /// there.
    async fn check_room(
        &self,
        user: &UserId,
        new: &NewChat,
        others: &[UserId],
    ) -> Result<Option<Chat>> {
        let mut users = vec![user.clone()];
        users.extend_from_slice(others);
        let counts = self.store.count_memberships(&users).await?;
        if counts.iter().all(|count| (*count as usize) < MAX_CHATS) {
            return Ok(None);
        }
        if new.chat.kind == ChatKind::Direct
            && let Some(found) = self.direct_chat_with(user, &others[0]).await?
        {
            return Ok(Some(found));
        }
        let mut error =
            Error::new(Reason::TooManyChats, "you or one to be added is in too many chats");
        error.metadata.push(("limit", MAX_CHATS.to_string()));
        Err(error)
    }

    async fn direct_chat_with(&self, user: &UserId, other: &UserId) -> Result<Option<Chat>> {
        let mine = self.store.memberships(user).await?;
        let ids: Vec<ChatId> = mine.iter().map(|place| place.chat).collect();
        let chats = self.store.chats(&ids).await?;
        let direct: Vec<ChatId> =
            chats.iter().filter(|chat| chat.kind == ChatKind::Direct).map(|chat| chat.id).collect();
        let pairs = self.store.pairs(&direct).await?;
        let with = pairs.iter().find(|member| member.user == *other).map(|member| member.chat);
        Ok(chats.into_iter().find(|chat| Some(chat.id) == with))
    }

    /// A group begins with its note, which all members hear; a direct chat is told to its maker
    /// alone until something is written.
    async fn tell_of_chat(self: &Arc<Self>, user: &UserId, chat: &Chat) -> Result<()> {
        let members = self.store.members(chat.id).await?;
        let members: Vec<UserId> = members.into_iter().map(|member| member.user).collect();
        self.webhooks
            .note(Kind::ChatUpdated, || Happened::chat_updated(chat, &members, self.clock.now()));
        match chat.kind {
            ChatKind::Direct => {
                let event = self.chat_updated_event(chat).await?;
                let event = proto::event::Event::ChatUpdated(event);
                self.tell_users(std::slice::from_ref(user), event).await;
            }
            ChatKind::Group => {
                for note in self.store.history(chat.id, Span::After(0), 1, 1).await? {
                    self.tell_of_message(&note).await;
                }
            }
        }
        Ok(())
    }
}

/// Why there is no such chat.
fn not_made(created: &Created) -> Error {
    match created {
        Created::Reused => Error::new(
            Reason::ClientIdReused,
            "this client_chat_id was used for another content; the first stays",
        ),
        Created::Deleted | Created::Chat(..) => Error::chat_not_found(),
    }
}

/// The other members, each once, by id.
fn others(user: &UserId, raw: &[String]) -> Result<Vec<UserId>> {
    let mut others = BTreeSet::new();
    for (at, id) in raw.iter().enumerate() {
        let id = user_id(format!("member_ids[{at}]"), id)?;
        if id != *user {
            others.insert(id);
        }
    }
    Ok(others.into_iter().collect())
}

/// What all members share of a new chat.
fn shared(id: ChatId, kind: ChatKind, title: String, by: &UserId, count: u32) -> Chat {
    Chat {
        id,
        kind,
        title,
        avatar_url: String::new(),
        created_by: by.clone(),
        member_count: count,
        revision: 1,
        deleted_at: None,
        untold: false,
    }
}
