//! What may be asked of the load generator. `adda load --help` is made of this.
#![allow(clippy::doc_markdown, reason = "these docs are what --help prints")]

use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Subcommand};

use super::Secret;
use super::args::{secret, time};

/// Where the load goes, for how long, and what it is.
#[derive(Args, Debug)]
pub struct LoadArgs {
    /// The server: http://HOST:PORT; several, separated by commas, share the streams.
    #[arg(
        long,
        env = "ADDA_SERVER",
        value_name = "URL",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:8080"
    )]
    pub server: Vec<String>,

    /// Signs its tokens HS256 with this. Unset: with the secret of a development server.
    #[arg(long, env = "JWT_SECRET", value_name = "SECRET", hide_env_values = true, value_parser = secret)]
    pub jwt_secret: Option<Secret>,

    /// Process id of the server, on this machine: its memory, processor time and flags are told.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,

    /// Process ids of mongod, Redis and the like, separated by commas: what they use together is
    /// told.
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub backends: Vec<u32>,

    /// So long it runs before it counts.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = time)]
    pub warmup: Duration,

    /// So long it counts.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub time: Duration,

    /// Begins the names of all its users, so that one run does not meet what another left.
    #[arg(long, value_name = "NAME", default_value = "load")]
    pub name: String,

    /// Prints JSON on stdout instead of the table.
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,

    /// What to do.
    #[command(subcommand)]
    pub scenario: Scenario,
}

/// What there is.
#[derive(Debug, Subcommand)]
pub enum Scenario {
    /// Direct chats: one side sends, the other receives.
    Pairs(PairsArgs),
    /// One group: some send, all members receive.
    Group(GroupArgs),
    /// Streams on which nothing happens: what does one cost?
    Idle(IdleArgs),
    /// Users with many chats, some unread, who page through their inbox.
    Inbox(InboxArgs),
    /// Pages at random places of long chats; see fill.
    History(HistoryArgs),
    /// All streams are cut at once and come back with their resume tokens.
    Storm(StormArgs),
    /// Pairs, while some other readers stop reading.
    Slow(SlowArgs),
    /// Messages to users who are away, and a push service that takes what is pushed of them.
    Push(PushArgs),
    /// Calls of every sort, one after another: what each costs.
    Calls(CallsArgs),
    /// Writes messages into a store, past any server: for history.
    Fill(FillArgs),
    /// What the store, the bus and a bare stream could do at most.
    Limits(LimitsArgs),
}

/// What is offered: an open loop with a rate, or so many sends unanswered.
#[derive(Args, Clone, Copy, Debug)]
pub struct Offer {
    /// Sends a second over all chats, whether or not they are answered in time.
    #[arg(long, value_name = "PER-SECOND", conflicts_with = "in_flight")]
    pub rate: Option<f64>,

    /// Unanswered sends a sender, always.
    #[arg(long, value_name = "COUNT", default_value = "8")]
    pub in_flight: usize,

    /// Bytes of a message's text.
    #[arg(long, value_name = "BYTES", default_value = "64")]
    pub text: usize,
}

/// Direct chats.
#[derive(Args, Clone, Copy, Debug)]
pub struct PairsArgs {
    /// How many.
    #[arg(long, value_name = "COUNT", default_value = "50")]
    pub pairs: usize,

    /// What is offered.
    #[command(flatten)]
    pub offer: Offer,

    /// The receivers acknowledge nothing.
    #[arg(long)]
    pub no_receipts: bool,

    /// The receivers are away: the way into the store alone.
    #[arg(long)]
    pub away: bool,
}

/// One group.
#[derive(Args, Clone, Copy, Debug)]
pub struct GroupArgs {
    /// Members, all with a stream.
    #[arg(long, value_name = "COUNT", default_value = "1000")]
    pub members: usize,

    /// How many of them send.
    #[arg(long, value_name = "COUNT", default_value = "1")]
    pub senders: usize,

    /// What is offered.
    #[command(flatten)]
    pub offer: Offer,

    /// All but the senders are away: one hot chat.
    #[arg(long)]
    pub away: bool,
}

/// Streams on which nothing happens.
#[derive(Args, Clone, Copy, Debug)]
pub struct IdleArgs {
    /// How many, each of a user of its own.
    #[arg(long, value_name = "COUNT", default_value = "5000")]
    pub streams: usize,
}

/// Users with many chats.
#[derive(Args, Clone, Copy, Debug)]
pub struct InboxArgs {
    /// How many users.
    #[arg(long, value_name = "COUNT", default_value = "10")]
    pub users: usize,

    /// Chats of each.
    #[arg(long, value_name = "COUNT", default_value = "1000")]
    pub chats: usize,

    /// Of these so many have an unread message, the newest ones.
    #[arg(long, value_name = "COUNT", default_value = "50")]
    pub unread: usize,

    /// Walks through a whole inbox begun a second, over all users.
    #[arg(long, value_name = "PER-SECOND", default_value = "2")]
    pub rate: f64,
}

/// Pages at random places of long chats.
#[derive(Args, Clone, Debug)]
pub struct HistoryArgs {
    /// Pages asked for a second.
    #[arg(long, value_name = "PER-SECOND", default_value = "100")]
    pub rate: f64,

    /// Messages a page.
    #[arg(long, value_name = "COUNT", default_value = "50")]
    pub page: u32,
}

/// All come back at once.
#[derive(Args, Clone, Copy, Debug)]
pub struct StormArgs {
    /// How many; two share a direct chat.
    #[arg(long, value_name = "COUNT", default_value = "15000")]
    pub streams: usize,
}

/// Some readers stop.
#[derive(Args, Clone, Copy, Debug)]
pub struct SlowArgs {
    /// Direct chats that go on as ever.
    #[arg(long, value_name = "COUNT", default_value = "50")]
    pub pairs: usize,

    /// Their sends a second, together.
    #[arg(long, value_name = "PER-SECOND", default_value = "1000")]
    pub rate: f64,

    /// Readers that stop, each with a chat of its own.
    #[arg(long, value_name = "COUNT", default_value = "100")]
    pub stopped: usize,

    /// What is sent to each of these, a second.
    #[arg(long, value_name = "PER-SECOND", default_value = "20")]
    pub stopped_rate: f64,

    /// Bytes of a message to a stopped reader.
    #[arg(long, value_name = "BYTES", default_value = "1000")]
    pub stopped_text: usize,
}

/// Pushes, to a push service that the generator is itself: start the server with --fcm-url
/// http://ADDR:PORT, and an account whose token_uri is http://ADDR:PORT/token.
#[derive(Args, Clone, Copy, Debug)]
pub struct PushArgs {
    /// Users who are away, each with a phone, and a direct chat with a sender. What reaches one
    /// chat within 5 s is one push, so a rate wants five times as many users.
    #[arg(long, value_name = "COUNT", default_value = "20000")]
    pub users: usize,

    /// What is offered; a sender has 1,000 of the chats.
    #[command(flatten)]
    pub offer: Offer,

    /// Where pushes are taken, by HTTP/2 without TLS.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9099")]
    pub fcm_listen: std::net::SocketAddr,

    /// How long it takes to answer.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    pub fcm_latency: Duration,
}

/// Calls of every sort.
#[derive(Args, Clone, Debug)]
pub struct CallsArgs {
    /// How many of each; a user may have as many uploads unsent.
    #[arg(long, value_name = "COUNT", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=50))]
    pub calls: u32,

    /// Members of the group they are made in.
    #[arg(long, value_name = "COUNT", default_value = "10", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub members: u32,

    /// The server's metrics, http://HOST:PORT/metrics of its --admin-listen: to count what it asks
    /// its store for each.
    #[arg(long, value_name = "URL")]
    pub metrics: Option<String>,
}

/// Messages past any server.
#[derive(Args, Clone, Debug)]
pub struct FillArgs {
    /// The store, as `serve` takes it. No server may use a SQLite file meanwhile.
    #[arg(long, env = "ADDA_STORE", value_name = "URL", hide_env_values = true, value_parser = secret)]
    pub store: Secret,

    /// How many.
    #[arg(long, value_name = "COUNT", default_value = "1000000")]
    pub messages: u32,

    /// Into so many chats.
    #[arg(long, value_name = "COUNT", default_value = "100")]
    pub chats: u32,
}

/// Raw limits.
#[derive(Args, Clone, Debug)]
pub struct LimitsArgs {
    /// The store: its grouped durable inserts, with adda's own documents and indexes. A
    /// database or file of this run's own is written and then dropped.
    #[arg(long, env = "ADDA_STORE", value_name = "URL", hide_env_values = true, value_parser = secret)]
    pub store: Option<Secret>,

    /// The bus: its PUBLISH, one by one and pipelined.
    #[arg(long, env = "ADDA_BUS", value_name = "URL", hide_env_values = true, value_parser = secret)]
    pub bus: Option<Secret>,

    /// Streams of the bare server, each of which gets every frame.
    #[arg(long, value_name = "COUNT", default_value = "1000")]
    pub streams: usize,

    /// Only serves bare streams, on this address, until it is ended: the other half of a run.
    #[arg(long, hide = true)]
    pub serve_bare: Option<std::net::SocketAddr>,
}
