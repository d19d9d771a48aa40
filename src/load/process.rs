//! What a process used and how it was called, as Linux tells it.

use std::time::Duration;

use serde::Serialize;

/// A look at a process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// Processor time, user and system.
    pub(super) cpu: Duration,
    /// Resident memory in KiB.
    pub(super) rss_kib: u64,
}

/// What a process used over a time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Used {
    /// Processor time a second: 1 is one core.
    pub cores: f64,
    /// Resident memory before, in MiB.
    pub rss_before_mib: f64,
    /// Resident memory after, in MiB.
    pub rss_after_mib: f64,
}

impl Usage {
    /// What a process has used so far; `None`: there is no such process, or no `/proc`.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |nth: usize| fields.get(nth)?.parse::<u64>().ok();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let rss_kib = line.split_whitespace().nth(1)?.parse().ok()?;
        // USER_HZ is 100 on every Linux that Rust runs on.
        let cpu = Duration::from_millis((ticks(11)? + ticks(12)?) * 10);
        Some(Self { cpu, rss_kib })
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, rss_kib: self.rss_kib + other.rss_kib }
    }

    /// From this look to a later one.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(super) fn until(self, later: Self, seconds: f64) -> Used {
        Used {
            cores: later.cpu.saturating_sub(self.cpu).as_secs_f64() / seconds,
            rss_before_mib: self.rss_kib as f64 / 1024.0,
            rss_after_mib: later.rss_kib as f64 / 1024.0,
        }
    }
}

/// Flags whose values are nobody's business.
const SECRET: [&str; 6] =
    ["--jwt-secret", "--jwks", "JWT_SECRET", "JWT_JWKS", "MONGODB_URI", "REDIS_URL"];

/// How a process was called: its arguments, and its environment as far as it is ours.
pub(super) fn called(pid: u32) -> Vec<String> {
    let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let split = |bytes: Vec<u8>| -> Vec<String> {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.split('\0').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let mut flags: Vec<String> = split(read("cmdline")).into_iter().skip(1).collect();
    let ours = |line: &String| line.starts_with("ADDA_") || line.starts_with("JWT_");
    flags.extend(split(read("environ")).into_iter().filter(ours));
    masked(&flags)
}

/// Without what is secret: values of secret flags, and passwords in URLs.
pub(super) fn masked(flags: &[String]) -> Vec<String> {
    let mut hide_next = false;
    let mask = |flag: &String| {
        let hide = std::mem::take(&mut hide_next);
        if hide {
            return "***".to_owned();
        }
        if SECRET.contains(&flag.as_str()) {
            hide_next = true;
            return flag.clone();
        }
        match flag.split_once('=') {
            Some((name, _)) if SECRET.contains(&name) => format!("{name}=***"),
            _ => without_password(flag),
        }
    };
    flags.iter().map(mask).collect()
}

fn without_password(flag: &str) -> String {
    match (flag.split_once("://"), flag.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://***@{place}"),
        _ => flag.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_told() {
        let flags =
            ["serve", "--jwt-secret", "s3", "--store", "mongodb://u:p@h/adda", "JWT_SECRET=s3"];
        let flags: Vec<String> = flags.map(str::to_owned).to_vec();
        let told = masked(&flags);
        assert_eq!(
            told,
            ["serve", "--jwt-secret", "***", "--store", "mongodb://***@h/adda", "JWT_SECRET=***"]
        );
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = Usage::of(std::process::id()).expect("Linux");
        assert!(usage.rss_kib > 0);
    }
}
