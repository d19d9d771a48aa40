//! A pause that the push service asks for is every node's.
//!
//! The quota is the project's, whichever node uses it up. So the node that is told tells the
//! others, over and over while the pause lasts. Where the bus loses it, or is away, each node finds
//! out by a request of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::bus::To;
use crate::chat::Service;
use crate::proto::node;

/// How often a pause is told: nodes that have started meanwhile know it by then.
const TELL_EVERY: Duration = Duration::from_secs(5);

impl Service {
    /// Tells other nodes of pauses that this one was asked for.
    pub(super) async fn share_pauses(self: Arc<Self>) {
        let push = &self.pushes.push;
        loop {
            push.asked_to_pause().await;
            loop {
                let left = push.pause_left();
                if left.is_zero() {
                    break;
                }
                // Told whole: a millisecond early is early.
                let left_ms = u32::try_from(left.as_millis() + 1).unwrap_or(u32::MAX);
                let pause = node::PushPause { left_ms };
                self.publish(To::All, node::envelope::Body::PushPause(pause));
                tokio::select! {
                    () = push.asked_to_pause() => {}
                    () = tokio::time::sleep(left.min(TELL_EVERY)) => {}
                }
            }
        }
    }

    /// Another node was asked for a pause.
    pub(in crate::chat) fn hear_push_pause(&self, pause: node::PushPause) {
        self.pushes.push.pause(Duration::from_millis(pause.left_ms.into()));
    }
}
