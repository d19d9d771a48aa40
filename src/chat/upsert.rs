//! Users that a service of the product tells of, before they sign in or after they changed.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::limits::MAX_UPSERTED_USERS;
use super::{Service, text};
use crate::error::{Error, Result};
use crate::model::UserId;

/// Profiles written at once.
const AT_ONCE: usize = 16;

/// A user as a service knows them, as given.
#[derive(Clone, Debug)]
pub struct Profile {
    /// `sub` of the user's tokens.
    pub user_id: String,
    /// As others see it.
    pub name: String,
    /// An https URL; empty: none.
    pub picture: String,
}

impl Service {
    /// Notes names and pictures as of now; answers how many users had another one before, or were
    /// not known. Nothing is written if one of them is not as it must be.
    pub async fn upsert_users(self: &Arc<Self>, profiles: Vec<Profile>) -> Result<u32> {
        if profiles.is_empty() {
            return Err(Error::field("users", "must be set"));
        }
        if profiles.len() > MAX_UPSERTED_USERS {
            return Err(Error::over_limit("users", MAX_UPSERTED_USERS, "users"));
        }
        let checked: Vec<_> =
            profiles.into_iter().enumerate().map(checked).collect::<Result<_>>()?;
        let now = self.clock.now();
        let changed = stream::iter(checked)
            .map(|(user, name, picture)| async move {
                let changed = self.store.put_profile(&user, &name, &picture, now).await?;
                if changed {
                    self.profile_changed(&user, now);
                }
                Ok::<_, Error>(changed)
            })
            .buffer_unordered(AT_ONCE)
            .try_filter(|changed| std::future::ready(*changed));
        let changed: Vec<bool> = changed.try_collect().await?;
        Ok(u32::try_from(changed.len()).unwrap_or(u32::MAX))
    }
}

fn checked((at, profile): (usize, Profile)) -> Result<(UserId, String, String)> {
    let field = |name: &str, what: &'static str| Error::field(format!("users[{at}].{name}"), what);
    let user = UserId::parse(&profile.user_id)
        .ok_or_else(|| field("user_id", "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -"))?;
    let name = text::display_name(&profile.name)
        .ok_or_else(|| field("display_name", "must show something, at most 128 characters"))?;
    if !text::is_avatar(&profile.picture) {
        return Err(field("avatar_url", "https, at most 2048 bytes"));
    }
    Ok((user, name, profile.picture))
}
