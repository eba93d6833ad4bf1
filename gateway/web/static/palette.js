// The command menu: every link of the page, or a search for a number.
const dialog = document.querySelector("#palette");
const input = dialog.querySelector("input");
const list = dialog.querySelector("ul");
const base = document.body.dataset.base;
const findLabel = dialog.querySelector("[data-find-label]").textContent;
let chosen = 0;

function commands() {
  const links = [...document.querySelectorAll(".rail a, .actions a, .tabs a, .menu a, .saved a")];
  return links.map((link) => ({ text: link.textContent.trim(), run: () => link.click() }));
}

function found() {
  const wanted = input.value.trim().toLowerCase();
  const some = commands().filter((one) => one.text.toLowerCase().includes(wanted));
  if (wanted) some.push({ text: `${findLabel} ${input.value.trim()}`, run: () => location.assign(`${base}/search?q=${encodeURIComponent(input.value.trim())}`) });
  return some;
}

function show() {
  const some = found();
  chosen = Math.min(chosen, Math.max(some.length - 1, 0));
  list.replaceChildren(...some.map((one, place) => {
    const item = document.createElement("li");
    item.id = `command-${place}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(place === chosen));
    item.textContent = one.text;
    item.addEventListener("click", () => { dialog.close(); one.run(); });
    return item;
  }));
  if (some.length) input.setAttribute("aria-activedescendant", `command-${chosen}`);
  const item = list.children[chosen];
  if (item) item.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (!dialog.open) dialog.showModal();
  }
});
dialog.addEventListener("toggle", () => { if (dialog.open) { input.value = ""; chosen = 0; show(); input.focus(); } });
input.addEventListener("input", () => { chosen = 0; show(); });
input.addEventListener("keydown", (event) => {
  const some = found();
  if (event.key === "ArrowDown") { chosen = Math.min(chosen + 1, some.length - 1); show(); event.preventDefault(); }
  if (event.key === "ArrowUp") { chosen = Math.max(chosen - 1, 0); show(); event.preventDefault(); }
  if (event.key === "Enter" && some[chosen]) { event.preventDefault(); dialog.close(); some[chosen].run(); }
});
