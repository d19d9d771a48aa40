#!/usr/bin/env bash
# Fuzzes each target in fuzz/ for so many seconds: what anybody may send, by libFuzzer. Installs
# cargo-fuzz where it is missing. What it finds is kept in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}

command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz
# The sanitizers of a stable compiler are behind this switch.
export RUSTC_BOOTSTRAP=1
for target in frames text seqs; do
    echo "fuzz: $target, $seconds s"
    cargo fuzz run "$target" -- -max_total_time="$seconds" -max_len=8192 -print_final_stats=1
done
