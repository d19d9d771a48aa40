//! Groups that change: members, roles, titles. What a member sets is in `settings`.
//!
//! A change is one transaction, all of one chat and so of one shard: the chat, if it is still the
//! one that was seen, with the notes to be told, and the places of members. Then the notes go
//! into the log by the lanes, as all messages do, and are taken out of the chat. Whoever finds
//! notes there that a node left behind does the same: their client ids make twice once.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::ClientSession;
use mongodb::bson::{Document, doc, serialize_to_bson};
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{ReadConcern, ReturnDocument};

use super::MongoStore;
use super::docs::{ChatDoc, PendingDoc, number, role_number, uuid};
use super::failure::{
    DUPLICATE_KEY, broken, exchange, failure, is_duplicate, refused, round, unavailable,
};
use super::schema::Db;
use crate::model::{Chat, ChatId, Member, Message, MessageId, Role, Seq, UserId};
use crate::store::{
    AppendError, GroupChange, GroupChanged, Groups, MemberPlace, Result, SettingsPut, SettingsWish,
    StoreError,
};

/// Tries of a transaction that met another one.
const TRIES: u32 = 15;

/// Tries of a commit that was not answered: each may take some seconds.
const COMMITS: u32 = 3;

/// Before a transaction is tried again, at most, times the tries so far: those who met do not meet
/// again.
const PAUSE: Duration = Duration::from_millis(10);

#[async_trait]
impl Groups for MongoStore {
    async fn change_group(&self, change: GroupChange) -> Result<GroupChanged> {
        let db = self.db()?;
        let Some(mut doc) = db.change_group(&change).await? else { return Ok(GroupChanged::Moved) };
        let pending = std::mem::take(&mut doc.pending);
        let chat = doc.chat()?;
        let notes = self.tell_pending(chat.id, pending).await?;
        if change.deletes {
            db.all_leave(&chat).await;
        }
        Ok(GroupChanged::Changed(chat, notes))
    }

    async fn tell_changes(&self, chat: ChatId) -> Result<Vec<Message>> {
        let doc = self.db()?.chat_doc(chat).await?;
        self.tell_pending(chat, doc.map(|doc| doc.pending).unwrap_or_default()).await
    }

    async fn members_page(
        &self,
        chat: ChatId,
        behind: Option<MemberPlace>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        self.db()?.members_page(chat, behind, limit).await
    }

    async fn put_settings(
        &self,
        chat: ChatId,
        user: &UserId,
        wish: SettingsWish,
        max_pinned: u32,
    ) -> Result<SettingsPut> {
        let db = self.db()?;
        for tries in 1..=TRIES {
            let member = db.member(chat, user).await?.filter(|member| member.left_at.is_none());
            let Some(member) = member else { return Ok(SettingsPut::NoMember) };
            let Some(new) = wish.applied(&member.settings, self.clock.now()) else {
                return Ok(SettingsPut::Put(member.settings, false));
            };
            let put = if SettingsWish::pins(&member.settings, &new) {
                db.pin(&member, &new, max_pinned).await?
            } else {
                db.put_settings(&member, &new).await?
            };
            match put {
                Some(put) => return Ok(put),
                None => tokio::time::sleep(pause(tries)).await,
            }
        }
        Err(unavailable("others change these settings"))
    }
}

impl MongoStore {
    /// Puts notes into the log, one behind the other, and takes them out of their chat.
    async fn tell_pending(&self, chat: ChatId, pending: Vec<PendingDoc>) -> Result<Vec<Message>> {
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = pending.iter().map(|note| note.client_message_id.clone()).collect();
        let mut told = Vec::with_capacity(pending.len());
        for note in pending {
            let note = note.message(MessageId(self.clock.new_id()), chat)?;
            match self.lanes.append(note).await {
                Ok(appended) => told.push(appended.message.as_ref().clone()),
                // What no note fits into goes untold, but goes on.
                Err(AppendError::Full) => {}
                Err(AppendError::Store(error)) => return Err(error),
                Err(_) => return Err(broken("a note was refused")),
            }
        }
        if let Err(error) = self.db()?.take_pending(chat, &ids).await {
            tracing::warn!(%chat, %error, "told notes stay with their chat, to be told once more");
        }
        Ok(told)
    }
}

fn pause(tries: u32) -> Duration {
    (PAUSE * tries).mul_f64(rand::random())
}

/// Why a transaction was not made; nothing of it was done, but where the store is away.
pub(super) enum Undone {
    Moved,
    /// It met another one, or an election: to be tried again.
    Again,
    Store(StoreError),
}

impl Undone {
    fn of(error: &Error) -> Self {
        if error.contains_label(TRANSIENT_TRANSACTION_ERROR) {
            Self::Again
        } else if is_duplicate(error) {
            Self::Moved
        } else {
            Self::Store(failure(error))
        }
    }
}

/// One exchange within a transaction.
pub(super) async fn step<T>(
    call: impl IntoFuture<Output = mongodb::error::Result<T>>,
) -> Result<T, Undone> {
    let answer = exchange(call).await.map_err(Undone::Store)?;
    answer.map_err(|error| Undone::of(&error))
}

impl Db {
    /// The chat as it is after the change, with its notes to be told. `None`: it has moved.
    async fn change_group(&self, change: &GroupChange) -> Result<Option<ChatDoc>> {
        for tries in 1..=TRIES {
            match self.transact(change).await {
                Ok(doc) => return Ok(Some(doc)),
                Err(Undone::Moved) => return Ok(None),
                Err(Undone::Store(error)) => return Err(error),
                Err(Undone::Again) => {
                    tokio::time::sleep(pause(tries)).await;
                }
            }
        }
        Err(unavailable("others write to this group"))
    }

    /// A session that is dropped before its commit undoes what was done in it.
    async fn transact(&self, change: &GroupChange) -> Result<ChatDoc, Undone> {
        let mut session = step(self.client.start_session()).await?;
        step(session.start_transaction().read_concern(ReadConcern::snapshot())).await?;
        let doc = self.change_chat(&mut session, change).await?;
        let mut places = Vec::new();
        if !change.comes.is_empty() {
            let newest = self.newest_in(&mut session, change.chat).await?;
            places.extend(change.comes.iter().map(|user| comes(change.chat, user, newest)));
        }
        places.extend(change.goes.iter().map(|user| goes(change, user)));
        places.extend(change.roles.iter().map(|(user, role)| {
            let role = doc! { "$set": { "role": role_number(*role) } };
            doc! { "q": present(change.chat, user), "u": role }
        }));
        if !places.is_empty() {
            self.change_places(&mut session, places).await?;
        }
        commit(&mut session).await?;
        Ok(doc)
    }

    async fn change_chat(
        &self,
        session: &mut ClientSession,
        change: &GroupChange,
    ) -> Result<ChatDoc, Undone> {
        let count = |users: &[UserId]| i64::try_from(users.len()).unwrap_or(i64::MAX);
        let mut set = Document::new();
        for (field, value) in [("title", &change.title), ("avatar_url", &change.avatar_url)] {
            if let Some(value) = value {
                set.insert(field, value);
            }
        }
        let mut dates = doc! { "changed_at": true };
        if change.deletes {
            dates.insert("deleted_at", true);
        }
        let notes = change.notes.iter().filter_map(PendingDoc::new);
        let notes: Result<Vec<_>, _> = notes.map(|note| serialize_to_bson(&note)).collect();
        let notes = notes.map_err(|_| Undone::Store(broken("a note cannot be written")))?;
        let mut update = doc! {
            "$inc": { "revision": 1_i64, "member_count": count(&change.comes) - count(&change.goes) },
            "$currentDate": dates,
            "$push": { "pending": { "$each": notes } },
        };
        if !set.is_empty() {
            update.insert("$set", set);
        }
        let seen = doc! {
            "_id": uuid(change.chat.0),
            "revision": i64::from(change.revision),
            "deleted_at": null,
        };
        let update = self.chats.find_one_and_update(seen, update);
        let update = update.return_document(ReturnDocument::After).session(session);
        step(update).await?.ok_or(Undone::Moved)
    }

    async fn newest_in(&self, session: &mut ClientSession, chat: ChatId) -> Result<Seq, Undone> {
        let messages = self.messages.clone_with_type::<Document>();
        let newest = messages
            .find_one(doc! { "chat_id": uuid(chat.0) })
            .sort(doc! { "seq": -1 })
            .projection(doc! { "seq": 1 })
            .session(session);
        let Some(newest) = step(newest).await? else { return Ok(0) };
        let seq = newest.get_i64("seq").map_err(|_| broken("a seq is none"));
        seq.and_then(number).map_err(Undone::Store)
    }

    async fn change_places(
        &self,
        session: &mut ClientSession,
        statements: Vec<Document>,
    ) -> Result<(), Undone> {
        let count = statements.len();
        let command = doc! { "update": self.members.name(), "updates": statements };
        let reply = step(self.database.run_command(command).session(session)).await?;
        if let Some(error) = reply.get_array("writeErrors").ok().and_then(|errors| errors.first()) {
            let code = error.as_document().and_then(|error| error.get_i32("code").ok());
            return Err(match code {
                Some(DUPLICATE_KEY) => Undone::Moved,
                code => Undone::Store(refused("an update failed", code.unwrap_or(0))),
            });
        }
        let done = reply.get_i32("n").ok().and_then(|n| usize::try_from(n).ok());
        if done == Some(count) { Ok(()) } else { Err(Undone::Moved) }
    }

    async fn chat_doc(&self, chat: ChatId) -> Result<Option<ChatDoc>> {
        round(self.chats.find_one(doc! { "_id": uuid(chat.0) })).await
    }

    async fn take_pending(&self, chat: ChatId, ids: &[String]) -> Result<()> {
        let told = doc! { "$pull": { "pending": { "client_message_id": { "$in": ids } } } };
        round(self.chats.update_one(doc! { "_id": uuid(chat.0) }, told)).await?;
        Ok(())
    }

    /// Of a deleted chat all are gone; until this is written it follows from the deletion.
    async fn all_leave(&self, chat: &Chat) {
        let present = doc! { "chat_id": uuid(chat.id.0), "left_at": null };
        let gone = doc! {
            "$set": { "left_revision": i64::from(chat.revision) },
            "$currentDate": { "left_at": true },
        };
        if let Err(error) = round(self.members.update_many(present, gone)).await {
            tracing::warn!(chat = %chat.id, %error, "places of a deleted chat stay");
        }
    }
}

/// A commit that is not answered for certain is asked again: that does nothing twice.
pub(super) async fn commit(session: &mut ClientSession) -> Result<(), Undone> {
    let mut unknown = unavailable("it is not known whether a change was committed");
    for _ in 0..COMMITS {
        match exchange(session.commit_transaction()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                unknown = failure(&error);
            }
            Ok(Err(error)) => return Err(Undone::of(&error)),
            Err(error) => unknown = error,
        }
    }
    Err(Undone::Store(unknown))
}

/// The place of a present member.
pub(super) fn present(chat: ChatId, user: &UserId) -> Document {
    doc! { "chat_id": uuid(chat.0), "user_id": user.as_str(), "left_at": null }
}

/// A member who goes.
fn goes(change: &GroupChange, user: &UserId) -> Document {
    let gone = doc! {
        "$set": { "left_revision": i64::from(change.revision) + 1 },
        "$currentDate": { "left_at": true },
    };
    doc! { "q": present(change.chat, user), "u": gone }
}

/// A member from now on, perhaps again. One who is a member already runs into the unique index.
fn comes(chat: ChatId, user: &UserId, newest: Seq) -> Document {
    let newest = i64::from(newest);
    let all = doc! { "to": newest, "more": { "$literal": [] } };
    let changed_before = doc! { "$gt": ["$settings_revision", 0_i64] };
    let raised = doc! { "$add": ["$settings_revision", 1_i64] };
    let place = doc! {
        "role": role_number(Role::Member),
        "joined_at": "$$NOW",
        "visible_from": newest + 1,
        "delivered": &all,
        "read": all,
        "archived": false,
        "settings_revision": { "$cond": [&changed_before, raised, 0_i64] },
        "settings_at": { "$cond": [changed_before, "$$NOW", "$$REMOVE"] },
        "left_revision": 0_i64,
    };
    let gone = ["left_at", "pinned_at", "muted_until", "level", "level_until"];
    doc! {
        "q": { "chat_id": uuid(chat.0), "user_id": user.as_str(), "left_at": { "$ne": null } },
        "u": [{ "$set": place }, { "$unset": gone.to_vec() }],
        "upsert": true,
    }
}
