// Login by a real provider of OpenID Connect (npm `oidc-provider`), as a browser goes through it.
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

// Its notices about development pages; and 8.8 is the last line for Debian's Node 18.
console.warn = console.info = () => {};
const [url, modules, binary] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

let seen = 0;
const check = (good, what) => {
  if (!good) {
    console.error(`row ${seen + 1} failed: ${what}`);
    process.exit(1);
  }
  seen += 1;
};
const haliotis = (args, input = "") => execFileSync(binary, args, { input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });

// The provider: everybody is who they say they are, as its development pages have it.
const groups = { ada: ["ML", "others"], eve: ["ml"] };
const back = `${url}/login/provider/back`;
const door = createServer();
await new Promise((done) => door.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${door.address().port}`;
const client = { client_id: "haliotis", client_secret: "canary s3cret+/%", redirect_uris: [back], grant_types: ["authorization_code"], response_types: ["code"] };
const provider = new Provider(issuer, {
  clients: [client],
  pkce: { required: () => true },
  claims: { openid: ["sub"], profile: ["preferred_username", "name"], email: ["email"], groups: ["groups"] },
  scopes: ["openid", "profile", "email", "groups"],
  findAccount: async (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, preferred_username: id === "renamed" ? "ada" : id, name: `${id} of the provider`, groups: groups[id] ?? [] }),
  }),
});
door.on("request", provider.callback());

/** A browser: cookies by origin, redirects followed by hand, each address on the way kept. */
class Browser {
  jars = new Map();
  way = [];
  async go(address, form) {
    for (let hop = 0; hop < 20; hop += 1) {
      const origin = new URL(address).origin;
      const jar = this.jars.get(origin) ?? new Map();
      this.jars.set(origin, jar);
      this.way.push(address);
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
      const headers = { accept: "text/html", ...(cookie && { cookie }), ...(form && { "content-type": "application/x-www-form-urlencoded", origin }) };
      const answer = await fetch(address, { method: form ? "POST" : "GET", redirect: "manual", headers, body: form && new URLSearchParams(form).toString() });
      for (const line of answer.headers.getSetCookie()) {
        const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
        if (!value || /max-age=0|expires=thu, 01 jan 1970/i.test(line)) jar.delete(name);
        else jar.set(name, value);
      }
      const next = answer.headers.get("location");
      if (!next) return { status: answer.status, text: await answer.text(), at: address };
      [address, form] = [new URL(next, address).href, undefined];
    }
    throw new Error("redirects without end");
  }
  session() {
    return this.jars.get(new URL(url).origin)?.get("haliotis_session");
  }
}

/** Through the provider's two pages. */
const logIn = async (browser, name, next = "/account") => {
  let page = await browser.go(`${url}/login/provider?next=${encodeURIComponent(next)}`);
  for (const form of [{ prompt: "login", login: name, password: "any" }, { prompt: "consent" }]) {
    if (!page.at.startsWith(issuer)) break;
    const action = page.text.match(/action="([^"]+)"/)[1];
    page = await browser.go(new URL(action, page.at).href, form);
  }
  return page;
};

check((await fetch(`${url}/login/provider`)).status === 404, "without a provider there is no way to one");
check(!(await (await fetch(`${url}/login`)).text()).includes("/login/provider"), "nor a link");
haliotis(["credential", "add", "oidc-secret", "--scope", "system", "--host", new URL(issuer).host], client.client_secret);
haliotis(["login", "set", "--issuer", issuer, "--client-id", "haliotis", "--credential", "oidc-secret", "--groups-claim", "groups", "--group", "ML=ml-team"]);
check((await (await fetch(`${url}/login?next=/account`)).text()).includes("/login/provider?next=%2Faccount"), "the login page leads there");

// Somebody new.
const ada = new Browser();
ada.jars.set(new URL(url).origin, new Map([["haliotis_session", "f1xed"]]));
let page = await logIn(ada, "ada");
check(page.status === 200 && page.at === `${url}/account`, `ada is where she wanted to go: ${page.status} ${page.at}`);
check(page.text.includes("ml-team"), "she is in her group");
check(ada.session() && ada.session() !== "f1xed", "her session is new");
const question = new URL(ada.way.find((one) => one.startsWith(`${issuer}/auth?`)));
check(question.searchParams.get("code_challenge_method") === "S256" && question.searchParams.get("state").length >= 40 && question.searchParams.get("nonce").length >= 40, "PKCE, state and nonce");
check(!ada.jars.get(new URL(url).origin).has("haliotis_journey"), "the journey is over");
const people = haliotis(["user", "list"]);
check(people.includes("user:ada") && people.includes("ml-team"), `she is kept: ${people}`);

// The same answer again, the same answer in another browser, an answer to nothing.
const answer = ada.way.find((one) => one.startsWith(back));
for (const [what, browser, address] of [
  ["a replay", ada, answer],
  ["in another browser", new Browser(), answer],
  ["an invented one", new Browser(), `${back}?code=x&state=y`],
  ["an empty one", new Browser(), back],
]) {
  const before = browser.session();
  page = await browser.go(address);
  check(page.status === 403 && browser.session() === before, `${what}: ${page.status}`);
}
// A code of one login with the journey of another: PKCE, state or nonce is not its own.
const mallory = new Browser();
await mallory.go(`${url}/login/provider`);
const own = new URL(mallory.way.find((one) => one.startsWith(`${issuer}/auth?`))).searchParams.get("state");
const theirs = new Browser();
let stolen;
theirs.go = async function (address, form) {
  // Stops before our server is told.
  if (address.startsWith(back)) return ((stolen = address), { status: 0, text: "", at: address });
  return Browser.prototype.go.call(this, address, form);
};
page = await theirs.go(`${url}/login/provider`);
for (const form of [{ prompt: "login", login: "ada", password: "any" }, { prompt: "consent" }]) {
  const action = page.text.match(/action="([^"]+)"/)[1];
  const jar = theirs.jars.get(issuer);
  const hop = async (address, body) => {
    const got = await fetch(address, { method: body ? "POST" : "GET", redirect: "manual", body: body && new URLSearchParams(body),
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") } });
    for (const line of got.headers.getSetCookie()) jar.set(...line.match(/^([^=]+)=([^;]*)/).slice(1));
    const next = got.headers.get("location");
    if (!next) return { text: await got.text(), at: address };
    const to = new URL(next, address).href;
    if (to.startsWith(back)) return ((stolen = to), { text: "", at: to });
    return hop(to);
  };
  page = await hop(new URL(action, page.at).href, form);
  if (stolen) break;
}
check(stolen, "a code that was not used");
const code = new URL(stolen).searchParams.get("code");
page = await mallory.go(`${back}?code=${encodeURIComponent(code)}&state=${own}`);
check(page.status !== 200 && !mallory.session(), `another's code: ${page.status}`);

// Names that are somebody else's; groups that differ in case; somebody the provider refuses.
for (const [name, why] of [["admin", "already"], ["renamed", "already"], ["system", "preferred_username"]]) {
  const browser = new Browser();
  page = await logIn(browser, name);
  check(page.status === 403 && page.text.includes(why) && !browser.session(), `${name}: ${page.status}`);
}
page = await logIn(new Browser(), "eve");
check(page.status === 200 && !page.text.includes("ml-team"), "a group that differs in case is another");
page = await new Browser().go(`${url}/login/provider?next=${encodeURIComponent("//evil.example/")}`);
check(page.at.startsWith(issuer), "to the provider, and what was wanted is checked before");

// Out of the group there, out of it here at the next login.
groups.ada = [];
page = await logIn(new Browser(), "ada");
check(page.status === 200 && !page.text.includes("ml-team"), "she left her group");
haliotis(["user", "disable", "ada"]);
page = await logIn(new Browser(), "ada");
check(page.status === 403 && page.text.includes("may not enter"), `closed: ${page.status}`);
haliotis(["login", "set", "--issuer", issuer, "--client-id", "haliotis", "--credential", "oidc-secret", "--no-create"]);
page = await logIn(new Browser(), "stranger");
check(page.status === 403 && page.text.includes("no account"), `nobody new: ${page.status}`);

// The secret is nowhere to be seen; the audit has who came how.
const audit = haliotis(["audit", "export"]);
check(audit.includes("by the provider") && !audit.includes("canary"), `audit: ${audit}`);
check(!haliotis(["login", "show"]).includes("canary"), "the settings have no secret");
haliotis(["login", "remove"]);
check((await fetch(`${url}/login/provider`)).status === 404, "removed");
door.closeAllConnections();
door.close();
console.log(`${seen} rows passed`);
