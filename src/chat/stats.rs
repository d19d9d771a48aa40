//! How much there is, for services of the product.

use super::Service;
use crate::error::Result;
use crate::proto;
use crate::wire;

impl Service {
    /// How much the store holds, as it estimates it, and what this node serves.
    pub async fn stats(&self) -> Result<proto::GetStatsResponse> {
        let counts = self.store.counts().await?;
        let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(proto::GetStatsResponse {
            user_count: counts.users,
            chat_count: counts.chats,
            message_count: counts.messages,
            node_session_count: narrow(self.hub.len()),
            node_id: self.bus.node().to_string(),
            peer_count: narrow(self.bus.peers().iter().filter(|peer| self.bus.hears(peer)).count()),
            at: Some(wire::timestamp(self.clock.now())),
        })
    }
}
