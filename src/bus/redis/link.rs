//! Connections to Redis: fred with every default changed that loses messages or waits for ever,
//! and a task that never lets go of one.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::SubscriberClient;
use fred::prelude::*;
use fred::types::config::{Options, TcpConfig, UnresponsiveConfig};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::super::BusError;

/// How long an answer may take. All that waits for Redis fails after about this time.
pub(super) const ANSWER: Duration = Duration::from_secs(1);
/// How long connecting may take, and each step of greeting the server.
const CONNECT: Duration = Duration::from_secs(2);
/// Pause before a connection that gave up is begun anew.
const ANEW: Duration = Duration::from_millis(200);
/// Messages that may wait for the listener (fred's default is 32). Falling behind more is told.
const UNREAD: usize = 16_384;
/// Commands and pipelines that may wait for the connection (fred's default is without bound).
/// Far more than the bus has under way, because fred gives up a connection for good when its own
/// wish to reconnect finds this queue full.
const UNSENT: usize = 4_096;

/// What every command is sent with: no waiting for a connection that is away, and another try
/// only to follow a cluster's redirection.
pub(super) fn at_once() -> Options {
    Options { fail_fast: true, max_attempts: Some(3), timeout: Some(ANSWER), ..Options::default() }
}

fn builder(url: &str, unread: usize) -> Result<Builder, BusError> {
    let mut config = Config::from_url(url).map_err(|error| BusError(error.to_string()))?;
    config.fail_fast = false;
    let mut policy = ReconnectPolicy::new_exponential(0, 10, 1_000, 2);
    policy.set_jitter(20);
    let mut builder = Builder::from_config(config);
    builder.set_policy(policy);
    builder.with_performance_config(|performance| {
        performance.default_command_timeout = ANSWER;
        performance.broadcast_channel_capacity = unread;
    });
    builder.with_connection_config(|connection| {
        connection.connection_timeout = CONNECT;
        connection.internal_command_timeout = CONNECT;
        connection.max_command_buffer_len = UNSENT;
        connection.reconnect_on_auth_error = true;
        connection.unresponsive =
            UnresponsiveConfig { max_timeout: Some(CONNECT), interval: ANSWER };
        connection.tcp = TcpConfig { nodelay: Some(true), ..TcpConfig::default() };
    });
    Ok(builder)
}

/// The client for commands; not connected yet.
pub(super) fn commands(url: &str) -> Result<Client, BusError> {
    builder(url, 64)?.build().map_err(|error| BusError(error.to_string()))
}

/// The client that subscribes; not connected yet.
pub(super) fn subscriber(url: &str) -> Result<SubscriberClient, BusError> {
    builder(url, UNREAD)?.build_subscriber_client().map_err(|error| BusError(error.to_string()))
}

/// Keeps a client connected until it is dropped: when fred gives up, and when it does not notice
/// that it should (`anew`; fred does not watch over a connection that only listens, nor over one
/// that is written to all the time).
pub(super) async fn keep<C: ClientLike + 'static>(client: C, anew: Arc<Notify>) {
    loop {
        let connection = AbortOnDropHandle::new(client.connect());
        tokio::select! {
            end = connection => {
                let error = end.map_err(|error| error.to_string())
                    .map(|end| end.err().map(|error| error.to_string()));
                tracing::warn!(?error, "a connection to Redis ended; beginning anew");
            }
            () = anew.notified() => {
                tracing::warn!("no sign of life from Redis; connecting anew");
            }
        }
        tokio::time::sleep(ANEW).await;
    }
}

/// Waits for an answer, but not longer than [`ANSWER`], whatever fred does.
pub(super) async fn answer<T>(asked: impl Future<Output = T>) -> Result<T, BusError> {
    let slack = Duration::from_millis(100);
    let answer = tokio::time::timeout(ANSWER + slack, asked).await;
    answer.map_err(|_| BusError("no answer from Redis in time".to_owned()))
}
