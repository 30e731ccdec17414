#!/usr/bin/env python3
"""Whole-process benchmarks of the `haliotis` binary, each as a ratio to a reference timed in the same run.

    python3 benches/bench.py [--binary PATH] [--only NAME] [--runs N] [--json]

Nothing but Python's standard library, make and the binary is needed (`cargo build --release` makes it). Each figure is
the median of N runs after one warm-up; the reference is timed in turn with ours, so a machine whose speed drifts
drifts for both. The bars are those of the project; a figure over its bar is printed as such and the exit code is 1.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent


def timed(argv, cwd, env=None):
    """Seconds of a whole process; its output is thrown away. Fails loudly when the process fails."""
    start = time.perf_counter()
    done = subprocess.run(argv, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    took = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{argv} failed ({done.returncode}):\n{done.stderr.decode(errors='replace')[-2000:]}")
    return took


def in_turn(ours, reference, runs):
    """Medians of both, run A B A B after one warm-up of each."""
    ours()
    reference()
    a, b = [], []
    for _ in range(runs):
        a.append(ours())
        b.append(reference())
    return statistics.median(a), statistics.median(b)


class Bench:
    def __init__(self, binary, runs, work):
        self.binary, self.runs, self.work = binary, runs, work
        self.rows = []

    def run(self, folder, file, name="p"):
        """One `haliotis run` over a fresh data folder, so that nothing is reused."""
        data = self.work / "data"
        shutil.rmtree(data, ignore_errors=True)
        return timed([self.binary, "--plain", "--data-dir", str(data), "run", file], folder)

    def row(self, name, figure, reference, ratio, bar, good):
        self.rows.append({"name": name, "figure": figure, "reference": reference, "ratio": ratio, "bar": bar, "met": good})
        mark = "ok  " if good else "OVER"
        print(f"{mark} {name:<34} {figure:<24} {reference:<26} {ratio:<8} bar {bar}", flush=True)

    def against_make(self, name, steps, needs, make_flags, bar):
        folder = self.work / name
        folder.mkdir()
        yaml, make = ["name: bench", "steps:"], [".PHONY: all " + " ".join(steps), "all: " + steps[-1]]
        for step in steps:
            yaml.append(f"  {step}: {{ run: \"true\", needs: [{', '.join(needs(step))}] }}")
            make.append(f"{step}: {' '.join(needs(step))}\n\t@sh -c true")
        (folder / "p.yaml").write_text("\n".join(yaml) + "\n")
        (folder / "Makefile").write_text("\n".join(make) + "\n")
        ours, reference = in_turn(
            lambda: self.run(folder, "p.yaml"), lambda: timed(["make", "-s", *make_flags], folder), self.runs
        )
        ratio = ours / reference
        self.row(name, f"{ours * 1000:.0f} ms", f"make {reference * 1000:.0f} ms", f"{ratio:.2f}x", f"{bar}x", ratio <= bar)

    def chain(self):
        steps = [f"s{n}" for n in range(40)]
        self.against_make("chain-40-sh", steps, lambda s: [] if s == "s0" else [f"s{int(s[1:]) - 1}"], [], 1.75)

    def fan(self):
        steps = [f"s{n}" for n in range(1000)] + ["join"]
        self.against_make("fan-1000-sh", steps, lambda s: steps[:-1] if s == "join" else [], ["-j2"], 1.75)

    def noops(self):
        folder = self.work / "noops"
        folder.mkdir()
        lines = ["name: bench", "steps:"]
        for layer in range(10):
            for n in range(1000):
                if layer == 0:
                    needs = "[]"
                elif n == 0:
                    needs = f"&l{layer} [" + ", ".join(f"n{layer - 1}_{m}" for m in range(1000)) + "]"
                else:
                    needs = f"*l{layer}"
                lines.append(f"  n{layer}_{n}: {{ uses: noop, needs: {needs} }}")
        (folder / "p.yaml").write_text("\n".join(lines) + "\n")
        peaks, times = [], []
        for _ in range(self.runs + 1):
            data = self.work / "data"
            shutil.rmtree(data, ignore_errors=True)
            start = time.perf_counter()
            child = subprocess.Popen(
                [self.binary, "--plain", "--data-dir", str(data), "run", "p.yaml"],
                cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            _, status, usage = os.wait4(child.pid, 0)
            times.append(time.perf_counter() - start)
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode != 0:
                raise SystemExit("the no-op run failed")
            peaks.append(usage.ru_maxrss / 1024)
        took, peak = statistics.median(times[1:]), max(peaks)
        self.row("10000-noops-10-layers", f"{took:.2f} s, {peak:.0f} MB", "-", "-", "0.5 s, 300 MB", took <= 0.5 and peak <= 300)

    def log(self):
        folder = self.work / "log"
        folder.mkdir()
        command = "yes abcd | head -c 104857600"
        (folder / "p.yaml").write_text(f"name: bench\nsteps:\n  print: {{ run: \"{command}\" }}\n")
        reference_file = folder / "reference"
        ours, reference = in_turn(
            lambda: self.run(folder, "p.yaml"),
            lambda: timed(["sh", "-c", f"{command} > {reference_file}"], folder),
            self.runs,
        )
        ratio = ours / reference
        self.row("log-100-MiB", f"{ours * 1000:.0f} ms", f"> file {reference * 1000:.0f} ms", f"{ratio:.2f}x", "1.5x", ratio <= 1.5)
        logs = [path for path in (self.work / "data").rglob("*.log") if path.stat().st_size == 104857600]
        same = bool(logs) and logs[0].read_bytes() == reference_file.read_bytes()
        self.row("log-byte-for-byte", str(same), "> file", "-", "True", same)
        copy = folder / "copy"
        rates = []
        for _ in range(self.runs):
            with copy.open("wb") as out:
                start = time.perf_counter()
                subprocess.run([self.binary, "--data-dir", str(self.work / "data" / "run"), "logs", "1", "print"], stdout=out, check=True)
                rates.append(104.8576 / (time.perf_counter() - start))
        whole = copy.read_bytes() == reference_file.read_bytes()
        rate = statistics.median(rates)
        self.row("log-read-back", f"{rate:.0f} MB/s, whole: {whole}", "-", "-", "500 MB/s", whole and rate >= 500)

    def serve(self):
        times, resident = [], 0.0
        for _ in range(self.runs + 1):
            data = self.work / "data"
            shutil.rmtree(data, ignore_errors=True)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            start = time.perf_counter()
            child = subprocess.Popen(
                [self.binary, "--plain", "--data-dir", str(data), "serve", "--listen", f"127.0.0.1:{port}", "--dev"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            try:
                deadline = start + 20
                while True:
                    try:
                        with socket.create_connection(("127.0.0.1", port), timeout=1) as http:
                            http.sendall(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
                            if b" 200 " in http.recv(64):
                                break
                    except OSError:
                        pass
                    if time.perf_counter() > deadline:
                        raise SystemExit("the server did not answer in 20 s")
                    time.sleep(0.0005)
                times.append(time.perf_counter() - start)
                time.sleep(1.0)
                status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
                resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
            finally:
                child.send_signal(signal.SIGTERM)
                child.wait(timeout=20)
        took = statistics.median(times[1:])
        good = took <= 0.050 and resident <= 30
        self.row("serve-first-200", f"{took * 1000:.0f} ms, {resident:.0f} MB", "-", "-", "50 ms, 30 MB", good)

    def trigger(self):
        """From the request that starts a build to its first process, on a warm server."""
        data = self.work / "data"
        shutil.rmtree(data, ignore_errors=True)
        repo, tree = self.work / "trigger.git", self.work / "trigger"
        git = ["git", "-c", "user.name=b", "-c", "user.email=b@localhost", "-c", "init.defaultBranch=main"]
        stamp = self.work / "stamp"
        tree.mkdir()
        (tree / "haliotis.yaml").write_text(f"name: t\ncheckout: false\nsteps:\n  s: {{ run: \"date +%s.%N > {stamp}\" }}\n")
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"], ["clone", "-q", "--bare", ".", str(repo)]):
            subprocess.run([*git, *command], cwd=tree, check=True)
        child = subprocess.Popen(
            [self.binary, "--plain", "--data-dir", str(data), "serve", "--listen", "127.0.0.1:0", "--dev"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            address = data / "server.json"
            while not address.exists():
                time.sleep(0.01)
            url = json.loads(address.read_text())["url"]

            def call(method, path, body):
                request = urllib.request.Request(url + path, json.dumps(body).encode(), {"content-type": "application/json"}, method=method)
                return json.loads(urllib.request.urlopen(request, timeout=20).read() or b"null")

            call("PUT", "/api/v1/pipelines/t", {"name": "t", "language": "yaml", "repo": str(repo), "branch": "main", "path": "haliotis.yaml"})
            times = []
            for _ in range(self.runs * 4 + 1):
                stamp.unlink(missing_ok=True)
                start = time.time()
                call("POST", "/api/v1/pipelines/t/builds", {"parameters": {}})
                while not (stamp.exists() and stamp.read_text().endswith("\n")):
                    time.sleep(0.0005)
                times.append(float(stamp.read_text()) - start)
                time.sleep(0.05)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=20)
        took = statistics.median(times[1:]) * 1000
        self.row("trigger-to-process", f"{took:.1f} ms", "-", "-", "10 ms", took <= 10)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = os.environ.get("CARGO_TARGET_DIR", str(HERE.parent / "target"))
    parser.add_argument("--binary", default=str(pathlib.Path(target) / "release" / "haliotis"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", action="append", help="chain, fan, noops, log, serve, trigger")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not os.access(args.binary, os.X_OK):
        raise SystemExit(f"no binary at {args.binary}; build it: cargo build --release")
    print(f"reproduce: python3 benches/bench.py --runs {args.runs} --binary {os.path.relpath(args.binary)}")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}; medians of {args.runs} runs after one warm-up")
    with tempfile.TemporaryDirectory(prefix="haliotis-bench-") as work:
        bench = Bench(args.binary, args.runs, pathlib.Path(work))
        for name in args.only or ["chain", "fan", "noops", "log", "serve", "trigger"]:
            getattr(bench, name)()
    if args.json:
        print(json.dumps(bench.rows, indent=2))
    sys.exit(0 if all(row["met"] for row in bench.rows) else 1)


if __name__ == "__main__":
    main()
