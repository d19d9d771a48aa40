//! Devices that ask for pushes.

use std::time::Duration;

use async_trait::async_trait;

use super::{Measured, timed};
use crate::metrics::Operation;
use crate::model::{ChatId, DeviceId, MessageId, Seq, UserId};
use crate::store::{Claimed, Device, Devices, NewDevice, Result, Spot, Standing, Trace};

#[async_trait]
impl Devices for Measured {
    async fn register_device(&self, new: NewDevice, limit: u32) -> Result<Option<Device>> {
        timed(Operation::RegisterDevice, self.0.register_device(new, limit)).await
    }

    async fn unregister_device(&self, user: &UserId, device: &DeviceId) -> Result<()> {
        timed(Operation::UnregisterDevice, self.0.unregister_device(user, device)).await
    }

    async fn forget_devices(&self, user: &UserId) -> Result<()> {
        timed(Operation::ForgetDevices, self.0.forget_devices(user)).await
    }

    async fn devices_of(&self, users: &[UserId]) -> Result<Vec<Device>> {
        timed(Operation::DevicesOf, self.0.devices_of(users)).await
    }

    async fn fail_device(
        &self,
        user: &UserId,
        device: &DeviceId,
        token: &str,
        why: &str,
    ) -> Result<()> {
        timed(Operation::FailDevice, self.0.fail_device(user, device, token, why)).await
    }

    async fn raise_acked(&self, reached: &[(Spot, Seq)]) -> Result<()> {
        timed(Operation::RaiseAcked, self.0.raise_acked(reached)).await
    }

    async fn standings(&self, of: &[(ChatId, UserId)]) -> Result<Vec<Standing>> {
        timed(Operation::Standings, self.0.standings(of)).await
    }

    async fn claim_pushes(
        &self,
        claims: &[(Spot, Seq)],
        lease: Duration,
        apart: Duration,
    ) -> Result<Vec<Claimed>> {
        timed(Operation::ClaimPushes, self.0.claim_pushes(claims, lease, apart)).await
    }

    async fn settle_pushes(&self, settled: &[(Spot, Option<Seq>)]) -> Result<()> {
        timed(Operation::SettlePushes, self.0.settle_pushes(settled)).await
    }

    async fn note_digest(
        &self,
        user: &UserId,
        device: &DeviceId,
        of: &[(ChatId, Seq)],
    ) -> Result<()> {
        timed(Operation::NoteDigest, self.0.note_digest(user, device, of)).await
    }

    async fn clear_pushes(&self, spots: &[(Spot, Seq)]) -> Result<Vec<Spot>> {
        timed(Operation::ClearPushes, self.0.clear_pushes(spots)).await
    }

    async fn note_trail(&self, traces: &[Trace]) -> Result<()> {
        timed(Operation::NoteTrail, self.0.note_trail(traces)).await
    }

    async fn trail(&self, message: MessageId, user: &UserId) -> Result<Vec<Trace>> {
        timed(Operation::Trail, self.0.trail(message, user)).await
    }
}
