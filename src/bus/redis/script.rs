//! Lua scripts that touch one key each, sent in pipelines.
//!
//! Scripts are called by digest. A server that does not know one (it is new, or was restarted, or
//! is another node of the cluster) is sent the text with the same call, and knows it from then on.

use std::sync::OnceLock;

use fred::clients::{Client, Pipeline, WithOptions};
use fred::prelude::*;
use fred::types::{ClusterHash, CustomCommand, Value};

use super::link;
use crate::bus::BusError;

/// A script and, once a server told it, its digest.
pub(super) struct Script {
    text: &'static str,
    digest: OnceLock<String>,
}

/// One call of a script.
pub(super) struct Call {
    pub(super) key: String,
    pub(super) args: Vec<String>,
}

impl Script {
    pub(super) const fn new(text: &'static str) -> Self {
        Self { text, digest: OnceLock::new() }
    }

    /// Runs the script once for each of these, in one pipeline, and answers in their order.
    pub(super) async fn run(
        &self,
        client: &Client,
        calls: &[Call],
    ) -> Result<Vec<Value>, BusError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let pipeline = client.pipeline().with_options(&link::at_once());
        let digest = self.digest(client).await?;
        for call in calls {
            queue(&pipeline, call, Some(&digest), self.text).await?;
        }
        let mut answers = finish(&pipeline, calls.len()).await?;
        self.repeat_unknown(client, calls, &mut answers).await?;
        answers.into_iter().map(|answer| answer.map_err(away)).collect()
    }

    /// Sends again, with the text, what the server did not know by digest.
    async fn repeat_unknown(
        &self,
        client: &Client,
        calls: &[Call],
        answers: &mut [FredResult<Value>],
    ) -> Result<(), BusError> {
        let unknown: Vec<usize> =
            (0..calls.len()).filter(|&at| answers[at].as_ref().is_err_and(is_unknown)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let pipeline = client.pipeline().with_options(&link::at_once());
        for &at in &unknown {
            queue(&pipeline, &calls[at], None, self.text).await?;
        }
        for (at, answer) in unknown.iter().zip(finish(&pipeline, unknown.len()).await?) {
            answers[*at] = answer;
        }
        Ok(())
    }

    async fn digest(&self, client: &Client) -> Result<String, BusError> {
        if let Some(known) = self.digest.get() {
            return Ok(known.clone());
        }
        let load = CustomCommand::new_static("SCRIPT", ClusterHash::Random, false);
        let client = client.with_options(&link::at_once());
        let asked = client.custom::<String, _>(load, vec!["LOAD", self.text]);
        let told = link::answer(asked).await?.map_err(away)?;
        Ok(self.digest.get_or_init(|| told).clone())
    }
}

/// Adds one call to a pipeline: by digest if there is one, else with the text.
///
/// As commands of our own, because fred has none for scripts in pipelines.
pub(super) async fn queue(
    pipeline: &WithOptions<Pipeline<Client>>,
    call: &Call,
    digest: Option<&str>,
    text: &'static str,
) -> Result<(), BusError> {
    let (command, script) = digest.map_or(("EVAL", text), |digest| ("EVALSHA", digest));
    let command = CustomCommand::new_static(command, ClusterHash::Offset(2), false);
    let args = [script, "1", &call.key].into_iter().chain(call.args.iter().map(String::as_str));
    let args: Vec<String> = args.map(str::to_owned).collect();
    pipeline.custom::<(), _>(command, args).await.map_err(away)
}

/// Sends a pipeline. What it answers is either an answer to each command, or an error.
pub(super) async fn finish(
    pipeline: &WithOptions<Pipeline<Client>>,
    commands: usize,
) -> Result<Vec<FredResult<Value>>, BusError> {
    let mut answers = link::answer(pipeline.try_all::<Value>()).await?;
    if answers.len() == commands {
        return Ok(answers);
    }
    match answers.pop() {
        Some(Err(error)) => Err(away(error)),
        _ => Err(BusError("Redis answered something else than was asked".to_owned())),
    }
}

fn is_unknown(error: &Error) -> bool {
    error.details().contains("NOSCRIPT")
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
pub(super) fn away(error: Error) -> BusError {
    BusError(error.to_string())
}
