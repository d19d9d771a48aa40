//! All that a store holds, row by row: what was refused must have changed nothing of it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use mongodb::bson::Document;

use crate::world::World;

/// Rows by where they are kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dump(BTreeMap<String, BTreeSet<String>>);

/// What the server writes by itself: whether the store is there, whose turn it is, and what follows
/// from messages some seconds later.
const OWN: [&str; 5] = ["ping", "turns", "notices", "standings", "trail"];
/// Written some time after a stream has ended or gone to the background.
const LATE: &str = "last_active";
/// Work is done by the server itself; that there is some is a change, but for pushes.
const WORK: &str = "jobs";

/// Whether this is looked at.
fn shown(table: &str, column: &str) -> bool {
    column != LATE && (table != WORK || ["_id", "id", "queue"].contains(&column))
}

impl Dump {
    pub(super) async fn of(world: &World) -> Self {
        let mut all = match world.store.strip_prefix("sqlite:") {
            Some(path) => sqlite(path),
            None => mongo(&world.store).await,
        };
        all.retain(|name, _| !OWN.contains(&name.as_str()));
        all.entry(WORK.to_owned()).or_default().retain(|row| !row.contains("\"push\""));
        assert!(all.values().any(|rows| !rows.is_empty()), "there is something to look at");
        Self(all)
    }

    /// What is in one and not in the other.
    pub(super) fn changes(&self, after: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let none = BTreeSet::new();
        for name in self.0.keys().chain(after.0.keys()).collect::<BTreeSet<_>>() {
            let (before, after) =
                (self.0.get(name).unwrap_or(&none), after.0.get(name).unwrap_or(&none));
            changes.extend(before.difference(after).map(|row| format!("- {name}: {row}")));
            changes.extend(after.difference(before).map(|row| format!("+ {name}: {row}")));
        }
        changes
    }
}

fn sqlite(path: &str) -> BTreeMap<String, BTreeSet<String>> {
    use rusqlite::types::Value;
    use rusqlite::{Connection, OpenFlags};
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = Connection::open_with_flags(path, flags).unwrap();
    // The words of messages are in the messages too.
    let tables =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'found_by%'";
    let mut tables = db.prepare(tables).unwrap();
    let names = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut all = BTreeMap::new();
    for name in names.map(Result::unwrap) {
        let mut rows = db.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let names: Vec<_> = rows.column_names().map(str::to_owned).collect();
        let columns: Vec<_> = names.iter().filter(|column| shown(&name, column)).collect();
        let rows = rows.query_map([], |row| {
            let values = columns.iter().map(|name| row.get::<_, Value>(name.as_str()));
            Ok(format!("{:?}", values.collect::<Result<Vec<_>, _>>()?))
        });
        let rows = rows.unwrap().map(Result::unwrap).collect();
        all.insert(name, rows);
    }
    all
}

async fn mongo(uri: &str) -> BTreeMap<String, BTreeSet<String>> {
    let client = mongodb::Client::with_uri_str(uri).await.unwrap();
    let database = client.default_database().unwrap();
    let mut all = BTreeMap::new();
    for name in database.list_collection_names().await.unwrap() {
        let rows = database.collection::<Document>(&name).find(Document::new()).await.unwrap();
        let rows: Vec<Document> = rows.try_collect().await.unwrap();
        let rows = rows.into_iter().map(|row| {
            let columns = row.into_iter().filter(|(column, _)| shown(&name, column));
            columns.collect::<Document>().to_string()
        });
        let rows = rows.collect();
        all.insert(name, rows);
    }
    all
}
