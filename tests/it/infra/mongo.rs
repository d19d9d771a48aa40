//! The MongoDB that tests share, each with a database of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use adda::clock::Clock;
use adda::store::Store;
use adda::store::mongo::MongoStore;
use adda::vital::Vital;
use tokio::sync::OnceCell;

use super::mongod::ReplicaSet;

/// A URI with a database that no other test has: on `MONGODB_URI`, else on a replica set of one
/// member that this process starts. `None`, said aloud, if there is neither.
pub(crate) async fn fresh_uri() -> Option<String> {
    static SHARED: OnceCell<Option<ReplicaSet>> = OnceCell::const_new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let database = format!("adda_test_{}_{count}", std::process::id());
    if let Ok(uri) = std::env::var("MONGODB_URI") {
        return Some(with_database(&uri, &database));
    }
    let shared = SHARED.get_or_init(|| ReplicaSet::start(1)).await.as_ref();
    if shared.is_none() {
        super::skipped("no mongod");
    }
    shared.map(|set| set.uri_of(&database))
}

/// `count` stores on the same new data, as `count` nodes would have them.
pub(crate) async fn fresh_stores(
    count: usize,
    clock: Arc<dyn Clock>,
) -> Option<Vec<Arc<dyn Store>>> {
    let uri = fresh_uri().await?;
    Some(stores(&uri, count, clock).await)
}

/// `count` stores on this data.
pub(crate) async fn stores(uri: &str, count: usize, clock: Arc<dyn Clock>) -> Vec<Arc<dyn Store>> {
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..count {
        let store =
            MongoStore::open(uri, clock.clone(), &Vital::default()).await.expect("the store opens");
        stores.push(Arc::new(store));
    }
    stores
}

/// `uri` with another database name; user, hosts and options as they are.
fn with_database(uri: &str, database: &str) -> String {
    let (start, options) = uri.split_once('?').map_or((uri, None), |(a, b)| (a, Some(b)));
    let hosts = start.find("://").map_or(0, |at| at + 3);
    let end = start[hosts..].find('/').map_or(start.len(), |at| hosts + at);
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{}/{database}{options}", &start[..end])
}

#[test]
fn a_database_name_replaces_the_one_of_the_uri() {
    for (uri, want) in [
        ("mongodb://h:1", "mongodb://h:1/x"),
        ("mongodb://u:p@h:1,i:2/old?a=b", "mongodb://u:p@h:1,i:2/x?a=b"),
        ("mongodb+srv://h?a=b", "mongodb+srv://h/x?a=b"),
    ] {
        assert_eq!(with_database(uri, "x"), want);
    }
}
