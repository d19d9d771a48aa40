//! The list: its pages, and marking it read.

use adda::proto::{self, ListNotificationsRequest, MarkNotificationsReadRequest};
use tonic::Code;

use super::{listed, told};
use crate::on_both_backends;
use crate::world::{Notifications, Refusal, Web, World, eventually, token};

on_both_backends! {
    pages_leave_nothing_out,
    unread_ones_come_first_on_wish,
    what_is_marked_is_read_on_all_devices,
    what_makes_no_sense_is_refused,
    a_browser_lists_and_marks,
}

/// So many notifications of bob.
async fn several(world: &World, count: usize) -> Notifications {
    for _ in 0..count {
        world.group("alice", &["bob"]).await;
    }
    let mut api = world.notifications_at(0, "bob").await;
    eventually("all", async || (listed(&mut api).await.0.len() == count).then_some(())).await;
    api
}

async fn paged(api: &mut Notifications, size: u32, unread_first: bool) -> Vec<proto::Notification> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListNotificationsRequest { page_size: size, page_token, unread_first };
        let first = request.page_token.is_empty();
        let page = api.list_notifications(request).await.unwrap().into_inner();
        assert!(page.notifications.len() <= size as usize);
        assert_eq!(page.unread_count.is_some(), first);
        all.extend(page.notifications);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

async fn mark(api: &mut Notifications, of: &[&proto::Notification]) -> u32 {
    let notification_ids = of.iter().map(|of| of.notification_id.clone()).collect();
    let request = MarkNotificationsReadRequest { notification_ids, all_until: None };
    api.mark_notifications_read(request).await.unwrap().into_inner().unread_count
}

async fn pages_leave_nothing_out(world: World) {
    let mut api = several(&world, 5).await;
    let (all, unread) = listed(&mut api).await;
    assert_eq!((all.len(), unread), (5, 5));
    for size in [1, 2, 5] {
        assert_eq!(paged(&mut api, size, false).await, all);
        assert_eq!(paged(&mut api, size, true).await, all);
    }
}

async fn unread_ones_come_first_on_wish(world: World) {
    let mut api = several(&world, 5).await;
    let (all, _) = listed(&mut api).await;
    assert_eq!(mark(&mut api, &[&all[0], &all[2]]).await, 3);
    let order: Vec<_> = [1, 3, 4, 0, 2].map(|at: usize| all[at].notification_id.clone()).into();
    for size in [1, 2, 3, 4] {
        let listed = paged(&mut api, size, true).await;
        let ids: Vec<_> = listed.iter().map(|of| of.notification_id.clone()).collect();
        assert_eq!(ids, order, "pages of {size}");
        let read: Vec<_> = listed.iter().map(|of| of.read).collect();
        assert_eq!(read, [false, false, false, true, true]);
    }
}

async fn what_is_marked_is_read_on_all_devices(world: World) {
    let mut api = several(&world, 3).await;
    let mut live = world.connect("bob", "phone").await;
    assert_eq!(live.ready.unread_notifications, 3);
    let (all, _) = listed(&mut api).await;
    assert_eq!(mark(&mut api, &[&all[0], &all[0]]).await, 2);
    assert_eq!(told(&mut live).await.unread_notifications, 2);
    assert_eq!(mark(&mut api, &[&all[0]]).await, 2, "it is read");
    let until = MarkNotificationsReadRequest {
        all_until: all[1].updated_at,
        ..MarkNotificationsReadRequest::default()
    };
    let left = api.mark_notifications_read(until).await.unwrap().into_inner().unread_count;
    assert!(left < 2);
    let event = told(&mut live).await;
    assert_eq!((event.notification_id.as_str(), event.unread_notifications), ("", left));
    assert_eq!(listed(&mut api).await.1, left);
    // Those of others are not there.
    let mut alice = world.notifications_at(0, "alice").await;
    assert_eq!(mark(&mut alice, &[&all[2]]).await, 0);
    assert_eq!(listed(&mut api).await.1, left);
}

async fn what_makes_no_sense_is_refused(world: World) {
    let mut api = several(&world, 2).await;
    let page = |page_token: &str, unread_first| ListNotificationsRequest {
        page_size: 1,
        page_token: page_token.to_owned(),
        unread_first,
    };
    let first = api.list_notifications(page("", false)).await.unwrap().into_inner();
    let good = first.next_page_token;
    let mut alice = world.notifications_at(0, "alice").await;
    for status in [
        api.list_notifications(page("junk", false)).await.unwrap_err(),
        api.list_notifications(page(&good, true)).await.unwrap_err(),
        alice.list_notifications(page(&good, false)).await.unwrap_err(),
    ] {
        let refusal = Refusal::of_status(&status);
        assert_eq!(refusal.reason, "PAGE_TOKEN_INVALID");
    }
    let all_until = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
    let many: Vec<String> = (0..101).map(|at| at.to_string()).collect();
    for (notification_ids, all_until, field) in [
        (vec![], None, "notification_ids"),
        (many, None, "notification_ids"),
        (vec!["x".to_owned()], all_until, "all_until"),
        (vec![], Some(prost_types::Timestamp { seconds: 1, nanos: -1 }), "all_until"),
    ] {
        let request = MarkNotificationsReadRequest { notification_ids, all_until };
        let status = api.mark_notifications_read(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let refusal = Refusal::of_status(&status);
        assert_eq!((refusal.reason.as_str(), refusal.field.as_str()), ("FIELD_INVALID", field));
    }
    let strange = ["{\"$gt\":\"\"}", "../..", "\0"].map(str::to_owned).to_vec();
    let request = MarkNotificationsReadRequest { notification_ids: strange, all_until: None };
    let left = api.mark_notifications_read(request).await.unwrap().into_inner().unread_count;
    assert_eq!(left, 2, "those that are not there are passed over");
}

async fn a_browser_lists_and_marks(world: World) {
    several(&world, 1).await;
    let web = Web::new(world.addr(0), token("bob"));
    let list = "NotificationService/ListNotifications";
    let page: proto::ListNotificationsResponse =
        web.call(list, &ListNotificationsRequest::default()).await.unwrap();
    assert_eq!((page.notifications.len(), page.unread_count), (1, Some(1)));
    let id = page.notifications[0].notification_id.clone();
    let request = MarkNotificationsReadRequest { notification_ids: vec![id], all_until: None };
    let marked: proto::MarkNotificationsReadResponse =
        web.call("NotificationService/MarkNotificationsRead", &request).await.unwrap();
    assert_eq!(marked.unread_count, 0);
}
