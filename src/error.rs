//! The one road from an error to what a client sees: a Status of a call, or an Error on a stream.
//!
//! Whatever fails above the store becomes an [`Error`] with a [`Reason`]; `rpc` turns that into
//! the one or the other. The cause is kept for the log and never sent.

use std::borrow::Cow;
use std::time::Duration;

use crate::files::{self, Refused};
use crate::metrics::Outcome;
use crate::proto;
use crate::store::{AppendError, StoreError};

/// What the house answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call or a command failed. The number is the one of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is explained at ErrorReason in proto/adda/v1/error.proto")]
pub enum Reason {
    TokenMissing = 1,
    TokenInvalid = 2,
    TokenExpired = 3,
    ChatNotFound = 4,
    MessageNotFound = 5,
    RoleTooLow = 6,
    Blocked = 7,
    RateLimited = 8,
    FieldInvalid = 9,
    ClientIdReused = 10,
    PageTokenInvalid = 11,
    HelloExpected = 12,
    TooManySessions = 13,
    StoreUnavailable = 14,
    ShuttingDown = 15,
    Internal = 16,
    SessionNotFound = 17,
    TokenOfAnotherUser = 18,
    UnknownCommand = 19,
    TooLarge = 20,
    TimedOut = 21,
    ChatFull = 22,
    TooManyChats = 23,
    TooManyRuns = 24,
    NodeUnreachable = 25,
    EditWindowOver = 26,
    MessageNotChangeable = 27,
    TooManyReactions = 28,
    TooManyMembers = 29,
    NotAGroup = 30,
    ScopeMissing = 31,
    UserNotFound = 32,
    AttachmentNotFound = 33,
    AttachmentTypeRefused = 34,
    TooManyUploads = 35,
    TooManyBlocks = 36,
    TooManyDevices = 37,
    TokenRevoked = 38,
    NotConfigured = 39,
}

/// A failure that a client is told of.
#[derive(Debug, thiserror::Error)]
#[error("{reason:?}: {message}")]
pub struct Error {
    /// What a client switches on.
    pub reason: Reason,
    /// For developers, in English; never message text.
    pub message: Cow<'static, str>,
    /// The field at fault, as a path from the command: `text`, `seqs[2]`; empty: no one field.
    pub field: Cow<'static, str>,
    /// The same may be repeated after this long; `None`: repeating changes nothing.
    pub retry_after: Option<Duration>,
    /// Figures a client may want to show.
    pub metadata: Vec<(&'static str, String)>,
    /// For the log alone.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of this reason, with the pause that the contract promises for it.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            message: message.into(),
            field: Cow::Borrowed(""),
            retry_after: reason.pause(),
            metadata: Vec::new(),
            source: None,
        }
    }

    /// A field that is not as it must be.
    pub fn field(
        field: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: field.into(), ..Self::new(Reason::FieldInvalid, message) }
    }

    /// A field that is over its limit; the limit is told as `limit`.
    pub fn over_limit(field: &'static str, limit: impl std::fmt::Display, what: &str) -> Self {
        let limit = limit.to_string();
        let mut error = Self::field(field, format!("at most {limit} {what}"));
        error.metadata.push(("limit", limit));
        error
    }

    /// No such chat, or none of the caller's: the two look alike.
    pub fn chat_not_found() -> Self {
        Self::new(Reason::ChatNotFound, "no such chat, or you are no member of it")
    }

    /// No such message, or none the caller may see.
    pub fn message_not_found() -> Self {
        Self::new(Reason::MessageNotFound, "no such message in this chat")
    }

    /// No such attachment, or none the caller may have.
    pub fn attachment_not_found() -> Self {
        Self::new(Reason::AttachmentNotFound, "no such attachment")
    }

    /// One of the two has blocked the other; which, is not said.
    pub fn blocked() -> Self {
        Self::new(Reason::Blocked, "one of you two has blocked the other")
    }

    /// A fault of ours; the cause goes to the log.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(Reason::Internal, "a fault of the server; try again")
        }
    }
}

impl Reason {
    /// As in the contract.
    pub fn proto(self) -> proto::ErrorReason {
        proto::ErrorReason::try_from(self as i32).unwrap_or_default()
    }

    /// How what came of a call or a command is counted.
    pub fn outcome<T>(came: &Result<T>) -> Outcome {
        came.as_ref().map_or_else(|error| Outcome::failed(error.reason.proto()), |_| Outcome::OK)
    }

    /// How long to wait before repeating, where repeating helps.
    fn pause(self) -> Option<Duration> {
        match self {
            Self::RateLimited
            | Self::StoreUnavailable
            | Self::ShuttingDown
            | Self::Internal
            | Self::TimedOut
            | Self::NodeUnreachable => Some(Duration::from_secs(1)),
            Self::TooManySessions => Some(Duration::from_secs(10)),
            _ => None,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Busy => Self {
                source: Some(Box::new(error)),
                ..Self::new(Reason::StoreUnavailable, "the store cannot be reached; try again")
            },
            StoreError::Broken(source) => Self::internal(source),
        }
    }
}

impl From<files::Failure> for Error {
    fn from(error: files::Failure) -> Self {
        Self {
            source: Some(Box::new(error)),
            ..Self::new(Reason::StoreUnavailable, "attachments cannot be reached; try again")
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Type => Self::new(
                Reason::AttachmentTypeRefused,
                "files of this kind are not taken, whatever they are called",
            ),
            Refused::Broken(why) => Self::new(Reason::AttachmentTypeRefused, why),
            Refused::Pixels => Self::over_limit("data", files::MAX_PIXELS, "pixels a picture"),
            Refused::Size => {
                Self::field("description.size_bytes", "must be exactly how many bytes come")
            }
            Refused::Failure(failure) => failure.into(),
        }
    }
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Store(error) => error.into(),
            AppendError::NotMember => Self::chat_not_found(),
            AppendError::Reused => Self::new(
                Reason::ClientIdReused,
                "this client_message_id was used for another content; the first stays",
            ),
            AppendError::Full => {
                Self::new(Reason::ChatFull, "the chat has all the messages a chat can have")
            }
        }
    }
}
