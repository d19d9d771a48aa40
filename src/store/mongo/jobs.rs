//! Work that must be done, and turns at reading the log.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ReturnDocument;

use super::MongoStore;
use super::docs::{binary, number, plain, time, uuid};
use super::failure::{broken, round};
use super::schema::{Db, all};
use crate::model::{MessageId, NodeId};
use crate::store::{JOBS_COUNTED, Job, Jobs, NewJob, Result};

#[async_trait]
impl Jobs for MongoStore {
    async fn put_jobs(&self, queue: &str, jobs: Vec<NewJob>) -> Result<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        let put = jobs.iter().map(|job| noted(queue, job, Duration::ZERO));
        self.db()?.update("jobs", &put.collect::<Vec<_>>()).await
    }

    async fn put_job_later(&self, queue: &str, job: NewJob, after: Duration) -> Result<()> {
        self.db()?.update("jobs", &[noted(queue, &job, after)]).await
    }

    async fn take_jobs(&self, queue: &str, lease: Duration, limit: u32) -> Result<Vec<Job>> {
        self.db()?.take_jobs(queue, lease, limit).await
    }

    async fn finish_jobs(&self, queue: &str, ids: &[String]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = ids.iter().map(|id| key(queue, id)).collect();
        let done = doc! {
            "$unset": { "due_at": "", "body": "", "taker": "" },
            "$currentDate": { "done_at": true },
        };
        let update = self.db()?.jobs.update_many(doc! { "_id": { "$in": keys } }, done);
        round(async { update.await }).await?;
        Ok(())
    }

    async fn put_off_job(&self, queue: &str, id: &str, after: Duration) -> Result<()> {
        let later = vec![doc! { "$set": {
            "due_at": in_time(after),
            "attempts": { "$add": ["$attempts", 1_i64] },
        } }];
        let job = doc! { "_id": key(queue, id), "due_at": { "$exists": true } };
        let update = self.db()?.jobs.update_one(job, later);
        round(async { update.await }).await?;
        Ok(())
    }

    async fn put_jobs_forward(&self, queue: &str, prefix: &str) -> Result<()> {
        let from = key(queue, prefix);
        let ids = doc! { "$gte": &from, "$lt": format!("{from}{}", char::MAX) };
        let now = vec![doc! { "$set": { "due_at": { "$min": ["$due_at", "$$NOW"] } } }];
        let waiting = doc! { "_id": ids, "due_at": { "$exists": true } };
        let update = self.db()?.jobs.update_many(waiting, now);
        round(async { update.await }).await?;
        Ok(())
    }

    async fn count_jobs(&self, queue: &str) -> Result<u32> {
        let waiting = doc! { "queue": queue, "due_at": { "$exists": true } };
        let count = self.db()?.jobs.count_documents(waiting).limit(JOBS_COUNTED.into());
        let count = round(async { count.await }).await?;
        Ok(u32::try_from(count).unwrap_or(JOBS_COUNTED))
    }

    async fn take_turn(
        &self,
        name: &str,
        holder: &NodeId,
        lease: Duration,
        start: MessageId,
    ) -> Result<Option<MessageId>> {
        let holder = holder.as_str();
        // Absent compares below every date.
        let mine = doc! { "$or": [
            { "$eq": ["$holder", literal_text(holder)] },
            { "$lte": ["$until", "$$NOW"] },
        ] };
        let turn = vec![
            doc! { "$set": { "mine": mine } },
            doc! { "$set": {
                "holder": { "$cond": ["$mine", literal_text(holder), "$holder"] },
                "until": { "$cond": ["$mine", in_time(lease), "$until"] },
                "at": { "$ifNull": ["$at", uuid(start.0)] },
            } },
            doc! { "$unset": "mine" },
        ];
        let update = self.db()?.turns.find_one_and_update(doc! { "_id": name }, turn);
        let after = round(update.upsert(true).return_document(ReturnDocument::After)).await?;
        let after = after.ok_or_else(|| broken("a turn just taken is not there"))?;
        match (after.get_str("holder"), after.get("at")) {
            (Ok(now), _) if now != holder => Ok(None),
            (Ok(_), Some(Bson::Binary(at))) => {
                let at = at.to_uuid().map_err(|_| broken("a turn's place cannot be read"))?;
                Ok(Some(MessageId(plain(at))))
            }
            _ => Err(broken("a turn cannot be read")),
        }
    }

    async fn move_turn(&self, name: &str, holder: &NodeId, to: MessageId) -> Result<bool> {
        let mine = doc! { "_id": name, "holder": holder.as_str() };
        let update = self.db()?.turns.update_one(mine, doc! { "$set": { "at": uuid(to.0) } });
        Ok(round(async { update.await }).await?.matched_count == 1)
    }
}

impl Db {
    /// Two exchanges, however many jobs: each that is still due as it was seen is marked with who
    /// takes it, then what is marked is read.
    async fn take_jobs(&self, queue: &str, lease: Duration, limit: u32) -> Result<Vec<Job>> {
        let due = doc! { "queue": queue, "$expr": { "$lte": ["$due_at", "$$NOW"] },
        "due_at": { "$exists": true } };
        let found = self.jobs.find(due).sort(doc! { "due_at": 1, "_id": 1 }).limit(limit.into());
        let seen: Vec<Document> = all(found.projection(doc! { "due_at": 1 })).await?;
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        let taker = binary(&rand::random::<[u8; 16]>());
        let take = seen.iter().map(|job| {
            doc! {
                "q": { "_id": job.get("_id"), "due_at": job.get("due_at") },
                "u": [{ "$set": { "due_at": in_time(lease), "taker": taker.clone() } }],
            }
        });
        self.update("jobs", &take.collect::<Vec<_>>()).await?;
        let keys: Vec<Bson> = seen.iter().filter_map(|job| job.get("_id").cloned()).collect();
        let ours = doc! { "_id": { "$in": keys }, "taker": taker };
        let ours: Vec<Document> =
            all(self.jobs.find(ours).sort(doc! { "noted_at": 1, "_id": 1 })).await?;
        ours.iter().map(|doc| job(queue, doc)).collect()
    }
}

/// The statement that notes a job, unless it is known.
fn noted(queue: &str, job: &NewJob, after: Duration) -> Document {
    let new = doc! {
        "_id": key(queue, &job.id),
        "queue": queue,
        "body": binary(&job.body),
        "attempts": 0_i64,
        "noted_at": "$$NOW",
        "due_at": in_time(after),
    };
    let absent = doc! { "$eq": [{ "$type": "$queue" }, "missing"] };
    doc! {
        "q": { "_id": key(queue, &job.id) },
        "u": [{ "$replaceWith": { "$cond": [absent, literal(new), "$$ROOT"] } }],
        "upsert": true,
    }
}

fn key(queue: &str, id: &str) -> String {
    format!("{queue}|{id}")
}

fn in_time(after: Duration) -> Document {
    doc! { "$add": ["$$NOW", i64::try_from(after.as_millis()).unwrap_or(i64::MAX / 4)] }
}

/// Text that begins with `$` is text all the same.
fn literal_text(text: &str) -> Document {
    doc! { "$literal": text }
}

/// A new document as an expression: its text and bytes as they are, its times those of mongod.
fn literal(mut new: Document) -> Document {
    for name in ["_id", "queue", "body"] {
        if let Some(value) = new.get(name).cloned() {
            new.insert(name, doc! { "$literal": value });
        }
    }
    new
}

fn job(queue: &str, doc: &Document) -> Result<Job> {
    let id = doc.get_str("_id").ok().and_then(|id| id.strip_prefix(queue)?.strip_prefix('|'));
    let (attempts, noted) = (doc.get_i64("attempts"), doc.get_datetime("noted_at"));
    match (id, doc.get("body"), attempts, noted) {
        (Some(id), Some(Bson::Binary(body)), Ok(attempts), Ok(noted)) => Ok(Job {
            id: id.to_owned(),
            body: body.bytes.clone(),
            attempts: number(attempts)?,
            noted_at: time(*noted),
        }),
        _ => Err(broken("a job cannot be read")),
    }
}
