// How fast the pages are, in Debian's Chromium on loopback, against the bars of the project:
//   page weight <= 60 KB compressed without the log; first contentful paint <= 200 ms; a build page of 300 steps <= 500 ms;
//   update lag p95 <= 300 ms; 200 viewers of one log of 1,000 lines/s with <= 50 % of a core of the server.
// Runs a server of its own in a new folder on 127.0.0.1 and ends it; takes about a minute.
//   HALIOTIS_BROWSER_MODULES=~/.cache/haliotis/browser node benches/pages.mjs [target/release/haliotis]
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";

const binary = resolve(process.argv[2] ?? "target/release/haliotis");
const modules = createRequire(join(process.env.HALIOTIS_BROWSER_MODULES, "package.json"));
const { chromium } = modules("playwright-core");
const RUNS = 7;
const VIEWERS = 200;
const dir = mkdtempSync(join(tmpdir(), "haliotis-pages-"));
const env = { ...process.env, HALIOTIS_DATA_DIR: join(dir, "data"), HALIOTIS_USER: "bench", HOME: dir, NO_COLOR: "1" };
const cli = (...args) => execFileSync(binary, args, { cwd: dir, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const quantile = (values, q) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))];
const median = (values) => quantile(values, 0.5);

function git(...args) {
  execFileSync("git", ["-c", "user.name=bench", "-c", "user.email=bench@localhost", ...args], { cwd: join(dir, "repo") });
}

// 300 steps in six rows that need each other; a chain whose steps are short; a log of 1,000 lines a second.
function pipelines() {
  const step = (n) => `  s${n}: { uses: noop${n < 50 ? "" : `, needs: [s${n - 50}${n % 7 ? "" : `, s${n - 49 - (n % 50 === 49 ? 50 : 0)}`}]`} }`;
  const wide = Array.from({ length: 300 }, (_, n) => step(n));
  const chain = Array.from({ length: 40 }, (_, n) => `  c${n}: { run: sleep 0.15${n ? `, needs: [c${n - 1}]` : ""} }`);
  const log = `for i in $(seq 300); do seq -f "$i.%g a line of a log that many people look at" 100; sleep 0.097; done`;
  return {
    wide: `name: wide\ncheckout: false\nsteps:\n${wide.join("\n")}\n`,
    chain: `name: chain\ncheckout: false\nsteps:\n${chain.join("\n")}\n`,
    log: `name: log\ncheckout: false\nsteps:\n  print: { run: '${log}' }\n`,
  };
}

async function serve() {
  const server = spawn(binary, ["serve", "--dev", "--listen", "127.0.0.1:0"], { cwd: dir, env });
  const url = await new Promise((done, failed) => {
    let said = "";
    server.stderr.on("data", (text) => {
      said += text;
      const found = /answers at (http:\S+)/.exec(said);
      if (found) done(found[1]);
    });
    server.on("exit", () => failed(new Error(said)));
  });
  return { server, url };
}

const get = async (path) => (await fetch(url + path)).json();

async function ended(id) {
  for (;;) {
    const view = await get(`/api/v1/builds/${id}`);
    if (view.result) return view;
    await pause(100);
  }
}

const start = async (pipeline) =>
  (await (await fetch(`${url}/api/v1/pipelines/${pipeline}/builds`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" })).json()).id;

// A new context each time: nothing is in the browser's cache.
async function load(path) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  let weight = 0;
  const streams = new Set();
  session.on("Network.responseReceived", ({ requestId, response }) => response.mimeType === "text/event-stream" && streams.add(requestId));
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => { if (!streams.has(requestId)) weight += encodedDataLength; });
  await page.goto(url + path, { waitUntil: "load" });
  await pause(150);
  const times = await page.evaluate(() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
    load: performance.getEntriesByType("navigation")[0].loadEventEnd,
  }));
  await context.close();
  return { weight, ...times };
}

// When a step's new state is on disk (the journal's time), and when the page shows it.
async function lag() {
  const id = await start("chain");
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  await page.goto(`${url}/builds/${id}`);
  await page.evaluate(() => {
    window.seen = {};
    const look = () => {
      for (const row of document.querySelectorAll("#timeline tbody tr")) {
        const name = row.querySelector(".row-link")?.textContent.trim();
        if (name && row.classList.contains("s-success")) window.seen[name] ??= Date.now();
      }
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
    window.begun = { ...window.seen };
  });
  await ended(id);
  await pause(500);
  const [seen, begun] = await page.evaluate(() => [window.seen, window.begun]);
  const { turns } = await get(`/api/v1/builds/${id}/journal`);
  const lags = [];
  for (const turn of turns) for (const event of turn.events ?? []) {
    const name = event["step-ended"]?.id?.slice(1);
    if (name && seen[name] && !begun[name]) lags.push(seen[name] - turn.at);
  }
  await page.context().close();
  return lags;
}

// User and system time of the server, seconds; the supervisor and the step are processes of their own.
function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function viewers(pid) {
  const id = await start("log");
  await pause(1_000);
  let bytes = 0;
  const open = Array.from({ length: VIEWERS }, () => new Promise((done) => {
    const request = http.get(`${url}/live/log?build=${id}&step=%2Fprint&attempt=1&offset=0&line=1`, { agent: false }, (answer) => {
      answer.on("data", (part) => { bytes += part.length; });
      done(request);
    });
  }));
  const requests = await Promise.all(open);
  await pause(2_000);
  const [before, from, at] = [cpu(pid), bytes, performance.now()];
  await pause(15_000);
  const seconds = (performance.now() - at) / 1000;
  const share = (cpu(pid) - before) / seconds;
  const lines = (bytes - from) / VIEWERS / seconds;
  for (const request of requests) request.destroy();
  return { share, bytesPerViewer: Math.round(lines) };
}

mkdirSync(join(dir, "repo"));
for (const [name, text] of Object.entries(pipelines())) writeFileSync(join(dir, "repo", `${name}.yaml`), text);
git("init", "-q", "-b", "main");
git("add", ".");
git("commit", "-qm", "one");
const { server, url } = await serve();
const chrome = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));
const browser = await chromium.launch({ executablePath: chrome, args: ["--no-sandbox", "--disable-gpu", "--no-first-run"] });
try {
  for (const name of ["wide", "chain", "log"]) cli("pipeline", "add", name, "--repo", join(dir, "repo"), "--path", `${name}.yaml`);
  const wide = await start("wide");
  await ended(wide);
  const rows = [];
  const bar = (name, value, most, unit) => rows.push({ name, value: Number(value.toFixed(1)), bar: most, unit, holds: value <= most });
  await load("/");
  for (const path of ["/", "/pipelines/wide", "/models", "/system", `/builds/${wide}`, `/builds/${wide}/step?path=%2Fs0`]) {
    const runs = [];
    for (let n = 0; n < RUNS; n += 1) runs.push(await load(path));
    bar(`${path} weight`, Math.max(...runs.map((run) => run.weight)) / 1000, 60, "KB");
    bar(`${path} first contentful paint, median`, median(runs.map((run) => run.paint)), 200, "ms");
    if (path === `/builds/${wide}`) bar("300 steps: loaded, median", median(runs.map((run) => run.load)), 500, "ms");
  }
  const lags = await lag();
  bar(`update lag p95 of ${lags.length}`, quantile(lags, 0.95), 300, "ms");
  const seen = await viewers(server.pid);
  bar(`${VIEWERS} viewers of 1,000 lines/s: server`, seen.share * 100, 50, "% of a core");
  console.log(`command: node benches/pages.mjs ${binary}  (${cpus().length} cores, ${cpus()[0].model})`);
  console.table(rows);
  console.log(`each viewer was sent ${seen.bytesPerViewer} bytes a second`);
  process.exitCode = rows.every((row) => row.holds) && lags.length > 20 ? 0 : 1;
} finally {
  await browser.close();
  server.kill("SIGTERM");
  await new Promise((done) => (server.exitCode === null ? server.on("exit", done) : done()));
  rmSync(dir, { recursive: true, force: true });
}
