//! What the product's own services may do: tokens of scope `adda.service`, on both pairs.

mod cut_off;
mod delete;
mod export;
mod webhooks;

use std::net::SocketAddr;
use std::time::Duration;

use adda::auth::Signer;
use adda::clock::SystemClock;
use adda::config::{DEV_SECRET, Secret};
use adda::model::UserId;
use adda::proto::admin_service_client::AdminServiceClient;
use adda::proto::event::Event;
use adda::proto::{self, CloseReason};
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

use crate::on_both_backends;
use crate::world::{Bearer, Live, Refusal, World, api, chat, hello, history, send, token, unique};

on_both_backends! {
    only_a_service_may_call_what_is_for_services,
    a_service_acts_for_a_user,
    who_is_no_service_acts_for_nobody,
    streams_of_who_is_signed_out_close_and_old_tokens_are_refused,
    one_device_can_be_signed_out_alone,
    an_announcement_counts_and_is_told_once,
    users_are_known_before_they_come,
    how_much_there_is_can_be_asked,
}

pub(crate) type Admin = AdminServiceClient<InterceptedService<Channel, Bearer>>;

pub(crate) fn service_token(scope: &str) -> String {
    let signer = Signer::new(Secret::new(DEV_SECRET), None, None).with_scope(Some(scope.into()));
    let service = UserId::parse("billing").unwrap();
    signer.sign(&service, Some("Billing"), Duration::from_secs(3600), &SystemClock).0
}

pub(crate) async fn admin(world: &World, node: usize, token: String) -> Admin {
    admin_at(world.addr(node), token).await
}

async fn admin_at(addr: SocketAddr, token: String) -> Admin {
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
    AdminServiceClient::with_interceptor(endpoint.connect().await.unwrap(), Bearer(token))
}

fn for_user<T>(user: &str, body: T) -> Request<T> {
    let mut request = Request::new(body);
    request.metadata_mut().insert("adda-on-behalf-of", MetadataValue::try_from(user).unwrap());
    request
}

async fn only_a_service_may_call_what_is_for_services(world: World) {
    for token in [token("alice"), service_token("adda.services"), service_token("")] {
        let mut admin = admin(&world, 0, token).await;
        let user_id = "alice".to_owned();
        let revoke = proto::RevokeSessionsRequest { user_id, ..Default::default() };
        let refused = [
            Refusal::from(admin.revoke_sessions(revoke).await),
            Refusal::from(admin.get_stats(proto::GetStatsRequest {}).await),
            Refusal::from(admin.upsert_users(proto::UpsertUsersRequest::default()).await),
            Refusal::from(
                admin.send_system_message(proto::SendSystemMessageRequest::default()).await,
            ),
        ];
        for refused in refused {
            assert_eq!(refused.code, tonic::Code::PermissionDenied);
            assert_eq!(refused.what(), ("SCOPE_MISSING", ""));
        }
    }
    let mut alice = world.api("alice").await;
    alice.list_chats(proto::ListChatsRequest::default()).await.expect("she is still signed in");
}

async fn a_service_acts_for_a_user(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut service = api(world.addr(0), service_token("other adda.service")).await;
    let message = Some(crate::world::message(&chat_id, "invoice-7", "your invoice"));
    let sent = service.send_message(for_user("alice", proto::SendMessageRequest { message }));
    assert_eq!(sent.await.unwrap().into_inner().outcome.unwrap().seq, 1);

    let seen = history(&mut world.api("bob").await, &chat_id).await;
    assert_eq!(seen[0].sender_id, "alice");
    let members = chat(&mut world.api("bob").await, &chat_id).await.members;
    let alice = members.iter().find(|member| member.user_id == "alice").unwrap();
    assert_eq!(alice.display_name, "Alice", "the service's own name is not hers");

    // Without a word of whom, it is the service itself, which is in no chat.
    let request = proto::GetChatRequest { chat_id: chat_id.clone() };
    assert_eq!(Refusal::from(service.get_chat(request.clone()).await).reason, "CHAT_NOT_FOUND");
    let nobody = Refusal::from(service.get_chat(for_user("a b", request.clone())).await);
    assert_eq!(nobody.what(), ("FIELD_INVALID", "adda-on-behalf-of"));
    let mut two = for_user("alice", request);
    two.metadata_mut().append("adda-on-behalf-of", MetadataValue::from_static("bob"));
    assert_eq!(Refusal::from(service.get_chat(two).await).reason, "FIELD_INVALID");
}

async fn who_is_no_service_acts_for_nobody(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut mallory = world.api("mallory").await;
    let request = for_user("alice", proto::GetChatRequest { chat_id });
    assert_eq!(Refusal::from(mallory.get_chat(request).await).what(), ("SCOPE_MISSING", ""));
}

async fn revoke(admin: &mut Admin, user: &str, device: &str) -> u32 {
    let (user_id, device_id) = (user.to_owned(), device.to_owned());
    let request = proto::RevokeSessionsRequest { user_id, device_id };
    admin.revoke_sessions(request).await.unwrap().into_inner().session_count
}

async fn streams_of_who_is_signed_out_close_and_old_tokens_are_refused(mut world: World) {
    let other = if world.has_several_nodes() { world.add_node(&[]).await } else { 0 };
    let old = token("alice");
    let at = |node: usize| (world.addr(node), old.clone());
    let mut phone = Live::open(api(at(0).0, at(0).1).await, hello("phone")).await.unwrap();
    let mut laptop =
        Live::subscribe(api(at(other).0, at(other).1).await, hello("laptop")).await.unwrap();
    let mut bob = world.connect("bob", "phone").await;
    for live in [&mut phone, &mut laptop, &mut bob] {
        live.caught_up().await;
    }
    let mut admin = admin(&world, 0, service_token("adda.service")).await;
    assert_eq!(revoke(&mut admin, "alice", "").await, 2);
    for live in [&mut phone, &mut laptop] {
        assert_eq!(live.closed().await.reason(), CloseReason::SessionRevoked);
    }
    bob.settle().await;

    for node in [0, other] {
        let mut alice = api(world.addr(node), old.clone()).await;
        let call = alice.list_chats(proto::ListChatsRequest::default()).await;
        let refused = Refusal::from(call);
        assert_eq!(
            (refused.code, refused.what()),
            (tonic::Code::Unauthenticated, ("TOKEN_REVOKED", ""),)
        );
        let stream = Live::open(alice, hello("phone")).await;
        assert_eq!(Refusal::of_status(&stream.err().unwrap()).reason, "TOKEN_REVOKED");
    }
    // A token of the next second is good.
    crate::world::eventually("a new token is taken", async || {
        let mut alice = api(world.addr(other), token("alice")).await;
        alice.list_chats(proto::ListChatsRequest::default()).await.ok()
    })
    .await;
}

async fn one_device_can_be_signed_out_alone(world: World) {
    let mut phone = world.connect("alice", "phone").await;
    let mut laptop = world.connect("alice", "laptop").await;
    phone.caught_up().await;
    laptop.caught_up().await;
    let mut admin = admin(&world, 0, service_token("adda.service")).await;
    assert_eq!(revoke(&mut admin, "alice", "phone").await, 1);
    assert_eq!(phone.closed().await.reason(), CloseReason::SessionRevoked);
    laptop.settle().await;
    let refused = Refusal::from(
        admin
            .revoke_sessions(proto::RevokeSessionsRequest {
                user_id: "alice".to_owned(),
                device_id: "no/device".to_owned(),
            })
            .await,
    );
    assert_eq!(refused.what(), ("FIELD_INVALID", "device_id"));
    assert_eq!(revoke(&mut admin, "nobody", "").await, 0);
}

async fn an_announcement_counts_and_is_told_once(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    send(&mut alice, &chat_id, "m1", "hello").await;
    let mut bob = world.connect("bob", "phone").await;
    let mut admin = admin(&world, 0, service_token("adda.service")).await;
    let say = |text: &str| proto::SendSystemMessageRequest {
        chat_id: chat_id.clone(),
        client_message_id: "m1".to_owned(),
        text: text.to_owned(),
    };
    let outcome = admin.send_system_message(say("Your trip begins tomorrow")).await.unwrap();
    let outcome = outcome.into_inner().outcome.unwrap();
    assert_eq!((outcome.seq, outcome.duplicate), (2, false));
    let told = bob.event(|event| match event {
        Event::MessageSent(sent) => sent.message.clone().filter(|message| message.seq == 2),
        _ => None,
    });
    let told = told.await;
    assert_eq!((told.r#type(), told.sender_id.as_str()), (proto::MessageType::System, ""));
    let note = told.system_note.unwrap();
    assert_eq!(note.kind(), proto::SystemNoteKind::Announcement);
    assert_eq!(told.text, "Your trip begins tomorrow");
    for user in ["alice", "bob"] {
        let unread = chat(&mut world.api(user).await, &chat_id).await.unread_count;
        assert_eq!(unread, Some(if user == "alice" { 1 } else { 2 }), "{user}");
    }

    let again = admin.send_system_message(say("Your trip begins tomorrow")).await.unwrap();
    let again = again.into_inner().outcome.unwrap();
    assert_eq!((again.message_id, again.duplicate), (outcome.message_id, true));
    let other = Refusal::from(admin.send_system_message(say("other")).await);
    assert_eq!(other.reason, "CLIENT_ID_REUSED");
    let empty = Refusal::from(admin.send_system_message(say(" ")).await);
    assert_eq!(empty.what(), ("FIELD_INVALID", "text"));
    let nowhere = proto::SendSystemMessageRequest { chat_id: unique(), ..say("x") };
    assert_eq!(Refusal::from(admin.send_system_message(nowhere).await).reason, "CHAT_NOT_FOUND");
}

fn person(id: &str, name: &str, picture: &str) -> proto::User {
    proto::User {
        user_id: id.to_owned(),
        display_name: name.to_owned(),
        avatar_url: picture.to_owned(),
        updated_at: None,
    }
}

async fn users_are_known_before_they_come(world: World) {
    let mut admin = admin(&world, 0, service_token("adda.service")).await;
    let users =
        vec![person("dora", "Dora", "https://example.com/d.png"), person("emil", "Emil", "")];
    let request = proto::UpsertUsersRequest { users };
    let changed = admin.upsert_users(request.clone()).await.unwrap().into_inner().changed_count;
    assert_eq!(changed, 2);
    let changed = admin.upsert_users(request).await.unwrap().into_inner().changed_count;
    assert_eq!(changed, 0, "nothing is new");
    let chat_id = world.group("alice", &["dora", "emil"]).await;
    let members = chat(&mut world.api("alice").await, &chat_id).await.members;
    let dora = members.iter().find(|member| member.user_id == "dora").unwrap();
    assert_eq!((&*dora.display_name, &*dora.avatar_url), ("Dora", "https://example.com/d.png"));

    for (wrong, field) in [
        (person("a b", "A", ""), "users[1].user_id"),
        (person("fay", " ", ""), "users[1].display_name"),
        (person("fay", "Fay", "javascript:alert(1)"), "users[1].avatar_url"),
    ] {
        let users = vec![person("dora", "Other", ""), wrong];
        let refused = Refusal::from(admin.upsert_users(proto::UpsertUsersRequest { users }).await);
        assert_eq!(refused.what(), ("FIELD_INVALID", field));
    }
    let users = (0..1001).map(|at| person(&format!("u{at}"), "U", "")).collect();
    let many = Refusal::from(admin.upsert_users(proto::UpsertUsersRequest { users }).await);
    assert_eq!((many.what(), many.limit()), (("FIELD_INVALID", "users"), Some("1000")));
    let none = Refusal::from(admin.upsert_users(proto::UpsertUsersRequest::default()).await);
    assert_eq!(none.what(), ("FIELD_INVALID", "users"));
    let members = chat(&mut world.api("alice").await, &chat_id).await.members;
    assert!(members.iter().any(|it| it.display_name == "Dora"), "nothing of a bad list is written");
}

async fn how_much_there_is_can_be_asked(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    send(&mut world.api("alice").await, &chat_id, "m1", "hello").await;
    let mut live = world.connect("alice", "phone").await;
    live.caught_up().await;
    let mut admin = admin(&world, 0, service_token("adda.service")).await;
    let stats = admin.get_stats(proto::GetStatsRequest {}).await.unwrap().into_inner();
    assert!(stats.user_count >= 1 && stats.at.is_some() && !stats.node_id.is_empty());
    assert_eq!((stats.chat_count, stats.message_count), (1, 1));
    assert_eq!((stats.node_session_count, stats.peer_count), (1, 0));
}
