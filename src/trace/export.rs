//! Where spans go: to a collector, over OTLP by gRPC, in batches and from a thread of its own.
//!
//! A collector that is away or slow costs spans and nothing else: what does not fit the queue is
//! dropped, and that is logged.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanId, TraceId, TracerProvider as _};
use opentelemetry_otlp::WithTonicConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{IdGenerator, Sampler, SdkTracer, SdkTracerProvider};
use tonic::transport::{ClientTlsConfig, Endpoint};

use crate::clock::Clock;

/// How long the last spans may take at the end.
const LAST: Duration = Duration::from_secs(2);

/// The one of this process, which like its log has one place to write to.
static EXPORT: OnceLock<Recorder> = OnceLock::new();

struct Recorder {
    tracer: SdkTracer,
    /// Of traces that begin here, the share that is recorded.
    share: f64,
}

/// Why there are no spans.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be connected to.
    #[error("cannot export spans: {0}")]
    Url(#[from] tonic::transport::Error),
    /// The exporter does not want it.
    #[error("cannot export spans: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Spans go somewhere already.
    #[error("cannot export spans: they are exported already")]
    Twice,
}

/// Spans go out until this is closed.
pub struct Exporting(SdkTracerProvider);

/// Begins to record and to export, once a process. Must be called within a runtime; nobody need
/// listen yet at the URL.
pub fn open(url: &str, share: f64, clock: Arc<dyn Clock>) -> Result<Exporting, OpenError> {
    let mut endpoint = Endpoint::from_shared(url.to_owned())?;
    if url.starts_with("https:") {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots())?;
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_channel(endpoint.connect_lazy())
        .build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        // Who is recorded is decided before there is a span.
        .with_sampler(Sampler::AlwaysOn)
        .with_id_generator(Ids(clock))
        .with_resource(
            Resource::builder_empty()
                .with_service_name("adda")
                .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
                // What the operator says goes before it.
                .with_detector(Box::new(EnvResourceDetector::new()))
                .build(),
        )
        .build();
    let recorder = Recorder { tracer: provider.tracer("adda"), share };
    EXPORT.set(recorder).map_err(|_| OpenError::Twice)?;
    Ok(Exporting(provider))
}

impl Exporting {
    /// Sends what is left, within two seconds.
    pub async fn close(self) {
        let closing = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST));
        match closing.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans were not exported"),
            Err(error) => tracing::error!(%error, "exporting spans ended in a panic"),
        }
    }
}

/// Draws ids as the rest of the house does.
struct Ids(Arc<dyn Clock>);

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ids(…)")
    }
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from_bytes(self.0.new_id().into_bytes())
    }

    fn new_span_id(&self) -> SpanId {
        // The latter half of a UUIDv7 is chance, but for two bits.
        let (_, chance) = self.0.new_id().as_u64_pair();
        SpanId::from(chance)
    }
}

pub(super) fn tracer() -> Option<&'static SdkTracer> {
    EXPORT.get().map(|recorder| &recorder.tracer)
}

/// Whether a trace that begins here is to be recorded.
pub(super) fn samples() -> bool {
    EXPORT.get().is_some_and(|recorder| rand::random::<f64>() < recorder.share)
}
