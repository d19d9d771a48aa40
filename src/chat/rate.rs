//! How much may be asked: as much as one person does, and a hostile client no more.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::error::{Error, Reason, Result};
use crate::model::UserId;

/// In this time as much may be asked as is allowed, also all at once.
pub const WINDOW: Duration = Duration::from_secs(10);
/// The same for opening streams.
const STREAMS_WINDOW: Duration = Duration::from_secs(60);

type Instant = <MonotonicClock as governor::clock::Clock>::Instant;
type Limiter<K> =
    RateLimiter<K, DefaultKeyedStateStore<K>, MonotonicClock, NoOpMiddleware<Instant>>;

/// Who has asked how much of late: the generic cell rate algorithm, by user or by address.
pub struct Rate<K: Clone + Eq + Hash> {
    limiter: Option<Limiter<K>>,
    refusal: &'static str,
}

impl<K: Clone + Eq + Hash> Rate<K> {
    /// This many in this time; `None`: any number. Who asks more is told so in these words.
    pub fn new(count: Option<NonZeroU32>, window: Duration, refusal: &'static str) -> Self {
        let limiter = count.and_then(|count| {
            let quota = Quota::with_period(window / count.get())?.allow_burst(count);
            Some(RateLimiter::new(quota, DefaultKeyedStateStore::default(), MonotonicClock))
        });
        Self { limiter, refusal }
    }

    /// One more; refused with the time to wait.
    pub fn check(&self, who: &K) -> Result<()> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.check_key(who).map_err(|until| {
            let wait = until.wait_time_from(MonotonicClock.now());
            let mut error = Error::new(Reason::RateLimited, self.refusal);
            error.retry_after = Some(wait.max(Duration::from_millis(1)));
            error
        })
    }

    /// Forgets who has been quiet.
    pub fn sweep(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
        }
    }
}

impl<K: Clone + Eq + Hash> std::fmt::Debug for Rate<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Rate").field(&self.limiter.is_some()).finish()
    }
}

/// What a user may do how often, through one node; `None`: as often as they like.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserLimits {
    /// Messages in 10 s.
    pub messages: Option<NonZeroU32>,
    /// Calls in 10 s.
    pub calls: Option<NonZeroU32>,
    /// Streams opened in a minute.
    pub streams: Option<NonZeroU32>,
}

/// What users did of late.
#[derive(Debug)]
pub struct UserRates {
    messages: Rate<UserId>,
    calls: Rate<UserId>,
    streams: Rate<UserId>,
}

impl UserRates {
    /// Nobody has done anything.
    pub fn new(limits: UserLimits) -> Self {
        let UserLimits { messages, calls, streams } = limits;
        Self {
            messages: Rate::new(messages, WINDOW, "you send too many messages; wait a little"),
            calls: Rate::new(calls, WINDOW, "you call too often; wait a little"),
            streams: Rate::new(streams, STREAMS_WINDOW, "you open too many streams; wait a little"),
        }
    }

    /// One message more.
    pub fn message(&self, user: &UserId) -> Result<()> {
        self.messages.check(user)
    }

    /// One call more.
    pub fn call(&self, user: &UserId) -> Result<()> {
        self.calls.check(user)
    }

    /// One stream more.
    pub fn stream(&self, user: &UserId) -> Result<()> {
        self.streams.check(user)
    }

    /// Forgets who has been quiet.
    pub fn sweep(&self) {
        self.messages.sweep();
        self.calls.sweep();
        self.streams.sweep();
    }
}
