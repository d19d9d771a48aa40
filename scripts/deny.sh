#!/usr/bin/env bash
# Holds the dependencies to deny.toml: licences, bans and sources always; known holes (advisories)
# where their database can be reached, else skipped aloud. Installs cargo-deny where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo-deny >/dev/null; then
    echo "deny: installing cargo-deny (some minutes, once)" >&2
    if ! cargo install --quiet --locked cargo-deny@0.20.2; then
        [ "${CI:-}" != true ] || { echo "deny: no cargo-deny, and CI does not skip" >&2; exit 1; }
        echo "skipped: cargo-deny could not be installed" >&2
        exit 0
    fi
fi
cargo deny --log-level error check licenses bans sources
if cargo deny --log-level error fetch db >/dev/null 2>&1; then
    cargo deny --log-level error check advisories
else
    echo "skipped: advisories, for their database cannot be reached" >&2
fi
