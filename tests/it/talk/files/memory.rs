//! What files cost in memory, and what a killed server leaves: seen on the real program.

use std::time::Duration;

use super::{Files, pdf};
use crate::infra::adda::Adda;
use crate::world::eventually;

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_never_whole_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    let server = Adda::start(&store, "memory:", &[]).await;
    let bytes = pdf(25_000_000);
    // What the first of each costs is not what the others do.
    let mut files = Files::at(server.addr(), "alice").await;
    files.upload("first", &pdf(2_000_000)).await.unwrap();
    let before = resident(server.pid());
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let pid = server.pid();
    let watch = tokio::spawn(async move {
        let mut most = 0;
        while stopped.try_recv().is_err() {
            most = resident(pid).max(most);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        most
    });
    let id = files.upload("large", &bytes).await.unwrap().attachment_id;
    let url = files.ask(&id, "").await.unwrap().url;
    assert!(files.bytes(&url).await == bytes);
    stop.send(()).unwrap();
    let grown = watch.await.unwrap().saturating_sub(before);
    assert!(grown < 12_000_000, "25 MB in and out took {grown} bytes more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_leaves_nothing_for_long() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    let mut server = Adda::start(&store, "memory:", &[]).await;
    let mut files = Files::at(server.addr(), "alice").await;
    let kept = || std::fs::read_dir(dir.path().join("attachments")).unwrap().count();
    let call = tokio::spawn(async move {
        for _ in 0..50 {
            files.upload("a", &pdf(20_000_000)).await?;
        }
        Ok::<(), tonic::Status>(())
    });
    eventually("it has begun", async || (kept() > 0).then_some(())).await;
    server.kill();
    assert!(call.await.unwrap().is_err());
    server.restart().await;
    // A file is noted before its first byte is written: what is there is known, and so goes.
    let path = server.store().strip_prefix("sqlite:").unwrap().to_owned();
    server.leave().await;
    let db = rusqlite::Connection::open(path).unwrap();
    let known: i64 = db
        .query_row("SELECT count(*) FROM files WHERE due_at IS NOT NULL", [], |row| row.get(0))
        .unwrap();
    assert!(known >= i64::try_from(kept()).unwrap(), "{known} of {}", kept());
}
