//! A fresh store of each kind.

use std::io::Write as _;
use std::sync::Arc;

use adda::clock::{Clock, SystemClock};
use adda::store::Store;
use adda::store::sqlite::SqliteStore;

use super::Bench;

/// One node on a new file.
pub(super) async fn sqlite() -> Bench {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("adda.db");
    let store = SqliteStore::open(path.to_str().expect("a path in UTF-8"), clock.clone())
        .await
        .expect("a new file");
    Bench::new(vec![Arc::new(store)], clock, Some(dir))
}

/// Two nodes on one new database, if there is a mongod.
pub(super) async fn mongo() -> Option<Bench> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stores = fresh_stores(2, clock.clone()).await?;
    Some(Bench::new(stores, clock, None))
}

/// Stands in for `crate::infra::mongo::fresh_stores` until that is here.
#[expect(clippy::unused_async, reason = "has the shape of what it stands in for")]
async fn fresh_stores(_count: usize, _clock: Arc<dyn Clock>) -> Option<Vec<Arc<dyn Store>>> {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "skipped: no mongod ({test})");
    None
}
