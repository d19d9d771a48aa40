//! Deleting for everyone.

use adda::proto::{self, DeleteScope};
use tonic::Code;

use super::{Place, delete, deleted, edit, react, say};
use crate::on_both_backends;
use crate::world::{Refusal, World, chat, history};

on_both_backends! {
    the_content_goes_and_the_place_stays,
    unread_falls_at_once_and_the_preview_follows,
    in_groups_a_higher_role_deletes,
    what_is_gone_stays_gone,
}

async fn the_content_goes_and_the_place_stays(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &chat_id, "hello").await;
    say(&mut alice, &chat_id, "there").await;
    react(&mut alice, &of, "👍").await.unwrap();
    let mut devices = vec![world.connect("alice", "phone").await];
    devices.push(world.connect("bob", "phone").await);
    let answer = delete(&mut alice, &of, DeleteScope::Everyone).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.reactions.len(), answer.revision), ("", 0, 2));
    for live in &mut devices {
        let told = deleted(live).await;
        assert_eq!((told.chat_id.as_str(), told.message_id), (chat_id.as_str(), of.id.clone()));
        assert_eq!((told.seq, told.revision, told.sender_id.as_str()), (1, 2, "alice"));
        assert_eq!(told.deleted_at, answer.deleted_at);
    }
    let all = history(&mut world.api("bob").await, &chat_id).await;
    assert_eq!(all.iter().map(|message| message.seq).collect::<Vec<_>>(), [1, 2]);
    assert!(all[0].text.is_empty() && all[0].deleted_at.is_some() && !all[0].hidden);
    assert_eq!(all[0].client_message_id, answer.client_message_id);
    let again = delete(&mut alice, &of, DeleteScope::Everyone).await.unwrap();
    assert_eq!(again, answer, "twice is once");
}

async fn unread_falls_at_once_and_the_preview_follows(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    say(&mut alice, &chat_id, "one").await;
    let last = say(&mut alice, &chat_id, "two").await;
    assert_eq!(chat(&mut bob, &chat_id).await.unread_count, Some(2));
    let before = chat(&mut bob, &chat_id).await.updated_at;
    delete(&mut alice, &last, DeleteScope::Everyone).await.unwrap();
    let shown = chat(&mut bob, &chat_id).await;
    assert_eq!((shown.unread_count, shown.last_seq), (Some(1), 2));
    let preview = shown.last_message.unwrap();
    assert_eq!((preview.seq, preview.text.as_str()), (2, ""));
    assert!(preview.deleted_at.is_some());
    assert_eq!(shown.updated_at, before, "the inbox keeps its order");
    let inbox = bob.list_chats(proto::ListChatsRequest::default()).await.unwrap().into_inner();
    assert_eq!(inbox.total_unread_count, Some(1));
}

async fn in_groups_a_higher_role_deletes(world: World) {
    let group = world.group("alice", &["bob", "carol"]).await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let (hers, his) = (say(&mut alice, &group, "hers").await, say(&mut bob, &group, "his").await);
    let mut carol = world.api("carol").await;
    for (api, of) in [(&mut bob, &hers), (&mut carol, &his)] {
        let refused = Refusal::from(delete(api, of, DeleteScope::Everyone).await);
        assert_eq!((refused.code, refused.what()), (Code::PermissionDenied, ("ROLE_TOO_LOW", "")));
    }
    assert!(delete(&mut alice, &his, DeleteScope::Everyone).await.unwrap().deleted_at.is_some());
    let all = history(&mut bob, &group).await;
    assert_eq!((all[1].text.as_str(), all[2].text.as_str()), ("hers", ""));
    // In a direct chat nobody has a higher role.
    let direct = world.direct("alice", "bob").await;
    let his = say(&mut bob, &direct, "his").await;
    let refused = Refusal::from(delete(&mut alice, &his, DeleteScope::Everyone).await);
    assert_eq!(refused.reason, "ROLE_TOO_LOW");
    // What the service has said is nobody's.
    let note = Place { chat: group, id: all[0].message_id.clone(), seq: 1 };
    let refused = Refusal::from(delete(&mut alice, &note, DeleteScope::Everyone).await);
    assert_eq!(refused.what(), ("MESSAGE_NOT_CHANGEABLE", ""));
}

async fn what_is_gone_stays_gone(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &chat_id, "hello").await;
    let gone = delete(&mut alice, &of, DeleteScope::Everyone).await.unwrap();
    for refused in [
        Refusal::from(edit(&mut alice, &of, "back").await),
        Refusal::from(react(&mut alice, &of, "👍").await),
        Refusal::from(super::unreact(&mut alice, &of, "👍").await),
    ] {
        assert_eq!(
            (refused.code, refused.what()),
            (Code::FailedPrecondition, ("MESSAGE_NOT_CHANGEABLE", ""))
        );
    }
    assert_eq!(history(&mut alice, &chat_id).await[0].revision, gone.revision);
}
