//! What one call or stream is followed by: an id in the log, in errors and in the response, and,
//! for some, spans that go to a collector.
//!
//! The id is the caller's, from the header `traceparent` of W3C Trace Context, or a new one. Spans
//! are recorded where the caller asks for it, and of a share of the others (`--otlp-sample`); with
//! no collector ([`export`]) nothing is, and what is left of it all is a look at an `Option`.
//! Spans hold the names of calls, commands and questions, numbers, and reasons: never an id of
//! ours, a name, a token, or text of a message.
//!
//! A span ends when the last who works for it lets go of it.

use std::borrow::Cow;
use std::fmt;

use futures_util::future::Either;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{Link, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::clock::Clock;
use crate::metrics::{Backend, Outcome};

pub mod export;
mod parent;

/// The header in which each answer tells its trace id.
pub const HEADER: HeaderName = HeaderName::from_static("adda-trace-id");

/// What the log, the errors and the spans of one call or stream have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(Uuid);

impl TraceId {
    /// Another one.
    pub fn new(clock: &dyn Clock) -> Self {
        Self(clock.new_id())
    }

    /// That of this call; all zeros where [`edge`](crate::rpc::edge) is missing.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().map_or(Self(Uuid::nil()), |trace: &Trace| trace.id)
    }

    /// As a header holds it.
    pub fn header(self) -> HeaderValue {
        // 32 digits are good in any header.
        HeaderValue::try_from(self.to_string()).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// What a call or a stream is followed by.
#[derive(Clone, Debug)]
pub struct Trace {
    id: TraceId,
    span: Option<Span>,
}

impl Trace {
    /// Begins to follow a call that has come with these headers.
    pub fn begin(headers: &HeaderMap, call: &'static str, clock: &dyn Clock) -> Self {
        let parent = parent::of(headers);
        let given = parent.as_ref().map(|parent| TraceId(Uuid::from_bytes(parent.trace)));
        let sampled = parent.as_ref().map_or_else(export::samples, |parent| parent.sampled);
        let span = if sampled { Span::root(call, parent.as_ref()) } else { None };
        let drawn = || span.as_ref().map_or_else(|| TraceId::new(clock), Span::trace);
        Self { id: given.unwrap_or_else(drawn), span }
    }

    /// One that nobody follows further: for tests.
    pub fn unrecorded(id: TraceId) -> Self {
        Self { id, span: None }
    }

    /// That of this call.
    pub fn of(extensions: &Extensions) -> Self {
        let unknown = Self::unrecorded(TraceId(Uuid::nil()));
        extensions.get().cloned().unwrap_or(unknown)
    }

    /// Its id.
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// The span of the call, if it is recorded.
    pub fn span(&self) -> Option<Span> {
        self.span.clone()
    }

    /// For what comes on a stream once it is open: the span of the call does not wait for it.
    #[must_use]
    pub fn opened(self) -> Self {
        Self { span: self.span.map(|span| span.let_go()), ..self }
    }

    /// A span within the call's.
    pub fn step(&self, name: &'static str) -> Option<Span> {
        self.span.as_ref().map(|span| span.step(name))
    }

    /// The call was answered.
    pub fn end(&self, outcome: Outcome) {
        if let Some(span) = &self.span {
            span.note(outcome);
            span.0.span().end();
        }
    }
}

/// Work that is recorded.
#[derive(Clone, Debug)]
pub struct Span(Context);

impl Span {
    /// The one that is worked for here, if any.
    pub fn current() -> Option<Self> {
        export::tracer()?;
        Context::map_current(|context| context.has_active_span().then(|| Self(context.clone())))
    }

    fn root(call: &'static str, parent: Option<&parent::Parent>) -> Option<Self> {
        let tracer = export::tracer()?;
        let within = parent.map_or_else(Context::new, parent::Parent::context);
        let builder = tracer
            .span_builder(call)
            .with_kind(SpanKind::Server)
            .with_attributes([KeyValue::new("rpc.system", "grpc")]);
        let span = tracer.build_with_context(builder, &within);
        Some(Self(Context::new().with_span(span)))
    }

    fn trace(&self) -> TraceId {
        TraceId(Uuid::from_bytes(self.0.span().span_context().trace_id().to_bytes()))
    }

    /// Knows its place, and does not keep it from ending.
    fn let_go(&self) -> Self {
        let place = self.0.span().span_context().clone();
        Self(Context::new().with_remote_span_context(place))
    }

    /// A span within this one.
    #[must_use]
    pub fn step(&self, name: impl Into<Cow<'static, str>>) -> Self {
        let Some(tracer) = export::tracer() else { return self.clone() };
        Self(Context::new().with_span(tracer.start_with_context(name, &self.0)))
    }

    /// What came of it.
    pub fn note(&self, outcome: Outcome) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new("adda.outcome", outcome.name()));
        if outcome.is_fault() {
            span.set_status(Status::error(outcome.name()));
        }
    }
}

/// What came of the work for a span, if there is one.
pub fn note(span: Option<&Span>, outcome: Outcome) {
    if let Some(span) = span {
        span.note(outcome);
    }
}

/// Work for a span, if there is one.
pub fn within<F: Future>(span: Option<Span>, work: F) -> impl Future<Output = F::Output> {
    match span {
        None => Either::Left(work),
        Some(span) => Either::Right(work.with_context(span.0)),
    }
}

/// Work for a span that is done at once.
pub fn enter<T>(span: Option<&Span>, work: impl FnOnce() -> T) -> T {
    let _attached = span.map(|span| span.0.clone().attach());
    work()
}

/// Work that goes on when who began it does not wait: with the log's span, and with the one that
/// is worked for here.
pub fn carry<F: Future>(work: F) -> impl Future<Output = F::Output> {
    within(Span::current(), work).in_current_span()
}

/// Work for a span of its own within the one that is worked for here, if any.
pub fn step<F: Future>(name: &'static str, work: F) -> impl Future<Output = F::Output> {
    within(Span::current().map(|span| span.step(name)), work)
}

/// Records a commit that is shared by those who wait: within the span of the first of them, and
/// linked to the others. To be held while it lasts.
pub fn flush<'s>(
    store: Backend,
    writes: usize,
    waiting: impl IntoIterator<Item = &'s Span>,
) -> Option<Span> {
    let tracer = export::tracer()?;
    let mut waiting = waiting.into_iter();
    let first = waiting.next()?;
    let others = waiting.map(|span| Link::with_context(span.0.span().span_context().clone()));
    let mut builder = tracer.span_builder("store.flush").with_links(others.collect());
    builder.attributes = Some(vec![
        KeyValue::new("adda.store", store.name()),
        KeyValue::new("adda.flush.writes", i64::try_from(writes).unwrap_or(i64::MAX)),
    ]);
    let span = tracer.build_with_context(builder, &first.0);
    Some(Span(Context::new().with_span(span)))
}
