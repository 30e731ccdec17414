// An approval on a phone of 360 pixels without any script, while somebody else types an answer to the same question: the
// first counts, and the other page says at once that its answer would not.
//   node approve.mjs URL BUILD   (BUILD: the id of one that waits)
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [url, build] = process.argv.slice(2);
const modules = createRequire(join(process.env.HALIOTIS_BROWSER_MODULES, "package.json"));
const { chromium } = modules("playwright-core");
const chrome = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));
const browser = await chromium.launch({ executablePath: chrome, args: ["--no-sandbox", "--disable-gpu", "--no-first-run"] });

const problems = [];
const check = (fine, what) => fine || problems.push(what);

// With scripts: types, and has not sent yet. The `?` lists the keys.
const desk = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
desk.on("pageerror", (error) => problems.push(`script error: ${error.message}`));
await desk.goto(`${url}/builds/${build}`);
await desk.keyboard.press("?");
check(await desk.locator("#keys").isVisible(), "`?` does not show the keys");
await desk.keyboard.press("Escape");
await desk.locator("#live[data-state=on]").waitFor({ timeout: 10_000 });
await desk.locator("textarea[name=reason]").fill("I am still thinking");

// Without: reads, gives a reason, approves.
const phone = await (await browser.newContext({ viewport: { width: 360, height: 740 }, javaScriptEnabled: false })).newPage();
for (const path of ["/", "/models", "/endpoints", "/served", "/system", `/builds/${build}`]) {
  const answer = await phone.goto(url + path);
  check(answer.status() === 200, `${path} without scripts: ${answer.status()}`);
  check((await phone.locator("main").innerText()).trim().length > 20, `${path} without scripts is empty`);
}
const button = phone.locator("button[name=decision][value=approved]");
const box = await button.boundingBox();
check(box && box.x >= 0 && box.x + box.width <= 360 && box.height >= 24, `the button is cut off: ${JSON.stringify(box)}`);
await phone.locator("textarea[name=reason]").fill("numbers are better, read on a phone");
await button.click();
await phone.waitForURL(`**/builds/${build}`);
check((await phone.locator("main").innerText()).includes("numbers are better"), "the decision is not on the page");

// The other one is told, and cannot send what would not count.
await desk.locator(".void").waitFor({ timeout: 10_000 }).catch(() => problems.push("nothing says that the answer is void"));
check(await desk.locator("button[name=decision][value=approved]").isDisabled(), "a void answer can still be sent");
check((await desk.locator("textarea[name=reason]").inputValue()) === "I am still thinking", "what was typed is lost");

await browser.close();
console.log(JSON.stringify({ problems }, null, 2));
process.exit(problems.length ? 1 : 0);
