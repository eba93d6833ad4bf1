// Keys: everything here can also be done with a link or a button of the page.
const body = document.body;
const base = body.dataset.base;
const places = { t: "/", r: "/review", c: "/cases", u: "/unknown", p: "/approvals", d: "/deliveries", w: "/notices", a: "/audit" };
const one = (selector) => document.querySelector(selector);
const rows = () => [...document.querySelectorAll("[data-rows] tbody tr")];
let at = -1;
let waitsForPlace = false;

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

function step(selector, by) {
  const tabs = [...document.querySelectorAll(selector)];
  const here = tabs.findIndex((tab) => tab.hasAttribute("aria-current"));
  const next = tabs[here + by];
  if (next) next.click();
}

function submitMine() {
  const form = one("[data-mine]");
  if (form) form.requestSubmit();
}

const actions = {
  "/": () => one("#find").focus(),
  "?": () => one("#help").showModal(),
  j: () => move(1), k: () => move(-1), J: () => move(1, true), K: () => move(-1, true),
  x: () => tick(rows()[at]),
  "*": () => { const all = one("[data-all]"); if (all) { all.checked = true; all.focus(); } },
  d: () => go("[data-toggle-differences]"),
  "[": () => step("[data-tab]", -1), "]": () => step("[data-tab]", 1),
  m: submitMine,
  s: () => go('[data-key="s"]'), e: () => go('[data-key="e"]'), n: () => go('[data-key="n"]'),
  ".": () => location.reload(),
  y: () => navigator.clipboard && navigator.clipboard.writeText(location.href),
  g: () => { waitsForPlace = true; setTimeout(() => { waitsForPlace = false; }, 1200); },
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
    const form = event.target.closest("form") || one("form[data-confirm]");
    if (form && form.method === "post") { event.preventDefault(); form.requestSubmit(); }
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
  const action = actions[event.key];
  if (action) { event.preventDefault(); action(); }
});

document.addEventListener("change", (event) => { if (event.target.matches("input[type=checkbox]")) count(); });
for (const [selector, dialog] of [["[data-help]", "#help"], ["[data-palette]", "#palette"]]) {
  const button = one(selector);
  if (button) { button.hidden = false; button.addEventListener("click", () => { one(".me").open = false; one(dialog).showModal(); }); }
}
const fault = one("[data-focus]");
if (fault) fault.focus();
const secret = one("[data-remask]");
if (secret) setTimeout(() => { secret.textContent = "••••"; }, Number(secret.dataset.remask) * 1000);
