//! Why it rang, or did not: the way of one message to one recipient.
//!
//! Much of it follows from what the store holds anyway; the rest was noted on the way and is kept
//! for a few days (see `trail`). What a recipient has set, and on which nodes their streams are, is
//! for services alone: a sender is told that it did not ring.

use std::collections::HashSet;

use crate::chat::Service;
use crate::chat::access::{chat_id, message_id};
use crate::chat::limits::PUSH_AGE;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::metrics;
use crate::model::{ChatId, ChatKind, DeviceId, Member, Message, UserId};
use crate::proto::{self, DeliveryStepKind as Kind};
use crate::push::rules::{Facts, Rule, Verdict, decide};
use crate::store::{Device, Standing, Trace};
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

/// What of it the asker may see.
#[derive(Clone, Copy)]
struct Sight {
    /// Rules and nodes.
    all: bool,
    /// That it was read.
    reads: bool,
    /// That the user had a stream.
    streams: bool,
}

/// What is known of it.
struct Known {
    message: Message,
    member: Member,
    devices: Vec<Device>,
    standings: Vec<Standing>,
    trail: Vec<Trace>,
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
        let sight = if is_service {
            Sight { all: true, reads: true, streams: true }
        } else {
            self.sight(caller, &member).await?
        };
        let users = std::slice::from_ref(&way.user);
        let place = [(chat, way.user.clone())];
        let (devices, standings, trail) = tokio::try_join!(
            self.store.devices_of(users),
            self.store.standings(&place),
            self.store.trail(message.id, &way.user)
        )?;
        let known = Known { message, member, devices, standings, trail };
        self.steps(&known, sight).await
    }

    async fn steps(&self, known: &Known, sight: Sight) -> Result<Vec<proto::DeliveryStep>> {
        let Known { message, member, devices, .. } = known;
        let mut steps = known.noted(sight);
        let waits = self.clock.now().since(message.created_at()) < self.pushes.push.hold();
        steps.extend(devices.iter().filter_map(|device| known.of_device(device, sight, waits)));
        steps.extend(of_user(member, message, sight));
        let on_the_way =
            |of: &proto::DeliveryStep| matches!(of.kind(), Kind::Stored | Kind::Written);
        if steps.iter().all(on_the_way) {
            let rule = self.why_not(message, member, devices).await?;
            let kind = if rule.is_some() { Kind::Suppressed } else { Kind::PushDue };
            steps.push(step(kind, None, None, rule.filter(|_| sight.all).unwrap_or_default()));
        }
        Ok(steps)
    }

    /// What a sender may see of the way to a recipient.
    async fn sight(&self, sender: &UserId, member: &Member) -> Result<Sight> {
        let between = self.between_two(sender, &member.user).await?;
        let direct = self.is_direct(member.chat).await?;
        Ok(Sight {
            all: false,
            reads: !direct || !(between.blocked || between.hides_reads),
            streams: !(between.blocked || between.hides_last_active),
        })
    }

    async fn is_direct(&self, chat: ChatId) -> Result<bool> {
        let chat = self.store.chats(&[chat]).await?.pop();
        Ok(chat.is_some_and(|chat| chat.kind == ChatKind::Direct))
    }

    /// By which rule it does not ring, as things are now.
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
        let good = |device: &Device| device.token.as_ref().map(|_| device.registered_at);
        let Some(first) = devices.iter().filter_map(good).min() else {
            return Ok(Some("no device is registered"));
        };
        // What came later than the last look was not there to be pushed.
        if first > message.created_at().plus(self.pushes.push.hold()) {
            return Ok(Some("no device was registered"));
        }
        if now.since(message.created_at()) >= PUSH_AGE
            && self.newest(message.chat).await? > message.seq
        {
            return Ok(Some(metrics::Kept::Old.name()));
        }
        self.rule_now(message, member, now).await
    }

    async fn rule_now(
        &self,
        message: &Message,
        member: &Member,
        now: Timestamp,
    ) -> Result<Option<&'static str>> {
        let mentions_me = message.mentions.contains(&member.user);
        let answered = match message.reply_to {
            Some((_, seq)) => self.store.messages(&[(message.chat, seq)]).await?.pop(),
            None => None,
        };
        let answers_me = answered.and_then(|of| of.sender).as_ref() == Some(&member.user);
        let blocked = match &message.sender {
            Some(sender) if self.is_direct(message.chat).await? => {
                self.between_two(&member.user, sender).await?.blocked
            }
            _ => false,
        };
        let facts = Facts { mentions_me, answers_me, blocked, ..Facts::default() };
        let preferences = self.store.preferences(std::slice::from_ref(&member.user)).await?;
        let preferences = preferences.into_iter().next().map(|(_, of)| of).unwrap_or_default();
        Ok(match decide(&preferences, facts.in_chat(&member.settings, now), now) {
            Verdict::Ring { .. } => None,
            Verdict::Hold { rule, .. } | Verdict::Never { rule } => Some(Rule::name(rule)),
        })
    }
}

impl Known {
    /// What was noted on the way, in the order of time. A look that is repeated, as its node died,
    /// notes some of it twice.
    fn noted(&self, sight: Sight) -> Vec<proto::DeliveryStep> {
        let mut timed = Vec::new();
        let (mut once, mut due) = (HashSet::new(), HashSet::new());
        for trace in &self.trail {
            let kind = Kind::try_from(trace.step).unwrap_or_default();
            let device = trace.device.as_ref();
            let shown = |kind, at, detail| proto::DeliveryStep {
                detail,
                node_id: sight.of(trace.node.as_str()),
                ..step(kind, at, device, "")
            };
            if let Some((at, look)) = &trace.found
                && due.insert(device)
            {
                timed.push((Some(*at), shown(Kind::PushDue, Some(*at), sight.of(look))));
            }
            let is_seen = kind != Kind::Written || sight.streams;
            let repeats = matches!(kind, Kind::Written | Kind::Suppressed);
            if !is_seen || (repeats && !once.insert((trace.step, device, &trace.detail))) {
                continue;
            }
            let detail = match kind {
                Kind::Suppressed => sight.of(&trace.detail),
                _ => trace.detail.clone(),
            };
            timed.push((trace.at, shown(kind, trace.at, detail)));
        }
        timed.sort_by_key(|(at, _)| *at);
        let stored = step(Kind::Stored, Some(self.message.created_at()), None, "");
        let stored = proto::DeliveryStep { node_id: sight.of(self.stored_by()), ..stored };
        std::iter::once(stored).chain(timed.into_iter().map(|(_, step)| step)).collect()
    }

    /// The node that looked at once is the one that stored it.
    fn stored_by(&self) -> &str {
        let at_once = metrics::Look::AtOnce.name();
        let mut found = self.trail.iter();
        let found = found.find(|of| of.found.as_ref().is_some_and(|(_, look)| look == at_once));
        found.map_or("", |of| of.node.as_str())
    }

    /// What follows from how far a device has come. `waits`: another one may hold it back.
    fn of_device(&self, device: &Device, sight: Sight, waits: bool) -> Option<proto::DeliveryStep> {
        let seq = self.message.seq;
        let id = Some(&device.id);
        let of =
            |id: Option<&DeviceId>| self.standings.iter().find(|of| of.spot.device.as_ref() == id);
        let (acked, pushed) = of(id).map_or((0, 0), |of| (of.acked_to, of.pushed_to));
        let in_front = of(None).map_or(0, |of| of.acked_to);
        let because = |rule| Some(step(Kind::Suppressed, None, id, &sight.of(rule)));
        if acked >= seq {
            Some(step(Kind::Acknowledged, None, id, ""))
        } else if self.is_settled(&device.id) {
            None
        } else if pushed >= seq {
            let later = if pushed > seq { "with a later message of the chat" } else { "" };
            Some(step(Kind::Pushed, None, id, later))
        } else if device.token.is_none() || self.is_noted(&device.id) {
            None
        } else if self.member.read.contains(seq) {
            because("read").filter(|_| sight.reads)
        } else if waits && in_front >= seq {
            because("foreground").filter(|_| sight.streams)
        } else {
            None
        }
    }

    /// Whether it was noted that this device was pushed, or will not be.
    fn is_settled(&self, device: &DeviceId) -> bool {
        let held = Rule::QuietHours.name();
        self.steps_of(device).any(|(kind, detail)| {
            kind == Kind::Pushed || (kind == Kind::Suppressed && detail != held)
        })
    }

    /// Whether it was noted what came of a look at this device.
    fn is_noted(&self, device: &DeviceId) -> bool {
        self.steps_of(device).any(|(kind, _)| kind != Kind::Written)
    }

    fn steps_of(&self, device: &DeviceId) -> impl Iterator<Item = (Kind, &str)> {
        let own = self.trail.iter().filter(move |of| of.device.as_ref() == Some(device));
        own.map(|of| (Kind::try_from(of.step).unwrap_or_default(), of.detail.as_str()))
    }
}

impl Sight {
    /// What is for services alone.
    fn of(self, text: &str) -> String {
        if self.all { text.to_owned() } else { String::new() }
    }
}

fn of_user(member: &Member, message: &Message, sight: Sight) -> Option<proto::DeliveryStep> {
    if member.read.contains(message.seq) && sight.reads {
        Some(step(Kind::Read, None, None, ""))
    } else if member.delivered.contains(message.seq) {
        Some(step(Kind::Acknowledged, None, None, ""))
    } else {
        None
    }
}

fn step(
    kind: Kind,
    at: Option<Timestamp>,
    device: Option<&DeviceId>,
    detail: &str,
) -> proto::DeliveryStep {
    proto::DeliveryStep {
        kind: kind.into(),
        at: at.map(wire::timestamp),
        device_id: device.map(ToString::to_string).unwrap_or_default(),
        detail: detail.to_owned(),
        node_id: String::new(),
    }
}
