//! Changes of groups that a node left half-way.

use adda::model::{ChatId, NoteKind, Role, SystemNote};
use adda::store::{AppendError, GroupChange, GroupChanged, NewMessage, Store};
use futures_util::future::join_all;
use mongodb::Client;
use mongodb::bson::{Binary, Document, Uuid, doc, spec::BinarySubtype};

use super::{assert_sound, clock, group, log_of, message, user};
use crate::infra::mongo::{fresh_uri, stores};

/// A note as it waits in its chat.
pub(crate) fn pending(client_message_id: &str, kind: NoteKind, users: &[&str]) -> Document {
    doc! {
        "client_message_id": client_message_id,
        "content_hash": Binary { subtype: BinarySubtype::Generic, bytes: vec![9; 16] },
        "text": "a change",
        "note": { "kind": kind.number(), "actor": "ann", "users": users, "title": "" },
    }
}

pub(crate) fn id_of(chat: ChatId) -> Uuid {
    Uuid::from_bytes(chat.0.into_bytes())
}

async fn raw(uri: &str) -> mongodb::Database {
    Client::with_uri_str(uri).await.unwrap().default_database().unwrap()
}

/// A node has committed changes of a chat, and died before it told of them.
pub(crate) async fn leave_untold(uri: &str, chat: ChatId, notes: Vec<Document>) {
    let chats = raw(uri).await.collection::<Document>("chats");
    let revisions = i64::try_from(notes.len()).unwrap();
    let change = doc! {
        "$push": { "pending": { "$each": notes } },
        "$inc": { "revision": revisions },
        "$currentDate": { "changed_at": true },
    };
    chats.update_one(doc! { "_id": id_of(chat) }, change).await.unwrap();
}

async fn is_untold(store: &dyn Store, chat: ChatId) -> bool {
    store.chats(&[chat]).await.unwrap()[0].untold
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_left_untold_is_told_once_and_in_order() {
    let Some(uri) = fresh_uri().await else { return };
    let nodes = stores(&uri, 2, clock()).await;
    let chat = group(&*nodes[0], &["ann", "bob"]).await;
    nodes[0].append(message(chat, "ann", "m1")).await.unwrap();
    let tellings = vec![
        pending("change-2-0", NoteKind::AvatarChanged, &[]),
        pending("change-3-0", NoteKind::MembersAdded, &["cem"]),
    ];
    leave_untold(&uri, chat, tellings).await;
    assert!(is_untold(&*nodes[0], chat).await && is_untold(&*nodes[1], chat).await);
    let told = join_all((0..8).map(|n| nodes[n % 2].tell_changes(chat))).await;
    for told in told.into_iter().map(Result::unwrap).filter(|told| !told.is_empty()) {
        let seqs: Vec<_> = told.iter().map(|note| note.seq).collect();
        assert_eq!(seqs, [2, 3], "all are told the same");
    }
    assert!(!is_untold(&*nodes[0], chat).await && !is_untold(&*nodes[1], chat).await);
    let log = log_of(&*nodes[0], chat).await;
    assert_sound(&log);
    let kinds: Vec<_> = log.iter().filter_map(|it| it.note.as_ref()).map(|it| it.kind).collect();
    assert_eq!(kinds, [NoteKind::AvatarChanged, NoteKind::MembersAdded]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_untold_is_told_before_the_next_change() {
    let Some(uri) = fresh_uri().await else { return };
    let store = stores(&uri, 1, clock()).await.remove(0);
    let chat = group(&*store, &["ann", "bob"]).await;
    leave_untold(&uri, chat, vec![pending("change-2-0", NoteKind::AvatarChanged, &[])]).await;
    let seen = store.chats(&[chat]).await.unwrap().remove(0);
    let note = SystemNote {
        kind: NoteKind::TitleChanged,
        actor: Some(user("ann")),
        users: vec![],
        title: "new".to_owned(),
    };
    let note = NewMessage { sender: None, note: Some(note), ..message(chat, "ann", "change-3-0") };
    let change =
        GroupChange { title: Some("new".to_owned()), notes: vec![note], ..GroupChange::of(&seen) };
    let GroupChanged::Changed(after, _) = store.change_group(change).await.unwrap() else {
        panic!("nobody else has changed it")
    };
    assert_eq!((after.revision, after.title.as_str()), (3, "new"));
    let ids: Vec<_> =
        log_of(&*store, chat).await.into_iter().map(|it| it.client_message_id).collect();
    assert_eq!(ids, ["change-2-0", "change-3-0"]);
    assert!(!is_untold(&*store, chat).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn places_of_a_deleted_chat_count_as_left_before_that_is_written() {
    let Some(uri) = fresh_uri().await else { return };
    let store = stores(&uri, 1, clock()).await.remove(0);
    let chat = group(&*store, &["ann", "bob"]).await;
    // A node has deleted the chat, and died before it came to the members.
    let deleted = doc! { "$currentDate": { "deleted_at": true }, "$inc": { "revision": 1_i64 } };
    let chats = raw(&uri).await.collection::<Document>("chats");
    chats.update_one(doc! { "_id": id_of(chat) }, deleted).await.unwrap();
    let left = store.memberships(&user("bob")).await.unwrap();
    assert_eq!((left.len(), left[0].left_revision), (1, 2));
    assert!(left[0].left_at.is_some());
    let late = store.append(message(chat, "bob", "late")).await;
    assert!(matches!(late, Err(AppendError::NotMember)), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_and_changes_of_one_member_do_not_lose_each_other() {
    let Some(uri) = fresh_uri().await else { return };
    let nodes = stores(&uri, 2, clock()).await;
    let chat = group(&*nodes[0], &["ann", "bob"]).await;
    for n in 1..=40 {
        nodes[0].append(message(chat, "ann", &format!("m{n}"))).await.unwrap();
    }
    let marks = async {
        for seq in 1..=40 {
            let run = adda::model::Run { first: seq, last: seq };
            let mark = adda::store::Mark {
                user: user("bob"),
                chat,
                delivered: vec![],
                read: vec![run],
                seen: Default::default(),
            };
            nodes[1].mark(vec![mark]).await.unwrap();
        }
    };
    let roles = async {
        for n in 0..20 {
            let role = if n % 2 == 0 { Role::Admin } else { Role::Member };
            let seen = nodes[0].chats(&[chat]).await.unwrap().remove(0);
            let roles = vec![(user("bob"), role)];
            let change = GroupChange { roles, ..GroupChange::of(&seen) };
            assert!(nodes[0].change_group(change).await.unwrap() != GroupChanged::Moved);
        }
    };
    tokio::join!(marks, roles);
    let bob = nodes[0].member(chat, &user("bob")).await.unwrap().unwrap();
    assert_eq!((bob.role, bob.read.to()), (Role::Member, 40));
    assert_eq!(nodes[1].chats(&[chat]).await.unwrap()[0].revision, 21);
}
