//! A chat and its messages as one member sees them.

use std::collections::{HashMap, HashSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::Service;
use super::access::Admitted;
use super::attachments::Links;
use super::limits::MAX_RECEIPT_MEMBERS;
use crate::error::Result;
use crate::model::{Chat, ChatId, ChatKind, Member, Message, Role, Seq, User, UserId};
use crate::proto;
use crate::store::{self, Head};
use crate::wire::{self, EncodedFrame};

/// Store reads under way at once for one answer.
const READS: usize = 8;

/// A chat to be shown to one of its members.
#[derive(Clone, Debug)]
pub struct Row {
    /// The chat.
    pub chat: Chat,
    /// The place of who looks.
    pub place: Member,
    /// The newest message.
    pub head: Option<Head>,
    /// What is unread up to it.
    pub unread: u32,
}

/// Who is listed in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Both of a direct chat, none of a group.
    Pairs,
    /// All, or the leaders of a large group.
    Members,
}

/// How far a message of `sender` has come, given all members of the chat.
fn receipts(message: &mut proto::Message, sender: &UserId, members: &[Member]) {
    let seq = message.seq;
    let others = || members.iter().filter(|m| m.user != *sender && m.visible_from <= seq);
    let who = |has: &dyn Fn(&Member) -> bool| -> Vec<String> {
        others().filter(|m| has(m)).map(|m| m.user.to_string()).collect()
    };
    message.read_by = who(&|m| m.read.contains(seq));
    message.delivered_to = who(&|m| m.delivered.contains(seq) || m.read.contains(seq));
    let waited_for = others().count();
    let state = if waited_for == 0 || message.delivered_to.len() < waited_for {
        proto::MessageState::Sent
    } else if message.read_by.len() < waited_for {
        proto::MessageState::Delivered
    } else {
        proto::MessageState::Seen
    };
    message.set_state(state);
}

impl Service {
    /// Messages of one chat as `user` sees them: own ones with their ticks.
    pub(super) async fn show_messages(
        &self,
        user: &UserId,
        chat: &Chat,
        messages: &[Message],
    ) -> Result<Vec<proto::Message>> {
        let own = messages.iter().any(|message| message.sender.as_ref() == Some(user));
        let members = async {
            let mut members = Vec::new();
            if own && chat.member_count as usize <= MAX_RECEIPT_MEMBERS {
                members = self.store.members(chat.id).await?;
            }
            if chat.kind == ChatKind::Direct {
                self.mask_pairs(user, &mut members).await?;
            }
            Ok(members)
        };
        let (members, hidden) = tokio::try_join!(members, self.hidden_of(user, messages))?;
        let messages = self.with_previews(messages).await?;
        let seen = (&hidden, &self.links);
        Ok(messages.iter().map(|message| show(user, message, &members, seen)).collect())
    }

    /// Where those of these messages stand that the user has deleted for themselves.
    pub(super) async fn hidden_of(
        &self,
        user: &UserId,
        messages: &[Message],
    ) -> Result<HashSet<(ChatId, Seq)>> {
        if messages.is_empty() {
            return Ok(HashSet::new());
        }
        let places: Vec<_> = messages.iter().map(|message| (message.chat, message.seq)).collect();
        Ok(self.store.hidden(user, &places).await?.into_iter().collect())
    }

    /// Chats as their member sees them, in the order given.
    pub(super) async fn show_chats(
        &self,
        user: &UserId,
        rows: Vec<Row>,
        listed: Listed,
    ) -> Result<Vec<proto::Chat>> {
        let direct: Vec<ChatId> = rows
            .iter()
            .filter(|row| row.chat.kind == ChatKind::Direct)
            .map(|row| row.chat.id)
            .collect();
        let heads: Vec<(ChatId, Seq)> =
            rows.iter().filter_map(|row| row.head).map(|head| (head.chat, head.seq)).collect();
        let (newest, mut pairs, hidden) = tokio::try_join!(
            self.store.messages(&heads),
            self.store.pairs(&direct),
            self.store.hidden(user, &heads),
        )?;
        self.mask_pairs(user, &mut pairs).await?;
        let hidden = hidden.into_iter().collect();
        let newest: HashMap<ChatId, Message> =
            newest.into_iter().map(|message| (message.chat, message)).collect();
        let members = self.members_shown(user, &rows, &newest, pairs, listed).await?;
        let users = self.users_of(&members, &rows).await?;
        let presence = self.presence_of_peers(user, &direct, &members).await?;
        let shown = rows.into_iter().map(|row| {
            let members = members.get(&row.chat.id).map_or(&[][..], Vec::as_slice);
            let mut chat = wire::chat(&row.chat);
            chat.members = listed_members(&row, members, &users, listed);
            chat.last_seq = row.head.map_or(0, |head| head.seq);
            chat.unread_count = Some(row.unread);
            chat.updated_at = Some(wire::timestamp(updated_at(&row.chat, row.head)));
            chat.muted_until = row.place.settings.muted_until.map(wire::timestamp);
            chat.settings = Some(wire::settings(&row.place.settings));
            chat.presence = presence.get(&row.chat.id).copied();
            // Who has just come may see nothing yet.
            let newest = newest.get(&row.chat.id);
            let visible = newest.filter(|message| message.seq >= row.place.visible_from);
            chat.last_message = visible.map(|message| {
                let mut shown = show(user, message, members, (&hidden, &self.links));
                shown.delivered_to.clear();
                shown.read_by.clear();
                shown
            });
            chat.membership =
                Some(wire::member_with_receipts(&row.place, users.get(&row.place.user)));
            chat
        });
        Ok(shown.collect())
    }

    /// Members by chat: of direct chats both; of groups all, where they are listed or the newest
    /// message is the caller's own and has ticks.
    async fn members_shown(
        &self,
        user: &UserId,
        rows: &[Row],
        newest: &HashMap<ChatId, Message>,
        pairs: Vec<Member>,
        listed: Listed,
    ) -> Result<HashMap<ChatId, Vec<Member>>> {
        let mut by_chat: HashMap<ChatId, Vec<Member>> = HashMap::new();
        for member in pairs {
            by_chat.entry(member.chat).or_default().push(member);
        }
        let groups = rows.iter().filter(|row| row.chat.kind == ChatKind::Group).filter(|row| {
            let own = newest.get(&row.chat.id).and_then(|message| message.sender.as_ref());
            let ticks = row.chat.member_count as usize <= MAX_RECEIPT_MEMBERS;
            listed == Listed::Members || (ticks && own == Some(user))
        });
        let groups: Vec<ChatId> = groups.map(|row| row.chat.id).collect();
        let reads = groups
            .into_iter()
            .map(|id| async move { self.store.members(id).await.map(|members| (id, members)) });
        let groups: Vec<_> = stream::iter(reads).buffer_unordered(READS).try_collect().await?;
        by_chat.extend(groups);
        Ok(by_chat)
    }

    async fn users_of(
        &self,
        members: &HashMap<ChatId, Vec<Member>>,
        rows: &[Row],
    ) -> store::Result<HashMap<UserId, User>> {
        let shown = members.values().filter(|members| members.len() <= MAX_RECEIPT_MEMBERS);
        let large = members.values().filter(|members| members.len() > MAX_RECEIPT_MEMBERS);
        let ids: HashSet<UserId> = shown
            .flatten()
            .chain(large.flatten().filter(|member| member.role > Role::Member))
            .chain(rows.iter().map(|row| &row.place))
            .map(|member| member.user.clone())
            .collect();
        let ids: Vec<UserId> = ids.into_iter().collect();
        self.users_by_id(&ids).await
    }

    /// What is known of these users, by id.
    pub(super) async fn users_by_id(&self, ids: &[UserId]) -> store::Result<HashMap<UserId, User>> {
        let users = self.store.users(ids).await?;
        Ok(users.into_iter().map(|user| (user.id.clone(), user)).collect())
    }

    /// The frame that tells of a chat's shared fields.
    pub(super) async fn chat_updated(&self, chat: &Chat) -> store::Result<EncodedFrame> {
        let event = self.chat_updated_event(chat).await?;
        Ok(wire::event_frame(proto::event::Event::ChatUpdated(event)))
    }

    /// The event that tells of a chat's shared fields.
    pub(super) async fn chat_updated_event(
        &self,
        chat: &Chat,
    ) -> store::Result<proto::ChatUpdated> {
        let members = leaders_of_large(self.store.members(chat.id).await?);
        let ids: Vec<UserId> = members.iter().map(|member| member.user.clone()).collect();
        let users = self.users_by_id(&ids).await?;
        let mut shown = wire::chat(chat);
        shown.members =
            members.iter().map(|member| wire::member(member, users.get(&member.user))).collect();
        Ok(proto::ChatUpdated { chat: Some(shown), removed: false })
    }

    /// One chat, with its members.
    pub async fn get_chat(&self, user: &UserId, chat_id: &str) -> Result<proto::Chat> {
        let admitted = self.admitted(user, super::access::chat_id(chat_id)?).await?;
        self.show_chat(user, admitted.chat).await
    }

    /// One chat of this member, freshly read.
    pub(super) async fn show_chat(&self, user: &UserId, chat: Chat) -> Result<proto::Chat> {
        // The newest message before the read set: see ReadOutcome.
        let head = self.store.heads(&[chat.id]).await?.into_iter().next();
        let Admitted { chat, member: place } = self.admitted(user, chat.id).await?;
        let last = head.map_or(0, |head| head.seq);
        let runs = place.read.missing(place.visible_from, last);
        let unread = self.count_one(user, chat.id, runs).await?;
        let rows = vec![Row { chat, place, head, unread }];
        let shown = self.show_chats(user, rows, Listed::Members).await?;
        shown.into_iter().next().ok_or_else(crate::error::Error::chat_not_found)
    }
}

/// The event that tells a user of being no member any more, since this revision of the chat.
pub(super) fn removed_event(chat: ChatId, revision: u32) -> proto::event::Event {
    let only = proto::Chat { chat_id: chat.to_string(), revision, ..proto::Chat::default() };
    proto::event::Event::ChatUpdated(proto::ChatUpdated { chat: Some(only), removed: true })
}

/// The order of the inbox.
pub fn updated_at(chat: &Chat, head: Option<Head>) -> crate::clock::Timestamp {
    head.map_or(chat.id.time(), |head| head.id.time())
}

/// A message as `user` is shown it, but for its ticks.
pub(super) fn shown_to(
    user: &UserId,
    message: &Message,
    hidden: &HashSet<(ChatId, Seq)>,
    links: &Links,
) -> proto::Message {
    let mut shown = links.message_for(message, user);
    if hidden.contains(&(message.chat, message.seq)) {
        wire::leave_out(&mut shown);
    }
    shown
}

fn show(
    user: &UserId,
    message: &Message,
    members: &[Member],
    (hidden, links): (&HashSet<(ChatId, Seq)>, &Links),
) -> proto::Message {
    let mut shown = shown_to(user, message, hidden, links);
    if message.sender.as_ref() == Some(user) {
        if members.len() <= MAX_RECEIPT_MEMBERS {
            receipts(&mut shown, user, members);
        } else {
            shown.set_state(proto::MessageState::Sent);
        }
    }
    shown
}

fn leaders_of_large(mut members: Vec<Member>) -> Vec<Member> {
    if members.len() > MAX_RECEIPT_MEMBERS {
        members.retain(|member| member.role > Role::Member);
    }
    members
}

fn listed_members(
    row: &Row,
    members: &[Member],
    users: &HashMap<UserId, User>,
    listed: Listed,
) -> Vec<proto::Member> {
    let direct = row.chat.kind == ChatKind::Direct;
    if !direct && listed == Listed::Pairs {
        return Vec::new();
    }
    let large = members.len() > MAX_RECEIPT_MEMBERS;
    members
        .iter()
        .filter(|member| !large || member.role > Role::Member)
        .map(|member| {
            let user = users.get(&member.user);
            if direct || member.user == row.place.user {
                wire::member_with_receipts(member, user)
            } else {
                wire::member(member, user)
            }
        })
        .collect()
}
