"use strict";
const all = (selector, from = document) => [...from.querySelectorAll(selector)];

// Charts: Vega draws a figure's panels when it is first shown; until then, and without it, the static picture stands.
const views = [];
const rows = (columns) => columns.x.map((_, place) =>
  Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[place]])));

// What a panel says of an abscissa: a line a policy that is shown; of a thin line, its name.
function told(panel, axis) {
  return (value, clean) => {
    if (value.title) return `<b>${clean(value.title)}</b>`;
    const shown = panel.lines.map((names, place) => [names, value[`said${place}`]])
      .filter(([names, said]) => said && !names.some((name) => off.has(name)));
    const lines = shown.map(([names, said]) => `<div>${clean(names.join(", "))}: ${clean(said)}</div>`);
    return [`<b>${clean(`${axis} ${value.x}`)}</b>`, ...lines].join("");
  };
}

async function show(panel, held, grid) {
  const part = grid.appendChild(document.createElement("div"));
  for (const name of ["family", "metric", "policy"]) if (panel[name]) part.dataset[name] = panel[name];
  part.appendChild(document.createElement("h3")).textContent = panel.title;
  const datasets = Object.fromEntries(Object.entries(panel.data).map(([name, columns]) => [name, rows(columns)]));
  const spec = { ...held.specs[panel.spec], datasets, description: panel.title };
  const tooltip = { formatTooltip: told(panel, held.axes[panel.spec]), disableDefaultStyle: true };
  const options = { ast: true, actions: false, renderer: "svg", defaultStyle: false, logLevel: 1, tooltip };
  return (await vegaEmbed(part.appendChild(document.createElement("div")), spec, options)).view;
}

async function draw(figure) {
  const source = figure.querySelector("script");
  const held = JSON.parse(source.textContent);
  source.remove();
  const still = figure.querySelector(".plot");
  const grid = document.createElement("div");
  grid.className = "panels";
  grid.style.setProperty("--least", held.least);
  still.before(grid);
  still.hidden = true;
  try {
    views.push(...(await Promise.all(held.panels.map((panel) => show(panel, held, grid)))));
    choose();
  } catch (error) {
    grid.remove();
    still.hidden = false;
    throw error;
  }
}

const drawShown = () => all("figure.chart:has(> script)")
  .filter((figure) => !figure.closest("details:not([open])"))
  .forEach(draw);
addEventListener("toggle", drawShown, true);

// Choices: policies and studies in charts and tables, families and metrics likewise.
const off = new Set();
const chosen = (name) => document.getElementById(name)?.value ?? "";

function choose() {
  off.clear();
  for (const box of all("#policies input")) if (!box.checked) off.add(box.value);
  for (const part of all("[data-policy], [data-family]")) {
    const kept = ["family", "metric"].every((name) =>
      !chosen(name) || !part.dataset[name] || part.dataset[name] === chosen(name));
    part.classList.toggle("off", !kept || off.has(part.dataset.policy));
  }
  for (const view of views) view.signal("off", [...off]).runAsync();
  dispatchEvent(new Event("resize"));
}
all("#policies input, #controls select").forEach((one) => one.addEventListener("change", choose));
document.getElementById("controls").hidden = all("#policies input").length === 0;

// Tables: a click on a head sorts, words filter.
function key(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  const number = Number.parseFloat(text.replace("−", "-").replace(/,(?=\d{3})/g, "").replace("< ", ""));
  return Number.isNaN(number) ? text : number;
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  if (typeof one === typeof other) return one.localeCompare(other, "en", { numeric: true });
  return typeof one === "number" ? -1 : 1;
}

function sort(head) {
  const body = head.closest("table").tBodies[0];
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...body.rows].map((row) => [key(row, head.cellIndex), row]);
  rows.sort((one, other) => (up ? 1 : -1) * compare(one[0], other[0]));
  body.append(...rows.map((pair) => pair[1]));
}

for (const head of all("thead th")) {
  head.tabIndex = 0;
  head.title = "sort";
  head.addEventListener("click", () => sort(head));
  head.addEventListener("keydown", (event) => event.key === "Enter" && sort(head));
}

for (const table of all("table")) {
  if (table.tBodies[0].rows.length < 8) continue;
  const words = document.createElement("input");
  words.type = "search";
  words.placeholder = "filter rows";
  words.setAttribute("aria-label", "filter rows");
  words.addEventListener("input", () => {
    const wanted = words.value.toLowerCase().split(/\s+/);
    for (const row of table.tBodies[0].rows)
      row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word));
  });
  table.parentNode.before(words);
}

// A link into a folded part unfolds it.
function unfold() {
  const part = document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest("details");
  if (part) part.open = true;
}
addEventListener("hashchange", unfold);
unfold();
drawShown();
