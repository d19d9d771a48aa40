//! What arrived is acknowledged once it is on the disk, and what was on screen is read: in runs,
//! own messages among them, gathered for a moment.

use std::time::Duration;

use tokio::time::Instant;

use super::live::InFlight;
use super::{End, Engine, Line};
use crate::client::disk::chats;
use crate::client::disk::sets::Kind;
use crate::model::Run;
use crate::proto::connect_request::Command;
use crate::proto::{DeliveredAck, ReadAck, SeqRange};

/// How long acknowledgements are gathered.
const GATHER: Duration = Duration::from_millis(250);
/// Runs in one command.
const MAX_RUNS: usize = 256;

impl Engine {
    /// Something of a chat may have to be acknowledged.
    pub(super) fn receipts_soon(&mut self, chat: &str, kind: Kind) {
        let Line::Up(live) = &mut self.line else { return };
        let key = (chat.to_owned(), kind);
        live.receipts_due.entry(key).or_insert_with(|| Instant::now() + GATHER);
    }

    /// Acknowledges what is due: one unanswered a chat and kind at a time.
    pub(super) fn pump_acks(&mut self, now: Instant) -> Result<(), End> {
        let Line::Up(live) = &mut self.line else { return Ok(()) };
        if !live.ready {
            return Ok(());
        }
        let due: Vec<_> = live
            .receipts_due
            .iter()
            .filter(|(_, at)| now >= **at)
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            live.receipts_due.remove(&key);
            if live.receipts_sent.contains(&key) {
                // Its answer looks again.
                continue;
            }
            let (chat, kind) = &key;
            let mut runs = chats::untold(self.disk.db(), &self.me, chat, *kind)?;
            runs.truncate(MAX_RUNS);
            if runs.is_empty() {
                continue;
            }
            let command = command(chat.clone(), *kind, &runs);
            let what = InFlight::Receipts { chat: chat.clone(), kind: *kind, runs };
            let ack_id = live.ack_id();
            if live.command(ack_id, command, what) {
                live.receipts_sent.insert(key);
            } else {
                live.receipts_due.insert(key, now + GATHER);
            }
        }
        Ok(())
    }
}

fn command(chat_id: String, kind: Kind, runs: &[Run]) -> Command {
    let seqs = runs.iter().map(|run| SeqRange { first: run.first, last: run.last }).collect();
    match kind {
        Kind::Delivered => Command::DeliveredAck(DeliveredAck { chat_id, seqs }),
        Kind::Read | Kind::Seen => Command::ReadAck(ReadAck { chat_id, seqs }),
    }
}
