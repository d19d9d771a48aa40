//! Sets of sequence numbers, as `.newsrc` kept them: a prefix and the few runs above it.

use super::Seq;

/// An inclusive run `first..=last`, with `1 <= first <= last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// First of the run.
    pub first: Seq,
    /// Last of the run.
    pub last: Seq,
}

impl Run {
    /// A run; `None` unless `1 <= first <= last`.
    pub fn new(first: Seq, last: Seq) -> Option<Self> {
        (first >= 1 && first <= last).then_some(Self { first, last })
    }

    /// How many numbers are in it.
    pub fn len(self) -> u64 {
        u64::from(self.last) - u64::from(self.first) + 1
    }

    /// Never: a run has at least one number.
    pub fn is_empty(self) -> bool {
        false
    }
}

/// A set may have at most this many runs: what a line in the store and in an answer costs.
pub const MAX_RUNS: usize = 256;

/// A set that only grows: `1..=to` and the runs of `more`.
///
/// Normal form, kept by every method: runs ascend, do not touch each other, and the first lies
/// beyond `to + 1`. Joining is idempotent and free of order, so repeats and late ones do no harm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeqSet {
    to: Seq,
    more: Vec<Run>,
}

impl SeqSet {
    /// `1..=to`; empty for 0.
    pub fn up_to(to: Seq) -> Self {
        Self { to, more: Vec::new() }
    }

    /// From a prefix and runs in any order and shape.
    pub fn from_parts(to: Seq, runs: impl IntoIterator<Item = Run>) -> Self {
        let mut set = Self::up_to(to);
        set.extend(runs);
        set
    }

    /// End of the prefix.
    pub fn to(&self) -> Seq {
        self.to
    }

    /// The runs above the prefix.
    pub fn more(&self) -> &[Run] {
        &self.more
    }

    /// All runs, the prefix among them, ascending.
    pub fn runs(&self) -> Vec<Run> {
        Run::new(1, self.to).into_iter().chain(self.more.iter().copied()).collect()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.to == 0 && self.more.is_empty()
    }

    /// Whether `seq` is in it.
    pub fn contains(&self, seq: Seq) -> bool {
        (seq >= 1 && seq <= self.to) || self.run_of(seq).is_some()
    }

    /// Whether the whole run is in it.
    pub fn covers(&self, run: Run) -> bool {
        run.last <= self.to || self.run_of(run.first).is_some_and(|own| own.last >= run.last)
    }

    /// The highest number in it; 0 if empty.
    pub fn max(&self) -> Seq {
        self.more.last().map_or(self.to, |run| run.last)
    }

    /// Takes one more run in.
    pub fn insert(&mut self, run: Run) {
        self.extend([run]);
    }

    /// Takes all of `other` in.
    pub fn union(&mut self, other: &Self) {
        self.extend(other.runs());
    }

    /// Takes runs in.
    pub fn extend(&mut self, runs: impl IntoIterator<Item = Run>) {
        self.more.extend(runs);
        self.more.sort_unstable();
        let mut kept: Vec<Run> = Vec::with_capacity(self.more.len());
        for run in self.more.drain(..) {
            if run.first <= self.to.saturating_add(1) {
                self.to = self.to.max(run.last);
            } else if let Some(top) = kept.last_mut()
                && run.first <= top.last.saturating_add(1)
            {
                top.last = top.last.max(run.last);
            } else {
                kept.push(run);
            }
        }
        self.more = kept;
    }

    /// The runs of `from..=upto` that are not in the set, ascending.
    pub fn missing(&self, from: Seq, upto: Seq) -> Vec<Run> {
        let mut next = from.max(self.to.saturating_add(1)).max(1);
        let mut out = Vec::new();
        for own in &self.more {
            if own.first > upto {
                break;
            }
            if own.first > next {
                out.extend(Run::new(next, own.first - 1));
            }
            next = next.max(own.last.saturating_add(1));
        }
        out.extend(Run::new(next, upto));
        out
    }

    /// Those of `self` that are not in `other`, ascending.
    pub fn minus(&self, other: &Self) -> Vec<Run> {
        self.runs().into_iter().flat_map(|run| other.missing(run.first, run.last)).collect()
    }

    fn run_of(&self, seq: Seq) -> Option<Run> {
        let at = self.more.partition_point(|run| run.last < seq);
        self.more.get(at).copied().filter(|run| run.first <= seq)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn runs() -> impl Strategy<Value = Vec<Run>> {
        prop::collection::vec((1u32..60, 0u32..8), 0..12).prop_map(|pairs| {
            pairs.into_iter().map(|(first, more)| Run { first, last: first + more }).collect()
        })
    }

    fn plain(runs: &[Run]) -> BTreeSet<Seq> {
        runs.iter().flat_map(|run| run.first..=run.last).collect()
    }

    proptest! {
        #[test]
        fn a_set_is_the_set_of_its_numbers(a in runs(), b in runs(), to in 0u32..20) {
            let mut set = SeqSet::from_parts(to, a.clone());
            set.extend(b.clone());
            let mut model: BTreeSet<Seq> = (1..=to).collect();
            model.extend(plain(&a));
            model.extend(plain(&b));
            prop_assert_eq!(plain(&set.runs()), model.clone());
            for seq in 0..80 {
                prop_assert_eq!(set.contains(seq), model.contains(&seq));
            }
            prop_assert_eq!(set.max(), model.last().copied().unwrap_or(0));
            let absent: BTreeSet<Seq> = (5..=70).filter(|seq| !model.contains(seq)).collect();
            prop_assert_eq!(plain(&set.missing(5, 70)), absent);
            for run in &b {
                prop_assert!(set.covers(*run));
            }
            let shape = set.runs();
            prop_assert!(shape.windows(2).all(|pair| pair[0].last + 1 < pair[1].first));
        }

        #[test]
        fn covers_is_containing_every_number(a in runs(), first in 1u32..60, more in 0u32..8) {
            let set = SeqSet::from_parts(0, a);
            let run = Run { first, last: first + more };
            let each = (run.first..=run.last).all(|seq| set.contains(seq));
            prop_assert_eq!(set.covers(run), each);
        }

        #[test]
        fn joining_has_no_order(a in runs(), b in runs()) {
            let mut one = SeqSet::from_parts(0, a.clone());
            one.union(&SeqSet::from_parts(0, b.clone()));
            let mut two = SeqSet::from_parts(0, b);
            two.union(&SeqSet::from_parts(0, a.clone()));
            two.union(&SeqSet::from_parts(0, a));
            prop_assert_eq!(one, two);
        }

        #[test]
        fn minus_is_the_difference(a in runs(), b in runs()) {
            let (one, two) = (SeqSet::from_parts(0, a.clone()), SeqSet::from_parts(0, b.clone()));
            let model: BTreeSet<Seq> = plain(&a).difference(&plain(&b)).copied().collect();
            prop_assert_eq!(plain(&one.minus(&two)), model);
        }
    }
}
