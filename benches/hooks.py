#!/usr/bin/env python3
"""Load of signed webhooks: 10,000 deliveries in 60 s, 30 % duplicates, 5 % with a bad signature.

    benches/hooks.py path/to/haliotis [--deliveries 10000] [--seconds 60]

Prints one JSON line: acknowledgement times, what was refused, builds against distinct pushes, the server's memory before
and after, and whether the figures of issue 4 hold. Stops its server whatever happens. Standard library and git alone.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import pathlib
import random
import re
import subprocess
import tempfile
import time

SECRET = "a-secret-of-both-sides"
ACK_P99_MS = 250
MEMORY_MB = 100


def resident_mb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024


def repository(folder, pushes):
    """A repository of so many commits, made in one go by git's own fast-import; their hashes."""
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    definition = "name: p\non: { webhook: {} }\nsteps:\n  one: { uses: dummy.succeed }\n".replace(
        "uses: dummy.succeed", "run: 'true'")
    lines = []
    for number in range(pushes):
        lines.append(f"commit refs/heads/main\nmark :{number + 1}\ncommitter a <a@example.org> {number} +0000\ndata 4\npush\n")
        if number == 0:
            lines.append(f"M 644 inline haliotis.yaml\ndata {len(definition)}\n{definition}\n")
    marks = os.path.join(folder, ".git", "marks")
    subprocess.run(["git", "fast-import", "--quiet", f"--export-marks={marks}"], cwd=folder, check=True,
                   input="".join(lines).encode())
    pairs = [line.split() for line in open(marks, encoding="ascii")]
    return [commit for _, commit in sorted(pairs, key=lambda pair: int(pair[0][1:]))]


def plan(repo, commits, deliveries, rng):
    """What is sent, in order: (id, body, signature, good)."""
    bad = deliveries * 5 // 100
    duplicates = deliveries * 30 // 100
    fresh = deliveries - bad - duplicates
    sent, out = [], []
    kinds = ["fresh"] * fresh + ["bad"] * bad + ["again"] * duplicates
    rng.shuffle(kinds)
    for number, kind in enumerate(kinds):
        if kind == "again" and sent:
            out.append(rng.choice(sent))
            continue
        commit = commits[len(sent) % len(commits)]
        body = json.dumps({"ref": "refs/heads/main", "before": "0" * 40, "after": commit,
                           "repository": {"clone_url": repo}, "padding": "x" * 6000}).encode()
        key = SECRET if kind != "bad" else "another-secret-of-somebody"
        signature = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        item = (f"d{number}", body, signature, kind != "bad", commit)
        out.append(item)
        if kind != "bad":
            sent.append(item)
    return out


async def worker(host, port, queue, begin, times, codes):
    reader = writer = None
    while queue:
        at, (ident, body, signature, good, _) = queue.pop()
        await asyncio.sleep(max(0, begin + at - time.monotonic()))
        if writer is None:
            reader, writer = await asyncio.open_connection(host, port)
        head = (f"POST /github-webhook/ HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
                f"X-GitHub-Event: push\r\nX-GitHub-Delivery: {ident}\r\nX-Hub-Signature-256: {signature}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n")
        start = time.monotonic()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", answer, re.I).group(1))
        await reader.readexactly(length)
        times.append(time.monotonic() - start)
        codes.append((int(answer.split(b" ", 2)[1]), good))
    if writer:
        writer.close()


async def storm(host, port, items, seconds):
    step = seconds / len(items)
    queue = [(number * step, item) for number, item in enumerate(items)][::-1]
    times, codes = [], []
    begin = time.monotonic()
    await asyncio.gather(*(worker(host, port, queue, begin, times, codes) for _ in range(32)))
    return times, codes, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pushes", type=int, default=200, help="distinct commits among the deliveries")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        repo = os.path.join(folder, "repo")
        commits = repository(repo, args.pushes)
        items = plan(repo, commits, args.deliveries, random.Random(args.seed))
        env = dict(os.environ, HALIOTIS_DATA_DIR=os.path.join(folder, "data"), NO_COLOR="1")
        run = [args.binary, "--plain"]
        server = subprocess.Popen([*run, "serve", "--dev", "--listen", "127.0.0.1:0"], env=env, text=True,
                                  stderr=subprocess.PIPE)
        try:
            for line in server.stderr:
                if "answers at" in line:
                    port = int(re.search(r":(\d+)", line.split("http://")[1]).group(1))
                    break
            subprocess.run([*run, "pipeline", "add", "p", "--repo", repo], env=env, check=True, stderr=subprocess.DEVNULL)
            subprocess.run([*run, "hook", "secret", "github"], env=env, check=True, input=SECRET, text=True,
                           stderr=subprocess.DEVNULL)
            before = resident_mb(server.pid)
            times, codes, took = asyncio.run(storm("127.0.0.1", port, items, args.seconds))
            after = resident_mb(server.pid)
            expected = len({item[4] for item in items if item[3]})
            database = os.path.join(folder, "data", "haliotis.db")
            deadline = time.monotonic() + 120
            import sqlite3
            while time.monotonic() < deadline:
                with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as look:
                    waiting = look.execute("SELECT count(*) FROM deliveries WHERE outcome = ''").fetchone()[0]
                    kept = look.execute("SELECT count(*) FROM deliveries").fetchone()[0]
                    builds = look.execute("SELECT count(*) FROM builds").fetchone()[0]
                if waiting == 0:
                    break
                time.sleep(0.5)
        finally:
            server.terminate()
            server.wait(30)
    times.sort()
    p99 = times[int(len(times) * 0.99)] * 1000
    accepted = len({item[0] for item in items if item[3]})
    wrong = sum(1 for code, good in codes if (code == 200) != good)
    result = {
        "deliveries": len(times), "seconds": round(took, 1), "ack_p50_ms": round(times[len(times) // 2] * 1000, 1),
        "ack_p99_ms": round(p99, 1), "ack_max_ms": round(times[-1] * 1000, 1), "wrong_answers": wrong,
        "kept": kept, "accepted": accepted, "left_waiting": waiting, "builds": builds, "distinct_pushes": expected,
        "memory_before_mb": round(before, 1), "memory_after_mb": round(after, 1),
    }
    result["holds"] = (p99 <= ACK_P99_MS and wrong == 0 and kept == accepted and builds == expected and waiting == 0
                       and after - before <= MEMORY_MB)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
