//! Presence as it stands in lists of chats.

use std::collections::HashMap;

use super::{last_seen, online, peers};
use crate::chat::Service;
use crate::error::Result;
use crate::model::{ChatId, Member, UserId};
use crate::proto;
use crate::store::WrittenBy;
use crate::wire;

impl Service {
    /// The presence of the other members of direct chats that have written there, by chat.
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
        let (users, places) = tokio::join!(self.users_by_id(&ids), self.places_of(&ids));
        let users = users?;
        let shown = written.into_iter().zip(places).map(|((chat, peer), places)| {
            let online = online(&places);
            let noted = users.get(&peer).and_then(|user| user.last_active);
            let presence = proto::Presence {
                is_online: online.is_some(),
                last_active: noted.max(last_seen(&places)).map(wire::timestamp),
                since: online.map(|(since, _)| wire::timestamp(since)),
            };
            (chat, presence)
        });
        Ok(shown.collect())
    }
}
