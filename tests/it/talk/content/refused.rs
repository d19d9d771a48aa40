//! Who may not, and with what not; and that nothing has changed then.

use adda::proto::{self, DeleteScope};
use tonic::{Code, Status};

use super::{Place, delete, edit, react, say, unreact};
use crate::on_both_backends;
use crate::world::{Api, Refusal, World, history, unique};

on_both_backends! {
    others_messages_are_not_edited,
    what_is_not_there_or_not_ones_own_to_see_is_not_found,
    what_the_service_says_does_not_change,
    texts_and_emoji_that_are_none_are_refused,
}

/// Everything that changes a message.
async fn all_changes(api: &mut Api, of: &Place) -> Vec<Refusal> {
    let refusal = |came: Result<proto::Message, Status>| Refusal::from(came);
    vec![
        refusal(edit(api, of, "other").await),
        refusal(react(api, of, "👍").await),
        refusal(unreact(api, of, "👍").await),
        refusal(delete(api, of, DeleteScope::Everyone).await),
        refusal(delete(api, of, DeleteScope::Me).await),
    ]
}

async fn others_messages_are_not_edited(world: World) {
    let group = world.group("alice", &["bob"]).await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let his = say(&mut bob, &group, "his").await;
    // Not even by who owns the group.
    let refused = Refusal::from(edit(&mut alice, &his, "hers").await);
    assert_eq!((refused.code, refused.what()), (Code::PermissionDenied, ("ROLE_TOO_LOW", "")));
    let kept = history(&mut bob, &group).await.remove(1);
    assert_eq!((kept.text.as_str(), kept.revision), ("his", 0));
}

async fn what_is_not_there_or_not_ones_own_to_see_is_not_found(world: World) {
    let (one, two) = (world.direct("alice", "bob").await, world.direct("carol", "bob").await);
    let (mut alice, mut carol) = (world.api("alice").await, world.api("carol").await);
    let hers = say(&mut alice, &one, "hello").await;
    let foreign = say(&mut carol, &two, "hello").await;
    for id in [&foreign.id, &unique(), &"{\"$gt\":\"\"}".to_owned(), &"a\0".to_owned()] {
        let of = Place { chat: one.clone(), id: id.clone(), seq: 1 };
        for refused in all_changes(&mut alice, &of).await {
            assert_eq!(
                (refused.code, refused.what()),
                (Code::NotFound, ("MESSAGE_NOT_FOUND", "")),
                "{id}"
            );
        }
    }
    // To a stranger the chat itself is not there, whatever is asked of it.
    for of in
        [&hers, &Place { id: unique(), ..hers.clone() }, &Place { chat: unique(), ..hers.clone() }]
    {
        for refused in all_changes(&mut carol, of).await {
            assert_eq!((refused.code, refused.what()), (Code::NotFound, ("CHAT_NOT_FOUND", "")));
        }
    }
    let unset = Place { chat: one.clone(), id: String::new(), seq: 0 };
    for refused in all_changes(&mut alice, &unset).await {
        assert_eq!(refused.what(), ("FIELD_INVALID", "message_id"));
    }
    for (api, chat) in [(&mut alice, &one), (&mut carol, &two)] {
        let kept = history(api, chat).await.remove(0);
        assert_eq!((kept.text.as_str(), kept.revision, kept.hidden), ("hello", 0, false));
    }
}

async fn what_the_service_says_does_not_change(world: World) {
    let group = world.group("alice", &["bob"]).await;
    let mut alice = world.api("alice").await;
    let note = history(&mut alice, &group).await.remove(0);
    let of = Place { chat: group.clone(), id: note.message_id.clone(), seq: 1 };
    for refused in [
        Refusal::from(edit(&mut alice, &of, "other").await),
        Refusal::from(react(&mut alice, &of, "👍").await),
        Refusal::from(unreact(&mut alice, &of, "👍").await),
        Refusal::from(delete(&mut alice, &of, DeleteScope::Everyone).await),
    ] {
        assert_eq!(refused.what(), ("MESSAGE_NOT_CHANGEABLE", ""));
        assert!(!refused.retry);
    }
    assert_eq!(history(&mut alice, &group).await, [note]);
}

async fn texts_and_emoji_that_are_none_are_refused(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &chat, "hello").await;
    let (marks, long) = (format!("e{}", "\u{300}".repeat(5000)), "x".repeat(8193));
    for bad in ["", " \n", "\u{200b}", "\0", &marks, &long] {
        let refused = Refusal::from(edit(&mut alice, &of, bad).await);
        assert_eq!(
            (refused.code, refused.what()),
            (Code::InvalidArgument, ("FIELD_INVALID", "text"))
        );
    }
    let (tower, many) = (format!("👍{}", "\u{300}".repeat(5000)), "👍".repeat(2));
    for bad in ["", "a", "1", "$", "{\"$gt\":\"\"}", "👍\0", ".*(a+)+$", &tower, &many] {
        for refused in [
            Refusal::from(react(&mut alice, &of, bad).await),
            Refusal::from(unreact(&mut alice, &of, bad).await),
        ] {
            assert_eq!(refused.what(), ("FIELD_INVALID", "emoji"), "{bad:?}");
        }
    }
    let refused = Refusal::from(delete(&mut alice, &of, DeleteScope::Unspecified).await);
    assert_eq!(refused.what(), ("FIELD_INVALID", "scope"));
    let kept = history(&mut alice, &chat).await.remove(0);
    assert_eq!((kept.text.as_str(), kept.revision, kept.reactions.len()), ("hello", 0, 0));
}
