//! SQLite alone: grouped inserts, each group one transaction that is on the disk.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{log, schema};
use crate::store::limit::Messages;
use crate::store::{Result, StoreError};

/// See [`grouped_inserts`](crate::store::limit::grouped_inserts).
pub(in crate::store) async fn grouped_inserts(path: String, time: Duration) -> Result<u64> {
    let path = PathBuf::from(format!("{path}.limit"));
    tokio::task::spawn_blocking(move || insert(&path, time))
        .await
        .map_err(|error| StoreError::Broken(error.into()))?
}

fn insert(path: &Path, time: Duration) -> Result<u64> {
    let lock = schema::lock(path)?;
    let db = schema::writer(path)?;
    let until = Instant::now() + time;
    let (mut messages, mut count) = (Messages::new(), 0);
    while Instant::now() < until {
        let transaction = db.unchecked_transaction()?;
        for (new, seq) in messages.group() {
            log::insert(&db, &new.at(seq), &new.words)?;
            count += 1;
        }
        transaction.commit()?;
    }
    drop((db, lock));
    for end in ["", "-wal", "-shm", ".lock"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        // What is not there need not go.
        drop(std::fs::remove_file(name));
    }
    Ok(count)
}
