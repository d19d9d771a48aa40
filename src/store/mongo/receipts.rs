//! Receipts: two sets of seqs a member, joined in mongod.
//!
//! Sets only grow, so what was read a moment ago is still in them. That is what makes each join
//! one atomic statement, whatever another node does meanwhile:
//!
//! - where only the prefix grows, `$max` of its end;
//! - else the runs that were seen are taken out, and put back joined with the new ones. What
//!   another node has put in since is none of those seen and stays; one that both saw comes back
//!   within something larger. What is left is perhaps not in normal form: reading restores that,
//!   and so does the next join.

use std::collections::HashMap;

use mongodb::bson::{Bson, Document, doc};

use super::super::{Mark, Result};
use super::docs::{MemberDoc, SetDoc, chat_ids, date, plain, uuid};
use super::schema::{Db, all};
use crate::clock::Timestamp;
use crate::model::{ChatId, Member, SeqSet, UserId};

/// Members that one command changes.
const MEMBERS_A_COMMAND: usize = 500;

type Place = (ChatId, UserId);

/// What is to be joined to one member's sets, and what was seen of them before.
#[derive(Default)]
struct Join {
    delivered: SeqSet,
    read: SeqSet,
    seen: (SeqSet, SeqSet),
}

impl Db {
    pub(super) async fn mark(&self, marks: Vec<Mark>) -> Result<Vec<Option<(SeqSet, SeqSet)>>> {
        let mut joins: HashMap<Place, Join> = HashMap::new();
        for mark in &marks {
            let join = joins.entry((mark.chat, mark.user.clone())).or_default();
            join.read.extend(mark.read.iter().copied());
            join.delivered.extend(mark.delivered.iter().chain(&mark.read).copied());
            join.seen.0.union(&mark.seen.0);
            join.seen.1.union(&mark.seen.1);
        }
        let mut statements = Vec::new();
        let mut parted = Vec::new();
        for (place, join) in &joins {
            let seen = (SetDoc::new(&join.seen.0), SetDoc::new(&join.seen.1));
            match change(&seen, join)? {
                Change::None => {}
                Change::Prefix(change) => statements.push(statement(place, change)),
                Change::Runs(_) => parted.push(place.clone()),
            }
        }
        // To take runs out they must be known just as they stand.
        for (place, sets) in self.sets(&parted).await? {
            let Some(join) = joins.get(&place) else { continue };
            if let Change::Prefix(change) | Change::Runs(change) = change(&sets, join)? {
                statements.push(statement(&place, change));
            }
        }
        for some in statements.chunks(MEMBERS_A_COMMAND) {
            self.update(self.members.name(), some).await?;
        }
        let places: Vec<_> = joins.into_keys().collect();
        let sets = self.sets(&places).await?;
        let answer = |mark: Mark| match sets.get(&(mark.chat, mark.user)) {
            Some((delivered, read)) => Ok(Some((delivered.set()?, read.set()?))),
            None => Ok(None),
        };
        marks.into_iter().map(answer).collect()
    }

    async fn sets(&self, places: &[Place]) -> Result<HashMap<Place, (SetDoc, SetDoc)>> {
        let entry = |doc: MemberDoc| {
            let place = (ChatId(plain(doc.chat_id)), UserId::new(&doc.user_id));
            (place, (doc.delivered, doc.read))
        };
        Ok(self.at(places).await?.into_iter().map(entry).collect())
    }

    /// With the time of the change.
    pub(super) async fn changed_receipts(
        &self,
        chats: &[ChatId],
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Member)>> {
        let filter = doc! {
            "chat_id": { "$in": chat_ids(chats) },
            "left_at": null,
            "receipts_at": { "$gte": date(since) },
        };
        let found = all(self.members.find(filter).limit(limit.into())).await?;
        found.into_iter().map(|doc| Ok((doc.changed()?, doc.member()?))).collect()
    }
}

fn statement((chat, user): &Place, change: Bson) -> Document {
    let member = doc! { "chat_id": uuid(chat.0), "user_id": user.as_str(), "left_at": null };
    doc! { "q": member, "u": change }
}

/// What has to be done to a member's sets.
enum Change {
    /// All of it is in them.
    None,
    /// Only prefixes grow.
    Prefix(Bson),
    /// Runs are taken out and put back.
    Runs(Bson),
}

fn change((delivered, read): &(SetDoc, SetDoc), join: &Join) -> Result<Change> {
    let parts = [
        ("delivered", delivered, grown(delivered, &join.delivered)?),
        ("read", read, grown(read, &join.read)?),
    ];
    if parts.iter().all(|(_, _, grown)| matches!(grown, Grown::Not)) {
        return Ok(Change::None);
    }
    if parts.iter().all(|(_, _, grown)| !matches!(grown, Grown::Runs(_))) {
        let mut max = Document::new();
        for (name, _, grown) in parts {
            if let Grown::Prefix(set) = grown {
                max.insert(format!("{name}.to"), i64::from(set.to()));
            }
        }
        let change = doc! { "$max": max, "$currentDate": { "receipts_at": true } };
        return Ok(Change::Prefix(change.into()));
    }
    let mut fields = doc! { "receipts_at": "$$NOW" };
    for (name, seen, grown) in parts {
        if let Grown::Prefix(set) | Grown::Runs(set) = grown {
            fields.insert(name, union(name, seen, &SetDoc::new(&set)));
        }
    }
    Ok(Change::Runs(Bson::from(vec![doc! { "$set": fields }])))
}

/// How a set is changed by a join.
enum Grown {
    Not,
    /// Its prefix alone; this is what it becomes.
    Prefix(SeqSet),
    /// Its runs, too.
    Runs(SeqSet),
}

fn grown(seen: &SetDoc, join: &SeqSet) -> Result<Grown> {
    let known = seen.set()?;
    let mut joined = known.clone();
    joined.union(join);
    Ok(if joined == known {
        Grown::Not
    } else if joined.more() == known.more() && joined.more().len() == seen.more.len() {
        Grown::Prefix(joined)
    } else {
        Grown::Runs(joined)
    })
}

/// Puts `joined` in the place of what was `seen`, next to whatever came since.
fn union(name: &str, seen: &SetDoc, joined: &SetDoc) -> Document {
    let runs = |set: &SetDoc| -> Bson {
        let runs = set
            .more
            .iter()
            .map(|[first, last]| Bson::from(vec![Bson::from(*first), Bson::from(*last)]));
        doc! { "$literal": runs.collect::<Vec<_>>() }.into()
    };
    doc! {
        "to": { "$max": [format!("${name}.to"), joined.to] },
        "more": { "$setUnion": [
            { "$setDifference": [format!("${name}.more"), runs(seen)] },
            runs(joined),
        ] },
    }
}
