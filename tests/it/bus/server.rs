//! Real redis-servers: one, or three that are a cluster. They end with the test binary.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use tempfile::TempDir;

use super::until;
use crate::infra::process::free_port;

type Job = Box<dyn FnOnce() + Send>;

/// Spawns a process that is killed when this one ends, however it ends. The kernel kills it when
/// the *thread* ends that spawned it, so one thread spawns all, and never ends.
fn spawn(mut command: Command) -> std::io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, todo) = mpsc::channel::<Job>();
        std::thread::spawn(move || todo.iter().for_each(|job| job()));
        jobs
    });
    let (done, wait) = mpsc::channel();
    let job = move || drop(done.send(command.spawn()));
    spawner.send(Box::new(job)).expect("the thread never ends");
    wait.recv().expect("the job answers")
}

/// Whether there is a redis-server. Without one tests are skipped aloud, but under CI they fail.
fn is_there() -> bool {
    let there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    let there = there.is_ok_and(|status| status.success());
    if !there {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no redis-server");
        eprintln!("skipped: no redis-server");
    }
    there
}

/// One redis-server on a port of its own.
pub(super) struct Redis {
    pub(super) port: u16,
    more: Vec<String>,
    dir: TempDir,
    child: Child,
}

impl Redis {
    /// `None`: there is none to start.
    pub(super) async fn start() -> Option<Self> {
        Self::start_with(free_port(), &[]).await
    }

    async fn start_with(port: u16, more: &[String]) -> Option<Self> {
        if !is_there() {
            return None;
        }
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for it");
        let child = Self::launch(port, more, &dir);
        let redis = Self { port, more: more.to_vec(), dir, child };
        redis.answers().await;
        Some(redis)
    }

    fn launch(port: u16, more: &[String], dir: &TempDir) -> Child {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "redis-server", "--port", &port.to_string()]);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        command.arg(dir.path()).args(more).stdout(Stdio::null());
        spawn(command).expect("redis-server starts")
    }

    async fn answers(&self) {
        until("redis-server answers", async || self.command("PING").contains("PONG")).await;
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// kill -9.
    pub(super) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it is a child");
    }

    /// On the same port, empty.
    pub(super) async fn restart(&mut self) {
        self.child = Self::launch(self.port, &self.more, &self.dir);
        self.answers().await;
    }

    /// Stops or continues the process: its connections stay, and nothing answers.
    pub(super) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill is there");
        assert!(sent.success());
    }

    /// What the server answers, as it stands on the wire; empty if it cannot be reached.
    pub(super) fn command(&self, command: &str) -> String {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            write!(stream, "{command}\r\nQUIT\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().unwrap_or_default()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three redis-servers that share the slots.
pub(super) struct Cluster {
    pub(super) servers: Vec<Redis>,
}

impl Cluster {
    pub(super) async fn start() -> Option<Self> {
        let mut servers = Vec::new();
        for slots in ["0 5460", "5461 10922", "10923 16383"] {
            let bus = free_port().to_string();
            let more = ["--cluster-enabled", "yes", "--cluster-port", &bus].map(str::to_owned);
            let server = Redis::start_with(free_port(), &more).await?;
            assert!(server.command(&format!("CLUSTER ADDSLOTSRANGE {slots}")).starts_with("+OK"));
            if let Some(first) = servers.first() {
                let first: &Redis = first;
                let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", server.port);
                assert!(first.command(&meet).starts_with("+OK"));
            }
            servers.push(server);
        }
        for server in &servers {
            until("the cluster is whole", async || {
                let info = server.command("CLUSTER INFO");
                info.contains("cluster_state:ok") && info.contains("cluster_size:3")
            })
            .await;
        }
        Some(Self { servers })
    }

    pub(super) fn url(&self) -> String {
        let [first, second, third] = [0, 1, 2].map(|at| self.servers[at].port);
        let hosts = format!("node=127.0.0.1:{second}&node=127.0.0.1:{third}");
        format!("redis-cluster://127.0.0.1:{first}?{hosts}")
    }
}
