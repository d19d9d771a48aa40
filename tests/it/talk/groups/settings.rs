//! What one member sets for a chat.

use adda::proto::event::Event;
use adda::proto::{self, ChatFilter, ChatSettings};
use prost_types::Timestamp;

use crate::on_both_backends;
use crate::world::{Api, Live, Refusal, World, chat, send};

on_both_backends! {
    settings_reach_the_members_own_devices_alone,
    an_inbox_is_listed_by_settings,
    at_most_twenty_chats_are_pinned,
}

fn wish(chat: &str) -> proto::SetChatSettingsRequest {
    proto::SetChatSettingsRequest { chat_id: chat.to_owned(), ..Default::default() }
}

async fn set(api: &mut Api, wish: proto::SetChatSettingsRequest) -> ChatSettings {
    api.set_chat_settings(wish).await.unwrap().into_inner().settings.unwrap()
}

async fn told(live: &mut Live) -> (String, ChatSettings) {
    live.event(|event| match event {
        Event::ChatSettingsUpdated(it) => Some((it.chat_id.clone(), it.settings.unwrap())),
        _ => None,
    })
    .await
}

fn untouched() -> ChatSettings {
    ChatSettings {
        notification_level: proto::NotificationLevel::All.into(),
        ..ChatSettings::default()
    }
}

async fn settings_reach_the_members_own_devices_alone(mut world: World) {
    let other = if world.has_several_nodes() { world.add_node(&[]).await } else { 0 };
    let direct = world.direct("alice", "bob").await;
    let mut phone = world.connect("alice", "phone").await;
    let mut tablet = world.connect_at(other, "alice", "tablet").await;
    let mut bob = world.connect_at(other, "bob", "phone").await;
    for live in [&mut phone, &mut tablet, &mut bob] {
        live.caught_up().await;
    }
    assert_eq!(chat(&mut phone.api, &direct).await.settings, Some(untouched()));
    let mut api = phone.api.clone();
    let pinned =
        set(&mut api, proto::SetChatSettingsRequest { pinned: Some(true), ..wish(&direct) });
    let pinned = pinned.await;
    assert!(pinned.pinned_at.is_some() && !pinned.archived && pinned.muted_until.is_none());
    assert_eq!(pinned.revision, 1);
    for live in [&mut phone, &mut tablet] {
        assert_eq!(told(live).await, (direct.clone(), pinned));
    }
    let again =
        set(&mut api, proto::SetChatSettingsRequest { pinned: Some(true), ..wish(&direct) }).await;
    assert_eq!(again, pinned, "it is so already");
    let until = Timestamp { seconds: 253_402_300_799, nanos: 0 };
    let muted = proto::SetChatSettingsRequest {
        archived: Some(true),
        muted_until: Some(until),
        ..wish(&direct)
    };
    let muted = set(&mut api, muted).await;
    let want = ChatSettings { archived: true, muted_until: Some(until), revision: 2, ..pinned };
    assert_eq!(muted, want);
    assert_eq!(told(&mut tablet).await.1, want, "and nothing was told of what changed nothing");
    let shown = chat(&mut world.api_at(other, "alice").await, &direct).await;
    assert_eq!((shown.settings, shown.muted_until), (Some(want), Some(until)));
    let past = Timestamp { seconds: 1, nanos: 0 };
    let back = proto::SetChatSettingsRequest { muted_until: Some(past), ..wish(&direct) };
    let back = set(&mut api, back).await;
    assert_eq!((back.muted_until, back.revision), (None, 3));
    for odd in [
        Timestamp { seconds: 253_402_300_800, nanos: 0 },
        Timestamp { seconds: i64::MAX, nanos: 0 },
        Timestamp { seconds: 0, nanos: -1 },
    ] {
        let odd = proto::SetChatSettingsRequest { muted_until: Some(odd), ..wish(&direct) };
        let refused = Refusal::from(api.set_chat_settings(odd).await);
        assert_eq!(refused.what(), ("FIELD_INVALID", "muted_until"));
    }
    // Bob hears of messages, and of nothing that alice has set.
    send(&mut api, &direct, "m1", "hello").await;
    super::hears(&mut bob, "hello").await;
    let seen = bob.take_seen();
    assert!(!seen.iter().any(|frame| format!("{frame:?}").contains("Settings")), "{seen:?}");
    let shown = chat(&mut world.api("bob").await, &direct).await;
    assert_eq!((shown.settings, shown.revision), (Some(untouched()), 1));
}

async fn listed(api: &mut Api, size: u32, filter: ChatFilter, query: &str) -> Vec<String> {
    let (mut ids, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = proto::ListChatsRequest {
            page_size: size,
            page_token,
            filter: filter.into(),
            query: query.to_owned(),
        };
        let page = api.list_chats(request).await.unwrap().into_inner();
        ids.extend(page.chats.into_iter().map(|chat| chat.chat_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return ids;
        }
    }
}

async fn an_inbox_is_listed_by_settings(world: World) {
    let mut alice = world.api("alice").await;
    let mut chats = Vec::new();
    for peer in ["bob", "carol", "dave", "erin", "frank", "gina"] {
        let id = world.direct("alice", peer).await;
        send(&mut alice, &id, "m", "hello").await;
        world.api(peer).await;
        chats.insert(0, id);
    }
    for at in [1, 3, 4] {
        set(&mut alice, proto::SetChatSettingsRequest { archived: Some(true), ..wish(&chats[at]) })
            .await;
    }
    for at in [0, 4] {
        set(&mut alice, proto::SetChatSettingsRequest { pinned: Some(true), ..wish(&chats[at]) })
            .await;
    }
    let of = |at: &[usize]| at.iter().map(|at| chats[*at].clone()).collect::<Vec<_>>();
    for size in [1, 2, 100] {
        for (filter, want) in [
            (ChatFilter::Unspecified, of(&[0, 1, 2, 3, 4, 5])),
            (ChatFilter::Unarchived, of(&[0, 2, 5])),
            (ChatFilter::Archived, of(&[1, 3, 4])),
            (ChatFilter::Pinned, of(&[0, 4])),
        ] {
            assert_eq!(listed(&mut alice, size, filter, "").await, want, "{filter:?} by {size}");
        }
        assert_eq!(listed(&mut alice, size, ChatFilter::Archived, "frank").await, of(&[1]));
    }
    let first = proto::ListChatsRequest {
        page_size: 1,
        filter: ChatFilter::Archived.into(),
        ..Default::default()
    };
    let token = alice.list_chats(first.clone()).await.unwrap().into_inner().next_page_token;
    let other =
        proto::ListChatsRequest { filter: ChatFilter::Pinned.into(), page_token: token, ..first };
    let refused = Refusal::from(alice.list_chats(other).await);
    assert_eq!(refused.what(), ("PAGE_TOKEN_INVALID", ""));
}

async fn at_most_twenty_chats_are_pinned(world: World) {
    let mut alice = world.api("alice").await;
    let pin =
        |chat: &str, pinned| proto::SetChatSettingsRequest { pinned: Some(pinned), ..wish(chat) };
    let mut chats = Vec::new();
    for at in 0..21 {
        chats.push(world.direct("alice", &format!("peer{at}")).await);
    }
    for chat in &chats[..20] {
        set(&mut alice, pin(chat, true)).await;
    }
    let refused = Refusal::from(alice.set_chat_settings(pin(&chats[20], true)).await);
    assert_eq!(refused.what(), ("FIELD_INVALID", "pinned"));
    assert_eq!(refused.metadata["limit"], "20");
    assert_eq!(set(&mut alice, pin(&chats[3], true)).await.revision, 1, "pinned as it was");
    set(&mut alice, pin(&chats[3], false)).await;
    assert_eq!(set(&mut alice, pin(&chats[20], true)).await.revision, 1);
}
