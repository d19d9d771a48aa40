#!/usr/bin/env python3
"""Measures adda and writes benches/RESULTS.md: `make bench`.

Starts what it needs (a mongod replica set of one member, a Redis, adda) on free ports in a
folder of its own, runs `adda load` scenario by scenario on both pairs of backends, several
times each, and writes down the median run. Needs what `scripts/tools.sh` fetches; standard
library only.
"""

import argparse
import datetime
import functools
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECRET = "a-secret-of-a-bench-that-nobody-else-needs"


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, check, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.05)
    raise SystemExit(f"bench: {what} did not come in {seconds} s")


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Started:
    """Processes that this run has started, and ends."""

    def __init__(self, folder):
        self.folder, self.running = folder, []

    def start(self, name, args, env=None):
        log = open(self.folder / f"{name}.log", "ab")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("ADDA_", "JWT_"))}
        process = subprocess.Popen(args, stdout=log, stderr=log, env={**environment, **(env or {})})
        self.running.append(process)
        return process

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.running.remove(process)

    def end_all(self):
        for process in list(reversed(self.running)):
            self.end(process)


# A replica set is made by one command; these few lines of BSON spare a driver.
def document(body):
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def text(key, value):
    value = value.encode()
    return b"\x02" + key + b"\0" + struct.pack("<i", len(value) + 1) + value + b"\0"


def initiate(port):
    member = document(b"\x10_id\0" + struct.pack("<i", 0) + text(b"host", f"127.0.0.1:{port}"))
    members = b"\x04members\0" + document(b"\x030\0" + member)
    config = document(text(b"_id", "adda") + members)
    command = document(b"\x03replSetInitiate\0" + config + text(b"$db", "admin"))
    body = struct.pack("<i", 0) + b"\0" + command
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, 2013) + body)
        s.recv(65536)


class Failed(Exception):
    """A run that came to nothing."""


def told(measure):
    """A row that cannot be measured says so; the others are measured all the same."""
    @functools.wraps(measure)
    def measured(self, what, *args, **more):
        try:
            return measure(self, what, *args, **more)
        except Failed as failed:
            say(f"  {what}: {failed}")
            self.line(f"| {what} | could not be measured | | | |")
            return float("nan")
    return measured


class Pair:
    """A pair of backends: how adda is started on it."""

    def __init__(self, name, started, binary, generator):
        self.name, self.started, self.binary, self.adda = name, started, binary, None
        self.generator = generator
        self.backends, self.folder = [], started.folder / name
        self.folder.mkdir()
        if name == "mongodb":
            self.begin_mongodb()
        else:
            self.bus = "memory:"

    def begin_mongodb(self):
        program = shutil.which("mongod") or str(ROOT / ".tools" / "mongod")
        self.mongo_port, redis_port = free_port(), free_port()
        (self.folder / "db").mkdir()
        mongod = self.started.start("mongod", [
            program, "--replSet", "adda", "--port", str(self.mongo_port), "--bind_ip", "127.0.0.1",
            "--dbpath", str(self.folder / "db"), "--wiredTigerCacheSizeGB", "2", "--nounixsocket"])
        redis = self.started.start("redis", [
            shutil.which("redis-server"), "--port", str(redis_port), "--bind", "127.0.0.1",
            "--save", "", "--appendonly", "no", "--dir", str(self.folder)])
        until("mongod", lambda: answers(self.mongo_port))
        until("redis", lambda: answers(redis_port))
        initiate(self.mongo_port)
        time.sleep(3)
        self.backends = [mongod.pid, redis.pid]
        self.bus = f"redis://127.0.0.1:{redis_port}"

    def store(self, database):
        if self.name == "sqlite":
            return f"sqlite:{self.folder / database}.db"
        return f"mongodb://127.0.0.1:{self.mongo_port}/{database}?replicaSet=adda"

    def serve(self, database, *flags):
        """A fresh adda; the one before is ended."""
        self.leave()
        port, admin = free_port(), free_port()
        self.server, self.metrics = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}/metrics"
        self.adda = self.started.start(f"adda-{self.name}", [
            self.binary, "serve", "--listen", f"127.0.0.1:{port}", "--store", self.store(database),
            "--bus", self.bus, "--admin-listen", f"127.0.0.1:{admin}", "--log-level", "warn",
            "--attachments", f"file:{self.folder / 'files'}", *flags], {"JWT_SECRET": SECRET})
        until("adda", lambda: answers(port))

    def leave(self):
        if self.adda:
            self.started.end(self.adda)
            self.adda = None

    def load(self, name, seconds, *args, server=True):
        command = [self.generator, "load", "--json", "--time", f"{seconds}s", "--name", name]
        if server:
            command += ["--server", self.server, "--pid", str(self.adda.pid)]
            if self.backends:
                command += ["--backends", ",".join(map(str, self.backends))]
        env = {**os.environ, "JWT_SECRET": SECRET}
        done = subprocess.run(command + list(args), env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed(f"{' '.join(args)}: {done.stderr[-2000:]}")
        return json.loads(done.stdout)


NOTHING = {"count": 0, "per_second": 0.0, "latency": dict.fromkeys(
    ["p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"], float("inf"))}


def row(report, name):
    """What happened under this name; nothing, if it never did while it counted."""
    return next((r for r in report["rows"] if r["name"] == name), NOTHING)


def figure(report, name):
    return next((f["value"] for f in report["figures"] if f["name"] == name), None)


def median_run(reports, key):
    """The run in the middle, by its most important figure; and that figure of all."""
    order = sorted(reports, key=key)
    return order[len(order) // 2], [key(r) for r in order]


class Page:
    """benches/RESULTS.md, written anew with each row, so that a run cut short has its rows."""

    def __init__(self, path, head):
        self.path, self.text = pathlib.Path(path), head

    def add(self, text):
        self.text += text
        self.path.write_text(self.text)


class Bench:
    def __init__(self, pair, options, page):
        self.pair, self.options, self.page, self.nth = pair, options, page, 0
        title = "MongoDB and Redis" if pair.name == "mongodb" else "SQLite and the in-process bus"
        page.add(f"\n## {title}\n\n| what | median run | all runs | cores | errors |\n"
                 "|---|---|---|---|---|\n")

    def line(self, text):
        self.page.add(text + "\n")

    def runs(self, args, key, seconds=None, fresh=True, flags=("--rate-limits", "off")):
        reports = []
        for _ in range(self.options.runs):
            self.nth += 1
            if fresh:
                self.pair.serve(f"b{self.nth}", *flags)
            report = self.pair.load(f"n{self.nth}", seconds or self.options.seconds, *args)
            reports.append(report)
            say(f"  {self.pair.name} {report['shape']}: {key(report):.1f}")
        return median_run(reports, key)

    def add(self, what, figures, report, of, unit):
        spread = " · ".join(f"{v:,.0f}" if v >= 100 else f"{v:.1f}" for v in of)
        used = []
        for who in ("server", "backends", "generator"):
            if report.get(who):
                used.append(f"{report[who]['cores']:.2f}")
        errors = "; ".join(f"{k}: {v}" for k, v in report["errors"].items()
                           if not k.startswith("tried again"))
        self.line(f"| {what} | {figures} | {spread} {unit} | {' + '.join(used)} | {errors or 'none'} |")

    @told
    def throughput(self, what, args, name="ack", late="ack", **more):
        report, of = self.runs(args, lambda r: row(r, name)["per_second"], **more)
        counted, latency = row(report, name), row(report, late)["latency"]
        self.add(what, f"**{counted['per_second']:,.0f} a second**, {late} p50 {latency['p50_ms']:.1f} ms,"
                 f" p99 {latency['p99_ms']:.1f} ms", report, of, "a second")
        return statistics.median(of)

    @told
    def latency(self, what, args, names, **more):
        report, of = self.runs(args, lambda r: row(r, names[0])["latency"]["p99_ms"], **more)
        told = [f"{n} p50 {row(report, n)['latency']['p50_ms']:.1f}, **p99 {row(report, n)['latency']['p99_ms']:.1f} ms**"
                for n in names]
        self.add(what, "; ".join(told), report, of, "ms")
        return statistics.median(of)

    @told
    def numbers(self, what, args, names, units, **more):
        report, of = self.runs(args, lambda r: figure(r, names[0]), **more)
        told = [f"{n} **{figure(report, n):,.2f} {u}**" for n, u in zip(names, units)]
        self.add(what, "; ".join(told), report, of, units[0])

    def all(self):
        o = self.options
        raw = self.limits()
        pairs = ["pairs", "--pairs", "50", "--in-flight", "8"]
        self.throughput("50 pairs, 8 in flight, receipts", pairs)
        self.throughput("the same, rate limits on", pairs, flags=("--rate-limits", "on"))
        self.throughput("50 pairs, 8 in flight, no receipts", [*pairs, "--no-receipts"])
        for chats, rate in ((2000, 5000), (2000, 10000), (9000, 5000), (9000, 10000)):
            self.throughput(f"{chats:,} busy chats, {rate:,} a second offered",
                            ["pairs", "--pairs", str(chats), "--rate", str(rate)])
        self.latency("one pair alone", ["pairs", "--pairs", "1", "--in-flight", "1"],
                     ["ack", "delivery"])
        ingest = self.throughput("ingest: receivers away", ["pairs", "--pairs", "200",
                                 "--in-flight", "16", "--away"])
        self.share("ingest", ingest, raw["inserts"], "raw grouped inserts")
        self.throughput("one hot chat, 16 senders", ["group", "--members", "16", "--senders", "16",
                        "--in-flight", "32", "--away"])
        fan = self.throughput("fan-out: group of 1,000, all online", ["group", "--in-flight", "16"],
                              name="delivery", late="to the last reader")
        self.share("fan-out", fan, raw["streams"], "bare stream")
        self.latency("one message to 9,000 online members", ["group", "--members", "9000",
                     "--rate", "1"], ["to the last reader"])
        self.numbers("idle streams", ["idle", "--streams", str(o.streams)],
                     ["memory a stream", "processor time a stream"], ["KiB", "µs a second"])
        self.numbers("storm: all reconnect and resume", ["storm", "--streams", str(o.streams)],
                     ["until all were caught up"], ["s"])
        self.numbers("100 readers stop", ["slow"],
                     ["memory a stopped reader, at most", "the others' delivery p99, by"],
                     ["KiB", "%"])
        self.latency("inbox of 1,000 chats, 50 unread", ["inbox"],
                     ["first page, total", "later page"])
        for messages in o.history:
            self.history(messages)

    @told
    def history(self, messages):
        database = f"h{messages}"
        self.pair.leave()
        filled = self.pair.load("h", 1, "fill", "--store", self.pair.store(database),
                                "--messages", str(messages), server=False)
        say(f"  filled {messages:,} at {row(filled, 'append')['per_second']:,.0f} a second")
        self.pair.serve(database, "--rate-limits", "off")
        names = ["newest page", "a page at random", "oldest page"]
        reports = [self.pair.load("h", self.options.seconds, "history") for _ in range(self.options.runs)]
        report, of = median_run(reports, lambda r: row(r, names[1])["latency"]["p99_ms"])
        told = "; ".join(f"{n} p50 {row(report, n)['latency']['p50_ms']:.1f}, **p99 {row(report, n)['latency']['p99_ms']:.1f} ms**"
                         for n in names)
        self.add(f"history pages from {messages:,} messages", told, report, of, "ms")

    def limits(self):
        self.pair.leave()
        args = ["limits", "--store", self.pair.store("limit"), "--bus", self.pair.bus]
        reports = [self.pair.load("limits", self.options.seconds, *args, server=False)
                   for _ in range(self.options.runs)]
        inserts = statistics.median(figure(r, "grouped durable inserts") for r in reports)
        streams = statistics.median(row(r, "bare delivery")["per_second"] for r in reports)
        self.line(f"| *raw: grouped durable inserts, 50 each, {'4 writers' if self.pair.backends else '1 writer'}* |"
                          f" **{inserts:,.0f} a second** | | | |")
        self.line(f"| *raw: bare tonic streams, 1,000* | **{streams:,.0f} frames a second** | | | |")
        for name in ("PUBLISH, one by one", "PUBLISH, pipelined by 16"):
            values = [figure(r, name) for r in reports if figure(r, name)]
            if values:
                self.line(f"| *raw: {name}* | **{statistics.median(values):,.0f} a second** | | | |")
        say(f"  {self.pair.name} raw: {inserts:,.0f} inserts, {streams:,.0f} frames a second")
        return {"inserts": inserts, "streams": streams}

    def share(self, what, reached, limit, of):
        self.line(f"| *{what}, of {of}* | **{100 * reached / limit:.0f} %** | | | |")


def calls(pair, options):
    """What each sort of call costs on one pair: latencies, and questions to the store."""
    pair.serve("calls", "--rate-limits", "off")
    say(f"  {pair.name} calls")
    report = pair.load("c", 1, "calls", "--calls", "50", "--metrics", pair.metrics)
    for error, count in report["errors"].items():
        say(f"  ERROR {error}: {count}")
    pair.leave()
    return report


def calls_page(path, reports, options):
    """benches/CALLS.md: the pairs side by side."""
    first = next(iter(reports.values()))
    text = head(options).split("\n\nEach row")[0].replace("# Measured", "# What a call costs")
    text += (f"\n\n{first['shape'].capitalize()}: one caller, one call at a time. *Asked*: questions to the store,"
             "\nof all that a call causes, by the server's own metrics; one question may be several statements.\n\n")
    text += "| call | " + " | ".join(f"{n}: p50, p99 ms | asked" for n in reports) + " |\n"
    text += "|---|" + "---|---|" * len(reports) + "\n"
    for counted in first["rows"]:
        cells = []
        for report in reports.values():
            latency = row(report, counted["name"])["latency"]
            cells.append(f"{latency['p50_ms']:.1f}, {latency['p99_ms']:.1f} | {figure(report, counted['name']):.1f}")
        text += f"| {counted['name']} | " + " | ".join(cells) + " |\n"
    pathlib.Path(path).write_text(text)
    say(f"written: {path}")


# So many messages a second are offered to users who are away, and so long the push service takes to
# answer each push of them.
OFFERED = ((1000, 0), (2000, 0), (5000, 0), (10000, 0), (5000, 100))
# Messages of one chat within 5 s are one push: a round of all chats takes longer.
APART = 6


def account(folder, port):
    """A service account of nobody's, whose Google is the load generator."""
    path = folder / f"account-{port}.json"
    key = (ROOT / "tests" / "it" / "keys" / "test-only-rsa.pem").read_text()
    path.write_text(json.dumps({
        "type": "service_account", "project_id": "load", "client_email": "load@example.com",
        "private_key": key, "token_uri": f"http://127.0.0.1:{port}/token"}))
    return str(path)


def pushes(pair, options):
    """How many pushes a second, and how old each is, at several rates on one pair."""
    rows = []
    for rate, latency in options.offered:
        port = free_port()
        pair.serve(f"push{len(rows)}", "--rate-limits", "off", "--push", "fcm", "--fcm-credentials",
                   account(pair.folder, port), "--fcm-url", f"http://127.0.0.1:{port}")
        try:
            report = pair.load("p", options.seconds, "push", "--users", str(rate * APART), "--rate", str(rate),
                               "--fcm-listen", f"127.0.0.1:{port}", "--fcm-latency", f"{latency}ms")
        except Failed as failed:
            say(f"  {pair.name} {rate} a second: {failed}")
            continue
        rows.append(((rate, latency), report))
        pushed = row(report, "push")
        say(f"  {pair.name} {report['shape']}: {pushed['per_second']:.0f} pushes a second,"
            f" p50 {pushed['latency']['p50_ms']:.0f} ms")
    pair.leave()
    return rows


def pushes_table(name, reports):
    """One pair's part of benches/PUSH.md."""
    text = (f"\n## {name}\n\n| messages offered, a second | answered after | stored | pushed | stored to taken: p50, p99 "
            "| processor time a push: server, backends | errors |\n|---|---|---|---|---|---|---|\n")
    for (rate, latency), report in reports:
        stored, pushed = row(report, "ack"), row(report, "push")
        cost = [figure(report, f"{who}'s processor time a push") for who in ("server", "backends")]
        cost = ", ".join("-" if c is None else f"{c:,.0f} µs" for c in cost)
        errors = "; ".join(f"{k}: {v}" for k, v in report["errors"].items()) or "none"
        text += (f"| {rate:,} | {latency} ms | {stored['per_second']:,.0f} | **{pushed['per_second']:,.0f}** |"
                 f" {pushed['latency']['p50_ms']:,.0f} ms, {pushed['latency']['p99_ms']:,.0f} ms | {cost} | {errors} |\n")
    return text


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    except OSError:
        return ""


def head(options):
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    mongod = shutil.which("mongod") or str(ROOT / ".tools" / "mongod")
    dirty = " with changes" if output("git", "status", "--porcelain", "--", "src") else ""
    version = output(mongod, "--version").splitlines()
    redis = re.search(r"v=(\S+)", output("redis-server", "--version"))
    return f"""# Measured

By `make bench`, which wrote this page: {datetime.date.today()}, commit {output('git', 'rev-parse', '--short', 'HEAD')}{dirty},
{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), {int(memory.group(1)) // 1048576} GiB, {platform.system()} {platform.release().split('-')[0]},
{output('rustc', '--version').split(' (')[0]}, mongod {version[0].split(' v')[-1] if version else '?'} (one member, `w: majority, j: true`), Redis {redis.group(1) if redis else '?'}, SQLite with `synchronous=FULL`.
Server, backends and generator share these cores; the load average was {os.getloadavg()[1]:.1f} before it began, so
where another process runs beside it, ratios within one table say more than figures.

Each row is the median of {options.runs} runs of {options.seconds} s after 3 s of warming up, each against a fresh
adda; the third column has all runs; *cores* are those of server + backends + generator. Latencies are
from the time a send was due, and of the slowest part of its way that the row names.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--streams", type=int, default=15000)
    parser.add_argument("--history", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--pairs", nargs="*", default=["sqlite", "mongodb"])
    parser.add_argument("--binary", default=str(ROOT / "target" / "release" / "adda"))
    parser.add_argument("--generator", help="the adda that makes the load, to measure an older one")
    parser.add_argument("--only", choices=["calls", "push"],
                        help="calls: benches/CALLS.md alone, in two minutes; push: pushes alone, printed")
    parser.add_argument("--offered", nargs="*", default=OFFERED, metavar="RATE[:MS]",
                        type=lambda text: tuple(map(int, (text + ":0").split(":")[:2])))
    parser.add_argument("--calls-out", default=str(ROOT / "benches" / "CALLS.md"))
    parser.add_argument("--out", default=str(ROOT / "benches" / "RESULTS.md"))
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    options.streams = min(options.streams, hard - 500)
    page, called = Page(options.out, head(options)) if not options.only else None, {}
    with tempfile.TemporaryDirectory(prefix="adda-bench-") as folder:
        started = Started(pathlib.Path(folder))
        try:
            for name in options.pairs:
                say(f"{name}:")
                pair = Pair(name, started, options.binary, options.generator or options.binary)
                if options.only == "push":
                    print(pushes_table(name, pushes(pair, options)), flush=True)
                    started.end_all()
                    continue
                called["SQLite" if name == "sqlite" else "MongoDB, Redis"] = calls(pair, options)
                if page:
                    Bench(pair, options, page).all()
                started.end_all()
        finally:
            started.end_all()
    if called:
        calls_page(options.calls_out, called, options)
    if page:
        say(f"written: {options.out}")


if __name__ == "__main__":
    main()
