#!/usr/bin/env bash
# Fuzzes each target in fuzz/ for so many seconds: what anybody may send, by libFuzzer. Installs
# cargo-fuzz where it is missing. What it finds is kept in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}

command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz
# Counting what was reached is behind this switch in a stable compiler. Without sanitizers: what is ours
# is safe Rust, and runs twice as fast.
export RUSTC_BOOTSTRAP=1
# The versions that are shipped.
cp Cargo.lock fuzz/Cargo.lock
for target in frames text seqs files; do
    echo "fuzz: $target, $seconds s"
    cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -max_len=8192 -print_final_stats=1
done
