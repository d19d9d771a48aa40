//! Sets of seqs, a chat, a user and a kind. They only grow.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::model::{Run, SeqSet};
use crate::proto::SeqRange;

/// What a set says of the messages in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The server knows that the user has them.
    Delivered = 1,
    /// The server knows that the user has read them.
    Read = 2,
    /// They were on this screen; the server may not know yet.
    Seen = 3,
}

/// Runs of the contract, without those that are none.
pub(crate) fn runs(ranges: &[SeqRange]) -> Vec<Run> {
    ranges.iter().filter_map(|range| Run::new(range.first, range.last)).collect()
}

/// One set.
pub(crate) fn get(db: &Connection, chat: &str, user: &str, kind: Kind) -> rusqlite::Result<SeqSet> {
    let text: Option<String> = db
        .prepare_cached("SELECT runs FROM sets WHERE chat_id = ?1 AND user_id = ?2 AND kind = ?3")?
        .query_row(params![chat, user, kind as i64], |row| row.get(0))
        .optional()?;
    Ok(text.as_deref().map(parse).unwrap_or_default())
}

/// Takes runs in. Says whether that was news.
pub(crate) fn add(
    db: &Connection,
    chat: &str,
    user: &str,
    kind: Kind,
    runs: &[Run],
) -> rusqlite::Result<bool> {
    let mut set = get(db, chat, user, kind)?;
    if runs.iter().all(|run| set.covers(*run)) {
        return Ok(false);
    }
    set.extend(runs.iter().copied());
    db.prepare_cached(
        "INSERT INTO sets VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET runs = excluded.runs",
    )?
    .execute(params![chat, user, kind as i64, format(&set)])?;
    Ok(true)
}

fn format(set: &SeqSet) -> String {
    let runs = set.runs();
    let runs: Vec<_> = runs.iter().map(|run| format!("{}-{}", run.first, run.last)).collect();
    runs.join(",")
}

fn parse(text: &str) -> SeqSet {
    let run = |run: &str| {
        let (first, last) = run.split_once('-')?;
        Run::new(first.parse().ok()?, last.parse().ok()?)
    };
    SeqSet::from_parts(0, text.split(',').filter_map(run))
}

#[cfg(test)]
mod tests {
    use super::super::Disk;
    use super::*;

    #[test]
    fn a_set_is_the_union_of_all_that_came() {
        let disk = Disk::in_memory().unwrap();
        let db = disk.db();
        let run = |first, last| Run::new(first, last).unwrap();
        assert!(add(db, "c", "u", Kind::Read, &[run(5, 6), run(1, 2)]).unwrap());
        assert!(!add(db, "c", "u", Kind::Read, &[run(5, 5)]).unwrap());
        assert!(add(db, "c", "u", Kind::Read, &[run(3, 3)]).unwrap());
        let set = get(db, "c", "u", Kind::Read).unwrap();
        assert_eq!(set.runs(), [run(1, 3), run(5, 6)]);
        assert!(get(db, "c", "u", Kind::Delivered).unwrap().is_empty());
    }
}
