//! Redis alone: PUBLISH, one by one and pipelined. For `adda load limits`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fred::prelude::*;
use tokio::task::JoinSet;

use super::link::{Commands, at_once};
use crate::bus::BusError;

/// Who publish at once.
const PUBLISHERS: usize = 16;
/// How large an envelope with one message is, about.
const BYTES: usize = 300;

/// Publishes for this long on a channel that nobody hears, `pipeline` at a time; answers how
/// many Redis took.
pub async fn publishes(url: &str, pipeline: usize, time: Duration) -> Result<u64, BusError> {
    let commands = Arc::new(Commands::new(url)?);
    let keep = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(commands.clone().keep()));
    let until = Instant::now() + time;
    let mut publishers = JoinSet::new();
    for _ in 0..PUBLISHERS {
        let commands = commands.clone();
        publishers.spawn(async move {
            let mut count = 0;
            while Instant::now() < until {
                count += publish(&commands.client(), pipeline).await?;
            }
            Ok::<u64, Error>(count)
        });
    }
    let mut total = 0;
    while let Some(count) = publishers.join_next().await {
        let count = count.map_err(|error| BusError(error.to_string()))?;
        total += count.map_err(|error| BusError(error.to_string()))?;
    }
    drop(keep);
    Ok(total)
}

async fn publish(client: &Client, pipeline: usize) -> Result<u64, Error> {
    let text = "x".repeat(BYTES);
    if pipeline < 2 {
        let _: i64 = client.publish("adda:limit", text).await?;
        return Ok(1);
    }
    let options = fred::types::config::Options { fail_fast: false, ..at_once() };
    let together = client.pipeline().with_options(&options);
    for _ in 0..pipeline {
        let () = together.publish("adda:limit", text.as_str()).await?;
    }
    let done: Vec<i64> = together.all().await?;
    Ok(done.len() as u64)
}
