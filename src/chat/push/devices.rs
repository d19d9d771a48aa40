//! Devices that ask for pushes.

use crate::chat::Service;
use crate::chat::limits::{
    MAX_APP_VERSION_CHARS, MAX_DEVICES, MAX_LOCALE_CHARS, MAX_PUSH_TOKEN_BYTES,
};
use crate::error::{Error, Reason, Result};
use crate::model::{DeviceId, Platform, UserId};
use crate::proto::{self, node};
use crate::store::{Device, NewDevice};
use crate::wire;

/// A device that is to be registered, as given.
#[derive(Clone, Debug)]
pub struct DeviceDraft {
    /// Which.
    pub device_id: String,
    /// Where pushes go.
    pub push_token: String,
    /// `None`: not said.
    pub platform: Option<Platform>,
    /// BCP 47.
    pub locale: String,
    /// For counting.
    pub app_version: String,
}

impl Service {
    /// Registers a device of the user's, or changes what is known of it.
    pub async fn register_device(
        &self,
        user: &UserId,
        draft: DeviceDraft,
    ) -> Result<proto::Device> {
        let new = checked(user, draft)?;
        let registered = self.store.register_device(new, MAX_DEVICES).await?;
        self.devices_changed(user).await;
        registered.as_ref().map(shown).ok_or_else(|| {
            let mut error =
                Error::new(Reason::TooManyDevices, "unregister a device that is used no more");
            error.metadata.push(("limit", MAX_DEVICES.to_string()));
            error
        })
    }

    /// The device is registered no more.
    pub async fn unregister_device(&self, user: &UserId, device: &str) -> Result<()> {
        let device = device_id(device)?;
        self.store.unregister_device(user, &device).await?;
        self.devices_changed(user).await;
        Ok(())
    }

    /// None of the user's devices is registered any more.
    pub(in crate::chat) async fn forget_devices(&self, user: &UserId) -> Result<()> {
        self.store.forget_devices(user).await?;
        self.pushes.registered.invalidate(user);
        Ok(())
    }

    /// Which devices are registered is another now, for the nodes that hear what they acknowledge.
    /// Where the bus loses it they know a few seconds later.
    async fn devices_changed(&self, user: &UserId) {
        self.pushes.registered.invalidate(user);
        if self.bus.has_peers() && self.pushes.push.is_on() {
            let to = self.nodes_of(std::slice::from_ref(user)).await;
            let changed = node::DevicesChanged { user_id: user.to_string() };
            self.publish(to, node::envelope::Body::DevicesChanged(changed));
        }
    }

    /// Another node has changed which devices are registered.
    pub(in crate::chat) fn hear_devices_changed(&self, changed: &node::DevicesChanged) {
        if let Some(user) = UserId::parse(&changed.user_id) {
            self.pushes.registered.invalidate(&user);
        }
    }

    /// The user's devices, the one registered last first.
    pub async fn list_devices(&self, user: &UserId) -> Result<Vec<proto::Device>> {
        let mut devices = self.store.devices_of(std::slice::from_ref(user)).await?;
        devices.sort_by(|a, b| (b.registered_at, &a.id).cmp(&(a.registered_at, &b.id)));
        Ok(devices.iter().map(shown).collect())
    }
}

/// As its user sees it: without the token.
fn shown(device: &Device) -> proto::Device {
    proto::Device {
        device_id: device.id.to_string(),
        platform: device.platform.number(),
        locale: device.locale.clone(),
        app_version: device.app_version.clone(),
        registered_at: Some(wire::timestamp(device.registered_at)),
        failed_at: device.failed.as_ref().map(|(at, _)| wire::timestamp(*at)),
        failure: device.failed.as_ref().map(|(_, why)| why.clone()).unwrap_or_default(),
    }
}

fn device_id(raw: &str) -> Result<DeviceId> {
    DeviceId::parse(raw)
        .ok_or_else(|| Error::field("device_id", "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -"))
}

fn checked(user: &UserId, draft: DeviceDraft) -> Result<NewDevice> {
    let id = device_id(&draft.device_id)?;
    let token = draft.push_token;
    if token.len() > MAX_PUSH_TOKEN_BYTES {
        return Err(Error::over_limit("push_token", MAX_PUSH_TOKEN_BYTES, "bytes"));
    }
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::field("push_token", "must be as the push service gave it"));
    }
    let platform = draft.platform;
    let platform =
        platform.ok_or_else(|| Error::field("platform", "must be one of those known"))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if draft.locale.len() > MAX_LOCALE_CHARS || !draft.locale.chars().all(plain) {
        return Err(Error::field("locale", "must be a language tag such as bn-BD"));
    }
    if draft.app_version.chars().count() > MAX_APP_VERSION_CHARS {
        return Err(Error::over_limit("app_version", MAX_APP_VERSION_CHARS, "characters"));
    }
    if draft.app_version.chars().any(char::is_control) {
        return Err(Error::field("app_version", "without control characters"));
    }
    Ok(NewDevice {
        user: user.clone(),
        id,
        token,
        platform,
        locale: draft.locale,
        app_version: draft.app_version,
    })
}
