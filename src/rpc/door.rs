//! What every service of the door has in common: who calls, and what a failure becomes.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::auth::Caller;
use crate::chat::Service;
use crate::error::{Error, Reason, Result};
use crate::metrics::Method;
use crate::model::UserId;
use crate::session::Sessions;
use crate::trace::Trace;
use crate::wire;

/// What a token of the product's own services has in `scope`.
const SERVICE_SCOPE: &str = "adda.service";
/// The metadata that names the user for whom such a service acts.
const ON_BEHALF_OF: &str = "adda-on-behalf-of";

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

    /// Whose call it is, and what it is followed by.
    pub(super) async fn caller<T>(&self, request: &Request<T>) -> Result<(Caller, Trace), Status> {
        let trace = Trace::of(request.extensions());
        let id = trace.id();
        let caller = self.signed_in(request).and_then(|caller| acting(caller, request));
        let caller = caller.and_then(|caller| {
            // What services do for a user is not what the user does.
            if !is_service(&caller) {
                self.service.rates.call(&caller.user)?;
            }
            Ok(caller)
        });
        let caller = caller.map_err(|error| wire::status(&error, id))?;
        let (name, picture) = (caller.name.as_deref(), caller.picture.as_deref());
        self.service.meet(&caller.user, name, picture, caller.issued_at).await;
        Ok((caller, trace))
    }

    /// A service of the product that calls in its own name.
    pub(super) fn service_caller<T>(
        &self,
        request: &Request<T>,
    ) -> Result<(Caller, Trace), Status> {
        let trace = Trace::of(request.extensions());
        let id = trace.id();
        let caller = self.signed_in(request).and_then(|caller| {
            check_scope(&caller)?;
            audit(&caller.user, None, request);
            Ok(caller)
        });
        Ok((caller.map_err(|error| wire::status(&error, id))?, trace))
    }

    fn signed_in<T>(&self, request: &Request<T>) -> Result<Caller> {
        let caller = request
            .extensions()
            .get::<Caller>()
            .cloned()
            .ok_or_else(|| Error::new(Reason::TokenMissing, "no `authorization: Bearer …`"))?;
        self.service.check_revoked(&caller.user, caller.issued_at)?;
        Ok(caller)
    }
}

/// The user for whom a service acts, if it says so.
fn acting<T>(caller: Caller, request: &Request<T>) -> Result<Caller> {
    let mut named = request.metadata().get_all(ON_BEHALF_OF).iter();
    let Some(user) = named.next() else { return Ok(caller) };
    check_scope(&caller)?;
    let user = user.to_str().ok().and_then(UserId::parse).filter(|_| named.next().is_none());
    let user = user
        .ok_or_else(|| Error::field(ON_BEHALF_OF, "one user, 1 to 64 of A-Z a-z 0-9 _ . : @ -"))?;
    audit(&caller.user, Some(&user), request);
    // What the token says of names is of the service, not of the user.
    Ok(Caller { user, name: None, picture: None, ..caller })
}

/// Whether the token is one of the product's own services.
pub(super) fn is_service(caller: &Caller) -> bool {
    caller.scopes.iter().any(|scope| scope == SERVICE_SCOPE)
}

fn check_scope(caller: &Caller) -> Result<()> {
    if is_service(caller) {
        return Ok(());
    }
    Err(Error::new(Reason::ScopeMissing, "the token must have the scope `adda.service`"))
}

/// The audit trail: what services have done, and for whom.
fn audit<T>(service: &UserId, user: Option<&UserId>, request: &Request<T>) {
    let method = request.extensions().get::<Method>().copied().unwrap_or(Method::Unknown);
    let (method, user) = (method.name(), user.map(UserId::as_str));
    tracing::info!(target: "audit", %service, user, method, "a service calls");
}

/// What every call does around its one line.
macro_rules! call {
    (service $door:expr, $request:expr, |$body:ident| $answer:expr) => {{
        let (_, trace) = $door.service_caller(&$request)?;
        let $body = $request.into_inner();
        let answer: crate::error::Result<_> = async { Ok($answer) }.await;
        answer.map(tonic::Response::new).map_err(|error| crate::wire::status(&error, trace.id()))
    }};
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

/// Reads the id of a user.
pub(super) fn user_id(field: &'static str, raw: &str) -> Result<UserId> {
    UserId::parse(raw)
        .ok_or_else(|| Error::field(field, "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -"))
}
