//! How users want to be told, and their notifications in the app.

use std::time::Duration;

use adda::clock::Timestamp;
use adda::model::{MessageId, Notice, NoticeKind, Preferences, Preview, QuietHours};
use adda::store::{NoticeChoice, NoticeQuery, NoticesKept};
use uuid::Uuid;

use super::{Bench, on_every_store, sorted, user};

on_every_store!(
    what_was_never_said_is_left_out,
    preferences_are_set_as_a_whole_and_counted,
    preferences_set_at_once_count_each,
    what_is_noted_is_there_unread_and_of_now,
    noting_again_does_nothing_and_a_higher_version_replaces,
    of_those_noted_at_once_the_highest_version_stays,
    what_is_corrected_stays_where_it_is,
    what_tells_nothing_any_more_is_read_and_left_out,
    notifications_come_newest_first_page_by_page,
    some_are_found_by_their_ids,
    read_ones_are_told_apart,
    only_own_ones_are_marked_and_only_as_they_were_seen,
    unread_ones_are_counted_in_the_order_asked,
    the_oldest_go_where_there_are_too_many,
    what_is_too_old_is_not_there,
    what_is_forgotten_is_as_if_it_had_never_been,
);

const KEPT: NoticesKept = NoticesKept { age: Duration::from_secs(3600), most: 100 };

fn notice(bench: &Bench, name: &str, version: u32) -> Notice {
    Notice {
        id: bench.clock.new_id(),
        user: user(name),
        kind: NoticeKind::Mention,
        chat: bench.chat_id(),
        message: MessageId(bench.clock.new_id()),
        seq: 7,
        version,
        actor: Some(user("cem")),
        count: 3,
        emoji: "👍🏽".to_owned(),
        updated_at: Timestamp(5),
        read: true,
    }
}

fn all_of(name: &str) -> NoticeQuery {
    let (user, since) = (user(name), Timestamp(0));
    NoticeQuery { user, read: None, since, after: None, gone: false, limit: 1_000 }
}

async fn put(bench: &Bench, notices: &[Notice]) -> Vec<Notice> {
    bench.node().put_notices(notices.to_vec(), KEPT).await.unwrap()
}

async fn listed(bench: &Bench, query: NoticeQuery) -> Vec<Notice> {
    bench.node().notices(query).await.unwrap()
}

fn ids(notices: &[Notice]) -> Vec<Uuid> {
    notices.iter().map(|notice| notice.id).collect()
}

/// One after the other, each at a time of its own.
async fn several(bench: &Bench, name: &str, count: u32) -> Vec<Notice> {
    let mut all = Vec::new();
    for version in 1..=count {
        all.extend(put(bench, &[notice(bench, name, version)]).await);
        bench.later().await;
    }
    all
}

async fn what_was_never_said_is_left_out(bench: &Bench) {
    let asked = [user("ana"), user("bob"), user("ana")];
    assert_eq!(bench.node().preferences(&asked).await.unwrap(), []);
    assert_eq!(bench.node().preferences(&[]).await.unwrap(), []);
    let said = Preferences { silent: true, ..Preferences::default() };
    let kept = bench.node().put_preferences(&user("ana"), said).await.unwrap();
    assert_eq!(bench.node().preferences(&asked).await.unwrap(), [(user("ana"), kept)]);
}

async fn preferences_are_set_as_a_whole_and_counted(bench: &Bench) {
    let put = async |new: &Preferences| {
        bench.node().put_preferences(&user("ana"), new.clone()).await.unwrap()
    };
    let default = Preferences::default();
    assert_eq!(put(&default).await, default, "as by default: nothing has changed");
    let new = Preferences {
        off: true,
        preview: Preview::Sender,
        silent: true,
        quiet_hours: vec![QuietHours { weekdays: vec![1, 7], start: 1320, end: 360 }],
        time_zone: "Asia/Dhaka".to_owned(),
        mentions_pierce: true,
        revision: 77,
    };
    let first = Preferences { revision: 1, ..new.clone() };
    assert_eq!(put(&new).await, first);
    assert_eq!(put(&new).await, first, "as it was: nothing has changed");
    assert_eq!(put(&default).await, Preferences { revision: 2, ..default.clone() });
    let kept = bench.node().preferences(&[user("ana")]).await.unwrap();
    assert_eq!(kept, [(user("ana"), Preferences { revision: 2, ..default })]);
}

async fn preferences_set_at_once_count_each(bench: &Bench) {
    let mut tasks = tokio::task::JoinSet::new();
    for start in 1..=5 {
        let store = bench.node().clone();
        let quiet_hours = vec![QuietHours { weekdays: vec![], start, end: 0 }];
        let new = Preferences { quiet_hours, ..Preferences::default() };
        tasks.spawn(async move { store.put_preferences(&user("ana"), new).await.unwrap() });
    }
    let revisions = tasks.join_all().await.into_iter().map(|kept| kept.revision);
    assert_eq!(sorted(revisions), [1, 2, 3, 4, 5]);
}

async fn what_is_noted_is_there_unread_and_of_now(bench: &Bench) {
    let before = bench.later().await;
    let mut new = notice(bench, "ana", 1);
    let nobody = Notice { actor: None, emoji: String::new(), ..notice(bench, "bob", 1) };
    let taken = put(bench, &[new.clone(), nobody.clone()]).await;
    let after = bench.later().await;
    assert_eq!(sorted(ids(&taken)), sorted([new.id, nobody.id]));
    let kept = listed(bench, all_of("ana")).await;
    let at = kept[0].updated_at;
    assert!(before <= at && at <= after);
    new = Notice { updated_at: at, read: false, ..new };
    assert_eq!(kept, [new]);
    let kept = listed(bench, all_of("bob")).await;
    assert_eq!((kept[0].id, &kept[0].actor), (nobody.id, &None));
    assert!(taken.contains(&kept[0]), "those that were taken are told as they are kept");
    assert_eq!(put(bench, &[]).await, []);
}

async fn noting_again_does_nothing_and_a_higher_version_replaces(bench: &Bench) {
    let first = notice(bench, "ana", 2);
    assert_eq!(put(bench, std::slice::from_ref(&first)).await.len(), 1);
    let id = first.id;
    bench.node().read_notices(&user("ana"), NoticeChoice::Named(vec![id])).await.unwrap();
    let kept = listed(bench, all_of("ana")).await;
    for version in [2, 1] {
        let again = Notice { version, count: 9, ..first.clone() };
        assert_eq!(put(bench, &[again]).await, []);
    }
    assert_eq!(listed(bench, all_of("ana")).await, kept);
    let since = bench.later().await;
    let next = Notice { version: 3, seq: 9, count: 4, ..first };
    let taken = put(bench, &[next.clone(), next.clone()]).await;
    assert!(!taken.is_empty() && taken.iter().all(|of| of.seq == 9));
    let kept = listed(bench, all_of("ana")).await;
    assert_eq!((kept.len(), kept[0].count, kept[0].version, kept[0].read), (1, 4, 3, false));
    assert!(kept[0].updated_at >= since);
}

async fn of_those_noted_at_once_the_highest_version_stays(bench: &Bench) {
    let first = notice(bench, "ana", 1);
    let mut tasks = tokio::task::JoinSet::new();
    for version in 1..=8 {
        let (store, new) = (bench.node().clone(), Notice { version, ..first.clone() });
        tasks.spawn(async move { store.put_notices(vec![new], KEPT).await.unwrap() });
    }
    let taken: Vec<_> = tasks.join_all().await.into_iter().flatten().map(|of| of.version).collect();
    let kept = listed(bench, all_of("ana")).await;
    assert_eq!((kept.len(), kept[0].version), (1, 8));
    assert!(taken.contains(&8));
}

async fn correct(bench: &Bench, notices: &[Notice]) -> Vec<Notice> {
    bench.node().correct_notices(notices.to_vec(), KEPT).await.unwrap()
}

async fn what_is_corrected_stays_where_it_is(bench: &Bench) {
    let all = several(bench, "ana", 3).await;
    let seen = NoticeChoice::Named(vec![all[1].id]);
    bench.node().read_notices(&user("ana"), seen).await.unwrap();
    let less =
        Notice { actor: None, count: 1, emoji: "$x".to_owned(), version: 5, ..all[1].clone() };
    let then = all[1].updated_at.plus(Duration::from_millis(1));
    let now = Notice { updated_at: then, read: true, ..less.clone() };
    let corrected = correct(bench, &[less.clone(), less.clone()]).await;
    assert_eq!(corrected, std::slice::from_ref(&now));
    assert_eq!(correct(bench, std::slice::from_ref(&less)).await, [], "nothing differs");
    let older = Notice { count: 9, version: 4, ..less.clone() };
    assert_eq!(correct(bench, &[older]).await, [], "the version is lower");
    let unknown = Notice { id: Uuid::from_u128(7), ..less.clone() };
    assert_eq!(correct(bench, &[unknown]).await, [], "it is not there");
    let unread = Notice { count: 2, ..all[2].clone() };
    assert!(!correct(bench, &[unread]).await[0].read);
    let listed = listed(bench, all_of("ana")).await;
    assert_eq!(ids(&listed), [all[2].id, all[1].id, all[0].id]);
    assert_eq!(listed[1], now);
    assert_eq!(put(bench, std::slice::from_ref(&less)).await, [], "it is no newer");
    assert_eq!(correct(bench, &[]).await, []);
}

async fn what_tells_nothing_any_more_is_read_and_left_out(bench: &Bench) {
    let kept = put(bench, &[notice(bench, "ana", 3)]).await.remove(0);
    let gone = Notice { count: 0, actor: None, ..kept.clone() };
    let before = bench.later().await;
    let corrected = correct(bench, std::slice::from_ref(&gone)).await;
    assert_eq!(corrected.len(), 1);
    let of = &corrected[0];
    assert!(of.read && of.count == 0 && of.updated_at >= before, "{of:?}");
    // One that was never noted is not noted late.
    let never = Notice { id: Uuid::from_u128(7), ..gone };
    assert_eq!(correct(bench, std::slice::from_ref(&never)).await, []);
    assert_eq!(put(bench, &[Notice { count: 4, ..never.clone() }]).await, []);
    assert_eq!(listed(bench, all_of("ana")).await, []);
    assert_eq!(bench.node().count_unread_notices(&[user("ana")]).await.unwrap(), [0]);
    let all = listed(bench, NoticeQuery { gone: true, ..all_of("ana") }).await;
    assert_eq!(sorted(ids(&all)), sorted([kept.id, never.id]));
    assert!(all.iter().all(|of| of.read && of.count == 0));
    // What is newer is told.
    let new = put(bench, &[Notice { version: 4, ..kept.clone() }]).await.remove(0);
    assert!(!new.read && new.count == kept.count);
    assert_eq!(ids(&listed(bench, all_of("ana")).await), [kept.id]);
}

async fn notifications_come_newest_first_page_by_page(bench: &Bench) {
    let mut all = several(bench, "ana", 4).await;
    let together: Vec<_> = (0..3).map(|_| notice(bench, "ana", 1)).collect();
    all.extend(put(bench, &together).await);
    all.sort_by_key(|of| std::cmp::Reverse((of.updated_at, of.id)));
    assert_eq!(ids(&listed(bench, all_of("ana")).await), ids(&all));
    let mut paged = Vec::new();
    loop {
        let after = paged.last().map(|last: &Notice| (last.updated_at, last.id));
        let page = listed(bench, NoticeQuery { after, limit: 2, ..all_of("ana") }).await;
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        paged.extend(page);
    }
    assert_eq!(ids(&paged), ids(&all));
    let since = all[1].updated_at;
    let young = all.iter().filter(|of| of.updated_at >= since).cloned().collect::<Vec<_>>();
    assert_eq!(listed(bench, NoticeQuery { since, ..all_of("ana") }).await, young);
    assert_eq!(listed(bench, all_of("bob")).await, []);
}

async fn some_are_found_by_their_ids(bench: &Bench) {
    let (ann, bob) = (several(bench, "ann", 3).await, several(bench, "bob", 1).await);
    let nobody = bench.clock.new_id();
    let wanted = [ann[2].id, bob[0].id, nobody, ann[0].id, ann[2].id];
    let found = bench.node().notices_by_id(&wanted).await.unwrap();
    let want = vec![ann[0].clone(), ann[2].clone(), bob[0].clone()];
    let key = |notice: &Notice| notice.id;
    let (mut found, mut want) = (found, want);
    found.sort_by_key(key);
    want.sort_by_key(key);
    assert_eq!(found, want);
    assert_eq!(bench.node().notices_by_id(&[]).await.unwrap(), []);
}

async fn read_ones_are_told_apart(bench: &Bench) {
    let all = several(bench, "ana", 4).await;
    let read = NoticeChoice::Named(vec![all[0].id, all[2].id, all[2].id, Uuid::nil()]);
    assert_eq!(bench.node().read_notices(&user("ana"), read.clone()).await.unwrap(), 2);
    assert_eq!(bench.node().read_notices(&user("ana"), read).await.unwrap(), 0, "they are");
    let of = async |read| ids(&listed(bench, NoticeQuery { read, ..all_of("ana") }).await);
    assert_eq!(of(Some(true)).await, [all[2].id, all[0].id]);
    assert_eq!(of(Some(false)).await, [all[3].id, all[1].id]);
    assert_eq!(of(None).await.len(), 4);
    let until = NoticeChoice::Until(all[1].updated_at);
    assert_eq!(bench.node().read_notices(&user("ana"), until).await.unwrap(), 1);
    assert_eq!(of(Some(false)).await, [all[3].id]);
}

async fn only_own_ones_are_marked_and_only_as_they_were_seen(bench: &Bench) {
    let [one, two] = [notice(bench, "ana", 1), notice(bench, "ana", 5)];
    put(bench, &[one.clone(), two.clone()]).await;
    let bob = user("bob");
    let named = NoticeChoice::Named(vec![one.id, two.id]);
    assert_eq!(bench.node().read_notices(&bob, named).await.unwrap(), 0);
    let until = NoticeChoice::Until(bench.later().await);
    assert_eq!(bench.node().read_notices(&bob, until).await.unwrap(), 0);
    let these = NoticeChoice::These(vec![(one.id, 1), (two.id, 4)]);
    assert_eq!(bench.node().read_notices(&user("ana"), these).await.unwrap(), 1);
    let none = NoticeChoice::These(Vec::new());
    assert_eq!(bench.node().read_notices(&user("ana"), none).await.unwrap(), 0);
    let unread = listed(bench, NoticeQuery { read: Some(false), ..all_of("ana") }).await;
    assert_eq!(ids(&unread), [two.id], "what was brought up to date since stays");
}

async fn unread_ones_are_counted_in_the_order_asked(bench: &Bench) {
    let of_ana: Vec<_> = (0..3).map(|_| notice(bench, "ana", 1)).collect();
    put(bench, &of_ana).await;
    put(bench, &[notice(bench, "bob", 1)]).await;
    let named = NoticeChoice::Named(vec![of_ana[0].id]);
    bench.node().read_notices(&user("ana"), named).await.unwrap();
    let asked = [user("bob"), user("eve"), user("ana"), user("bob")];
    assert_eq!(bench.node().count_unread_notices(&asked).await.unwrap(), [1, 0, 2, 1]);
    assert!(bench.node().count_unread_notices(&[]).await.unwrap().is_empty());
}

async fn the_oldest_go_where_there_are_too_many(bench: &Bench) {
    let all = several(bench, "ana", 3).await;
    put(bench, &[notice(bench, "bob", 1)]).await;
    let few = NoticesKept { most: 2, ..KEPT };
    bench.later().await;
    let newest = notice(bench, "ana", 1);
    bench.node().put_notices(vec![newest.clone()], few).await.unwrap();
    assert_eq!(ids(&listed(bench, all_of("ana")).await), [newest.id, all[2].id]);
    assert_eq!(listed(bench, all_of("bob")).await.len(), 1);
}

async fn what_is_too_old_is_not_there(bench: &Bench) {
    let short = NoticesKept { age: Duration::from_millis(1), ..KEPT };
    let old = notice(bench, "ana", 1);
    assert_eq!(bench.node().put_notices(vec![old], short).await.unwrap().len(), 1);
    bench.later().await;
    bench.later().await;
    assert_eq!(listed(bench, all_of("ana")).await, []);
    assert_eq!(bench.node().count_unread_notices(&[user("ana")]).await.unwrap(), [0]);
}

async fn what_is_forgotten_is_as_if_it_had_never_been(bench: &Bench) {
    for name in ["ana", "bob"] {
        put(bench, &[notice(bench, name, 1), notice(bench, name, 1)]).await;
        let off = Preferences { off: true, ..Preferences::default() };
        bench.node().put_preferences(&user(name), off).await.unwrap();
    }
    for _ in 0..2 {
        bench.node().forget_notices(&user("ana")).await.unwrap();
    }
    assert_eq!(listed(bench, all_of("ana")).await, []);
    let left = bench.node().preferences(&[user("ana"), user("bob")]).await.unwrap();
    assert_eq!(left.into_iter().map(|(of, _)| of).collect::<Vec<_>>(), [user("bob")]);
    assert_eq!(listed(bench, all_of("bob")).await.len(), 2);
}
