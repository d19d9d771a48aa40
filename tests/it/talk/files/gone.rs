//! With groups and users what they have sent goes, too.

use adda::proto::{self, MessageFate};

use super::{Files, kept, message, nothing_is_kept, pdf, send};
use crate::on_both_backends;
use crate::service::{admin, service_token};
use crate::world::{World, eventually, history};

on_both_backends! {
    what_a_deleted_group_held_goes,
    what_a_group_held_goes_with_its_last_member,
    with_a_user_go_uploads_and_erased_files,
}

async fn what_a_deleted_group_held_goes(world: World) {
    let group = world.group("alice", &["bob"]).await;
    let other = world.group("alice", &["bob"]).await;
    let mut ids = Vec::new();
    for (user, chat) in [("alice", &group), ("bob", &group), ("alice", &other)] {
        let mut files = Files::of(&world, user).await;
        let id = files.upload("a", &pdf(50)).await.unwrap().attachment_id;
        send(&world, user, message(chat, &id, "", &[&id])).await.unwrap();
        ids.push(id);
    }
    assert_eq!(kept(&world).len(), 3);
    // Who may not delete it leaves no trace.
    let request = proto::DeleteChatRequest { chat_id: group.clone() };
    world.api("bob").await.delete_chat(request.clone()).await.unwrap_err();
    assert_eq!(world.store().count_jobs("erase").await.unwrap(), 0);
    world.api("alice").await.delete_chat(request).await.unwrap();
    eventually("its files go", async || (kept(&world) == ids[2..]).then_some(())).await;
    let all = history(&mut world.api("bob").await, &other).await;
    assert!(all.iter().any(|message| !message.attachments.is_empty()));
    eventually("it is finished", async || {
        (world.store().count_jobs("erase").await.unwrap() == 0).then_some(())
    })
    .await;
}

async fn what_a_group_held_goes_with_its_last_member(world: World) {
    let group = world.group("alice", &[]).await;
    let mut files = Files::of(&world, "alice").await;
    let id = files.upload("a", &pdf(50)).await.unwrap().attachment_id;
    send(&world, "alice", message(&group, "m", "", &[&id])).await.unwrap();
    let request = proto::LeaveGroupRequest { chat_id: group };
    world.api("alice").await.leave_group(request).await.unwrap();
    nothing_is_kept(&world).await;
}

async fn with_a_user_go_uploads_and_erased_files(world: World) {
    let direct = world.direct("alice", "bob").await;
    let mut files = Files::of(&world, "alice").await;
    let sent = files.upload("sent", &pdf(50)).await.unwrap().attachment_id;
    files.upload("unsent", &pdf(50)).await.unwrap();
    files.create("opened", 50).await;
    send(&world, "alice", message(&direct, "m", "look", &[&sent])).await.unwrap();
    let mut admin = admin(&world, 0, service_token("adda.service")).await;
    for fate in [MessageFate::Keep, MessageFate::Erase] {
        let request =
            proto::DeleteUserRequest { user_id: "alice".to_owned(), messages: fate.into() };
        admin.delete_user(request).await.unwrap();
        if fate == MessageFate::Keep {
            eventually("uploads go", async || (kept(&world) == [sent.clone()]).then_some(())).await;
            let seen = history(&mut world.api("bob").await, &direct).await;
            assert_eq!(files.bytes(&seen[0].attachments[0].url).await, pdf(50));
        }
    }
    nothing_is_kept(&world).await;
}
