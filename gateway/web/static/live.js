// Live counts: the stream says that cases moved, never what; the page is loaded again on request.
const news = document.querySelector("[data-news]");
const said = document.querySelector("[data-news-text]");
const load = document.querySelector("[data-load]");
const base = document.body.dataset.base;
const asked = Number(document.body.dataset.now);
const ends = Number(document.body.dataset.expires) - asked;
let moved = 0;
let source = null;
let polling = 0;
let sleeping = 0;

function tell(cases, count) {
  const open = document.querySelector("[data-case]");
  if (open) {
    if (cases.includes(open.dataset.case)) changed(open);
    return;
  }
  moved += count;
  show(said.dataset.text.replace("{}", moved), true);
}

// An open case: what changed and by whom, asked for as a partial.
async function changed(open) {
  await window.htmx.ajax("GET", `${base}/cases/${open.dataset.case}/changes?seq=${open.dataset.seq}`, { target: said, swap: "innerHTML" });
  show(null, said.textContent.trim() !== "");
}

document.addEventListener("console:loaded", () => { moved = 0; hide(); });

function show(text, loads) {
  if (text !== null) said.textContent = text;
  load.hidden = !loads;
  news.hidden = said.textContent.trim() === "";
}

function hide() {
  show("", false);
}

function listen() {
  source = new EventSource(`${base}/events`);
  source.addEventListener("moved", (event) => { const told = JSON.parse(event.data); tell(told.cases, told.count); });
  source.addEventListener("ready", () => { clearInterval(polling); polling = 0; });
  source.addEventListener("error", () => { if (!polling) poll(); });
}

function poll() {
  show(said.dataset.lost, false);
  polling = setInterval(async () => {
    try {
      const answer = await fetch(`${base}/today.json`, { credentials: "same-origin" });
      if (answer.ok) { clearInterval(polling); polling = 0; hide(); }
    } catch { /* the next try comes in 15 seconds */ }
  }, 15000);
}

function stop() {
  if (source) source.close();
  source = null;
  clearInterval(polling);
  polling = 0;
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(sleeping);
  if (document.hidden) sleeping = setTimeout(stop, 300000);
  else if (!source) listen();
});
addEventListener("pagehide", stop);
listen();

const expiry = document.querySelector("#expiry");
if (ends > 120000 && ends < 2147483647) setTimeout(() => expiry.showModal(), ends - 120000);
document.querySelector("[data-extend]").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch(event.target.action, { method: "POST", body: new URLSearchParams(new FormData(event.target)), credentials: "same-origin" });
  if (answer.ok) expiry.close();
});
