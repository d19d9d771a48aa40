//! The largest group there can be.

use adda::proto;

use crate::on_both_backends;
use crate::world::{World, chat, history, send};

on_both_backends! { a_group_of_ten_thousand_talks }

async fn a_group_of_ten_thousand_talks(world: World) {
    let mut alice = world.api("alice").await;
    let others = |count: u32| (1..count).map(|n| format!("u{n}")).collect();
    let group = |member_ids| proto::CreateChatRequest {
        kind: proto::ChatKind::Group.into(),
        member_ids,
        title: "All of us".to_owned(),
        ..proto::CreateChatRequest::default()
    };
    let refused = alice.create_chat(group(others(10_001))).await.unwrap_err();
    assert_eq!(crate::world::Refusal::of_status(&refused).field, "member_ids");
    let made = alice.create_chat(group(others(10_000))).await.unwrap().into_inner().chat.unwrap();
    assert_eq!(made.member_count, 10_000);
    assert_eq!(made.members.len(), 1, "above 256 the leaders alone are listed");

    let mut last = world.connect("u9999", "phone").await;
    last.caught_up().await;
    let sent = send(&mut alice, &made.chat_id, "m1", "hello, all").await;
    assert_eq!((sent.seq, last.message().await.text.as_str()), (2, "hello, all"));
    let mut someone = world.api("u5000").await;
    assert_eq!(chat(&mut someone, &made.chat_id).await.unread_count, Some(1));
    last.mark(&made.chat_id, vec![crate::world::run(1, 2)], true).await;
    let message = history(&mut alice, &made.chat_id).await.remove(1);
    assert_eq!(message.state(), proto::MessageState::Sent, "no ticks above 256 members");
}
