// The abalone story clicked through in Debian's Chromium, from a server that has nothing to a model in production: two
// pipelines are added, a build is watched, its model approved, staging tested, production approved, the endpoint asked.
// Told twice: on a desk in the light, then with a second version on a phone in the dark. Others look on from a desk in the
// dark and a phone in the light. Pictures of each stop are taken in all four looks.
//   node story.mjs URL FOLDER BUILD_REPO DEPLOY_REPO
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [url, folder, buildRepo, deployRepo] = process.argv.slice(2);
const modules = createRequire(join(process.env.HALIOTIS_BROWSER_MODULES, "package.json"));
const { chromium } = modules("playwright-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(folder, { recursive: true });
const chrome = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));
const args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
const browser = await chromium.launch({ executablePath: chrome, args });

// A build trains a model and deploys it twice; on a busy machine that takes its time.
const LONG = 180_000;
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 360, height: 740 } };
const problems = [];
const check = (fine, what) => fine || problems.push(what);

async function person(size, scheme) {
  const context = await browser.newContext({ viewport: SIZES[size], colorScheme: scheme, bypassCSP: true });
  context.setDefaultTimeout(LONG);
  const page = await context.newPage();
  page.look = `${size}-${scheme}`;
  page.on("pageerror", (error) => problems.push(`${page.look}: script error: ${error.message}`));
  return page;
}

const people = [];
for (const size of ["desktop", "phone"]) for (const scheme of ["light", "dark"]) people.push(await person(size, scheme));
const [desk, deskDark, phoneLight, phone] = people;

// Everybody looks at where one of them is: a picture, nothing wider than the screen, nothing serious for axe.
async function stop(name, by) {
  const path = by.url();
  for (const page of people) {
    // The answer to a row stands on a page that only sending it gives.
    if (page !== by) await page.goto(path.replace(/\/invoke$/, ""));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(wide <= 1, `${name} (${page.look}): ${wide} px wider than the screen`);
    await page.screenshot({ path: join(folder, `story-${name}-${page.look}.png`), fullPage: true });
  }
  await by.evaluate(axe);
  const found = await by.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const one of found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact))) {
    problems.push(`${name} (${by.look}): axe ${one.id}: ${one.nodes[0].html.slice(0, 160)}`);
  }
}

const state = (page, word) => page.locator("#head .st", { hasText: word }).first().waitFor();

async function add(page, name, repo) {
  await page.locator('a[href="/add"]').first().click();
  await page.locator("#name").fill(name);
  await page.locator("#repo").fill(repo);
  await page.getByRole("button", { name: "Add it" }).click();
  await page.waitForURL(`**/pipelines/${name}`);
}

// From a version that waits to an endpoint that answers with it; every step by a click.
async function bringToProduction(page, version, tell) {
  await page.goto(url);
  await page.locator("header nav, nav").getByRole("link", { name: "Models" }).first().click();
  await page.getByRole("link", { name: "abalone", exact: true }).click();
  const card = page.locator(`section#v${version}`);
  await card.locator("textarea[name=reason]").fill(`version ${version} is good enough`);
  await tell("model", page);
  await card.getByRole("button", { name: `Approve version ${version}` }).click();
  await page.locator(`section#v${version}`).waitFor({ state: "detached" });
  // The approval has started the deployment; it asks once staging has answered well.
  await page.goto(url);
  await page.locator("#open .ask a").first().waitFor();
  await tell("waits", page);
  await page.locator("#open .ask a").first().click();
  await page.locator(".question textarea[name=reason]").fill("staging answers well");
  check(await page.locator(".would").isVisible(), `version ${version}: the card does not say what would change`);
  check((await page.locator(".would").innerText()).includes(`version ${version}`), `version ${version} is not on the card`);
  await tell("approval", page);
  await page.locator(".question button[name=decision][value=approved]").click();
  await state(page, "Success");
  await tell("deployed", page);
  await page.goto(`${url}/endpoints`);
  await page.locator("main a[href^='/endpoints/'][href*=prod]").first().click();
  await page.locator("#body").fill("M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#asked-title").waitFor();
  check((await page.locator("main").innerText()).includes(`/${version}`) || (await page.locator("main").innerText()).includes(`version ${version}`), `the endpoint's page does not name version ${version}`);
  await tell("endpoint", page);
  await page.goto(`${url}/served`);
  check((await page.locator("main").innerText()).includes(`abalone/${version}`), `/served does not name version ${version}`);
  await tell("served", page);
}

const quiet = async () => {};
try {
  // On a desk: nothing is there yet.
  await desk.goto(url);
  check((await desk.locator("main").innerText()).includes("No pipeline yet"), "the first page of an empty server teaches nothing");
  await stop("empty", desk);
  await add(desk, "abalone-model-deploy", deployRepo);
  await desk.goto(url);
  await add(desk, "abalone-model-build", buildRepo);
  // Polling finds the first commit; the page shows the build by itself.
  await desk.locator("#builds a.row-link").first().click();
  await desk.locator("#live[data-state=on]").waitFor();
  await stop("building", desk);
  await state(desk, "Success");
  await stop("built", desk);
  await bringToProduction(desk, 1, stop);
  // On a phone, in the dark: the next version, started by hand.
  await phone.goto(`${url}/pipelines/abalone-model-build`);
  if (!(await phone.locator("#start[open]").count())) await phone.locator("#start summary").click();
  await phone.getByRole("button", { name: "Start now" }).click();
  await phone.waitForURL("**/builds/*");
  await state(phone, "Success");
  await bringToProduction(phone, 2, async (name, page) => {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(wide <= 1, `${name} (second version): ${wide} px wider than the screen`);
    if (name === "approval") await stop("approval-2", page);
    if (name === "served") await stop("served-2", page);
  });
} catch (error) {
  const where = people.map((page) => `${page.look}: ${page.url()}`).join("\n");
  for (const page of people) await page.screenshot({ path: join(folder, `story-failed-${page.look}.png`) }).catch(quiet);
  problems.push(`${error.message}\n${where}\n${(await people[0].locator("main").innerText().catch(() => "")).slice(0, 2000)}`);
}
await browser.close();
console.log(JSON.stringify({ problems }, null, 2));
process.exit(problems.length ? 1 : 0);
