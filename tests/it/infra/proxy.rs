//! A link that a test can harm: it listens, and hands on to where it leads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// Bytes that are handed on at once, and how many such pieces may be under way each way.
const PIECE: usize = 16 * 1024;
const PIECES: usize = 64;

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As if it were not there.
    Pass,
    /// Everything takes so much longer, either way.
    Delay(Duration),
    /// So many bytes a second, either way.
    Slow(u32),
    /// Whatever comes is swallowed, and nobody is told. A connection of such a time never carries
    /// anything again: what was between has forgotten it.
    HalfOpen,
    /// No connection lives, and none is taken.
    Cut,
}

/// One link; dropped, it is cut.
#[derive(Debug)]
pub(crate) struct Proxy {
    addr: SocketAddr,
    mode: watch::Sender<Mode>,
    _takes: AbortOnDropHandle<()>,
}

impl Proxy {
    /// A link to this port of this machine.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let (mode, mode_seen) = watch::channel(Mode::Pass);
        let target = SocketAddr::from(([127, 0, 0, 1], port));
        let takes = tokio::spawn(async move {
            loop {
                let Ok((near, _)) = listener.accept().await else { continue };
                if *mode_seen.borrow() != Mode::Cut {
                    tokio::spawn(carry(near, target, mode_seen.clone()));
                }
            }
        });
        Self { addr, mode, _takes: AbortOnDropHandle::new(takes) }
    }

    /// Where to come to.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Harms the link, or heals it.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

/// Carries one connection until both sides have ended, or it is cut.
async fn carry(near: TcpStream, target: SocketAddr, mode: watch::Receiver<Mode>) {
    let dead = Arc::new(AtomicBool::new(false));
    let mut watched = mode.clone();
    let cut = async {
        loop {
            let now = *watched.borrow_and_update();
            match now {
                Mode::Cut => return,
                Mode::HalfOpen => dead.store(true, Ordering::SeqCst),
                Mode::Pass | Mode::Delay(_) | Mode::Slow(_) => {}
            }
            if watched.changed().await.is_err() {
                return;
            }
        }
    };
    let both = async {
        let now = *mode.borrow();
        if now == Mode::HalfOpen {
            dead.store(true, Ordering::SeqCst);
            swallow(near).await;
            return;
        }
        let Ok(far) = TcpStream::connect(target).await else { return };
        let (_, _) = (near.set_nodelay(true), far.set_nodelay(true));
        let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
        let up = pump(from_near, to_far, &mode, &dead);
        let down = pump(from_far, to_near, &mode, &dead);
        tokio::join!(up, down);
    };
    tokio::select! {
        () = both => {}
        () = cut => {}
    }
}

/// A connection to nowhere.
async fn swallow(mut near: TcpStream) {
    let mut piece = vec![0; PIECE];
    while near.read(&mut piece).await.is_ok_and(|length| length > 0) {}
}

/// One way of a connection: read, and written when its time has come.
async fn pump(
    mut from: OwnedReadHalf,
    to: OwnedWriteHalf,
    mode: &watch::Receiver<Mode>,
    dead: &Arc<AtomicBool>,
) {
    let (queue, queued) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    let read = async move {
        let mut last = Instant::now();
        let mut piece = vec![0; PIECE];
        while let Ok(length) = from.read(&mut piece).await
            && length > 0
        {
            if dead.load(Ordering::SeqCst) {
                continue;
            }
            let now = *mode.borrow();
            last = due(now, length).max(last);
            if let Mode::Slow(_) = now {
                tokio::time::sleep_until(last).await;
            }
            if queue.send((last, piece[..length].to_vec())).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write(to, queued, dead));
}

fn due(mode: Mode, length: usize) -> Instant {
    let now = Instant::now();
    match mode {
        Mode::Delay(by) => now + by,
        Mode::Slow(rate) => {
            let length = f64::from(u32::try_from(length).unwrap_or(u32::MAX));
            now + Duration::from_secs_f64(length / f64::from(rate.max(1)))
        }
        Mode::Pass | Mode::HalfOpen | Mode::Cut => now,
    }
}

async fn write(
    mut to: OwnedWriteHalf,
    mut queued: mpsc::Receiver<(Instant, Vec<u8>)>,
    dead: &Arc<AtomicBool>,
) {
    while let Some((due, piece)) = queued.recv().await {
        tokio::time::sleep_until(due).await;
        if dead.load(Ordering::SeqCst) {
            continue;
        }
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
    if dead.load(Ordering::SeqCst) {
        // The other side does not learn that this one has ended.
        to.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link to a server that says everything again.
    async fn echo() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ended = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        Proxy::to(port).await
    }

    async fn says(stream: &mut TcpStream, word: &[u8]) -> bool {
        let mut heard = vec![0; word.len()];
        stream.write_all(word).await.is_ok()
            && stream.read_exact(&mut heard).await.is_ok()
            && heard == word
    }

    async fn in_vain(stream: &mut TcpStream) -> bool {
        tokio::time::timeout(Duration::from_millis(200), says(stream, b"x")).await.is_err()
    }

    #[tokio::test]
    async fn a_link_passes_delays_cuts_and_heals() {
        let link = echo().await;
        let mut stream = TcpStream::connect(link.addr()).await.unwrap();
        assert!(says(&mut stream, b"hello").await);
        link.set(Mode::Delay(Duration::from_millis(60)));
        let began = Instant::now();
        assert!(says(&mut stream, b"late").await);
        assert!(began.elapsed() >= Duration::from_millis(120), "late both ways");
        link.set(Mode::Slow(100));
        let began = Instant::now();
        assert!(says(&mut stream, b"0123456789").await);
        assert!(began.elapsed() >= Duration::from_millis(200), "ten bytes at a hundred a second");
        link.set(Mode::Cut);
        assert!(!says(&mut stream, b"gone").await);
        let mut stream = TcpStream::connect(link.addr()).await.unwrap();
        assert!(!says(&mut stream, b"nobody").await);
        link.set(Mode::Pass);
        let mut stream = TcpStream::connect(link.addr()).await.unwrap();
        assert!(says(&mut stream, b"again").await);
    }

    #[tokio::test]
    async fn a_half_open_link_keeps_its_connections_and_they_stay_dead() {
        let link = echo().await;
        let mut old = TcpStream::connect(link.addr()).await.unwrap();
        assert!(says(&mut old, b"hello").await);
        link.set(Mode::HalfOpen);
        assert!(in_vain(&mut old).await);
        let mut none = TcpStream::connect(link.addr()).await.unwrap();
        assert!(in_vain(&mut none).await);
        link.set(Mode::Pass);
        assert!(in_vain(&mut old).await && in_vain(&mut none).await);
        let mut new = TcpStream::connect(link.addr()).await.unwrap();
        assert!(says(&mut new, b"hello").await);
    }
}
