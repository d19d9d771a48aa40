//! What a user hides from all others, and so does not see of them.

use std::sync::Arc;

use super::Service;
use super::reserve::Changed;
use crate::error::Result;
use crate::model::{Privacy, UserId};
use crate::proto;

impl Service {
    /// What a user hides.
    pub async fn privacy(&self, user: &UserId) -> Result<proto::Privacy> {
        let found = self.store.reserves(std::slice::from_ref(user)).await?;
        Ok(shown(found.first().map(|reserve| reserve.privacy).unwrap_or_default()))
    }

    /// Changes what a user hides, `None`: leaves it. What others have learned they keep.
    pub async fn update_privacy(
        self: &Arc<Self>,
        user: &UserId,
        hide_last_active: Option<bool>,
        hide_read_receipts: Option<bool>,
    ) -> Result<proto::Privacy> {
        if hide_last_active.is_none() && hide_read_receipts.is_none() {
            return self.privacy(user).await;
        }
        let (service, user) = (Arc::clone(self), user.clone());
        let change = async move {
            let hides = service.store.put_privacy(&user, hide_last_active, hide_read_receipts);
            let hides = hides.await?;
            service.reserve_changed(Changed { user, other: None, again: false }).await;
            Ok(shown(hides))
        };
        self.carry_through(change).await
    }
}

fn shown(hides: Privacy) -> proto::Privacy {
    proto::Privacy {
        hide_last_active: hides.hide_last_active,
        hide_read_receipts: hides.hide_read_receipts,
    }
}
