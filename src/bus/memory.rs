//! The bus within one process.
use super::*;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// The bus within one process.
pub struct MemoryBus;

impl MemoryBus {
    /// Opens it.
    pub fn alone(_lease: Duration, _clock: Arc<dyn Clock>) -> Self {
        todo!()
    }
}

#[async_trait]
#[expect(unused_variables, reason = "to come")]
impl Bus for MemoryBus {
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
