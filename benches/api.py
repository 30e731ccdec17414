#!/usr/bin/env python3
"""Load of the API, the lists and polling, each figure against its bar (issue 4). One process on this machine, the client beside it.

    python3 benches/api.py get      [--binary PATH] [--seconds 8] [--connections 16]
    python3 benches/api.py history  [--binary PATH] [--jobs 10000] [--builds 1000000]
    python3 benches/api.py poll     [--binary PATH] [--repositories 5000] [--seconds 120]

    get      `GET /job/x/api/json` over connections that stay open, one request at a time on each: at least 5,000 a second
    history  10,000 jobs with 1,000,000 builds on disk: from start to first answer at most 1 s, list page and API p95 at most
             100 ms, at most 150 MB resident afterwards. History is written into the database as rows like those of one real
             build; journals are those of each job's newest build.
    poll     5,000 repositories of a `git daemon` on this machine, each looked at once a minute: our process at most 20 % of
             a core over the time; what the git programs took is told beside it

Prints one JSON line each and the command that repeats it. Exit code 1: a figure is over its bar. Standard library, git and
the binary alone (`cargo build --release` makes it). Servers are stopped whatever happens.
"""

import argparse
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
JOB = """<flow-definition><definition class="org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition"><script>node { sh 'true' }</script></definition></flow-definition>"""
POLLED = """<flow-definition><definition class="io.haliotis.Definition"><language>yaml</language><path>p.yaml</path><text>on: {{ poll: {{ repo: "{}", branch: main, every: 1m }} }}
steps:
  one: {{ run: "true" }}
</text></definition></flow-definition>"""


class Server:
    """A server over a folder; `ready_s`: from its start to its first answer."""

    def __init__(self, binary, folder):
        env = dict(os.environ, HALIOTIS_DATA_DIR=str(folder), NO_COLOR="1")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        begin = time.perf_counter()
        self.process = subprocess.Popen([binary, "--plain", "serve", "--dev", "--listen", f"127.0.0.1:{self.port}"], env=env,
                                        stderr=subprocess.DEVNULL)
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/api/v1/pipelines?limit=1", timeout=30) as answer:
                    answer.read()
                break
            except OSError:
                if self.process.poll() is not None or time.perf_counter() - begin > 120:
                    raise SystemExit("the server did not start") from None
                time.sleep(0.005)
        self.ready_s = time.perf_counter() - begin

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def resident_mb(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024

    def cpu_s(self):
        """Of the process itself, and of the children it waited for."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        tick = os.sysconf("SC_CLK_TCK")
        return (int(fields[11]) + int(fields[12])) / tick, (int(fields[13]) + int(fields[14])) / tick

    def make(self, name, text):
        request = urllib.request.Request(f"{self.url}/createItem?name={name}", text.encode(), {"Content-Type": "text/xml"})
        urllib.request.urlopen(request, timeout=60).read()

    def build(self, name):
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/job/{name}/build", b""), timeout=60).read()
        while True:
            last = json.load(urllib.request.urlopen(f"{self.url}/job/{name}/api/json", timeout=60))["lastCompletedBuild"]
            if last:
                return last["number"]
            time.sleep(0.05)


def get(args, folder):
    with Server(args.binary, folder) as server:
        server.make("x", JOB)
        server.build("x")
        ask = f"GET /job/x/api/json HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
        poll, open_ones = select.epoll(), {}
        for _ in range(args.connections):
            connection = socket.create_connection(("127.0.0.1", server.port))
            open_ones[connection.fileno()] = [connection, b"", 0]
            poll.register(connection.fileno(), select.EPOLLIN)
            connection.sendall(ask)
        times, sent = [], {number: time.perf_counter() for number in open_ones}
        before = server.cpu_s()[0]
        begin = time.perf_counter()
        end = begin + args.seconds
        while time.perf_counter() < end:
            for number, _ in poll.poll(1):
                one = open_ones[number]
                one[1] += one[0].recv(65536)
                head, gap, body = one[1].partition(b"\r\n\r\n")
                if not gap:
                    continue
                length = int(re.search(rb"content-length: (\d+)", head, re.I).group(1))
                if len(body) < length:
                    continue
                if not head.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"an answer that is none: {head[:200]}")
                now = time.perf_counter()
                times.append(now - sent[number])
                one[1], sent[number] = body[length:], now
                one[0].sendall(ask)
        took = time.perf_counter() - begin
        cpu = server.cpu_s()[0] - before
        times.sort()
        rate = len(times) / took
        return {"figure": "get", "per_second": round(rate), "p50_ms": round(times[len(times) // 2] * 1000, 2),
                "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 2), "server_cores": round(cpu / took, 2),
                "per_second_and_core": round(len(times) / cpu), "holds": rate >= 5000}


def multiply(database, jobs, builds):
    """Rows like those of the one job and its build that are there."""
    each = builds // jobs
    with sqlite3.connect(database) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < ?) SELECT i FROM c", (max(jobs, each),))
        db.execute("CREATE TEMP TABLE names AS SELECT i, printf('job-%05d', i) AS name FROM n WHERE i < ?", (jobs,))
        db.execute("INSERT INTO pipelines SELECT name, json_set(body, '$.name', names.name) FROM names, (SELECT body FROM pipelines WHERE name = 'x')")
        db.execute("INSERT INTO documents SELECT kind, names.name, body FROM names, (SELECT kind, body FROM documents WHERE name = 'x')")
        db.execute("INSERT INTO numbers SELECT name, ? FROM names", (each,))
        columns = "status, result, message, created_at, ended_at, commit_hash, causes, parameters, last_seq"
        # In the order in which they would have come, a round of all jobs after the other.
        db.execute(f"""INSERT INTO builds (pipeline, number, {columns}) SELECT names.name, n.i + 1, {columns} FROM n
                       CROSS JOIN names CROSS JOIN (SELECT {columns} FROM builds WHERE pipeline = 'x' LIMIT 1) WHERE n.i < ? ORDER BY n.i, names.i""", (each,))
        db.execute("""INSERT INTO journal SELECT b.id, j.seq, j.at, j.body FROM builds b
                      CROSS JOIN (SELECT * FROM journal WHERE build = (SELECT id FROM builds WHERE pipeline = 'x' LIMIT 1)) j
                      WHERE b.number = ? AND b.pipeline LIKE 'job-%'""", (each,))
        db.commit()
        return db.execute("SELECT (SELECT count(*) FROM pipelines), (SELECT count(*) FROM builds)").fetchone()


def history(args, folder):
    with Server(args.binary, folder) as server:
        server.make("x", JOB)
        server.build("x")
    begin = time.perf_counter()
    jobs, builds = multiply(folder / "haliotis.db", args.jobs, args.builds)
    made = time.perf_counter() - begin
    with Server(args.binary, folder) as server:
        idle = server.resident_mb()
        figures = {}
        for name, path in [("page", "/"), ("builds", "/api/v1/builds?limit=50"), ("pipelines", "/api/v1/pipelines?limit=50"),
                           ("job", f"/job/job-{args.jobs // 2:05d}/api/json"),
                           ("jenkins_list", "/api/json?tree=jobs[name,color]{0,50}"), ("jenkins_all", "/api/json?tree=jobs[name,url,color]")]:
            times = []
            for _ in range(40):
                start = time.perf_counter()
                size = len(urllib.request.urlopen(f"{server.url}{path}", timeout=60).read())
                times.append((time.perf_counter() - start) * 1000)
            figures[name] = {"p50_ms": round(sorted(times)[20], 1), "p95_ms": round(sorted(times)[37], 1), "bytes": size}
        resident = server.resident_mb()
        listed = [figures[name]["p95_ms"] for name in ("page", "builds", "pipelines", "job", "jenkins_list")]
        return {"figure": "history", "jobs": jobs, "builds": builds, "made_in_s": round(made, 1),
                "database_mb": round((folder / "haliotis.db").stat().st_size / 1e6), "ready_s": round(server.ready_s, 2),
                "resident_idle_mb": round(idle, 1), "resident_mb": round(resident, 1), **figures,
                "holds": server.ready_s <= 1 and max(listed) <= 100 and resident <= 150}


def poll(args, folder):
    repositories = folder.parent / "git"
    first = repositories / "0.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", first], check=True)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=first, check=True,
                   input=b"commit refs/heads/main\ncommitter a <a@example.org> 1 +0000\ndata 1\nx\nM 644 inline a\ndata 1\nx\n")
    for number in range(1, args.repositories):
        # Only what git must have; objects are shared.
        other = repositories / f"{number}.git"
        (other / "objects/info").mkdir(parents=True)
        (other / "objects/info/alternates").write_text(f"{first}/objects\n")
        shutil.copytree(first / "refs", other / "refs")
        shutil.copy(first / "HEAD", other)
        shutil.copy(first / "config", other)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    daemon = subprocess.Popen(["git", "daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={repositories}", "--max-connections=64"],
                              stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        with Server(args.binary, folder) as server:
            server.make("x", POLLED.format(f"git://127.0.0.1:{port}/0.git"))
        with sqlite3.connect(folder / "haliotis.db") as db:
            text = db.execute("SELECT body FROM pipelines WHERE name = 'x'").fetchone()[0]
            rows = [(f"p{number}", text.replace('"name":"x"', f'"name":"p{number}"').replace("/0.git", f"/{number}.git")) for number in range(1, args.repositories)]
            db.executemany("INSERT INTO pipelines (name, body) VALUES (?, ?)", rows)
            head = subprocess.run(["git", "rev-parse", "main"], cwd=first, check=True, capture_output=True, text=True).stdout.strip()
            # They were all built once; what polling finds is that nothing changed.
            db.executemany("INSERT OR REPLACE INTO cursors (name, value) VALUES (?, ?)",
                           [(f"poll:git://127.0.0.1:{port}/{number}.git:main", head) for number in range(args.repositories)])
            db.commit()
        with Server(args.binary, folder) as server:
            begin = time.perf_counter()
            own, programs = server.cpu_s()
            time.sleep(args.seconds)
            own_after, programs_after = server.cpu_s()
            took = time.perf_counter() - begin
            resident = server.resident_mb()
        share = (own_after - own) / took
        return {"figure": "poll", "repositories": args.repositories, "seconds": round(took), "own_share_of_a_core": round(share, 3),
                "git_programs_share": round((programs_after - programs) / took, 3), "resident_mb": round(resident, 1), "holds": share <= 0.2}
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait(20)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", choices=["get", "history", "poll"])
    parser.add_argument("--binary", default=str(HERE.parent / "target/release/haliotis"))
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--builds", type=int, default=1_000_000)
    parser.add_argument("--repositories", type=int, default=5_000)
    args = parser.parse_args()
    args.binary = str(pathlib.Path(args.binary).resolve())
    args.seconds = args.seconds or {"get": 8, "poll": 120}.get(args.figure, 0)
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(home) / "data"
        folder.mkdir()
        result = {"get": get, "history": history, "poll": poll}[args.figure](args, folder)
    print(json.dumps(result))
    print("again: python3 benches/api.py " + " ".join(sys.argv[1:]))
    sys.exit(0 if result["holds"] else 1)


if __name__ == "__main__":
    main()
