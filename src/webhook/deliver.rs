//! Requests to one endpoint: some at once, each tried again until it is taken.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode};

use super::Shared;
use crate::metrics::{self, Hook};
use crate::store::{Job, StoreError};

/// Requests to one endpoint at once, from one node.
const AT_ONCE: u32 = 32;
/// How long an endpoint may take to answer.
const WITHIN: Duration = Duration::from_secs(10);
/// Who takes a job has it for this long: longer than a request takes.
const LEASE: Duration = Duration::from_secs(30);
/// Without a sign of new work it is looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The first pause after a failure, tripled each time, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// After so long it is given up.
const GIVE_UP: Duration = Duration::from_secs(3 * 24 * 3600);

/// What sends all requests.
pub(super) fn client() -> reqwest::Result<Client> {
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(WITHIN)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("adda/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Why an attempt failed.
enum Failed {
    /// No answer.
    Silent,
    /// An answer that says no, and perhaps when to come again.
    Refused(StatusCode, Option<Duration>),
}

/// Tells one endpoint, until all is to stop.
pub(super) async fn run(shared: Arc<Shared>, endpoint: usize, client: Client) {
    let queue = shared.queue(endpoint);
    loop {
        let work = shared.work.notified();
        match some(&shared, &queue, endpoint, &client).await {
            Ok(0) => {}
            Ok(_) if shared.stop.is_cancelled() => return,
            // There may be more.
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "cannot read what webhooks are to tell"),
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = work => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Tries some; answers how many.
async fn some(
    shared: &Shared,
    queue: &str,
    endpoint: usize,
    client: &Client,
) -> Result<usize, StoreError> {
    let jobs = shared.store.take_jobs(queue, LEASE, AT_ONCE).await?;
    let count = jobs.len();
    let attempts = jobs.into_iter().map(|job| async move {
        let sent = post(shared, endpoint, client, &job).await;
        (job, sent)
    });
    let mut attempts: FuturesUnordered<_> = attempts.collect();
    let mut done = Vec::new();
    while let Some((job, sent)) = attempts.next().await {
        match sent {
            Ok(()) => {
                metrics::webhooks().of(Hook::Delivered).inc();
                done.push(job.id);
            }
            Err(failed) => {
                if let Some(id) = put_off(shared, queue, job, &failed).await? {
                    done.push(id);
                }
            }
        }
    }
    shared.store.finish_jobs(queue, &done).await?;
    Ok(count)
}

async fn post(shared: &Shared, endpoint: usize, client: &Client, job: &Job) -> Result<(), Failed> {
    let seconds = shared.clock.now().0 / 1000;
    let url = shared.options.urls.get(endpoint).ok_or(Failed::Silent)?;
    let request = client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", &job.id)
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", shared.options.key.sign(&job.id, seconds, &job.body))
        .body(job.body.clone());
    let answer = request.send().await.map_err(|_| Failed::Silent)?;
    if answer.status().is_success() {
        return Ok(());
    }
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
    Err(Failed::Refused(answer.status(), after))
}

/// Later again; `Some`: not again.
async fn put_off(
    shared: &Shared,
    queue: &str,
    job: Job,
    failed: &Failed,
) -> Result<Option<String>, StoreError> {
    let (status, asked) = match failed {
        Failed::Silent => (0, None),
        Failed::Refused(status, after) => (status.as_u16(), *after),
    };
    if shared.clock.now().since(job.noted_at) >= GIVE_UP {
        metrics::webhooks().of(Hook::GivenUp).inc();
        tracing::error!(id = job.id, status, attempts = job.attempts, "a webhook is given up");
        return Ok(Some(job.id));
    }
    metrics::webhooks().of(Hook::Failed).inc();
    tracing::debug!(id = job.id, status, attempts = job.attempts, "a webhook is tried again later");
    let pause =
        asked.unwrap_or_default().max(pause(job.attempts, rand::random())).min(LONGEST_PAUSE);
    shared.store.put_off_job(queue, &job.id, pause).await?;
    Ok(None)
}

/// Exponential, with a fifth of it at random either way. `chance` is from 0 to 1.
fn pause(attempts: u32, chance: f64) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(3_u32.saturating_pow(attempts.min(10)));
    pause.min(LONGEST_PAUSE).mul_f64(0.8 + 0.4 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_an_hour() {
        assert_eq!(pause(0, 0.5), Duration::from_secs(5));
        assert_eq!(pause(2, 0.5), Duration::from_secs(45));
        assert_eq!(pause(9, 0.5), LONGEST_PAUSE);
        assert_eq!(pause(u32::MAX, 0.0), LONGEST_PAUSE.mul_f64(0.8));
    }
}
