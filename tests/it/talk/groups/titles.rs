//! Titles and pictures.

use adda::proto::{self, SystemNoteKind};

use super::{note, told_of};
use crate::on_both_backends;
use crate::world::{Api, Refusal, World, chat, history};

on_both_backends! {
    a_title_and_a_picture_change_for_all,
    a_group_may_begin_with_a_picture,
}

const PICTURE: &str = "https://example.com/p.png";

async fn update(
    api: &mut Api,
    chat: &str,
    title: Option<&str>,
    avatar_url: Option<&str>,
) -> Result<proto::Chat, Refusal> {
    let request = proto::UpdateChatRequest {
        chat_id: chat.to_owned(),
        title: title.map(str::to_owned),
        avatar_url: avatar_url.map(str::to_owned),
    };
    match api.update_chat(request).await {
        Ok(answer) => Ok(answer.into_inner().chat.unwrap()),
        Err(status) => Err(Refusal::of_status(&status)),
    }
}

async fn a_title_and_a_picture_change_for_all(world: World) {
    let group = world.group("alice", &["bob"]).await;
    let mut alice = world.api("alice").await;
    let mut bob = world.connect("bob", "phone").await;
    let now = update(&mut alice, &group, Some(" e\u{301}té "), Some(PICTURE)).await.unwrap();
    assert_eq!((now.title.as_str(), now.avatar_url.as_str(), now.revision), ("été", PICTURE, 2));
    let told = told_of(&mut bob, &group, 2).await;
    assert_eq!((told.title.as_str(), told.avatar_url.as_str()), ("été", PICTURE));
    let (seq, kind, what) = note(&mut bob, &group).await;
    assert_eq!((seq, kind, what.title.as_str()), (2, SystemNoteKind::TitleChanged, "été"));
    let (seq, kind, what) = note(&mut bob, &group).await;
    assert_eq!((seq, kind, what.actor_id.as_str()), (3, SystemNoteKind::AvatarChanged, "alice"));
    let found = proto::ListChatsRequest { query: "ÉT".to_owned(), ..Default::default() };
    let found = bob.api.list_chats(found).await.unwrap().into_inner().chats;
    assert_eq!((found.len(), found[0].unread_count), (1, Some(0)), "notes are not unread");

    for (title, url) in [(None, None), (Some("été"), None), (Some("été"), Some(PICTURE))] {
        let same = update(&mut alice, &group, title, url).await.unwrap();
        assert_eq!(same.revision, 2, "nothing is new");
    }
    let now = update(&mut alice, &group, None, Some("")).await.unwrap();
    assert_eq!((now.title.as_str(), now.avatar_url.as_str(), now.revision), ("été", "", 3));
    assert_eq!(history(&mut alice, &group).await.len(), 4);
    for (title, url, field) in [
        (Some(""), None, "title"),
        (Some("x".repeat(129).as_str()), None, "title"),
        (Some("good"), Some("http://example.com/"), "avatar_url"),
        (None, Some(format!("https://h/{}", "x".repeat(2_048)).as_str()), "avatar_url"),
    ] {
        let refused = update(&mut alice, &group, title, url).await.unwrap_err();
        assert_eq!(refused.what(), ("FIELD_INVALID", field));
    }
    assert_eq!(chat(&mut alice, &group).await.revision, 3);
}

async fn a_group_may_begin_with_a_picture(world: World) {
    let mut alice = world.api("alice").await;
    let group = proto::CreateChatRequest {
        kind: proto::ChatKind::Group.into(),
        title: "Picnic".to_owned(),
        client_chat_id: "once".to_owned(),
        avatar_url: PICTURE.to_owned(),
        ..proto::CreateChatRequest::default()
    };
    for created in [true, false] {
        let made = alice.create_chat(group.clone()).await.unwrap().into_inner();
        assert_eq!((made.created, made.chat.unwrap().avatar_url.as_str()), (created, PICTURE));
    }
    let other = proto::CreateChatRequest { avatar_url: String::new(), ..group.clone() };
    let refused = Refusal::from(alice.create_chat(other).await);
    assert_eq!(refused.what(), ("CLIENT_ID_REUSED", ""));
    let odd = proto::CreateChatRequest { avatar_url: "javascript:x".to_owned(), ..group };
    let refused = Refusal::from(alice.create_chat(odd).await);
    assert_eq!(refused.what(), ("FIELD_INVALID", "avatar_url"));
    let direct = proto::CreateChatRequest {
        kind: proto::ChatKind::Direct.into(),
        member_ids: vec!["bob".to_owned()],
        avatar_url: PICTURE.to_owned(),
        ..proto::CreateChatRequest::default()
    };
    let refused = Refusal::from(alice.create_chat(direct).await);
    assert_eq!(refused.what(), ("FIELD_INVALID", "avatar_url"));
}
