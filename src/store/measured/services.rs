//! What the product's own services need.

use async_trait::async_trait;

use super::{Measured, timed};
use crate::clock::Timestamp;
use crate::metrics::Operation;
use crate::model::UserId;
use crate::store::{Counts, Result, Revocation, Services};

#[async_trait]
impl Services for Measured {
    async fn revoke(&self, user: &UserId) -> Result<Timestamp> {
        timed(Operation::Revoke, self.0.revoke(user)).await
    }

    async fn revocations(&self, since: Timestamp, limit: u32) -> Result<Vec<Revocation>> {
        timed(Operation::Revocations, self.0.revocations(since, limit)).await
    }

    async fn counts(&self) -> Result<Counts> {
        timed(Operation::Counts, self.0.counts()).await
    }
}
