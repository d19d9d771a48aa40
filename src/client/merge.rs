//! What is kept of two versions of one thing. Nothing here reads or writes: every rule is a
//! function of both, safe to apply twice, late, and in any order.

use crate::clock::Timestamp;
use crate::proto;

/// A time of the contract in milliseconds.
pub(super) fn millis(at: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    let at = at?;
    Some(Timestamp(at.seconds.saturating_mul(1000).saturating_add(i64::from(at.nanos / 1_000_000))))
}

/// A time as the contract has it.
pub(super) fn stamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.0.div_euclid(1000),
        nanos: i32::try_from(at.0.rem_euclid(1000)).unwrap_or(0) * 1_000_000,
    }
}

/// A count of unread messages, and up to which message it was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Unread up to `last_seq`.
    pub(super) unread: u32,
    /// The newest message when counting began.
    pub(super) last_seq: u32,
}

impl Count {
    /// Of two the one with the higher `last_seq`, of equals the lower count.
    #[must_use]
    pub(super) fn or(self, other: Self) -> Self {
        match self.last_seq.cmp(&other.last_seq) {
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Equal => {
                Self { unread: self.unread.min(other.unread), last_seq: self.last_seq }
            }
        }
    }
}

/// Whether someone can be reached, as last heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Now.
    pub online: bool,
    /// If online since when, else until when; `None`: never seen, or hidden.
    pub at: Option<Timestamp>,
}

impl Presence {
    /// Of two the later. `new` is what came later by the way: it wins where times are equal, and
    /// where it hides its own.
    #[must_use]
    pub fn then(self, new: Self) -> Self {
        if new.at.is_none() || new.at >= self.at { new } else { self }
    }

    /// As an answer tells it.
    pub(super) fn of(presence: &proto::Presence) -> Self {
        let at = if presence.is_online { &presence.since } else { &presence.last_active };
        Self { online: presence.is_online, at: millis(at.as_ref()) }
    }
}

/// Which of two contents of one message is kept: the new one?
///
/// `held` is `None` for a row that this device made of its own outbox: whatever the server says
/// is better.
pub(super) fn takes_content(held: Option<u32>, new: u32) -> bool {
    held.is_none_or(|held| new > held)
}

/// The shared fields of the higher revision, with what is the caller's own from whoever has it.
pub(super) fn chat(held: Option<proto::Chat>, new: proto::Chat) -> proto::Chat {
    let Some(held) = held else { return new };
    let newer = new.revision >= held.revision;
    let (mut kept, other) = if newer { (new, held) } else { (held, new) };
    // An inbox lists groups without their members.
    if kept.members.is_empty() {
        kept.members.clone_from(&other.members);
    }
    let own = |mine: &proto::Chat| mine.membership.is_some();
    if !own(&kept) || (own(&other) && !newer) {
        kept.membership = other.membership.or(kept.membership);
        kept.muted_until = other.muted_until;
    }
    let seq = |message: &Option<proto::Message>| message.as_ref().map_or(0, |m| m.seq);
    if seq(&other.last_message) > seq(&kept.last_message) {
        kept.last_message = other.last_message;
    }
    kept.updated_at = later(kept.updated_at, other.updated_at);
    kept
}

fn later(
    a: Option<prost_types::Timestamp>,
    b: Option<prost_types::Timestamp>,
) -> Option<prost_types::Timestamp> {
    if millis(a.as_ref()) >= millis(b.as_ref()) { a } else { b }
}

/// Whether a message of another user counts as unread.
pub(super) fn counts(message: &proto::Message) -> bool {
    let silent_note = message
        .system_note
        .as_ref()
        .is_some_and(|note| note.kind() != proto::SystemNoteKind::Announcement);
    message.deleted_at.is_none() && !silent_note
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn presence(online: bool, at: i64) -> Presence {
        Presence { online, at: Some(Timestamp(at)) }
    }

    proptest! {
        #[test]
        fn counts_have_no_order(a in (0u32..5, 0u32..5), b in (0u32..5, 0u32..5), c in (0u32..5, 0u32..5)) {
            let of = |(unread, last_seq)| Count { unread, last_seq };
            let (a, b, c) = (of(a), of(b), of(c));
            prop_assert_eq!(a.or(b), b.or(a));
            prop_assert_eq!(a.or(b).or(c), a.or(b.or(c)));
            prop_assert_eq!(a.or(a), a);
        }
    }

    #[test]
    fn of_two_counts_the_one_counted_later_stays_and_of_equals_the_lower() {
        let count = |unread, last_seq| Count { unread, last_seq };
        assert_eq!(count(3, 10).or(count(5, 12)), count(5, 12));
        assert_eq!(count(3, 10).or(count(0, 9)), count(3, 10));
        assert_eq!(count(3, 10).or(count(1, 10)), count(1, 10));
    }

    #[test]
    fn an_older_offline_does_not_undo_an_online() {
        let online = presence(true, 20);
        assert_eq!(online.then(presence(false, 10)), online);
        assert_eq!(online.then(presence(false, 30)), presence(false, 30));
        assert_eq!(presence(false, 30).then(online), presence(false, 30));
        let hidden = Presence { online: false, at: None };
        assert_eq!(online.then(hidden), hidden);
        assert_eq!(hidden.then(online), online);
    }

    #[test]
    fn content_goes_by_revision_and_the_servers_goes_before_ones_own() {
        assert!(takes_content(None, 0));
        assert!(takes_content(Some(0), 1));
        assert!(!takes_content(Some(1), 1));
        assert!(!takes_content(Some(2), 1));
    }

    #[test]
    fn an_older_copy_of_a_chat_takes_nothing_away() {
        let member = |id: &str| proto::Member { user_id: id.into(), ..Default::default() };
        let held = proto::Chat {
            title: "new".into(),
            revision: 3,
            members: vec![member("a"), member("b")],
            ..Default::default()
        };
        let listed = proto::Chat {
            title: "old".into(),
            revision: 2,
            membership: Some(member("a")),
            ..Default::default()
        };
        let kept = chat(Some(held.clone()), listed.clone());
        assert_eq!((kept.title.as_str(), kept.members.len()), ("new", 2));
        assert!(kept.membership.is_some());
        assert_eq!(chat(Some(listed), held), kept);
    }
}
