//! The load generator against a real server: it measures what it says, and hides nothing.

use std::process::Command;

use serde_json::Value;

use crate::infra::adda::Adda;

/// What a run told, as JSON.
fn run(args: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adda"));
    command.env_remove("JWT_SECRET").args(["load", "--json", "--warmup", "100ms"]).args(args);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn row<'r>(report: &'r Value, name: &str) -> &'r Value {
    let rows = report["rows"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} in {report:#}"))
}

fn figure(report: &Value, name: &str) -> f64 {
    let figures = report["figures"].as_array().unwrap();
    let found = figures.iter().find(|figure| figure["name"] == name);
    found.unwrap_or_else(|| panic!("{name} in {report:#}"))["value"].as_f64().unwrap()
}

/// For how long it was counted, rounded up.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
fn whole_seconds(report: &Value) -> u64 {
    report["seconds"].as_f64().unwrap().ceil() as u64
}

struct Target {
    _dir: tempfile::TempDir,
    adda: Adda,
    store: String,
}

impl Target {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", dir.path().join("adda.db").display());
        let adda = Adda::start(&store, "memory:", &[]).await;
        Self { _dir: dir, adda, store }
    }

    fn run(&self, args: &[&str]) -> Value {
        let (server, pid) = (format!("http://{}", self.adda.addr()), self.adda.pid().to_string());
        let report = run(&[&["--server", &server, "--pid", &pid], args].concat());
        assert_eq!(report["errors"], serde_json::json!({}), "{report:#}");
        report
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_counted_and_reaches_the_other_side() {
    let target = Target::start().await;
    let report = target.run(&["--time", "2s", "pairs", "--pairs", "4", "--rate", "40"]);
    let count = |name| row(&report, name)["count"].as_u64().unwrap();
    let (acks, deliveries) = (count("ack"), count("delivery"));
    // An open loop: no more than were due, and what was due before the count began; how many of
    // them are in time is the server's affair.
    let due = 40 * whole_seconds(&report) + 80;
    assert!((20..due).contains(&acks), "{report:#}");
    assert!(deliveries >= 20, "{report:#}");
    assert!(count("read tick") > 0, "{report:#}");
    assert!(report["server"]["rss_after_mib"].as_f64().unwrap() > 1.0);
    let flags = report["server_flags"].to_string();
    assert!(flags.contains("--rate-limits") && flags.contains("off"), "{flags}");

    let report = target.run(&["--time", "1s", "group", "--members", "5", "--rate", "20"]);
    let (all, last) = (row(&report, "delivery"), row(&report, "to the last reader"));
    let (all, last) = (all["count"].as_u64().unwrap(), last["count"].as_u64().unwrap());
    assert!(last > 0 && all >= last, "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_idle_come_back_and_stop_reading() {
    let target = Target::start().await;
    let report = target.run(&["--time", "1s", "idle", "--streams", "50"]);
    assert!(figure(&report, "memory a stream") > 1.0, "{report:#}");

    let report = target.run(&["storm", "--streams", "40"]);
    assert!(figure(&report, "came back") > 39.5, "each with what it missed");

    let slow = ["slow", "--pairs", "2", "--rate", "20", "--stopped", "3", "--stopped-rate", "5"];
    let report = target.run(&[&["--time", "1s"][..], &slow].concat());
    assert!(row(&report, "delivery, some stopped")["count"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_and_a_history_are_read() {
    let mut target = Target::start().await;
    let inbox = ["inbox", "--users", "1", "--chats", "120", "--unread", "3", "--rate", "5"];
    let report = target.run(&[&["--time", "2s"][..], &inbox].concat());
    // Three pages an inbox. A wrong total would be an error.
    let pages = row(&report, "later page")["count"].as_u64().unwrap();
    assert!(pages >= 2, "{report:#}");

    target.adda.kill();
    let fill = ["fill", "--store", &target.store, "--messages", "5000", "--chats", "3"];
    assert_eq!(row(&run(&fill), "append")["count"], 5000);
    target.adda.restart().await;
    let report = target.run(&["--time", "1s", "history"]);
    assert!(report["shape"].as_str().unwrap().starts_with("5000 messages in 3 chats"));
    row(&report, "a page at random");
}

#[test]
fn the_limits_of_what_is_below() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    let report = run(&["--time", "1s", "limits", "--streams", "10", "--store", &store]);
    assert!(figure(&report, "grouped durable inserts") > 0.0, "{report:#}");
    assert!(row(&report, "bare delivery")["count"].as_u64().unwrap() > 0, "{report:#}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it leaves nothing behind");
}

#[test]
fn what_cannot_be_done_is_said() {
    let tell = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adda"));
        let output = command.arg("load").args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let away = tell(&["--server", "http://127.0.0.1:1", "pairs", "--pairs", "1"]);
    assert!(away.contains("cannot reach http://127.0.0.1:1"), "{away}");
    let none = tell(&["--server", "nonsense", "idle"]);
    assert!(none.contains("--server"), "{none}");
}
