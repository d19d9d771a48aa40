//! The operator's port: what it answers, and that it outlives the drain.

use bytes::Bytes;

use super::{Watched, get, on_both_backends};
use crate::world::{Backends, RawConnect, eventually, token};

on_both_backends! { both_ports_tell_how_the_node_is }

async fn both_ports_tell_how_the_node_is(watched: Watched) {
    for base in [watched.admin, watched.server.addr()] {
        let ask = async |path| get(&format!("http://{base}{path}")).await;
        assert_eq!(ask("/healthz").await, (200, "ok\n".to_owned()));
        assert_eq!(ask("/readyz").await, (200, "ready\n".to_owned()));
        assert_eq!(ask("/nothing").await.0, 404);
    }
    let public = get(&format!("http://{}/metrics", watched.server.addr())).await;
    assert_eq!(public.0, 404, "metrics are for operators alone");
    let token = get(&format!("http://{}/dev/token", watched.admin)).await;
    assert_eq!(token.0, 404);
    for part in ["store", "bus", "node"] {
        watched.reaches(&format!("adda_ready{{part=\"{part}\"}}"), 1.0).await;
    }
    assert!(watched.server.log().contains(&format!("metrics and probes addr={}", watched.admin)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_can_be_watched_to_its_end() {
    let Some(mut watched) = Watched::start(Backends::Sqlite, &["--drain-timeout", "20s"]).await
    else {
        return;
    };
    // A call that has not said Hello yet keeps the node for as long as the drain lasts.
    let (addr, bearer) = (watched.server.addr(), token("alice"));
    let silent = tokio::spawn(async move {
        let first: Option<Bytes> = None;
        let _cut = RawConnect::open(addr, &bearer, first).await;
    });
    watched.reaches("adda_connections", 1.0).await;
    let admin = watched.admin;
    let seen = async {
        let url = format!("http://{admin}/readyz");
        let draining = (503, "draining\n".to_owned());
        eventually("the drain is seen", async || (get(&url).await == draining).then_some(())).await;
        let (_, text) = get(&format!("http://{admin}/metrics")).await;
        assert!(text.contains("\nadda_draining 1\n"));
        assert!(text.contains("\nadda_ready{part=\"node\"} 0\n"));
    };
    let ((), ()) = tokio::join!(watched.server.leave(), seen);
    silent.await.unwrap();
    assert!(tokio::net::TcpStream::connect(admin).await.is_err(), "it closes last");
}
