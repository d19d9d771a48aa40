//! The real program as a child process, to be killed, asked to leave and started again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::process::{Process, folder, free_port, until};

/// A server of the test's own, on one port for its life.
pub(crate) struct Adda {
    addr: SocketAddr,
    store: String,
    args: Vec<String>,
    log: PathBuf,
    starts: u32,
    process: Option<Process>,
}

impl Adda {
    /// Starts one on these backends, with further flags, and waits until it listens.
    pub(crate) async fn start(store: &str, bus: &str, flags: &[&str]) -> Self {
        Self::start_in(&[], store, bus, flags).await
    }

    /// The same, with variables of its own: `NAME=VALUE`.
    pub(crate) async fn start_in(
        variables: &[String],
        store: &str,
        bus: &str,
        flags: &[&str],
    ) -> Self {
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listen = addr.to_string();
        let serve = ["serve", "--dev", "--rate-limits", "off", "--listen", &listen];
        let backends = ["--store", store, "--bus", bus];
        let mut args = variables.to_vec();
        args.push(env!("CARGO_BIN_EXE_adda").to_owned());
        args.extend(serve.iter().chain(&backends).chain(flags).map(ToString::to_string));
        let log = folder(&format!("adda-{}", addr.port())).join("log");
        let mut server =
            Self { addr, store: store.to_owned(), args, log, starts: 0, process: None };
        server.restart().await;
        server
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it keeps its data in.
    pub(crate) fn store(&self) -> &str {
        &self.store
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// What it has logged and said since it was last started; what it said before is beside it.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log can be read")
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process.take();
    }

    /// Stops it where it stands, as a machine that hangs, until it is resumed.
    pub(crate) fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }

    /// Starts it on the same port and backends, and waits until it serves. One that finds no
    /// store and ends is started again, as by whoever looks after it.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        let this = tokio::sync::Mutex::new(&mut *self);
        let up = async || {
            let mut this = this.lock().await;
            if this.process.as_mut().is_none_or(Process::has_ended) {
                this.launch();
            }
            this.log().contains("adda listens on")
        };
        let up = until(up).await;
        assert!(up, "adda did not come up; see {}", self.log.display());
    }

    fn launch(&mut self) {
        if self.starts > 0 {
            let kept = self.log.with_extension(self.starts.to_string());
            std::fs::rename(&self.log, kept).expect("the log can be kept");
        }
        self.starts += 1;
        self.process = Some(Process::start(Path::new("env"), &self.args, &self.log));
    }

    /// Asks it to leave, as `kill` does.
    pub(crate) fn terminate(&self) {
        self.process.as_ref().expect("it runs").terminate();
    }

    /// Waits until it has ended by itself; with what code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let mut process = self.process.take().expect("it runs");
        let process = parking_lot::Mutex::new(&mut process);
        let gone = until(async || process.lock().has_ended()).await;
        assert!(gone, "adda did not leave; see {}", self.log.display());
        process.lock().code()
    }

    /// Asks it to leave, and waits until it has.
    pub(crate) async fn leave(&mut self) {
        self.terminate();
        let code = self.ended().await;
        assert_eq!(code, Some(0), "adda did not leave well; see {}", self.log.display());
    }
}
