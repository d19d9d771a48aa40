//! Who is to be pushed what.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Look, spot};
use crate::chat::Service;
use crate::chat::limits::{PRESENCE_WITHIN, PUSH_AGE, PUSH_USERS};
use crate::chat::roster::Roster;
use crate::clock::Timestamp;
use crate::metrics::{self, Kept};
use crate::model::{
    ChatId, ChatKind, DeviceId, Member, Message, Preferences, Preview, Seq, UserId,
};
use crate::push::rules::{Facts, Rule, Verdict, decide};
use crate::store::{self, Device, Spot, Standing, Trace};

/// A push that is due.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) device: Device,
    /// The newest message it tells of.
    pub(super) message: Arc<Message>,
    /// The group's title; `None`: a direct chat.
    pub(super) group: Option<String>,
    pub(super) sound: bool,
    pub(super) preview: Preview,
    pub(super) found_at: Timestamp,
    pub(super) look: Look,
}

impl Due {
    pub(super) fn spot(&self) -> Spot {
        spot(&self.device, &self.message)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) due: Vec<Due>,
    /// Not before then.
    pub(super) held: Vec<(Due, Timestamp)>,
    /// By which rules there was none, to be noted.
    pub(super) rules: Vec<Trace>,
}

/// Somebody who may have to be pushed messages of one chat.
pub(super) struct Candidate {
    pub(super) roster: Arc<Roster>,
    pub(super) user: UserId,
    /// Ascending.
    pub(super) messages: Vec<Arc<Message>>,
    /// This device alone.
    pub(super) device: Option<DeviceId>,
}

/// What the store knows of candidates.
#[derive(Default)]
struct Known {
    devices: HashMap<UserId, Vec<Device>>,
    members: HashMap<(ChatId, UserId), Member>,
    standings: HashMap<(ChatId, UserId), Vec<Standing>>,
    preferences: HashMap<UserId, Preferences>,
    /// Who sent what is answered.
    answered: HashMap<(ChatId, Seq), UserId>,
}

impl Service {
    /// Whom these messages are to be pushed. What was sent by their users, what they may not see,
    /// what they have read, and what their devices have, is not.
    pub(super) async fn due(&self, look: Look, messages: &[Arc<Message>]) -> store::Result<Found> {
        let mut chats: HashMap<ChatId, Vec<Arc<Message>>> = HashMap::new();
        for message in self.worth_it(messages).await? {
            chats.entry(message.chat).or_default().push(message);
        }
        let mut found = Found::default();
        let mut some = Vec::new();
        for (chat, mut messages) in chats {
            messages.sort_by_key(|message| message.seq);
            let Some(roster) = self.rosters.get(chat).await? else { continue };
            for seat in roster.seats() {
                let for_user = |message: &&Arc<Message>| {
                    message.sender.as_ref() != Some(&seat.user) && message.seq >= seat.visible_from
                };
                let messages: Vec<_> = messages.iter().filter(for_user).cloned().collect();
                if messages.is_empty() {
                    continue;
                }
                let (roster, user) = (Arc::clone(&roster), seat.user.clone());
                some.push(Candidate { roster, user, messages, device: None });
                if some.len() >= PUSH_USERS {
                    self.judge_all(look, std::mem::take(&mut some), &mut found).await?;
                }
            }
        }
        self.judge_all(look, some, &mut found).await?;
        Ok(found)
    }

    /// Whether this message is still to be pushed to this device.
    pub(super) async fn due_again(
        &self,
        message: &Arc<Message>,
        user: &UserId,
        device: &DeviceId,
    ) -> store::Result<Found> {
        let mut found = Found::default();
        if let Some(message) = self.worth_it(std::slice::from_ref(message)).await?.pop()
            && let Some(roster) = self.rosters.get(message.chat).await?
        {
            let (user, device) = (user.clone(), Some(device.clone()));
            let candidate = Candidate { roster, user, messages: vec![message], device };
            self.judge_all(Look::Again, vec![candidate], &mut found).await?;
        }
        Ok(found)
    }

    /// Those that ring at all: what is older than an hour does only as the newest of its chat.
    pub(super) async fn worth_it(
        &self,
        messages: &[Arc<Message>],
    ) -> store::Result<Vec<Arc<Message>>> {
        let since = self.clock.now().minus(PUSH_AGE);
        let ring = messages.iter().filter(|message| message.counts());
        let (mut good, old): (Vec<_>, Vec<_>) =
            ring.cloned().partition(|message| message.created_at() >= since);
        if !old.is_empty() {
            let chats: Vec<ChatId> = old.iter().map(|message| message.chat).collect();
            let heads = self.store.heads(&chats).await?;
            let heads: HashMap<ChatId, Seq> =
                heads.into_iter().map(|head| (head.chat, head.seq)).collect();
            for message in old {
                if heads.get(&message.chat).is_some_and(|head| *head <= message.seq) {
                    good.push(message);
                } else {
                    metrics::pushes_kept().of(Kept::Old).inc();
                }
            }
        }
        Ok(good)
    }

    /// What is due of these, and what is held back.
    pub(super) async fn judge_all(
        &self,
        look: Look,
        mut candidates: Vec<Candidate>,
        found: &mut Found,
    ) -> store::Result<()> {
        if candidates.is_empty() {
            return Ok(());
        }
        let known = self.know(look, &mut candidates).await?;
        let now = self.clock.now();
        for candidate in &candidates {
            self.judge(look, candidate, &known, now, found).await?;
        }
        Ok(())
    }

    /// Reads what must be known of candidates; those without a device to push go.
    async fn know(&self, look: Look, candidates: &mut Vec<Candidate>) -> store::Result<Known> {
        let users: HashSet<UserId> = candidates.iter().map(|of| of.user.clone()).collect();
        let users: Vec<UserId> = users.into_iter().collect();
        let mut devices: HashMap<UserId, Vec<Device>> = HashMap::new();
        for device in self.store.devices_of(&users).await? {
            if device.token.is_some() {
                devices.entry(device.user.clone()).or_default().push(device);
            }
        }
        candidates.retain(|of| devices.contains_key(&of.user));
        let streams = match look {
            Look::AtOnce => self.with_streams(devices.keys().cloned().collect()).await,
            Look::First | Look::Second | Look::Again => HashSet::new(),
        };
        candidates.retain(|of| !streams.contains(&of.user));
        let places: Vec<(ChatId, UserId)> =
            candidates.iter().map(|of| (of.roster.chat.id, of.user.clone())).collect();
        if places.is_empty() {
            return Ok(Known::default());
        }
        let users: Vec<UserId> = devices.keys().cloned().collect();
        let answers: HashSet<(ChatId, Seq)> =
            candidates.iter().flat_map(|of| &of.messages).filter_map(|of| answers(of)).collect();
        let answers: Vec<(ChatId, Seq)> = answers.into_iter().collect();
        let (members, found, preferences, answered) = tokio::try_join!(
            self.store.places(&places),
            self.store.standings(&places),
            self.store.preferences(&users),
            self.store.messages(&answers)
        )?;
        let mut standings: HashMap<_, Vec<Standing>> = HashMap::new();
        for standing in found {
            let place = (standing.spot.chat, standing.spot.user.clone());
            standings.entry(place).or_default().push(standing);
        }
        let members = members.into_iter().map(|of| ((of.chat, of.user.clone()), of)).collect();
        let preferences = preferences.into_iter().collect();
        let senders = answered.into_iter().filter_map(|of| Some(((of.chat, of.seq), of.sender?)));
        Ok(Known { devices, members, standings, preferences, answered: senders.collect() })
    }

    /// Those who have a stream somewhere. Where that cannot be known all may have: a later look is
    /// of all.
    async fn with_streams(&self, users: Vec<UserId>) -> HashSet<UserId> {
        let found = tokio::time::timeout(PRESENCE_WITHIN, self.bus.find(&users)).await;
        let Ok(Ok(found)) = found else { return users.into_iter().collect() };
        let there = users.into_iter().zip(found);
        there
            .filter(|(user, places)| {
                self.hub.has_any([user]) || places.iter().any(|of| of.live && self.is_there(of))
            })
            .map(|(user, _)| user)
            .collect()
    }

    async fn judge(
        &self,
        look: Look,
        candidate: &Candidate,
        known: &Known,
        now: Timestamp,
        found: &mut Found,
    ) -> store::Result<()> {
        let place = (candidate.roster.chat.id, candidate.user.clone());
        let Some(member) = known.members.get(&place) else { return Ok(()) };
        let unread = |message: &&Arc<Message>| {
            message.seq >= member.visible_from && !member.read.contains(message.seq)
        };
        let unread: Vec<_> = candidate.messages.iter().filter(unread).cloned().collect();
        let standings = known.standings.get(&place).map_or(&[][..], Vec::as_slice);
        let in_front = standing_of(standings, None).map_or(0, |of| of.acked_to);
        let active_to = if look == Look::First { in_front } else { 0 };
        for device in known.devices.get(&candidate.user).into_iter().flatten() {
            if candidate.device.as_ref().is_some_and(|only| *only != device.id) {
                continue;
            }
            let has = standing_of(standings, Some(&device.id));
            let has = has.map_or(0, |of| of.acked_to.max(of.pushed_to)).max(active_to);
            let mut due = None;
            for message in unread.iter().filter(|message| message.seq > has) {
                let facts = self.facts(candidate, known, message, member, now).await?;
                let preferences = known.preferences.get(&candidate.user);
                let verdict = decide(preferences.unwrap_or(&Preferences::default()), facts, now);
                let of = (&**message, in_front);
                found.rules.extend(self.step_of_rule((look, now), device, of, verdict));
                join(&mut due, verdict, message);
            }
            let Some((message, verdict)) = due else { continue };
            let group = (candidate.roster.chat.kind == ChatKind::Group)
                .then(|| candidate.roster.chat.title.clone());
            let device = device.clone();
            let due = |sound, preview| Due {
                device,
                message,
                group,
                sound,
                preview,
                found_at: now,
                look,
            };
            match verdict {
                Verdict::Ring { sound, preview } => {
                    metrics::pushes_due().of(look.label()).inc();
                    found.due.push(due(sound, preview));
                }
                Verdict::Hold { until, .. } => {
                    found.held.push((due(false, Preview::None), until));
                }
                Verdict::Never { rule } => metrics::pushes_kept().of(kept(rule)).inc(),
            }
        }
        Ok(())
    }

    async fn facts(
        &self,
        candidate: &Candidate,
        known: &Known,
        message: &Message,
        member: &Member,
        now: Timestamp,
    ) -> store::Result<Facts> {
        let direct = candidate.roster.chat.kind == ChatKind::Direct;
        let blocked = match &message.sender {
            Some(sender) if direct => self.between_two(&candidate.user, sender).await?.blocked,
            _ => false,
        };
        let mentions_me = message.mentions.contains(&candidate.user);
        let answered = answers(message).and_then(|place| known.answered.get(&place));
        let answers_me = answered == Some(&candidate.user);
        let facts = Facts { mentions_me, answers_me, blocked, ..Facts::default() };
        Ok(facts.in_chat(&member.settings, now))
    }
}

/// The place of what a message answers.
fn answers(message: &Message) -> Option<(ChatId, Seq)> {
    message.reply_to.map(|(_, seq)| (message.chat, seq))
}

/// The newest that rings; else the newest that is held back; else the newest of all.
fn join(due: &mut Option<(Arc<Message>, Verdict)>, verdict: Verdict, message: &Arc<Message>) {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Ring { .. } => 2,
        Verdict::Hold { .. } => 1,
        Verdict::Never { .. } => 0,
    };
    if due.as_ref().is_none_or(|(_, known)| rank(&verdict) >= rank(known)) {
        *due = Some((Arc::clone(message), verdict));
    }
}

fn standing_of<'s>(standings: &'s [Standing], device: Option<&DeviceId>) -> Option<&'s Standing> {
    standings.iter().find(|of| of.spot.device.as_ref() == device)
}

fn kept(rule: Rule) -> Kept {
    match rule {
        Rule::Blocked => Kept::Blocked,
        Rule::Off => Kept::Off,
        Rule::Muted => Kept::Muted,
        Rule::Level => Kept::Level,
        Rule::QuietHours => Kept::QuietHours,
    }
}

/// How old what was found is.
pub(super) fn age(message: &Message, now: Timestamp) -> Duration {
    now.since(message.created_at())
}
