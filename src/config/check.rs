//! From what was written to what holds: each value by itself, then all together.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{ChatArgs, ServeArgs, Switch, TimeArgs};
use super::keys::tokens;
use super::limits::Rates;
use super::tls::{Tls, TlsError};
use super::{Config, Connections, DEV_SECRET, Log, Page, Refused, Secret, Times, Url, operator};
use crate::client::{Options, Place};
use crate::model::UserId;

/// The longest of any time: what is longer is a slip of the pen.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// With 10 s between two looks of other nodes, a crashed node's users are offline in 60 s.
const LONGEST_LEASE: Duration = Duration::from_secs(50);

/// Whoever wants no end to editing gets a year.
const LONGEST_EDIT_WINDOW: Duration = Duration::from_secs(366 * 24 * 3600);

/// The largest group that the house is built for.
const MAX_MEMBERS: u32 = 10_000;

/// The largest attachment: a picture is decoded whole, and other files are not the server's to
/// look into.
const MAX_ATTACHMENT_BYTES: u32 = 100_000_000;

pub(super) type Checked<T> = Result<T, Refused>;

impl Config {
    /// Checks everything. Reads the files that are named; `env` is asked for
    /// `MONGODB_URI` and `REDIS_URL`.
    pub fn check(args: &ServeArgs, env: impl Fn(&str) -> Option<String>) -> Checked<Self> {
        if args.dev && !args.listen.ip().is_loopback() {
            let why = "development mode takes anyone at their word: only on a loopback address";
            return Err(Refused::new("--dev", "ADDA_DEV", why));
        }
        let store = store(args.store.as_ref(), &env)?;
        let bus = bus(args.bus.as_ref(), &env)?;
        let tokens = tokens(&args.tokens, args.dev)?;
        let mut warnings = Vec::new();
        if store.expose().starts_with("mongodb") && bus.expose() == "memory:" {
            warnings.push(
                "MongoDB with --bus memory: is right for one node alone: a second one would \
                 hear nothing of this one"
                    .to_owned(),
            );
        }
        let attachments = attachments(args.attachments.as_deref(), &store)?;
        if attachments.is_none() && args.attachments.is_none() {
            warnings.push(
                "no attachments: with MongoDB say where they are to be (--attachments)".to_owned(),
            );
        }
        if tokens.secret.as_ref().is_some_and(|secret| secret.expose() == DEV_SECRET) {
            warnings.push(
                "development mode: tokens are signed with a secret known to everybody".to_owned(),
            );
        }
        Ok(Self {
            listen: args.listen,
            admin_listen: operator::admin(args)?,
            otlp: operator::otlp(args)?,
            attachments,
            max_attachment_bytes: attachment_bytes(args.max_attachment_bytes)?,
            store,
            bus,
            tokens,
            origins: origins(&args.cors_origin)?,
            page: args.page.as_deref().map(Page::read).transpose()?,
            tls: tls(args.tls_cert.as_deref(), args.tls_key.as_deref())?,
            dev: args.dev,
            reflection: args.dev || args.reflection,
            log: Log { format: args.log, level: args.log_level },
            times: times(&args.times)?,
            max_group_members: members(args.max_group_members)?,
            rates: Rates::of(args),
            proxies: args.limits.trusted_proxy.clone(),
            webhooks: args.webhooks.check()?,
            push: args.pushes.check()?,
            search: args.search == Switch::On,
            connections: connections(args)?,
            warnings,
        })
    }
}

/// Where attachments are; with SQLite, which is for one node, beside the file.
fn attachments(given: Option<&str>, store: &Url) -> Checked<Option<String>> {
    let refused = |why: &str| Refused::new("--attachments", "ADDA_ATTACHMENTS", why);
    let Some(given) = given else {
        let file = store.expose().strip_prefix("sqlite:");
        let beside = |file: &str| Path::new(file).with_file_name("attachments");
        return Ok(file.map(|file| format!("file:{}", beside(file).display())));
    };
    if given == "off" {
        return Ok(None);
    }
    let buckets = ["s3://", "gs://", "az://"];
    let named = buckets.iter().filter_map(|scheme| given.strip_prefix(scheme));
    let folder = given.strip_prefix("file:");
    match folder.into_iter().chain(named).next() {
        Some(rest) if !rest.is_empty() && !rest.starts_with("//") => Ok(Some(given.to_owned())),
        _ => Err(refused("write file:PATH, s3://, gs:// or az:// with a bucket, or off")),
    }
}

fn attachment_bytes(bytes: u32) -> Checked<u32> {
    if (1..=MAX_ATTACHMENT_BYTES).contains(&bytes) {
        return Ok(bytes);
    }
    let why = format!("from 1 to {MAX_ATTACHMENT_BYTES}");
    Err(Refused::new("--max-attachment-bytes", "ADDA_MAX_ATTACHMENT_BYTES", why))
}

impl ChatArgs {
    /// Who talks where. `env` is asked for `XDG_STATE_HOME` and `HOME`.
    pub fn check(&self, env: impl Fn(&str) -> Option<OsString>) -> Checked<(Options, Place)> {
        let user = |flag: &str, text: &str| {
            let why = "1 to 64 of A-Z a-z 0-9 _ . : @ -".into();
            UserId::parse(text)
                .map(|user| user.to_string())
                .ok_or_else(|| Refused { flag: flag.into(), why })
        };
        let me = user("--as (ADDA_USER)", &self.user)?;
        let place = match (&self.with, &self.chat) {
            (Some(with), _) if *with == me => {
                return Err(Refused { flag: "--with".into(), why: "is yourself".into() });
            }
            (Some(with), _) => Place::Peer(user("--with", with)?),
            (None, chat) => Place::Chat(chat.clone().unwrap_or_default()),
        };
        let wrong =
            || Refused::new("--server", "ADDA_SERVER", "write http://HOST:PORT or https://HOST");
        let server: http::Uri = self.server.parse().map_err(|_| wrong())?;
        let authority = server.authority().ok_or_else(wrong)?.as_str();
        if !matches!(server.scheme_str(), Some("http" | "https")) {
            return Err(wrong());
        }
        let folder = self.state.clone().or_else(|| state_folder(&env)).ok_or_else(|| {
            Refused::new("--state", "ADDA_STATE", "there is no HOME to keep it in: say where")
        })?;
        let file = format!("{me}@{}.db", authority.replace([':', '/', '[', ']', '@'], "-"));
        let options = Options {
            server: self.server.trim_end_matches('/').to_owned(),
            user: me,
            name: self.name.clone(),
            token: self.token.as_ref().map(|token| token.expose().to_owned()),
            state: Some(folder.join(file)),
        };
        Ok((options, place))
    }
}

fn state_folder(env: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    state.map(|state| state.join("adda"))
}

/// What was given, or else what a variable that other programs know too says; who sets that to
/// nothing has not set it.
fn given_or(
    given: Option<&Secret>,
    env: &impl Fn(&str) -> Option<String>,
    variable: &'static str,
    otherwise: &str,
) -> (String, Option<&'static str>) {
    match given {
        Some(url) => (url.expose().to_owned(), None),
        None => match env(variable).filter(|url| !url.is_empty()) {
            Some(url) => (url, Some(variable)),
            None => (otherwise.to_owned(), None),
        },
    }
}

fn store(given: Option<&Secret>, env: &impl Fn(&str) -> Option<String>) -> Checked<Url> {
    let (url, from) = given_or(given, env, "MONGODB_URI", "sqlite:adda.db");
    let mongo = ["mongodb://", "mongodb+srv://"]
        .iter()
        .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    let sqlite = url.strip_prefix("sqlite:").is_some_and(|path| !path.is_empty());
    if mongo || (sqlite && from.is_none()) {
        return Ok(Url(url));
    }
    Err(Refused::new(
        "--store",
        from.unwrap_or("ADDA_STORE"),
        "not a store; write sqlite:PATH or mongodb://HOST/DATABASE",
    ))
}

fn bus(given: Option<&Secret>, env: &impl Fn(&str) -> Option<String>) -> Checked<Url> {
    let (url, from) = given_or(given, env, "REDIS_URL", "memory:");
    let redis = ["redis://", "rediss://", "redis-cluster://", "rediss-cluster://"]
        .iter()
        .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    if redis || (url == "memory:" && from.is_none()) {
        return Ok(Url(url));
    }
    Err(Refused::new(
        "--bus",
        from.unwrap_or("ADDA_BUS"),
        "not a bus; write memory: or redis://HOST",
    ))
}

/// Origins as browsers write them: scheme, host, perhaps a port, nothing behind.
fn origins(given: &[String]) -> Checked<Vec<String>> {
    let refuse = |origin: &str| {
        let why = format!("{origin:?} is not an origin; write https://app.example.com");
        Refused::new("--cors-origin", "ADDA_CORS_ORIGIN", why)
    };
    given
        .iter()
        .map(|origin| {
            let origin = origin.trim();
            let url = reqwest::Url::parse(origin).map_err(|_| refuse(origin))?;
            let serialized = url.origin().ascii_serialization();
            let http = matches!(url.scheme(), "http" | "https");
            if http && serialized == origin { Ok(serialized) } else { Err(refuse(origin)) }
        })
        .collect()
}

fn tls(cert: Option<&Path>, key: Option<&Path>) -> Checked<Option<Tls>> {
    let cert_refused = |why: String| Refused::new("--tls-cert", "ADDA_TLS_CERT", why);
    let key_refused = |why: String| Refused::new("--tls-key", "ADDA_TLS_KEY", why);
    let (cert, key) = match (cert, key) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(key_refused("--tls-cert needs its key".to_owned())),
        (None, Some(_)) => return Err(cert_refused("--tls-key needs its certificate".to_owned())),
        (Some(cert), Some(key)) => (cert, key),
    };
    let cannot = |path: &Path, error| format!("cannot read {}: {error}", path.display());
    let cert = std::fs::read(cert).map_err(|error| cert_refused(cannot(cert, error)))?;
    let key = std::fs::read(key).map_err(|error| key_refused(cannot(key, error)))?;
    let tls = Tls::of_pem(&cert, &key).map_err(|error| match error {
        TlsError::Cert(why) => cert_refused(why),
        TlsError::Key(why) => key_refused(why),
    })?;
    Ok(Some(tls))
}

fn times(args: &TimeArgs) -> Checked<Times> {
    let all = [
        ("--heartbeat", "ADDA_HEARTBEAT", args.heartbeat),
        ("--heartbeat-timeout", "ADDA_HEARTBEAT_TIMEOUT", args.heartbeat_timeout),
        ("--subscribe-heartbeat", "ADDA_SUBSCRIBE_HEARTBEAT", args.subscribe_heartbeat),
        (
            "--subscribe-heartbeat-timeout",
            "ADDA_SUBSCRIBE_HEARTBEAT_TIMEOUT",
            args.subscribe_heartbeat_timeout,
        ),
        ("--presence-lease", "ADDA_PRESENCE_LEASE", args.presence_lease),
        ("--resume-window", "ADDA_RESUME_WINDOW", args.resume_window),
    ];
    for (flag, env, time) in all {
        if time < Duration::from_millis(10) || time > LONGEST {
            return Err(Refused::new(flag, env, "at least 10ms, at most 7d"));
        }
    }
    for (beat, beat_flag, (flag, env, time)) in [
        (args.heartbeat, "--heartbeat", all[1]),
        (args.subscribe_heartbeat, "--subscribe-heartbeat", all[3]),
    ] {
        if time < beat * 2 {
            let why = format!("at least twice {beat_flag}, or one that is late ends the stream");
            return Err(Refused::new(flag, env, why));
        }
    }
    if args.presence_lease > LONGEST_LEASE {
        let why = "at most 50s: so long a crashed node's users look online";
        return Err(Refused::new("--presence-lease", "ADDA_PRESENCE_LEASE", why));
    }
    if args.presence_grace > args.presence_lease {
        let why = "no more than --presence-lease";
        return Err(Refused::new("--presence-grace", "ADDA_PRESENCE_GRACE", why));
    }
    if args.drain_timeout > Duration::from_secs(3600) {
        return Err(Refused::new("--drain-timeout", "ADDA_DRAIN_TIMEOUT", "at most 1h"));
    }
    if !(Duration::from_secs(1)..=LONGEST_EDIT_WINDOW).contains(&args.edit_window) {
        return Err(Refused::new("--edit-window", "ADDA_EDIT_WINDOW", "1s to 366d"));
    }
    if !(1..=3650).contains(&args.notifications_days) {
        let (flag, env) = ("--notifications-days", "ADDA_NOTIFICATIONS_DAYS");
        return Err(Refused::new(flag, env, "1 to 3650"));
    }
    Ok(Times {
        heartbeat: args.heartbeat,
        heartbeat_timeout: args.heartbeat_timeout,
        subscribe_heartbeat: args.subscribe_heartbeat,
        subscribe_heartbeat_timeout: args.subscribe_heartbeat_timeout,
        presence_lease: args.presence_lease,
        presence_grace: args.presence_grace,
        resume_window: args.resume_window,
        edit_window: args.edit_window,
        notifications: Duration::from_secs(u64::from(args.notifications_days) * 24 * 3600),
        drain_timeout: args.drain_timeout,
    })
}

fn members(given: u32) -> Checked<u32> {
    if (2..=MAX_MEMBERS).contains(&given) {
        return Ok(given);
    }
    let why = format!("2 to {MAX_MEMBERS}");
    Err(Refused::new("--max-group-members", "ADDA_MAX_GROUP_MEMBERS", why))
}

fn connections(args: &ServeArgs) -> Checked<Connections> {
    if args.max_connections == 0 {
        return Err(Refused::new("--max-connections", "ADDA_MAX_CONNECTIONS", "at least 1"));
    }
    if args.max_connections_per_address == 0 {
        let (flag, env) = ("--max-connections-per-address", "ADDA_MAX_CONNECTIONS_PER_ADDRESS");
        return Err(Refused::new(flag, env, "at least 1"));
    }
    Ok(Connections { total: args.max_connections, per_address: args.max_connections_per_address })
}

/// Whether a browser's `Origin` is a page of this machine.
pub(crate) fn is_loopback_origin(origin: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(origin) else { return false };
    match url.host_str().map(|host| host.trim_matches(['[', ']'])) {
        Some("localhost") => true,
        Some(host) => host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}
