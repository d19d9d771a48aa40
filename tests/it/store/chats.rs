//! Chats and members.

use adda::clock::Timestamp;
use adda::model::{Member, Role, UserId};
use adda::store::{Created, NewChat};
use tokio::task::JoinSet;

use super::{Bench, on_every_store, sorted, user};

on_every_store!(
    a_new_chat_is_there_as_it_was_given,
    the_note_of_a_new_group_is_seq_one,
    many_who_ask_at_once_get_one_chat,
    two_who_ask_for_one_direct_chat_get_one,
    a_repeat_finds_the_chat,
    a_key_used_for_another_content_is_refused,
    without_a_key_a_chat_is_known_by_its_id,
    a_chat_is_not_seen_before_it_is_whole,
    members_come_by_joined_at_then_user,
    a_large_group_has_all_its_members,
    who_is_named_twice_is_a_member_once,
    a_member_is_found_by_chat_and_user,
    pairs_are_both_members_of_each_chat,
    memberships_are_all_places_of_a_user,
    chats_and_places_of_a_user_are_the_present_ones,
    memberships_are_counted_in_the_order_asked,
    ten_thousand_users_can_be_counted,
    chats_are_those_that_are_there,
    changed_chats_are_those_since,
);

async fn a_new_chat_is_there_as_it_was_given(bench: &Bench) {
    for new in [bench.new_group(&["ana", "bob", "cem"]), bench.new_direct("dee", "eve")] {
        let made = bench.node().create_chat(new.clone()).await.unwrap();
        assert_eq!(made, Created::Chat(new.chat.clone(), true));
        assert_eq!(bench.node().chats(&[new.id]).await.unwrap(), [new.chat]);
        let joined_at = new.id.time();
        let members: Vec<_> = new
            .members
            .into_iter()
            .map(|(user, role)| Member::new(new.id, user, role, joined_at, 1))
            .collect();
        assert_eq!(bench.node().members(new.id).await.unwrap(), members);
        assert_eq!(bench.all(new.id).await, []);
    }
}

async fn the_note_of_a_new_group_is_seq_one(bench: &Bench) {
    let new = with_note(bench, bench.new_group(&["ana", "bob"]));
    let chat = bench.create(new.clone()).await;
    let note = new.note.as_ref().unwrap().at(1);
    assert_eq!(bench.all(chat).await, [note]);
    assert_eq!(bench.send(chat, "bob").await.seq, 2);
    bench.node().create_chat(new).await.unwrap();
    assert_eq!(bench.all(chat).await.len(), 2);
}

async fn many_who_ask_at_once_get_one_chat(bench: &Bench) {
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let mut new = with_note(bench, bench.new_group(&["ana", "bob", "cem"]));
        new.key = Some("g|ana|picnic".to_owned());
        let store = bench.node().clone();
        tasks.spawn(async move { (new.id, store.create_chat(new).await) });
    }
    let mut made = Vec::new();
    let mut found = Vec::new();
    for (id, created) in tasks.join_all().await {
        match created.unwrap() {
            Created::Chat(chat, true) => made.push((id, chat)),
            Created::Chat(chat, false) => found.push(chat),
            other => panic!("{other:?}"),
        }
    }
    // On several nodes two may have had a hand in it; there is one chat all the same.
    let chat = made.first().expect("somebody made it").1.clone();
    assert!(made.iter().all(|(_, other)| *other == chat));
    assert!(found.iter().all(|other| *other == chat));
    assert_eq!(made.len(), 1);
    assert_eq!(bench.node().members(chat.id).await.unwrap().len(), 3);
    assert_eq!(bench.all(chat.id).await.len(), 1);
    for name in ["ana", "bob", "cem"] {
        let places = bench.node().memberships(&user(name)).await.unwrap();
        assert_eq!(places.len(), 1);
        assert_eq!(places[0].chat, chat.id);
    }
}

async fn two_who_ask_for_one_direct_chat_get_one(bench: &Bench) {
    for at in 0..10 {
        let (a, b) = (format!("a{at}"), format!("b{at}"));
        let mut one = bench.new_direct(&a, &b);
        let mut two = bench.new_direct(&b, &a);
        (one.content_hash, two.content_hash) = ([5; 16], [5; 16]);
        let asked = futures_util::future::join(
            bench.node().create_chat(one),
            bench.node().create_chat(two),
        );
        let (Created::Chat(one, first), Created::Chat(two, second)) = both(asked.await) else {
            panic!("no chat")
        };
        assert_eq!(one, two);
        assert!(first != second, "both or none made it");
        assert_eq!(bench.node().members(one.id).await.unwrap().len(), 2);
    }
}

fn both<T, E: std::fmt::Debug>(pair: (Result<T, E>, Result<T, E>)) -> (T, T) {
    (pair.0.unwrap(), pair.1.unwrap())
}

async fn a_repeat_finds_the_chat(bench: &Bench) {
    let first = bench.new_direct("ana", "bob");
    let chat = first.chat.clone();
    bench.create(first.clone()).await;
    bench.send(first.id, "ana").await;
    let again = bench.node().create_chat(first).await.unwrap();
    assert_eq!(again, Created::Chat(chat.clone(), false));
    let with_another_id = bench.new_direct("bob", "ana");
    let other_id = with_another_id.id;
    let again = bench.node().create_chat(with_another_id).await.unwrap();
    assert_eq!(again, Created::Chat(chat.clone(), false));
    assert_eq!(bench.node().chats(&[other_id]).await.unwrap(), []);
    assert_eq!(bench.node().members(other_id).await.unwrap(), []);
    assert_eq!(bench.node().members(chat.id).await.unwrap().len(), 2);
    assert_eq!(bench.all(chat.id).await.len(), 1);
}

async fn a_key_used_for_another_content_is_refused(bench: &Bench) {
    let mut new = bench.new_group(&["ana", "bob"]);
    new.key = Some("g|ana|1".to_owned());
    bench.create(new.clone()).await;
    let mut other = bench.new_group(&["ana", "cem"]);
    other.key.clone_from(&new.key);
    other.content_hash = [8; 16];
    assert_eq!(bench.node().create_chat(other.clone()).await.unwrap(), Created::Reused);
    assert_eq!(bench.node().chats(&[other.id]).await.unwrap(), []);
    assert_eq!(bench.node().memberships(&user("cem")).await.unwrap(), []);
    assert_eq!(bench.node().members(new.id).await.unwrap().len(), 2);
    other.key = Some("g|ana|2".to_owned());
    bench.create(other).await;
}

async fn without_a_key_a_chat_is_known_by_its_id(bench: &Bench) {
    let one = with_note(bench, bench.new_group(&["ana", "bob"]));
    let two = with_note(bench, bench.new_group(&["ana", "bob"]));
    assert_ne!(bench.create(one.clone()).await, bench.create(two).await);
    let again = bench.node().create_chat(one.clone()).await.unwrap();
    assert_eq!(again, Created::Chat(one.chat, false));
    assert_eq!(bench.all(one.id).await.len(), 1);
    assert_eq!(bench.node().memberships(&user("ana")).await.unwrap().len(), 2);
}

async fn a_chat_is_not_seen_before_it_is_whole(bench: &Bench) {
    const CHATS: usize = 20;
    let names: Vec<String> = (0..40).map(|at| format!("user-{at:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut making = JoinSet::new();
    for _ in 0..CHATS {
        let new = with_note(bench, bench.new_group(&names));
        let store = bench.node().clone();
        making.spawn(async move { store.create_chat(new).await });
    }
    loop {
        let made_before = making.is_empty();
        let seen = bench.node().memberships(&user("user-20")).await.unwrap();
        for place in &seen {
            let chats = bench.node().chats(&[place.chat]).await.unwrap();
            assert_eq!(chats.len(), 1);
            assert_eq!(bench.node().members(place.chat).await.unwrap().len(), names.len());
            assert_eq!(bench.all(place.chat).await.len(), 1);
        }
        if made_before {
            assert_eq!(seen.len(), CHATS);
            return;
        }
        while let Some(made) = making.try_join_next() {
            made.unwrap().unwrap();
        }
    }
}

async fn members_come_by_joined_at_then_user(bench: &Bench) {
    let chat = bench.group(&["mia", "Zoe", "ana", "bob.2", "bob", "9"]).await;
    let members = bench.node().members(chat).await.unwrap();
    let places: Vec<_> = members.iter().map(|member| (member.joined_at, &member.user)).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(places.len(), 6);
    assert_eq!(bench.node().members(bench.chat_id()).await.unwrap(), []);
}

async fn a_large_group_has_all_its_members(bench: &Bench) {
    let names: Vec<String> = (0..1000).map(|at| format!("user-{at:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let chat = bench.group(&names).await;
    let members = bench.node().members(chat).await.unwrap();
    let found: Vec<_> = members.iter().map(|member| member.user.as_str()).collect();
    assert_eq!(found, names);
}

async fn who_is_named_twice_is_a_member_once(bench: &Bench) {
    let chat = bench.group(&["ana", "bob", "ana"]).await;
    let members = bench.node().members(chat).await.unwrap();
    let found: Vec<_> = members.iter().map(|member| (member.user.as_str(), member.role)).collect();
    assert_eq!(found, [("ana", Role::Owner), ("bob", Role::Member)]);
}

async fn a_member_is_found_by_chat_and_user(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let found = bench.node().member(chat, &user("ana")).await.unwrap().unwrap();
    assert_eq!(found, Member::new(chat, user("ana"), Role::Owner, chat.time(), 1));
    assert_eq!(bench.node().member(chat, &user("eve")).await.unwrap(), None);
    assert_eq!(bench.node().member(bench.chat_id(), &user("ana")).await.unwrap(), None);
}

async fn pairs_are_both_members_of_each_chat(bench: &Bench) {
    let one = bench.create(bench.new_direct("ana", "bob")).await;
    let two = bench.create(bench.new_direct("cem", "ana")).await;
    bench.create(bench.new_direct("bob", "cem")).await;
    let pairs = bench.node().pairs(&[two, one, bench.chat_id(), one]).await.unwrap();
    let pairs = sorted(pairs.into_iter().map(|member| (member.chat, member.user)));
    let want = [(one, user("ana")), (one, user("bob")), (two, user("ana")), (two, user("cem"))];
    assert_eq!(pairs, want);
}

async fn memberships_are_all_places_of_a_user(bench: &Bench) {
    let one = bench.group(&["ana", "bob"]).await;
    let two = bench.create(bench.new_direct("ana", "cem")).await;
    bench.group(&["bob", "cem"]).await;
    // A note alone makes no chat.
    bench.append(bench.note(bench.chat_id(), adda::model::NoteKind::GroupCreated, "n")).await;
    let places = bench.node().memberships(&user("ana")).await.unwrap();
    for place in &places {
        let member = bench.node().member(place.chat, &user("ana")).await.unwrap();
        assert_eq!(member.as_ref(), Some(place));
    }
    assert_eq!(sorted(places.into_iter().map(|member| member.chat)), sorted([one, two]));
    assert_eq!(bench.node().memberships(&user("eve")).await.unwrap(), []);
}

async fn chats_and_places_of_a_user_are_the_present_ones(bench: &Bench) {
    let one = bench.group(&["ana", "bob"]).await;
    let two = bench.create(bench.new_direct("ana", "cem")).await;
    let three = bench.group(&["bob", "cem"]).await;
    let ana = user("ana");
    let chats = bench.node().chats_of(&[ana.clone(), user("cem"), ana, user("eve")]).await.unwrap();
    let chats =
        sorted(chats.into_iter().map(|(chat, user)| (chat, user.to_string())).collect::<Vec<_>>());
    let (ana, cem) = (|chat| (chat, "ana".to_owned()), |chat| (chat, "cem".to_owned()));
    assert_eq!(chats, sorted(vec![ana(one), ana(two), cem(two), cem(three)]));
    let of = |chat, name: &str| (chat, user(name));
    let asked = [of(three, "ana"), of(two, "ana"), of(two, "ana"), of(one, "bob")];
    let places = bench.node().places(&asked).await.unwrap();
    let places =
        sorted(places.iter().map(|place| (place.chat, place.user.to_string())).collect::<Vec<_>>());
    assert_eq!(places, sorted(vec![(two, "ana".to_owned()), (one, "bob".to_owned())]));
    assert_eq!(bench.node().chats_of(&[user("eve")]).await.unwrap(), []);
    assert_eq!(bench.node().places(&[]).await.unwrap(), []);
}

async fn memberships_are_counted_in_the_order_asked(bench: &Bench) {
    bench.group(&["ana", "bob"]).await;
    bench.group(&["ana", "cem"]).await;
    bench.create(bench.new_direct("ana", "bob")).await;
    let asked = ["cem", "eve", "ana", "bob", "ana"].map(user);
    assert_eq!(bench.node().count_memberships(&asked).await.unwrap(), [1, 0, 3, 2, 3]);
}

async fn ten_thousand_users_can_be_counted(bench: &Bench) {
    bench.group(&["user-77", "user-9999"]).await;
    let asked: Vec<UserId> = (0..10_000).map(|at| user(&format!("user-{at}"))).collect();
    let counts = bench.node().count_memberships(&asked).await.unwrap();
    assert_eq!(counts.len(), asked.len());
    let with: Vec<_> = (0..counts.len()).filter(|at| counts[*at] > 0).collect();
    assert_eq!(with, [77, 9999]);
}

async fn chats_are_those_that_are_there(bench: &Bench) {
    let (one, two) = (bench.group(&["ana"]).await, bench.group(&["bob"]).await);
    let found = bench.node().chats(&[two, bench.chat_id(), one, two]).await.unwrap();
    assert_eq!(sorted(found.into_iter().map(|chat| chat.id)), sorted([one, two]));
}

async fn changed_chats_are_those_since(bench: &Bench) {
    let old = bench.group(&["ana"]).await;
    let since = bench.later().await;
    let new = bench.group(&["ana"]).await;
    bench.group(&["bob"]).await;
    bench.send(old, "ana").await;
    let asked = [old, new, new, bench.chat_id()];
    let found = bench.node().changed_chats(&asked, since).await.unwrap();
    assert_eq!(found.into_iter().map(|chat| chat.id).collect::<Vec<_>>(), [new]);
    let found = bench.node().changed_chats(&asked, Timestamp(0)).await.unwrap();
    assert_eq!(sorted(found.into_iter().map(|chat| chat.id)), sorted([old, new]));
    let since = bench.later().await;
    assert_eq!(bench.node().changed_chats(&asked, since).await.unwrap(), []);
}

fn with_note(bench: &Bench, mut new: NewChat) -> NewChat {
    new.note = Some(bench.note(new.id, adda::model::NoteKind::GroupCreated, "created"));
    new
}
