//! Everything that is kept of a user.

use adda::proto::admin_service_client::AdminServiceClient;
use adda::proto::{self, export_user_response::Piece};
use prost::Message as _;
use tonic::transport::Endpoint;

use super::{admin, service_token};
use crate::on_both_backends;
use crate::world::{Bearer, Part, Refusal, Web, World, send, token};

on_both_backends! {
    all_that_is_kept_of_a_user_is_handed_out,
    how_a_user_is_told_is_handed_out_too,
    what_was_left_is_handed_out_too,
    much_is_handed_out_page_by_page,
    who_is_not_known_is_an_id_alone,
    only_services_may_ask,
    a_browser_is_handed_it_too,
    no_more_than_so_many_are_under_way,
}

async fn export(world: &World, user: &str) -> Vec<Piece> {
    let mut admin = admin(world, 0, service_token("adda.service")).await;
    let request = proto::ExportUserRequest { user_id: user.to_owned() };
    let mut pieces = admin.export_user(request).await.unwrap().into_inner();
    let mut all = Vec::new();
    while let Some(came) = pieces.message().await.unwrap() {
        all.push(came.piece.unwrap());
    }
    assert!(all.iter().map(arm).is_sorted(), "in the order of the arms");
    all
}

fn arm(piece: &Piece) -> u32 {
    match piece {
        Piece::User(_) => 1,
        Piece::Chat(_) => 2,
        Piece::Message(_) => 3,
        Piece::Reaction(_) => 4,
        Piece::Block(_) => 5,
        Piece::Device(_) => 6,
        Piece::Notification(_) => 7,
    }
}

fn messages(pieces: &[Piece]) -> Vec<&proto::Message> {
    let mut found = Vec::new();
    for piece in pieces {
        if let Piece::Message(message) = piece {
            found.push(message);
        }
    }
    found
}

fn chats(pieces: &[Piece]) -> Vec<&proto::Chat> {
    let mut found = Vec::new();
    for piece in pieces {
        if let Piece::Chat(chat) = piece {
            found.push(chat);
        }
    }
    found
}

async fn all_that_is_kept_of_a_user_is_handed_out(world: World) {
    let direct = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    send(&mut alice, &direct, "m1", "hello").await;
    let theirs = send(&mut world.api("bob").await, &direct, "m2", "hi").await;
    let mut live = world.connect("alice", "phone").await;
    live.mark(&direct, vec![crate::world::run(1, 2)], true).await;
    let settings = proto::SetChatSettingsRequest {
        chat_id: direct.clone(),
        pinned: Some(true),
        ..Default::default()
    };
    alice.set_chat_settings(settings).await.unwrap();
    let reaction = proto::AddReactionRequest {
        chat_id: direct.clone(),
        message_id: theirs.message_id.clone(),
        emoji: "👍".to_owned(),
    };
    alice.add_reaction(reaction).await.unwrap();
    let mut people = world.people("alice").await;
    let block = proto::BlockUserRequest { user_id: "carol".to_owned() };
    people.block_user(block).await.unwrap();
    let hide = proto::UpdatePrivacyRequest { hide_last_active: Some(true), ..Default::default() };
    people.update_privacy(hide).await.unwrap();

    let pieces = export(&world, "alice").await;
    let Piece::User(user) = &pieces[0] else { panic!("{:?}", pieces[0]) };
    assert_eq!(user.user.as_ref().unwrap().display_name, "Alice");
    assert!(user.privacy.unwrap().hide_last_active);
    let chats = chats(&pieces);
    assert_eq!((chats.len(), &chats[0].chat_id), (1, &direct));
    let place = chats[0].membership.as_ref().unwrap();
    assert_eq!(
        (place.user_id.as_str(), place.read.clone()),
        ("alice", vec![crate::world::run(1, 2)])
    );
    assert!(chats[0].settings.as_ref().unwrap().pinned_at.is_some());
    let texts: Vec<&str> = messages(&pieces).iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["hello"], "what others wrote is theirs");
    let rest = &pieces[3..];
    let Piece::Reaction(reaction) = &rest[0] else { panic!("{rest:?}") };
    assert_eq!((&reaction.message_id, &*reaction.emoji), (&theirs.message_id, "👍"));
    let Piece::Block(block) = &rest[1] else { panic!("{rest:?}") };
    assert_eq!(block.user_id, "carol");
    assert!(block.blocked_at.is_some());
    assert_eq!(rest.len(), 2);
}

async fn how_a_user_is_told_is_handed_out_too(world: World) {
    let mut alice = world.notifications_at(0, "alice").await;
    for (device_id, platform) in
        [("phone", proto::Platform::Android), ("laptop", proto::Platform::Web)]
    {
        let request = proto::RegisterDeviceRequest {
            device_id: device_id.to_owned(),
            push_token: format!("secret-{}", crate::world::unique()),
            platform: platform.into(),
            locale: "bn-BD".to_owned(),
            app_version: "2.1".to_owned(),
        };
        alice.register_device(request).await.unwrap();
    }
    let wishes = proto::NotificationPreferences {
        silent: true,
        time_zone: "Asia/Dhaka".to_owned(),
        ..Default::default()
    };
    let request = proto::UpdatePreferencesRequest { preferences: Some(wishes) };
    let kept = alice.update_preferences(request).await.unwrap().into_inner().preferences;
    let group = world.group("bob", &["alice"]).await;
    let told = crate::world::eventually("alice is told that she was added", async || {
        let request = proto::ListNotificationsRequest::default();
        let page = alice.list_notifications(request).await.unwrap().into_inner();
        (!page.notifications.is_empty()).then_some(page.notifications)
    })
    .await;
    assert_eq!(told[0].chat_id, group);

    let pieces = export(&world, "alice").await;
    let Piece::User(user) = &pieces[0] else { panic!("{:?}", pieces[0]) };
    assert_eq!(user.preferences, kept);
    let [Piece::Device(laptop), Piece::Device(phone), rest @ ..] = &pieces[2..] else {
        panic!("{pieces:?}")
    };
    let shown = |of: &proto::ExportedDevice| [of.device_id.clone(), of.platform.clone()];
    assert_eq!(
        (shown(laptop), shown(phone)),
        (["laptop", "WEB"].map(str::to_owned), ["phone", "ANDROID"].map(str::to_owned),)
    );
    assert_eq!((phone.locale.as_str(), phone.app_version.as_str()), ("bn-BD", "2.1"));
    assert!(phone.registered_at.is_some() && phone.failed_at.is_none());
    assert_eq!(rest, told.into_iter().map(Piece::Notification).collect::<Vec<_>>());
    assert!(!format!("{pieces:?}").contains("secret-"), "push tokens stay");
    // What is another's is not in it.
    assert!(matches!(&export(&world, "bob").await[..], [Piece::User(_), Piece::Chat(_)]));
}

async fn what_was_left_is_handed_out_too(world: World) {
    let left = world.group("bob", &["alice"]).await;
    let deleted = world.group("bob", &["alice"]).await;
    let mut alice = world.api("alice").await;
    for chat in [&left, &deleted] {
        send(&mut alice, chat, "m", "hello").await;
    }
    alice.leave_group(proto::LeaveGroupRequest { chat_id: left.clone() }).await.unwrap();
    let request = proto::DeleteChatRequest { chat_id: deleted.clone() };
    world.api("bob").await.delete_chat(request).await.unwrap();
    let pieces = export(&world, "alice").await;
    let chats = chats(&pieces);
    assert_eq!(chats.len(), 2);
    for chat in chats {
        assert_eq!((chat.title.as_str(), chat.members.len()), ("", 0), "no longer as a member");
        assert_eq!(chat.membership.as_ref().unwrap().user_id, "alice");
    }
    assert_eq!(messages(&pieces).len(), 2);
}

async fn much_is_handed_out_page_by_page(world: World) {
    let direct = world.direct("alice", "bob").await;
    let mut alice = world.connect("alice", "phone").await;
    for at in 0..450 {
        alice.send(&direct, &format!("m{at:03}"), &at.to_string()).await;
    }
    let pieces = export(&world, "alice").await;
    let mut seqs: Vec<u32> = messages(&pieces).iter().map(|message| message.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=450).collect::<Vec<u32>>());
}

async fn who_is_not_known_is_an_id_alone(world: World) {
    let pieces = export(&world, "nobody").await;
    let [Piece::User(user)] = pieces.as_slice() else { panic!("{pieces:?}") };
    let user = user.user.as_ref().unwrap();
    assert_eq!((user.user_id.as_str(), user.display_name.as_str()), ("nobody", ""));
}

async fn only_services_may_ask(world: World) {
    let request = |user: &str| proto::ExportUserRequest { user_id: user.to_owned() };
    let mut alice = admin(&world, 0, token("alice")).await;
    let refused = Refusal::from(alice.export_user(request("alice")).await);
    assert_eq!(refused.what(), ("SCOPE_MISSING", ""));
    let mut service = admin(&world, 0, service_token("adda.service")).await;
    let refused = Refusal::from(service.export_user(request("a b")).await);
    assert_eq!(refused.what(), ("FIELD_INVALID", "user_id"));
}

async fn a_browser_is_handed_it_too(world: World) {
    let direct = world.direct("alice", "bob").await;
    send(&mut world.api("alice").await, &direct, "m", "hello").await;
    let web = Web::new(world.addr(0), service_token("adda.service"));
    let request = proto::ExportUserRequest { user_id: "alice".to_owned() };
    let mut pieces = web.stream("AdminService/ExportUser", &request).await.unwrap();
    let mut all = Vec::new();
    loop {
        match pieces.next().await.expect("it ends with a status") {
            Part::Message(bytes) => {
                let came = proto::ExportUserResponse::decode(&bytes[..]).unwrap();
                all.push(came.piece.unwrap());
            }
            Part::Trailers(status) => {
                assert_eq!(status.code(), tonic::Code::Ok);
                break;
            }
        }
    }
    assert_eq!(all.iter().map(arm).collect::<Vec<_>>(), [1, 2, 3]);
}

async fn no_more_than_so_many_are_under_way(world: World) {
    let direct = world.direct("alice", "bob").await;
    let mut alice = world.connect("alice", "phone").await;
    let text = "x".repeat(8000);
    for at in 0..60 {
        alice.send(&direct, &at.to_string(), &text).await;
    }
    let request = || proto::ExportUserRequest { user_id: "alice".to_owned() };
    let mut unread = Vec::new();
    let refused = loop {
        // Each on a connection of its own that takes little, so that it is not through unread.
        let channel = Endpoint::from_shared(format!("http://{}", world.addr(0))).unwrap();
        let channel = channel.initial_stream_window_size(1 << 16).connect().await.unwrap();
        let bearer = Bearer(service_token("adda.service"));
        let mut admin = AdminServiceClient::with_interceptor(channel, bearer);
        match admin.export_user(request()).await {
            Ok(pieces) => unread.push((admin, pieces)),
            refused => break Refusal::from(refused),
        }
        assert!(unread.len() < 20, "never refused");
    };
    assert_eq!((refused.reason.as_str(), unread.len()), ("RATE_LIMITED", 8));
    drop(unread);
    crate::world::eventually("there is room again", async || {
        let mut admin = admin(&world, 0, service_token("adda.service")).await;
        admin.export_user(request()).await.ok().map(drop)
    })
    .await;
}
