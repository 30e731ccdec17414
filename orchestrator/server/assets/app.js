// Keeps a page fresh, and lets the keyboard drive it. Everything works without this file, only less lively.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// Times -------------------------------------------------------------------------------------------------------------

const two = (a, unit, b, small) => (b ? `${a} ${unit} ${b} ${small}` : `${a} ${unit}`);

function duration(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 10) return `${Math.max(0, Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (s < 60) return `${s} s`;
  if (s < 3600) return two(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return two(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
}

function ago(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 1) return "just now";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

function tick() {
  const now = Date.now();
  for (const time of $$("time[data-ago]")) time.textContent = ago(now - Date.parse(time.dateTime));
  for (const span of $$("[data-since]")) span.textContent = duration(now - Number(span.dataset.since));
}

// In the reader's own zone; the page itself says UTC, for those without scripts.
const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
function zones() {
  for (const time of $$("time[datetime]:not([data-zoned])")) {
    time.dataset.zoned = "";
    time.title = `${zone.format(new Date(time.dateTime))} (${time.title})`;
  }
}
zones();
setInterval(tick, 1000);

// Fresh parts -------------------------------------------------------------------------------------------------------

// A part that somebody types in is left alone until they are done.
function busy(part) {
  const active = document.activeElement;
  if (active && part.contains(active) && active.matches("input, textarea, select")) return true;
  return $$("textarea, input:not([type=hidden])", part).some((field) => field.value !== field.defaultValue);
}

const plain = (part) => part.innerHTML
  .replace(/(<(time|span) [^>]*data-(?:ago|since)[^>]*>)[^<]*/g, "$1")
  .replace(/ title="[^"]*"( data-ago="")? data-zoned=""/g, ' title=""$1')
  .replace(/ title="[^"]*"( data-ago="")/g, ' title=""$1');

// Somebody types an answer, and what it would be bound to has changed: the server would refuse it, so say so now.
function outdated(part, next) {
  for (const form of $$("form[data-digest]", part)) {
    const same = $(`form[data-digest="${CSS.escape(form.dataset.digest)}"]`, next);
    if (same || form.dataset.void) continue;
    form.dataset.void = "1";
    for (const button of $$("button", form)) button.disabled = true;
    const note = document.createElement("p");
    note.className = "void st s-failure";
    note.setAttribute("role", "alert");
    note.textContent = "What you decide on has changed, or somebody has answered. An answer to this would not count. ";
    const again = document.createElement("a");
    again.href = location.href;
    again.textContent = "Show what it is now";
    note.append(again);
    form.prepend(note);
  }
}

function swap(fresh) {
  for (const part of $$("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next) continue;
    // What somebody unfolded stays unfolded.
    for (const open of $$("details[data-key][open]", part)) {
      $(`[data-key="${CSS.escape(open.dataset.key)}"]`, next)?.setAttribute("open", "");
    }
    if (busy(part)) {
      outdated(part, next);
      continue;
    }
    if (plain(part) === plain(next)) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const [left, top] = [part.scrollLeft, part.scrollTop];
    part.replaceChildren(...next.childNodes);
    part.scrollTo(left, top);
    if (focused) $(`[href="${CSS.escape(focused)}"]`, part)?.focus({ preventScroll: true });
  }
  document.title = fresh.title;
  // The build has ended: its page does not change any more.
  if (!fresh.body.dataset.events) source?.close();
  tick();
  zones();
  filter();
}

let refreshing = false;
let again = false;

async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch { /* the stream tells when the server is back */ }
  refreshing = false;
  if (again) {
    again = false;
    setTimeout(refresh, 250);
  }
}

let source;
const live = $("#live");

function show(state, words) {
  live.hidden = false;
  live.dataset.state = state;
  $("span", live).textContent = words;
}

function listen() {
  const url = document.body.dataset.events;
  if (!url || document.hidden || (source && source.readyState !== EventSource.CLOSED)) return;
  source = new EventSource(url);
  source.addEventListener("open", () => show("on", "Live"));
  source.addEventListener("error", () => show("off", "Reconnecting"));
  source.addEventListener("changed", refresh);
}

// A page that nobody looks at holds no connection; browsers allow six to one host.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return listen();
  source?.close();
});
addEventListener("pagehide", () => source?.close());
listen();

// Theme -------------------------------------------------------------------------------------------------------------

function theme() {
  const root = document.documentElement;
  const next = { undefined: "dark", dark: "light", light: undefined }[root.dataset.theme];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  try {
    if (next) localStorage.setItem("theme", next);
    else localStorage.removeItem("theme");
  } catch { /* then it holds for this page */ }
}

// Filter ------------------------------------------------------------------------------------------------------------

const field = $("[data-filter]");

function filter() {
  if (!field) return;
  const wanted = field.value.trim().toLowerCase();
  for (const row of $$("[data-name]", $(field.dataset.filter))) {
    row.hidden = !row.dataset.name.toLowerCase().includes(wanted);
  }
}
if (field) {
  field.hidden = false;
  field.addEventListener("input", filter);
}

// Keyboard ----------------------------------------------------------------------------------------------------------

const dialog = $("#keys");
const help = () => (dialog.open ? dialog.close() : dialog.showModal());

function move(step) {
  const items = $$("[data-item]").filter((item) => item.getClientRects().length);
  if (!items.length) return;
  const at = items.indexOf(document.activeElement);
  const next = items[at < 0 ? (step > 0 ? 0 : items.length - 1) : Math.min(items.length - 1, Math.max(0, at + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest", inline: "nearest" });
}

const places = { p: "/", m: "/models", e: "/endpoints", s: "/system" };
const keys = {
  "?": help,
  t: theme,
  j: () => move(1),
  k: () => move(-1),
  "/": () => (field ?? $("main input[type=search]"))?.focus(),
  r: () => $("[data-rerun]:not(:disabled)")?.focus(),
  d: () => $("[data-compare]")?.click(),
  a: () => $("[data-answer]")?.focus(),
  u: () => $("[data-up]")?.click(),
  f: () => $("#follow")?.click(),
};
let going = 0;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "g") {
    going = Date.now();
    return;
  }
  const soon = Date.now() - going < 1200;
  going = 0;
  if (soon && places[event.key]) {
    location.href = places[event.key];
    return;
  }
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

for (const button of $$("[data-theme-switch]")) {
  button.hidden = false;
  button.addEventListener("click", theme);
}
for (const button of $$("[data-help]")) {
  button.hidden = false;
  button.addEventListener("click", help);
}

// One click, one request.
document.addEventListener("submit", (event) => {
  if (event.target.method === "dialog") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
});
addEventListener("pageshow", () => $$("form[data-sent]").forEach((form) => delete form.dataset.sent));
