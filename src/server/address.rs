//! Where a request comes from, and how much may come from there.
//!
//! The address is the connection's, unless that is a proxy's of ours (`--trusted-proxy`): then
//! the last one in `X-Forwarded-For` that is no proxy of ours. What stands before it may be made
//! up by anybody.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use ipnet::IpNet;
use tonic::transport::server::TcpConnectInfo;

use super::accept::who;
use crate::chat::rate::{Rate, WINDOW};
use crate::config::Config;
use crate::rpc::edge::Refused;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Addresses of that header that are looked at: no more proxies stand in a row.
const HOPS: usize = 16;

/// How much came from where of late.
pub(super) struct Addresses {
    proxies: Vec<IpNet>,
    rate: Rate<IpAddr>,
}

impl Addresses {
    pub(super) fn new(config: &Config) -> Self {
        let count = config.rates.map(|rates| rates.from_address);
        let refusal = "too many calls come from your address; wait a little";
        Self { proxies: config.proxies.clone(), rate: Rate::new(count, WINDOW, refusal) }
    }

    /// Forgets who has been quiet.
    pub(super) fn sweep(&self) {
        self.rate.sweep();
    }

    fn of(&self, connection: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !is_in(&self.proxies, connection) {
            return connection;
        }
        let lists = headers.get_all(FORWARDED_FOR).iter();
        let lists: Vec<&str> = lists.filter_map(|list| list.to_str().ok()).collect();
        let hops = lists.iter().rev().flat_map(|list| list.rsplit(',')).take(HOPS);
        let mut from = connection;
        for hop in hops {
            // What is no address ends what can be believed.
            let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
            from = hop;
            if !is_in(&self.proxies, hop) {
                break;
            }
        }
        from
    }
}

/// Whether this is a proxy of ours.
pub(super) fn is_in(proxies: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    proxies.iter().any(|network| network.contains(&address))
}

/// Lets in no more than may come from one address.
pub(super) async fn bounded(
    State(addresses): State<Arc<Addresses>>,
    mut request: Request,
    next: Next,
) -> Response {
    let connection = request.extensions().get::<TcpConnectInfo>();
    let Some(connection) = connection.and_then(|info| info.remote_addr) else {
        return next.run(request).await;
    };
    let from = who(addresses.of(connection.ip(), request.headers()));
    let Err(error) = addresses.rate.check(&from) else { return next.run(request).await };
    if super::is_grpc(&request) {
        request.extensions_mut().insert(Refused(Arc::new(error)));
        return next.run(request).await;
    }
    let seconds = error.retry_after.map_or(1, |after| after.as_secs() + 1);
    let text = (StatusCode::TOO_MANY_REQUESTS, format!("{}\n", error.message));
    let mut refusal = text.into_response();
    refusal.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(connection: &str, lists: &[&str]) -> String {
        let proxies = ["10.0.0.0/8", "::1/128"].map(|net| net.parse().unwrap()).to_vec();
        let addresses = Addresses { proxies, rate: Rate::new(None, WINDOW, "") };
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(FORWARDED_FOR, list.parse().unwrap());
        }
        addresses.of(connection.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_proxy_of_ours_is_believed() {
        assert_eq!(of("192.0.2.7", &["198.51.100.1"]), "192.0.2.7");
        assert_eq!(of("10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(of("::ffff:10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(of("::1", &[]), "::1");
    }

    #[test]
    fn what_stands_before_the_last_stranger_is_made_up() {
        assert_eq!(of("10.0.0.1", &["203.0.113.9, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(of("10.0.0.1", &["203.0.113.9", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(of("10.0.0.1", &["203.0.113.9, who?"]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &["203.0.113.9, who?, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(of("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }
}
