#!/usr/bin/env python3
"""Servers under load: what docs/reliability.md says of many builds, measured on this machine.

    python3 benches/load.py [--binary PATH] [--postgres URL] [--only NAME] [--builds N] [--json FILE]

    recovery    N open builds, kill -9, and how long until the next life is ready and knows all of them    bar 2 s
    memory      resident memory of a server for each build that waits for a person                         bar 20 KiB
    builds      N builds of 20 steps at once: until the last has ended, steps a second, slowest answer
    servers     the same load on one server and on two that share a PostgreSQL (needs --postgres); the ratio

Nothing but Python's standard library and the binary is needed. `--postgres` is an empty database, as
postgres://user@host:5432/name; what is measured stays in it. Rates of the journal alone:
`cargo run --release -p haliotis-store --example journal_rate`. Exit code 1: a figure is over its bar.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
STEPS = 20
ASKS = "name: asks\nsteps:\n  ask: { input: { message: 'Go?' } }\n"
# A chain of ten and ten beside each other: both shapes that builds have.
MANY = "name: many\nsteps:\n" + "".join(
    f"  s{n}: {{ uses: noop{', needs: [s%d]' % (n - 1) if 0 < n < STEPS // 2 else ''} }}\n" for n in range(STEPS)
)


class Server:
    """A server over a data folder of its own; ended with `stop` or `kill`."""

    def __init__(self, binary, folder, postgres=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("HALIOTIS_")}
        env.update(HALIOTIS_DATA_DIR=str(folder), HALIOTIS_USER="bench", HOME=str(folder.parent), NO_COLOR="1")
        if postgres:
            env["HALIOTIS_DATABASE"] = postgres
        self.begun = time.perf_counter()
        argv = [binary, "serve", "--dev", "--listen", "127.0.0.1:0"]
        self.log = open(folder.parent / "server.log", "ab")
        self.process = subprocess.Popen(argv, env=env, stdout=self.log, stderr=subprocess.PIPE, cwd=folder.parent)
        self.url = None
        for line in self.process.stderr:
            if b"answers at" in line:
                self.url = next(word for word in line.decode().split() if word.startswith("http://"))
                break
        if not self.url:
            raise SystemExit(f"the server did not start; see {folder.parent}/server.log")
        # What it says from here on must not fill the pipe.
        concurrent.futures.ThreadPoolExecutor(1).submit(self.process.stderr.read)

    def ask(self, method, path, body=None, key=None):
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or b"null")

    def pipeline(self, name, text):
        self.ask("PUT", f"/api/v1/pipelines/{name}", {"language": "yaml", "path": f"{name}.yaml", "text": text})

    def start(self, pipeline, key):
        begun = time.perf_counter()
        made = self.ask("POST", f"/api/v1/pipelines/{pipeline}/builds", {}, key)
        return made["id"], time.perf_counter() - begun

    def resident(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))

    def builds(self):
        """All builds, however many pages there are."""
        found, before = [], ""
        while True:
            page = self.ask("GET", f"/api/v1/builds?limit=500{before}")
            found += page
            if len(page) < 500:
                return found
            before = f"&before={page[-1]['id']}"

    def until(self, count, status, most=1800):
        """Waits until so many builds have this status."""
        begun = time.perf_counter()
        while time.perf_counter() - begun < most:
            if sum(build["status"] == status for build in self.builds()) >= count:
                return
            time.sleep(0.05)
        raise SystemExit(f"not {count} builds are {status} after {most} s")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def start_all(servers, pipeline, count, tag, threads=16):
    """Starts builds at all servers in turn, many at once; the slowest answer in seconds."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        ask = lambda n: servers[n % len(servers)].start(pipeline, f"{tag}-{n}")[1]
        return max(pool.map(ask, range(count)))


class Bench:
    def __init__(self, args, work):
        self.args, self.work, self.rows = args, work, []

    def folder(self, name):
        folder = self.work / name / "data"
        folder.mkdir(parents=True)
        return folder

    def row(self, name, figure, bar, good):
        self.rows.append({"name": name, "figure": figure, "bar": bar, "met": good})
        mark = "    " if good is None else "ok  " if good else "OVER"
        print(f"{mark} {name:<44} {figure:<36} {'bar ' + bar if bar else ''}", flush=True)

    def recovery(self):
        count, folder = self.args.builds, self.folder("recovery")
        server = Server(self.args.binary, folder)
        server.pipeline("asks", ASKS)
        before = server.resident()
        start_all([server], "asks", count, "r")
        server.until(count, "waiting")
        each = (server.resident() - before) / count
        self.row(f"memory, {count} builds made and waiting", f"{each / 1024:.1f} KiB each", "20 KiB", each <= 20 * 1024)
        server.kill()
        server = Server(self.args.binary, folder)
        ready = time.perf_counter() - server.begun
        server.until(count, "waiting")
        # The engine itself has them all once it takes an answer for the last one.
        last = server.builds()[0]["id"]
        view = server.ask("GET", f"/api/v1/builds/{last}")
        assert view["inputs"], view
        known = time.perf_counter() - server.begun
        each = (server.resident() - before) / count
        server.stop()
        self.row(f"memory, {count} builds recovered and waiting", f"{each / 1024:.1f} KiB each", "20 KiB", each <= 20 * 1024)
        figure = f"ready {ready * 1000:.0f} ms, all known {known * 1000:.0f} ms"
        self.row(f"recovery of {count} open builds after kill -9", figure, "2 s", known <= 2)

    def many(self, servers, tag):
        begun = time.perf_counter()
        slowest = start_all(servers, "many", self.args.builds, tag)
        servers[0].until(self.args.builds, "ended")
        took = time.perf_counter() - begun
        bad = [build for build in servers[0].builds() if build["result"] != "success"]
        if bad:
            raise SystemExit(f"{len(bad)} builds did not succeed, the first: {bad[0]}")
        return took, slowest

    def concurrent(self):
        server = Server(self.args.binary, self.folder("builds"))
        server.pipeline("many", MANY)
        took, slowest = self.many([server], "b")
        server.stop()
        rate = self.args.builds * STEPS / took
        figure = f"{took:.1f} s, {rate:.0f} steps/s, slowest start {slowest * 1000:.0f} ms"
        self.row(f"{self.args.builds} builds of {STEPS} steps at once", figure, "", None)

    def servers(self):
        if not self.args.postgres:
            print("     servers: not measured, no --postgres was given", flush=True)
            return
        took = {}
        for count in (1, 2):
            # Each in a schema's worth of rows of its own: builds of the run before have ended and stay.
            base = [Server(self.args.binary, self.folder(f"servers-{count}-{n}"), self.args.postgres) for n in range(count)]
            base[0].pipeline(f"many{count}", MANY.replace("name: many", f"name: many{count}"))
            begun = time.perf_counter()
            start_all(base, f"many{count}", self.args.builds, f"s{count}")
            done = 0
            while done < self.args.builds:
                done = sum(b["status"] == "ended" and b["pipeline"] == f"many{count}" for b in base[0].builds())
                time.sleep(0.05)
            took[count] = time.perf_counter() - begun
            for server in base:
                server.stop()
        figure = f"{took[1]:.1f} s and {took[2]:.1f} s, ratio {took[2] / took[1]:.2f}"
        self.row(f"{self.args.builds} builds on one server and on two", figure, "", None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")
    parser.add_argument("--binary", default=str(pathlib.Path(target) / "release" / "haliotis"))
    parser.add_argument("--postgres", metavar="URL")
    parser.add_argument("--builds", type=int, default=1000)
    parser.add_argument("--only", action="append", choices=["recovery", "builds", "servers"])
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    print("reproduced by: python3", " ".join(sys.argv), flush=True)
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(args, pathlib.Path(work))
        for name, measure in (("recovery", bench.recovery), ("builds", bench.concurrent), ("servers", bench.servers)):
            if not args.only or name in args.only:
                measure()
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"command": sys.argv, "rows": bench.rows}, indent=1) + "\n")
    sys.exit(0 if all(row["met"] is not False for row in bench.rows) else 1)


if __name__ == "__main__":
    main()
