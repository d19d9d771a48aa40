//! The checker, checked: each bug on purpose is found, under the name of what it breaks.

use super::check::{Kind, by_kind};
use super::{Flags, orders, seconds, within_its_time};

/// A bug, under which faults it shows, and what must be found.
struct Mutant {
    name: &'static str,
    faults: &'static [&'static str],
    breaks: Kind,
}

const MUTANTS: [Mutant; 6] = [
    Mutant { name: "ack-before-write", faults: &["node killed"], breaks: Kind::Lost },
    Mutant { name: "publish-dropped", faults: &["client died"], breaks: Kind::NotReached },
    Mutant {
        name: "ids-in-cache",
        faults: &["node killed", "sends replayed"],
        breaks: Kind::Duplicate,
    },
    Mutant { name: "seq-by-counter", faults: &["sends replayed"], breaks: Kind::Hole },
    Mutant { name: "unread-by-counter", faults: &["client died"], breaks: Kind::UnreadWrong },
    Mutant { name: "no-lease", faults: &["client left"], breaks: Kind::StillOnline },
];

/// What is found of a bug, or (`none`) of a sound program under the same faults.
async fn found(name: &str, mutant: &Mutant) -> Option<Vec<Kind>> {
    let mut orders = orders(2, true, Flags::Short, seconds(24));
    orders.ground.variables = vec![format!("ADDA_MUTANT={name}")];
    orders.limits.healed = seconds(8);
    orders.limits.half_open = seconds(14);
    orders.shape.only = mutant.faults;
    orders.shape.short = seconds(2);
    if mutant.breaks != Kind::StillOnline {
        orders.shape.long = None;
    }
    let report = within_its_time(orders).await?;
    eprintln!("{name}: {}", report.text);
    Some(by_kind(&report.violations).into_keys().collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mutant_is_caught() {
    let only = super::variable("ADDA_FAULTS_MUTANT");
    let mut missed = Vec::new();
    for mutant in &MUTANTS {
        if only.as_ref().is_some_and(|only| only != mutant.name) {
            continue;
        }
        let Some(kinds) = found(mutant.name, mutant).await else { return };
        eprintln!("{} is found as {kinds:?}, and must be as {:?}\n", mutant.name, mutant.breaks);
        if !kinds.contains(&mutant.breaks) {
            missed.push(format!("{} is found as {kinds:?}, not {:?}", mutant.name, mutant.breaks));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_mutant_nothing_is_found() {
    for mutant in [&MUTANTS[2], &MUTANTS[5]] {
        let Some(kinds) = found("none", mutant).await else { return };
        assert!(kinds.is_empty(), "{kinds:?}");
    }
}
