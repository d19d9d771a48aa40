//! Groups that change.

use adda::clock::Timestamp;
use adda::model::{Chat, ChatId, ChatSettings, Level, Member, Message, NoteKind, Role, SeqSet};
use adda::store::{AppendError, Created, GroupChange, GroupChanged, NewMessage, SettingsWish};
use tokio::task::JoinSet;

use super::{Bench, on_every_store, seqs, user};

on_every_store!(
    a_change_is_made_as_it_was_given,
    who_comes_sees_what_comes_after,
    who_comes_back_is_as_good_as_new,
    who_goes_is_a_member_no_more,
    roles_are_as_given,
    of_changes_after_one_look_one_is_made,
    a_change_that_does_not_fit_does_nothing,
    who_acts_at_once_leaves_one_owner_and_the_right_count,
    a_send_of_who_went_is_refused_whatever_its_node_knows,
    a_deleted_chat_is_there_for_nobody,
    a_chat_that_was_told_has_nothing_left_to_tell,
);

pub(super) async fn chat(bench: &Bench, id: ChatId) -> Chat {
    bench.node().chats(&[id]).await.unwrap().remove(0)
}

pub(super) async fn place(bench: &Bench, chat: ChatId, name: &str) -> Member {
    bench.node().member(chat, &user(name)).await.unwrap().expect("a place")
}

/// A change with one note.
pub(super) async fn change(bench: &Bench, id: ChatId, kind: NoteKind) -> GroupChange {
    let seen = chat(bench, id).await;
    let note = note(bench, &seen, kind);
    GroupChange { notes: vec![note], ..GroupChange::of(&seen) }
}

fn note(bench: &Bench, seen: &Chat, kind: NoteKind) -> NewMessage {
    bench.note(seen.id, kind, &format!("change-{}", seen.revision + 1))
}

pub(super) async fn done(bench: &Bench, change: GroupChange) -> (Chat, Vec<Message>) {
    match bench.node().change_group(change).await.unwrap() {
        GroupChanged::Changed(chat, notes) => (chat, notes),
        GroupChanged::Moved => panic!("it has moved"),
    }
}

async fn a_change_is_made_as_it_was_given(bench: &Bench) {
    let id = bench.group(&["ana", "bob"]).await;
    bench.send(id, "ana").await;
    let before = chat(bench, id).await;
    let since = bench.later().await;
    let mut titled = change(bench, id, NoteKind::TitleChanged).await;
    titled.title = Some("নতুন".to_owned());
    titled.avatar_url = Some(String::new());
    let mut second = note(bench, &before, NoteKind::AvatarChanged);
    second.client_message_id.push('b');
    titled.notes.push(second);
    let given = titled.notes.clone();
    let (after, notes) = done(bench, titled).await;
    let want =
        Chat { title: "নতুন".to_owned(), avatar_url: String::new(), revision: 2, ..before };
    assert_eq!(Chat { untold: false, ..after }, want);
    assert_eq!(chat(bench, id).await, want, "and it is told");
    assert_eq!(bench.node().changed_chats(&[id], since).await.unwrap(), [want]);
    let all = bench.all(id).await;
    assert_eq!(seqs(&all), [1, 2, 3]);
    assert_eq!(all[1..], notes);
    for (note, given) in notes.iter().zip(given) {
        assert_eq!((&note.sender, &note.note, &note.text), (&None, &given.note, &given.text));
        assert_eq!(note.client_message_id, given.client_message_id);
    }
}

async fn who_comes_sees_what_comes_after(bench: &Bench) {
    let id = bench.group(&["ana"]).await;
    for _ in 0..3 {
        bench.send(id, "ana").await;
    }
    let before = bench.later().await;
    let coming = change(bench, id, NoteKind::MembersAdded).await;
    let (chat, notes) =
        done(bench, GroupChange { comes: vec![user("bob"), user("cem")], ..coming }).await;
    let after = bench.later().await;
    assert_eq!((chat.member_count, seqs(&notes)), (3, vec![4]));
    for name in ["bob", "cem"] {
        let member = place(bench, id, name).await;
        assert!(before <= member.joined_at && member.joined_at <= after);
        let new = Member::new(id, user(name), Role::Member, member.joined_at, 4);
        assert_eq!(member, new);
        assert_eq!(bench.node().chats_of(&[user(name)]).await.unwrap(), [(id, user(name))]);
        bench.send(id, name).await;
    }
    assert_eq!(bench.node().members(id).await.unwrap().len(), 3);
    assert_eq!(place(bench, id, "ana").await.visible_from, 1);
}

async fn who_comes_back_is_as_good_as_new(bench: &Bench) {
    let id = bench.group(&["ana", "bob"]).await;
    bench.send(id, "ana").await;
    let wish = SettingsWish {
        pinned: Some(true),
        archived: Some(true),
        muted_until: Some(Some(Timestamp(253_402_300_799_000))),
        level: Some((Level::None, Some(Timestamp(253_402_300_799_000)))),
    };
    bench.node().put_settings(id, &user("bob"), wish, 9).await.unwrap();
    let going = change(bench, id, NoteKind::MemberLeft).await;
    done(bench, GroupChange { goes: vec![user("bob")], ..going }).await;
    bench.send(id, "ana").await;
    let since = bench.later().await;
    let coming = change(bench, id, NoteKind::MembersAdded).await;
    let (chat, notes) = done(bench, GroupChange { comes: vec![user("bob")], ..coming }).await;
    assert_eq!((chat.member_count, chat.revision, seqs(&notes)), (2, 3, vec![4]));
    let bob = place(bench, id, "bob").await;
    assert!(bob.joined_at >= since);
    assert!(bob.settings.changed_at.is_some_and(|at| at >= since), "{:?}", bob.settings);
    let settings =
        ChatSettings { revision: 2, changed_at: bob.settings.changed_at, ..Default::default() };
    let new = Member::new(id, user("bob"), Role::Member, bob.joined_at, 4);
    assert_eq!(bob, Member { settings, ..new });
    assert_eq!(bob.read, SeqSet::up_to(3));
    assert_eq!(bench.send(id, "bob").await.seq, 5);
}

async fn who_goes_is_a_member_no_more(bench: &Bench) {
    let id = bench.group(&["ana", "bob", "cem"]).await;
    let before = bench.later().await;
    let going = change(bench, id, NoteKind::MembersRemoved).await;
    let (chat, _) = done(bench, GroupChange { goes: vec![user("bob")], ..going }).await;
    let after = bench.later().await;
    assert_eq!((chat.member_count, chat.revision), (2, 2));
    let names: Vec<_> = bench.node().members(id).await.unwrap();
    assert_eq!(names.iter().map(|m| m.user.as_str()).collect::<Vec<_>>(), ["ana", "cem"]);
    let bob = user("bob");
    assert!(bench.node().places(&[(id, bob.clone())]).await.unwrap().is_empty());
    assert!(bench.node().chats_of(std::slice::from_ref(&bob)).await.unwrap().is_empty());
    assert_eq!(bench.node().count_memberships(std::slice::from_ref(&bob)).await.unwrap(), [0]);
    for place in
        [place(bench, id, "bob").await, bench.node().memberships(&bob).await.unwrap().remove(0)]
    {
        let at = place.left_at.expect("it says when");
        assert!(before <= at && at <= after);
        assert_eq!((place.left_revision, place.chat), (2, id));
    }
    let late = bench.node().append(bench.message(id, "bob", "late")).await;
    assert!(matches!(late, Err(AppendError::NotMember)), "{late:?}");
}

async fn roles_are_as_given(bench: &Bench) {
    let id = bench.group(&["ana", "bob", "cem"]).await;
    let handing = change(bench, id, NoteKind::OwnerChanged).await;
    let roles = vec![(user("cem"), Role::Owner), (user("ana"), Role::Admin)];
    let (chat, _) = done(bench, GroupChange { roles, ..handing }).await;
    assert_eq!((chat.member_count, chat.revision), (3, 2));
    let mut roles = Vec::new();
    for name in ["ana", "bob", "cem"] {
        roles.push(place(bench, id, name).await.role);
    }
    assert_eq!(roles, [Role::Admin, Role::Member, Role::Owner]);
}

async fn of_changes_after_one_look_one_is_made(bench: &Bench) {
    let id = bench.group(&["ana"]).await;
    let seen = change(bench, id, NoteKind::MembersAdded).await;
    let mut tasks = JoinSet::new();
    for at in 0..12 {
        let comes = vec![user(&format!("u{at}"))];
        let (store, change) = (bench.node().clone(), GroupChange { comes, ..seen.clone() });
        tasks.spawn(async move { store.change_group(change).await.unwrap() });
    }
    let made = tasks.join_all().await;
    let made = made.iter().filter(|it| matches!(it, GroupChanged::Changed(..))).count();
    assert_eq!(made, 1);
    let after = chat(bench, id).await;
    assert_eq!((after.revision, after.member_count), (2, 2));
    assert_eq!(bench.node().members(id).await.unwrap().len(), 2);
    assert_eq!(bench.all(id).await.len(), 1);
    assert_eq!(bench.node().change_group(seen).await.unwrap(), GroupChanged::Moved);
}

async fn a_change_that_does_not_fit_does_nothing(bench: &Bench) {
    let id = bench.group(&["ana", "bob"]).await;
    let (before, members) = (chat(bench, id).await, bench.node().members(id).await.unwrap());
    let base = change(bench, id, NoteKind::MembersAdded).await;
    let odd = [
        GroupChange { comes: vec![user("cem"), user("bob")], ..base.clone() },
        GroupChange { goes: vec![user("bob"), user("cem")], ..base.clone() },
        GroupChange { roles: vec![(user("cem"), Role::Admin)], ..base.clone() },
        GroupChange { revision: 2, title: Some("x".to_owned()), ..base.clone() },
        GroupChange { chat: bench.chat_id(), ..base },
    ];
    for odd in odd {
        let came = bench.node().change_group(odd.clone()).await.unwrap();
        assert_eq!(came, GroupChanged::Moved, "{odd:?}");
    }
    assert_eq!(chat(bench, id).await, before);
    assert_eq!(bench.node().members(id).await.unwrap(), members);
    assert_eq!(bench.node().member(id, &user("cem")).await.unwrap(), None);
    assert!(bench.all(id).await.is_empty());
}

/// Hands the group over, lets someone come or go: decided by what is there, tried until done.
async fn act(bench: &Bench, id: ChatId, at: usize) {
    loop {
        let seen = chat(bench, id).await;
        let members = bench.node().members(id).await.unwrap();
        let owner = members.iter().find(|member| member.role == Role::Owner);
        // Read after the chat, it may be of a later moment: then the change is void.
        let Some(owner) = owner.map(|member| member.user.clone()) else { continue };
        let guest = user(&format!("g{at}"));
        let base = GroupChange::of(&seen);
        let is_member = |name| members.iter().any(|member| member.user == name);
        let (change, kind) = match at % 3 {
            0 if is_member(guest.clone()) => {
                (GroupChange { goes: vec![guest], ..base }, NoteKind::MemberLeft)
            }
            0 => (GroupChange { comes: vec![guest], ..base }, NoteKind::MembersAdded),
            _ => {
                let heir = user(if owner == user("ana") { "bob" } else { "ana" });
                let roles = vec![(heir, Role::Owner), (owner, Role::Admin)];
                (GroupChange { roles, ..base }, NoteKind::OwnerChanged)
            }
        };
        let change = GroupChange { notes: vec![note(bench, &seen, kind)], ..change };
        if bench.node().change_group(change).await.unwrap() != GroupChanged::Moved {
            return;
        }
    }
}

async fn who_acts_at_once_leaves_one_owner_and_the_right_count(bench: &Bench) {
    let id = bench.group(&["ana", "bob"]).await;
    let acts = (0..12).map(|at| async move {
        act(bench, id, at).await;
        act(bench, id, at).await;
        bench.send(id, "ana").await;
    });
    futures_util::future::join_all(acts).await;
    let after = chat(bench, id).await;
    let members = bench.node().members(id).await.unwrap();
    assert_eq!(members.iter().filter(|member| member.role == Role::Owner).count(), 1);
    assert_eq!(after.member_count as usize, members.len());
    assert_eq!((members.len(), after.revision, after.untold), (2, 25, false));
    let all = bench.all(id).await;
    assert_eq!(seqs(&all), (1..=36).collect::<Vec<_>>(), "a hole, or a change untold");
    let notes = all.iter().filter(|message| message.note.is_some()).count();
    assert_eq!(notes, 24);
}

async fn a_send_of_who_went_is_refused_whatever_its_node_knows(bench: &Bench) {
    let id = bench.group(&["ana", "bob"]).await;
    for store in &bench.stores {
        // Each node has looked bob up, and remembers it.
        store.append(bench.message(id, "bob", &bench.clock.new_id().to_string())).await.unwrap();
    }
    let seen = bench.all(id).await.len();
    let going = change(bench, id, NoteKind::MembersRemoved).await;
    done(bench, GroupChange { goes: vec![user("bob")], ..going }).await;
    for store in &bench.stores {
        for member_as_of in [0, u32::try_from(seen).unwrap()] {
            let late = bench.message(id, "bob", &bench.clock.new_id().to_string());
            let late = store.append(NewMessage { member_as_of, ..late }).await;
            assert!(matches!(late, Err(AppendError::NotMember)), "{late:?}");
        }
    }
    assert_eq!(bench.all(id).await.len(), seen + 1);
}

async fn a_deleted_chat_is_there_for_nobody(bench: &Bench) {
    let mut new = bench.new_group(&["ana", "bob"]);
    new.key = Some("g|ana|picnic".to_owned());
    let id = bench.create(new.clone()).await;
    for store in &bench.stores {
        store.append(bench.message(id, "bob", &bench.clock.new_id().to_string())).await.unwrap();
    }
    let head = u32::try_from(bench.all(id).await.len()).unwrap();
    let before = bench.later().await;
    let deleting = change(bench, id, NoteKind::MembersRemoved).await;
    let again = deleting.clone();
    let (gone, _) = done(bench, GroupChange { deletes: true, ..deleting }).await;
    assert!(gone.deleted_at.is_some_and(|at| at >= before));
    assert!(bench.node().chats(&[id]).await.unwrap().is_empty());
    assert!(bench.node().changed_chats(&[id], before).await.unwrap().is_empty());
    assert!(bench.node().members(id).await.unwrap().is_empty());
    for name in ["ana", "bob"] {
        let name = user(name);
        assert_eq!(bench.node().member(id, &name).await.unwrap(), None);
        let left = bench.node().memberships(&name).await.unwrap();
        assert_eq!(left.len(), 1);
        assert!(left[0].left_at.is_some_and(|at| at >= before));
        assert_eq!((left[0].chat, left[0].left_revision), (id, 2));
        assert!(bench.node().chats_of(std::slice::from_ref(&name)).await.unwrap().is_empty());
        assert_eq!(bench.node().count_memberships(&[name]).await.unwrap(), [0]);
    }
    for store in &bench.stores {
        let late = bench.message(id, "bob", &bench.clock.new_id().to_string());
        let late = store.append(NewMessage { member_as_of: head, ..late }).await;
        assert!(matches!(late, Err(AppendError::NotMember)), "{late:?}");
    }
    let again = GroupChange { revision: 2, ..again };
    assert_eq!(bench.node().change_group(again).await.unwrap(), GroupChanged::Moved);
    assert_eq!(bench.node().create_chat(new.clone()).await.unwrap(), Created::Deleted);
    new.content_hash = [9; 16];
    assert_eq!(bench.node().create_chat(new).await.unwrap(), Created::Reused);
}

async fn a_chat_that_was_told_has_nothing_left_to_tell(bench: &Bench) {
    let id = bench.group(&["ana"]).await;
    done(bench, change(bench, id, NoteKind::TitleChanged).await).await;
    for chat in [id, bench.chat_id()] {
        assert!(bench.node().tell_changes(chat).await.unwrap().is_empty());
    }
    assert_eq!(bench.all(id).await.len(), 1);
}
