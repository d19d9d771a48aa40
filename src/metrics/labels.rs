//! What tells the series of a metric apart. All values are known beforehand, and none is an id.

use crate::proto::{CloseReason, ErrorReason, ResumeOutcome};

/// The values of one label, or of several together, numbered from 0.
pub trait Labels: Copy {
    /// The names of the labels.
    const KEYS: &'static [&'static str];
    /// How many values there are.
    const COUNT: usize;

    /// The number of this one, below `COUNT`.
    fn index(self) -> usize;

    /// What the one of this number is called, a name for each of `KEYS`.
    fn values(index: usize) -> Vec<&'static str>;
}

/// Every pair; `KEYS` cannot be put together from two constants, so each pair names its own.
macro_rules! pairs {
    ($($a:ident, $b:ident: $keys:expr;)*) => {$(
        impl Labels for ($a, $b) {
            const KEYS: &'static [&'static str] = &$keys;
            const COUNT: usize = $a::COUNT * $b::COUNT;

            fn index(self) -> usize {
                self.0.index() * $b::COUNT + self.1.index()
            }

            fn values(index: usize) -> Vec<&'static str> {
                let mut values = $a::values(index / $b::COUNT);
                values.extend($b::values(index % $b::COUNT));
                values
            }
        }
    )*};
}

/// A label whose values are listed here.
macro_rules! labels {
    ($($(#[doc = $doc:literal])+ $name:ident($key:literal) { $($value:ident = $text:expr),* $(,)? })*) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is named as it is told")]
        pub enum $name { $($value),* }

        impl $name {
            const NAMES: &'static [&'static str] = &[$($text),*];

            /// As it is told.
            pub fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }
        }

        impl Labels for $name {
            const KEYS: &'static [&'static str] = &[$key];
            const COUNT: usize = Self::NAMES.len();

            fn index(self) -> usize {
                self as usize
            }

            fn values(index: usize) -> Vec<&'static str> {
                vec![Self::NAMES[index]]
            }
        }
    )*};
}

pairs! {
    Command, Outcome: ["command", "outcome"];
    Method, Outcome: ["method", "outcome"];
    Operation, Answer: ["operation", "outcome"];
    Direction, Envelope: ["direction", "kind"];
}

labels! {
    /// Which call a stream was opened by.
    Stream("kind") { Connect = "connect", Subscribe = "subscribe" }

    /// A command of a stream, by its name in `ConnectRequest`.
    Command("command") {
        Hello = "hello",
        MessageSend = "message_send",
        DeliveredAck = "delivered_ack",
        ReadAck = "read_ack",
        TypingStart = "typing_start",
        TypingStop = "typing_stop",
        JoinChat = "join_chat",
        LeaveChat = "leave_chat",
        RefreshToken = "refresh_token",
        Heartbeat = "heartbeat",
        Unknown = "unknown",
    }

    /// A call of `ChatService`.
    Method("method") {
        Connect = "Connect",
        Subscribe = "Subscribe",
        SendMessage = "SendMessage",
        AckDelivered = "AckDelivered",
        AckRead = "AckRead",
        MarkMessageRead = "MarkMessageRead",
        MarkChatRead = "MarkChatRead",
        SetTyping = "SetTyping",
        JoinChat = "JoinChat",
        LeaveChat = "LeaveChat",
        Heartbeat = "Heartbeat",
        CreateChat = "CreateChat",
        GetChat = "GetChat",
        ListChats = "ListChats",
        ListMessages = "ListMessages",
        Unknown = "unknown",
    }

    /// How a send came.
    Via("via") { Stream = "stream", Call = "call" }

    /// What was too full for a stream that had to be told something.
    Queue("queue") { Outbox = "outbox", Inbox = "inbox", Held = "held" }

    /// What had no room for typing or presence.
    Dropped("queue") { Outbox = "outbox", Typing = "typing" }

    /// Which store.
    Backend("store") { Sqlite = "sqlite", MongoDb = "mongodb" }

    /// What the store was asked, by the name in its contract.
    Operation("operation") {
        Ping = "ping",
        Keys = "keys",
        Append = "append",
        ByClientId = "by_client_id",
        Heads = "heads",
        History = "history",
        Messages = "messages",
        Message = "message",
        Log = "log",
        WrittenIn = "written_in",
        Senders = "senders",
        DeleteMessage = "delete_message",
        ChangedMessages = "changed_messages",
        CreateChat = "create_chat",
        Chats = "chats",
        Members = "members",
        Member = "member",
        Pairs = "pairs",
        Memberships = "memberships",
        CountMemberships = "count_memberships",
        ChangedChats = "changed_chats",
        Mark = "mark",
        ChangedReceipts = "changed_receipts",
        CountUnread = "count_unread",
        PutProfile = "put_profile",
        PutLastActive = "put_last_active",
        Users = "users",
        Now = "now",
    }

    /// What the store answered. `refused` is a good answer, too: by the rules, no.
    Answer("outcome") {
        Ok = "ok",
        Refused = "refused",
        Busy = "busy",
        Unavailable = "unavailable",
        Broken = "broken",
    }

    /// Which way over the bus.
    Direction("direction") { In = "in", Out = "out" }

    /// What nodes tell each other.
    Envelope("kind") {
        Message = "message",
        TellUsers = "tell_users",
        Typing = "typing",
        Presence = "presence",
        Opened = "opened",
        Call = "call",
        Answer = "answer",
        Unknown = "unknown",
    }

    /// By what a loss on the bus was noticed.
    Gap("cause") {
        Number = "number",
        Silence = "silence",
        Connection = "connection",
        Overflow = "overflow",
    }

    /// Whether something went well.
    Went("outcome") { Well = "ok", Badly = "failed" }

    /// What may be ready or not.
    Part("part") { Store = "store", Bus = "bus", Node = "node" }

    /// Which adda this is.
    Build("version") { This = env!("CARGO_PKG_VERSION") }
}

impl Went {
    /// Well, if it is no error.
    pub fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Well } else { Self::Badly }
    }
}

impl Method {
    /// The call of this path, `/adda.v1.ChatService/SendMessage`.
    pub fn of_path(path: &str) -> Self {
        const ALL: [Method; 15] = [
            Method::Connect,
            Method::Subscribe,
            Method::SendMessage,
            Method::AckDelivered,
            Method::AckRead,
            Method::MarkMessageRead,
            Method::MarkChatRead,
            Method::SetTyping,
            Method::JoinChat,
            Method::LeaveChat,
            Method::Heartbeat,
            Method::CreateChat,
            Method::GetChat,
            Method::ListChats,
            Method::ListMessages,
        ];
        let Some(name) = path.strip_prefix("/adda.v1.ChatService/") else { return Self::Unknown };
        ALL.into_iter().find(|method| method.name() == name).unwrap_or(Self::Unknown)
    }
}

/// What came of a call or a command: `OK`, or the reason as in `ErrorInfo.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome(u8);

impl Outcome {
    /// It was done.
    pub const OK: Self = Self(0);

    /// It failed, for the reason of this number in the contract.
    pub fn failed(reason: ErrorReason) -> Self {
        let number = u8::try_from(i32::from(reason)).unwrap_or(0);
        if usize::from(number) < Self::COUNT { Self(number) } else { Self::OK }
    }
}

impl Labels for Outcome {
    const KEYS: &'static [&'static str] = &["outcome"];
    const COUNT: usize = 26;

    fn index(self) -> usize {
        usize::from(self.0)
    }

    fn values(index: usize) -> Vec<&'static str> {
        let reason = i32::try_from(index).ok().filter(|number| *number > 0);
        let reason = reason.and_then(|number| ErrorReason::try_from(number).ok());
        vec![reason.map_or("OK", |reason| without("ERROR_REASON_", reason.as_str_name()))]
    }
}

/// Why a stream ended: a reason of the contract, `FINISHED` where the client ended it, `GONE`
/// where the connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending(u8);

/// The reasons a stream is closed for.
const CLOSED: [CloseReason; 12] = [
    CloseReason::SlowConsumer,
    CloseReason::MissedHeartbeat,
    CloseReason::Move,
    CloseReason::ShuttingDown,
    CloseReason::Overloaded,
    CloseReason::Unavailable,
    CloseReason::Internal,
    CloseReason::TokenExpired,
    CloseReason::Superseded,
    CloseReason::SessionRevoked,
    CloseReason::ProtocolError,
    CloseReason::ClientTooOld,
];

impl Ending {
    /// The client ended its side.
    pub const FINISHED: Self = Self(0);
    /// The connection broke.
    pub const GONE: Self = Self(1);

    /// The server closed it.
    pub fn closed(reason: CloseReason) -> Self {
        let at = CLOSED.iter().position(|closed| *closed == reason);
        Self(at.and_then(|at| u8::try_from(at + 2).ok()).unwrap_or(Self::GONE.0))
    }
}

impl Labels for Ending {
    const KEYS: &'static [&'static str] = &["reason"];
    const COUNT: usize = CLOSED.len() + 2;

    fn index(self) -> usize {
        usize::from(self.0)
    }

    fn values(index: usize) -> Vec<&'static str> {
        vec![match index {
            0 => "FINISHED",
            1 => "GONE",
            at => without("CLOSE_REASON_", CLOSED[at - 2].as_str_name()),
        }]
    }
}

impl Labels for ResumeOutcome {
    const KEYS: &'static [&'static str] = &["outcome"];
    const COUNT: usize = 3;

    fn index(self) -> usize {
        match self {
            Self::Unspecified | Self::Fresh => 0,
            Self::Resumed => 1,
            Self::Gap => 2,
        }
    }

    fn values(index: usize) -> Vec<&'static str> {
        let outcome = [Self::Fresh, Self::Resumed, Self::Gap][index];
        vec![without("RESUME_OUTCOME_", outcome.as_str_name())]
    }
}

fn without(prefix: &str, name: &'static str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_contract_has_a_place() {
        for number in 1..1_000 {
            let Ok(reason) = ErrorReason::try_from(number) else { continue };
            let outcome = Outcome::failed(reason);
            let name = format!("ERROR_REASON_{}", Outcome::values(outcome.index())[0]);
            assert_eq!(name, reason.as_str_name());
        }
        for number in 1..1_000 {
            let Ok(reason) = CloseReason::try_from(number) else { continue };
            let name =
                format!("CLOSE_REASON_{}", Ending::values(Ending::closed(reason).index())[0]);
            assert_eq!(name, reason.as_str_name());
        }
        for number in 1..10 {
            let Ok(outcome) = ResumeOutcome::try_from(number) else { continue };
            let name = format!("RESUME_OUTCOME_{}", ResumeOutcome::values(outcome.index())[0]);
            assert_eq!(name, outcome.as_str_name());
        }
    }

    #[test]
    fn every_call_of_the_contract_has_a_place() {
        let proto = include_str!("../../proto/adda/v1/chat_service.proto");
        let calls = proto.lines().filter_map(|line| line.trim().strip_prefix("rpc "));
        let mut found = 0;
        for call in calls.filter_map(|call| call.split('(').next()) {
            let method = Method::of_path(&format!("/adda.v1.ChatService/{call}"));
            assert_eq!(method.name(), call);
            found += 1;
        }
        assert_eq!(found, Method::COUNT - 1);
        assert_eq!(Method::of_path("/adda.v1.ChatService/alice"), Method::Unknown);
    }

    #[test]
    fn a_pair_has_a_place_of_its_own() {
        let pair = (Command::ReadAck, Outcome::failed(ErrorReason::ChatNotFound));
        let names = <(Command, Outcome)>::values(pair.index());
        assert_eq!(names, ["read_ack", "CHAT_NOT_FOUND"]);
    }
}
