//! How much one user may send: as much as one person does, and a hostile client no more.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::error::{Error, Reason, Result};
use crate::model::UserId;

/// In this time a user may send as many messages as are allowed, also all at once.
const WINDOW: Duration = Duration::from_secs(10);

type Instant = <MonotonicClock as governor::clock::Clock>::Instant;
type Limiter =
    RateLimiter<UserId, DefaultKeyedStateStore<UserId>, MonotonicClock, NoOpMiddleware<Instant>>;

/// Who has sent how much of late: the generic cell rate algorithm, by user.
pub struct Rate(Option<Limiter>);

impl Rate {
    /// This many in ten seconds; `None`: any number.
    pub fn new(messages: Option<NonZeroU32>) -> Self {
        Self(messages.and_then(|messages| {
            let quota = Quota::with_period(WINDOW / messages.get())?.allow_burst(messages);
            Some(RateLimiter::new(quota, DefaultKeyedStateStore::default(), MonotonicClock))
        }))
    }

    /// One more; refused with the time to wait.
    pub fn check(&self, user: &UserId) -> Result<()> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(user).map_err(|until| {
            let wait = until.wait_time_from(MonotonicClock.now());
            let mut error =
                Error::new(Reason::RateLimited, "you send too many messages; wait a little");
            error.retry_after = Some(wait.max(Duration::from_millis(1)));
            error
        })
    }

    /// Forgets who has been quiet.
    pub fn sweep(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
        }
    }
}

impl std::fmt::Debug for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Rate").field(&self.0.is_some()).finish()
    }
}
