//! What the operator says, checked before a socket opens.
//!
//! [`args`] holds what may be written, one documented struct a subcommand, each flag also an
//! environment variable. [`check`] makes a [`Config`] of it: plain values that fit together. A
//! value that does not is refused by the name of its flag; so are keys of tokens, by
//! `auth::Verifier::new`. There is no global.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

pub mod args;
mod check;
pub mod explain;
mod keys;
pub mod limits;
pub mod load;
mod operator;
pub(crate) mod page;
pub mod push;
#[cfg(test)]
mod tests;
mod tls;
pub mod webhook;

pub use args::{Cli, Command, LogFormat, LogLevel, Switch};
pub(crate) use check::is_loopback_origin;
pub use page::Page;
pub use tls::Tls;

/// What a program ends with that was called the wrong way (`EX_USAGE`).
pub const EXIT_USAGE: u8 = 64;

/// The secret of a development server that was given none. Known to everybody: it is taken on
/// a loopback address alone, and tokens survive restarts.
pub const DEV_SECRET: &str = "adda-development-secret-known-to-everybody";

/// Everything a server is told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where operators ask for metrics; `None`: nowhere.
    pub admin_listen: Option<SocketAddr>,
    /// Where spans go; `None`: nowhere.
    pub otlp: Option<Otlp>,
    /// The store.
    pub store: Url,
    /// The bus.
    pub bus: Url,
    /// Where the bytes of attachments are, as `files::Depot` opens it; `None`: there are none.
    pub attachments: Option<String>,
    /// Bytes of one attachment.
    pub max_attachment_bytes: u32,
    /// Whose tokens are taken.
    pub tokens: Tokens,
    /// Whose pages may call from a browser.
    pub origins: Vec<String>,
    /// The page that `/` shows; `None`: none.
    pub page: Option<Page>,
    /// Certificate and key; `None`: plain.
    pub tls: Option<Tls>,
    /// Development: sign-in without a password, loopback only.
    pub dev: bool,
    /// Whether the server describes itself to whoever asks.
    pub reflection: bool,
    /// How it logs.
    pub log: Log,
    /// How long what takes.
    pub times: Times,
    /// The largest group.
    pub max_group_members: u32,
    /// Whether messages can be searched.
    pub search: bool,
    /// How much one user and one address may ask; `None`: as much as they like.
    pub rates: Option<limits::Rates>,
    /// Proxies whose word about addresses is taken.
    pub proxies: Vec<ipnet::IpNet>,
    /// Where to tell what happened.
    pub webhooks: Option<crate::webhook::Options>,
    /// How pushes go out.
    pub push: crate::push::Options,
    /// How many connections there may be.
    pub connections: Connections,
    /// What is right but worth a word in the log.
    pub warnings: Vec<String>,
}

/// Whose tokens are taken.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// For HS256.
    pub secret: Option<Secret>,
    /// For RS256, ES256 or `EdDSA`, by what it holds: the PEM itself.
    pub public_key: Option<String>,
    /// For the same three, by `kid`.
    pub jwks: Option<JwksSource>,
    /// `iss` must be this.
    pub issuer: Option<String>,
    /// `aud` must be or hold this.
    pub audience: Option<String>,
    /// How much clocks may differ.
    pub leeway: Duration,
}

/// Where a key set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksSource {
    /// Fetched.
    Url(Url),
    /// Read.
    File(std::path::PathBuf),
}

/// How the server logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// How much.
    pub level: LogLevel,
}

/// Where spans go.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// A collector that takes OTLP by gRPC.
    pub url: String,
    /// Of traces that begin here, the share that is recorded.
    pub share: f64,
}

/// How long what takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How often either side of Connect says something.
    pub heartbeat: Duration,
    /// How long a silent Connect stays.
    pub heartbeat_timeout: Duration,
    /// The same for Subscribe.
    pub subscribe_heartbeat: Duration,
    /// The same for Subscribe.
    pub subscribe_heartbeat_timeout: Duration,
    /// How long presence stays without being renewed.
    pub presence_lease: Duration,
    /// How long after the last session a user goes offline.
    pub presence_grace: Duration,
    /// For how long a resume token is good.
    pub resume_window: Duration,
    /// How long after they were sent messages may be edited.
    pub edit_window: Duration,
    /// How long notifications in the app are kept.
    pub notifications: Duration,
    /// How long a node that leaves waits for those it serves.
    pub drain_timeout: Duration,
}

/// How many connections there may be; one more is closed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Of all together.
    pub total: usize,
    /// Of one address.
    pub per_address: usize,
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself: to be used, never to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The URL of a backend, which may hold a password: shown without it.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// Takes a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL itself: to connect with, never to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Without user, password and options: `mongodb://***@host/adda`.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return f.write_str(&self.0);
        };
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        match rest.rsplit_once('@') {
            Some((_, place)) => write!(f, "{scheme}://***@{place}"),
            None => write!(f, "{scheme}://{rest}"),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value that is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{flag}: {why}")]
pub struct Refused {
    /// The flag, with the environment variable that may have set it.
    pub flag: String,
    /// What is wrong, without the value where that may be secret.
    pub why: String,
}

impl Refused {
    pub(crate) fn new(flag: &str, env: &str, why: impl Into<String>) -> Self {
        Self { flag: format!("{flag} ({env})"), why: why.into() }
    }
}
