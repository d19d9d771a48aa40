//! The bus on Redis.
use super::*;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// The bus on Redis.
pub struct RedisBus;

impl RedisBus {
    /// Opens it.
    pub async fn open(_options: BusOptions, _clock: Arc<dyn Clock>) -> Result<Self> {
        todo!()
    }
}

#[async_trait]
#[expect(unused_variables, reason = "to come")]
impl Bus for RedisBus {
    fn node(&self) -> &NodeId {
        todo!()
    }
    fn has_peers(&self) -> bool {
        todo!()
    }
    fn publish(&self, to: To, payload: Bytes) {
        todo!()
    }
    fn events(&self) -> Option<mpsc::Receiver<BusEvent>> {
        todo!()
    }
    fn hears(&self, node: &NodeId) -> bool {
        todo!()
    }
    fn is_deaf(&self) -> bool {
        todo!()
    }
    async fn renew(&self, places: &[(UserId, Place)]) -> Result<usize> {
        todo!()
    }
    async fn remove(&self, places: &[(UserId, Place)]) -> Result<()> {
        todo!()
    }
    async fn find(&self, users: &[UserId]) -> Result<Vec<Vec<Found>>> {
        todo!()
    }
    async fn close(&self) {
        todo!()
    }
}
