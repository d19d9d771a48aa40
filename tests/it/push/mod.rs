//! Whoever is away hears of it, by a push service of the test's own.

mod away;
mod clear;
mod devices;
mod explain;
mod fake;
mod fcm;
mod killed;
mod nodes;
mod quiet;
mod wishes;

use adda::proto;
use adda::proto::notification_service_client::NotificationServiceClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

use self::fake::Fcm;
use crate::world::{Backends, Bearer, World, token};

/// Makes a test of each function on each pair of backends.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::world::Backends::Sqlite).await;
            })+
        }
        mod mongo {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::world::Backends::MongoRedis).await;
            })+
        }
    };
}
use on_both;

/// The calls about notifications of one user.
type Notifications = NotificationServiceClient<InterceptedService<Channel, Bearer>>;

async fn notifications(world: &World, user: &str) -> Notifications {
    at(world.addr(0), user).await
}

async fn at(addr: std::net::SocketAddr, user: &str) -> Notifications {
    with(addr, token(user)).await
}

async fn with(addr: std::net::SocketAddr, token: String) -> Notifications {
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
    let channel = endpoint.connect().await.unwrap();
    NotificationServiceClient::with_interceptor(channel, Bearer(token))
}

/// A world of one node that pushes to this service.
async fn world(backends: Backends, fcm: &Fcm, more: &[&str]) -> Option<World> {
    let flags = fcm.flags(more);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    World::with(backends, &flags).await
}

fn device(device: &str, token: &str) -> proto::RegisterDeviceRequest {
    proto::RegisterDeviceRequest {
        device_id: device.to_owned(),
        push_token: token.to_owned(),
        platform: proto::Platform::Android.into(),
        locale: "en".to_owned(),
        app_version: "1.0".to_owned(),
    }
}

/// Registers a device of a user, whose token is the user's name and the device's.
async fn register(world: &World, user: &str, id: &str) -> String {
    let token = format!("{user}-{id}");
    let request = device(id, &token);
    notifications(world, user).await.register_device(request).await.unwrap();
    token
}

async fn mute(world: &World, user: &str, chat: &str) {
    let request = proto::SetChatSettingsRequest {
        chat_id: chat.to_owned(),
        muted_until: Some(prost_types::Timestamp { seconds: 4_000_000_000, nanos: 0 }),
        ..Default::default()
    };
    world.api(user).await.set_chat_settings(request).await.unwrap();
}

async fn prefer(world: &World, user: &str, preferences: proto::NotificationPreferences) {
    let request = proto::UpdatePreferencesRequest { preferences: Some(preferences) };
    notifications(world, user).await.update_preferences(request).await.unwrap();
}

async fn block(world: &World, by: &str, whom: &str) {
    let request = proto::BlockUserRequest { user_id: whom.to_owned() };
    world.people(by).await.block_user(request).await.unwrap();
}
