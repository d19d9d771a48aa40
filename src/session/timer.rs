//! What a stream does by the clock: heartbeats, Checkpoints, comparing, and its ends by silence
//! or by the token's expiry.

use std::time::Duration;

use tokio::time::Instant;

use super::end::End;
use super::run::Session;
use super::until;
use crate::chat::Service;
use crate::chat::limits::COMPARE_EVERY;
use crate::clock::Timestamp;
use crate::proto::{self, CloseReason, server_frame::Frame};

/// At the latest after this the wall clock is asked whether the token has expired: it may have
/// been set forward.
const TOKEN_LOOK: Duration = Duration::from_secs(60);

impl Session {
    pub(super) fn next_due(&self) -> Instant {
        let mut due = (self.heard + self.timeout)
            .min(self.said + self.heartbeat)
            .min(self.compare_due)
            .min(self.token_due);
        if let Some(at) = self.checkpoint_due.filter(|_| self.replay.is_none()) {
            due = due.min(at);
        }
        due
    }

    pub(super) fn timer(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let expiry = self.token_expires_at.plus(self.times.token_leeway);
        if expiry <= self.service.clock.now() {
            return Err(End::Close(CloseReason::TokenExpired, "the token has run out"));
        }
        if now >= self.token_due {
            // The wall clock was set back since.
            self.token_due = token_due(&self.service, expiry);
        }
        if now >= self.heard + self.timeout {
            let excused = self.unheard_until().unwrap_or(self.heard);
            if now < excused + self.timeout {
                self.heard = excused;
                return Ok(());
            }
            return Err(End::Close(CloseReason::MissedHeartbeat, "nothing came from the client"));
        }
        if self.checkpoint_due.is_some_and(|due| now >= due) && self.replay.is_none() {
            self.checkpoint()?;
        }
        if now >= self.compare_due {
            self.compare_due = now + COMPARE_EVERY;
            self.compare_with_store(None);
        }
        if now >= self.said + self.heartbeat {
            self.say(Frame::Heartbeat(proto::Heartbeat { background: None }))?;
        }
        Ok(())
    }

    /// Until when signs of life may have been lost on their way: those of a Subscribe come by any
    /// node.
    fn unheard_until(&self) -> Option<Instant> {
        if self.commands.is_some() { None } else { self.service.unheard_until() }
    }
}

/// When to look whether a token has expired.
pub(super) fn token_due(service: &Service, expiry: Timestamp) -> Instant {
    let left = until(service.clock.now(), expiry).min(TOKEN_LOOK);
    Instant::now() + left + Duration::from_millis(1)
}
