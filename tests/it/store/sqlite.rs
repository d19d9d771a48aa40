//! What holds of the store in a file alone: the file itself, and, by writing into it behind the
//! store's back, what no call of the contract can bring about yet.

use std::path::Path;
use std::sync::Arc;

use adda::clock::{Clock, SystemClock, Timestamp};
use adda::model::{ChatId, MAX_SEQ, MessageId, NoteKind, UserId};
use adda::store::sqlite::SqliteStore;
use adda::store::{
    AppendError, ChangeCursor, Created, Edit, Mark, OpenError, StoreError, UnreadQuery,
};
use adda::vital::Vital;
use rusqlite::params;
use uuid::Uuid;

use super::{Bench, run, user};

struct File {
    dir: tempfile::TempDir,
}

impl File {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> String {
        self.dir.path().join("adda.db").to_str().unwrap().to_owned()
    }

    async fn open(&self) -> Bench {
        self.open_by(Arc::new(SystemClock)).await
    }

    async fn open_by(&self, clock: Arc<dyn Clock>) -> Bench {
        let store = SqliteStore::open(&self.path(), clock.clone(), &Vital::default())
            .await
            .expect("it opens");
        Bench::new(vec![Arc::new(store)], clock, None)
    }

    /// Writes into the file behind the store's back.
    fn write(&self, sql: &str, params: impl rusqlite::Params) {
        let db = rusqlite::Connection::open(Path::new(&self.path())).unwrap();
        db.execute(sql, params).unwrap();
    }

    fn leave(&self, chat: ChatId, name: &str, at: Timestamp) {
        self.write(
            "UPDATE members SET left_at = ?3 WHERE chat_id = ?1 AND user_id = ?2",
            params![chat.0.as_bytes(), name, at.0],
        );
    }
}

#[tokio::test]
async fn opening_again_finds_everything() {
    let file = File::new();
    let bench = file.open().await;
    let mut new = bench.new_direct("ana", "bob");
    new.note = Some(bench.note(new.id, NoteKind::GroupCreated, "n"));
    let chat = bench.create(new.clone()).await;
    let sent = bench.send(chat, "ana").await;
    bench.node().delete_message(chat, sent.id).await.unwrap();
    let (delivered, read) = (vec![run(5, 6)], vec![run(1, 2)]);
    let mark = Mark { user: user("bob"), chat, delivered, read, seen: Default::default() };
    bench.node().mark(vec![mark]).await.unwrap();
    bench.node().put_profile(&user("ana"), "Ana", "", Timestamp(1)).await.unwrap();
    let keys = bench.node().keys().await.unwrap();
    let messages = bench.all(chat).await;
    let members = bench.node().members(chat).await.unwrap();
    // One that is under way when the store is closed is there, too.
    let dropped = bench.message(chat, "bob", "dropped");
    drop(bench.node().append(dropped));
    bench.close().await;

    let bench = file.open().await;
    let mut all = bench.all(chat).await;
    assert_eq!(all.pop().unwrap().client_message_id, "dropped");
    assert_eq!(all, messages);
    assert_eq!(bench.node().members(chat).await.unwrap(), members);
    assert!(bench.node().keys().await.unwrap() == keys);
    assert_eq!(bench.node().users(&[user("ana")]).await.unwrap()[0].display_name, "Ana");
    assert_eq!(bench.send(chat, "bob").await.seq, 4);
    let again = bench.node().create_chat(new.clone()).await.unwrap();
    assert_eq!(again, Created::Chat(new.chat, false));
    bench.close().await;
}

#[tokio::test]
async fn a_file_in_use_is_refused_until_it_is_closed() {
    let file = File::new();
    let bench = file.open().await;
    let second = SqliteStore::open(&file.path(), Arc::new(SystemClock), &Vital::default()).await;
    let error = second.err().expect("it is in use");
    assert!(matches!(error, StoreError::Unavailable(_)));
    assert!(error.to_string().contains("in use by another process"), "{error}");
    bench.send(bench.group(&["ana"]).await, "ana").await;
    bench.close().await;
    file.open().await.close().await;
}

#[tokio::test]
async fn a_file_of_a_newer_version_or_of_another_program_is_refused() {
    let file = File::new();
    file.open().await.close().await;
    file.write("PRAGMA user_version = 2", []);
    let error = SqliteStore::open(&file.path(), Arc::new(SystemClock), &Vital::default())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("made by a newer adda"), "{error}");
    let other = File::new();
    other.write("CREATE TABLE recipes (name TEXT)", []);
    let error = SqliteStore::open(&other.path(), Arc::new(SystemClock), &Vital::default())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("not a file of adda"), "{error}");
    let noise = File::new();
    std::fs::write(noise.path(), "not a database at all".repeat(100)).unwrap();
    let error = SqliteStore::open(&noise.path(), Arc::new(SystemClock), &Vital::default())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, StoreError::Broken(_)), "{error}");
}

#[tokio::test]
async fn a_url_without_a_path_is_refused() {
    for url in ["sqlite:", "sqlite::memory:", "postgres://u:secret@h/d", ""] {
        let error =
            adda::store::open(url, Arc::new(SystemClock), &Vital::default()).await.err().unwrap();
        assert!(matches!(error, OpenError::Url(_)), "{error}");
        assert!(!error.to_string().contains("secret"));
    }
    let error = adda::store::open(
        "sqlite:/nowhere/at/all/adda.db",
        Arc::new(SystemClock),
        &Vital::default(),
    )
    .await;
    assert!(matches!(error, Err(OpenError::Store(StoreError::Unavailable(_)))));
}

#[tokio::test]
async fn who_left_is_refused_but_for_repeats() {
    let file = File::new();
    let bench = file.open().await;
    let chat = bench.group(&["ana", "bob"]).await;
    let sent = bench.append(bench.message(chat, "bob", "c1")).await;
    file.leave(chat, "bob", bench.clock.now());
    let again = bench.node().append(bench.message(chat, "bob", "c1")).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(*again.message, sent);
    let mut other = bench.message(chat, "bob", "c1");
    other.content_hash = [7; 16];
    let refused = bench.node().append(other).await;
    assert!(matches!(refused, Err(AppendError::Reused)));
    let refused = bench.node().append(bench.message(chat, "bob", "c2")).await;
    assert!(matches!(refused, Err(AppendError::NotMember)));
    let (delivered, read) = (vec![run(1, 1)], Vec::new());
    let mark = Mark { user: user("bob"), chat, delivered, read, seen: Default::default() };
    assert_eq!(bench.node().mark(vec![mark]).await.unwrap(), [None]);
    bench.close().await;
}

#[tokio::test]
async fn a_former_place_is_told_for_seven_days() {
    const DAY: i64 = 24 * 3600 * 1000;
    let file = File::new();
    let bench = file.open().await;
    let (recent, old) = (bench.group(&["ana", "bob"]).await, bench.group(&["ana", "bob"]).await);
    let now = bench.clock.now().0;
    file.leave(recent, "bob", Timestamp(now - 7 * DAY + 60_000));
    file.leave(old, "bob", Timestamp(now - 7 * DAY - 1));
    let places = bench.node().memberships(&user("bob")).await.unwrap();
    assert_eq!(places.iter().map(|member| member.chat).collect::<Vec<_>>(), [recent]);
    assert!(places[0].left_at.is_some());
    for chat in [recent, old] {
        let members = bench.node().members(chat).await.unwrap();
        assert_eq!(members.iter().map(|m| m.user.as_str()).collect::<Vec<_>>(), ["ana"]);
        let former = bench.node().member(chat, &user("bob")).await.unwrap().unwrap();
        assert!(former.left_at.is_some());
    }
    let asked: [UserId; 2] = [user("bob"), user("ana")];
    assert_eq!(bench.node().count_memberships(&asked).await.unwrap(), [0, 2]);
    bench.close().await;
}

#[tokio::test]
async fn a_full_chat_is_refused_and_the_others_go_on() {
    let file = File::new();
    let bench = file.open().await;
    let (full, other) = (bench.group(&["ana"]).await, bench.group(&["ana"]).await);
    bench.append(bench.message(full, "ana", "last")).await;
    file.write("UPDATE messages SET seq = ?1", [MAX_SEQ]);
    let store = bench.node();
    let calls: Vec<_> = [full, other, full, other]
        .iter()
        .map(|chat| {
            let client_id = bench.clock.new_id().to_string();
            store.append(bench.message(*chat, "ana", &client_id))
        })
        .collect();
    let answers = futures_util::future::join_all(calls).await;
    assert!(matches!(answers[0], Err(AppendError::Full)));
    assert_eq!(answers[1].as_ref().unwrap().message.seq, 1);
    assert!(matches!(answers[2], Err(AppendError::Full)));
    assert_eq!(answers[3].as_ref().unwrap().message.seq, 2);
    let again = store.append(bench.message(full, "ana", "last")).await.unwrap();
    assert!(again.duplicate);
    bench.close().await;
}

#[tokio::test]
async fn what_fails_harms_nothing_that_is_committed_with_it() {
    let file = File::new();
    let bench = file.open().await;
    let chat = bench.group(&["ana"]).await;
    let taken = bench.send(chat, "ana").await.id;
    let store = bench.node();
    let calls: Vec<_> = (0..90)
        .map(|at| {
            let mut message = bench.message(chat, "ana", &format!("secret {at}"));
            if at % 3 == 1 {
                // An id that is taken: a bug of who made it.
                message.id = taken;
            }
            store.append(message)
        })
        .collect();
    for (at, answer) in futures_util::future::join_all(calls).await.into_iter().enumerate() {
        match answer {
            Ok(_) => assert_ne!(at % 3, 1),
            Err(AppendError::Store(StoreError::Broken(error))) => {
                assert_eq!(at % 3, 1);
                assert!(!error.to_string().contains("secret"), "{error}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(bench.all(chat).await.len(), 61);
    bench.close().await;
}

#[tokio::test]
async fn an_impossible_row_is_told_without_its_content() {
    let file = File::new();
    let bench = file.open().await;
    let chat = bench.group(&["ana"]).await;
    bench.append(bench.note(chat, NoteKind::TitleChanged, "n")).await;
    for damage in ["note = 'secret'", "note_kind = 99", "sender_id = CAST(x'ff' AS TEXT)"] {
        file.write(&format!("UPDATE messages SET {damage}"), []);
        let error = bench.node().messages(&[(chat, 1)]).await.expect_err("it cannot be read");
        assert!(matches!(error, StoreError::Broken(_)), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    bench.close().await;
}

#[tokio::test]
async fn deleted_text_is_not_in_the_file() {
    let file = File::new();
    let bench = file.open().await;
    let chat = bench.group(&["ana"]).await;
    let mut message = bench.message(chat, "ana", "c1");
    message.text = "UNFORGETTABLE".repeat(20);
    message.words = vec!["UNFORGETTABLE".to_owned(), "word".to_owned()];
    let sent = bench.append(message.clone()).await;
    bench.node().delete_message(chat, sent.id).await.unwrap();
    (message.id, message.client_message_id) = (MessageId(bench.clock.new_id()), "c2".to_owned());
    let (id, text) = (bench.append(message).await.id, "word".to_owned());
    let words = vec![text.clone()];
    let edit = Edit { chat, id, text, mentions: Vec::new(), words };
    bench.node().edit_message(edit).await.unwrap();
    bench.close().await;
    let mut files = 0;
    for entry in std::fs::read_dir(file.dir.path()).unwrap() {
        let name = entry.unwrap().path().display().to_string();
        let bytes = std::fs::read(&name).unwrap();
        let found = bytes.windows(13).any(|window| window.eq_ignore_ascii_case(b"unforgettable"));
        assert!(!found, "{name}");
        files += 1;
    }
    assert_eq!(files, 2, "the file and its lock, no log");
}

/// Stands still.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp(1_800_000_000_000)
    }

    fn new_id(&self) -> Uuid {
        SystemClock.new_id()
    }
}

#[tokio::test]
async fn a_page_of_changes_does_not_end_within_one_place() {
    let file = File::new();
    let bench = file.open_by(Arc::new(Noon)).await;
    assert_eq!(bench.node().now().await.unwrap(), Noon.now());
    let mut chats = Vec::new();
    for _ in 0..3 {
        let chat = bench.group(&["ana"]).await;
        for _ in 0..2 {
            let sent = bench.send(chat, "ana").await;
            bench.node().delete_message(chat, sent.id).await.unwrap();
        }
        chats.push(chat);
    }
    let first = bench.node().changed_messages(&chats, ChangeCursor::default(), 2).await.unwrap();
    let places: Vec<_> = first.iter().map(|c| (c.message.chat, c.message.seq)).collect();
    assert_eq!(places, chats.iter().map(|chat| (*chat, 1)).collect::<Vec<_>>());
    let cursor = ChangeCursor { at: Noon.now(), seq: 1 };
    assert!(first.iter().all(|changed| changed.cursor == cursor));
    let second = bench.node().changed_messages(&chats, cursor, 3).await.unwrap();
    assert!(second.len() == 3 && second.iter().all(|changed| changed.message.seq == 2));
    let end = ChangeCursor { at: Noon.now(), seq: 2 };
    assert!(bench.node().changed_messages(&chats, end, 3).await.unwrap().is_empty());
    let query = UnreadQuery { user: user("bob"), chat: chats[0], runs: vec![run(1, 2)] };
    assert_eq!(bench.node().count_unread(&[query]).await.unwrap(), [0]);
    bench.close().await;
}
