//! Connections: how many, how long, and what a peer may ask of one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::TcpConnectInfo;
use tower::Service;

use super::address::is_in;
use crate::config::Connections;
use crate::metrics;

/// A peer that has not finished its TLS handshake, or has asked for nothing, by then is closed.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long a peer that is closed for that has to take it.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long the headers of an HTTP/1.1 request may take, the wait for the next one included.
const HEADERS: Duration = Duration::from_secs(30);
/// Calls and streams of one connection at once; more wait, or are refused.
const STREAMS: u32 = 32;
/// All headers of a request together; a token is the largest of them.
const HEADER_LIST: u32 = 16 * 1024;
/// What HTTP/1.1 reads ahead: the headers, and a piece of the body.
const HTTP1_BUFFER: usize = 32 * 1024;
/// What a connection may have on the way to us.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What one stream of it may.
const STREAM_WINDOW: u32 = 128 * 1024;
/// What waits to be written to one stream. Beyond this the session's own bound fills.
const SEND_BUFFER: usize = 64 * 1024;
/// How often a connection is asked whether it still is, and how long it has to say so.
const PING_EVERY: Duration = Duration::from_secs(25);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The system has no sockets or memory left: look again after this.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Takes connections until it is told to stop.
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) app: Router,
    pub(super) limits: Connections,
    /// Connections of these are bounded in all, not by address.
    pub(super) proxies: Vec<IpNet>,
    /// Whether its connections count among those of clients.
    pub(super) counted: bool,
    pub(super) drain: Duration,
    /// No new connections, and the open ones end when their streams have.
    pub(super) stop: CancellationToken,
    /// All ends now.
    pub(super) cut: CancellationToken,
}

impl Acceptor {
    pub(super) async fn run(self) {
        let Self { listener, tls, app, limits, proxies, counted, drain, stop, cut } = self;
        let peer = Arc::new(Peer { builder: builder(), tls, app, stop: stop.clone(), cut });
        let slots = Arc::new(Slots { limits, proxies, taken: Mutex::default() });
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = peer.cut.cancelled() => break,
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, addr)) => {
                    let Some(slot) = slots.take(addr.ip()) else {
                        metrics::connections_refused().inc();
                        tracing::debug!(%addr, "refused: too many connections");
                        continue;
                    };
                    metrics::connections_taken().add(u64::from(counted));
                    let peer = Arc::clone(&peer);
                    tasks.spawn(async move {
                        let _slot = &slot;
                        let _open = counted.then(|| metrics::connections().enter());
                        peer.welcome(stream, addr).await;
                    });
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot take connections");
                    sleep(EXHAUSTED).await;
                }
            }
        }
        drop(listener);
        tasks.close();
        if timeout(drain, tasks.wait()).await.is_err() {
            tracing::warn!(left = tasks.len(), "connections are cut: the drain time is over");
            peer.cut.cancel();
            tasks.wait().await;
        }
    }
}

fn is_of_the_peer(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HTTP1_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_LIST)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// What it takes to serve a connection.
struct Peer {
    builder: Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
    app: Router,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Peer {
    #[expect(clippy::manual_async_fn, reason = "that has room for what it is given twice")]
    fn welcome(
        self: Arc<Self>,
        stream: TcpStream,
        addr: SocketAddr,
    ) -> impl Future<Output = ()> + Send {
        async move {
            // Frames are small and someone waits for each. It fails on a socket that is gone.
            let _ = stream.set_nodelay(true);
            let local_addr = stream.local_addr().ok();
            let info = TcpConnectInfo { local_addr, remote_addr: Some(addr) };
            match self.tls.clone() {
                None => self.serve(stream, info).await,
                // Apart, so that a plain connection does not carry the room for this.
                Some(tls) => Box::pin(self.secure(tls, stream, info)).await,
            }
        }
    }

    async fn secure(self: Arc<Self>, tls: TlsAcceptor, stream: TcpStream, info: TcpConnectInfo) {
        let addr = info.remote_addr;
        let handshake = timeout(FIRST_REQUEST, tls.accept(stream));
        let shaken = tokio::select! {
            () = self.cut.cancelled() => return,
            shaken = handshake => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => self.serve(stream, info).await,
            Ok(Err(error)) => tracing::debug!(?addr, %error, "no TLS handshake"),
            Err(_) => tracing::debug!(?addr, "no TLS handshake in time"),
        }
    }

    /// Serves what comes on a connection until it ends, on either side.
    #[expect(clippy::manual_async_fn, reason = "that has room for what it is given twice")]
    fn serve(
        self: Arc<Self>,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        info: TcpConnectInfo,
    ) -> impl Future<Output = ()> + Send {
        async move {
            let addr = info.remote_addr;
            let asked = Arc::new(AtomicBool::new(false));
            let service = {
                let (asked, app) = (Arc::clone(&asked), self.app.clone());
                hyper::service::service_fn(move |mut request: http::Request<Incoming>| {
                    asked.store(true, Ordering::Relaxed);
                    request.extensions_mut().insert(info.clone());
                    // A router is always ready.
                    app.clone().call(request)
                })
            };
            let mut connection = pin!(self.builder.serve_connection(TokioIo::new(io), service));
            let mut first = pin!(sleep(FIRST_REQUEST));
            let (mut looked, mut leaving) = (false, false);
            loop {
                tokio::select! {
                    () = self.cut.cancelled() => return,
                    ended = connection.as_mut() => {
                        if let Err(error) = ended {
                            tracing::debug!(?addr, error, "a connection broke");
                        }
                        return;
                    }
                    () = self.stop.cancelled(), if !leaving => {
                        leaving = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    () = first.as_mut(), if !looked => {
                        looked = true;
                        if !asked.load(Ordering::Relaxed) {
                            connection.as_mut().graceful_shutdown();
                            // Whether it took it or not.
                            let _ = timeout(GOODBYE, connection).await;
                            return;
                        }
                    }
                }
            }
        }
    }
}

/// Counts connections, in all and by address.
struct Slots {
    limits: Connections,
    /// Behind these many clients are.
    proxies: Vec<IpNet>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One that is counted, until it is dropped.
struct Slot {
    slots: Arc<Slots>,
    from: IpAddr,
}

impl Slots {
    fn take(self: &Arc<Self>, ip: IpAddr) -> Option<Slot> {
        let from = who(ip);
        let mut taken = self.taken.lock();
        let here = taken.by_address.get(&from).copied().unwrap_or(0);
        let crowded = here >= self.limits.per_address && !is_in(&self.proxies, ip);
        if taken.total >= self.limits.total || crowded {
            return None;
        }
        taken.total += 1;
        taken.by_address.insert(from, here + 1);
        Some(Slot { slots: Arc::clone(self), from })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock();
        taken.total -= 1;
        if let Some(here) = taken.by_address.get_mut(&self.from) {
            *here -= 1;
            if *here == 0 {
                taken.by_address.remove(&self.from);
            }
        }
    }
}

/// An IPv6 peer is its network of 64 bits: it has all addresses of it.
pub(super) fn who(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_bounded_by_address_and_in_all() {
        let limits = Connections { total: 3, per_address: 2 };
        let slots = Arc::new(Slots { limits, proxies: Vec::new(), taken: Mutex::default() });
        let take = |ip: &str| slots.take(ip.parse().unwrap());
        let first = take("10.0.0.1").unwrap();
        let _second = take("::ffff:10.0.0.1").unwrap();
        assert!(take("10.0.0.1").is_none());
        drop(first);
        let _third = take("10.0.0.1").unwrap();
        let fourth = take("2001:db8::1").unwrap();
        assert!(take("2001:db8::2").is_none(), "in all");
        drop(fourth);
        assert_eq!(slots.taken.lock().by_address.len(), 1, "who is gone is forgotten");
        assert_eq!(who("2001:db8::1".parse().unwrap()), who("2001:db8::2:3".parse().unwrap()));
    }
}
