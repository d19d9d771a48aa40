//! Servers as child processes that never outlive the test binary.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{LazyLock, Once, mpsc};
use std::time::{Duration, Instant};

/// How long a server may take to come up, on a machine that is busy with other tests.
pub(super) const START: Duration = Duration::from_secs(60);

type Job = Box<dyn FnOnce() + Send>;

/// The one thread that starts servers. It never ends before the process does, and that matters:
/// the kernel sends the parent-death signal when the *thread* that started a child ends.
static STARTER: LazyLock<mpsc::SyncSender<Job>> = LazyLock::new(|| {
    let (jobs, inbox) = mpsc::sync_channel::<Job>(16);
    std::thread::Builder::new()
        .name("starts servers".into())
        .spawn(move || inbox.into_iter().for_each(|job| job()))
        .expect("a thread can be started");
    jobs
});

/// A running server; killed when dropped.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Starts `program`; what it prints goes to the file `log`.
    pub(super) fn start<S: AsRef<OsStr>>(program: &Path, args: &[S], log: &Path) -> Self {
        let out = std::fs::File::create(log).expect("the log file can be made");
        let err = out.try_clone().expect("a file handle can be doubled");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(args);
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let (answer, started) = mpsc::sync_channel(1);
        STARTER
            .send(Box::new(move || {
                let _ = answer.send(command.spawn());
            }))
            .expect("the starter lives as long as the process");
        let child = started.recv().expect("the starter answers");
        Self(child.expect("setpriv (util-linux) starts the server"))
    }

    /// Its process id: `setpriv` becomes what it starts.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub(super) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Stops it where it stands, as a machine that hangs, until it is resumed.
    pub(super) fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(super) fn resume(&self) {
        self.signal("CONT");
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        self.signal("TERM");
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name} was not sent");
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    /// What it has ended with, if it has, and by itself.
    pub(super) fn code(&mut self) -> Option<i32> {
        self.0.try_wait().ok().flatten().and_then(|status| status.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that was free a moment ago, and that nobody else here is given: below those that the kernel
/// hands out to whoever connects, of which one may be taken before the server has it.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const PAST: u16 = 32_768;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another process begins elsewhere.
    let begin = u16::try_from(std::process::id() % 10_000).expect("it is less");
    let all = PAST - FIRST;
    (0..all)
        .map(|_| FIRST + (begin + NEXT.fetch_add(1, Ordering::Relaxed) % all) % all)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port is free")
}

/// The first file of this name on PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// A new folder for a server's files. Those of test processes that are gone are removed first:
/// servers that end with the process cannot clean up behind themselves.
pub(super) fn folder(name: &str) -> PathBuf {
    static SWEEP: Once = Once::new();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("servers");
    SWEEP.call_once(|| sweep(&root));
    let folder = root.join(std::process::id().to_string()).join(name);
    std::fs::create_dir_all(&folder).expect("the target folder is writable");
    folder
}

fn sweep(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Asks `check` again and again until it says yes; false when it never did.
pub(crate) async fn until(check: impl AsyncFn() -> bool) -> bool {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        if check().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}
