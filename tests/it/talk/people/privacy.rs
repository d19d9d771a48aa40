//! What users hide from all others, and then do not see of them.

use adda::proto;
use adda::proto::event::Event;

use super::{events, friends, hide};
use crate::on_both_backends;
use crate::world::{Came, Live, World, chat, history, run};

on_both_backends! {
    with super::super::FLAGS;
    who_hides_when_they_were_here_does_not_see_it_of_others,
    reads_that_are_hidden_stop_at_two_ticks,
    privacy_is_what_was_set_last,
    reads_that_are_hidden_are_not_told_on_resuming,
}

/// Whether a user is here, and when last, as another sees it in the chat and by asking.
async fn shown(world: &World, to: &str, of: &str, chat_id: &str) -> (bool, bool) {
    let ask = proto::GetPresenceRequest { user_ids: vec![of.to_owned()] };
    let asked = world.people(to).await.get_presence(ask).await.unwrap().into_inner();
    let asked = asked.presences[0].presence.unwrap();
    let shown = chat(&mut world.api(to).await, chat_id).await.presence.unwrap();
    assert_eq!(asked, shown);
    (shown.is_online, shown.last_active.is_some())
}

async fn leaves(mut live: Live) {
    live.end();
    while !matches!(live.came().await, Came::End) {}
}

/// Waits until a user is told to have gone; whether it is said when.
async fn goes(live: &mut Live, user: &str) -> bool {
    live.event(|event| match event {
        Event::UserOffline(of) if of.user_id == user => Some(of.last_active.is_some()),
        _ => None,
    })
    .await
}

async fn who_hides_when_they_were_here_does_not_see_it_of_others(world: World) {
    let with_bob = friends(&world, "alice", "bob").await;
    let with_carol = friends(&world, "bob", "carol").await;
    hide(&world, "alice", true, false).await;
    let mut carol = world.connect("carol", "phone").await;
    carol.caught_up().await;
    for (goes_away, stays) in [("alice", "bob"), ("bob", "alice")] {
        let mut live = world.connect(stays, "phone").await;
        let other = world.connect(goes_away, "phone").await;
        live.event(|event| match event {
            Event::UserOnline(of) if of.user_id == goes_away => Some(()),
            _ => None,
        })
        .await;
        assert!(shown(&world, stays, goes_away, &with_bob).await.0);
        leaves(other).await;
        assert!(!goes(&mut live, goes_away).await, "{stays} sees when {goes_away} was here");
        assert_eq!(shown(&world, stays, goes_away, &with_bob).await, (false, false));
        leaves(live).await;
    }
    // Between others it is as ever.
    assert!(goes(&mut carol, "bob").await);
    assert_eq!(shown(&world, "carol", "bob", &with_carol).await, (false, true));
    let ask = proto::GetPresenceRequest { user_ids: vec!["alice".to_owned()] };
    let own = world.people("alice").await.get_presence(ask).await.unwrap().into_inner();
    assert!(own.presences[0].presence.unwrap().last_active.is_some(), "one's own is no secret");
    hide(&world, "alice", false, false).await;
    assert_eq!(shown(&world, "bob", "alice", &with_bob).await, (false, true));
}

async fn reads_that_are_hidden_stop_at_two_ticks(world: World) {
    let direct = friends(&world, "alice", "bob").await;
    let group = world.group("alice", &["bob"]).await;
    hide(&world, "alice", false, true).await;
    for (reader, sender, read) in [("alice", "bob", 2), ("bob", "alice", 1)] {
        let mut live = world.connect(reader, "phone").await;
        let mut tablet = world.connect(reader, "tablet").await;
        let mut other = world.connect(sender, "laptop").await;
        other.caught_up().await;
        tablet.caught_up().await;
        live.mark(&direct, vec![run(1, 2)], true).await;
        let own = tablet.event(|event| match event {
            Event::MessageRead(of) if of.user_id == reader => Some(of.unread_count),
            _ => None,
        });
        assert_eq!(own.await, Some(0));
        let ticks = other.event(|event| match event {
            Event::MessageDelivered(of) if of.user_id == reader => Some(of.seqs.clone()),
            _ => None,
        });
        assert_eq!(ticks.await, [run(1, 2)]);
        live.mark(&group, vec![run(1, 1)], true).await;
        other.send(&group, &format!("of-{sender}"), "in the group").await;
        other.settle().await;
        let reads = events(&mut other).into_iter().filter(|event| match event {
            Event::MessageRead(of) => of.user_id == reader && of.chat_id == direct,
            _ => false,
        });
        assert_eq!(reads.count(), 0);
        let all = history(&mut other.api, &direct).await;
        let message = &all[read - 1];
        assert_eq!(
            (&message.sender_id[..], message.state()),
            (sender, proto::MessageState::Delivered)
        );
        assert_eq!(
            (&message.delivered_to[..], message.read_by.len()),
            (&[reader.to_owned()][..], 0)
        );
        let seen = chat(&mut other.api, &direct).await;
        let member = seen.members.iter().find(|member| member.user_id == reader).unwrap();
        assert_eq!((&member.delivered[..], member.read.len()), (&[run(1, 2)][..], 0));
        let own = chat(&mut live.api, &direct).await;
        assert_eq!((own.unread_count, own.membership.unwrap().read), (Some(0), vec![run(1, 2)]));
    }
    // Groups go on.
    let mut bob = world.connect("bob", "phone").await;
    let sent = bob.send(&group, "seen", "seen?").await;
    let mut alice = world.connect("alice", "phone").await;
    alice.mark(&group, vec![run(1, sent.seq)], true).await;
    bob.event(|event| match event {
        Event::MessageRead(of) if of.user_id == "alice" && of.chat_id == group => Some(()),
        _ => None,
    })
    .await;
    hide(&world, "alice", false, false).await;
    let all = history(&mut bob.api, &direct).await;
    assert_eq!(all[1].state(), proto::MessageState::Seen, "what was hidden was not lost");
}

async fn privacy_is_what_was_set_last(world: World) {
    let mut people = world.people("alice").await;
    let mut set = async |hide_last_active, hide_read_receipts| {
        let request = proto::UpdatePrivacyRequest { hide_last_active, hide_read_receipts };
        let set = people.update_privacy(request).await.unwrap().into_inner().privacy.unwrap();
        let got = people.get_privacy(proto::GetPrivacyRequest {}).await.unwrap().into_inner();
        assert_eq!(got.privacy, Some(set));
        (set.hide_last_active, set.hide_read_receipts)
    };
    assert_eq!(set(None, None).await, (false, false));
    assert_eq!(set(Some(true), None).await, (true, false));
    assert_eq!(set(None, Some(true)).await, (true, true));
    assert_eq!(set(Some(false), None).await, (false, true));
    assert_eq!(set(None, None).await, (false, true));
}

async fn reads_that_are_hidden_are_not_told_on_resuming(world: World) {
    let direct = friends(&world, "alice", "bob").await;
    hide(&world, "bob", false, true).await;
    let mut alice = world.connect("alice", "phone").await;
    alice.caught_up().await;
    let hello = alice.hello("phone");
    drop(alice);
    let all = proto::MarkChatReadRequest { chat_id: direct.clone(), up_to_seq: 0 };
    world.api("bob").await.mark_chat_read(all).await.unwrap();
    let mut alice = Live::open(world.api("alice").await, hello).await.unwrap();
    let ticks = alice.event(|event| match event {
        Event::MessageDelivered(of) if of.user_id == "bob" => Some(of.seqs.clone()),
        _ => None,
    });
    assert_eq!(ticks.await, [run(1, 2)]);
    alice.caught_up().await;
    let reads = |event: &Event| matches!(event, Event::MessageRead(of) if of.user_id == "bob");
    assert!(!events(&mut alice).iter().any(reads));
}
