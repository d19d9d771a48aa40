//! All nodes are restarted, one after the other, under load.

use std::time::Duration;

use super::{Balancer, Crew, quiet, report};
use crate::hard::readyz;
use crate::infra::{self, adda::Adda};

/// What is promised of the pause that a client sees when its node leaves.
pub(crate) const PAUSE: Duration = Duration::from_secs(3);
/// So often it is tried: on a machine that is busy with other things pauses say little, but what
/// is lost once is lost.
pub(crate) const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_under_load_loses_and_doubles_nothing_and_pauses_nobody_for_long() {
    let Some(store) = infra::mongo::fresh_uri().await else { return };
    let Some(bus) = infra::redis::fresh_url().await else { return };
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Adda::start(&store, &bus, &[]).await);
    }
    let addrs: Vec<_> = nodes.iter().map(Adda::addr).collect();
    let balancer = Balancer::before(&addrs).await;
    let crew = Crew::talk(balancer.addr(), addrs[0], 8, 4).await;
    let mut in_time = false;
    for _ in 0..ROUNDS {
        for node in &mut nodes {
            node.leave().await;
            node.restart().await;
            assert_eq!(readyz(node.addr()).await.0, 200);
            crew.up().await;
        }
        let pauses = crew.pauses();
        assert!(pauses.len() >= 32, "each client was moved: {}", pauses.len());
        report("a rolling restart of three nodes", &pauses);
        // The longest of a hundred say more of what else runs than of the nodes.
        in_time = quiet(&pauses, 90) < PAUSE;
        if in_time {
            break;
        }
    }
    crew.check(addrs[0]).await;
    assert!(in_time, "p90 of the pause is not under {PAUSE:?} in any of {ROUNDS} rounds");
}
