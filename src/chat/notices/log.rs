//! Notifications of messages and notes, from the log: some seconds late, and again when all is
//! there that will be. One node at a time has the turn.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::chat::Service;
use crate::chat::limits::{MAX_RECEIPT_MEMBERS, NOTICE_AFTER, NOTICE_AT_LAST};
use crate::error::Result;
use crate::model::{
    Chat, ChatId, ChatKind, Level, Member, Message, MessageId, NoteKind, Notice, NoticeKind, Seq,
    UserId,
};
use crate::push::rules::Facts;
use crate::store::UnreadQuery;
use crate::store::turn::Turn;

/// Who reads on, how late, and for how long a node has the turn.
const PASSES: [(&str, Duration); 2] =
    [("notices", NOTICE_AFTER), ("notices-at-last", NOTICE_AT_LAST)];
const LEASE: Duration = Duration::from_secs(10);
/// Messages at once.
const PAGE: u32 = 500;
/// Groups of a page that are asked about at once: one after the other, a page of as many groups as
/// messages would take the store's way there and back five hundred times.
const SCENES_AT_ONCE: usize = 16;

/// Where each pass was when this node had its turn last: where nothing came since, no turn is
/// taken.
#[derive(Default)]
pub(super) struct Reader {
    at: [Option<MessageId>; 2],
}

impl Service {
    /// Reads on.
    pub(super) async fn read_log_for_notices(&self, reader: &mut Reader) -> Result<()> {
        for ((name, age), at) in PASSES.into_iter().zip(&mut reader.at) {
            self.read_pass(name, age, at).await?;
        }
        Ok(())
    }

    async fn read_pass(&self, name: &str, age: Duration, at: &mut Option<MessageId>) -> Result<()> {
        let until = self.clock.now().minus(age);
        if let Some(at) = *at {
            let next = self.store.log(at, 1).await?;
            if next.first().is_none_or(|message| message.id >= MessageId(until.first_id())) {
                return Ok(());
            }
        }
        let turn = Turn { name, holder: self.bus.node(), lease: LEASE, page: PAGE };
        while let Some(page) = turn.next(&*self.store, until).await? {
            *at = Some(page.after);
            let Some(last) = page.messages.last().map(|message| message.id) else { break };
            self.note_notices(self.notices_of(&page.messages).await?).await?;
            if !turn.move_on(&*self.store, last).await? || !page.more {
                *at = Some(last);
                break;
            }
        }
        Ok(())
    }

    /// What these messages are to be noted as.
    async fn notices_of(&self, page: &[Message]) -> Result<Vec<Notice>> {
        let mut by_chat: BTreeMap<ChatId, Vec<&Message>> = BTreeMap::new();
        for message in page.iter().filter(|message| message.deleted_at.is_none()) {
            by_chat.entry(message.chat).or_default().push(message);
        }
        let chats: Vec<ChatId> = by_chat.keys().copied().collect();
        let (mut notices, mut away) = (Vec::new(), Vec::new());
        let chats = self.store.chats(&chats).await?;
        let mut pairs = self.pairs_of(&chats).await?;
        let scenes: Vec<_> = chats
            .into_iter()
            .map(|chat| {
                let messages = by_chat.remove(&chat.id).unwrap_or_default();
                let pair = pairs.remove(&chat.id);
                self.scene(chat, pair, messages)
            })
            .collect();
        let mut scenes = stream::iter(scenes).buffered(SCENES_AT_ONCE);
        while let Some(scene) = scenes.try_next().await? {
            for member in &scene.members {
                notices.extend(
                    scene
                        .special(member)
                        .map(|(kind, message)| self.notice(member, kind, message.id.0, message)),
                );
                if let Some(message) = scene.missed(member) {
                    let runs = member.read.missing(member.visible_from, message.seq);
                    let (user, chat) = (member.user.clone(), member.chat);
                    let notice = self.notice(member, NoticeKind::Messages, chat.0, message);
                    away.push((UnreadQuery { user, chat, runs }, notice));
                }
            }
        }
        let (queries, of_messages): (Vec<UnreadQuery>, Vec<Notice>) = away.into_iter().unzip();
        let counts = self.count(&queries).await?;
        let counted = of_messages.into_iter().zip(counts).filter(|(_, count)| *count > 0);
        notices.extend(counted.map(|(notice, count)| Notice { count, ..notice }));
        Ok(notices)
    }

    /// The members of those of these chats that are direct, in one question: there may be as many
    /// as there are messages.
    async fn pairs_of(&self, chats: &[Chat]) -> Result<HashMap<ChatId, Vec<Member>>> {
        let direct = chats.iter().filter(|chat| chat.kind == ChatKind::Direct);
        let direct: Vec<ChatId> = direct.map(|chat| chat.id).collect();
        let mut pairs: HashMap<ChatId, Vec<Member>> = HashMap::new();
        for member in self.store.pairs(&direct).await? {
            pairs.entry(member.chat).or_default().push(member);
        }
        Ok(pairs)
    }

    /// Whom these messages of a chat may concern, and what stands between them.
    async fn scene<'m>(
        &self,
        chat: Chat,
        pair: Option<Vec<Member>>,
        messages: Vec<&'m Message>,
    ) -> Result<Scene<'m>> {
        let small = chat.member_count as usize <= MAX_RECEIPT_MEMBERS;
        let note =
            |message: &&Message, kind| message.note.as_ref().is_some_and(|note| note.kind == kind);
        let to_all = messages.iter().any(|message| {
            note(message, NoteKind::Announcement) || note(message, NoteKind::GroupCreated)
        });
        let members = if let Some(pair) = pair {
            pair
        } else if small || to_all {
            self.store.members(chat.id).await?
        } else {
            let added = messages.iter().filter_map(|message| message.note.as_ref());
            let named = messages.iter().flat_map(|message| &message.mentions);
            let named: HashSet<&UserId> = named.chain(added.flat_map(|note| &note.users)).collect();
            let places: Vec<_> = named.into_iter().map(|user| (chat.id, user.clone())).collect();
            self.store.places(&places).await?
        };
        let mut blocked = HashSet::new();
        if chat.kind == ChatKind::Group {
            let users: Vec<UserId> = members.iter().map(|member| member.user.clone()).collect();
            let senders: HashSet<&UserId> =
                messages.iter().filter_map(|message| message.sender.as_ref()).collect();
            for sender in senders {
                let between = self.between(sender, &users).await?;
                let cut = users.iter().zip(between).filter(|(_, between)| between.blocked);
                blocked.extend(cut.map(|(user, _)| (sender.clone(), user.clone())));
            }
        }
        let answered = if members.iter().any(|of| of.settings.level == Level::Mentions) {
            let places: Vec<(ChatId, Seq)> = messages
                .iter()
                .filter_map(|message| message.reply_to.map(|(_, seq)| (chat.id, seq)))
                .collect();
            let found = self.store.messages(&places).await?;
            found.into_iter().filter_map(|of| Some((of.seq, of.sender?))).collect()
        } else {
            HashMap::new()
        };
        let now = self.clock.now();
        Ok(Scene { members, messages, small, blocked, answered, now })
    }

    fn notice(&self, to: &Member, kind: NoticeKind, of: uuid::Uuid, message: &Message) -> Notice {
        let note = message.note.as_ref();
        Notice {
            id: self.notice_id(&to.user, kind, of),
            user: to.user.clone(),
            kind,
            chat: message.chat,
            message: message.id,
            seq: message.seq,
            version: message.seq,
            actor: message.sender.clone().or_else(|| note.and_then(|note| note.actor.clone())),
            count: 1,
            emoji: String::new(),
            updated_at: message.created_at(),
            read: false,
        }
    }
}

/// Some messages of one chat, and whom they may concern.
struct Scene<'m> {
    members: Vec<Member>,
    /// By `seq`, but for such as were long under way.
    messages: Vec<&'m Message>,
    /// It has notifications of messages.
    small: bool,
    /// Senders and members between whom there is a block.
    blocked: HashSet<(UserId, UserId)>,
    /// Who sent what is answered.
    answered: HashMap<Seq, UserId>,
    now: crate::clock::Timestamp,
}

impl<'m> Scene<'m> {
    /// The newest message that the member is to be told of, and has on no device.
    fn missed(&self, member: &Member) -> Option<&'m Message> {
        if !self.small {
            return None;
        }
        let missed = |message: &&&Message| {
            message.sender.as_ref().is_some_and(|sender| *sender != member.user)
                && message.seq >= member.visible_from
                && !member.delivered.contains(message.seq)
                && self.facts(member, message).pass().is_ok()
        };
        self.messages.iter().filter(missed).max_by_key(|message| message.seq).copied()
    }

    /// What concerns the member apart from that, and is not read.
    fn special(&self, member: &Member) -> impl Iterator<Item = (NoticeKind, &'m Message)> {
        let unread = self.messages.iter().filter(|message| {
            message.seq >= member.visible_from && !member.read.contains(message.seq)
        });
        unread.filter_map(|message| Some((self.kind(member, message)?, *message)))
    }

    fn kind(&self, member: &Member, message: &Message) -> Option<NoticeKind> {
        let Some(note) = &message.note else {
            let facts = self.facts(member, message);
            // A mute is of pushes: this is why one would look.
            let told = facts.mentions_me && !facts.blocked && facts.level != Level::None;
            return told.then_some(NoticeKind::Mention);
        };
        let by_other = note.actor.as_ref() != Some(&member.user);
        match note.kind {
            NoteKind::Announcement => Some(NoticeKind::Announcement),
            NoteKind::GroupCreated if by_other => Some(NoticeKind::Added),
            NoteKind::MembersAdded if by_other && note.users.contains(&member.user) => {
                Some(NoticeKind::Added)
            }
            _ => None,
        }
    }

    fn facts(&self, member: &Member, message: &Message) -> Facts {
        let answered = message.reply_to.and_then(|(_, seq)| self.answered.get(&seq));
        let pair = message.sender.clone().map(|sender| (sender, member.user.clone()));
        Facts {
            mentions_me: message.mentions.contains(&member.user),
            answers_me: answered == Some(&member.user),
            blocked: pair.is_some_and(|pair| self.blocked.contains(&pair)),
            ..Facts::default()
        }
        .in_chat(&member.settings, self.now)
    }
}
