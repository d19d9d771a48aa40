//! Connections that ask for more than their share, in frames of HTTP/2 written by hand: each is ended,
//! or no longer read; nobody else notices.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::Bystander;
use crate::on_both_backends;
use crate::world::{PATIENCE, Refusal, Web, World, token};

on_both_backends! {
    streams_opened_and_reset_end_the_connection,
    headers_without_an_end_end_the_connection,
    frames_that_say_nothing_harm_nobody,
    streams_over_the_bound_are_refused,
    a_large_header_is_refused,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

const END_HEADERS: u8 = 4;

/// The reason of a RST_STREAM of one stream too many.
const REFUSED_STREAM: u32 = 7;

fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

/// Headers, each a literal that is not indexed.
fn packed(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in headers {
        out.push(0);
        for text in [name, value] {
            // Seven bits, then more of seven bits each.
            if let Some(more) = text.len().checked_sub(127) {
                out.push(127);
                let mut more = more;
                while more >= 128 {
                    out.push(u8::try_from(more % 128).unwrap() | 128);
                    more /= 128;
                }
                out.push(u8::try_from(more).unwrap());
            } else {
                out.push(u8::try_from(text.len()).unwrap());
            }
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

/// The headers of a call that streams.
fn call(token: &str) -> Vec<u8> {
    packed(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/adda.v1.ChatService/Connect"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", &format!("Bearer {token}")),
    ])
}

/// A connection without manners.
struct Rude {
    up: OwnedWriteHalf,
    down: OwnedReadHalf,
}

impl Rude {
    async fn at(world: &World) -> Self {
        let stream = TcpStream::connect(world.addr(0)).await.unwrap();
        let (down, mut up) = stream.into_split();
        let hello =
            [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat();
        up.write_all(&hello).await.unwrap();
        Self { up, down }
    }

    /// Writes as long as it is let; `true`: it was read to the end.
    async fn floods(&mut self, frames: impl Iterator<Item = Vec<u8>>) -> bool {
        for frame in frames {
            // Nobody reads what comes back: a server that would keep it is full some time.
            let written = tokio::time::timeout(Duration::from_secs(5), self.up.write_all(&frame));
            if !matches!(written.await, Ok(Ok(()))) {
                return false;
            }
        }
        true
    }

    /// The next frame: its kind, its stream, and what is in it. `None`: the connection has ended.
    async fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let read = async {
            let mut head = [0; 9];
            self.down.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut body = vec![0; usize::try_from(length).unwrap()];
            self.down.read_exact(&mut body).await.ok()?;
            Some((head[3], u32::from_be_bytes(head[5..9].try_into().unwrap()), body))
        };
        tokio::time::timeout(PATIENCE, read).await.expect("a frame, or the end")
    }

    async fn ends(&mut self) {
        while self.next().await.is_some() {}
    }
}

async fn streams_opened_and_reset_end_the_connection(world: World) {
    let mut other = Bystander::at(&world).await;
    let mut rude = Rude::at(&world).await;
    let call = call(&token("mallory"));
    let frames = (0..10_000).map(|at| {
        let stream = 2 * at + 1;
        let cancel = frame(RESET, 0, stream, &8_u32.to_be_bytes());
        [frame(HEADERS, END_HEADERS, stream, &call), cancel].concat()
    });
    rude.floods(frames).await;
    rude.ends().await;
    other.goes_on().await;
}

async fn headers_without_an_end_end_the_connection(world: World) {
    let mut other = Bystander::at(&world).await;
    let mut rude = Rude::at(&world).await;
    let more = packed(&[("x", &"y".repeat(8_000))]);
    let first = frame(HEADERS, 0, 1, &call(&token("mallory")));
    let frames = (0..10_000).map(|_| frame(CONTINUATION, 0, 1, &more));
    let all = rude.floods(std::iter::once(first).chain(frames)).await;
    assert!(!all, "80 MB of headers were read");
    rude.ends().await;
    other.goes_on().await;
}

async fn frames_that_say_nothing_harm_nobody(world: World) {
    let mut other = Bystander::at(&world).await;
    let empty = frame(DATA, 0, 1, &[]);
    for kind in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[]), empty] {
        let mut rude = Rude::at(&world).await;
        let first = frame(HEADERS, END_HEADERS, 1, &call(&token("mallory")));
        let many = (0..2_000).map(|_| kind.repeat(100));
        rude.floods(std::iter::once(first).chain(many)).await;
        other.goes_on().await;
    }
}

async fn streams_over_the_bound_are_refused(world: World) {
    let mut other = Bystander::at(&world).await;
    let mut rude = Rude::at(&world).await;
    // Each waits for its Hello.
    let call = call(&token("mallory"));
    let frames = (0..33).map(|at| frame(HEADERS, END_HEADERS, 2 * at + 1, &call));
    assert!(rude.floods(frames).await);
    loop {
        let (kind, stream, body) = rude.next().await.expect("the others are open");
        if kind == RESET {
            assert_eq!((stream, &*body), (65, &REFUSED_STREAM.to_be_bytes()[..]));
            break;
        }
    }
    other.goes_on().await;
}

async fn a_large_header_is_refused(world: World) {
    let mut other = Bystander::at(&world).await;
    let web = Web::new(world.addr(0), "x".repeat(12_000));
    let refused = Refusal::of_status(&web.bytes("ListChats", &[]).await.unwrap_err());
    assert_eq!(refused.reason, "TOKEN_INVALID", "a long token is a token");
    let long = format!("x-long: {}\r\n", "y".repeat(64 * 1024));
    let mut stream = TcpStream::connect(world.addr(0)).await.unwrap();
    let request = format!("POST /adda.v1.ChatService/ListChats HTTP/1.1\r\nhost: a\r\n{long}\r\n");
    // It may be ended before all of it is written.
    let _written = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    other.goes_on().await;
}
