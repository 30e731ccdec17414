#!/usr/bin/env python3
"""Speeds of what a team with Jenkinsfiles waits for, each against its bar.

    python3 benches/jenkins.py [--binary PATH] [--runs N] [--steps N] [--json]

Nothing but Python's standard library and the binary is needed (`cargo build --release` makes it). Each figure is the
median of N runs, as wall time and as processor time of the whole process; on a machine that does something else beside,
only the second means anything, and the bars are held against it where the bar counts a core. Exit code 1: a figure is
over its bar.

    lint     `haliotis lint` of one Jenkinsfile, from exec to exit: at most 20 ms
    parse    Jenkinsfiles of 100 lines read and checked by one process: at least 1,000 a second and core
    adds     a Groovy loop of 1,000,000 additions, the process around it included: at most 1 s
    replay   a build's journal of 20,000 entries (10,000 steps: what was asked, what was told) loaded from disk and
             replayed, the process around it included: at most 100 ms
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SEEDED = HERE.parent / "seed/abalone-model-deploy/jenkins/Jenkinsfile"
ADDITIONS = "long n = 0\nfor (int i = 0; i < 1000000; i++) { n += i }\nn\n"
MANY = 1000
STAGE = """        stage('Stage {n}') {{
            when {{ branch 'main' }}
            steps {{
                echo "stage {n} of ${{env.JOB_NAME}}"
                sh(script: 'make part-{n}', returnStatus: true)
                script {{ def files = ['a', 'b'].collect {{ it + {n} }} }}
            }}
            post {{ always {{ junit 'reports/{n}/*.xml' }} }}
        }}
"""


def once(argv, folder):
    """Seconds of wall and of processor; fails loudly when the process does."""
    start = time.perf_counter()
    child = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    took = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{argv} failed ({child.returncode}):\n{said.decode(errors='replace')[-2000:]}")
    return took, used.ru_utime + used.ru_stime


def median(argv, folder, runs):
    """Medians of both, after one warm-up."""
    once(argv, folder)
    pairs = [once(argv, folder) for _ in range(runs)]
    return statistics.median(wall for wall, _ in pairs), statistics.median(used for _, used in pairs)


def jenkinsfile(number):
    """One of exactly 100 lines."""
    lines = [f"// file {number}", "pipeline {", "    agent any", "    stages {"]
    stage = 0
    while len(lines) + STAGE.count("\n") + 2 <= 100:
        stage += 1
        lines += STAGE.format(n=stage).splitlines()
    lines += ["    }", "}"]
    return "\n".join(["// padding"] * (100 - len(lines)) + lines) + "\n"


def figures(binary, work, runs, steps):
    lint = median([binary, "lint", str(SEEDED)], work, runs)
    yield "lint", "ms", lint[0] * 1000, lint[1] * 1000, 20, False
    files = []
    for number in range(MANY):
        files.append(work / f"f{number}.jenkinsfile")
        files[-1].write_text(jenkinsfile(number))
    many = median([binary, "lint"] + [str(file) for file in files], work, max(3, runs // 4))
    yield "parse", "files/s", MANY / (many[0] - lint[0]), MANY / (many[1] - lint[1]), 1000, True
    (work / "adds.groovy").write_text(ADDITIONS)
    adds = median([binary, "groovy", "eval", "adds.groovy"], work, max(3, runs // 4))
    yield "adds", "ms", adds[0] * 1000, adds[1] * 1000, 1000, False
    script = f"node {{ for (int i = 0; i < {steps}; i++) {{ fileExists('adds.groovy') }} }}\n"
    (work / "Jenkinsfile").write_text(script)
    once([binary, "--data-dir", str(work / "data"), "run", "Jenkinsfile"], work)
    data = str(next((work / "data").glob("run*")))
    replay = median([binary, "--data-dir", data, "replay", "-q", "1"], work, runs)
    yield f"replay of {2 * steps}", "ms", replay[0] * 1000, replay[1] * 1000, 100 * steps / 10_000, False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
    parser.add_argument("--binary", default=str(target / "release/haliotis"))
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for name, unit, wall, used, bar, least in figures(args.binary, pathlib.Path(folder), args.runs, args.steps):
            good = used >= bar if least else used <= bar
            rows.append({"name": name, "unit": unit, "wall": wall, "processor": used, "bar": bar, "good": good})
            if not args.json:
                word = "at least" if least else "at most"
                verdict = "" if good else "  OVER ITS BAR"
                print(f"{name:<18} {wall:>9.1f} {unit} wall, {used:>9.1f} by the processor; {word} {bar:g}{verdict}", flush=True)
        if args.json:
            print(json.dumps(rows, indent=2))
    sys.exit(0 if all(row["good"] for row in rows) else 1)


if __name__ == "__main__":
    main()
