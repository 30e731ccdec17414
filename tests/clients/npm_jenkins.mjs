// The npm client `jenkins` against our server: its table of operations.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [url, modules] = process.argv.slice(2);
const require = createRequire(modules + "/");
const Jenkins = require("jenkins");
const table = readFileSync(new URL("./table.py", import.meta.url), "utf8");
// The configurations are those of the Python tables.
const xml = (name) => table.match(new RegExp(`^${name} = """([\\s\\S]*?)"""`, "m"))[1];
const FREESTYLE = xml("FREESTYLE").replace("{description}", "first");

const base = url.replace("//", "//mia:x@").replace(/\/$/, "");
const server = new Jenkins({ baseUrl: base });
let seen = 0;
const check = (good, what) => {
  if (!good) {
    console.error(`row ${seen + 1} failed: ${what}`);
    process.exit(1);
  }
  seen += 1;
};
const until = async (what, ask) => {
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  check(false, `never came: ${what}`);
};
const refused = async (work, what) => {
  let error;
  await work().catch((caught) => (error = caught));
  check(error, `was not refused: ${what}`);
  return error;
};

const info = await server.info();
check(info._class === "hudson.model.Hudson" && Array.isArray(info.jobs), "info");
const crumb = await server.crumbIssuer.get();
check(crumb.crumb && crumb.crumbRequestField === "Jenkins-Crumb", "crumb");

await server.job.create("npm", FREESTYLE);
check(await server.job.exists("npm"), "created");
check(!(await server.job.exists("absent")), "not there");
check((await server.job.config("npm")) === FREESTYLE, "config.xml is as it was given");
await server.job.config("npm", FREESTYLE.replace("first", "second"));
check((await server.job.get("npm")).description === "second", "reconfigured");
const taken = await refused(() => server.job.create("npm", FREESTYLE), "a name that is taken");
check(taken.message.includes("already exists"), `X-Error is the message: ${taken.message}`);
check((await refused(() => server.job.get("absent"), "no such job")).notFound, "not found");

const queued = await server.job.build({ name: "npm", parameters: { WHO: "mia" } });
check(Number.isInteger(queued), `a queue number ${queued}`);
const executable = await until("an executable", async () => (await server.queue.item(queued)).executable);
check(executable.number === 1, "the first build");
const text = await new Promise((resolve, reject) => {
  const log = server.build.logStream({ name: "npm", number: 1, delay: 100 });
  let all = "";
  log.on("data", (part) => (all += part));
  log.on("error", reject);
  log.on("end", () => resolve(all));
});
check(text.includes("hello mia") && text.trimEnd().endsWith("Finished: SUCCESS"), `its log ${text}`);
const build = await until("an end", async () => {
  const found = await server.build.get("npm", 1);
  return found.building ? undefined : found;
});
check(build.result === "SUCCESS", "its result");
const part = await server.build.log({ name: "npm", number: 1, start: 5, meta: true });
check(part.more === false && Number(part.size) === Buffer.byteLength(text), "an offset");
check((await server.build.log({ name: "npm", number: 1, type: "html" })).includes("hello mia"), "as HTML");

await server.job.copy("npm", "npm-copy");
check((await server.job.config("npm-copy")) === (await server.job.config("npm")), "a copy");
await server.job.disable("npm-copy");
check((await server.job.get("npm-copy")).color === "disabled", "disabled");
await refused(() => server.job.build("npm-copy", { parameters: {} }), "a build of a disabled job");
await server.job.enable("npm-copy");
check((await server.job.get("npm-copy")).buildable, "enabled");

await server.job.create("npm-team", "<com.cloudbees.hudson.plugins.folder.Folder/>");
await server.job.create("npm-team/inner", FREESTYLE);
check((await server.job.list("npm-team")).map((job) => job.name).join() === "inner", "a job in a folder");
check((await server.job.list()).some((job) => job.name === "npm"), "all jobs");

await server.job.create("npm-slow", '<project><concurrentBuild>false</concurrentBuild><builders><hudson.tasks.Shell><command>sleep 120</command></hudson.tasks.Shell></builders></project>');
const first = await server.job.build("npm-slow");
const running = await until("a build", async () => (await server.queue.item(first)).executable);
const second = await server.job.build("npm-slow");
const waiting = (await server.queue.list()).map((item) => item.id);
check(waiting.includes(second), `the queue ${waiting}`);
await server.queue.cancel(second);
check((await server.queue.item(second)).cancelled, "cancelled");
await server.build.stop("npm-slow", running.number);
const stopped = await until("an end", async () => {
  const found = await server.build.get("npm-slow", running.number);
  return found.building ? undefined : found;
});
check(stopped.result === "ABORTED", "stopped");

await server.view.create("npm-view");
await server.view.add("npm-view", "npm");
check((await server.view.get("npm-view")).jobs.map((job) => job.name).join() === "npm", "a view");
check((await server.view.list()).some((view) => view.name === "npm-view"), "all views");
await server.view.remove("npm-view", "npm");
check((await server.view.get("npm-view")).jobs.length === 0, "an empty view");
check(await server.view.exists("npm-view"), "it is there");
await server.view.destroy("npm-view");
check(!(await server.view.exists("npm-view")), "it is not there");

const nodes = await server.node.list();
check(nodes.length >= 1, "nodes");
check((await server.node.get("(built-in)")).numExecutors >= 1, "a node");
check((await server.plugin.list()).some((plugin) => plugin.shortName === "junit"), "plugins");

const secret = `<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><id>npm-token</id>
<description>d</description><secret>hunter2-canary</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>`;
for (const [folder, store] of [["npm-team", "folder"], ["manage", "system"]]) {
  await server.credentials.create(folder, store, "_", secret);
  check(await server.credentials.exists("npm-token", folder, store, "_"), `a credential of ${store}`);
  const kept = await server.credentials.config("npm-token", folder, store, "_");
  check(kept.includes("npm-token") && !kept.includes("hunter2-canary"), `a secret is never given out: ${kept}`);
  check((await server.credentials.list(folder, store, "_")).some((one) => one.id === "npm-token"), "listed");
  await server.credentials.destroy("npm-token", folder, store, "_");
  check(!(await server.credentials.exists("npm-token", folder, store, "_")), "gone");
}

for (const name of ["npm", "npm-copy", "npm-slow", "npm-team"]) await server.job.destroy(name);
check(!(await server.job.exists("npm-team/inner")), "all gone");
if (seen < 35) {
  console.error(`only ${seen} rows`);
  process.exit(1);
}
console.log(`${seen} rows passed`);
