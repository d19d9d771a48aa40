//! From the driver's errors to the store's, without a word of what was in a document.
//!
//! A driver error may quote documents (a duplicate key error tells the key), so none is ever
//! wrapped: what goes on is what sort of error it was, and the server's number for it.

use std::fmt;
use std::time::Duration;

use mongodb::error::{Error, ErrorKind, WriteFailure};

use super::super::{Result, StoreError};

/// How long one exchange with mongod may take; the driver itself would wait for ever.
pub(super) const ROUND: Duration = Duration::from_secs(5);

/// The server's number for a duplicate key.
pub(super) const DUPLICATE_KEY: i32 = 11000;

/// Numbers with which a server says "not now" or "not here": it steps down, shuts down, catches
/// up, cannot reach a majority, or ran out of time.
const NOT_NOW: [i32; 19] = [
    6, 7, 50, 64, 79, 89, 91, 100, 133, 134, 189, 262, 9001, 10107, 11600, 11602, 13388, 13435,
    13436,
];

/// What a driver error was, without its text.
#[derive(Debug)]
pub(super) struct Failure {
    what: &'static str,
    code: Option<i32>,
    name: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        self.code.map_or(Ok(()), |code| write!(f, " (mongod {code} {})", self.name))
    }
}

impl std::error::Error for Failure {}

/// A [`StoreError`] for an error of the driver.
pub(super) fn failure(error: &Error) -> StoreError {
    let (what, broken) = match &*error.kind {
        ErrorKind::Command(_) => ("a command failed", true),
        ErrorKind::InsertMany(_) | ErrorKind::Write(_) => ("a write failed", true),
        ErrorKind::Bson(_) => ("a document cannot be read", true),
        ErrorKind::InvalidArgument { .. } => ("the driver refused an argument", true),
        ErrorKind::InvalidResponse { .. } => ("a reply cannot be read", true),
        ErrorKind::Authentication { .. } => ("authentication failed", true),
        ErrorKind::ServerSelection { .. } => ("no server to talk to", false),
        ErrorKind::DnsResolve { .. } => ("no address for the server's name", false),
        ErrorKind::Io(_) => ("the connection broke", false),
        ErrorKind::ConnectionPoolCleared { .. } => ("connections were dropped", false),
        ErrorKind::Shutdown => ("it was closed", false),
        _ => ("the driver failed", false),
    };
    let (code, name) = code_of(error);
    let not_now = code.is_some_and(|code| NOT_NOW.contains(&code))
        || error.contains_label("RetryableWriteError");
    let cause = Box::new(Failure { what, code, name });
    if broken && !not_now { StoreError::Broken(cause) } else { StoreError::Unavailable(cause) }
}

/// The server's number for an error, and its name where it has one.
fn code_of(error: &Error) -> (Option<i32>, String) {
    match &*error.kind {
        ErrorKind::Command(error) => (Some(error.code), error.code_name.clone()),
        ErrorKind::Write(WriteFailure::WriteError(error)) => (Some(error.code), String::new()),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => {
            (Some(error.code), error.code_name.clone())
        }
        ErrorKind::InsertMany(error) => match (&error.write_concern_error, &error.write_errors) {
            (Some(error), _) => (Some(error.code), error.code_name.clone()),
            (None, Some(errors)) => (errors.first().map(|error| error.code), String::new()),
            (None, None) => (None, String::new()),
        },
        _ => (None, String::new()),
    }
}

/// Whether a write met a document of the same key, and the server stands by that: without a
/// write concern error.
pub(super) fn is_duplicate(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
        ErrorKind::Command(error) => error.code == DUPLICATE_KEY,
        ErrorKind::InsertMany(error) => {
            error.write_concern_error.is_none()
                && error.write_errors.iter().flatten().all(|error| error.code == DUPLICATE_KEY)
        }
        _ => false,
    }
}

/// What is not as we wrote it.
pub(super) fn broken(what: &'static str) -> StoreError {
    StoreError::Broken(Box::new(Failure { what, code: None, name: String::new() }))
}

/// No answer, for a reason of our own.
pub(super) fn unavailable(what: &'static str) -> StoreError {
    StoreError::Unavailable(Box::new(Failure { what, code: None, name: String::new() }))
}

/// A reply to a write command that was not done as it should.
pub(super) fn refused(what: &'static str, code: i32) -> StoreError {
    let cause = Box::new(Failure { what, code: Some(code), name: String::new() });
    if NOT_NOW.contains(&code) { StoreError::Unavailable(cause) } else { StoreError::Broken(cause) }
}

/// One exchange with mongod, in bounded time, with the driver's own error to look at.
pub(super) async fn exchange<T>(
    call: impl IntoFuture<Output = mongodb::error::Result<T>>,
) -> Result<mongodb::error::Result<T>> {
    let answer = tokio::time::timeout(ROUND, call.into_future()).await;
    answer.map_err(|_| unavailable("mongod did not answer in time"))
}

/// One exchange with mongod, in bounded time.
pub(super) async fn round<T>(
    call: impl IntoFuture<Output = mongodb::error::Result<T>>,
) -> Result<T> {
    exchange(call).await?.map_err(|error| failure(&error))
}
