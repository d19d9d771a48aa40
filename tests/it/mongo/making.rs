//! Chats that were left half made, and receipts of two nodes at once.

use adda::clock::{Clock as _, SystemClock};
use adda::model::{Chat, ChatId, ChatKind, NoteKind, Role, Run, SeqSet, SystemNote};
use adda::store::{Created, Mark, NewChat, NewMessage};
use futures_util::future::join_all;
use mongodb::Client;
use mongodb::bson::{Binary, Document, Uuid, doc, spec::BinarySubtype};

use super::{clock, group, message, user};
use crate::infra::mongo::{fresh_stores, fresh_uri, stores};

fn keyed(title: &str) -> NewChat {
    let id = ChatId(SystemClock.new_id());
    let note = SystemNote {
        kind: NoteKind::GroupCreated,
        actor: Some(user("ann")),
        users: vec![user("bob")],
        title: String::new(),
    };
    NewChat {
        key: Some("g|ann|once".into()),
        id,
        content_hash: [3; 16],
        chat: Chat {
            id,
            kind: ChatKind::Group,
            title: title.into(),
            avatar_url: String::new(),
            created_by: user("ann"),
            member_count: 2,
            revision: 1,
            deleted_at: None,
            untold: false,
        },
        members: vec![(user("ann"), Role::Owner), (user("bob"), Role::Member)],
        note: Some(NewMessage { sender: None, note: Some(note), ..message(id, "ann", "created") }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_left_half_made_is_finished_by_a_repeat() {
    let Some(uri) = fresh_uri().await else { return };
    let nodes = stores(&uri, 2, clock()).await;
    let raw = Client::with_uri_str(&uri).await.unwrap().default_database().unwrap();
    let first = keyed("group");
    let id = Uuid::from_bytes(first.id.0.into_bytes());
    // A node claimed the key, wrote all of it but the chat itself, and was killed.
    let hash = Binary { subtype: BinarySubtype::Generic, bytes: first.content_hash.to_vec() };
    let claim = doc! { "_id": "g|ann|once", "chat_id": id, "content_hash": hash };
    raw.collection("chat_keys").insert_one(claim).await.unwrap();
    let none = NewChat { key: None, ..first.clone() };
    nodes[0].create_chat(none).await.unwrap();
    raw.collection::<Document>("chats").delete_one(doc! { "_id": id }).await.unwrap();

    // Until it is whole it is not there.
    let ann = user("ann");
    assert!(nodes[1].chats(&[first.id]).await.unwrap().is_empty());
    assert!(nodes[1].members(first.id).await.unwrap().is_empty());
    assert!(nodes[1].member(first.id, &ann).await.unwrap().is_none());
    assert!(nodes[1].memberships(&ann).await.unwrap().is_empty());
    assert!(nodes[1].append(message(first.id, "ann", "early")).await.is_err());

    let repeats = (0..6).map(|n| nodes[n % 2].create_chat(keyed("group")));
    let made: Vec<_> = join_all(repeats).await.into_iter().map(Result::unwrap).collect();
    let new = made.iter().filter(|made| matches!(made, Created::Chat(_, true))).count();
    assert_eq!(new, 1, "{made:?}");
    for made in made {
        let Created::Chat(chat, _) = made else { panic!("{made:?}") };
        assert_eq!(chat, first.chat);
    }
    assert_eq!(nodes[0].members(first.id).await.unwrap().len(), 2);
    let log = super::log_of(&*nodes[0], first.id).await;
    assert_eq!(log.len(), 1);
    let next = nodes[1].append(message(first.id, "bob", "hello")).await.unwrap();
    assert_eq!(next.message.seq, 2);
    let other = NewChat { content_hash: [4; 16], ..keyed("other") };
    assert_eq!(nodes[0].create_chat(other).await.unwrap(), Created::Reused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_chat_is_not_revived() {
    let Some(uri) = fresh_uri().await else { return };
    let store = stores(&uri, 1, clock()).await.remove(0);
    let raw = Client::with_uri_str(&uri).await.unwrap().default_database().unwrap();
    let first = keyed("group");
    store.create_chat(first.clone()).await.unwrap();
    let change = doc! { "$currentDate": { "deleted_at": true } };
    let chats = raw.collection::<Document>("chats");
    chats.update_many(doc! {}, change).await.unwrap();
    assert_eq!(store.create_chat(keyed("group")).await.unwrap(), Created::Deleted);
    assert!(store.members(first.id).await.unwrap().is_empty());
    let late = NewMessage { member_as_of: 0, ..message(first.id, "ann", "late") };
    assert!(store.append(late).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_two_nodes_at_once_lose_nothing() {
    let Some(nodes) = fresh_stores(2, clock()).await else { return };
    let chat = group(&*nodes[0], &["ann", "bob"]).await;
    let mut want = (SeqSet::default(), SeqSet::default());
    let mut seed = 1_u32;
    let mut marks = Vec::new();
    for n in 0..400_usize {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let first = 1 + (seed >> 8) % 300;
        let run = Run { first, last: first + (seed >> 24) % 6 };
        let (delivered, read) = if n % 3 == 0 { (vec![], vec![run]) } else { (vec![run], vec![]) };
        want.0.insert(run);
        want.1.extend(read.iter().copied());
        marks.push(Mark { user: user("ann"), chat, delivered, read, seen: Default::default() });
    }
    // Several at a time from each node, so that they meet.
    for some in marks.chunks(8) {
        let calls = some.iter().enumerate().map(|(n, mark)| nodes[n % 2].mark(vec![mark.clone()]));
        for (mark, answer) in some.iter().zip(join_all(calls).await) {
            let (delivered, read) = answer.unwrap().remove(0).expect("ann is a member");
            assert!(mark.delivered.iter().all(|run| delivered.covers(*run)));
            assert!(mark.read.iter().all(|run| delivered.covers(*run) && read.covers(*run)));
        }
    }
    let ann = nodes[0].member(chat, &user("ann")).await.unwrap().expect("ann is a member");
    assert_eq!((ann.delivered, ann.read), want);
}
