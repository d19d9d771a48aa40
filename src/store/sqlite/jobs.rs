//! Work that must be done, and turns at reading the log.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use crate::clock::Timestamp;
use crate::model::{MessageId, NodeId};
use crate::store::{JOBS_COUNTED, JOBS_REMEMBERED, Job, Jobs, NewJob, Result};

#[async_trait]
impl Jobs for SqliteStore {
    async fn put_jobs(&self, queue: &str, jobs: Vec<NewJob>) -> Result<()> {
        let queue = queue.to_owned();
        self.writer.ask(move |db, now| Ok(put(db, &queue, &jobs, (now, now))?)).await
    }

    async fn put_job_later(&self, queue: &str, job: NewJob, after: Duration) -> Result<()> {
        let queue = queue.to_owned();
        let work = move |db: &Connection, now: Timestamp| {
            Ok(put(db, &queue, &[job], (now, now.plus(after)))?)
        };
        self.writer.ask(work).await
    }

    async fn take_jobs(&self, queue: &str, lease: Duration, limit: u32) -> Result<Vec<Job>> {
        let queue = queue.to_owned();
        self.writer.ask(move |db, now| Ok(take(db, &queue, now, lease, limit)?)).await
    }

    async fn finish_jobs(&self, queue: &str, ids: &[String]) -> Result<()> {
        let (queue, ids) = (queue.to_owned(), ids.to_vec());
        self.writer.ask(move |db, now| Ok(finish(db, &queue, &ids, now)?)).await
    }

    async fn put_off_job(&self, queue: &str, id: &str, after: Duration) -> Result<()> {
        let (queue, id) = (queue.to_owned(), id.to_owned());
        self.writer
            .ask(move |db, now| {
                db.prepare_cached(
                    "UPDATE jobs SET due_at = ?3, attempts = attempts + 1
                     WHERE queue = ?1 AND id = ?2 AND due_at IS NOT NULL",
                )?
                .execute(params![queue, id, now.plus(after).0])?;
                Ok(())
            })
            .await
    }

    async fn put_jobs_forward(&self, queue: &str, prefix: &str) -> Result<()> {
        let (queue, from) = (queue.to_owned(), prefix.to_owned());
        let to = format!("{prefix}{}", char::MAX);
        self.writer
            .ask(move |db, now| {
                db.prepare_cached(
                    "UPDATE jobs SET due_at = ?4
                     WHERE queue = ?1 AND id >= ?2 AND id < ?3 AND due_at > ?4",
                )?
                .execute(params![queue, from, to, now.0])?;
                Ok(())
            })
            .await
    }

    async fn count_jobs(&self, queue: &str) -> Result<u32> {
        let queue = queue.to_owned();
        self.readers
            .ask(move |db| {
                db.prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM jobs
                     WHERE queue = ?1 AND due_at IS NOT NULL LIMIT ?2)",
                )?
                .query_row(params![queue, JOBS_COUNTED], |row| row.get(0))
            })
            .await
    }

    async fn take_turn(
        &self,
        name: &str,
        holder: &NodeId,
        lease: Duration,
        start: MessageId,
    ) -> Result<Option<MessageId>> {
        let (name, holder) = (name.to_owned(), holder.clone());
        self.writer
            .ask(move |db, now| {
                let at = db
                    .prepare_cached(
                        "INSERT INTO turns (name, holder, until, at) VALUES (?1, ?2, ?3, ?5)
                         ON CONFLICT (name) DO UPDATE SET holder = ?2, until = ?3
                         WHERE holder = ?2 OR until <= ?4 RETURNING at",
                    )?
                    .query_row(
                        params![
                            name,
                            holder.as_str(),
                            now.plus(lease).0,
                            now.0,
                            start.0.as_bytes()
                        ],
                        |row| row.get::<_, [u8; 16]>(0),
                    )
                    .optional()?;
                Ok(at.map(|at| MessageId(uuid::Uuid::from_bytes(at))))
            })
            .await
    }

    async fn move_turn(&self, name: &str, holder: &NodeId, to: MessageId) -> Result<bool> {
        let (name, holder) = (name.to_owned(), holder.clone());
        self.writer
            .ask(move |db, _| {
                let moved = db
                    .prepare_cached("UPDATE turns SET at = ?3 WHERE name = ?1 AND holder = ?2")?
                    .execute(params![name, holder.as_str(), to.0.as_bytes()])?;
                Ok(moved == 1)
            })
            .await
    }
}

fn put(
    db: &Connection,
    queue: &str,
    jobs: &[NewJob],
    (now, due): (Timestamp, Timestamp),
) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM jobs WHERE done_at < ?1")?
        .execute([now.minus(JOBS_REMEMBERED).0])?;
    let mut put = db.prepare_cached(
        "INSERT INTO jobs (queue, id, body, attempts, noted_at, due_at) VALUES (?1, ?2, ?3, 0, ?4, ?5)
         ON CONFLICT (queue, id) DO NOTHING",
    )?;
    for job in jobs {
        put.execute(params![queue, job.id, job.body, now.0, due.0])?;
    }
    Ok(())
}

fn take(
    db: &Connection,
    queue: &str,
    now: Timestamp,
    lease: Duration,
    limit: u32,
) -> rusqlite::Result<Vec<Job>> {
    let due: Vec<Job> = db
        .prepare_cached(
            "SELECT id, body, attempts, noted_at FROM jobs
             WHERE queue = ?1 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?3",
        )?
        .query_map(params![queue, now.0, limit], |row| {
            Ok(Job {
                id: row.get(0)?,
                body: row.get(1)?,
                attempts: row.get(2)?,
                noted_at: Timestamp(row.get(3)?),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut lent = db.prepare_cached("UPDATE jobs SET due_at = ?3 WHERE queue = ?1 AND id = ?2")?;
    for job in &due {
        lent.execute(params![queue, job.id, now.plus(lease).0])?;
    }
    Ok(due)
}

fn finish(db: &Connection, queue: &str, ids: &[String], now: Timestamp) -> rusqlite::Result<()> {
    let mut finish = db.prepare_cached(
        "UPDATE jobs SET due_at = NULL, done_at = ?3, body = x'' WHERE queue = ?1 AND id = ?2",
    )?;
    for id in ids {
        finish.execute(params![queue, id, now.0])?;
    }
    Ok(())
}
