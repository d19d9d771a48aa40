//! Devices that ask for pushes, and how far each has come in each chat.
//!
//! A *standing* is of a device in a chat: up to which message the device itself has acknowledged,
//! and up to which it was pushed. A push is claimed for a while, so that no two nodes push the same
//! at once; it counts once it is settled, so that what a node leaves half-way is done by another.

use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;
use crate::model::{ChatId, DeviceId, MessageId, NodeId, Platform, Seq, UserId};

/// How long the ways of messages are remembered.
pub const TRAIL_KEPT: Duration = Duration::from_secs(3 * 24 * 3600);

/// A device that is to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub id: DeviceId,
    /// Where pushes go.
    pub token: String,
    /// Which system it is.
    pub platform: Platform,
    /// The language of what it is told.
    pub locale: String,
    /// For counting.
    pub app_version: String,
}

/// A device that asks for pushes.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub id: DeviceId,
    /// Where pushes go; `None`: nowhere, it failed.
    pub token: Option<String>,
    /// Which system it is.
    pub platform: Platform,
    /// The language of what it is told.
    pub locale: String,
    /// As it was given.
    pub app_version: String,
    /// When it was registered with its present token, by the store's clock.
    pub registered_at: Timestamp,
    /// When its token was refused for good, and how.
    pub failed: Option<(Timestamp, String)>,
    /// What the last push of several chats told of: of each chat up to this message.
    pub digest: Vec<(ChatId, Seq)>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Who has a token can push.
        f.debug_struct("Device")
            .field("user", &self.user)
            .field("id", &self.id)
            .field("platform", &self.platform)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// One device in one chat.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spot {
    /// The chat.
    pub chat: ChatId,
    /// Whose device.
    pub user: UserId,
    /// Which; `None`: whichever the user has in the foreground, registered or not.
    pub device: Option<DeviceId>,
}

/// How far a device has come in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which device where.
    pub spot: Spot,
    /// It has acknowledged this one, and none above.
    pub acked_to: Seq,
    /// It was pushed this one, and none above.
    pub pushed_to: Seq,
    /// What it was pushed up to was taken off its screen, as it was read elsewhere.
    pub cleared_to: Seq,
}

/// What came of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Whoever asked is to push.
    Yes,
    /// It has been acknowledged or pushed already.
    Done,
    /// Another is at it, or the last push of the spot was just now: ask again after this long.
    Later(Duration),
}

/// A step of a message's way to a device, for whoever asks why it rang, or did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Of which message.
    pub message: MessageId,
    /// To whom.
    pub user: UserId,
    /// To which device; `None`: to none in particular.
    pub device: Option<DeviceId>,
    /// What: the number of the contract's `DeliveryStepKind`.
    pub step: i32,
    /// In a few words.
    pub detail: String,
    /// On which node.
    pub node: NodeId,
    /// When; `None`: as it is noted, by the store's clock.
    pub at: Option<Timestamp>,
    /// Of a push: when it was found due, and by which look.
    pub found: Option<(Timestamp, String)>,
}

/// Devices and pushes. As in [`Store`](super::Store): answers are of what is durable, what one call
/// has answered every later call sees, lists may hold repeats. Times are by the store's clock.
#[async_trait]
pub trait Devices: Send + Sync {
    /// Registers a device, or changes what is known of it; its `digest` is empty then. A token that
    /// another device has, of whichever user, is that one's no more, and that one is gone. With
    /// another token, or one that had failed, it counts as registered now. `None`: the user has
    /// `limit` others, and nothing was done; of several at once one more may get in.
    async fn register_device(&self, new: NewDevice, limit: u32) -> Result<Option<Device>>;

    /// The device is registered no more, and its standings are gone. One that is not there is no
    /// error.
    async fn unregister_device(&self, user: &UserId, device: &DeviceId) -> Result<()>;

    /// The devices of a user and their standings are gone.
    async fn forget_devices(&self, user: &UserId) -> Result<()>;

    /// The devices of these users, those that failed too, in no order.
    async fn devices_of(&self, users: &[UserId]) -> Result<Vec<Device>>;

    /// The token was refused for good: it is gone, and why is kept; unless the device has another
    /// one now.
    async fn fail_device(
        &self,
        user: &UserId,
        device: &DeviceId,
        token: &str,
        why: &str,
    ) -> Result<()>;

    /// Raises what these have acknowledged; lower than it is does nothing. Free of order and
    /// repeats.
    async fn raise_acked(&self, reached: &[(Spot, Seq)]) -> Result<()>;

    /// All standings of these users in these chats, in no order.
    async fn standings(&self, of: &[(ChatId, UserId)]) -> Result<Vec<Standing>>;

    /// Claims pushes up to these messages, in the order asked. For one spot one claim holds at a
    /// time, until it is settled or `lease` is over; and none within `apart` of the last push of the
    /// spot.
    async fn claim_pushes(
        &self,
        claims: &[(Spot, Seq)],
        lease: Duration,
        apart: Duration,
    ) -> Result<Vec<Claimed>>;

    /// Ends claims: pushed up to this one, or, `None`, not pushed.
    async fn settle_pushes(&self, settled: &[(Spot, Option<Seq>)]) -> Result<()>;

    /// The device is pushed this for several chats, and nothing that one of before told of; none: that
    /// is off its screen. A device that is not there does no harm.
    async fn note_digest(
        &self,
        user: &UserId,
        device: &DeviceId,
        of: &[(ChatId, Seq)],
    ) -> Result<()>;

    /// Of these spots, those of whose pushes all are up to these messages and some not yet taken off
    /// the screen: from now on they are. Each once, on whichever node.
    async fn clear_pushes(&self, spots: &[(Spot, Seq)]) -> Result<Vec<Spot>>;

    /// Notes steps.
    async fn note_trail(&self, traces: &[Trace]) -> Result<()>;

    /// What was noted of the way of a message to a user in the last [`TRAIL_KEPT`], the oldest
    /// first, each with its time.
    async fn trail(&self, message: MessageId, user: &UserId) -> Result<Vec<Trace>>;
}
