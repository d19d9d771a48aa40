use bytes::Bytes;

use super::*;

/// One node under test, and a clock that moves when told to.
struct Node {
    peers: Peers,
    start: Instant,
    millis: u64,
}

fn id(name: &str) -> NodeId {
    NodeId::new(name)
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be nothing")]
fn deaf(since: i64) -> Option<BusEvent> {
    Some(BusEvent::Deaf { since: Timestamp(since) })
}

const HEARING: Option<BusEvent> = Some(BusEvent::Hearing);

impl Node {
    /// Just started: nothing heard yet.
    fn new() -> Self {
        let start = Instant::now();
        let peers = Peers::new(id("me"), Moment { at: start, wall: Timestamp(0) });
        Self { peers, start, millis: 0 }
    }

    /// Knows itself and these others, and all is well, at 100 ms.
    fn with(others: &[&str]) -> Self {
        let mut node = Self::new();
        node.after(100);
        node.registry(others);
        node.beats();
        for other in others {
            node.beat_of(other, 0);
        }
        assert!(!node.peers.is_deaf());
        assert_eq!(node.told(), None);
        node
    }

    fn now(&self) -> Moment {
        let at = self.start + Duration::from_millis(self.millis);
        Moment { at, wall: Timestamp(i64::try_from(self.millis).unwrap()) }
    }

    fn after(&mut self, millis: u64) {
        self.millis += millis;
        self.peers.tick(self.now());
    }

    fn hear(&mut self, kind: Kind, from: &str, number: u64) -> Verdict {
        let frame = Frame { kind, number, from: id(from), payload: Bytes::new() };
        self.peers.heard(&frame, self.now())
    }

    fn envelope(&mut self, from: &str, number: u64) -> bool {
        self.hear(Kind::Envelope, from, number).deliver
    }

    fn beat_of(&mut self, from: &str, number: u64) {
        self.hear(Kind::Heartbeat, from, number);
    }

    fn beats(&mut self) {
        let number = self.peers.beat();
        self.beat_of("me", number);
    }

    /// A second goes by, in which we and these others beat.
    fn second(&mut self, others: &[(&str, u64)]) {
        self.after(1_000);
        self.beats();
        for (other, number) in others {
            self.beat_of(other, *number);
        }
    }

    fn registry(&mut self, nodes: &[&str]) -> Vec<NodeId> {
        let nodes = nodes.iter().copied().chain(["me"]).map(id).collect();
        self.peers.registry(nodes, self.now())
    }

    fn told(&mut self) -> Option<BusEvent> {
        let event = self.peers.report(self.now());
        if let Some(event) = &event {
            self.peers.told(event, self.now());
        }
        event
    }
}

#[test]
fn a_start_that_goes_well_is_not_told() {
    let mut node = Node::new();
    assert!(node.peers.is_deaf());
    assert_eq!(node.told(), None);
    node.beats();
    assert!(node.peers.is_deaf(), "it does not know who is there");
    assert_eq!(node.registry(&["a"]), [id("a")]);
    assert!(node.peers.is_deaf(), "a may not know that we are there");
    node.beat_of("a", 0);
    assert!(!node.peers.is_deaf());
    assert_eq!(node.told(), None);
}

#[test]
fn a_start_that_lasts_is_told() {
    let mut node = Node::new();
    node.after(999);
    assert_eq!(node.told(), None);
    node.after(1);
    assert_eq!(node.told(), deaf(0));
    node.after(4_999);
    assert_eq!(node.told(), None);
    node.after(1);
    assert_eq!(node.told(), deaf(0));
    node.after(1_000);
    node.registry(&[]);
    node.beats();
    assert_eq!(node.told(), deaf(0), "once more, at the end");
    assert_eq!(node.told(), HEARING);
    assert_eq!(node.told(), None);
}

#[test]
fn what_is_in_sequence_is_no_loss() {
    let mut node = Node::with(&["a", "b"]);
    assert!(node.envelope("a", 1));
    assert!(node.envelope("b", 1));
    assert!(node.envelope("a", 2));
    node.second(&[("a", 2), ("b", 1)]);
    assert!(node.envelope("b", 2));
    assert!(!node.peers.is_deaf());
    assert_eq!(node.told(), None);
}

#[test]
fn a_gap_is_told_at_once_and_over_at_the_next_heartbeat() {
    let mut node = Node::with(&["a"]);
    node.second(&[("a", 0)]);
    node.after(500);
    assert!(node.envelope("a", 2), "what did come is handed on");
    assert_eq!(node.told(), deaf(1_100));
    assert!(node.envelope("a", 3));
    assert!(node.peers.is_deaf());
    node.after(500);
    node.beats();
    node.beat_of("a", 3);
    assert!(!node.peers.is_deaf());
    assert_eq!(node.told(), HEARING);
}

#[test]
fn a_lost_last_envelope_is_noticed_by_the_heartbeat() {
    let mut node = Node::with(&["a"]);
    node.envelope("a", 1);
    node.second(&[("a", 2)]);
    assert_eq!(node.told(), deaf(100));
    assert!(node.envelope("a", 3));
    node.second(&[("a", 3)]);
    assert_eq!(node.told(), HEARING);
}

#[test]
fn an_envelope_is_handed_on_at_most_once() {
    let mut node = Node::with(&["a"]);
    assert!(node.envelope("a", 1));
    assert!(!node.envelope("a", 1));
    assert!(node.envelope("a", 2));
    assert!(!node.envelope("a", 1));
    assert!(node.peers.is_deaf(), "somebody counts wrongly: better to look");
}

#[test]
fn a_peer_that_counts_from_the_start_again_is_a_loss_and_then_heard() {
    let mut node = Node::with(&["a"]);
    (1..=9).for_each(|number| assert!(node.envelope("a", number)));
    node.second(&[("a", 0)]);
    assert_eq!(node.told(), deaf(100));
    node.second(&[("a", 0)]);
    assert_eq!(node.told(), HEARING);
    assert!(node.envelope("a", 1));
    assert!(!node.peers.is_deaf());
}

#[test]
fn an_unknown_peer_that_begins_with_one_is_no_loss() {
    let mut node = Node::with(&[]);
    assert_eq!(
        node.hear(Kind::Envelope, "a", 1),
        Verdict { deliver: true, greet: true },
        "and it is greeted, once"
    );
    assert_eq!(node.hear(Kind::Envelope, "a", 2), Verdict { deliver: true, greet: false });
    node.beat_of("b", 0);
    assert!(!node.peers.is_deaf());
    let mut others = node.peers.others();
    others.sort();
    assert_eq!(others, [id("a"), id("b")]);
}

#[test]
fn an_unknown_peer_that_begins_later_is_a_loss_since_it_could_have_sent() {
    for heartbeat in [true, false] {
        let mut node = Node::with(&[]);
        (0..20).for_each(|_| node.second(&[]));
        if heartbeat {
            node.beat_of("a", 7);
        } else {
            assert!(node.envelope("a", 7));
        }
        assert_eq!(node.told(), deaf(20_100 - 5_000));
        node.second(&[("a", 7)]);
        assert_eq!(node.told(), HEARING);
    }
}

#[test]
fn silence_of_a_peer_is_deafness_to_it_until_it_is_heard() {
    let mut node = Node::with(&["a"]);
    for _ in 0..3 {
        node.second(&[]);
    }
    assert!(!node.peers.is_deaf());
    node.after(250);
    assert_eq!(node.told(), deaf(100));
    assert!(!node.peers.hears(&id("a"), node.now()));
    node.beat_of("a", 0);
    assert!(node.peers.hears(&id("a"), node.now()));
    assert_eq!(node.told(), HEARING, "it was slow, nothing is lost");
}

#[test]
fn a_peer_announced_and_never_heard_is_deafness() {
    let mut node = Node::with(&[]);
    node.registry(&["a"]);
    for _ in 0..4 {
        node.second(&[]);
    }
    assert_eq!(node.told(), deaf(0), "not before our own start");
}

#[test]
fn a_peer_that_is_neither_heard_nor_registered_is_forgotten() {
    let mut node = Node::with(&["a"]);
    for _ in 0..4 {
        node.second(&[]);
        node.registry(&["a"]);
    }
    assert_eq!(node.told(), deaf(100));
    for _ in 0..3 {
        node.second(&[]);
        node.registry(&[]);
        assert!(node.peers.is_deaf());
    }
    node.second(&[]);
    assert_eq!(node.told(), deaf(100), "its last words may have been lost since");
    assert_eq!(node.told(), HEARING);
    assert!(node.peers.others().is_empty());
}

#[test]
fn a_registry_that_was_wiped_forgets_nobody_who_is_heard() {
    let mut node = Node::with(&["a"]);
    for _ in 0..10 {
        node.second(&[("a", 0)]);
        node.registry(&[]);
    }
    assert_eq!(node.peers.others(), [id("a")]);
    assert!(!node.peers.is_deaf());
}

#[test]
fn goodbye_is_forgotten_at_once_and_is_no_silence() {
    let mut node = Node::with(&["a"]);
    node.envelope("a", 1);
    node.hear(Kind::Goodbye, "a", 1);
    assert!(node.peers.others().is_empty());
    assert!(node.registry(&["a"]).is_empty(), "a reading that crossed it changes nothing");
    for _ in 0..10 {
        node.second(&[]);
    }
    assert!(!node.peers.is_deaf());
    assert_eq!(node.told(), None);
}

#[test]
fn an_envelope_lost_before_goodbye_is_told() {
    let mut node = Node::with(&["a"]);
    node.hear(Kind::Goodbye, "a", 1);
    assert_eq!(node.told(), deaf(100));
    assert_eq!(node.told(), HEARING);
}

#[test]
fn own_silence_is_deafness_to_all() {
    let mut node = Node::with(&["a"]);
    for _ in 0..3 {
        node.after(1_000);
        node.peers.beat();
        node.beat_of("a", 0);
    }
    assert!(!node.peers.is_deaf());
    node.after(250);
    assert_eq!(node.told(), deaf(100));
    node.beat_of("a", 0);
    assert!(node.peers.is_deaf(), "others prove nothing");
    node.second(&[]);
    node.registry(&["a"]);
    assert!(node.peers.is_deaf(), "a is to be heard after our own beat");
    node.beat_of("a", 0);
    assert_eq!(node.told(), deaf(100), "a may have sent to all without us");
    assert_eq!(node.told(), HEARING);
}

#[test]
fn after_trouble_only_a_beat_sent_since_counts() {
    let mut node = Node::with(&["a"]);
    node.after(500);
    let before = node.peers.beat();
    node.peers.trouble();
    assert_eq!(node.told(), deaf(100));
    node.beat_of("me", before);
    node.registry(&["a"]);
    node.beat_of("a", 0);
    assert!(node.peers.is_deaf());
    node.second(&[("a", 0)]);
    assert!(!node.peers.is_deaf() || node.told() == deaf(100));
    assert_eq!(node.told(), HEARING);
}

#[test]
fn a_loss_that_could_not_be_told_is_not_forgotten() {
    let mut node = Node::with(&["a"]);
    node.second(&[("a", 0)]);
    node.envelope("a", 2);
    node.second(&[("a", 2)]);
    assert!(node.peers.is_deaf());
    assert_eq!(node.told(), deaf(1_100));
    assert_eq!(node.told(), HEARING);
    node.peers.overflow(node.now());
    assert!(node.peers.is_deaf());
    assert_eq!(node.told(), deaf(2_100));
    assert_eq!(node.told(), HEARING);
}

#[test]
fn many_losses_are_told_once_a_second() {
    let mut node = Node::with(&["a"]);
    let mut told = 0;
    for number in 1..=50 {
        node.after(100);
        node.beats();
        node.envelope("a", number * 2);
        told += i32::from(node.told().is_some());
    }
    assert!((5..=6).contains(&told), "{told}");
}

#[test]
fn a_node_hears_itself() {
    let node = Node::new();
    assert!(node.peers.hears(&id("me"), node.now()));
    assert!(!node.peers.hears(&id("other"), node.now()));
}
