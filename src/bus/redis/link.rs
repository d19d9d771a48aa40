//! Connections to Redis: fred with every default changed that loses messages or waits for ever,
//! and tasks that never let go of one.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::SubscriberClient;
use fred::prelude::*;
use fred::types::config::{Options, Server, TcpConfig, UnresponsiveConfig};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::super::BusError;

/// How long an answer may take. All that waits for Redis fails after about this time.
pub(super) const ANSWER: Duration = Duration::from_secs(1);
/// How long connecting may take, and each step of greeting the server.
const CONNECT: Duration = Duration::from_secs(2);
/// Pause before a connection that gave up is begun anew.
const ANEW: Duration = Duration::from_millis(200);
/// How often a lasting failure is logged.
pub(super) const LOGGED: Duration = Duration::from_secs(10);
/// Messages that may wait for the listener (fred's default is 32). Falling behind more is told.
const UNREAD: usize = 8_192;
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

/// The client that subscribes; not connected yet.
pub(super) fn subscriber(url: &str) -> Result<SubscriberClient, BusError> {
    builder(url, UNREAD)?.build_subscriber_client().map_err(|error| BusError(error.to_string()))
}

/// The connection for commands.
///
/// Begun anew means with a new client: one whose connection was taken away counts for ever after
/// commands that nobody will send, and so waits to flush those that it does.
pub(super) struct Commands {
    client: Mutex<Client>,
    anew: Notify,
}

impl Commands {
    /// Not connected yet; see [`Commands::keep`].
    pub(super) fn new(url: &str) -> Result<Self, BusError> {
        let client = builder(url, 64)?.build().map_err(|error| BusError(error.to_string()))?;
        Ok(Self { client: Mutex::new(client), anew: Notify::new() })
    }

    /// The client of now. Not to be kept.
    pub(super) fn client(&self) -> Client {
        self.client.lock().clone()
    }

    /// Something is wrong that fred does not see: it watches over no connection that is written
    /// to all the time.
    pub(super) fn begin_anew(&self) {
        self.anew.notify_one();
    }

    /// Keeps it connected until dropped.
    pub(super) async fn keep(self: Arc<Self>) {
        loop {
            let client = self.client();
            keep_until(&client, self.anew.notified()).await;
            *self.client.lock() = client.clone_new();
        }
    }
}

/// Keeps a client connected, until fred gives it up or `end`. It is of no use after that.
pub(super) async fn keep_until<C>(client: &C, end: impl Future<Output = ()>)
where
    C: EventInterface,
{
    let errors = log(client.error_rx());
    let connection = AbortOnDropHandle::new(client.connect());
    tokio::select! {
        end = connection => tracing::warn!(?end, "a connection to Redis ended; beginning anew"),
        () = end => {}
        () = errors => {}
    }
    tokio::time::sleep(ANEW).await;
}

/// Logs why there is no connection, though not each time. Ends with the client.
async fn log(mut errors: broadcast::Receiver<(Error, Option<Server>)>) {
    let mut logged: Option<Instant> = None;
    loop {
        match errors.recv().await {
            Ok((error, server)) if logged.is_none_or(|logged| logged.elapsed() > LOGGED) => {
                logged = Some(Instant::now());
                tracing::warn!(%error, ?server, "no connection to Redis");
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Waits for an answer, but not longer than [`ANSWER`], whatever fred does.
pub(super) async fn answer<T>(asked: impl Future<Output = T>) -> Result<T, BusError> {
    let slack = Duration::from_millis(100);
    let answer = tokio::time::timeout(ANSWER + slack, asked).await;
    answer.map_err(|_| BusError("no answer from Redis in time".to_owned()))
}
