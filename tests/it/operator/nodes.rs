//! Two nodes and what is between them.

use super::Watched;
use crate::world::send;

/// Of one deployment, on a Redis of their own. `None`: the machine has no such backends.
async fn two() -> Option<(Watched, Watched, crate::infra::redis::Redis)> {
    let store = crate::infra::mongo::fresh_uri().await?;
    let redis = crate::infra::redis::own().await?;
    let one = Watched::on(&store, &redis.url(), &[]).await;
    let other = Watched::on(&store, &redis.url(), &[]).await;
    Some((one, other, redis))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_between_nodes_is_counted_on_both() {
    let Some((here, there, _redis)) = two().await else { return };
    let chat = here.direct("alice", "bob").await;
    let mut bob = there.connect("bob", "phone").await;
    bob.caught_up().await;
    let mut alice = here.api("alice").await;
    for at in 0..5 {
        send(&mut alice, &chat, &format!("m{at}"), "hello").await;
    }
    while bob.message().await.seq < 5 {}
    here.reaches(r#"adda_bus_envelopes_total{direction="out",kind="message"}"#, 5.0).await;
    there.reaches(r#"adda_bus_envelopes_total{direction="in",kind="message"}"#, 5.0).await;
    let heard = there.scrape().await;
    // What was read from the log before its envelope came is not delivered again.
    assert!((1..=5).contains(&heard.count("adda_delivery_remote_seconds_count")));
    assert!(heard.value("adda_delivery_remote_seconds_sum") > 0.0);
    assert_eq!(heard.count("adda_delivery_seconds_count"), 0, "nothing was committed there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_goes_and_comes_back_is_seen() {
    let Some((here, _there, redis)) = two().await else { return };
    here.reaches(r#"adda_ready{part="bus"}"#, 1.0).await;
    // A slow start may have been a deafness, too.
    let before = here.scrape().await;
    let (deaf, ended) = ("adda_deafness_total", "adda_deafness_seconds_count");
    redis.kill();
    here.reaches(r#"adda_ready{part="bus"}"#, 0.0).await;
    here.reaches(r#"adda_ready{part="node"}"#, 1.0).await;
    assert_eq!(here.get("/readyz").await, (200, "degraded: bus\n".to_owned()));
    here.grows(deaf, before.count(deaf)).await;
    let seen = here.scrape().await;
    assert!(seen.count(ended) < seen.count(deaf), "it lasts");
    redis.restart().await;
    here.reaches(r#"adda_ready{part="bus"}"#, 1.0).await;
    here.grows(ended, before.count(ended)).await;
    let seen = here.scrape().await;
    assert!(seen.count(r#"adda_resyncs_total{outcome="ok"}"#) >= 1);
    assert!(seen.count("adda_bus_unsent_total") >= 1);
    assert!(seen.count(r#"adda_bus_gaps_total{cause="connection"}"#) >= 1);
}
