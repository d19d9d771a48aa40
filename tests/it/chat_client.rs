//! `adda chat` as a person runs it: the real program, through pipes. The server and the client
//! are killed in the middle of it, and what was typed goes out once and in order.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Far more than anything here takes: a condition that is not met by then never will be.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lines a program has written so far.
#[derive(Default)]
struct Written {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

/// A program that runs. It is killed with this.
struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    written: Arc<Written>,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Program {
    fn start(line: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adda"));
        command.env_clear().env("TZ", "UTC").args(line);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let written = Arc::new(Written::default());
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let writes = Arc::clone(&written);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                writes.lines.lock().unwrap().push(line);
                writes.more.notify_all();
            }
        });
        Self { child, stdin, written }
    }

    /// Types a line.
    fn types(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).unwrap();
    }

    /// Waits until something holds of what was written.
    fn wait_until<T>(&self, what: &str, holds: impl Fn(&[String]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.written.lines.lock().unwrap();
        loop {
            if let Some(found) = holds(&lines) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "never came: {what}; written: {:#?}", *lines);
            lines = self.written.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    fn wait_for(&self, part: &str) -> String {
        self.wait_until(part, |lines| lines.iter().find(|line| line.contains(part)).cloned())
    }

    /// Waits until an own message has been read, be it with others.
    fn wait_seen(&self, text: &str) {
        self.wait_until(text, |lines| {
            let seen = |line: &String| line.starts_with("✓✓ (seen)") && line.ends_with(text);
            lines.iter().any(seen).then_some(())
        });
    }

    /// What a user has said here, in the order it was written.
    fn said_by(&self, user: &str) -> Vec<String> {
        said(&self.written.lines.lock().unwrap(), user)
    }

    fn kill(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Ends its input and waits until it has left.
    fn leaves(&mut self) -> ExitStatus {
        self.stdin = None;
        self.child.wait().unwrap()
    }
}

fn said(lines: &[String], user: &str) -> Vec<String> {
    let mark = format!(" {user}: ");
    let said = lines.iter().filter_map(|line| line.split_once(mark.as_str()));
    said.map(|(_, text)| text.trim_end_matches([' ', '✓']).to_owned()).collect()
}

/// A server, its file, and where its clients keep theirs.
struct Place {
    folder: tempfile::TempDir,
    server: Option<Program>,
    url: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut place = Self { folder, server: None, url: String::new() };
        place.serve("127.0.0.1:0");
        place
    }

    fn file(&self, name: &str) -> String {
        let path: &Path = self.folder.path();
        path.join(name).to_str().unwrap().to_owned()
    }

    fn serve(&mut self, listen: &str) {
        let store = format!("sqlite:{}", self.file("adda.db"));
        let server = Program::start(&["serve", "--dev", "--listen", listen, "--store", &store]);
        let listens = server.wait_for("adda listens on ");
        listens.trim_start_matches("adda listens on ").clone_into(&mut self.url);
        self.server = Some(server);
    }

    /// kill -9.
    fn kill_server(&mut self) {
        self.server = None;
    }

    /// Where it was, with what it kept.
    fn serve_again(&mut self) {
        let listen = self.url.trim_start_matches("http://").to_owned();
        self.serve(&listen);
    }

    fn chat(&self, user: &str, with: &str) -> Program {
        let state = self.file("state");
        let line = ["chat", "--server", &self.url, "--state", &state, "--as", user, "--with", with];
        Program::start(&line)
    }
}

#[test]
fn what_one_types_appears_at_the_other_also_after_the_server_was_killed() {
    let mut place = Place::new();
    let (mut alice, mut bob) = (place.chat("alice", "bob"), place.chat("bob", "alice"));
    alice.types("hello");
    bob.wait_for(" alice: hello");
    alice.wait_for(" alice: hello ✓");
    alice.wait_seen("hello");
    bob.types("hi alice");
    alice.wait_for(" bob: hi alice");
    bob.wait_seen("hi alice");
    alice.wait_for("bob is online");

    place.kill_server();
    alice.wait_for("reconnecting …");
    for line in ["one", "two", "three"] {
        alice.types(line);
    }
    alice.wait_for("waiting: 3 messages in the outbox");
    bob.wait_for("reconnecting …");
    bob.types("and I say four");
    bob.wait_for("waiting: 1 message in the outbox");
    place.serve_again();
    alice.wait_for(" bob: and I say four");
    bob.wait_until("three", |lines| said(lines, "alice").contains(&"three".into()).then_some(()));
    alice.types("last");
    bob.wait_for(" alice: last");
    alice.wait_seen("last");
    assert_eq!(bob.said_by("alice"), ["hello", "one", "two", "three", "last"]);
    assert_eq!(alice.said_by("bob"), ["hi alice", "and I say four"]);
    assert_eq!(alice.said_by("alice"), ["hello", "one", "two", "three", "last"]);
    assert!(alice.leaves().success());
    assert!(bob.leaves().success());
}

#[test]
fn what_a_killed_client_had_in_its_outbox_goes_out_once_with_the_next_run() {
    let mut place = Place::new();
    let mut alice = place.chat("alice", "bob");
    alice.types("before");
    alice.wait_for(" alice: before ✓");
    place.kill_server();
    alice.wait_for("reconnecting …");
    alice.types("one");
    alice.types("two");
    alice.wait_for("waiting: 2 messages in the outbox");
    alice.kill();
    place.serve_again();
    let mut alice = place.chat("alice", "bob");
    alice.types("three");
    alice.wait_for(" alice: three ✓");
    assert_eq!(alice.said_by("alice"), ["before", "one", "two", "three"]);
    assert!(alice.leaves().success());

    // Who comes later gets all of it, and nothing twice when coming again.
    let mut bob = place.chat("bob", "alice");
    bob.wait_for("4 unread");
    bob.wait_for(" alice: three");
    assert_eq!(bob.said_by("alice"), ["before", "one", "two", "three"]);
    bob.types("got it");
    bob.wait_for(" bob: got it ✓");
    assert!(bob.leaves().success());
    let mut bob = place.chat("bob", "alice");
    bob.types("again");
    bob.wait_for(" bob: again ✓");
    assert_eq!(bob.said_by("alice"), ["before", "one", "two", "three"]);
    assert!(!bob.written.lines.lock().unwrap().iter().any(|line| line.contains("unread")));
}

#[test]
fn what_is_typed_for_somebody_new_while_the_server_is_away_waits_for_it() {
    let mut place = Place::new();
    place.kill_server();
    let mut alice = place.chat("alice", "bob");
    alice.types("are you there?");
    alice.wait_for("waiting: 1 message in the outbox");
    place.serve_again();
    alice.wait_for(" alice: are you there? ✓");
    let bob = place.chat("bob", "alice");
    bob.wait_for(" alice: are you there?");
    alice.wait_seen("are you there?");
}

#[test]
fn a_server_that_has_forgotten_everything_gets_what_is_typed_all_the_same() {
    let mut place = Place::new();
    let mut alice = place.chat("alice", "bob");
    alice.types("kept by nobody");
    alice.wait_for(" alice: kept by nobody ✓");
    place.kill_server();
    alice.wait_for("reconnecting …");
    alice.types("after the loss");
    for file in ["adda.db", "adda.db-wal", "adda.db-shm"] {
        // Which of them there are is the store's own business.
        drop(std::fs::remove_file(place.file(file)));
    }
    place.serve_again();
    alice.wait_for(" alice: after the loss ✓");
    place.chat("bob", "alice").wait_for(" alice: after the loss");
}

#[test]
fn a_token_that_is_none_ends_it() {
    let place = Place::new();
    let state = place.file("state");
    let line = ["chat", "--server", &place.url, "--state", &state, "--as", "a", "--with", "b"];
    let mut alice = Program::start(&[&line[..], &["--token", "none"]].concat());
    assert_eq!(alice.leaves().code(), Some(1));
}

#[test]
fn a_second_run_on_the_same_file_is_refused() {
    let place = Place::new();
    let mut alice = place.chat("alice", "bob");
    alice.types("hello");
    alice.wait_for(" alice: hello ✓");
    let mut other = place.chat("alice", "carol");
    assert_eq!(other.leaves().code(), Some(1));
}

#[test]
fn who_is_blocked_cannot_write_until_that_is_taken_back() {
    let place = Place::new();
    let (mut alice, mut bob) = (place.chat("alice", "bob"), place.chat("bob", "alice"));
    alice.types("hello");
    bob.wait_for(" alice: hello");
    alice.types("/block");
    alice.wait_for("bob is blocked");
    bob.types("are you there?");
    bob.wait_for("BLOCKED");
    alice.types("/unblock bob");
    alice.wait_for("bob is not blocked any more");
    bob.types("and now?");
    alice.wait_for(" bob: and now?");
    assert_eq!(alice.said_by("bob"), ["and now?"]);
    alice.types("/block alice");
    alice.wait_for("nobody blocks themselves");
}
