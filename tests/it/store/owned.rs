//! What is kept of one user, and how it goes.

use adda::clock::Timestamp;
use adda::model::{AttachmentId, ChatId, Member, NoteKind, Privacy, Role};
use adda::store::{Claim, GroupChange, GroupChanged, Hidden, Mark, NewFile, SettingsWish};

use super::{Bench, on_every_store, run, sorted, user};

on_every_store!(
    places_are_told_by_chat_page_by_page,
    places_that_were_left_or_deleted_are_told,
    what_a_user_sent_is_told_page_by_page,
    files_that_no_message_holds_are_told,
    who_has_blocked_a_user_is_told,
    a_forgotten_place_is_as_that_of_one_who_just_came,
    a_forgotten_place_that_was_left_is_still_left,
    what_was_hidden_is_forgotten_piece_by_piece,
    what_a_user_kept_from_others_is_forgotten,
    a_forgotten_name_is_not_brought_back_by_an_older_token,
    what_is_not_there_is_forgotten,
);

async fn chats_of(bench: &Bench, name: &str, limit: u32) -> Vec<ChatId> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = bench.node().places_of(&user(name), after, limit).await.unwrap();
        assert!(page.len() <= limit as usize && page.iter().all(|it| it.user == user(name)));
        let Some(last) = page.last() else { return all };
        after = Some(last.chat);
        all.extend(page.iter().map(|place| place.chat));
    }
}

async fn places_are_told_by_chat_page_by_page(bench: &Bench) {
    let mut chats = Vec::new();
    for _ in 0..5 {
        chats.push(bench.group(&["ana", "bob"]).await);
        bench.group(&["bob"]).await;
    }
    chats.sort_unstable();
    for limit in [1, 2, 5, 100] {
        assert_eq!(chats_of(bench, "ana", limit).await, chats);
    }
    assert!(chats_of(bench, "nobody", 10).await.is_empty());
}

async fn goes(bench: &Bench, id: ChatId, name: &str, deletes: bool) {
    let chat = bench.node().chats(&[id]).await.unwrap().remove(0);
    let note = bench.note(id, NoteKind::MemberLeft, &format!("change-{}", chat.revision + 1));
    let goes = if deletes { Vec::new() } else { vec![user(name)] };
    let change = GroupChange { goes, deletes, notes: vec![note], ..GroupChange::of(&chat) };
    let done = bench.node().change_group(change).await.unwrap();
    assert!(matches!(done, GroupChanged::Changed(..)));
}

async fn places_that_were_left_or_deleted_are_told(bench: &Bench) {
    let left = bench.group(&["bob", "ana"]).await;
    goes(bench, left, "ana", false).await;
    let deleted = bench.group(&["ana"]).await;
    goes(bench, deleted, "ana", true).await;
    assert_eq!(chats_of(bench, "ana", 10).await, sorted([left, deleted]));
    let places = bench.node().places_of(&user("ana"), None, 10).await.unwrap();
    let place = places.iter().find(|place| place.chat == left).unwrap();
    assert!(place.left_at.is_some());
}

async fn what_a_user_sent_is_told_page_by_page(bench: &Bench) {
    let id = bench.group(&["ana", "bob"]).await;
    let mut own = Vec::new();
    for at in 0..5 {
        own.push(bench.append(bench.message(id, "ana", &format!("m{at}"))).await);
        bench.append(bench.message(id, "bob", &format!("m{at}"))).await;
    }
    own[2] = bench.node().delete_message(id, own[2].id).await.unwrap().unwrap();
    let elsewhere = bench.group(&["ana"]).await;
    bench.append(bench.message(elsewhere, "ana", "m9")).await;
    goes(bench, id, "ana", false).await;
    for limit in [1, 2, 100] {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = bench.node().sent(id, &user("ana"), &after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= limit as usize);
            after.clone_from(&last.client_message_id);
            all.extend(page);
        }
        assert_eq!(all, own);
    }
    goes(bench, id, "bob", true).await;
    assert_eq!(bench.node().sent(id, &user("ana"), "", 100).await.unwrap(), own);
}

async fn file(bench: &Bench, owner: &str) -> AttachmentId {
    let id = AttachmentId(bench.clock.new_id());
    let (file_name, due_at) = ("a".to_owned(), Timestamp(1000));
    let new = NewFile { id, owner: user(owner), file_name, size: 9, due_at };
    assert!(bench.node().open_file(new, 50).await.unwrap());
    id
}

async fn files_that_no_message_holds_are_told(bench: &Bench) {
    let mut own = Vec::new();
    for _ in 0..3 {
        own.push(file(bench, "ana").await);
        file(bench, "bob").await;
    }
    let held = file(bench, "ana").await;
    let whole = adda::store::WholeFile {
        id: held,
        body: uuid::Uuid::from_u128(7),
        content_type: "image/png".to_owned(),
        size: 9,
        came: 9,
        width: 0,
        height: 0,
        wants_preview: false,
    };
    assert!(bench.node().complete_file(whole).await.unwrap());
    let chat = bench.chat_id();
    let (client_message_id, since) = ("m".to_owned(), Timestamp(5));
    let claim = Claim { chat, client_message_id, since, held: true };
    let claimed = bench.node().claim_files(&user("ana"), &[held], claim, Timestamp(9)).await;
    assert_eq!(claimed.unwrap().len(), 1);
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = bench.node().untaken_files(&user("ana"), after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.attachment.id);
        all.extend(page.iter().map(|file| file.attachment.id));
    }
    assert_eq!(all, sorted(own));
}

async fn who_has_blocked_a_user_is_told(bench: &Bench) {
    for by in ["bob", "cem", "dan"] {
        bench.node().block(&user(by), &user("ana"), 10).await.unwrap().unwrap();
    }
    bench.node().block(&user("ana"), &user("eve"), 10).await.unwrap().unwrap();
    bench.node().unblock(&user("cem"), &user("ana")).await.unwrap().unwrap();
    let found = bench.node().blockers(&user("ana"), 10).await.unwrap();
    assert_eq!(sorted(found), [user("bob"), user("dan")]);
    assert_eq!(bench.node().blockers(&user("ana"), 1).await.unwrap().len(), 1);
    assert!(bench.node().blockers(&user("nobody"), 10).await.unwrap().is_empty());
}

/// A place with receipts and settings.
async fn used(bench: &Bench, id: ChatId, name: &str) {
    for _ in 0..4 {
        bench.send(id, "bob").await;
    }
    let mark = Mark {
        user: user(name),
        chat: id,
        delivered: vec![run(2, 2)],
        read: vec![run(4, 4)],
        seen: Default::default(),
    };
    bench.node().mark(vec![mark]).await.unwrap();
    let wish = SettingsWish {
        pinned: Some(true),
        archived: Some(true),
        muted_until: Some(Some(Timestamp(253_402_300_799_000))),
        level: Some((adda::model::Level::None, Some(Timestamp(253_402_300_799_000)))),
    };
    bench.node().put_settings(id, &user(name), wish, 9).await.unwrap();
}

async fn place(bench: &Bench, chat: ChatId, name: &str) -> Member {
    bench.node().member(chat, &user(name)).await.unwrap().expect("a place")
}

async fn a_forgotten_place_is_as_that_of_one_who_just_came(bench: &Bench) {
    let id = bench.group(&["bob", "ana"]).await;
    used(bench, id, "ana").await;
    let (bob, before) = (place(bench, id, "bob").await, place(bench, id, "ana").await);
    let since = bench.later().await;
    for _ in 0..2 {
        bench.node().forget_place(id, &user("ana")).await.unwrap();
        let after = place(bench, id, "ana").await;
        let new = Member::new(id, user("ana"), Role::Member, before.joined_at, 5);
        assert!(after.settings.revision > before.settings.revision);
        assert!(after.settings.changed_at.is_some_and(|at| at >= since));
        assert_eq!(Member { settings: adda::model::ChatSettings::default(), ..after }, new);
    }
    assert_eq!(place(bench, id, "bob").await, bob);
    let told = bench.node().changed_receipts(&[id], Timestamp(0), 10).await.unwrap();
    assert!(told.iter().all(|member| member.user != user("ana")), "{told:?}");
}

async fn a_forgotten_place_that_was_left_is_still_left(bench: &Bench) {
    let id = bench.group(&["bob", "ana"]).await;
    used(bench, id, "ana").await;
    goes(bench, id, "ana", false).await;
    let before = place(bench, id, "ana").await;
    bench.node().forget_place(id, &user("ana")).await.unwrap();
    let after = place(bench, id, "ana").await;
    assert_eq!((after.left_at, after.left_revision), (before.left_at, before.left_revision));
    assert_eq!((after.read.to(), after.settings.pinned_at), (5, None));
    assert!(after.read.more().is_empty() && after.delivered.more().is_empty());
}

async fn what_was_hidden_is_forgotten_piece_by_piece(bench: &Bench) {
    let id = bench.group(&["ana", "bob"]).await;
    let mut places = Vec::new();
    for name in ["ana", "ana", "ana", "bob"] {
        let message = bench.send(id, "bob").await;
        let hidden = Hidden { chat: id, seq: message.seq, id: message.id };
        bench.node().hide(&user(name), hidden).await.unwrap();
        places.push((id, message.seq));
    }
    assert!(bench.node().forget_hidden(&user("ana"), 2).await.unwrap());
    assert_eq!(bench.node().hidden(&user("ana"), &places).await.unwrap().len(), 1);
    assert!(!bench.node().forget_hidden(&user("ana"), 2).await.unwrap());
    assert!(bench.node().hidden(&user("ana"), &places).await.unwrap().is_empty());
    assert_eq!(bench.node().hidden(&user("bob"), &places).await.unwrap().len(), 1);
}

async fn what_a_user_kept_from_others_is_forgotten(bench: &Bench) {
    bench.node().block(&user("ana"), &user("bob"), 10).await.unwrap();
    bench.node().block(&user("ana"), &user("cem"), 10).await.unwrap();
    bench.node().unblock(&user("ana"), &user("cem")).await.unwrap();
    bench.node().block(&user("bob"), &user("ana"), 10).await.unwrap();
    bench.node().put_privacy(&user("ana"), Some(true), Some(true)).await.unwrap();
    bench.node().forget_reserve(&user("ana")).await.unwrap();
    assert!(bench.node().blocks(&user("ana"), u32::MAX, 10).await.unwrap().is_empty());
    assert!(bench.node().changed_blocks(&user("ana"), Timestamp(0)).await.unwrap().is_empty());
    let hides = bench.node().put_privacy(&user("ana"), None, None).await.unwrap();
    assert_eq!(hides, Privacy::default());
    assert_eq!(bench.node().blocks(&user("bob"), u32::MAX, 10).await.unwrap().len(), 1);
}

async fn a_forgotten_name_is_not_brought_back_by_an_older_token(bench: &Bench) {
    let before = bench.node().now().await.unwrap();
    let ana = user("ana");
    bench.node().put_profile(&ana, "Ana", "https://e.com/a.png", before).await.unwrap();
    bench.node().put_last_active(&ana, before).await.unwrap();
    let between = bench.later().await;
    bench.later().await;
    bench.node().forget_profile(&ana).await.unwrap();
    let known = bench.node().users(std::slice::from_ref(&ana)).await.unwrap().remove(0);
    assert_eq!((&*known.display_name, &*known.avatar_url), ("", ""));
    assert_eq!(known.last_active, None);
    assert!(known.updated_at.is_some_and(|at| at >= between));
    assert!(!bench.node().put_profile(&ana, "Ana", "", between).await.unwrap());
    let known = bench.node().users(std::slice::from_ref(&ana)).await.unwrap().remove(0);
    assert_eq!(known.display_name, "");
    let after = bench.later().await;
    assert!(bench.node().put_profile(&ana, "Anna", "", after).await.unwrap());
}

async fn what_is_not_there_is_forgotten(bench: &Bench) {
    let nobody = user("nobody");
    let chat = bench.group(&["ana"]).await;
    bench.node().forget_place(chat, &nobody).await.unwrap();
    bench.node().forget_place(bench.chat_id(), &nobody).await.unwrap();
    assert!(!bench.node().forget_hidden(&nobody, 10).await.unwrap());
    bench.node().forget_reserve(&nobody).await.unwrap();
    bench.node().forget_profile(&nobody).await.unwrap();
    assert!(bench.node().users(std::slice::from_ref(&nobody)).await.unwrap().is_empty());
    assert_eq!(bench.node().member(chat, &nobody).await.unwrap(), None);
}
