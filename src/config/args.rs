//! What may be written on the command line or in the environment. `--help` is made of this.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, reason = "these docs are what --help prints")]

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::Secret;
use super::explain::ExplainArgs;
use super::limits::LimitArgs;
use super::load::LoadArgs;
use super::push::PushArgs;
use super::webhook::WebhookArgs;

/// A messaging service that a product embeds: chats, ticks, unread counts and presence over
/// gRPC and gRPC-Web.
///
/// Every flag may also be set in the environment, under the name shown; a flag goes first.
/// Times are written 250ms, 30s, 5m, 24h, 7d. A wrong value is refused by name with exit
/// code 64, before a socket opens.
#[derive(Debug, Parser)]
#[command(name = "adda", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a server.
    Serve(Box<ServeArgs>),
    /// Signs a token for development and prints it.
    Token(TokenArgs),
    /// Talks: a line client.
    Chat(ChatArgs),
    /// Tells why a message rang, or did not: its way to each recipient.
    Explain(Box<ExplainArgs>),
    /// Puts load on a server and measures what it does.
    Load(Box<LoadArgs>),
}

/// Where the server listens, what it keeps its data in, whose tokens it takes.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Address and port; one port serves gRPC, gRPC-Web and plain HTTP.
    #[arg(long, env = "ADDA_LISTEN", value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub listen: std::net::SocketAddr,

    /// Address and port for operators: GET /metrics (OpenMetrics), /healthz, /readyz. Plain, and
    /// open to whoever reaches it: not an address of clients. Unset: no metrics are served.
    #[arg(long, env = "ADDA_ADMIN_LISTEN", value_name = "ADDR:PORT")]
    pub admin_listen: Option<std::net::SocketAddr>,

    /// Sends spans to this collector, OTLP by gRPC: http://127.0.0.1:4317. Unset: none are made.
    #[arg(long, env = "ADDA_OTLP", value_name = "URL")]
    pub otlp: Option<String>,

    /// Which share of calls and streams is recorded, 0 to 1. A caller that sends `traceparent`
    /// decides for itself.
    #[arg(long, env = "ADDA_OTLP_SAMPLE", value_name = "SHARE", default_value = "0.01")]
    pub otlp_sample: f64,

    /// What must last: sqlite:PATH, or mongodb://HOST/DATABASE (a replica set; without a path
    /// the database is `adda`). MONGODB_URI sets it too, after ADDA_STORE [default:
    /// sqlite:adda.db]
    #[arg(long, env = "ADDA_STORE", value_name = "URL", hide_env_values = true, value_parser = secret)]
    pub store: Option<Secret>,

    /// What may be lost: memory: for one node alone, or redis://HOST (rediss://,
    /// redis-cluster://, rediss-cluster://). REDIS_URL sets it too, after ADDA_BUS [default:
    /// memory:]
    #[arg(long, env = "ADDA_BUS", value_name = "URL", hide_env_values = true, value_parser = secret)]
    pub bus: Option<Secret>,

    /// Where the bytes of attachments are: file:PATH, a folder that all nodes see; s3://BUCKET/PREFIX,
    /// gs://BUCKET/PREFIX or az://CONTAINER/PREFIX, whose secrets are in the environment under the
    /// names that each has (AWS_ACCESS_KEY_ID, ...); off: there are none [default: with SQLite the
    /// folder `attachments` beside the file, with MongoDB off]
    #[arg(long, env = "ADDA_ATTACHMENTS", value_name = "URL")]
    pub attachments: Option<String>,

    /// Bytes of one attachment, up to 100 MB.
    #[arg(
        long,
        env = "ADDA_MAX_ATTACHMENT_BYTES",
        value_name = "BYTES",
        default_value = "25000000"
    )]
    pub max_attachment_bytes: u32,

    /// Whose web pages may call from a browser: https://app.example.com. May be repeated, or
    /// separated by commas. In development any page of this machine may.
    #[arg(long, env = "ADDA_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origin: Vec<String>,

    /// Shows the web page of this folder at /, as `make page` builds it. It is read when the server
    /// starts. Unset: there is no page.
    #[arg(long, env = "ADDA_PAGE", value_name = "DIR")]
    pub page: Option<PathBuf>,

    /// Certificate chain, PEM; needs --tls-key. Without both the port is plain.
    #[arg(long, env = "ADDA_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Key of the certificate, PEM; needs --tls-cert.
    #[arg(long, env = "ADDA_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Development: sign-in by name without a password (POST /dev/token), reflection, and a
    /// secret known to everybody where none is given. Only on a loopback address.
    #[arg(long, env = "ADDA_DEV", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub dev: bool,

    /// Describes the API to whoever asks (gRPC reflection).
    #[arg(long, env = "ADDA_REFLECTION", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub reflection: bool,

    /// Logs on stderr, for people or for machines. Never message text, never a token.
    #[arg(long, env = "ADDA_LOG", value_name = "FORMAT", value_enum, default_value = "human")]
    pub log: LogFormat,

    /// How much is logged.
    #[arg(long, env = "ADDA_LOG_LEVEL", value_name = "LEVEL", value_enum, default_value = "info")]
    pub log_level: LogLevel,

    /// The largest group, 2 to 10000.
    #[arg(long, env = "ADDA_MAX_GROUP_MEMBERS", value_name = "MEMBERS", default_value = "10000")]
    pub max_group_members: u32,

    /// Whether users are held to what one person does. Off: for load tests.
    #[arg(long, env = "ADDA_RATE_LIMITS", value_name = "ON-OFF", value_enum, default_value = "on")]
    pub rate_limits: Switch,

    /// Messages a user may send, change or react to in 10 s, through one node; one more is refused
    /// with RATE_LIMITED and may be repeated.
    #[arg(long, env = "ADDA_MAX_MESSAGES", value_name = "COUNT", default_value = "100")]
    pub max_messages: std::num::NonZeroU32,

    /// Whether messages can be searched. Off: what is stored meanwhile is never found, and storing
    /// it costs less.
    #[arg(long, env = "ADDA_SEARCH", value_name = "ON-OFF", value_enum, default_value = "on")]
    pub search: Switch,

    /// Connections of all clients together; one more is closed at once.
    #[arg(long, env = "ADDA_MAX_CONNECTIONS", value_name = "COUNT", default_value = "100000")]
    pub max_connections: usize,

    /// Connections of one address; one more is closed at once. Behind a proxy that is the
    /// proxy's.
    #[arg(
        long,
        env = "ADDA_MAX_CONNECTIONS_PER_ADDRESS",
        value_name = "COUNT",
        default_value = "10000"
    )]
    pub max_connections_per_address: usize,

    /// Whose tokens are taken.
    #[command(flatten)]
    pub tokens: TokenKeys,

    /// How long what takes.
    #[command(flatten)]
    pub times: TimeArgs,

    /// How much may be asked.
    #[command(flatten)]
    pub limits: LimitArgs,

    /// Who is told what happened.
    #[command(flatten)]
    pub webhooks: WebhookArgs,

    /// How pushes go out.
    #[command(flatten)]
    pub pushes: PushArgs,
}

/// Whose tokens are taken: at least one kind of key, but for development.
#[derive(Args, Debug)]
#[command(next_help_heading = "Tokens")]
pub struct TokenKeys {
    /// Takes tokens signed HS256 with this, at least 32 bytes.
    #[arg(long, env = "JWT_SECRET", value_name = "SECRET", hide_env_values = true, value_parser = secret)]
    pub jwt_secret: Option<Secret>,

    /// Takes tokens signed RS256, ES256 or EdDSA, by the public key in this PEM file.
    #[arg(long, env = "JWT_PUBLIC_KEY", value_name = "FILE")]
    pub jwt_public_key: Option<PathBuf>,

    /// Takes tokens signed with a key of this JSON Web Key Set. Read again when a token names
    /// a key it does not hold, at most once a minute.
    #[arg(long, env = "JWT_JWKS", value_name = "URL-or-FILE", hide_env_values = true, value_parser = secret)]
    pub jwks: Option<Secret>,

    /// Takes only tokens whose `iss` is this. Unset: `iss` is not looked at.
    #[arg(long, env = "JWT_ISSUER", value_name = "ISSUER")]
    pub jwt_issuer: Option<String>,

    /// Takes only tokens whose `aud` is or holds this. Unset: `aud` is not looked at.
    #[arg(long, env = "JWT_AUDIENCE", value_name = "AUDIENCE")]
    pub jwt_audience: Option<String>,

    /// How much clocks may differ, and so how long a token is taken beyond its `exp`.
    #[arg(long, env = "ADDA_TOKEN_LEEWAY", value_name = "TIME", default_value = "60s", value_parser = time)]
    pub token_leeway: Duration,
}

/// How long what takes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Times")]
pub struct TimeArgs {
    /// How often either side of a Connect stream says something.
    #[arg(long, env = "ADDA_HEARTBEAT", value_name = "TIME", default_value = "30s", value_parser = time)]
    pub heartbeat: Duration,

    /// After how long a silent Connect stream is closed; at least twice --heartbeat.
    #[arg(long, env = "ADDA_HEARTBEAT_TIMEOUT", value_name = "TIME", default_value = "90s", value_parser = time)]
    pub heartbeat_timeout: Duration,

    /// How often the reader of a Subscribe stream calls Heartbeat, and the stream says
    /// something.
    #[arg(long, env = "ADDA_SUBSCRIBE_HEARTBEAT", value_name = "TIME", default_value = "45s", value_parser = time)]
    pub subscribe_heartbeat: Duration,

    /// After how long without a Heartbeat a Subscribe stream is closed; at least twice
    /// --subscribe-heartbeat.
    #[arg(
        long,
        env = "ADDA_SUBSCRIBE_HEARTBEAT_TIMEOUT",
        value_name = "TIME",
        default_value = "150s",
        value_parser = time
    )]
    pub subscribe_heartbeat_timeout: Duration,

    /// How long a device stays online without its node renewing it, up to 50s: so long its
    /// user looks online after a node has crashed. The same on all nodes.
    #[arg(long, env = "ADDA_PRESENCE_LEASE", value_name = "TIME", default_value = "45s", value_parser = time)]
    pub presence_lease: Duration,

    /// How long after their last stream users stay online, so that a reconnect does not
    /// flicker; no more than --presence-lease.
    #[arg(long, env = "ADDA_PRESENCE_GRACE", value_name = "TIME", default_value = "5s", value_parser = time)]
    pub presence_grace: Duration,

    /// How long a device may be away and still be told just what it missed, up to 7d.
    #[arg(long, env = "ADDA_RESUME_WINDOW", value_name = "TIME", default_value = "7d", value_parser = time)]
    pub resume_window: Duration,

    /// How long after they were sent messages may be edited, 1s to 366d.
    #[arg(long, env = "ADDA_EDIT_WINDOW", value_name = "TIME", default_value = "15m", value_parser = time)]
    pub edit_window: Duration,

    /// How many days notifications in the app are kept, 1 to 3650.
    #[arg(long, env = "ADDA_NOTIFICATIONS_DAYS", value_name = "DAYS", default_value_t = 90)]
    pub notifications_days: u32,

    /// How long a server that was told to stop may take to be gone.
    #[arg(long, env = "ADDA_DRAIN_TIMEOUT", value_name = "TIME", default_value = "20s", value_parser = time)]
    pub drain_timeout: Duration,
}

/// Whose token, signed how.
#[derive(Args, Debug)]
pub struct TokenArgs {
    /// The user, 1 to 64 of `A-Z a-z 0-9 _ . : @ -`: becomes `sub`.
    #[arg(long, env = "ADDA_TOKEN_USER", value_name = "USER")]
    pub user: String,

    /// The name others see: becomes `name`.
    #[arg(long, env = "ADDA_TOKEN_NAME", value_name = "NAME")]
    pub name: Option<String>,

    /// Becomes `scope`: adda.service for a service of the product.
    #[arg(long, env = "ADDA_TOKEN_SCOPE", value_name = "SCOPES")]
    pub scope: Option<String>,

    /// How long it is good for.
    #[arg(long, env = "ADDA_TOKEN_TTL", value_name = "TIME", default_value = "24h", value_parser = time)]
    pub ttl: Duration,

    /// Signs HS256 with this. Unset: with the secret of a development server.
    #[arg(long, env = "JWT_SECRET", value_name = "SECRET", hide_env_values = true, value_parser = secret)]
    pub jwt_secret: Option<Secret>,

    /// Becomes `iss`.
    #[arg(long, env = "JWT_ISSUER", value_name = "ISSUER")]
    pub jwt_issuer: Option<String>,

    /// Becomes `aud`.
    #[arg(long, env = "JWT_AUDIENCE", value_name = "AUDIENCE")]
    pub jwt_audience: Option<String>,
}

/// Who talks with whom, and where.
#[derive(Args, Debug)]
pub struct ChatArgs {
    /// The server: http://HOST:PORT or https://HOST.
    #[arg(long, env = "ADDA_SERVER", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub server: String,

    /// Who you are: 1 to 64 of `A-Z a-z 0-9 _ . : @ -`.
    #[arg(long = "as", env = "ADDA_USER", value_name = "USER")]
    pub user: String,

    /// The name others see; where a development server signs you in.
    #[arg(long, env = "ADDA_NAME", value_name = "NAME", default_value = "")]
    pub name: String,

    /// Talks with this user.
    #[arg(
        long,
        env = "ADDA_WITH",
        value_name = "USER",
        required_unless_present = "chat",
        conflicts_with = "chat"
    )]
    pub with: Option<String>,

    /// Talks in this chat, as /chats lists them: a group, say.
    #[arg(long = "in", id = "chat", env = "ADDA_IN", value_name = "CHAT_ID")]
    pub chat: Option<String>,

    /// Your token. Unset: a development server gives one.
    #[arg(long, env = "ADDA_TOKEN", value_name = "JWT", hide_env_values = true, value_parser = secret)]
    pub token: Option<Secret>,

    /// The folder in which chats, and what waits to be sent, are kept, a file a server and user
    /// [default: $XDG_STATE_HOME/adda or ~/.local/state/adda]
    #[arg(long, env = "ADDA_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// For whom the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines to be read.
    Human,
    /// One JSON object a line.
    Json,
}

/// How much is logged. What libraries log is shown from `warn` on, whatever the level: below
/// that they may show what passes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What is broken.
    Error,
    /// And what may soon be.
    Warn,
    /// And what happens seldom.
    Info,
    /// And each stream and call.
    Debug,
    /// And each step.
    Trace,
}

/// Never fails: clap would print the value. It is looked at later.
#[expect(clippy::unnecessary_wraps, reason = "what clap wants")]
pub(super) fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "not a time; write 250ms, 30s, 5m, 24h or 7d".to_owned())
}
