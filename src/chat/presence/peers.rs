//! Presence as it stands in lists of chats.

use std::collections::HashMap;

use super::peers;
use crate::chat::Service;
use crate::error::Result;
use crate::model::{ChatId, Member, UserId};
use crate::proto;
use crate::store::WrittenBy;

impl Service {
    /// The presence of the other members of direct chats that have written there, by chat; of those
    /// it may be seen of.
    pub(in crate::chat) async fn presence_of_peers(
        &self,
        user: &UserId,
        direct: &[ChatId],
        members: &HashMap<ChatId, Vec<Member>>,
    ) -> Result<HashMap<ChatId, proto::Presence>> {
        let written = self.store.written_in(WrittenBy::AnyoneBut(user.clone()), direct).await?;
        let pairs = written.iter().filter_map(|chat| members.get(chat)).flatten().cloned();
        let written = peers(user, pairs.collect());
        let ids: Vec<UserId> = written.iter().map(|(_, peer)| peer.clone()).collect();
        let presences = self.presences(user, &ids).await?;
        let shown = written.into_iter().zip(presences);
        Ok(shown.filter_map(|((chat, _), presence)| Some((chat, presence?))).collect())
    }
}
