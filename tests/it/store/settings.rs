//! What members of a chat set for themselves.

use adda::clock::Timestamp;
use adda::model::{ChatSettings, Level, NoteKind};
use adda::store::{GroupChange, SettingsPut, SettingsWish};
use tokio::task::JoinSet;

use super::groups::{change, chat, done, place};
use super::{Bench, on_every_store, user};

on_every_store!(
    settings_are_the_members_own,
    settings_of_who_is_no_member_are_not_put,
    settings_put_at_once_lose_nothing,
);

async fn settings_are_the_members_own(bench: &Bench) {
    let id = bench.group(&["ana", "bob"]).await;
    let put = async |wish: SettingsWish| match bench
        .node()
        .put_settings(id, &user("ana"), wish, 9)
        .await
        .unwrap()
    {
        SettingsPut::Put(settings, changed) => (settings, changed),
        other => panic!("{other:?}"),
    };
    let nothing = SettingsWish::default();
    assert_eq!(put(nothing).await, (ChatSettings::default(), false));
    let before = bench.later().await;
    let (first, changed) = put(SettingsWish { pinned: Some(true), ..nothing }).await;
    let after = bench.later().await;
    let in_time = |at: Option<Timestamp>| at.is_some_and(|at| before <= at && at <= after);
    assert!(changed && in_time(first.pinned_at) && in_time(first.changed_at), "{first:?}");
    assert_eq!((first.revision, first.archived, first.muted_until), (1, false, None));
    // What is so already changes nothing.
    assert_eq!(put(SettingsWish { pinned: Some(true), ..nothing }).await, (first, false));
    let until = Timestamp(253_402_300_799_999);
    let wish = SettingsWish {
        archived: Some(true),
        muted_until: Some(Some(until)),
        level: Some((Level::Mentions, Some(until))),
        ..nothing
    };
    let (second, changed) = put(wish).await;
    let want = ChatSettings {
        archived: true,
        muted_until: Some(until),
        level: Level::Mentions,
        level_until: Some(until),
        revision: 2,
        changed_at: second.changed_at,
        ..first
    };
    assert_eq!((second, changed), (want, true));
    assert!(second.changed_at > first.changed_at);
    assert_eq!(place(bench, id, "ana").await.settings, second);
    assert_eq!(place(bench, id, "bob").await.settings, ChatSettings::default());
    let back = SettingsWish {
        pinned: Some(false),
        archived: Some(false),
        muted_until: Some(None),
        level: Some((Level::All, None)),
    };
    let (last, _) = put(back).await;
    let want = ChatSettings { revision: 3, changed_at: last.changed_at, ..ChatSettings::default() };
    assert_eq!(last, want);
    assert_eq!(chat(bench, id).await.revision, 1, "nobody else learns of it");
}

async fn settings_of_who_is_no_member_are_not_put(bench: &Bench) {
    let id = bench.group(&["ana", "bob"]).await;
    let going = change(bench, id, NoteKind::MemberLeft).await;
    done(bench, GroupChange { goes: vec![user("bob")], ..going }).await;
    let wish = SettingsWish { archived: Some(true), ..SettingsWish::default() };
    for (chat, name) in [(id, "bob"), (id, "eve"), (bench.chat_id(), "ana")] {
        let put = bench.node().put_settings(chat, &user(name), wish, 9).await.unwrap();
        assert_eq!(put, SettingsPut::NoMember);
    }
    assert_eq!(place(bench, id, "bob").await.settings, ChatSettings::default());
}

async fn settings_put_at_once_lose_nothing(bench: &Bench) {
    let id = bench.group(&["ana"]).await;
    let until = Some(Some(Timestamp(253_402_300_799_999)));
    let wishes = [
        SettingsWish { pinned: Some(true), ..Default::default() },
        SettingsWish { archived: Some(true), ..Default::default() },
        SettingsWish { muted_until: until, ..Default::default() },
    ];
    let mut tasks = JoinSet::new();
    for wish in wishes {
        let store = bench.node().clone();
        tasks.spawn(async move { store.put_settings(id, &user("ana"), wish, 9).await.unwrap() });
    }
    let put = tasks.join_all().await;
    assert!(put.iter().all(|put| matches!(put, SettingsPut::Put(_, true))), "{put:?}");
    let settings = place(bench, id, "ana").await.settings;
    assert!(settings.pinned_at.is_some() && settings.archived);
    assert_eq!((settings.muted_until, settings.revision), (until.flatten(), 3));
}
