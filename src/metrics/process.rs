//! What the system knows of this process, read from `/proc` when it is asked for. Where there is
//! no `/proc` these figures stay at 0.

use std::fs;

/// Parts of a second in which CPU time is told there: 100 on every Linux, whatever its timer.
const TICKS: f64 = 100.0;

/// Takes new readings.
pub(super) fn read() {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        super::process_memory().set(field(&status, "VmRSS:").saturating_mul(1024));
        super::process_threads().set(field(&status, "Threads:"));
    }
    if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
        super::process_cpu().set(cpu_seconds(&stat));
    }
    if let Ok(limits) = fs::read_to_string("/proc/self/limits") {
        super::process_max_fds().set(field(&limits, "Max open files"));
    }
    super::process_fds().set(open_fds());
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let metrics = runtime.metrics();
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        super::runtime_tasks().set(count(metrics.num_alive_tasks()));
        super::runtime_waiting().set(count(metrics.global_queue_depth()));
    }
}

/// The first number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// The 14th and 15th field; the second is a name in brackets that may hold anything.
fn cpu_seconds(stat: &str) -> f64 {
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0.0 };
    let ticks = rest.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// A kernel of today says how many there are; of an older one they are counted.
fn open_fds() -> u64 {
    let told = fs::metadata("/proc/self/fd").map_or(0, |folder| folder.len());
    if told > 0 {
        return told;
    }
    let count = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_where_they_stand() {
        assert_eq!(field("Name:\tadda\nVmRSS:\t   33412 kB\nThreads:\t7\n", "VmRSS:"), 33_412);
        assert_eq!(field("Name:\tadda\n", "VmRSS:"), 0);
        let stat = "7 (a d) da) S 1 7 7 0 -1 4194560 900 0 0 0 150 50 0 0 20 0 7 0 1";
        assert!((cpu_seconds(stat) - 2.0).abs() < 1e-9);
        assert!(cpu_seconds("").abs() < 1e-9);
        assert!(open_fds() > 0);
    }
}
