// Keys: everything here can also be done with a link or a button of the page.
const body = document.body;
const base = body.dataset.base;
const places = { t: "/", r: "/review", c: "/cases", u: "/unknown", p: "/approvals", f: "/repairs", d: "/deliveries", w: "/notices", k: "/packs", a: "/audit" };
const one = (selector) => document.querySelector(selector);
const rows = () => [...document.querySelectorAll("[data-rows] tbody tr")];
let at = -1;
let waitsForPlace = false;
const keys = JSON.parse(body.dataset.keys);

function isTyping(target) {
  return target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;
}

function move(step, extend) {
  const all = rows();
  if (all.length === 0) return;
  if (at < 0) at = all.findIndex((row) => row.hasAttribute("aria-current"));
  if (extend && at >= 0) tick(all[at], true);
  at = Math.min(Math.max(at + step, 0), all.length - 1);
  all.forEach((row, place) => row.classList.toggle("at", place === at));
  const link = all[at].querySelector("[data-open], a");
  if (link) link.focus();
  all[at].scrollIntoView({ block: "nearest" });
  if (extend) tick(all[at], true);
}

function tick(row, on) {
  const box = row && row.querySelector("input[type=checkbox]");
  if (!box) return;
  box.checked = on === undefined ? !box.checked : on;
  count();
}

function count() {
  const shown = one("[data-selected]");
  if (!shown) return;
  const ticked = document.querySelectorAll("[data-rows] input[type=checkbox]:checked").length;
  shown.textContent = ticked ? shown.dataset.text.replace("{}", ticked) : "";
}

function go(selector) {
  const link = one(selector);
  if (link) link.click();
  return Boolean(link);
}

function step(by) {
  if (go(by < 0 ? "[data-previous]" : "[data-next]")) return;
  const tabs = [...document.querySelectorAll("[data-tab]")];
  const next = tabs[tabs.findIndex((tab) => tab.hasAttribute("aria-current")) + by];
  if (next) next.click();
}

// An action on the row that is at hand, else on the case of the page.
function act(key, action) {
  const row = rows()[at];
  if (!one("[data-case]") && !one(".right") && row && row.dataset.row) {
    const back = encodeURIComponent(location.pathname.slice(base.length) + location.search);
    location.assign(`${base}/cases/${row.dataset.row}/do/${action}?back=${back}`);
  } else go(`[data-key="${key}"]`);
}

function resolve() {
  const row = rows()[at];
  const link = row && row.querySelector("[data-resolve]");
  if (link) link.click();
  else go('[data-key="e"]');
}

function mine() {
  const row = rows()[at];
  const form = one("[data-row-mine]");
  const own = one("[data-mine]");
  if (own) own.requestSubmit();
  else if (form && row && row.dataset.row) {
    form.action = `${base}/cases/${row.dataset.row}/assign`;
    form.requestSubmit();
  }
}

function again() {
  const list = one("#list") || one("#case");
  if (!list || !window.htmx) { location.reload(); return; }
  const target = `#${list.id}`;
  window.htmx.ajax("GET", location.pathname + location.search, { target, select: target, swap: "outerHTML" });
  document.dispatchEvent(new CustomEvent("console:loaded"));
}

const actions = {
  search: () => one("#find").focus(),
  help: () => one("#help").showModal(),
  next: (extend) => move(1, extend), previous: (extend) => move(-1, extend),
  select: () => tick(rows()[at]),
  all: () => { const all = one("[data-all]"); if (all) { all.checked = true; all.focus(); } },
  differences: () => go("[data-toggle-differences]"),
  before: () => step(-1), after: () => step(1),
  resolve, mine,
  assign: () => act("a", "assign"), snooze: () => act("s", "snooze"), note: () => act("n", "note"),
  reload: again,
  copy: () => navigator.clipboard && navigator.clipboard.writeText(location.href),
  go: () => { waitsForPlace = true; setTimeout(() => { waitsForPlace = false; }, 1200); },
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
    const form = event.target.closest("form") || one("form[data-confirm]");
    if (form && form.method === "post") { event.preventDefault(); form.requestSubmit(form.querySelector("button.primary")); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && !isTyping(event.target)) { go("[data-back]"); return; }
  if (body.dataset.shortcuts !== "on" || isTyping(event.target)) return;
  if (waitsForPlace) {
    waitsForPlace = false;
    if (places[event.key]) { event.preventDefault(); location.assign(base + places[event.key]); }
    return;
  }
  const extends_ = event.shiftKey && !(event.key in keys);
  const name = keys[extends_ ? event.key.toLowerCase() : event.key];
  if (!name || (extends_ && name !== "next" && name !== "previous")) return;
  event.preventDefault();
  actions[name](extends_);
});

// After a swap the row at hand is found anew, and where one is now is said.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "run") return;
  at = -1;
  const said = one("[data-said]");
  if (said) said.textContent = document.title;
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status >= 400) event.detail.shouldSwap = false;
});
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.requestConfig.verb === "get") location.assign(event.detail.pathInfo.requestPath);
});
document.addEventListener("change", (event) => { if (event.target.matches("input[type=checkbox]")) count(); });
for (const [selector, dialog] of [["[data-help]", "#help"], ["[data-palette]", "#palette"]]) {
  const button = one(selector);
  if (button) { button.hidden = false; button.addEventListener("click", () => { one(".me").open = false; one(dialog).showModal(); }); }
}
const load = one("[data-load]");
if (load) load.addEventListener("click", again);
// Printing needs a script, so its button is shown by one; a tab that was swapped in has its own.
const dress = () => document.querySelectorAll("[data-print]").forEach((button) => { button.hidden = false; });
document.addEventListener("htmx:afterSettle", dress);
document.addEventListener("click", (event) => { if (event.target.closest("[data-print]")) window.print(); });
dress();
const fault = one("[data-focus]");
if (fault) fault.focus();
const secret = one("[data-remask]");
if (secret) setTimeout(() => { secret.textContent = "••••"; }, Number(secret.dataset.remask) * 1000);
