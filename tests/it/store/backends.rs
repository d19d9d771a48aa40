//! A fresh store of each kind.

use std::sync::Arc;

use adda::clock::{Clock, SystemClock};
use adda::store::sqlite::SqliteStore;
use adda::vital::Vital;

use super::Bench;
use crate::infra::mongo::fresh_stores;

/// One node on a new file.
pub(super) async fn sqlite() -> Bench {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("adda.db");
    let store = SqliteStore::open(
        path.to_str().expect("a path in UTF-8"),
        clock.clone(),
        &Vital::default(),
    )
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
