//! Nodes that are killed as `kill -9` does, at any moment of the way of a push or a notification.
//!
//! In each round users of every sort are sent a message ([`ways`]), and the node is killed at a
//! moment that a seed draws: of one half of the rounds while pushes go out at once, of the other
//! anywhere up to what a later look or another try takes. Ways are longer than rounds, so a kill
//! falls into looks, tries and ends of quiet hours of those before, too. At the end a node stays:
//! whoever is to be told must be told, and nobody may be pushed what they had read.
//!
//! `ADDA_PUSH_KILLS` says how often, `ADDA_PUSH_SEED` repeats a run's moments.

mod ways;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use self::ways::Ways;
use super::fake::Fcm;
use crate::infra::{self, adda::Adda};

/// How often a node is killed, where nothing else is asked for.
const KILLS: u64 = 50;
/// What a push at once takes, and a little more.
const AT_ONCE: u64 = 60;
/// What a later look takes, or another try.
const LATER: u64 = 1_500;
/// Looks that come within a round or two.
const FLAGS: [&str; 4] = ["--push-after", "400ms", "--push-hold", "1200ms"];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_with_a_node_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    killed(&store, "memory:").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_with_a_node_on_mongodb_and_redis() {
    let Some(store) = infra::mongo::fresh_uri().await else { return };
    let Some(bus) = infra::redis::fresh_url().await else { return };
    killed(&store, &bus).await;
}

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

async fn killed(store: &str, bus: &str) {
    let kills = number("ADDA_PUSH_KILLS").unwrap_or(KILLS);
    let seed = number("ADDA_PUSH_SEED").unwrap_or_else(|| rand::random_range(0..1_000_000));
    eprintln!("{kills} kills on {}; seed {seed}", store.split(':').next().unwrap());
    let mut random = StdRng::seed_from_u64(seed);
    let fcm = Fcm::open().await;
    let flags = fcm.flags(&FLAGS);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut node = Adda::start(store, bus, &flags).await;
    let mut rounds = Vec::new();
    for round in 0..kills {
        let mut ways = Ways::begin(node.addr(), &fcm, round).await;
        let most = if random.random() { AT_ONCE } else { LATER };
        tokio::time::sleep(Duration::from_millis(random.random_range(0..=most))).await;
        node.kill();
        ways.killed().await;
        rounds.push(ways);
        node.restart().await;
    }
    let mut twice = 0;
    for ways in &rounds {
        twice += ways.came_true(node.addr(), &fcm).await;
    }
    // All looks and tries are over: what was read meanwhile has had its chance to ring.
    for ways in &rounds {
        ways.was_silent(&fcm);
    }
    eprintln!("{kills} kills, seed {seed}: nothing lost, {twice} pushed twice");
}
