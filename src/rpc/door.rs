//! What every service of the door has in common: who calls, and what a failure becomes.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::auth::Caller;
use crate::chat::Service;
use crate::error::{Error, Reason, Result};
use crate::session::Sessions;
use crate::trace::Trace;
use crate::wire;

/// The services as tonic calls them.
pub struct Door {
    pub(super) service: Arc<Service>,
    pub(super) sessions: Arc<Sessions>,
}

impl Door {
    /// To these rules and these streams.
    pub fn new(service: Arc<Service>, sessions: Arc<Sessions>) -> Self {
        Self { service, sessions }
    }

    /// Who calls, and what the call is followed by.
    pub(super) async fn caller<T>(&self, request: &Request<T>) -> Result<(Caller, Trace), Status> {
        let trace = Trace::of(request.extensions());
        let Some(caller) = request.extensions().get::<Caller>().cloned() else {
            let error = Error::new(Reason::TokenMissing, "no `authorization: Bearer …`");
            return Err(wire::status(&error, trace.id()));
        };
        let (name, picture) = (caller.name.as_deref(), caller.picture.as_deref());
        self.service.meet(&caller.user, name, picture, caller.issued_at).await;
        Ok((caller, trace))
    }
}

/// What every call does around its one line.
macro_rules! call {
    ($door:expr, $request:expr, |$caller:ident, $body:ident| $answer:expr) => {
        call!($door, $request, |$caller, $body, _trace| $answer)
    };
    ($door:expr, $request:expr, |$caller:ident, $body:ident, $trace:ident| $answer:expr) => {{
        let ($caller, $trace) = $door.caller(&$request).await?;
        let id = $trace.id();
        let $body = $request.into_inner();
        let answer: crate::error::Result<_> = async { Ok($answer) }.await;
        answer.map(tonic::Response::new).map_err(|error| crate::wire::status(&error, id))
    }};
}
pub(super) use call;

/// What a call answers.
pub(super) type Answer<T> = std::result::Result<Response<T>, Status>;

/// A field without which nothing can be done.
pub(super) fn missing(field: &'static str) -> Error {
    Error::field(field, "must be set")
}

/// The field's path from the request of a call.
pub(super) fn within(message: &'static str, error: Error) -> Error {
    if error.field.is_empty() {
        return error;
    }
    Error { field: format!("{message}.{}", error.field).into(), ..error }
}

/// A call of the contract that this server cannot do yet.
pub(super) fn not_yet<T>() -> Result<T> {
    Err(Error::new(Reason::UnknownCommand, "this server does not know this call yet"))
}
