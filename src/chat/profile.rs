//! Names and pictures, as tokens bring them.

use std::sync::Arc;

use moka::sync::Cache;

use super::{Service, text};
use crate::clock::Timestamp;
use crate::model::UserId;

/// What was written last, so that a token seen again costs nothing.
pub struct Profiles {
    written: Cache<UserId, Arc<(String, String)>>,
}

impl Default for Profiles {
    fn default() -> Self {
        Self { written: Cache::new(100_000) }
    }
}

impl Service {
    /// Notes what a token says of its user. A token without a name says nothing. Failing is no
    /// reason to refuse the call: the next one brings it again.
    pub async fn meet(
        &self,
        user: &UserId,
        name: Option<&str>,
        picture: Option<&str>,
        issued_at: Timestamp,
    ) {
        let Some(name) = name else { return };
        let picture = picture.unwrap_or_default();
        let known = self.profiles.written.get(user);
        if known.is_some_and(|known| known.0 == name && known.1 == picture) {
            return;
        }
        let Some(shown) = text::display_name(name) else { return };
        match self.store.put_profile(user, &shown, picture, issued_at).await {
            Ok(_) => {
                let profile = Arc::new((name.to_owned(), picture.to_owned()));
                self.profiles.written.insert(user.clone(), profile);
            }
            Err(error) => tracing::warn!(%user, %error, "cannot note a user's name"),
        }
    }
}
