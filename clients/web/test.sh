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

status=0
bash build.sh || status=$?
[ "$status" != 3 ] || skip "all of it, for the page cannot be built"
[ "$status" = 0 ] || exit "$status"

npm run --silent check
npm run --silent unit

bin=${ADDA_BIN:-$PWD/../../target/debug/adda}
[ -x "$bin" ] || { echo "web: no server at $bin: cargo build makes it" >&2; exit 1; }

find_chromium() {
    for each in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
        [ -n "$each" ] && command -v "$each" && return 0
    done
    return 1
}
if ! CHROMIUM=$(find_chromium); then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "web: installing chromium and fonts with apt-get"
        apt-get update -qq >/dev/null || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            chromium fonts-noto-core fonts-noto-color-emoji >/dev/null || true
    fi
    CHROMIUM=$(find_chromium) || skip "no Chromium, and none can be installed: the page was not tried in a browser"
fi
export CHROMIUM ADDA_BIN="$bin"
npm run --silent e2e --workspace @adda/page
