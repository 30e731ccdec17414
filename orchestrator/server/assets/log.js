// The live log. The server sends lines that are escaped and coloured already; this file only puts them in place.

// Lines kept on the page; the raw log has all of them.
const KEPT = 5000;

const log = document.getElementById("log");
const follow = document.getElementById("follow");
const wrap = document.getElementById("wrap");
const size = document.getElementById("log-size");

function row(number, html) {
  const item = document.createElement("li");
  item.id = `L${number}`;
  const link = document.createElement("a");
  link.href = `${log.dataset.url}&line=${number}#L${number}`;
  link.textContent = number;
  link.setAttribute("aria-label", `Line ${number}`);
  const code = document.createElement("code");
  code.innerHTML = html;
  item.append(link, code);
  return item;
}

// Times -------------------------------------------------------------------------------------------------------------

const times = document.getElementById("times");
const two = (number, digits = 2) => String(Math.floor(number)).padStart(digits, "0");

function clock(at) {
  if (times.value === "elapsed") {
    const ms = Math.max(0, at - Number(log.dataset.begun ?? at));
    const minutes = `${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}.${two((ms % 1000) / 100, 1)}`;
    return ms < 3_600_000 ? minutes : `${Math.floor(ms / 3_600_000)}:${minutes}`;
  }
  const date = new Date(at);
  if (times.value === "utc") return date.toISOString().slice(11, 21);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${two(date.getMilliseconds() / 100, 1)}`;
}

// A line without a mark of its own was printed with the one before it.
function stamp(rows, at) {
  for (const row of rows) {
    at = Number(row.dataset.at ?? at);
    if (!at) continue;
    row.dataset.at = at;
    if (times.value) row.dataset.time = clock(at);
  }
}

function setTimes(mode) {
  times.value = mode;
  log.classList.toggle("timed", Boolean(mode));
  stamp(log.children);
}

// Groups ------------------------------------------------------------------------------------------------------------

// From a title to the next one, or to its end.
function inside(title) {
  const rows = [];
  for (let row = title.nextElementSibling; row && !row.querySelector("code > .grp"); row = row.nextElementSibling) {
    rows.push(row);
    if (row.querySelector("code > .grp-end")) break;
  }
  return rows;
}

function setFolded(title, folded) {
  title.querySelector(".fold")?.setAttribute("aria-expanded", String(!folded));
  for (const row of inside(title)) row.hidden = folded;
}

const foldAll = document.getElementById("fold-all");

function groups() {
  const titles = [...log.querySelectorAll("li:not([data-group]) > code > .grp")].map((title) => title.closest("li"));
  for (const title of titles) {
    title.dataset.group = "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "fold";
    button.setAttribute("aria-expanded", "true");
    button.setAttribute("aria-label", `Fold ${title.querySelector(".grp").textContent}`);
    button.addEventListener("click", () => setFolded(title, button.getAttribute("aria-expanded") === "true"));
    title.querySelector("code").before(button);
  }
  // What comes into a group that is folded is folded too.
  for (const title of log.querySelectorAll("li[data-group]:has(.fold[aria-expanded=false])")) setFolded(title, true);
  foldAll.hidden = !log.querySelector("li[data-group]");
}

function foldEach() {
  const fold = foldAll.getAttribute("aria-pressed") !== "true";
  foldAll.setAttribute("aria-pressed", String(fold));
  for (const title of log.querySelectorAll("li[data-group]")) setFolded(title, fold);
}

const toEnd = () => {
  if (follow.checked) log.scrollTop = log.scrollHeight;
};

let partial;

function add({ first, lines, partial: rest, skipped, at }) {
  document.getElementById("log-empty")?.remove();
  if (skipped) log.replaceChildren();
  partial?.remove();
  partial = undefined;
  const rows = document.createDocumentFragment();
  lines.forEach((html, at) => rows.append(row(first + at, html)));
  if (rest) {
    partial = row(first + lines.length, rest);
    partial.classList.add("open");
    rows.append(partial);
  }
  stamp(rows.children, at ?? Date.now());
  log.append(rows);
  while (log.childElementCount > KEPT) log.firstElementChild.remove();
  groups();
  size.textContent = `${first + lines.length - 1 + (rest ? 1 : 0)} lines`;
  toEnd();
}

function mark() {
  for (const old of log.querySelectorAll(".marked")) old.classList.remove("marked");
  const line = /^#L\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
  if (!line) return;
  for (let row = line; row?.hidden; row = row.previousElementSibling) if (row.matches("[data-group]")) setFolded(row, false);
  line.hidden = false;
  line.classList.add("marked");
  follow.checked = false;
  line.scrollIntoView({ block: "center" });
}

if (log) {
  for (const label of document.querySelectorAll("[data-follow-label], [data-wrap-label]")) label.hidden = false;
  document.querySelector("[data-follow-label]").hidden = !log.dataset.stream;
  document.querySelector("[data-times-label]").hidden = false;
  setTimes(localStorage.getItem("log-times") ?? "");
  times.addEventListener("change", () => {
    localStorage.setItem("log-times", times.value);
    setTimes(times.value);
  });
  groups();
  foldAll.addEventListener("click", foldEach);
  wrap.addEventListener("change", () => log.classList.toggle("wrap-lines", wrap.checked));
  follow.addEventListener("change", toEnd);
  // Who scrolls up wants to read; who comes back to the end wants to follow.
  log.addEventListener("wheel", (event) => { if (event.deltaY < 0) follow.checked = false; }, { passive: true });
  log.addEventListener("scroll", () => {
    if (log.scrollHeight - log.scrollTop - log.clientHeight < 4 && log.dataset.stream) follow.checked = true;
  });
  // A click on a number of this page marks the line in place; elsewhere the link loads it.
  log.addEventListener("click", (event) => {
    const link = event.target.closest("li > a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.replaceState(null, "", link.href);
    mark();
  });
  addEventListener("hashchange", mark);
  if (log.dataset.stream) {
    const source = new EventSource(log.dataset.stream);
    source.addEventListener("lines", (event) => add(JSON.parse(event.data)));
    source.addEventListener("end", () => source.close());
    addEventListener("pagehide", () => source.close());
  }
  toEnd();
  mark();
}
