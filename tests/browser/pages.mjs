// Opens every page of a running server in Debian's Chromium, at desktop and phone size, light and dark: takes a picture of
// each, and fails on a script error, a page wider than its screen, a serious finding of axe, or a heavy page.
//   node pages.mjs URL FOLDER   (URL: the server's; FOLDER: where pictures go)
import { mkdirSync, readFileSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const [url, folder] = process.argv.slice(2);
const modules = createRequire(join(process.env.HALIOTIS_BROWSER_MODULES, "package.json"));
const { chromium } = modules("playwright-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(folder, { recursive: true });

const chrome = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));
const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const browser = await chromium.launch({ executablePath: chrome, args });
const get = async (path) => (await fetch(url + path)).json();

const builds = await get("/api/v1/builds");
const groups = await get("/api/v1/models");
const pages = ["/", "/models", "/endpoints", "/system", "/served", "/account", "/login"];
for (const part of ["queue", "audit", "deliveries", "storage", "credentials", "users"]) pages.push(`/system/${part}`);
for (const name of new Set(builds.map((build) => build.pipeline))) pages.push(`/pipelines/${encodeURIComponent(name)}`);
for (const build of builds.slice(0, 3)) pages.push(`/builds/${build.id}`, `/builds/${build.id}/journal`);
for (const group of groups) {
  pages.push(`/models/${encodeURIComponent(group.name)}`);
  const [newest] = await get(`/api/v1/models/${encodeURIComponent(group.name)}`).catch(() => []);
  if (newest) pages.push(`/models/${encodeURIComponent(group.name)}/${newest.version}`);
}
for (const { name } of await get("/api/v1/endpoints")) pages.push(`/endpoints/${encodeURIComponent(name)}`);
if (builds.length) {
  const view = await get(`/api/v1/builds/${builds[0].id}`);
  const node = view.nodes.find((node) => node.attempt > 0);
  if (node) pages.push(`/builds/${builds[0].id}/step?path=${encodeURIComponent(node.id)}`,
    `/builds/${builds[0].id}/step/search?path=${encodeURIComponent(node.id)}&q=e`);
}
// What only some builds have: files, tests, one before to compare with.
const seen = new Set();
for (const build of builds) {
  const files = await get(`/api/v1/builds/${build.id}/artifacts`);
  for (const { path } of files) {
    const kind = path.split(".").pop();
    if (seen.has(kind)) continue;
    seen.add(kind);
    pages.push(`/builds/${build.id}/artifacts/view?path=${encodeURIComponent(path)}`);
  }
  const view = seen.has("tests") && seen.has("diff") ? { nodes: [] } : await get(`/api/v1/builds/${build.id}`);
  if (!seen.has("tests") && view.nodes.some((node) => node.uses === "junit" && node.outputs.total)) {
    seen.add("tests");
    pages.push(`/builds/${build.id}/tests`);
  }
  if (!seen.has("diff") && build.number > 1) {
    seen.add("diff");
    pages.push(`/builds/${build.id}/diff`);
  }
}

const problems = [];
let shots = 0;
// Asking for less, while looking at one page: PAGES is part of a path, LOOKS as `desktop-light,phone-dark`.
const wanted = process.env.PAGES ? pages.filter((path) => path.includes(process.env.PAGES)) : pages;
const looks = process.env.LOOKS?.split(",");
for (const [size, width, height] of [["desktop", 1280, 800], ["phone", 360, 740]]) {
  for (const scheme of ["light", "dark"]) {
    if (looks && !looks.includes(`${size}-${scheme}`)) continue;
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, bypassCSP: true });
    // Pages that few look at are seen in each theme once; the others in all four looks.
    const seldom = (path) => /^\/(system\/|account|login)|journal|artifacts|\/diff|\/tests|search/.test(path);
    const both = (size === "desktop") === (scheme === "light");
    for (const path of wanted.filter((path) => both || looks || !seldom(path))) {
      const page = await context.newPage();
      const where = `${path} (${size}, ${scheme})`;
      let weight = 0;
      page.on("pageerror", (error) => problems.push(`${where}: script error: ${error.message}`));
      // The frame of a kept HTML file says that its scripts were kept from running: just what it is for.
      const kept = (text) => /^Blocked script execution in '[^']*\/artifacts\/raw\?/.test(text);
      page.on("console", (message) => message.type() === "error" && !kept(message.text()) && problems.push(`${where}: console: ${message.text()}`));
      page.on("response", async (answer) => {
        const type = answer.headers()["content-type"] ?? "";
        if (type.includes("event-stream")) return;
        const body = await answer.body().catch(() => Buffer.alloc(0));
        weight += gzipSync(body).length;
      });
      const answer = await page.goto(url + path, { waitUntil: "load" });
      if (answer.status() !== 200) problems.push(`${where}: status ${answer.status()}`);
      await page.waitForTimeout(60);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 1) problems.push(`${where}: ${wide} px wider than the screen`);
      if (weight > 60 * 1024) problems.push(`${where}: ${weight} bytes compressed, more than 60 KiB`);
      await page.evaluate(axe);
      const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      for (const violation of found.violations.filter((one) => ["serious", "critical"].includes(one.impact))) {
        problems.push(`${where}: axe ${violation.id}: ${violation.nodes[0].html.slice(0, 160)}`);
      }
      const name = `${path.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "") || "home"}-${size}-${scheme}.png`;
      await page.screenshot({ path: join(folder, name), fullPage: true });
      shots += 1;
      await page.close();
    }
    await context.close();
  }
}
await browser.close();
console.log(JSON.stringify({ pages: pages.length, shots, problems }, null, 2));
process.exit(problems.length ? 1 : 0);
