//! Real mongods: replica sets of one or more members, started here.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::ClientOptions;
use parking_lot::Mutex;

use super::process::{Process, folder, free_port, on_path, until};
use super::proxy::Proxy;

/// How long a member that is looked at may take. One that is paused takes the connection and never
/// answers, and there are others to ask.
const LOOK: Duration = Duration::from_secs(1);
/// How long a member may take that there is no other for.
const ANSWER: Duration = Duration::from_secs(20);
/// What a set answers that was initiated before: AlreadyInitialized.
const INITIATED: i32 = 23;

/// Each test has a database of its own, of some seventy files; mongod keeps a file open for 28 hours
/// after its last use, and aborts once it may open no more. Those of tests that are over are closed.
/// Its journal takes 300 MB at once, of which tests write some; there are a hundred mongods in a run.
const SMALL: &str = "file_manager=(close_idle_time=10,close_scan_interval=5,close_handle_minimum=250),\
                     log=(file_max=16MB,prealloc=false)";

/// A replica set whose members a test may kill.
#[derive(Debug)]
pub(crate) struct ReplicaSet {
    /// Its mongods.
    pub(crate) members: Vec<Mongod>,
    /// The links by which each is known to the others and to clients, where it was so asked for.
    pub(crate) links: Vec<Proxy>,
}

/// One member.
#[derive(Debug)]
pub(crate) struct Mongod {
    port: u16,
    process: Process,
}

/// The mongod to run: on PATH, else what `scripts/tools.sh` fetched.
fn program() -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/mongod");
    on_path("mongod").or_else(|| fetched.is_file().then_some(fetched))
}

impl Mongod {
    /// Starts one on some free port; another may have taken the port just then.
    async fn start(program: &Path) -> Self {
        for _ in 0..3 {
            let port = free_port();
            if let Some(process) = run(program, port).await {
                return Self { port, process };
            }
        }
        panic!("mongod ended three times; see {}", folder("").display());
    }

    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Asks this very member.
    pub(crate) async fn ask(
        &self,
        database: &str,
        command: Document,
    ) -> mongodb::error::Result<Document> {
        ask(self.port, database, command, ANSWER).await
    }

    /// What it says of itself, if it soon does.
    async fn hello(&self) -> Option<Document> {
        let hello = ask(self.port, "admin", doc! { "hello": 1 }, LOOK);
        // Also one that is paused once it was found to be there.
        tokio::time::timeout(LOOK * 2, hello).await.ok()?.ok()
    }
}

/// Its data goes with it, or the sets of all tests fill the disk; its log stays. What cannot be
/// removed goes with the next run.
impl Drop for Mongod {
    fn drop(&mut self) {
        self.process.kill();
        let dir = folder(&format!("mongod-{}", self.port));
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                let _ = std::fs::remove_dir_all(path);
            } else if entry.file_name() != "log" {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

impl ReplicaSet {
    /// A set of the test's own; `None`, said aloud, without a mongod.
    pub(crate) async fn own(members: usize) -> Option<Self> {
        let set = Self::start(members).await;
        if set.is_none() {
            super::skipped("no mongod");
        }
        set
    }

    /// The same, each member behind a link: for the others, and for who asks by the URI.
    pub(crate) async fn own_behind_links(members: usize) -> Option<Self> {
        let Some(mut set) = Self::launch(members).await else {
            super::skipped("no mongod");
            return None;
        };
        for member in &set.members {
            set.links.push(Proxy::to(member.port).await);
        }
        set.initiate().await;
        Some(set)
    }

    /// Starts a set of this many members and waits for its primary; `None`, unsaid, without a mongod.
    pub(super) async fn start(members: usize) -> Option<Self> {
        let set = Self::launch(members).await?;
        set.initiate().await;
        Some(set)
    }

    async fn launch(members: usize) -> Option<Self> {
        let program = program()?;
        let mut set = Self { members: Vec::new(), links: Vec::new() };
        for _ in 0..members {
            set.members.push(Mongod::start(&program).await);
        }
        Some(set)
    }

    /// Where the members say that they are.
    fn hosts(&self) -> Vec<String> {
        if self.links.is_empty() {
            self.members.iter().map(Mongod::host).collect()
        } else {
            self.links.iter().map(|link| link.addr().to_string()).collect()
        }
    }

    async fn initiate(&self) {
        let config = doc! {
            "_id": "adda",
            "members": (0i32..).zip(self.hosts()).map(|(id, host)| {
                Bson::from(doc! { "_id": id, "host": host })
            }).collect::<Vec<_>>(),
            // A failover is to take a second or two, not twelve.
            "settings": { "electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 200 },
        };
        let command = doc! { "replSetInitiate": config };
        let started = until(async || {
            match self.members[0].ask("admin", command.clone()).await {
                Ok(_) => true,
                // The answer to the first time may have been late.
                Err(error) if code(&error) == Some(INITIATED) => true,
                Err(error) => {
                    eprintln!("the set is not initiated yet: {error}");
                    false
                }
            }
        });
        assert!(started.await, "a new set can be initiated");
        self.primary().await;
        for member in &self.members {
            let ready = until(async || {
                member
                    .hello()
                    .await
                    .is_some_and(|hello| is(&hello, "isWritablePrimary") || is(&hello, "secondary"))
            });
            assert!(ready.await, "{} has not joined the set", member.host());
        }
    }

    /// Where it is reached, with a database name.
    pub(crate) fn uri(&self) -> String {
        self.uri_of("adda")
    }

    /// Where it is reached, with this database name.
    pub(crate) fn uri_of(&self, database: &str) -> String {
        format!("mongodb://{}/{database}?replicaSet=adda", self.hosts().join(","))
    }

    /// Which member is primary now; waits until there is one.
    pub(crate) async fn primary(&self) -> usize {
        let found = Cell::new(0);
        let there = until(async || {
            for (index, member) in self.members.iter().enumerate() {
                if member.hello().await.is_some_and(|hello| is(&hello, "isWritablePrimary")) {
                    found.set(index);
                    return true;
                }
            }
            false
        });
        assert!(there.await, "the replica set has no primary");
        found.get()
    }

    /// Ends a member as `kill -9` does.
    pub(crate) fn kill(&mut self, member: usize) {
        self.members[member].process.kill();
    }

    /// Stops a member where it stands, as a machine that hangs.
    pub(crate) fn pause(&self, member: usize) {
        self.members[member].process.pause();
    }

    /// Lets a paused member go on, not knowing that time has passed.
    pub(crate) fn resume(&self, member: usize) {
        self.members[member].process.resume();
    }

    /// Starts a killed member again, on its own data.
    pub(crate) async fn restart(&mut self, member: usize) {
        let member = &mut self.members[member];
        member.process.kill();
        let program = program().expect("it was there before");
        member.process = run(&program, member.port).await.expect("mongod starts again");
    }

    /// Has the primary step down, even if no other is ready to take over.
    pub(crate) async fn step_down(&self) {
        let done = until(async || match self.try_step_down().await {
            Ok(()) => true,
            Err(error) => {
                eprintln!("the primary has not stepped down yet: {error}");
                false
            }
        });
        assert!(done.await, "the primary steps down");
    }

    /// The same, if it still is primary when it hears of it.
    pub(crate) async fn try_step_down(&self) -> mongodb::error::Result<()> {
        let primary = &self.members[self.primary().await];
        let command =
            doc! { "replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 2, "force": true };
        primary.ask("admin", command).await.map(drop)
    }
}

/// Runs a mongod on this port until it takes connections; `None` if it ended instead.
async fn run(program: &Path, port: u16) -> Option<Process> {
    let dir = folder(&format!("mongod-{port}"));
    let (number, path) = (port.to_string(), dir.display().to_string());
    #[rustfmt::skip]
    let args = [
        "--replSet", "adda", "--port", &number, "--bind_ip", "127.0.0.1", "--dbpath", &path,
        "--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "200", "--nounixsocket",
        "--setParameter", "diagnosticDataCollectionEnabled=false",
        "--wiredTigerEngineConfigString", SMALL,
    ];
    let process = Mutex::new(Process::start(program, &args, &dir.join("log")));
    let up = until(async || process.lock().has_ended() || answers(port).await).await;
    assert!(up, "mongod did not come up; see {path}/log");
    let mut process = process.into_inner();
    (!process.has_ended()).then_some(process)
}

async fn ask(
    port: u16,
    database: &str,
    command: Document,
    patience: Duration,
) -> mongodb::error::Result<Document> {
    let uri = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
    let mut options = ClientOptions::parse(uri).await?;
    options.server_selection_timeout = Some(patience);
    options.connect_timeout = Some(patience);
    let client = Client::with_options(options)?;
    let answer = client.database(database).run_command(command).await;
    client.shutdown().immediate(true).await;
    answer
}

/// The code of a command that was refused.
fn code(error: &mongodb::error::Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(refused) => Some(refused.code),
        _ => None,
    }
}

/// Whether a member says this of itself.
fn is(hello: &Document, what: &str) -> bool {
    hello.get_bool(what).unwrap_or(false)
}

async fn answers(port: u16) -> bool {
    tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}
