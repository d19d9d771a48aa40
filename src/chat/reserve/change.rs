//! A change of what a user keeps from others: all nodes forget what they know of it, and it is
//! answered only then.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::Reserves;
use crate::bus::To;
use crate::chat::Service;
use crate::chat::limits::FORGOTTEN_WITHIN;
use crate::model::{NodeId, UserId};
use crate::proto::node;

/// What has changed.
#[derive(Clone, Debug)]
pub(in crate::chat) struct Changed {
    /// Whose.
    pub(in crate::chat) user: UserId,
    /// Whom it concerns alone; `None`: everybody.
    pub(in crate::chat) other: Option<UserId>,
    /// The two may see each other again.
    pub(in crate::chat) again: bool,
}

impl Reserves {
    /// A node has forgotten.
    pub(in crate::chat) fn forgotten(&self, call: u64) {
        if let Some(asked) = self.asked.lock().remove(&call) {
            // Who gave up waiting needs it no more.
            let _gave_up = asked.send(());
        }
    }

    /// Waits until all sends are stored, or refused, that have begun until now.
    async fn sends_end(&self) {
        // One after the other: what another change waits for has begun before this one, too.
        let _alone = self.ending.lock().await;
        let begun = std::mem::replace(&mut *self.sends.lock(), TaskTracker::new());
        begun.close();
        begun.wait().await;
    }
}

impl Service {
    /// A change is durable. Once this has come to its end no node goes by what was before, and no
    /// message is stored that was checked by it.
    pub(in crate::chat) async fn reserve_changed(self: &Arc<Self>, changed: Changed) {
        let until = Instant::now() + FORGOTTEN_WITHIN;
        let elsewhere = self.forget_elsewhere(&changed, until);
        let here = tokio::time::timeout_at(until, self.forget_here(&changed));
        let (here, ()) = tokio::join!(here, elsewhere);
        if here.is_err() {
            tracing::warn!("sends that were checked before a block are still under way");
        }
    }

    async fn forget_elsewhere(&self, changed: &Changed, until: Instant) {
        if !self.bus.has_peers() {
            return;
        }
        let knows_all = !self.bus.is_deaf();
        let asked = self.bus.peers().into_iter().map(|node| self.ask_to_forget(node, changed));
        let asked: Vec<_> = asked.collect();
        let (calls, answers): (Vec<u64>, Vec<_>) = asked.into_iter().unzip();
        let answered = tokio::time::timeout_at(until, join_all(answers)).await;
        if answered.is_err() || !knows_all {
            // Who was not reached has noticed by then that it is deaf.
            tokio::time::sleep_until(until).await;
            tracing::info!("a node may not have heard of a change; it is deaf by now");
        }
        let mut waiting = self.reserves.asked.lock();
        for call in calls {
            waiting.remove(&call);
        }
    }

    fn ask_to_forget(&self, node: NodeId, changed: &Changed) -> (u64, oneshot::Receiver<()>) {
        let call_id = self.reserves.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.reserves.asked.lock().insert(call_id, answer);
        let changed = node::ReserveChanged {
            call_id,
            user_id: changed.user.to_string(),
            other_id: changed.other.as_ref().map(ToString::to_string).unwrap_or_default(),
            again: changed.again,
        };
        self.publish(To::Nodes(vec![node]), node::envelope::Body::ReserveChanged(changed));
        (call_id, answered)
    }

    /// Another node has made a change.
    pub(in crate::chat) fn hear_reserve_changed(
        self: &Arc<Self>,
        from: &NodeId,
        changed: &node::ReserveChanged,
    ) {
        let Some(user) = UserId::parse(&changed.user_id) else { return };
        let (call_id, again) = (changed.call_id, changed.again);
        let changed = Changed { user, other: UserId::parse(&changed.other_id), again };
        // Before anything else that this node hears.
        self.forget(&changed);
        let (service, from) = (Arc::clone(self), from.clone());
        self.run(async move {
            service.reserves.sends_end().await;
            let done = node::envelope::Body::ReserveForgotten(node::ReserveForgotten { call_id });
            service.publish(To::Nodes(vec![from]), done);
            service.tell_again(&changed).await;
        });
    }

    async fn forget_here(self: &Arc<Self>, changed: &Changed) {
        self.forget(changed);
        self.reserves.sends_end().await;
        let (service, changed) = (Arc::clone(self), changed.clone());
        self.run(async move { service.tell_again(&changed).await });
    }

    fn forget(&self, changed: &Changed) {
        self.reserves.forget(&changed.user);
        if let Some(other) = &changed.other {
            self.forget_typing(&changed.user, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_change_waits_for_sends_that_an_earlier_one_waits_for() {
        let reserves = Reserves::default();
        let send = reserves.send_begins();
        let mut first = Box::pin(reserves.sends_end());
        assert!((&mut first).now_or_never().is_none());
        let later = reserves.send_begins();
        let mut second = Box::pin(reserves.sends_end());
        assert!((&mut second).now_or_never().is_none());
        drop(later);
        assert!((&mut second).now_or_never().is_none(), "the first send is still under way");
        drop(send);
        first.await;
        second.await;
    }
}
