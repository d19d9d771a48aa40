//! How a user wants to be told.

use adda::proto::event::Event;
use adda::proto::{
    self, GetPreferencesRequest, NotificationLevel as Level, NotificationPreferences,
    NotificationPreview, QuietHours, SetChatNotificationsRequest, UpdatePreferencesRequest,
};

use crate::on_both_backends;
use crate::world::{Refusal, Web, World, chat, token};

on_both_backends! {
    preferences_are_kept_as_a_whole,
    what_makes_no_sense_is_refused,
    the_level_of_a_chat_is_told_to_own_devices,
    a_browser_sets_preferences,
}

fn nights() -> NotificationPreferences {
    NotificationPreferences {
        off: false,
        preview: NotificationPreview::Sender.into(),
        silent: true,
        quiet_hours: vec![QuietHours {
            weekdays: vec![7, 1, 7],
            start_minute: 1320,
            end_minute: 360,
        }],
        time_zone: "Asia/Dhaka".to_owned(),
        mentions_pierce: true,
        revision: 41,
    }
}

/// As it is answered.
fn kept(revision: u32) -> NotificationPreferences {
    let hours = QuietHours { weekdays: vec![1, 7], start_minute: 1320, end_minute: 360 };
    NotificationPreferences { quiet_hours: vec![hours], revision, ..nights() }
}

fn update(preferences: NotificationPreferences) -> UpdatePreferencesRequest {
    UpdatePreferencesRequest { preferences: Some(preferences) }
}

async fn preferences_are_kept_as_a_whole(world: World) {
    let mut api = world.notifications_at(0, "alice").await;
    let default = NotificationPreferences {
        preview: NotificationPreview::Full.into(),
        ..NotificationPreferences::default()
    };
    let get = GetPreferencesRequest {};
    let before = api.get_preferences(get).await.unwrap().into_inner().preferences;
    assert_eq!(before, Some(default.clone()));
    for _ in 0..2 {
        let put = api.update_preferences(update(nights())).await.unwrap().into_inner();
        assert_eq!(put.preferences, Some(kept(1)), "a repeat changes nothing");
    }
    let got = api.get_preferences(get).await.unwrap().into_inner().preferences;
    assert_eq!(got, Some(kept(1)));
    let off = NotificationPreferences { off: true, ..NotificationPreferences::default() };
    let put = api.update_preferences(update(off)).await.unwrap().into_inner().preferences;
    assert_eq!(put, Some(NotificationPreferences { off: true, revision: 2, ..default.clone() }));
    let mut bob = world.notifications_at(0, "bob").await;
    let got = bob.get_preferences(get).await.unwrap().into_inner().preferences;
    assert_eq!(got, Some(default));
}

async fn what_makes_no_sense_is_refused(world: World) {
    let mut api = world.notifications_at(0, "alice").await;
    let hours = |start_minute, end_minute, weekdays: &[i32]| {
        let weekdays = weekdays.to_vec();
        let bad = QuietHours { weekdays, start_minute, end_minute };
        let good = QuietHours { weekdays: vec![], start_minute: 0, end_minute: 1 };
        NotificationPreferences { quiet_hours: vec![good, bad], ..nights() }
    };
    let many = vec![QuietHours::default(); 33];
    for (bad, field) in [
        (NotificationPreferences { preview: 9, ..nights() }, "preferences.preview"),
        (
            NotificationPreferences { time_zone: "Asia/Nowhere".to_owned(), ..nights() },
            "preferences.time_zone",
        ),
        (
            NotificationPreferences { time_zone: "../../etc/passwd".to_owned(), ..nights() },
            "preferences.time_zone",
        ),
        (NotificationPreferences { quiet_hours: many, ..nights() }, "preferences.quiet_hours"),
        (hours(1440, 0, &[]), "preferences.quiet_hours[1].start_minute"),
        (hours(0, u32::MAX, &[]), "preferences.quiet_hours[1].end_minute"),
        (hours(0, 1, &[0]), "preferences.quiet_hours[1].weekdays"),
        (hours(0, 1, &[1, 8]), "preferences.quiet_hours[1].weekdays"),
        (hours(0, 1, &[-1]), "preferences.quiet_hours[1].weekdays"),
    ] {
        let refusal = Refusal::of_status(&api.update_preferences(update(bad)).await.unwrap_err());
        assert_eq!((refusal.reason.as_str(), refusal.field.as_str()), ("FIELD_INVALID", field));
    }
    let none = UpdatePreferencesRequest { preferences: None };
    let refusal = Refusal::of_status(&api.update_preferences(none).await.unwrap_err());
    assert_eq!(refusal.field, "preferences");
    let got = api.get_preferences(GetPreferencesRequest {}).await.unwrap().into_inner();
    assert_eq!(got.preferences.unwrap().revision, 0, "nothing has changed");
}

async fn the_level_of_a_chat_is_told_to_own_devices(world: World) {
    let id = world.group("alice", &["bob"]).await;
    let mut api = world.notifications_at(0, "bob").await;
    let mut phone = world.connect("bob", "phone").await;
    let far = prost_types::Timestamp { seconds: 253_402_300_799, nanos: 0 };
    let past = prost_types::Timestamp { seconds: 1_000, nanos: 0 };
    for (level, until, then, revision) in [
        (Level::Mentions, Some(far), (Level::Mentions, Some(far)), 1),
        (Level::None, None, (Level::None, None), 2),
        (Level::None, Some(past), (Level::All, None), 3),
        (Level::Mentions, None, (Level::Mentions, None), 4),
        (Level::Unspecified, Some(far), (Level::All, None), 5),
    ] {
        let request =
            SetChatNotificationsRequest { chat_id: id.clone(), level: level.into(), until };
        for _ in 0..2 {
            api.set_chat_notifications(request.clone()).await.unwrap();
        }
        let told = phone.event(|event| match event {
            Event::ChatSettingsUpdated(told) => told.settings,
            _ => None,
        });
        let told = told.await;
        assert_eq!((told.notification_level(), told.notification_level_until), then);
        assert_eq!(told.revision, revision, "a repeat changes nothing");
        let shown = chat(&mut world.api("bob").await, &id).await.settings;
        assert_eq!(shown, Some(told));
    }
    let alices = chat(&mut world.api("alice").await, &id).await.settings.unwrap();
    assert_eq!((alices.revision, alices.notification_level()), (0, Level::All));
    let request = |chat_id: &str, level| SetChatNotificationsRequest {
        chat_id: chat_id.to_owned(),
        level,
        until: None,
    };
    let eve = world.notifications_at(0, "eve").await;
    for (api, chat, level, reason) in [
        (&eve, id.as_str(), 1, "CHAT_NOT_FOUND"),
        (&api, "nowhere", 1, "CHAT_NOT_FOUND"),
        (&api, "", 1, "FIELD_INVALID"),
        (&api, id.as_str(), 4, "FIELD_INVALID"),
    ] {
        let mut api = api.clone();
        let status = api.set_chat_notifications(request(chat, level)).await.unwrap_err();
        assert_eq!(Refusal::of_status(&status).reason, reason);
    }
}

async fn a_browser_sets_preferences(world: World) {
    let web = Web::new(world.addr(0), token("alice"));
    let put: proto::UpdatePreferencesResponse =
        web.call("NotificationService/UpdatePreferences", &update(nights())).await.unwrap();
    assert_eq!(put.preferences, Some(kept(1)));
    let got: proto::GetPreferencesResponse =
        web.call("NotificationService/GetPreferences", &GetPreferencesRequest {}).await.unwrap();
    assert_eq!(got.preferences, Some(kept(1)));
    let id = world.direct("alice", "bob").await;
    let request = SetChatNotificationsRequest { chat_id: id, level: 2, until: None };
    let set: Result<proto::SetChatNotificationsResponse, _> =
        web.call("NotificationService/SetChatNotifications", &request).await;
    assert!(set.is_ok());
}
