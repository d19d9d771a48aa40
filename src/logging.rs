//! The log: on stderr, for people or for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat, LogLevel};
use crate::metrics;

/// Begins to log. Fails where something logs already.
///
/// What libraries log is shown from `warn` on, whatever the level: below that they may show what
/// passes through them, and no message text and no token is ever to be in a log.
pub fn init(log: Log) -> Result<(), TryInitError> {
    let level = match log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let libraries = if log.level == LogLevel::Error { "error" } else { "warn" };
    // fred warns at each attempt while Redis is away; the bus says it once.
    let filter = EnvFilter::new(format!("{libraries},fred=error,adda={level}"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match log.format {
        LogFormat::Human => lines.finish().try_init(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_span_list(false).finish().try_init()
        }
    }
}

/// From now on a panic is logged with its place. Its words only where they stand in the program:
/// others may hold what is said in a chat.
pub fn panics() {
    std::panic::set_hook(Box::new(|panic| {
        metrics::panics().inc();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = panic.payload().downcast_ref::<&'static str>();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("nameless");
        tracing::error!(place, thread, words = words.copied().unwrap_or("not shown"), "a panic");
    }));
}
