//! What a device asks for on its stream. Each command becomes a call of the same verb that its
//! unary twin calls; what comes of it is its Ack.

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::end::End;
use super::run::Session;
use super::sends::Outcome;
use crate::chat::access::chat_id;
use crate::chat::limits::MAX_CLIENT_ID_CHARS;
use crate::chat::receipts::{Acknowledgement, Left};
use crate::chat::send::{Draft, Submitted, outcome};
use crate::clock::Timestamp;
use crate::error::{Error, Reason, Result};
use crate::metrics::{self, Command as Kind};
use crate::model::{ChatId, MessageId};
use crate::proto::connect_request::Command;
use crate::proto::{self, CloseReason, ack, server_frame::Frame};
use crate::trace;
use crate::wire::{self, stream_error};

/// What has come to its end beside the task.
pub(super) enum Finished {
    /// A send was checked.
    Checked { chat: String, came: Result<Submitted> },
    /// A send has its outcome.
    Stored { chat: String, id: MessageId, outcome: Outcome },
    /// Anything else.
    Command { ack_id: String, kind: Kind, came: Result<Came> },
}

/// What came of a command that is no send.
pub(super) enum Came {
    Done,
    Read(Left),
    Joined(ChatId),
    Left(ChatId),
    Refreshed(Timestamp),
}

impl Session {
    /// A command has come, or the client has ended its side.
    pub(super) fn commanded(
        &mut self,
        command: Option<std::result::Result<proto::ConnectRequest, tonic::Status>>,
    ) -> Result<(), End> {
        let request = match command {
            None => return Err(End::Finished),
            Some(Err(status)) => {
                return Err(match status.code() {
                    // What cannot be read, or is too large.
                    tonic::Code::Internal
                    | tonic::Code::InvalidArgument
                    | tonic::Code::OutOfRange
                    | tonic::Code::ResourceExhausted => {
                        End::Close(CloseReason::ProtocolError, "a request that cannot be read")
                    }
                    _ => End::Gone,
                });
            }
            Some(Ok(request)) => request,
        };
        self.heard = tokio::time::Instant::now();
        let ack_id = request.ack_id;
        if ack_id.chars().take(MAX_CLIENT_ID_CHARS + 1).count() > MAX_CLIENT_ID_CHARS {
            let error = Error::over_limit("ack_id", MAX_CLIENT_ID_CHARS, "characters");
            return self.answer(String::new(), Kind::Unknown, Err(error));
        }
        let Some(command) = request.command else {
            let error = Error::new(
                Reason::UnknownCommand,
                "no command, or one that this server does not know",
            );
            return self.answer(ack_id, Kind::Unknown, Err(error));
        };
        self.carry_out(ack_id, command)
    }

    fn carry_out(&mut self, ack_id: String, command: Command) -> Result<(), End> {
        match command {
            Command::Hello(_) => {
                let error = Error::field("hello", "only once a stream");
                self.answer(ack_id, Kind::Hello, Err(error))?;
                Err(End::Close(CloseReason::ProtocolError, "a second Hello"))
            }
            Command::MessageSend(send) => {
                let mut draft = draft(send);
                // Lines of sends go by chat, however the client spells its id.
                if let Some(chat) = ChatId::parse(&draft.chat_id) {
                    draft.chat_id = chat.to_string();
                }
                if let Some(draft) = self.sends.begin(ack_id, draft) {
                    return self.check_send(draft);
                }
                Ok(())
            }
            Command::DeliveredAck(ack) => {
                self.acknowledge(ack_id, Kind::DeliveredAck, ack.chat_id, ack.seqs, false)
            }
            Command::ReadAck(ack) => {
                self.acknowledge(ack_id, Kind::ReadAck, ack.chat_id, ack.seqs, true)
            }
            Command::TypingStart(start) => {
                self.set_typing(ack_id, Kind::TypingStart, start.chat_id, true)
            }
            Command::TypingStop(stop) => {
                self.set_typing(ack_id, Kind::TypingStop, stop.chat_id, false)
            }
            Command::JoinChat(join) => {
                self.find_chat(ack_id, Kind::JoinChat, join.chat_id, Came::Joined)
            }
            Command::LeaveChat(leave) => {
                self.find_chat(ack_id, Kind::LeaveChat, leave.chat_id, Came::Left)
            }
            Command::RefreshToken(refresh) => self.refresh(ack_id, refresh.token),
            Command::Heartbeat(beat) => {
                self.background(beat.background);
                self.answer(ack_id, Kind::Heartbeat, Ok(ack::Result::Done(proto::Done {})))
            }
        }
    }

    fn check_send(&mut self, draft: Draft) -> Result<(), End> {
        let service = Arc::clone(&self.service);
        let user = self.listener.who.user.clone();
        let chat = draft.chat_id.clone();
        let span = self.trace.step(Kind::MessageSend.name());
        let mut check = async move {
            let came = trace::within(span, service.submit(&user, draft)).await;
            Finished::Checked { chat, came }
        }
        .boxed();
        // Mostly nothing has to be read for it.
        if let Some(checked) = (&mut check).now_or_never() {
            self.finish(checked)
        } else {
            self.under_way.push(check);
            Ok(())
        }
    }

    fn acknowledge(
        &mut self,
        ack_id: String,
        kind: Kind,
        chat_id: String,
        seqs: Vec<proto::SeqRange>,
        read: bool,
    ) -> Result<(), End> {
        let service = Arc::clone(&self.service);
        let user = self.listener.who.user.clone();
        let acknowledgement = Acknowledgement {
            chat_id,
            seqs,
            read,
            session: Some(self.listener.who.session),
            device: Some((self.listener.who.device.clone(), !self.listener.in_background())),
            urgent: !ack_id.is_empty(),
        };
        self.spawn(ack_id, kind, async move {
            let left = service.acknowledge(&user, acknowledgement).await?;
            Ok(left.map_or(Came::Done, Came::Read))
        })
    }

    fn set_typing(
        &mut self,
        ack_id: String,
        kind: Kind,
        chat_id: String,
        typing: bool,
    ) -> Result<(), End> {
        let service = Arc::clone(&self.service);
        let who = self.listener.who.clone();
        self.spawn(ack_id, kind, async move {
            service.set_typing(&who.user, &chat_id, typing, Some(who.session)).await?;
            Ok(Came::Done)
        })
    }

    fn find_chat(
        &mut self,
        ack_id: String,
        kind: Kind,
        raw: String,
        came: fn(ChatId) -> Came,
    ) -> Result<(), End> {
        let service = Arc::clone(&self.service);
        let user = self.listener.who.user.clone();
        self.spawn(ack_id, kind, async move {
            let chat = chat_id(&raw)?;
            service.seated(&user, chat).await?;
            Ok(came(chat))
        })
    }

    fn refresh(&mut self, ack_id: String, token: String) -> Result<(), End> {
        let verifier = Arc::clone(&self.verifier);
        let user = self.listener.who.user.clone();
        self.spawn(ack_id, Kind::RefreshToken, async move {
            let caller = verifier.verify(&token).await?;
            if caller.user != user {
                return Err(Error::new(
                    Reason::TokenOfAnotherUser,
                    "the token is of another user than the stream",
                ));
            }
            Ok(Came::Refreshed(caller.expires_at))
        })
    }

    fn spawn(
        &mut self,
        ack_id: String,
        kind: Kind,
        command: impl Future<Output = Result<Came>> + Send + 'static,
    ) -> Result<(), End> {
        let span = self.trace.step(kind.name());
        let quiet = ack_id.is_empty() && matches!(kind, Kind::DeliveredAck | Kind::ReadAck);
        let mut command = async move {
            let came = trace::within(span.clone(), command).await;
            trace::note(span.as_ref(), Reason::outcome(&came));
            Finished::Command { ack_id, kind, came }
        }
        .boxed();
        if let Some(finished) = (&mut command).now_or_never() {
            return self.finish(finished);
        }
        if quiet {
            self.quiet.push(command);
        } else {
            self.under_way.push(command);
        }
        Ok(())
    }

    /// Something has come to its end beside the task.
    pub(super) fn finish(&mut self, finished: Finished) -> Result<(), End> {
        match finished {
            Finished::Checked { chat, came } => self.send_checked(&chat, came),
            Finished::Stored { chat, id, outcome } => {
                self.sends.stored(&chat, id, outcome);
                self.advance(&chat)
            }
            Finished::Command { ack_id, kind, came } => self.command_done(ack_id, kind, came),
        }
    }

    fn send_checked(&mut self, chat: &str, came: Result<Submitted>) -> Result<(), End> {
        let next = match came {
            Ok(submitted) => {
                let id = submitted.id;
                let chat = chat.to_owned();
                let key = chat.clone();
                self.under_way.push(
                    async move {
                        let outcome = submitted.stored().await.map(|appended| outcome(&appended));
                        Finished::Stored { chat, id, outcome }
                    }
                    .boxed(),
                );
                self.sends.checked(&key, Ok(id))
            }
            Err(error) => self.sends.checked(chat, Err(error)),
        };
        self.advance(chat)?;
        match next {
            Some(draft) => self.check_send(draft),
            None => Ok(()),
        }
    }

    fn command_done(&mut self, ack_id: String, kind: Kind, came: Result<Came>) -> Result<(), End> {
        let foreign = matches!(&came, Err(error) if error.reason == Reason::TokenOfAnotherUser);
        let mut joined = None;
        let result = came.map(|came| match came {
            Came::Done => ack::Result::Done(proto::Done {}),
            Came::Read(left) => ack::Result::ReadOutcome(left.outcome()),
            Came::Joined(chat) => {
                joined = Some(chat);
                ack::Result::Done(proto::Done {})
            }
            Came::Left(chat) => {
                self.leave(chat);
                ack::Result::Done(proto::Done {})
            }
            Came::Refreshed(at) => {
                self.token_expires_at = self.token_expires_at.max(at);
                ack::Result::RefreshOutcome(proto::RefreshOutcome {
                    token_expires_at: Some(wire::timestamp(self.token_expires_at)),
                })
            }
        });
        if let Some(chat) = joined {
            self.join(chat);
        }
        self.answer(ack_id, kind, result.map_err(|error| within(kind, error)))?;
        if foreign {
            return Err(End::Close(CloseReason::ProtocolError, "a token of another user"));
        }
        Ok(())
    }

    pub(super) fn answer_send(&mut self, ack_id: String, outcome: Outcome) -> Result<(), End> {
        let result = outcome.map(ack::Result::SendOutcome);
        let kind = Kind::MessageSend;
        self.answer(ack_id, kind, result.map_err(|error| within(kind, error)))
    }

    /// Says what came of a command. Without an id only errors are told.
    fn answer(&mut self, ack_id: String, kind: Kind, came: Result<ack::Result>) -> Result<(), End> {
        metrics::commands().of((kind, Reason::outcome(&came))).inc();
        let result = match came {
            Ok(_) if ack_id.is_empty() => return Ok(()),
            Ok(result) => result,
            Err(error) => ack::Result::Error(stream_error(&error, self.trace.id())),
        };
        self.say(Frame::Ack(proto::Ack { ack_id, result: Some(result) }))
    }
}

/// The field's path from the request of a stream.
fn within(command: Kind, error: Error) -> Error {
    if error.field.is_empty() {
        return error;
    }
    Error { field: format!("{}.{}", command.name(), error.field).into(), ..error }
}

/// A send as the rules take it.
pub fn draft(send: proto::MessageSend) -> Draft {
    Draft {
        kind: send.r#type(),
        chat_id: send.chat_id,
        client_message_id: send.client_message_id,
        text: send.text,
        attachment_ids: send.attachment_ids,
        reply_to: send.reply_to_message_id,
        mentions: send.mentions,
    }
}
