//! What requests of `ChatService` say, in the words of the rules.

use tonic::Streaming;

use crate::chat::edit::EditDraft;
use crate::chat::history::Anchor;
use crate::chat::limits::HELLO_WITHIN;
use crate::chat::receipts::Acknowledgement;
use crate::chat::search::Question;
use crate::clock::Timestamp;
use crate::error::{Error, Reason, Result};
use crate::proto::{self, connect_request::Command};
use crate::wire;

pub(super) fn acknowledgement(
    chat_id: String,
    seqs: Vec<proto::SeqRange>,
    read: bool,
) -> Acknowledgement {
    Acknowledgement { chat_id, seqs, read, session: None, device: None, urgent: true }
}

pub(super) fn anchor(
    given: Option<&proto::list_messages_request::Anchor>,
) -> Result<Option<Anchor>> {
    use proto::list_messages_request::Anchor as Given;
    Ok(match given {
        None => None,
        Some(Given::BeforeSeq(seq)) => Some(Anchor::Before(*seq)),
        Some(Given::AfterSeq(seq)) => Some(Anchor::After(*seq)),
        Some(Given::ChangedSince(at)) => Some(Anchor::changed_since(time("changed_since", at)?)),
    })
}

pub(super) fn time(field: &'static str, at: &prost_types::Timestamp) -> Result<Timestamp> {
    wire::from_timestamp(at).ok_or_else(|| Error::field(field, "not a valid time"))
}

pub(super) fn edit(body: proto::EditMessageRequest) -> EditDraft {
    EditDraft {
        chat_id: body.chat_id,
        message_id: body.message_id,
        text: body.text,
        mentions: body.mentions,
    }
}

pub(super) fn question(body: proto::SearchMessagesRequest) -> Result<Question> {
    Ok(Question {
        since: body.since.map(|at| time("since", &at)).transpose()?,
        until: body.until.map(|at| time("until", &at)).transpose()?,
        query: body.query,
        chat_id: body.chat_id,
        sender_id: body.sender_id,
        size: body.page_size,
        token: body.page_token,
    })
}

/// The Hello of a stream, which must come first and soon.
pub(super) async fn first_command(
    commands: &mut Streaming<proto::ConnectRequest>,
) -> Result<proto::Hello> {
    let expected = || Error::new(Reason::HelloExpected, "the first command must be Hello");
    let first = tokio::time::timeout(HELLO_WITHIN, commands.message()).await;
    let first = first.map_err(|_| Error::new(Reason::TimedOut, "no Hello came"))?;
    match first.map_err(|status| super::edge::error_of(&status))?.and_then(|r| r.command) {
        Some(Command::Hello(hello)) => Ok(hello),
        Some(_) | None => Err(expected()),
    }
}
