//! What is counted and measured: every metric of adda is declared here, and in no other place.
//!
//! `metrics::streams_opened().of(Stream::Connect).inc()` is all it takes to record. That is an
//! atomic or two: nothing is looked up by name, allocated or waited for. Labels are enums, so a
//! series cannot be made of what a client sends; none holds an id. The figures are those of the
//! process, from its start. [`render`] tells all of them in the OpenMetrics text format.
//!
//! Names follow Prometheus: base units, `_total` for what only rises. `docs/metrics.md` says what
//! each tells an operator, and a test holds it to this list.

use std::fmt;
use std::sync::LazyLock;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::{Registry, Unit};

mod instruments;
mod labels;
mod process;
mod reasons;

pub use instruments::{By, Counter, Entered, Gauge, Histogram, Instrument, Meter};
pub use labels::{
    Answer, Backend, Build, Command, Direction, Dropped, Envelope, Gap, Hook, Kept, Labels, Look,
    Method, Operation, Part, Pushed, Queue, Stream, Via, Went,
};
pub use reasons::{Ending, Outcome};

use crate::proto::ResumeOutcome;

/// The type of what [`render`] answers.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One metric, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name, with unit and suffix.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it is.
    pub help: &'static str,
}

/// Makes of each line: a function that answers the instrument, and an entry of [`declared`].
macro_rules! declare {
    ($($(#[doc = $help:literal])+ $function:ident: $type:ty = $new:expr, $name:literal;)*) => {
        struct All {
            $($function: $type,)*
        }

        static ALL: LazyLock<All> = LazyLock::new(|| All { $($function: $new,)* });

        $(
            $(#[doc = $help])+
            pub fn $function() -> &'static $type {
                &ALL.$function
            }
        )*

        /// All metrics, in the order of [`render`].
        pub fn declared() -> Vec<Declared> {
            vec![$(of::<$type>($name, concat!($($help),+)),)*]
        }

        fn encode_all(encoder: &mut DescriptorEncoder) -> fmt::Result {
            $(encode(encoder, of::<$type>($name, concat!($($help),+)), $function())?;)*
            Ok(())
        }
    };
}

declare! {
    // ---- streams ----

    /// Streams that are open.
    sessions: By<Stream, Gauge> = By::new(Gauge::default), "adda_sessions";
    /// Streams that were opened.
    streams_opened: By<Stream, Counter> = By::new(Counter::default), "adda_streams_opened_total";
    /// Streams that have ended, by why.
    streams_closed: By<Ending, Counter> = By::new(Counter::default), "adda_streams_closed_total";
    /// Hellos that were let in, by what came of their resume token.
    resumes: By<ResumeOutcome, Counter> = By::new(Counter::default), "adda_resumes_total";
    /// Frames that waited for the network when the connection began to take them.
    outbox_frames: Histogram = Histogram::sizes(), "adda_outbox_frames";
    /// Frames that were handed to connections.
    frames: Counter = Counter::default(), "adda_frames_total";
    /// Streams that were not read fast enough, by which of their queues was full.
    overflows: By<Queue, Counter> = By::new(Counter::default), "adda_overflows_total";
    /// Typing and presence that gave way, by which queue had no room.
    events_dropped: By<Dropped, Counter> = By::new(Counter::default), "adda_events_dropped_total";
    /// Comparisons of a stream with the store: after a loss, at a hole, and every five minutes.
    compares: Counter = Counter::default(), "adda_compares_total";

    // ---- commands and calls ----

    /// Commands of streams, by what came of them.
    commands: By<(Command, Outcome), Counter> = By::new(Counter::default), "adda_commands_total";
    /// Calls, by what came of them; of a stream, whether it was opened.
    calls: By<(Method, Outcome), Counter> = By::new(Counter::default), "adda_calls_total";
    /// How long calls took; of a stream, until it was opened.
    call_seconds: By<Method, Histogram> = By::new(Histogram::times), "adda_call_seconds";
    /// How long a send took, from its command to its Ack, or from its call to the answer.
    send_seconds: By<Via, Histogram> = By::new(Histogram::times), "adda_send_seconds";
    /// Sends that were there already.
    sends_repeated: Counter = Counter::default(), "adda_sends_repeated_total";

    // ---- delivery ----

    /// From the commit of a message on this node until it was handed to the sessions here.
    delivery_seconds: Histogram = Histogram::times(), "adda_delivery_seconds";
    /// From the making of a message on another node until it was handed to the sessions here;
    /// by the clocks of both nodes.
    delivery_remote_seconds: Histogram = Histogram::times(), "adda_delivery_remote_seconds";
    /// Holes in a chat that the bus did not fill in time, so that the store was read.
    holes: Counter = Counter::default(), "adda_holes_total";
    /// Members whose receipts were written together.
    receipts_flush_members: Histogram = Histogram::sizes(), "adda_receipts_flush_members";

    // ---- store ----

    /// Writes that shared one commit: messages with MongoDB, all writes with SQLite.
    flush_writes: By<Backend, Histogram> = By::new(Histogram::sizes), "adda_flush_writes";
    /// How long such a commit took.
    flush_seconds: By<Backend, Histogram> = By::new(Histogram::times), "adda_flush_seconds";
    /// How long the store took, by what it was asked; an append waits for its commit.
    store_seconds: By<(Operation, Answer), Histogram> = By::new(Histogram::times), "adda_store_seconds";

    // ---- attachments ----

    /// Uploads, and parts of them, that are under way.
    uploads_under_way: Gauge = Gauge::default(), "adda_uploads_under_way";
    /// Uploads, and parts of them, by what came of them.
    uploads: By<Outcome, Counter> = By::new(Counter::default), "adda_uploads_total";
    /// Bytes of files that were taken.
    upload_bytes: Counter = Counter::default(), "adda_upload_bytes_total";
    /// Files that go out.
    downloads_under_way: Gauge = Gauge::default(), "adda_downloads_under_way";
    /// Bytes of files that were handed to connections.
    download_bytes: Counter = Counter::default(), "adda_download_bytes_total";
    /// Pictures whose previews were to be made; `failed`: they cannot be decoded.
    previews: By<Went, Counter> = By::new(Counter::default), "adda_previews_total";
    /// Looks for files that are due.
    file_sweeps: By<Went, Counter> = By::new(Counter::default), "adda_file_sweeps_total";
    /// Files that were taken away: cut, refused, never sent, or of a deleted message.
    files_removed: Counter = Counter::default(), "adda_files_removed_total";

    // ---- bus and presence ----

    /// Envelopes that were given to the bus, or taken from it.
    bus_envelopes: By<(Direction, Envelope), Counter> = By::new(Counter::default), "adda_bus_envelopes_total";
    /// Envelopes and beats for other nodes that were not sent.
    bus_unsent: Counter = Counter::default(), "adda_bus_unsent_total";
    /// Losses on the bus that were noticed, by what told of them.
    bus_gaps: By<Gap, Counter> = By::new(Counter::default), "adda_bus_gaps_total";
    /// Times in which something may have been lost, until all was read from the store.
    deafness_seconds: Histogram = Histogram::long_times(), "adda_deafness_seconds";
    /// Times in which something may have been lost, counted when they begin.
    deafness: Counter = Counter::default(), "adda_deafness_total";
    /// Readings of the log after a loss.
    resyncs: By<Went, Counter> = By::new(Counter::default), "adda_resyncs_total";
    /// Messages that were read by them.
    resync_messages: Counter = Counter::default(), "adda_resync_messages_total";
    /// Renewals of the leases of this node's sessions.
    lease_renewals: By<Went, Counter> = By::new(Counter::default), "adda_lease_renewals_total";
    /// Leases that a renewal found gone.
    leases_lost: Counter = Counter::default(), "adda_leases_lost_total";

    // ---- webhooks ----

    /// Attempts to tell something by a webhook, and what could not be noted for one.
    webhooks: By<Hook, Counter> = By::new(Counter::default), "adda_webhooks_total";

    // ---- pushes ----

    /// Pushes, by what came of them.
    pushes: By<Pushed, Counter> = By::new(Counter::default), "adda_pushes_total";
    /// Pushes that were due and did not go out, by which rule.
    pushes_kept: By<Kept, Counter> = By::new(Counter::default), "adda_pushes_kept_total";
    /// Pushes that were found due, by which look.
    pushes_due: By<Look, Counter> = By::new(Counter::default), "adda_pushes_due_total";
    /// How long a push took, from when it was handed over until the push service answered.
    push_seconds: Histogram = Histogram::times(), "adda_push_seconds";
    /// From the making of a message until it was first pushed.
    push_age_seconds: Histogram = Histogram::long_times(), "adda_push_age_seconds";
    /// Rules that held a push back and were not noted, as too many were to be.
    push_rules_not_noted: Counter = Counter::default(), "adda_push_rules_not_noted_total";
    /// Messages that were not looked at at once, as too many waited; a later look found them.
    pushes_passed_over: Counter = Counter::default(), "adda_pushes_passed_over_total";

    // ---- the node ----

    /// Whether a part is ready, 1 or 0; `node` is whether clients are to be sent here.
    ready: By<Part, Gauge> = By::new(Gauge::default), "adda_ready";
    /// Whether the node leaves, 1 or 0.
    draining: Gauge = Gauge::default(), "adda_draining";
    /// Panics, each with its place in the log.
    panics: Counter = Counter::default(), "adda_panics_total";
    /// Connections that are open.
    connections: Gauge = Gauge::default(), "adda_connections";
    /// Connections that were taken.
    connections_taken: Counter = Counter::default(), "adda_connections_taken_total";
    /// Connections that were closed at once: there were too many.
    connections_refused: Counter = Counter::default(), "adda_connections_refused_total";
    /// 1, for its label.
    build: By<Build, Gauge> = By::new(|| Gauge::at(1)), "adda_build_info";
    /// Tasks of the runtime that are alive.
    runtime_tasks: Gauge = Gauge::default(), "adda_runtime_tasks";
    /// Tasks that wait for a free thread, in the queue that all threads share.
    runtime_waiting: Gauge = Gauge::default(), "adda_runtime_waiting_tasks";
    /// Memory of the process that is in RAM.
    process_memory: Gauge = Gauge::default(), "adda_process_resident_memory_bytes";
    /// CPU time of the process.
    process_cpu: Meter = Meter::default(), "adda_process_cpu_seconds_total";
    /// Files and sockets that the process has open.
    process_fds: Gauge = Gauge::default(), "adda_process_open_fds";
    /// Files and sockets that the process may have open.
    process_max_fds: Gauge = Gauge::default(), "adda_process_max_fds";
    /// Threads of the process.
    process_threads: Gauge = Gauge::default(), "adda_process_threads";
}

/// All metrics as they are now, in the OpenMetrics text format. Reads `/proc`, so it may block
/// for a moment.
pub fn render() -> String {
    process::read();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Everything));
    let mut text = String::with_capacity(64 * 1024);
    // A String takes everything.
    let _written = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Everything;

impl Collector for Everything {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        encode_all(&mut encoder)
    }
}

fn of<I: Instrument>(name: &'static str, help: &'static str) -> Declared {
    Declared { name, kind: I::KIND.as_str(), labels: I::KEYS, help: help.trim_start() }
}

/// The encoder puts suffix and unit behind the name.
fn encode(
    encoder: &mut DescriptorEncoder,
    declared: Declared,
    instrument: &impl Instrument,
) -> fmt::Result {
    let name = declared.name.strip_suffix("_total").unwrap_or(declared.name);
    let (name, unit) = if let Some(name) = name.strip_suffix("_seconds") {
        (name, Some(Unit::Seconds))
    } else if let Some(name) = name.strip_suffix("_bytes") {
        (name, Some(Unit::Bytes))
    } else {
        (name, None)
    };
    let kind = kind_of(instrument);
    instrument.encode(encoder.encode_descriptor(name, declared.help, unit.as_ref(), kind)?)
}

fn kind_of<I: Instrument>(_: &I) -> prometheus_client::metrics::MetricType {
    I::KIND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_prometheus() {
        for metric in declared() {
            let name = metric.name;
            assert!(name.starts_with("adda_"), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert_eq!(metric.kind == "counter", name.ends_with("_total"), "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
            let twice = declared().iter().filter(|other| other.name == name).count();
            assert_eq!(twice, 1, "{name}");
        }
    }

    #[test]
    fn what_is_recorded_is_told() {
        frames().add(3);
        send_seconds().of(Via::Call).took(std::time::Duration::from_millis(3));
        let entered = sessions().of(Stream::Subscribe).enter();
        let text = render();
        assert!(text.contains("# TYPE adda_frames counter\nadda_frames_total "), "{text}");
        assert!(text.contains("# UNIT adda_send_seconds seconds\n"));
        assert!(
            text.contains("adda_send_seconds_bucket{le=\"0.0025\",via=\"call\"} 0\n"),
            "{text}"
        );
        assert!(text.contains("adda_send_seconds_bucket{le=\"0.005\",via=\"call\"} 1\n"));
        assert!(text.contains("adda_send_seconds_bucket{le=\"+Inf\",via=\"call\"} 1\n"));
        assert!(text.contains("adda_send_seconds_sum{via=\"call\"} 0.003\n"), "{text}");
        assert!(text.contains("adda_sessions{kind=\"subscribe\"} 1\n"));
        assert!(text.contains(concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1\n")));
        assert!(text.contains("adda_process_threads "));
        assert!(text.ends_with("# EOF\n"));
        drop(entered);
        assert!(render().contains("adda_sessions{kind=\"subscribe\"} 0\n"));
    }
}
