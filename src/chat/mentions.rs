//! Whom a message speaks to: members, for each of whom the text holds `@` and the id.

use std::sync::Arc;

use super::Service;
use super::limits::MAX_MENTIONS;
use super::roster::Roster;
use crate::error::{Error, Result};
use crate::model::UserId;

/// Reads mentions; whether they are members is asked apart.
pub(super) fn read(raw: &[String], text: &str) -> Result<Vec<UserId>> {
    if raw.len() > MAX_MENTIONS {
        return Err(Error::over_limit("mentions", MAX_MENTIONS, "users"));
    }
    let mut users: Vec<UserId> = Vec::with_capacity(raw.len());
    for (at, name) in raw.iter().enumerate() {
        let refused = |why: &'static str| Error::field(format!("mentions[{at}]"), why);
        let user = UserId::parse(name).ok_or_else(|| not_a_member(at))?;
        if !text.contains(&format!("@{user}")) {
            return Err(refused("the text must hold @ and the id"));
        }
        if users.contains(&user) {
            return Err(refused("each once"));
        }
        users.push(user);
    }
    Ok(users)
}

fn not_a_member(at: usize) -> Error {
    Error::field(format!("mentions[{at}]"), "must be a member of the chat")
}

impl Service {
    /// The members of a chat, with all of these among them. A list that is at hand may be too old
    /// to hold who came just now.
    pub(super) async fn with_seats(
        &self,
        roster: Arc<Roster>,
        mentions: &[UserId],
    ) -> Result<Arc<Roster>> {
        let stranger =
            |roster: &Roster| mentions.iter().position(|user| roster.seat(user).is_none());
        if stranger(&roster).is_none() {
            return Ok(roster);
        }
        let fresh = self.rosters.load(roster.chat.id).await?.ok_or_else(Error::chat_not_found)?;
        stranger(&fresh).map_or(Ok(fresh), |at| Err(not_a_member(at)))
    }

    /// What a message of this text is found by; nothing where messages cannot be searched.
    pub(super) fn words_of(&self, text: &str) -> Vec<String> {
        if self.settings.search { super::words::words(text) } else { Vec::new() }
    }
}
