//! Why it rang, or did not: the way of one message to one recipient.
//!
//! Most of it follows from what the store holds anyway; what became of pushes is kept for a few
//! days. What a recipient has set is for services alone: a sender is told that it did not ring.

use crate::chat::Service;
use crate::chat::access::{chat_id, message_id};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{ChatKind, DeviceId, Member, Message, UserId};
use crate::proto::{self, DeliveryStepKind};
use crate::push::rules::{Facts, Rule, Verdict, decide};
use crate::store::{Device, Standing};
use crate::wire;

/// Whose way to whom.
#[derive(Clone, Debug)]
pub struct Way {
    /// As given.
    pub chat_id: String,
    /// As given.
    pub message_id: String,
    /// The recipient.
    pub user: UserId,
}

impl Service {
    /// The way of a message to a recipient, for who sent it, or for a service.
    pub async fn explain_delivery(
        &self,
        caller: &UserId,
        is_service: bool,
        way: &Way,
    ) -> Result<Vec<proto::DeliveryStep>> {
        let chat = chat_id(&way.chat_id)?;
        let message = self.store.message(chat, message_id(&way.message_id)?).await?;
        let mine = |of: &Message| is_service || of.sender.as_ref() == Some(caller);
        let message = message.filter(mine).ok_or_else(Error::message_not_found)?;
        let member = self.store.member(chat, &way.user).await?;
        let saw = |of: &Member| {
            of.visible_from <= message.seq && message.sender != Some(way.user.clone())
        };
        let member = member.filter(saw).ok_or_else(Error::message_not_found)?;
        let users = std::slice::from_ref(&way.user);
        let place = [(chat, way.user.clone())];
        let (devices, standings, trail) = tokio::try_join!(
            self.store.devices_of(users),
            self.store.standings(&place),
            self.store.trail(message.id, &way.user)
        )?;
        let mut steps = vec![step(DeliveryStepKind::Stored, Some(message.created_at()), None, "")];
        steps.extend(trail.iter().map(|(at, trace)| {
            let kind = DeliveryStepKind::try_from(trace.step).unwrap_or_default();
            step(kind, Some(*at), trace.device.as_ref(), &trace.detail)
        }));
        let told =
            |device: &DeviceId| trail.iter().any(|(_, of)| of.device.as_ref() == Some(device));
        steps.extend(
            devices
                .iter()
                .filter_map(|device| of_device(device, &standings, &message, told(&device.id))),
        );
        let hidden = !is_service && self.hides_reads(caller, &member, &way.user).await?;
        steps.extend(of_user(&member, &message, hidden));
        if !steps.iter().any(|of| of.kind() != DeliveryStepKind::Stored) {
            let rule = self.why_not(&message, &member, &devices).await?;
            let detail = rule.filter(|_| is_service).unwrap_or_default();
            let kind = if rule.is_some() {
                DeliveryStepKind::Suppressed
            } else {
                DeliveryStepKind::PushDue
            };
            steps.push(step(kind, None, None, detail));
        }
        Ok(steps)
    }

    async fn hides_reads(&self, caller: &UserId, member: &Member, user: &UserId) -> Result<bool> {
        let chat = self.store.chats(&[member.chat]).await?.pop();
        if chat.is_none_or(|chat| chat.kind != ChatKind::Direct) {
            return Ok(false);
        }
        let between = self.between_two(caller, user).await?;
        Ok(between.blocked || between.hides_reads)
    }

    /// By which rule it does not ring, as things are set now.
    async fn why_not(
        &self,
        message: &Message,
        member: &Member,
        devices: &[Device],
    ) -> Result<Option<&'static str>> {
        let now = self.clock.now();
        if !message.counts() {
            return Ok(Some("it is deleted, or a note"));
        }
        if member.left_at.is_some() {
            return Ok(Some("the user has left"));
        }
        if !self.pushes.push.is_on() {
            return Ok(Some("pushes are off"));
        }
        if !devices.iter().any(|device| device.token.is_some()) {
            return Ok(Some("no device is registered"));
        }
        let mentions_me = message.mentions.contains(&member.user);
        let answered = match message.reply_to {
            Some((_, seq)) => self.store.messages(&[(message.chat, seq)]).await?.pop(),
            None => None,
        };
        let answers_me = answered.and_then(|of| of.sender).as_ref() == Some(&member.user);
        let facts = Facts { mentions_me, answers_me, ..Facts::default() };
        let preferences = self.store.preferences(std::slice::from_ref(&member.user)).await?;
        let preferences = preferences.into_iter().next().map(|(_, of)| of).unwrap_or_default();
        Ok(match decide(&preferences, facts.in_chat(&member.settings, now), now) {
            Verdict::Ring { .. } => None,
            Verdict::Hold { rule, .. } | Verdict::Never { rule } => Some(Rule::name(rule)),
        })
    }
}

fn of_device(
    device: &Device,
    standings: &[Standing],
    message: &Message,
    told: bool,
) -> Option<proto::DeliveryStep> {
    let standing = standings.iter().find(|of| of.spot.device.as_ref() == Some(&device.id))?;
    let id = Some(&device.id);
    if standing.acked_to >= message.seq {
        Some(step(DeliveryStepKind::Acknowledged, None, id, ""))
    } else if standing.pushed_to >= message.seq && !told {
        Some(step(DeliveryStepKind::Pushed, None, id, "with a later message of the chat"))
    } else {
        None
    }
}

fn of_user(member: &Member, message: &Message, hidden: bool) -> Option<proto::DeliveryStep> {
    if member.read.contains(message.seq) && !hidden {
        Some(step(DeliveryStepKind::Read, None, None, ""))
    } else if member.delivered.contains(message.seq) {
        Some(step(DeliveryStepKind::Acknowledged, None, None, ""))
    } else {
        None
    }
}

fn step(
    kind: DeliveryStepKind,
    at: Option<Timestamp>,
    device: Option<&DeviceId>,
    detail: &str,
) -> proto::DeliveryStep {
    proto::DeliveryStep {
        kind: kind.into(),
        at: at.map(wire::timestamp),
        device_id: device.map(ToString::to_string).unwrap_or_default(),
        detail: detail.to_owned(),
    }
}
