#!/usr/bin/env bash
# A client in Python, written from the protos alone, against the real server.
#
# Needs Python 3.10 and pip; the rest it gets for itself, into .tools/python. ADDA_BIN names the
# server. Without Python it says so and passes; under CI=true it fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
    echo "python client: skipped: $1" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
}

bin=${ADDA_BIN:-target/debug/adda}
[ -x "$bin" ] || { echo "python client: no server at $bin: cargo build makes it" >&2; exit 1; }
python=${PYTHON:-python3}
command -v "$python" >/dev/null || skip "no $python"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "$python is older than 3.10"

# The environment is made once, and anew when the requirements change.
tools=.tools/python
wanted=$(cat tests/python/requirements.txt; "$python" --version)
if [ "$(cat "$tools/wanted" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$tools"
    "$python" -m venv "$tools" || skip "$python cannot make a venv (python3-venv?)"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check \
        -r tests/python/requirements.txt || skip "pip cannot install the requirements"
    printf '%s\n' "$wanted" >"$tools/wanted"
fi

work=$(mktemp -d)
server=
cleanup() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mkdir "$work/stubs"
"$tools/bin/python" -m grpc_tools.protoc -Iproto --python_out="$work/stubs" \
    --grpc_python_out="$work/stubs" proto/adda/v1/*.proto

env -u ADDA_STORE -u ADDA_BUS -u MONGODB_URI -u REDIS_URL -u JWT_SECRET \
    "$bin" serve --dev --listen 127.0.0.1:0 --store "sqlite:$work/adda.db" --bus memory: \
    >"$work/out" 2>"$work/log" &
server=$!
address=
for _ in $(seq 300); do
    address=$(sed -n 's|^adda listens on http://||p' "$work/out")
    [ -n "$address" ] && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
[ -n "$address" ] || { echo "python client: the server did not start:" >&2; cat "$work/log" >&2; exit 1; }

export ADDA_ADDRESS=$address PYTHONPATH="$work/stubs" PYTHONDONTWRITEBYTECODE=1
"$tools/bin/python" -m pytest -q -p no:cacheprovider "$@" tests/python || {
    status=$?
    echo "python client: what the server logged:" >&2
    cat "$work/log" >&2
    exit "$status"
}
