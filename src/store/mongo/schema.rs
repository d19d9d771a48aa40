//! The database: how it is reached, its collections, the indexes without which nothing starts.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use mongodb::action::Find;
use mongodb::bson::{Document, doc};
use mongodb::options::{
    Acknowledgment, ClientOptions, Hint, IndexOptions, ReadConcern, ReadPreference,
    SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Collection, Database, IndexModel};
use serde::de::DeserializeOwned;

use super::super::{JOBS_REMEMBERED, REVOCATIONS_KEPT, Result, StoreError, TRAIL_KEPT};
use super::content::HiddenDoc;
use super::docs::{ChatDoc, MemberDoc, MessageDoc, UserDoc};
use super::failure::{ROUND, failure, refused, round, unavailable};
use super::files::FileDoc;
use super::notices::NoticeDoc;
use super::people::ReserveDoc;

/// How long making all indexes may take when the store opens.
const INDEXES: Duration = Duration::from_secs(300);

/// How long to look for a server that can take an operation; less than [`ROUND`], so that what
/// is said is that there was none.
const SELECTION: Duration = Duration::from_secs(4);

/// Connections a node may have to each mongod: two a lane, and reads.
const POOL: u32 = 64;

/// One open database. Everything is written with `w: majority, j: true` and read with
/// `readConcern: majority` from the primary.
#[derive(Clone, Debug)]
pub(super) struct Db {
    pub(super) client: Client,
    pub(super) database: Database,
    /// The log. `_id`: the message's; unique (`chat_id`, `seq`).
    pub(super) messages: Collection<MessageDoc>,
    /// What users have deleted for themselves. Unique (`user_id`, `chat_id`, `seq`).
    pub(super) hidden: Collection<HiddenDoc>,
    /// A chat exists once it is here, and is no more once it has `deleted_at`.
    pub(super) chats: Collection<ChatDoc>,
    /// What makes a chat one: claimed before anything else of it is written.
    pub(super) chat_keys: Collection<Document>,
    /// Unique (`chat_id`, `user_id`).
    pub(super) members: Collection<MemberDoc>,
    /// By user id.
    pub(super) users: Collection<UserDoc>,
    /// By the attachment's id.
    pub(super) files: Collection<FileDoc>,
    /// By user id: what each keeps from others.
    pub(super) reserves: Collection<ReserveDoc>,
    /// By user id: how each wants to be told.
    pub(super) preferences: Collection<Document>,
    /// Notifications in the app, by their derived ids.
    pub(super) notices: Collection<NoticeDoc>,
    /// One document.
    pub(super) keys: Collection<Document>,
    /// By user id: when the user was signed out.
    pub(super) revocations: Collection<Document>,
    /// By queue and id; without `due_at` once done.
    pub(super) jobs: Collection<Document>,
    /// By name.
    pub(super) turns: Collection<Document>,
    /// Unique (`user_id`, `device_id`), and by token.
    pub(super) devices: Collection<Document>,
    /// Unique (`chat_id`, `user_id`, `device_id`).
    pub(super) standings: Collection<Document>,
    /// What became of pushes.
    pub(super) trail: Collection<Document>,
}

impl Db {
    /// Connects and makes what is missing.
    pub(super) async fn open(url: &str) -> Result<Self> {
        Self::open_as(url, None).await
    }

    /// The same, with this database whatever the URL names.
    pub(super) async fn open_as(url: &str, name: Option<&str>) -> Result<Self> {
        let mut options = round(ClientOptions::parse(url)).await?;
        options.app_name.get_or_insert_with(|| "adda".to_owned());
        options.server_selection_timeout.get_or_insert(SELECTION);
        options.connect_timeout.get_or_insert(SELECTION);
        options.max_pool_size.get_or_insert(POOL);
        options.retry_reads = Some(true);
        options.retry_writes = Some(true);
        options.write_concern = Some(
            WriteConcern::builder()
                .w(Acknowledgment::Majority)
                .journal(true)
                .w_timeout(SELECTION)
                .build(),
        );
        options.read_concern = Some(ReadConcern::majority());
        options.selection_criteria =
            Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        let named = name.map(str::to_owned).or_else(|| options.default_database.clone());
        let name = named.unwrap_or_else(|| "adda".to_owned());
        let client = Client::with_options(options).map_err(|error| failure(&error))?;
        let database = client.database(&name);
        let db = Self {
            messages: database.collection("messages"),
            hidden: database.collection("hidden"),
            chats: database.collection("chats"),
            chat_keys: database.collection("chat_keys"),
            members: database.collection("members"),
            users: database.collection("users"),
            files: database.collection("files"),
            reserves: database.collection("reserves"),
            preferences: database.collection("preferences"),
            notices: database.collection("notices"),
            keys: database.collection("keys"),
            revocations: database.collection("revocations"),
            jobs: database.collection("jobs"),
            turns: database.collection("turns"),
            devices: database.collection("devices"),
            standings: database.collection("standings"),
            trail: database.collection("trail"),
            database,
            client,
        };
        db.hello().await?;
        let indexes = tokio::time::timeout(INDEXES, db.make_indexes()).await;
        indexes.map_err(|_| unavailable("the indexes were not made in time"))??;
        Ok(db)
    }

    /// All keys begin with what the collection would be sharded by. What a receipt changes is in
    /// no index: receipts, not messages, are what costs.
    async fn make_indexes(&self) -> Result<()> {
        let unique = IndexOptions::builder().unique(true).build();
        let partial = |field: &str| {
            let there = doc! { field: { "$exists": true } };
            IndexOptions::builder().partial_filter_expression(there).build()
        };
        let (changed, worded) = (partial("changed_at"), partial("words"));
        let messages = [
            index(doc! { "chat_id": 1, "seq": 1 }, unique.clone()),
            index(doc! { "chat_id": 1, "sender_id": 1, "client_message_id": 1 }, unique.clone()),
            index(doc! { "chat_id": 1, "changed_at": 1, "seq": 1 }, changed),
            index(by_words(), worded),
        ];
        let hidden = [
            index(doc! { "user_id": 1, "chat_id": 1, "seq": 1 }, unique.clone()),
            index(doc! { "user_id": 1, "at": 1 }, IndexOptions::default()),
        ];
        let members = [
            index(doc! { "chat_id": 1, "user_id": 1 }, unique.clone()),
            index(doc! { "user_id": 1, "left_at": 1, "chat_id": 1 }, IndexOptions::default()),
            index(by_role(), IndexOptions::default()),
        ];
        let messages = self.messages.create_indexes(messages).await;
        messages.map_err(|error| failure(&error))?;
        let members = self.members.create_indexes(members).await;
        members.map_err(|error| failure(&error))?;
        let due = IndexOptions::builder()
            .partial_filter_expression(doc! { "due_at": { "$exists": true } })
            .build();
        let files = [
            index(doc! { "owner_id": 1, "held": 1 }, IndexOptions::default()),
            index(doc! { "due_at": 1 }, due),
        ];
        self.files.create_indexes(files).await.map_err(|error| failure(&error))?;
        let hidden = self.hidden.create_indexes(hidden).await;
        hidden.map_err(|error| failure(&error))?;
        let blocked = index(doc! { "blocked.user": 1 }, IndexOptions::default());
        self.reserves.create_index(blocked).await.map_err(|error| failure(&error))?;
        // mongod itself takes out what is too old.
        let then = IndexOptions::builder().expire_after(Duration::ZERO).build();
        let by_user = doc! { "user_id": 1, "read": 1, "updated_at": -1, "_id": -1 };
        let notices =
            [index(by_user, IndexOptions::default()), index(doc! { "expires_at": 1 }, then)];
        self.notices.create_indexes(notices).await.map_err(|error| failure(&error))?;
        let kept = IndexOptions::builder().expire_after(REVOCATIONS_KEPT).build();
        let revocations = self.revocations.create_index(index(doc! { "at": 1 }, kept)).await;
        revocations.map_err(|error| failure(&error))?;
        let waiting = doc! { "due_at": { "$exists": true } };
        let waiting = IndexOptions::builder().partial_filter_expression(waiting).build();
        let remembered = IndexOptions::builder().expire_after(JOBS_REMEMBERED).build();
        let jobs = [
            index(doc! { "queue": 1, "due_at": 1, "_id": 1 }, waiting),
            index(doc! { "done_at": 1 }, remembered),
        ];
        self.jobs.create_indexes(jobs).await.map_err(|error| failure(&error))?;
        self.make_device_indexes(&unique).await
    }

    async fn make_device_indexes(&self, unique: &IndexOptions) -> Result<()> {
        let mut of_tokens = unique.clone();
        of_tokens.partial_filter_expression = Some(doc! { "token": { "$exists": true } });
        let devices = [
            index(doc! { "user_id": 1, "device_id": 1 }, unique.clone()),
            index(doc! { "token": 1 }, of_tokens),
        ];
        let standings = [
            index(doc! { "chat_id": 1, "user_id": 1, "device_id": 1 }, unique.clone()),
            index(doc! { "user_id": 1, "device_id": 1 }, IndexOptions::default()),
        ];
        let kept = IndexOptions::builder().expire_after(TRAIL_KEPT).build();
        let trail = [
            index(doc! { "message_id": 1, "user_id": 1, "at": 1 }, IndexOptions::default()),
            index(doc! { "at": 1 }, kept),
        ];
        let made = async {
            self.devices.create_indexes(devices).await?;
            self.standings.create_indexes(standings).await?;
            self.trail.create_indexes(trail).await
        };
        made.await.map_err(|error| failure(&error))?;
        Ok(())
    }

    /// Messages, without the words they are found by.
    pub(super) fn find(&self, filter: Document) -> Find<'_, MessageDoc> {
        self.messages.find(filter).projection(no_words())
    }

    /// The message that this fits, likewise.
    pub(super) async fn find_one(&self, filter: Document) -> Result<Option<MessageDoc>> {
        round(self.messages.find_one(filter).projection(no_words())).await
    }

    /// What the primary says of itself.
    pub(super) async fn hello(&self) -> Result<Document> {
        let hello = round(self.database.run_command(doc! { "hello": 1 })).await?;
        if hello.get_bool("isWritablePrimary").unwrap_or(false) {
            Ok(hello)
        } else {
            Err(unavailable("there is no primary"))
        }
    }

    /// Runs `statements` of an `update` command on `collection`, unordered; each may be done
    /// twice. Nothing is known of what was done when it fails.
    pub(super) async fn update(&self, collection: &str, statements: &[Document]) -> Result<()> {
        match self.update_once(collection, statements).await {
            // The driver does not repeat such a command by itself when the primary goes.
            Err(StoreError::Unavailable(_)) => self.update_once(collection, statements).await,
            done => done,
        }
    }

    async fn update_once(&self, collection: &str, statements: &[Document]) -> Result<()> {
        let patience = i64::try_from(SELECTION.as_millis()).unwrap_or(i64::MAX);
        let command = doc! {
            "update": collection,
            "updates": statements,
            "ordered": false,
            "writeConcern": { "w": "majority", "j": true, "wtimeout": patience },
        };
        let reply = round(self.database.run_command(command)).await?;
        if reply.contains_key("writeConcernError") {
            return Err(unavailable("a majority did not confirm the write"));
        }
        match reply.get_array("writeErrors").ok().and_then(|errors| errors.first()) {
            Some(error) => {
                let code = error.as_document().and_then(|error| error.get_i32("code").ok());
                Err(refused("an update failed", code.unwrap_or(0)))
            }
            None => Ok(()),
        }
    }
}

fn index(keys: Document, options: IndexOptions) -> IndexModel {
    #[cfg(mutants)]
    let options = if crate::mutants::are("ids-in-cache") && keys.contains_key("client_message_id") {
        IndexOptions::default()
    } else {
        options
    };
    IndexModel::builder().keys(keys).options(options).build()
}

/// All that a query finds, in one exchange as a rule.
pub(super) async fn all<T>(find: Find<'_, T>) -> Result<Vec<T>>
where
    T: DeserializeOwned + Send + Sync + Unpin,
{
    round(async { find.batch_size(BATCH).await?.try_collect().await }).await
}

/// All that a pipeline gives, in one exchange as a rule.
pub(super) async fn aggregate<T: Send + Sync>(
    collection: &Collection<T>,
    pipeline: Vec<Document>,
) -> Result<Vec<Document>> {
    round(async { collection.aggregate(pipeline).batch_size(BATCH).await?.try_collect().await })
        .await
}

/// What a message is found by is read by nobody.
pub(super) fn no_words() -> Document {
    doc! { "words": 0 }
}

/// The index of the log by words: a key a word.
pub(super) fn by_words() -> Document {
    doc! { "chat_id": 1, "words": 1, "_id": -1 }
}

/// The index of the members of a chat in the order in which they are listed.
pub(super) fn by_role() -> Document {
    doc! { "chat_id": 1, "role": -1, "joined_at": 1, "user_id": 1 }
}

/// The index of the log by place, where mongod would try others first.
pub(super) fn by_place() -> Hint {
    Hint::Keys(doc! { "chat_id": 1, "seq": 1 })
}

/// Documents in one reply; mongod ends it at 16 MiB anyway.
const BATCH: u32 = 20_000;

/// A write concern error always comes sooner than our own patience ends.
const _: () = assert!(SELECTION.as_millis() < ROUND.as_millis());
