//! What is noted of a message's way to a device, for whoever asks why it rang, or did not.
//!
//! Noted is what cannot be found out later: what became of a push, and by which rule there was
//! none. That a device has acknowledged, or its user has read, the store knows anyway.

use std::num::NonZeroU32;

use governor::clock::MonotonicClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::Look;
use super::due::Due;
use crate::chat::Service;
use crate::chat::limits::RULES_NOTED;
use crate::clock::Timestamp;
use crate::metrics;
use crate::model::{DeviceId, Message, MessageId, Seq, UserId};
use crate::proto::DeliveryStepKind;
use crate::push::Sent;
use crate::push::rules::Verdict;
use crate::store::{Device, Trace};

/// A step, as it is about to be noted.
#[derive(Clone, Copy)]
pub(super) struct Step<'s> {
    pub(super) kind: DeliveryStepKind,
    pub(super) detail: &'s str,
    /// `None`: now, by the store's clock.
    pub(super) at: Option<Timestamp>,
}

type Instant = <MonotonicClock as governor::clock::Clock>::Instant;

/// How many rules may be noted: a large chat that many have muted would write as much as all its
/// messages do.
pub(super) struct Budget(
    RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>,
);

impl Default for Budget {
    fn default() -> Self {
        let a_second = NonZeroU32::new(RULES_NOTED).unwrap_or(NonZeroU32::MIN);
        Self(RateLimiter::direct_with_clock(Quota::per_second(a_second), MonotonicClock))
    }
}

/// Whether this look notes the rule by which the message does not ring, so that it is noted once.
/// `in_front`: what the user had in the foreground on another device.
fn is_noted(look: Look, message: &Message, in_front: Seq) -> bool {
    match look {
        // The first look is of all of these again.
        Look::AtOnce => false,
        Look::First | Look::Again => true,
        // The first one did not ask for a rule.
        Look::Second => message.seq <= in_front,
    }
}

impl Service {
    /// A step on this node.
    pub(super) fn step(
        &self,
        message: MessageId,
        (user, device): (&UserId, &DeviceId),
        step: Step<'_>,
    ) -> Trace {
        Trace {
            message,
            user: user.clone(),
            device: Some(device.clone()),
            step: step.kind.into(),
            detail: step.detail.to_owned(),
            node: self.bus.node().clone(),
            at: step.at,
            found: None,
        }
    }

    /// What came of a push.
    pub(super) fn step_of_push(&self, due: &Due, sent: &Sent) -> Trace {
        let (kind, detail) = match sent {
            Sent::Taken => (DeliveryStepKind::Pushed, ""),
            Sent::Gone(why) | Sent::Refused(why) | Sent::Later { why, .. } => {
                (DeliveryStepKind::PushFailed, why.as_str())
            }
        };
        let step = Step { kind, detail, at: None };
        let found = Some((due.found_at, due.look.name().to_owned()));
        Trace { found, ..self.step(due.message.id, (&due.device.user, &due.device.id), step) }
    }

    /// The rule by which a message does not ring, if this look is to note it.
    pub(super) fn step_of_rule(
        &self,
        (look, now): (Look, Timestamp),
        device: &Device,
        (message, in_front): (&Message, Seq),
        verdict: Verdict,
    ) -> Option<Trace> {
        let (Verdict::Hold { rule, .. } | Verdict::Never { rule }) = verdict else { return None };
        if !is_noted(look, message, in_front) {
            return None;
        }
        if self.pushes.rules_noted.0.check().is_err() {
            metrics::push_rules_not_noted().inc();
            return None;
        }
        let kind = DeliveryStepKind::Suppressed;
        let step = Step { kind, detail: rule.name(), at: Some(now) };
        Some(self.step(message.id, (&device.user, &device.id), step))
    }

    /// Notes steps. Nothing waits for it to go well.
    pub(super) async fn note_steps(&self, traces: &[Trace]) {
        if traces.is_empty() {
            return;
        }
        if let Err(error) = self.store.note_trail(traces).await {
            tracing::warn!(%error, "cannot note what became of pushes");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_rules_are_noted_in_a_second_and_no_more() {
        let budget = Budget::default();
        let noted = (0..2 * RULES_NOTED).filter(|_| budget.0.check().is_ok()).count();
        let most = usize::try_from(RULES_NOTED).unwrap();
        assert!((most..2 * most).contains(&noted), "{noted}");
    }
}
