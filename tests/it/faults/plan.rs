//! What is done to a deployment, and when: all of it by a seed.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::record::Way;
use crate::infra::proxy::Mode;

/// One thing that is done. What lasts is undone at the end of its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9`, and started again.
    KillNode(usize),
    /// SIGTERM, and started again.
    EndNode(usize),
    /// SIGSTOP, SIGCONT.
    HangNode(usize),
    /// `kill -9` of the primary mongod, and started again.
    KillPrimary,
    /// The primary hangs, and goes on.
    HangPrimary,
    /// The primary steps down.
    StepDown,
    /// The link of the primary mongod.
    StoreLink(Mode),
    /// `kill -9`, and started again, empty.
    KillRedis,
    /// FLUSHALL.
    FlushRedis,
    /// The link of a node to Redis.
    BusLink(usize, Mode),
    /// The link of some clients to a node.
    Door(Way, Mode),
    /// A client does not read what comes.
    NotRead(usize),
    /// A client sends again what it sent long ago.
    Replay(usize),
    /// A client leaves as it should.
    Leave(usize),
    /// A client dies.
    Crash(usize),
}

/// Faults that are done together, how long they last, and how long nothing is done after all is
/// well again.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) faults: Vec<Fault>,
    pub(crate) hold: Duration,
    pub(crate) rest: Duration,
}

/// What there is to be harmed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) nodes: usize,
    pub(crate) nets: usize,
    pub(crate) phones: usize,
    /// A replica set and Redis, not files.
    pub(crate) servers: bool,
    /// How long the first step lasts: until a dead node's users must be offline, and those behind
    /// a silent link. `None`: there is no such step.
    pub(crate) long: Option<Duration>,
    /// The longest of the others.
    pub(crate) short: Duration,
    /// Only faults of these names; none: all.
    pub(crate) only: &'static [&'static str],
}

impl Fault {
    /// What it is called in counts.
    pub(crate) fn name(self) -> &'static str {
        let of = |mode, names: [&'static str; 4]| match mode {
            Mode::Pass | Mode::Delay(_) => names[0],
            Mode::Slow(_) => names[1],
            Mode::HalfOpen => names[2],
            Mode::Cut => names[3],
        };
        match self {
            Self::KillNode(_) => "node killed",
            Self::EndNode(_) => "node ended",
            Self::HangNode(_) => "node hung",
            Self::KillPrimary => "primary killed",
            Self::HangPrimary => "primary hung",
            Self::StepDown => "primary stepped down",
            Self::StoreLink(mode) => {
                of(mode, ["store late", "store slow", "store half open", "store cut"])
            }
            Self::KillRedis => "redis killed",
            Self::FlushRedis => "redis flushed",
            Self::BusLink(_, mode) => {
                of(mode, ["bus late", "bus slow", "bus half open", "bus cut"])
            }
            Self::Door(_, mode) => {
                of(mode, ["link late", "link slow", "link half open", "link cut"])
            }
            Self::NotRead(_) => "reader stopped",
            Self::Replay(_) => "sends replayed",
            Self::Leave(_) => "client left",
            Self::Crash(_) => "client died",
        }
    }

    /// Two of one sort are not done together.
    fn sort(self) -> u8 {
        match self {
            Self::KillNode(_) | Self::EndNode(_) | Self::HangNode(_) => 0,
            Self::KillPrimary | Self::HangPrimary | Self::StepDown | Self::StoreLink(_) => 1,
            Self::KillRedis | Self::FlushRedis | Self::BusLink(..) => 2,
            Self::Door(..) => 3,
            Self::NotRead(_) | Self::Replay(_) | Self::Leave(_) | Self::Crash(_) => 4,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} for {:.1?}, then {:.1?} of rest", self.faults, self.hold, self.rest)
    }
}

/// The steps of a seed, without end.
pub(crate) struct Plan {
    random: StdRng,
    shape: Shape,
    /// What is still to come of a round in which everything comes.
    bag: Vec<Fault>,
    first: bool,
}

impl Plan {
    pub(crate) fn new(seed: u64, shape: Shape) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { random, shape, bag: Vec::new(), first: true }
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }

    fn way(&mut self) -> Way {
        Way { net: self.below(self.shape.nets), node: self.below(self.shape.nodes) }
    }

    /// Each fault once, in some order.
    fn fill(&mut self) {
        let late = Mode::Delay(Duration::from_millis(self.random.random_range(30..400)));
        let slow = Mode::Slow(self.random.random_range(2_000..40_000));
        let (one, other) = (self.below(self.shape.nodes), self.below(self.shape.nodes));
        let mut bag = vec![
            Fault::KillNode(one),
            Fault::EndNode(other),
            Fault::HangNode(self.below(self.shape.nodes)),
            Fault::KillNode(other),
        ];
        bag.extend(
            [late, slow, Mode::HalfOpen, Mode::Cut].map(|mode| Fault::Door(self.way(), mode)),
        );
        let phone = |plan: &mut Self| plan.below(plan.shape.phones);
        bag.extend([Fault::NotRead(phone(self)), Fault::Replay(phone(self))]);
        bag.extend([Fault::Leave(phone(self)), Fault::Crash(phone(self))]);
        if self.shape.servers {
            bag.extend([Fault::KillPrimary, Fault::HangPrimary, Fault::StepDown]);
            bag.extend([Fault::KillRedis, Fault::FlushRedis]);
            bag.extend([late, Mode::HalfOpen, Mode::Cut].map(|m| Fault::BusLink(one, m)));
            bag.extend([late, Mode::HalfOpen, Mode::Cut].map(Fault::StoreLink));
        }
        let only = self.shape.only;
        bag.retain(|fault| only.is_empty() || only.contains(&fault.name()));
        assert!(!bag.is_empty(), "there is no such fault: {:?}", self.shape.only);
        bag.shuffle(&mut self.random);
        self.bag = bag;
    }

    fn draw(&mut self) -> Fault {
        loop {
            match self.bag.pop() {
                Some(fault) => return fault,
                None => self.fill(),
            }
        }
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let rest = Duration::from_millis(self.random.random_range(200..1500));
        if std::mem::take(&mut self.first)
            && let Some(hold) = self.shape.long
        {
            let last = self.shape.nodes - 1;
            let silent = Way { net: 0, node: 0 };
            let mut faults = vec![Fault::Door(silent, Mode::HalfOpen)];
            if last > 0 {
                faults.push(Fault::KillNode(last));
            }
            return Some(Step { faults, hold, rest });
        }
        let mut faults = vec![self.draw()];
        // Now and then two at once.
        if self.random.random_bool(0.3) {
            let more = self.draw();
            if more.sort() == faults[0].sort() {
                self.bag.push(more);
            } else {
                faults.push(more);
            }
        }
        let longest = u64::try_from(self.shape.short.as_millis()).unwrap_or(u64::MAX);
        let hold = Duration::from_millis(self.random.random_range(200..longest));
        Some(Step { faults, hold, rest })
    }
}

#[test]
fn a_seed_is_a_plan_and_each_fault_comes() {
    let shape = Shape {
        nodes: 3,
        nets: 2,
        phones: 9,
        servers: true,
        long: Some(Duration::from_secs(18)),
        short: Duration::from_secs(4),
        only: &[],
    };
    let say = |seed| Plan::new(seed, shape).take(60).map(|step| step.to_string());
    assert!(say(7).eq(say(7)) && !say(7).eq(say(8)));
    let steps: Vec<Step> = Plan::new(7, shape).take(60).collect();
    let mut names: Vec<_> = steps.iter().flat_map(|s| &s.faults).map(|f| f.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 22, "{names:?}");
    let mut cuts = Plan::new(7, Shape { only: &["bus cut"], long: None, ..shape });
    assert!(cuts.next().is_some_and(|step| step.faults[0].name() == "bus cut"));
}
