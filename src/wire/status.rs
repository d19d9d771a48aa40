//! From an [`Error`] to the wire: a Status for a call, a `proto::Error` for a stream.
//!
//! Both say the same. What the server is to blame for is logged here, with its cause and under
//! the id that the client is told; the cause is never sent.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::MonotonicClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::error::{Error, Reason};
use crate::proto;
use crate::trace::TraceId;

/// `ErrorInfo.domain` of all our errors.
pub const DOMAIN: &str = "adda";

impl Reason {
    /// The `google.rpc.Code` that the contract gives each reason, in brackets in `error.proto`.
    pub fn code(self) -> Code {
        match self {
            Self::TokenMissing | Self::TokenInvalid | Self::TokenExpired | Self::TokenRevoked => {
                Code::Unauthenticated
            }
            Self::ChatNotFound
            | Self::MessageNotFound
            | Self::UserNotFound
            | Self::AttachmentNotFound => Code::NotFound,
            Self::RoleTooLow | Self::Blocked | Self::TokenOfAnotherUser | Self::ScopeMissing => {
                Code::PermissionDenied
            }
            Self::FieldInvalid
            | Self::PageTokenInvalid
            | Self::HelloExpected
            | Self::AttachmentTypeRefused => Code::InvalidArgument,
            Self::ClientIdReused => Code::AlreadyExists,
            Self::RateLimited
            | Self::TooManySessions
            | Self::TooLarge
            | Self::TooManyChats
            | Self::TooManyRuns
            | Self::TooManyReactions
            | Self::TooManyMembers
            | Self::TooManyUploads
            | Self::TooManyBlocks
            | Self::TooManyDevices => Code::ResourceExhausted,
            Self::StoreUnavailable | Self::ShuttingDown | Self::NodeUnreachable => {
                Code::Unavailable
            }
            Self::Internal => Code::Internal,
            Self::SessionNotFound
            | Self::ChatFull
            | Self::EditWindowOver
            | Self::MessageNotChangeable
            | Self::NotAGroup => Code::FailedPrecondition,
            Self::UnknownCommand | Self::NotConfigured => Code::Unimplemented,
            Self::TimedOut => Code::DeadlineExceeded,
        }
    }

    /// As in `ErrorInfo.reason`: `CHAT_NOT_FOUND`.
    pub fn name(self) -> &'static str {
        let name = self.proto().as_str_name();
        name.strip_prefix("ERROR_REASON_").unwrap_or(name)
    }
}

/// A Status for a call that failed.
pub fn status(error: &Error, id: TraceId) -> Status {
    log(error);
    let metadata: HashMap<String, String> = metadata(error).collect();
    let mut details = ErrorDetails::with_error_info(error.reason.name(), DOMAIN, metadata);
    if error.reason == Reason::FieldInvalid || !error.field.is_empty() {
        details.add_bad_request_violation(error.field.as_ref(), error.message.as_ref());
    }
    if let Some(pause) = error.retry_after {
        details.set_retry_info(Some(pause));
    }
    details.set_request_info(id.to_string(), "");
    Status::with_error_details(error.reason.code(), error.message.as_ref(), details)
}

/// The same for a command of a stream.
pub fn stream_error(error: &Error, id: TraceId) -> proto::Error {
    log(error);
    proto::Error {
        code: error.reason.code() as i32,
        reason: error.reason.proto().into(),
        message: error.message.to_string(),
        field: error.field.to_string(),
        retry_after: error.retry_after.map(duration),
        metadata: metadata(error).collect(),
        request_id: id.to_string(),
    }
}

fn metadata(error: &Error) -> impl Iterator<Item = (String, String)> {
    error.metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone()))
}

fn duration(of: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(of.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(of.subsec_nanos()).unwrap_or(0),
    }
}

/// Failures of the store that are logged.
const A_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

type Instant = <MonotonicClock as governor::clock::Clock>::Instant;
type Few = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>;

/// Logs what is the server's fault; what is the client's where each call is logged. The log's
/// span of the call or stream holds the id. While the store is away every command fails: of those
/// the log has some a second, and how many it left out; the metrics count all.
fn log(error: &Error) {
    static FEW: LazyLock<Few> = LazyLock::new(|| {
        RateLimiter::direct_with_clock(Quota::per_second(A_SECOND), MonotonicClock)
    });
    static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

    let cause = error.source.as_deref().map(|source| Causes(source)).map(tracing::field::display);
    let (reason, message) = (error.reason.name(), &error.message);
    match error.reason {
        Reason::Internal => tracing::error!(reason, cause, "failed: {message}"),
        Reason::StoreUnavailable if FEW.check().is_err() => {
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        }
        Reason::StoreUnavailable => {
            let left_out = LEFT_OUT.swap(0, Ordering::Relaxed);
            let left_out = (left_out > 0).then_some(left_out);
            tracing::warn!(reason, cause, left_out, "failed: {message}");
        }
        _ => tracing::debug!(reason, "refused"),
    }
}

/// An error and what caused it, on one line.
struct Causes<'a>(&'a (dyn StdError + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::error::Reason as R;

    const ALL: [Reason; 39] = [
        R::TokenMissing,
        R::TokenInvalid,
        R::TokenExpired,
        R::ChatNotFound,
        R::MessageNotFound,
        R::RoleTooLow,
        R::Blocked,
        R::RateLimited,
        R::FieldInvalid,
        R::ClientIdReused,
        R::PageTokenInvalid,
        R::HelloExpected,
        R::TooManySessions,
        R::StoreUnavailable,
        R::ShuttingDown,
        R::Internal,
        R::SessionNotFound,
        R::TokenOfAnotherUser,
        R::UnknownCommand,
        R::TooLarge,
        R::TimedOut,
        R::ChatFull,
        R::TooManyChats,
        R::TooManyRuns,
        R::NodeUnreachable,
        R::EditWindowOver,
        R::MessageNotChangeable,
        R::TooManyReactions,
        R::TooManyMembers,
        R::NotAGroup,
        R::ScopeMissing,
        R::UserNotFound,
        R::AttachmentNotFound,
        R::AttachmentTypeRefused,
        R::TooManyUploads,
        R::TooManyBlocks,
        R::TooManyDevices,
        R::TokenRevoked,
        R::NotConfigured,
    ];

    /// Reason, number and code of each value in `error.proto`.
    fn contract() -> Vec<(String, i32, String)> {
        let proto = include_str!("../../proto/adda/v1/error.proto");
        let body = proto.split_once("enum ErrorReason {").unwrap().1.split_once("\n}").unwrap().0;
        let mut code = String::new();
        let mut values = Vec::new();
        for line in body.lines().map(str::trim) {
            if let Some((_, rest)) = line.split_once('[') {
                rest.split_once(']').unwrap().0.clone_into(&mut code);
            } else if let Some(value) = line.strip_prefix("ERROR_REASON_") {
                let (name, number) = value.trim_end_matches(';').split_once(" = ").unwrap();
                values.push((name.to_owned(), number.parse().unwrap(), std::mem::take(&mut code)));
            }
        }
        values
    }

    fn shouted(camel: &str) -> String {
        let mut name = String::new();
        for c in camel.chars() {
            if c.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.extend(c.to_uppercase());
        }
        name
    }

    #[test]
    fn every_reason_is_in_the_contract_and_the_contract_has_no_other() {
        let contract = contract();
        assert_eq!(contract.len(), ALL.len() + 1, "the contract has UNSPECIFIED besides");
        for (reason, (name, number, code)) in ALL.iter().zip(&contract[1..]) {
            assert_eq!(reason.name(), name);
            assert_eq!(*reason as i32, *number);
            assert_eq!(shouted(&format!("{:?}", reason.code())), *code, "{name}");
        }
        let source = include_str!("../error.rs");
        let variants = source.split_once("pub enum Reason {").unwrap().1.split_once('}').unwrap().0;
        assert_eq!(variants.matches(" = ").count(), ALL.len());
    }

    #[test]
    fn a_status_says_what_the_stream_says() {
        let id = TraceId::new(&SystemClock);
        let mut error = Error::over_limit("text", 8192, "bytes");
        error.retry_after = Some(Duration::from_millis(1500));
        let status = status(&error, id);
        let on_stream = stream_error(&error, id);

        assert_eq!(status.code() as i32, on_stream.code);
        assert_eq!(status.message(), on_stream.message);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("FIELD_INVALID", "adda"));
        assert_eq!(info.metadata["limit"], "8192");
        assert_eq!(on_stream.metadata["limit"], "8192");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "text");
        assert_eq!(on_stream.field, "text");
        assert_eq!(details.retry_info().unwrap().retry_delay, error.retry_after);
        let pause = on_stream.retry_after.unwrap();
        assert_eq!((pause.seconds, pause.nanos), (1, 500_000_000));
        assert_eq!(details.request_info().unwrap().request_id, id.to_string());
        assert_eq!(on_stream.request_id, id.to_string());
    }

    #[test]
    fn a_cause_is_never_sent() {
        let id = TraceId::new(&SystemClock);
        let error = Error::internal("a cause with a secret");
        let sent = format!("{:?} {:?}", status(&error, id), stream_error(&error, id));
        assert!(!sent.contains("secret"), "{sent}");
        let details = status(&error, id).get_error_details();
        assert!(details.bad_request().is_none());
        assert!(details.retry_info().is_some());
    }
}
