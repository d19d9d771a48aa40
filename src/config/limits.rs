//! How much one user and one address may ask, and whose word about addresses is taken.
#![allow(clippy::doc_markdown, reason = "these docs are what --help prints")]

use std::num::NonZeroU32;

use clap::Args;
use ipnet::IpNet;

use super::args::{ServeArgs, Switch};

/// How much one user and one address may ask.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Calls a user may make in 10 s, through one node, streams and services' own left out; one
    /// more is refused with RATE_LIMITED and may be repeated.
    #[arg(long, env = "ADDA_MAX_CALLS", value_name = "COUNT", default_value = "500")]
    pub max_calls: NonZeroU32,

    /// Streams a user may open in a minute, through one node; likewise.
    #[arg(long, env = "ADDA_MAX_STREAMS", value_name = "COUNT", default_value = "20")]
    pub max_streams: NonZeroU32,

    /// Calls and requests that may come from one address in 10 s, to one node; likewise, and of
    /// plain HTTP with 429. Many people may share an address.
    #[arg(long, env = "ADDA_MAX_CALLS_PER_ADDRESS", value_name = "COUNT", default_value = "10000")]
    pub max_calls_per_address: NonZeroU32,

    /// Proxies whose X-Forwarded-For tells where a call came from, such as 10.0.0.0/8. May be
    /// repeated, or separated by commas. Their connections are bounded by --max-connections alone.
    #[arg(
        long,
        env = "ADDA_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ',',
        value_parser = network
    )]
    pub trusted_proxy: Vec<IpNet>,
}

/// How much one user and one address may ask, through one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Messages of a user in 10 s.
    pub messages: NonZeroU32,
    /// Calls of a user in 10 s.
    pub calls: NonZeroU32,
    /// Streams that a user opens in a minute.
    pub streams: NonZeroU32,
    /// Calls and requests from one address in 10 s.
    pub from_address: NonZeroU32,
}

impl Rates {
    /// `None`: nobody is held to anything.
    pub(super) fn of(args: &ServeArgs) -> Option<Self> {
        let limits = &args.limits;
        (args.rate_limits == Switch::On).then_some(Self {
            messages: args.max_messages,
            calls: limits.max_calls,
            streams: limits.max_streams,
            from_address: limits.max_calls_per_address,
        })
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let one = || text.parse().map(|address: std::net::IpAddr| address.into()).ok();
    text.parse().ok().or_else(one).ok_or_else(|| "write 10.0.0.0/8, or an address".to_owned())
}
