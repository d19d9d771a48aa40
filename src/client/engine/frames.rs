//! What a stream says: merged in one transaction, as much as is there, and then acted upon.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::live::{InFlight, Listing};
use super::{End, Engine, Line};
use crate::client::apply::{Apply, Effects};
use crate::client::disk::sets::{self, Kind};
use crate::client::disk::{self, Checkpoint, chats, outbox};
use crate::client::merge::{Count, millis};
use crate::client::news::{self, News};
use crate::client::trouble::Trouble;
use crate::model::Run;
use crate::proto::{self, ConnectResponse, ResumeOutcome, ack, server_frame::Frame};

/// How long before a token's end another is asked for, at most.
const REFRESH_BEFORE: Duration = Duration::from_secs(60);

/// What frames ask for once they are on the disk.
#[derive(Default)]
struct Next {
    ready: Option<proto::Ready>,
    caught_up: bool,
    failed: Vec<(String, String)>,
    /// Direct chats that are not there, or not under this name.
    lost: Vec<(String, String)>,
    answered: Vec<(InFlight, Option<Trouble>)>,
    token_expires_at: Option<prost_types::Timestamp>,
    checkpoint: Option<Checkpoint>,
    close: Option<proto::Close>,
}

impl Engine {
    pub(super) fn frames(&mut self, frames: Vec<ConnectResponse>) -> Result<(), End> {
        let Line::Up(live) = &mut self.line else { return Ok(()) };
        let (mut next, mut effects) = (Next::default(), Effects::default());
        let me = self.me.as_str();
        self.disk.write(|db| {
            let mut apply = Apply { db, me, effects: &mut effects };
            for frame in frames {
                let Some(frame) = frame.frame.and_then(|frame| frame.frame) else { continue };
                match frame {
                    Frame::Ready(ready) => {
                        if ready.resume_outcome() != ResumeOutcome::Resumed {
                            chats::all_stale(db, disk::checkpoint(db)?.as_of)?;
                            live.listing = Some(Listing::default());
                        }
                        live.is_ready(&ready);
                        next.ready = Some(ready);
                    }
                    Frame::Ack(ack) => {
                        let what = live.in_flight.remove(&ack.ack_id);
                        if is_lost(db, &ack, what.as_ref(), &mut live.lost, &mut next)? {
                            next.answered.extend(what.map(|what| (what, None)));
                        } else {
                            take_ack(&mut apply, ack, what, &mut next)?;
                        }
                    }
                    Frame::Event(event) => apply.event(event)?,
                    Frame::CaughtUp(_) => next.caught_up = true,
                    Frame::Checkpoint(at) => {
                        let as_of = millis(at.as_of.as_ref()).unwrap_or_default();
                        next.checkpoint = Some(Checkpoint { token: at.resume_token, as_of });
                    }
                    Frame::Heartbeat(_) => {}
                    Frame::Close(close) => next.close = Some(close),
                }
            }
            // In the transaction of what it covers; none while stale chats are being listed.
            if let Some(checkpoint) = next.checkpoint.take() {
                if live.listing.is_some() {
                    live.checkpoint = Some(checkpoint);
                } else {
                    disk::keep_checkpoint(db, &checkpoint)?;
                }
            }
            Ok(())
        })?;
        if let Some(listing) = &mut live.listing {
            listing.heard.extend(effects.heard.iter().cloned());
        }
        live.close = next.close.take();
        self.act(next)?;
        self.effects(effects)
    }

    fn act(&mut self, next: Next) -> Result<(), End> {
        if let Some(ready) = next.ready {
            self.ready(&ready)?;
        }
        for (chat, why) in next.lost {
            self.lost(&chat, &why)?;
        }
        for (what, trouble) in next.answered {
            self.answered(what, trouble.as_ref());
        }
        for (id, why) in next.failed {
            let text = outbox::get(self.disk.db(), &id)?.map(|row| row.text).unwrap_or_default();
            self.tell(News::Failed { client_message_id: id, text, why });
        }
        if let Some(at) = next.token_expires_at {
            self.token_ends(Some(&at), None);
        }
        if next.caught_up {
            if let Line::Up(live) = &mut self.line {
                live.caught_up = true;
            }
            self.tell_link(news::Link::Up);
        }
        Ok(())
    }

    /// The stream is open: what was under way on the last one begins again.
    fn ready(&mut self, ready: &proto::Ready) -> Result<(), End> {
        if ready.user_id != self.me {
            let why = format!("the token is of {}, not of {}", ready.user_id, self.me);
            self.cut(Trouble::Over(why));
            return Ok(());
        }
        self.presence.retain(|_, presence| !presence.online);
        self.token_ends(ready.token_expires_at.as_ref(), ready.server_time.as_ref());
        if ready.resume_outcome() != ResumeOutcome::Resumed {
            self.list_chats(String::new());
        }
        let peers: Vec<_> = self.peers.iter().cloned().collect();
        for peer in peers.into_iter().chain(outbox::peers(self.disk.db())?) {
            self.find_peer(peer);
        }
        let on_screen: Vec<_> = self.screen.keys().cloned().collect();
        for chat in on_screen {
            self.show(&chat)?;
        }
        // What is kept but not known to be is acknowledged again.
        for chat in chats::ids(self.disk.db())? {
            self.receipts_soon(&chat, Kind::Delivered);
            self.receipts_soon(&chat, Kind::Read);
            self.mend(&chat)?;
        }
        Ok(())
    }

    /// The stream's token ends then: another is asked for in time.
    fn token_ends(
        &mut self,
        at: Option<&prost_types::Timestamp>,
        server_time: Option<&prost_types::Timestamp>,
    ) {
        if !self.link.sign_in.renews() {
            return;
        }
        let now = millis(server_time).unwrap_or_else(|| self.clock.now());
        let Line::Up(live) = &mut self.line else { return };
        let Some(at) = millis(at) else { return };
        let left = at.since(now);
        let ahead = left.saturating_sub(REFRESH_BEFORE).max(left / 2);
        live.token_due = Some(Instant::now() + ahead.max(Duration::from_secs(1)));
    }
}

/// Whether a send failed because its direct chat is not there: it is looked for once a stream.
fn is_lost(
    db: &rusqlite::Connection,
    ack: &proto::Ack,
    what: Option<&InFlight>,
    lost: &mut HashSet<String>,
    next: &mut Next,
) -> rusqlite::Result<bool> {
    let Some(ack::Result::Error(error)) = &ack.result else { return Ok(false) };
    let Some(InFlight::Send { chat, client_message_id: id }) = what else { return Ok(false) };
    if error.reason() != proto::ErrorReason::ChatNotFound {
        return Ok(false);
    }
    if outbox::is_unaddressed(db, id)? {
        // It is being looked for already.
        return Ok(true);
    }
    let Some(peer) = chats::peer_of(db, chat)? else { return Ok(false) };
    let first = lost.insert(peer);
    if first {
        next.lost.push((chat.clone(), error.message.clone()));
    }
    Ok(first)
}

/// An answer to a command.
fn take_ack(
    apply: &mut Apply<'_>,
    ack: proto::Ack,
    what: Option<InFlight>,
    next: &mut Next,
) -> rusqlite::Result<()> {
    let trouble = match &ack.result {
        Some(ack::Result::Error(error)) => Some(Trouble::of_error(error)),
        _ => None,
    };
    match &what {
        Some(InFlight::Send { chat, client_message_id: id }) => match (&trouble, ack.result) {
            (None, Some(ack::Result::SendOutcome(outcome))) => apply.stored(chat, id, &outcome)?,
            (Some(Trouble::Over(why)), _) => {
                outbox::fail(apply.db, id, why)?;
                next.failed.push((id.clone(), why.clone()));
            }
            _ => {}
        },
        Some(InFlight::Receipts { chat, kind, runs }) => {
            if trouble.is_none() {
                receipts_stored(apply, chat, *kind, runs)?;
            }
            if let Some(ack::Result::ReadOutcome(outcome)) = &ack.result {
                let count = Count { unread: outcome.unread_count, last_seq: outcome.last_seq };
                chats::adopt(apply.db, chat, count)?;
            }
        }
        Some(InFlight::Other) | None => {
            if let Some(ack::Result::RefreshOutcome(outcome)) = ack.result {
                next.token_expires_at = outcome.token_expires_at;
            }
        }
    }
    next.answered.extend(what.map(|what| (what, trouble)));
    Ok(())
}

fn receipts_stored(
    apply: &Apply<'_>,
    chat: &str,
    kind: Kind,
    runs: &[Run],
) -> rusqlite::Result<()> {
    sets::add(apply.db, chat, apply.me, Kind::Delivered, runs)?;
    if kind == Kind::Read {
        sets::add(apply.db, chat, apply.me, Kind::Read, runs)?;
    }
    Ok(())
}
