#!/usr/bin/env bash
# All tests of the web client: types, unit tests, the build, and people in a real browser against a real server.
#
# Needs Node 20.19 or newer and, for the last part, Chromium and the server: ADDA_BIN names it. What cannot be had is
# skipped aloud, and fails under CI=true.
set -euo pipefail
cd "$(dirname "$0")"

skip() {
    echo "web: skipped: $1" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
}

command -v node >/dev/null || skip "no node"
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    skip "node is older than 20.19"

# Installed once, and anew when the lock changes.
wanted=$(cat package-lock.json; node --version)
if [ "$(cat node_modules/.wanted 2>/dev/null)" != "$wanted" ]; then
    npm ci --no-audit --no-fund --loglevel=error || skip "npm cannot install the packages"
    printf '%s\n' "$wanted" >node_modules/.wanted
fi

npm run --silent gen
npm run --silent check
npm run --silent unit
npm run --silent build --workspace @adda/page

bin=${ADDA_BIN:-$PWD/../../target/debug/adda}
[ -x "$bin" ] || { echo "web: no server at $bin: cargo build makes it" >&2; exit 1; }

chromium() {
    for each in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
        [ -n "$each" ] && command -v "$each" && return 0
    done
    return 1
}
if ! CHROMIUM=$(chromium); then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "web: installing chromium and fonts with apt-get"
        apt-get update -qq >/dev/null || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            chromium fonts-noto-core fonts-noto-color-emoji >/dev/null || true
    fi
    CHROMIUM=$(chromium) || skip "no Chromium, and none can be installed: the page was not tried in a browser"
fi
export CHROMIUM ADDA_BIN="$bin"
npm run --silent e2e --workspace @adda/page
