//! Members in their order, and how many chats a member has pinned.

use adda::model::{NoteKind, Role};
use adda::store::{GroupChange, MemberPlace, SettingsPut, SettingsWish};
use tokio::task::JoinSet;

use super::groups::{change, done, place};
use super::{Bench, on_every_store, user};

on_every_store!(pins_at_once_are_no_more_than_may_be, members_are_listed_page_by_page);

async fn pins_at_once_are_no_more_than_may_be(bench: &Bench) {
    let mut chats = Vec::new();
    for _ in 0..8 {
        chats.push(bench.group(&["bob", "ana"]).await);
    }
    let pin = |pinned| SettingsWish { pinned: Some(pinned), ..SettingsWish::default() };
    // Another's do not count, nor those of chats that were left.
    for id in &chats {
        bench.node().put_settings(*id, &user("bob"), pin(true), 9).await.unwrap();
    }
    bench.node().put_settings(chats[7], &user("ana"), pin(true), 9).await.unwrap();
    let going = change(bench, chats[7], NoteKind::MemberLeft).await;
    done(bench, GroupChange { goes: vec![user("ana")], ..going }).await;
    let mut tasks = JoinSet::new();
    for id in chats[..6].iter().copied() {
        let store = bench.node().clone();
        tasks.spawn(async move {
            (id, store.put_settings(id, &user("ana"), pin(true), 3).await.unwrap())
        });
    }
    let put = tasks.join_all().await;
    let refused = put.iter().filter(|(_, put)| *put == SettingsPut::TooManyPinned).count();
    let pinned: Vec<_> =
        put.iter().filter(|(_, put)| matches!(put, SettingsPut::Put(_, true))).collect();
    assert_eq!((pinned.len(), refused), (3, 3), "{put:?}");
    // One that is pinned stays, and so does what is set otherwise; one that goes makes room.
    let own = async |id, wish| bench.node().put_settings(id, &user("ana"), wish, 3).await.unwrap();
    assert!(matches!(own(pinned[0].0, pin(true)).await, SettingsPut::Put(_, false)));
    let archived = SettingsWish { archived: Some(true), ..SettingsWish::default() };
    assert!(matches!(own(chats[6], archived).await, SettingsPut::Put(_, true)));
    assert_eq!(own(chats[6], pin(true)).await, SettingsPut::TooManyPinned);
    own(pinned[0].0, pin(false)).await;
    assert!(matches!(own(chats[6], pin(true)).await, SettingsPut::Put(_, true)));
}

async fn members_are_listed_page_by_page(bench: &Bench) {
    let id = bench.group(&["mia", "dan", "ana", "bob", "cem", "eve"]).await;
    let mut roles = change(bench, id, NoteKind::AdminsAppointed).await;
    roles.roles = vec![(user("cem"), Role::Admin), (user("bob"), Role::Admin)];
    done(bench, roles).await;
    let going = change(bench, id, NoteKind::MemberLeft).await;
    done(bench, GroupChange { goes: vec![user("eve")], ..going }).await;
    bench.later().await;
    let coming = change(bench, id, NoteKind::MembersAdded).await;
    done(bench, GroupChange { comes: vec![user("aaa")], ..coming }).await;
    let want = ["mia", "bob", "cem", "ana", "dan", "aaa"];
    for limit in [1, 2, 3, 4, 100] {
        let (mut all, mut behind) = (Vec::new(), None);
        loop {
            let page = bench.node().members_page(id, behind, limit).await.unwrap();
            assert!(page.len() <= limit as usize);
            let Some(last) = page.last() else { break };
            behind = Some(MemberPlace::of(last));
            all.extend(page);
        }
        let names: Vec<&str> = all.iter().map(|member| member.user.as_str()).collect();
        assert_eq!(names, want, "pages of {limit}");
        assert_eq!(all[1], place(bench, id, "bob").await);
    }
    assert!(bench.node().members_page(bench.chat_id(), None, 9).await.unwrap().is_empty());
    let mut gone = change(bench, id, NoteKind::MembersRemoved).await;
    gone.deletes = true;
    done(bench, gone).await;
    assert!(bench.node().members_page(id, None, 9).await.unwrap().is_empty());
}
