//! Unary calls for a session, wherever it lives; and which of two streams of one device stays.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Service;
use super::hub::{Delivery, Listener, SessionCommand, Who};
use super::limits::{NODE_ANSWERS_WITHIN, PRESENCE_WITHIN};
use crate::bus::{Found, To};
use crate::clock::Timestamp;
use crate::error::{Error, Reason, Result};
use crate::model::{ChatId, DeviceId, NodeId, SessionId, UserId};
use crate::proto::{self, node};

/// Calls to other nodes that wait for their answer.
#[derive(Debug, Default)]
pub struct Calls {
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<node::SessionAnswer>>>,
}

impl Calls {
    /// An answer has come.
    pub(super) fn answered(&self, answer: &node::SessionAnswer) {
        if let Some(waiting) = self.waiting.lock().remove(&answer.call_id) {
            // Who gave up waiting needs it no more.
            let _gave_up = waiting.send(*answer);
        }
    }
}

fn not_found() -> Error {
    Error::new(Reason::SessionNotFound, "no live stream of yours has this session_id: open one")
}

fn unreachable() -> Error {
    Error::new(Reason::NodeUnreachable, "the node of this session cannot be reached from here")
}

/// Reads the `session_id` of a call.
pub fn session_id(raw: &str) -> Result<SessionId> {
    if raw.is_empty() {
        return Err(Error::field("session_id", "must be set"));
    }
    SessionId::parse(raw).ok_or_else(not_found)
}

/// Whether the stream that says Hello now takes the place of the one that is there.
pub fn supersedes(new: u32, old: u32) -> bool {
    new == 0 || old == 0 || new >= old
}

impl Service {
    /// Carries a command to a session of this user, on whichever node; answers when its token
    /// expires.
    pub async fn call_session(
        self: &Arc<Self>,
        user: &UserId,
        session: SessionId,
        command: SessionCommand,
    ) -> Result<Timestamp> {
        let command = match command {
            SessionCommand::Join(chat) | SessionCommand::Leave(chat) => {
                self.seated(user, chat).await?;
                command
            }
            SessionCommand::Typing(chat, typing) => {
                let seated = self.seated(user, chat).await?;
                let cut = typing && self.is_cut(user, &seated.roster).await?;
                SessionCommand::Typing(chat, typing && !cut)
            }
            SessionCommand::Heartbeat { .. } => command,
        };
        if let Some(listener) = self.hub.session(session) {
            return self.call_here(&listener, user, command).await.ok_or_else(not_found);
        }
        if !self.bus.has_peers() {
            return Err(not_found());
        }
        let found =
            tokio::time::timeout(PRESENCE_WITHIN, self.bus.find(std::slice::from_ref(user)));
        let Ok(Ok(places)) = found.await else { return Err(unreachable()) };
        let place = places.into_iter().flatten().find(|found| found.place.session == session);
        let node = place.map(|found| found.place.node).filter(|node| node != self.bus.node());
        let answer = self.call_there(node.ok_or_else(not_found)?, user, session, command).await?;
        if answer.found { Ok(Timestamp(answer.token_expires_at)) } else { Err(not_found()) }
    }

    async fn call_here(
        &self,
        listener: &Listener,
        user: &UserId,
        command: SessionCommand,
    ) -> Option<Timestamp> {
        if listener.who.user != *user {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        listener.deliver(Delivery::Call(Box::new((command, answer))));
        tokio::time::timeout(NODE_ANSWERS_WITHIN, answered).await.ok()?.ok()
    }

    async fn call_there(
        &self,
        to: NodeId,
        user: &UserId,
        session: SessionId,
        command: SessionCommand,
    ) -> Result<node::SessionAnswer> {
        let call_id = self.calls.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.calls.waiting.lock().insert(call_id, answer);
        let (command, token_expires_at) = to_wire(command);
        let call = node::SessionCall {
            call_id,
            session_id: session.to_string(),
            user_id: user.to_string(),
            command: Some(command),
            token_expires_at,
        };
        self.publish(To::Nodes(vec![to]), node::envelope::Body::Call(call));
        let answer = tokio::time::timeout(NODE_ANSWERS_WITHIN, answered).await;
        self.calls.waiting.lock().remove(&call_id);
        answer.ok().and_then(std::result::Result::ok).ok_or_else(unreachable)
    }

    /// A call of another node for a session here.
    pub(super) fn hear_call(self: &Arc<Self>, from: NodeId, call: node::SessionCall) {
        let service = Arc::clone(self);
        self.run(async move {
            let ids = (SessionId::parse(&call.session_id), UserId::parse(&call.user_id));
            let (Some(session), Some(user)) = ids else { return };
            let listener = service.hub.session(session);
            if let (Some(listener), Some(node::session_call::Command::Superseded(_))) =
                (&listener, &call.command)
            {
                if listener.who.user == user {
                    listener.deliver(Delivery::Superseded);
                }
                return;
            }
            let expires = match (listener, from_wire(&call)) {
                (Some(listener), Some(command)) => {
                    service.call_here(&listener, &user, command).await
                }
                _ => None,
            };
            let answer = node::SessionAnswer {
                call_id: call.call_id,
                found: expires.is_some(),
                token_expires_at: expires.map_or(0, |at| at.0),
            };
            service.publish(To::Nodes(vec![from]), node::envelope::Body::Answer(answer));
        });
    }

    /// Tells the nodes on which this device has other streams that a new one is there.
    pub(crate) fn tell_opened(&self, who: &Who, places: &[Found]) {
        let nodes: Vec<NodeId> = places
            .iter()
            .filter(|found| found.place.device == who.device && found.place.session != who.session)
            .map(|found| found.place.node.clone())
            .filter(|node| node != self.bus.node())
            .collect();
        let opened = node::SessionOpened {
            session_id: who.session.to_string(),
            user_id: who.user.to_string(),
            device_id: who.device.to_string(),
            instance_id: who.instance.clone(),
            generation: who.generation,
        };
        self.publish(To::Nodes(nodes), node::envelope::Body::Opened(opened));
    }

    /// Another node has a new stream: of the same device and instance only one stays.
    pub(super) fn hear_opened(&self, from: &NodeId, opened: &node::SessionOpened) {
        let ids = (UserId::parse(&opened.user_id), DeviceId::parse(&opened.device_id));
        let (Some(user), Some(device)) = ids else { return };
        for listener in self.hub.of(&user) {
            let who = &listener.who;
            if who.device != device || who.instance != opened.instance_id {
                continue;
            }
            if supersedes(opened.generation, who.generation) {
                listener.deliver(Delivery::Superseded);
            } else {
                let call = node::SessionCall {
                    call_id: 0,
                    session_id: opened.session_id.clone(),
                    user_id: opened.user_id.clone(),
                    command: Some(node::session_call::Command::Superseded(
                        node::SessionSuperseded {},
                    )),
                    token_expires_at: 0,
                };
                let to = To::Nodes(vec![from.clone()]);
                self.publish(to, node::envelope::Body::Call(call));
            }
        }
    }
}

fn to_wire(command: SessionCommand) -> (node::session_call::Command, i64) {
    use node::session_call::Command;
    match command {
        SessionCommand::Join(chat) => {
            (Command::JoinChat(proto::JoinChat { chat_id: chat.to_string() }), 0)
        }
        SessionCommand::Leave(chat) => {
            (Command::LeaveChat(proto::LeaveChat { chat_id: chat.to_string() }), 0)
        }
        SessionCommand::Typing(chat, true) => {
            (Command::TypingStart(proto::TypingStart { chat_id: chat.to_string() }), 0)
        }
        SessionCommand::Typing(chat, false) => {
            (Command::TypingStop(proto::TypingStop { chat_id: chat.to_string() }), 0)
        }
        SessionCommand::Heartbeat { background, token_expires_at } => {
            (Command::Heartbeat(proto::Heartbeat { background }), token_expires_at.0)
        }
    }
}

fn from_wire(call: &node::SessionCall) -> Option<SessionCommand> {
    use node::session_call::Command;
    match call.command.as_ref()? {
        Command::JoinChat(join) => ChatId::parse(&join.chat_id).map(SessionCommand::Join),
        Command::LeaveChat(leave) => ChatId::parse(&leave.chat_id).map(SessionCommand::Leave),
        Command::TypingStart(start) => {
            ChatId::parse(&start.chat_id).map(|chat| SessionCommand::Typing(chat, true))
        }
        Command::TypingStop(stop) => {
            ChatId::parse(&stop.chat_id).map(|chat| SessionCommand::Typing(chat, false))
        }
        Command::Heartbeat(beat) => Some(SessionCommand::Heartbeat {
            background: beat.background,
            token_expires_at: Timestamp(call.token_expires_at),
        }),
        Command::Superseded(_) => None,
    }
}
