//! Two commands at once, and what came of each message in them.

use std::collections::{HashMap, HashSet};

use mongodb::bson::{Bson, Document, doc};
use mongodb::error::ErrorKind;

use super::super::Result;
use super::docs::{MessageDoc, uuid};
use super::failure::{DUPLICATE_KEY, exchange, failure};
use super::lane::{Draft, Part};
use super::schema::{Db, all};
use crate::model::{ChatId, Message};

/// What came of one message.
#[derive(Debug)]
pub(super) enum Written {
    /// Committed, at the place it was to get.
    Here,
    /// Committed: this is there under its id or its client id.
    Found(Box<Message>),
    /// Another message has its place.
    Lost,
    /// Not written, for one before it was not.
    NotYet,
    /// Perhaps written.
    Unknown,
}

/// What came of a flush.
pub(super) struct Flushed {
    pub(super) parts: Vec<(Part, Vec<Written>)>,
    /// False: mongod did not say what came of it.
    pub(super) known: bool,
}

/// A (chat, (sender, client id)): what is unique.
pub(super) type Key = (ChatId, (String, String));

/// What one command said of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Done,
    /// A key of it is taken.
    Taken,
    /// It was not come to.
    Unsent,
    Nothing,
}

/// Writes parts with one message unordered, all others in order behind one another, and finds
/// out what came of it.
pub(super) async fn write(db: &Db, parts: Vec<Part>) -> Flushed {
    let (single, several): (Vec<Part>, Vec<Part>) =
        parts.into_iter().partition(|part| part.drafts.len() == 1);
    let (one, other) = tokio::join!(insert(db, &single, false), insert(db, &several, true));
    let known = !one.iter().chain(&other).any(|said| *said == Said::Nothing);
    let mut said = one.into_iter().chain(other);
    let parts = single.into_iter().chain(several).map(|part| {
        let said = said.by_ref().take(part.drafts.len()).collect();
        (part, said)
    });
    let parts: Vec<(Part, Vec<Said>)> = parts.collect();
    let by_id = find_unknown(db, &parts).await;
    let by_key = find_taken(db, &parts).await;
    let parts = parts.into_iter().map(|(part, said)| {
        let drafts = part.drafts.iter().zip(said);
        let outcomes = drafts.map(|(draft, said)| outcome(draft, said, &by_id, &by_key)).collect();
        (part, outcomes)
    });
    Flushed { parts: parts.collect(), known }
}

fn outcome(draft: &Draft, said: Said, by_id: &Lookup<uuid::Uuid>, by_key: &Lookup<Key>) -> Written {
    let id = &draft.pending.new.id.0;
    let found = match said {
        Said::Done => return Written::Here,
        Said::Nothing => by_id.get(id),
        Said::Taken | Said::Unsent => by_key.get(&key(draft)),
    };
    match (found, said) {
        (Some(Some(message)), _) => Written::Found(message.clone()),
        (Some(None), Said::Taken) => Written::Lost,
        (Some(None), _) | (None, Said::Unsent) => Written::NotYet,
        (None, _) => Written::Unknown,
    }
}

/// What was looked for, and what of it was found.
type Lookup<K> = HashMap<K, Option<Box<Message>>>;

fn key(draft: &Draft) -> Key {
    (draft.pending.new.chat, draft.pending.key())
}

/// Of what mongod said nothing, what is there nevertheless.
async fn find_unknown(db: &Db, parts: &[(Part, Vec<Said>)]) -> Lookup<uuid::Uuid> {
    let drafts = parts.iter().flat_map(|(part, said)| part.drafts.iter().zip(said));
    let ids: Vec<_> = drafts
        .filter(|(_, said)| **said == Said::Nothing)
        .map(|(draft, _)| draft.pending.new.id.0)
        .collect();
    if ids.is_empty() {
        return HashMap::new();
    }
    match db.by_ids(&ids).await {
        Ok(found) => {
            let mut lookup: Lookup<_> = ids.into_iter().map(|id| (id, None)).collect();
            lookup.extend(found.into_iter().map(|message| (message.id.0, Some(message))));
            lookup
        }
        Err(_) => HashMap::new(),
    }
}

/// Where a key was taken: whether it was the client id's. Of such a chat all is looked for that
/// was not written, for repeats come together.
async fn find_taken(db: &Db, parts: &[(Part, Vec<Said>)]) -> Lookup<Key> {
    let taken = parts.iter().filter(|(_, said)| said.contains(&Said::Taken));
    let drafts = taken.flat_map(|(part, said)| part.drafts.iter().zip(said));
    let drafts: Vec<&Draft> = drafts
        .filter(|(_, said)| matches!(said, Said::Taken | Said::Unsent))
        .map(|(draft, _)| draft)
        .collect();
    if drafts.is_empty() {
        return HashMap::new();
    }
    match db.first_of(drafts.iter().copied()).await {
        Ok(found) => {
            let mut lookup: Lookup<_> =
                drafts.into_iter().map(|draft| (key(draft), None)).collect();
            lookup.extend(found.into_iter().map(|(key, message)| (key, Some(message))));
            lookup
        }
        Err(_) => HashMap::new(),
    }
}

/// Inserts all drafts of these parts with one command.
async fn insert(db: &Db, parts: &[Part], ordered: bool) -> Vec<Said> {
    let drafts = parts.iter().flat_map(|part| &part.drafts);
    let docs: Vec<_> = drafts.map(|draft| MessageDoc::new(&draft.pending.new, draft.seq)).collect();
    let count = docs.len();
    if count == 0 {
        return Vec::new();
    }
    let error = match exchange(db.messages.insert_many(docs).ordered(ordered)).await {
        Ok(Ok(_)) => return vec![Said::Done; count],
        Ok(Err(error)) => error,
        Err(error) => {
            tracing::warn!(%error, count, "not known whether messages were written");
            return vec![Said::Nothing; count];
        }
    };
    match &*error.kind {
        // With a write concern error nothing is certain, not even a duplicate key.
        ErrorKind::InsertMany(insert) if insert.write_concern_error.is_none() => {
            let mut said = vec![Said::Done; count];
            for error in insert.write_errors.iter().flatten() {
                let taken = error.code == DUPLICATE_KEY;
                if ordered {
                    said.iter_mut().skip(error.index).for_each(|said| *said = Said::Unsent);
                }
                if let Some(said) = said.get_mut(error.index) {
                    *said = if taken { Said::Taken } else { Said::Nothing };
                }
            }
            said
        }
        _ => {
            let error = failure(&error);
            tracing::warn!(%error, count, "not known whether messages were written");
            vec![Said::Nothing; count]
        }
    }
}

impl Db {
    /// The messages of these ids.
    async fn by_ids(&self, ids: &[uuid::Uuid]) -> Result<Vec<Box<Message>>> {
        let ids: Vec<Bson> = ids.iter().map(|id| Bson::from(uuid(*id))).collect();
        let found = all(self.find(doc! { "_id": { "$in": ids } })).await?;
        found.into_iter().map(|doc| doc.message().map(Box::new)).collect()
    }

    /// What is there under the client ids of these drafts.
    pub(super) async fn first_of(
        &self,
        drafts: impl Iterator<Item = &Draft>,
    ) -> Result<HashMap<Key, Box<Message>>> {
        let mut ids: HashMap<(ChatId, String), HashSet<String>> = HashMap::new();
        for (chat, (sender, client_id)) in drafts.map(key) {
            ids.entry((chat, sender)).or_default().insert(client_id);
        }
        let arms: Vec<Document> = ids
            .into_iter()
            .map(|((chat, sender), ids)| {
                let ids: Vec<_> = ids.into_iter().collect();
                doc! {
                    "chat_id": uuid(chat.0),
                    "sender_id": sender,
                    "client_message_id": { "$in": ids },
                }
            })
            .collect();
        let mut found = HashMap::new();
        for doc in self.any_of(&arms).await? {
            let message = Box::new(doc.message()?);
            let sender = message.sender.as_ref().map(ToString::to_string).unwrap_or_default();
            let key = (message.chat, (sender, message.client_message_id.clone()));
            found.insert(key, message);
        }
        Ok(found)
    }
}
