//! What an operator sees a node by: checked.

use std::net::SocketAddr;

use super::args::ServeArgs;
use super::{Otlp, Refused};

/// A port of its own: also where one of the two is every address.
pub(super) fn admin(args: &ServeArgs) -> Result<Option<SocketAddr>, Refused> {
    let Some(admin) = args.admin_listen else { return Ok(None) };
    let (ours, theirs) = (admin.ip(), args.listen.ip());
    let meet = ours == theirs || ours.is_unspecified() || theirs.is_unspecified();
    if admin.port() != 0 && admin.port() == args.listen.port() && meet {
        let why = "is the address of --listen; operators need one of their own";
        return Err(Refused::new("--admin-listen", "ADDA_ADMIN_LISTEN", why));
    }
    Ok(Some(admin))
}

/// A collector, and how much it is told.
pub(super) fn otlp(args: &ServeArgs) -> Result<Option<Otlp>, Refused> {
    if !(0.0..=1.0).contains(&args.otlp_sample) {
        return Err(Refused::new("--otlp-sample", "ADDA_OTLP_SAMPLE", "0 to 1"));
    }
    let Some(url) = &args.otlp else { return Ok(None) };
    let refuse = |why: &str| Refused::new("--otlp", "ADDA_OTLP", why);
    let given =
        reqwest::Url::parse(url).map_err(|_| refuse("not a URL; write http://127.0.0.1:4317"))?;
    if !matches!(given.scheme(), "http" | "https") || !given.has_host() {
        return Err(refuse("OTLP goes by gRPC to http://HOST:PORT or https://HOST:PORT"));
    }
    if !matches!(given.path(), "" | "/") || given.query().is_some() || has_password(&given) {
        return Err(refuse("a host and a port, nothing else"));
    }
    Ok(Some(Otlp { url: url.clone(), share: args.otlp_sample }))
}

fn has_password(url: &reqwest::Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}
