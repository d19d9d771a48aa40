//! From arguments to exit code.
//!
//! 0: done. 64: called the wrong way, and nothing was opened. 1: it did not work, or a task
//! crashed that a node cannot do without. The log goes
//! to stderr; stdout has only what was asked for.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use adda::auth::Signer;
use adda::client::explain::{Question, explain as ask};
use adda::client::terminal;
use adda::clock::SystemClock;
use adda::config::args::{ChatArgs, ServeArgs, TokenArgs};
use adda::config::explain::ExplainArgs;
use adda::config::load::LoadArgs;
use adda::config::{Cli, Command, Config, EXIT_USAGE, Otlp, Refused};
use adda::model::UserId;
use adda::server::{Node, StartError};
use adda::trace::{self, export::Exporting};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Half the time of glibc's where many threads allocate and free small things for one another,
/// at the same memory an idle stream.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Why the program ends without having done it.
enum Failure {
    /// It was called the wrong way.
    Usage(Refused),
    /// It did not work.
    Other(String),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Usage(refused)
    }
}

impl Failure {
    fn of(what: &str, error: impl Display) -> Self {
        Self::Other(format!("{what}: {error}"))
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // There is nobody left to tell.
            let _ = error.print();
            return if error.use_stderr() { EXIT_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Command::Serve(args) => serve(&args),
        Command::Token(args) => token(&args),
        Command::Chat(args) => chat(&args),
        Command::Explain(args) => explain(&args),
        Command::Load(args) => load(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(refused)) => {
            eprintln!("adda: {refused}");
            EXIT_USAGE.into()
        }
        Err(Failure::Other(why)) => {
            eprintln!("adda: {why}");
            ExitCode::FAILURE
        }
    }
}

fn token(args: &TokenArgs) -> Result<(), Failure> {
    let (user, secret) = args.check()?;
    if args.jwt_secret.is_none() {
        eprintln!("adda: no JWT_SECRET: signed with the secret of a development server");
    }
    let signer = Signer::new(secret, args.jwt_issuer.clone(), args.jwt_audience.clone())
        .with_scope(args.scope.clone());
    let (token, _) = signer.sign(&user, args.name.as_deref(), args.ttl, &SystemClock);
    say(&token);
    Ok(())
}

fn chat(args: &ChatArgs) -> Result<(), Failure> {
    let (options, place) = args.check(|name| std::env::var_os(name))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::of("cannot start", error))?;
    let done = runtime.block_on(terminal::run(options, place, Arc::new(SystemClock)));
    // Whoever still reads the terminal is not waited for.
    runtime.shutdown_background();
    done.map_err(|error| Failure::Other(error.to_string()))
}

/// A token that is signed here is good for as long as somebody may look on.
const EXPLAIN_TTL: Duration = Duration::from_secs(300);

fn explain(args: &ExplainArgs) -> Result<(), Failure> {
    let secret = args.check()?;
    let token = args.token.as_ref().map(|token| token.expose().to_owned());
    let token = token.unwrap_or_else(|| {
        let signer = Signer::new(secret, args.jwt_issuer.clone(), args.jwt_audience.clone())
            .with_scope(Some("adda.service".to_owned()));
        let service = UserId::parse("adda-explain").expect("it is one");
        signer.sign(&service, None, EXPLAIN_TTL, &SystemClock).0
    });
    let question = Question {
        server: args.server.trim_end_matches('/').to_owned(),
        token,
        chat: args.chat.clone(),
        message: args.message.clone(),
        member: args.member.clone().filter(|_| args.to.is_empty()),
        to: args.to.clone(),
    };
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| Failure::of("cannot start", error))?;
    let said = runtime.block_on(ask(&question)).map_err(Failure::Other)?;
    say(said.trim_end());
    Ok(())
}

fn load(args: &LoadArgs) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| Failure::of("cannot start", error))?;
    let report = runtime.block_on(adda::load::run(args, |line| eprintln!("{line}")));
    // Thousands of streams need not be closed one by one.
    runtime.shutdown_background();
    let report = report.map_err(|error| Failure::Other(error.to_string()))?;
    if args.json {
        say(&serde_json::to_string(&report).map_err(|error| Failure::of("cannot tell", error))?);
    } else {
        say(report.to_string().trim_end());
    }
    Ok(())
}

fn serve(args: &ServeArgs) -> Result<(), Failure> {
    let config = Config::check(args, |name| std::env::var(name).ok())?;
    adda::logging::init(config.log).map_err(|error| Failure::of("cannot log", error))?;
    adda::logging::panics();
    let runtime = tokio::runtime::Runtime::new();
    let runtime = runtime.map_err(|error| Failure::of("cannot start", error))?;
    let done = runtime.block_on(run(config));
    // What did not come to its end in time is not waited for.
    runtime.shutdown_background();
    done
}

async fn run(config: Config) -> Result<(), Failure> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let stop = CancellationToken::new();
    on_signal(&stop)?;
    let spans = match &config.otlp {
        Some(otlp) => Some(export(otlp)?),
        None => None,
    };
    let node = Node::start(&config, Arc::new(SystemClock)).await.map_err(|error| match error {
        StartError::Refused(refused) => Failure::Usage(refused),
        other => Failure::Other(other.to_string()),
    })?;
    welcome(&config, node.addr());
    let end = node.run(stop).await;
    if let Some(spans) = spans {
        spans.close().await;
    }
    end.map_err(|crash| Failure::Other(crash.to_string()))?;
    tracing::info!("stopped");
    Ok(())
}

/// Spans go to the collector from now on.
fn export(otlp: &Otlp) -> Result<Exporting, Failure> {
    let Otlp { url, share } = otlp;
    tracing::info!(url, share, "spans go to a collector");
    trace::export::open(url, *share, Arc::new(SystemClock))
        .map_err(|error| Failure::Other(error.to_string()))
}

/// What a person wants to see who has just started it.
fn welcome(config: &Config, addr: std::net::SocketAddr) {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let next = if config.dev {
        let program = std::env::args().next().unwrap_or_else(|| "adda".to_owned());
        format!("{program} chat --as alice --with bob")
    } else {
        format!("curl {scheme}://{addr}/readyz")
    };
    let page = match config.page {
        Some(_) => format!("{scheme}://{addr}/"),
        None => "none (--page)".to_owned(),
    };
    say(&format!(
        "adda listens on {scheme}://{addr}\n  store  {}\n  bus    {}\n  page   {page}\n  next   {next}",
        config.store, config.bus
    ));
}

/// The first SIGTERM or SIGINT asks it to stop; a second one does not wait.
fn on_signal(stop: &CancellationToken) -> Result<(), Failure> {
    let cannot = |error| Failure::of("cannot hear signals", error);
    let mut term = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut int = signal(SignalKind::interrupt()).map_err(cannot)?;
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            if stop.is_cancelled() {
                std::process::exit(1);
            }
            tracing::info!("asked to stop");
            stop.cancel();
        }
    });
    Ok(())
}

/// A line on stdout; nobody may be reading it.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
