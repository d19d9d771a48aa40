//! Where users are, asked together: what is asked while answers are awaited goes with the next
//! pipeline, each user once. Every message asks for its members, so this decides how many a node
//! can send.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::prelude::*;
use fred::types::{ClusterHash, CustomCommand, Value};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, oneshot};

use super::link::{self, Commands};
use super::presence::{key, odd, place};
use super::script;
use crate::bus::{BusError, Found, ROUTED_AFTER_EXPIRY, Result};
use crate::clock::Timestamp;
use crate::model::UserId;

/// Users in one pipeline, if not one question alone has more.
const AT_ONCE: usize = 256;
/// Pipelines under way. More would be smaller, and cost more a user.
const UNDER_WAY: usize = 4;
/// Questions that may wait. More wait for room, as long as for an answer.
const WAITING: usize = 4_096;

/// Asks for many.
pub(super) struct Finder(mpsc::Sender<Ask>);

/// The end that the asking task holds.
pub(super) struct Asks(mpsc::Receiver<Ask>);

struct Ask {
    /// At most [`AT_ONCE`].
    users: Vec<UserId>,
    answer: oneshot::Sender<Result<Vec<Vec<Found>>>>,
}

impl Finder {
    pub(super) fn new() -> (Self, Asks) {
        let (asks, asked) = mpsc::channel(WAITING);
        (Self(asks), Asks(asked))
    }

    /// The places of these users, in their order.
    pub(super) async fn find(&self, users: &[UserId]) -> Result<Vec<Vec<Found>>> {
        let mut found = Vec::with_capacity(users.len());
        for some in users.chunks(AT_ONCE) {
            found.extend(link::answer(self.find_some(some)).await??);
        }
        Ok(found)
    }

    async fn find_some(&self, users: &[UserId]) -> Result<Vec<Vec<Found>>> {
        let ended = || BusError("the bus is closed".to_owned());
        let (answer, found) = oneshot::channel();
        let ask = Ask { users: users.to_vec(), answer };
        self.0.send(ask).await.map_err(|_| ended())?;
        found.await.map_err(|_| ended())?
    }
}

impl Asks {
    /// Asks until nobody is there to be answered.
    pub(super) async fn run(mut self, commands: Arc<Commands>, lease: Duration) {
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                first = self.0.recv(), if under_way.len() < UNDER_WAY => {
                    let Some(first) = first else { return };
                    let asks = self.with_more(first);
                    under_way.push(answer(commands.client(), asks, lease));
                }
                Some(()) = under_way.next() => {}
            }
        }
    }

    fn with_more(&mut self, first: Ask) -> Vec<Ask> {
        let mut users = first.users.len();
        let mut asks = vec![first];
        while users < AT_ONCE
            && let Ok(ask) = self.0.try_recv()
        {
            users += ask.users.len();
            asks.push(ask);
        }
        // Who has given up needs no answer.
        asks.retain(|ask| !ask.answer.is_closed());
        asks
    }
}

/// Answers these with one pipeline.
async fn answer(client: Client, asks: Vec<Ask>, lease: Duration) {
    let mut index = HashMap::new();
    let mut users = Vec::new();
    for user in asks.iter().flat_map(|ask| &ask.users) {
        index.entry(user).or_insert_with(|| {
            users.push(user);
            users.len() - 1
        });
    }
    let found = look(&client, &users, lease).await;
    let of = |user: &UserId, found: &[Vec<Found>]| {
        index.get(user).and_then(|at| found.get(*at)).cloned().unwrap_or_default()
    };
    let answers: Vec<Result<Vec<Vec<Found>>>> = asks
        .iter()
        .map(|ask| match &found {
            Ok(found) => Ok(ask.users.iter().map(|user| of(user, found)).collect()),
            Err(error) => Err(BusError(error.0.clone())),
        })
        .collect();
    for (ask, answer) in asks.into_iter().zip(answers) {
        // Who has given up needs no answer.
        drop(ask.answer.send(answer));
    }
}

async fn look(client: &Client, users: &[&UserId], lease: Duration) -> Result<Vec<Vec<Found>>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let pipeline = client.pipeline().with_options(&link::at_once());
    // Redis's own clock, so that no node's matters.
    let time = CustomCommand::new_static("TIME", ClusterHash::Random, false);
    pipeline.custom::<(), String>(time, Vec::new()).await.map_err(script::away)?;
    for user in users {
        let range = CustomCommand::new_static("ZRANGE", ClusterHash::FirstKey, false);
        let args = [key(user), "0".into(), "-1".into(), "WITHSCORES".into()];
        pipeline.custom::<(), String>(range, args.to_vec()).await.map_err(script::away)?;
    }
    let answers = script::finish(&pipeline, users.len() + 1).await?;
    let mut answers = answers.into_iter().map(|answer| answer.map_err(script::away));
    let now = answers.next().ok_or_else(odd)?.and_then(|time| clock(&time))?;
    answers.map(|answer| answer.and_then(|members| found(members, now, lease))).collect()
}

/// What TIME answers: seconds and microseconds.
fn clock(time: &Value) -> Result<Timestamp> {
    let Value::Array(parts) = time else { return Err(odd()) };
    let [seconds, micros] = parts.as_slice() else { return Err(odd()) };
    Ok(Timestamp(number(seconds)? * 1000 + number(micros)? / 1000))
}

/// Members, each followed by its lease's end, that are still good for routing.
fn found(members: Value, now: Timestamp, lease: Duration) -> Result<Vec<Found>> {
    let Value::Array(members) = members else { return Err(odd()) };
    let mut found = Vec::with_capacity(members.len() / 2);
    for pair in members.chunks_exact(2) {
        let end = Timestamp(number(&pair[1])?);
        if end <= now.minus(ROUTED_AFTER_EXPIRY) {
            continue;
        }
        let Some(place) = pair[0].as_str().and_then(|member| place(&member)) else {
            tracing::warn!("presence holds something that is no place; left out");
            continue;
        };
        found.push(Found { place, live: end > now, renewed_at: end.minus(lease) });
    }
    Ok(found)
}

fn number(value: &Value) -> Result<i64> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(odd)
}
