//! Where users' devices are: `presence:user_sockets:<user>`, a sorted set by lease expiry.
//!
//! Members are `<node>/<session>/<device>/<f or b>/<since>`. Each script touches one key, so that
//! all of it works on Redis Cluster, and reads Redis's own clock, so that no node's clock matters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fred::types::Value;
use tokio::sync::Semaphore;

use super::link::{self, Commands};
use super::script::{Call, Script};
use crate::bus::{BusError, Place, ROUTED_AFTER_EXPIRY, Result};
use crate::clock::Timestamp;
use crate::model::{DeviceId, NodeId, SessionId, UserId};

/// Users in one pipeline. More are sent one pipeline after the other, so that none takes so long
/// that it seems lost, and heartbeats get their turn between them.
const AT_ONCE: usize = 256;
/// Calls under way. More wait for their turn, and fail if it does not come in time.
const UNDER_WAY: usize = 64;

/// Arguments: lease and time kept after it in milliseconds; then for each place what its members
/// begin with, and its member. A session has one member, so another one of it makes way.
const RENEW: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease, keep = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - keep))
local there = redis.call('ZRANGE', KEYS[1], 0, -1)
local added = 0
for i = 3, #ARGV, 2 do
  local head, member, known = ARGV[i], ARGV[i + 1], false
  for _, other in ipairs(there) do
    if string.sub(other, 1, #head) == head then
      known = true
      if other ~= member then redis.call('ZREM', KEYS[1], other) end
    end
  end
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + lease), member)
  if not known then added = added + 1 end
  there[#there + 1] = member
end
redis.call('PEXPIRE', KEYS[1], lease + keep)
return added
";

/// Arguments: what the members to take away begin with.
const REMOVE: &str = r"
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  for _, head in ipairs(ARGV) do
    if string.sub(member, 1, #head) == head then redis.call('ZREM', KEYS[1], member) end
  end
end
return 0
";

/// See the module.
pub(super) struct Presence {
    commands: Arc<Commands>,
    lease: Duration,
    turns: Semaphore,
    renew: Script,
    remove: Script,
}

impl Presence {
    pub(super) fn new(commands: Arc<Commands>, lease: Duration) -> Self {
        #[cfg(mutants)]
        let lease =
            if crate::mutants::are("no-lease") { Duration::from_secs(86_400) } else { lease };
        Self {
            commands,
            lease,
            turns: Semaphore::new(UNDER_WAY),
            renew: Script::new(RENEW),
            remove: Script::new(REMOVE),
        }
    }

    pub(super) async fn renew(&self, places: &[(UserId, Place)]) -> Result<usize> {
        let settings = [millis(self.lease), millis(ROUTED_AFTER_EXPIRY)];
        let mut calls = BTreeMap::new();
        for (user, place) in places {
            let args: &mut Vec<String> = calls.entry(user).or_insert_with(|| settings.to_vec());
            args.push(head(place));
            args.push(member(place));
        }
        let mut added = 0;
        for answer in self.run(&self.renew, calls).await? {
            added += answer.as_usize().ok_or_else(odd)?;
        }
        Ok(added)
    }

    pub(super) async fn remove(&self, places: &[(UserId, Place)]) -> Result<()> {
        let mut calls: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for (user, place) in places {
            calls.entry(user).or_default().push(head(place));
        }
        self.run(&self.remove, calls).await.map(|_| ())
    }

    async fn run<'a>(
        &self,
        script: &Script,
        calls: impl IntoIterator<Item = (&'a UserId, Vec<String>)>,
    ) -> Result<Vec<Value>> {
        let calls: Vec<Call> =
            calls.into_iter().map(|(user, args)| Call { key: key(user), args }).collect();
        let turn = link::answer(self.turns.acquire()).await?;
        let _turn = turn.map_err(|closed| BusError(closed.to_string()))?;
        let mut answers = Vec::with_capacity(calls.len());
        for some in calls.chunks(AT_ONCE) {
            answers.extend(script.run(&self.commands.client(), some).await?);
        }
        Ok(answers)
    }
}

pub(super) fn key(user: &UserId) -> String {
    format!("presence:user_sockets:{user}")
}

/// What all members of this session begin with.
fn head(place: &Place) -> String {
    format!("{}/{}/", place.node, place.session)
}

fn member(place: &Place) -> String {
    let ground = if place.foreground { 'f' } else { 'b' };
    format!("{}{}/{ground}/{}", head(place), place.device, place.since.0)
}

pub(super) fn place(member: &str) -> Option<Place> {
    let mut parts = member.split('/');
    let place = Place {
        node: NodeId::parse(parts.next()?)?,
        session: SessionId::parse(parts.next()?)?,
        device: DeviceId::parse(parts.next()?)?,
        foreground: match parts.next()? {
            "f" => true,
            "b" => false,
            _ => return None,
        },
        since: Timestamp(parts.next()?.parse().ok()?),
    };
    parts.next().is_none().then_some(place)
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

pub(super) fn odd() -> BusError {
    BusError("Redis answered something else than was asked".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn a_member_is_read_as_it_was_written() {
        for foreground in [true, false] {
            let written = Place {
                node: NodeId::new("n1"),
                session: SessionId::parse(SESSION).unwrap(),
                device: DeviceId::new("my:phone@home"),
                foreground,
                since: Timestamp(1_700_000_000_000),
            };
            assert_eq!(place(&member(&written)), Some(written));
        }
    }

    #[test]
    fn what_is_no_member_is_no_place() {
        let good = format!("n1/{SESSION}/phone/f/17");
        assert!(place(&good).is_some());
        for bad in [
            String::new(),
            "n1".to_owned(),
            format!("n1/{SESSION}/phone/f"),
            format!("n1/{SESSION}/phone/x/17"),
            format!("n1/{SESSION}/phone/f/soon"),
            format!("{good}/more"),
            format!("/{SESSION}/phone/f/17"),
            "n1/abc/phone/f/17".to_owned(),
        ] {
            assert!(place(&bad).is_none(), "{bad}");
        }
    }
}
