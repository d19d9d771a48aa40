//! What the tests run against: real servers, started when first asked for, ended with the
//! process. Where there is none, a test is skipped, aloud; under `CI=true` it fails.

pub(crate) mod adda;
pub(crate) mod buckets;
pub(crate) mod haproxy;
pub(crate) mod mongo;
pub(crate) mod mongod;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod redis;

use std::io::Write as _;

/// Says that a test is skipped, past the capture of the test harness.
pub(crate) fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}, and CI does not skip");
    let _ = writeln!(std::io::stderr(), "skipped: {why} ({test})");
}
