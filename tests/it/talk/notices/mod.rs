//! Notifications in the app, at the street door: who is told of what, and when it is read.

mod gone;
mod list;
mod preferences;
mod told;

use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::proto::{self, Notification, NotificationKind};

use crate::world::{Live, Notifications, World, eventually};

/// All notifications of a user, newest first, and how many are unread.
async fn listed(api: &mut Notifications) -> (Vec<Notification>, u32) {
    let request = proto::ListNotificationsRequest { page_size: 100, ..Default::default() };
    let page = api.list_notifications(request).await.unwrap().into_inner();
    (page.notifications, page.unread_count.unwrap())
}

/// The one notification of this kind in a chat, once it is there.
async fn noted(api: &mut Notifications, kind: NotificationKind, chat: &str) -> Notification {
    eventually("a notification", async || {
        let (all, _) = listed(api).await;
        let mut found = all.into_iter().filter(|of| of.kind() == kind && of.chat_id == chat);
        let one = found.next();
        assert!(found.next().is_none(), "noted twice");
        one
    })
    .await
}

/// The next that a stream tells of.
async fn told(live: &mut Live) -> proto::NotificationCreated {
    live.event(|event| match event {
        Event::NotificationCreated(told) => Some(told.clone()),
        _ => None,
    })
    .await
}

/// Those that a stream told of and nobody waited for.
fn told_meanwhile(live: &mut Live) -> Vec<proto::NotificationCreated> {
    let told = live.take_seen().into_iter().filter_map(|frame| match frame {
        Frame::Event(proto::Event { event: Some(Event::NotificationCreated(told)) }) => Some(told),
        _ => None,
    });
    told.collect()
}

async fn set_level(world: &World, user: &str, chat: &str, level: proto::NotificationLevel) {
    let request = proto::SetChatNotificationsRequest {
        chat_id: chat.to_owned(),
        level: level.into(),
        until: None,
    };
    world.notifications_at(0, user).await.set_chat_notifications(request).await.unwrap();
}
