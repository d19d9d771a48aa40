//! Devices that ask for pushes, as their users see them.

use adda::proto;

use super::{device, notifications, register};
use crate::on_both_backends;
use crate::world::{Refusal, World, unique};

on_both_backends! {
    devices_are_registered_listed_and_unregistered,
    a_token_that_moves_leaves_the_first,
    what_is_no_device_is_refused,
}

async fn list(world: &World, user: &str) -> Vec<proto::Device> {
    let request = proto::ListDevicesRequest {};
    notifications(world, user).await.list_devices(request).await.unwrap().into_inner().devices
}

async fn ids(world: &World, user: &str) -> Vec<String> {
    list(world, user).await.into_iter().map(|device| device.device_id).collect()
}

async fn devices_are_registered_listed_and_unregistered(world: World) {
    register(&world, "bob", "phone").await;
    register(&world, "bob", "laptop").await;
    assert_eq!(ids(&world, "bob").await, ["laptop", "phone"]);
    let phone = list(&world, "bob").await.remove(1);
    assert_eq!((phone.platform(), phone.locale.as_str()), (proto::Platform::Android, "en"));
    assert_eq!((phone.app_version.as_str(), phone.failure.as_str()), ("1.0", ""));
    assert!(phone.registered_at.is_some() && phone.failed_at.is_none());
    register(&world, "bob", "phone").await;
    assert_eq!(list(&world, "bob").await[1].registered_at, phone.registered_at, "nothing is new");
    let mut bob = notifications(&world, "bob").await;
    for _ in 0..2 {
        let request = proto::UnregisterDeviceRequest { device_id: "phone".to_owned() };
        bob.unregister_device(request).await.unwrap();
    }
    assert_eq!(ids(&world, "bob").await, ["laptop"]);
    assert_eq!(ids(&world, "alice").await, [""; 0]);
}

async fn a_token_that_moves_leaves_the_first(world: World) {
    for user in ["alice", "bob"] {
        let mut of = notifications(&world, user).await;
        of.register_device(device("phone", "the-token")).await.unwrap();
    }
    assert_eq!(ids(&world, "alice").await, [""; 0]);
    assert_eq!(ids(&world, "bob").await, ["phone"]);
}

async fn what_is_no_device_is_refused(world: World) {
    let good = || device("phone", "a-token");
    let cases = [
        (proto::RegisterDeviceRequest { device_id: "a b".to_owned(), ..good() }, "device_id"),
        (proto::RegisterDeviceRequest { push_token: String::new(), ..good() }, "push_token"),
        (proto::RegisterDeviceRequest { push_token: "a\nb".to_owned(), ..good() }, "push_token"),
        (proto::RegisterDeviceRequest { push_token: "t".repeat(4_097), ..good() }, "push_token"),
        (proto::RegisterDeviceRequest { platform: 0, ..good() }, "platform"),
        (proto::RegisterDeviceRequest { platform: 9, ..good() }, "platform"),
        (proto::RegisterDeviceRequest { locale: "bn BD".to_owned(), ..good() }, "locale"),
        (proto::RegisterDeviceRequest { locale: "b".repeat(36), ..good() }, "locale"),
        (proto::RegisterDeviceRequest { app_version: "v".repeat(65), ..good() }, "app_version"),
        (proto::RegisterDeviceRequest { app_version: "1\0".to_owned(), ..good() }, "app_version"),
    ];
    let mut bob = notifications(&world, "bob").await;
    for (wrong, field) in cases {
        let refused = Refusal::from(bob.register_device(wrong).await);
        assert_eq!(refused.what(), ("FIELD_INVALID", field));
    }
    assert_eq!(ids(&world, "bob").await, [""; 0]);
    for at in 0..20 {
        bob.register_device(device(&format!("d{at}"), &unique())).await.unwrap();
    }
    let refused = Refusal::from(bob.register_device(device("d20", "a-token")).await);
    assert_eq!((refused.reason.as_str(), refused.limit()), ("TOO_MANY_DEVICES", Some("20")));
    bob.register_device(device("d19", "a-token")).await.expect("one that is there may change");
}
