//! A real Redis: one for all tests that do no harm to it, and own ones to be killed.

use std::path::PathBuf;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex as AsyncMutex;

use super::process::{Process, folder, free_port, on_path, until};

/// A redis-server of the test's own, on one port for its life.
#[derive(Debug)]
pub(crate) struct Redis {
    program: PathBuf,
    port: u16,
    process: Mutex<Option<Process>>,
}

/// Databases of one Redis: one for each test. The driver knows no more.
const DATABASES: u16 = 256;

/// The URL of a database of the test's own, in a Redis that tests share: when all of one are
/// given, there is another. Where `REDIS_URL` names one, it is used as it is, and its keys are
/// not the test's alone.
pub(crate) async fn fresh_url() -> Option<String> {
    static SHARED: AsyncMutex<(Vec<Redis>, u16)> = AsyncMutex::const_new((Vec::new(), 0));
    if let Ok(url) = std::env::var("REDIS_URL") {
        return Some(url);
    }
    let mut shared = SHARED.lock().await;
    let (servers, given) = &mut *shared;
    if servers.is_empty() || *given == DATABASES {
        let Some(another) = Redis::start().await else {
            super::skipped("no redis-server");
            return None;
        };
        servers.push(another);
        *given = 0;
    }
    let database = *given;
    *given += 1;
    servers.last().map(|redis| format!("{}/{database}", redis.url()))
}

/// One more Redis, to be killed, restarted and flushed at will.
pub(crate) async fn own() -> Option<Redis> {
    let own = Redis::start().await;
    if own.is_none() {
        super::skipped("no redis-server");
    }
    own
}

impl Redis {
    async fn start() -> Option<Self> {
        let program = on_path("redis-server")?;
        let redis = Self { program, port: free_port(), process: Mutex::new(None) };
        redis.restart().await;
        Some(redis)
    }

    /// `redis://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it listens, on this machine.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&self) {
        self.process.lock().take();
    }

    /// Starts it, empty, on the same port, and waits until it answers.
    pub(crate) async fn restart(&self) {
        self.kill();
        let dir = folder(&format!("redis-{}", self.port));
        let (port, path) = (self.port.to_string(), dir.display().to_string());
        #[rustfmt::skip]
        let args = [
            "--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", &path, "--databases", &DATABASES.to_string(),
        ];
        let process = Process::start(&self.program, &args, &dir.join("log"));
        *self.process.lock() = Some(process);
        let up = until(async || self.ask("PING").await.is_ok_and(|answer| answer == "+PONG")).await;
        assert!(up, "redis-server did not come up; see {path}/log");
    }

    /// Forgets everything, as if wiped.
    pub(crate) async fn flush(&self) {
        assert_eq!(self.ask("FLUSHALL").await.expect("Redis answers"), "+OK");
    }

    /// Sends a command in one line; the first line of the answer.
    pub(crate) async fn ask(&self, command: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer[..length]);
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn a_redis_comes_back_empty_on_its_port() {
    let Some(redis) = own().await else { return };
    assert_eq!(redis.ask("SET a 1").await.unwrap(), "+OK");
    redis.flush().await;
    assert_eq!(redis.ask("EXISTS a").await.unwrap(), ":0");
    redis.ask("SET a 1").await.unwrap();
    redis.kill();
    assert!(redis.ask("PING").await.is_err());
    redis.restart().await;
    assert_eq!(redis.ask("EXISTS a").await.unwrap(), ":0");
    assert!(!fresh_url().await.unwrap().starts_with(&redis.url()));
}
