//! Work that some node must do.

use std::time::Duration;

use async_trait::async_trait;

use super::{Measured, timed};
use crate::metrics::Operation;
use crate::model::{MessageId, NodeId};
use crate::store::{Job, Jobs, NewJob, Result};

#[async_trait]
impl Jobs for Measured {
    async fn put_jobs(&self, queue: &str, jobs: Vec<NewJob>) -> Result<()> {
        timed(Operation::PutJobs, self.0.put_jobs(queue, jobs)).await
    }

    async fn put_job_later(&self, queue: &str, job: NewJob, after: Duration) -> Result<()> {
        timed(Operation::PutJobs, self.0.put_job_later(queue, job, after)).await
    }

    async fn take_jobs(&self, queue: &str, lease: Duration, limit: u32) -> Result<Vec<Job>> {
        timed(Operation::TakeJobs, self.0.take_jobs(queue, lease, limit)).await
    }

    async fn finish_jobs(&self, queue: &str, ids: &[String]) -> Result<()> {
        timed(Operation::FinishJobs, self.0.finish_jobs(queue, ids)).await
    }

    async fn put_off_job(&self, queue: &str, id: &str, after: Duration) -> Result<()> {
        timed(Operation::PutOffJob, self.0.put_off_job(queue, id, after)).await
    }

    async fn put_jobs_forward(&self, queue: &str, prefix: &str) -> Result<()> {
        timed(Operation::PutJobsForward, self.0.put_jobs_forward(queue, prefix)).await
    }

    async fn count_jobs(&self, queue: &str) -> Result<u32> {
        timed(Operation::CountJobs, self.0.count_jobs(queue)).await
    }

    async fn take_turn(
        &self,
        name: &str,
        holder: &NodeId,
        lease: Duration,
        start: MessageId,
    ) -> Result<Option<MessageId>> {
        timed(Operation::TakeTurn, self.0.take_turn(name, holder, lease, start)).await
    }

    async fn move_turn(&self, name: &str, holder: &NodeId, to: MessageId) -> Result<bool> {
        timed(Operation::MoveTurn, self.0.move_turn(name, holder, to)).await
    }
}
