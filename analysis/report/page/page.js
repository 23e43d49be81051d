"use strict";
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const tip = document.body.appendChild(document.createElement("div"));
tip.id = "tip";
tip.hidden = true;

// Values beside the pointer, of the generation nearest to it.
function panelAt(svg, event) {
  const matrix = svg.getScreenCTM();
  if (!matrix) return null;
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
  for (const group of all('[data-mark^="panel-"]', svg)) {
    const box = group.querySelector("path").getBBox();
    if (at.x >= box.x && at.x <= box.x + box.width && at.y >= box.y && at.y <= box.y + box.height)
      return { number: Number(group.dataset.mark.slice(6)), share: (at.x - box.x) / box.width };
  }
  return null;
}

function nearest(panel, share) {
  const wanted = panel.span[0] + share * (panel.span[1] - panel.span[0]);
  const far = panel.n.map((n) => Math.abs(n - wanted));
  return far.indexOf(Math.min(...far));
}

function say(held, panel, place, event) {
  tip.replaceChildren();
  const head = tip.appendChild(document.createElement("b"));
  head.textContent = `${panel.title}, generation ${panel.n[place]}`;
  held.policies.forEach((policy, number) => {
    const said = panel.said[number][place];
    if (!said || off.has(policy)) return;
    const line = tip.appendChild(document.createElement("div"));
    line.textContent = `${policy}: ${said}`;
  });
  tip.appendChild(document.createElement("small")).textContent = panel.unit;
  tip.hidden = false;
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
}

for (const figure of all("[data-hover]")) {
  const held = JSON.parse(figure.dataset.hover);
  const svg = figure.querySelector("svg");
  svg.addEventListener("pointermove", (event) => {
    const found = panelAt(svg, event);
    const panel = found && held.panels[found.number];
    if (panel && panel.n.length) say(held, panel, nearest(panel, found.share), event);
    else tip.hidden = true;
  });
  svg.addEventListener("pointerleave", () => (tip.hidden = true));
}

// Choices: policies on pictures and in tables, families and metrics in tables.
const off = new Set();
const chosen = (name) => document.getElementById(name)?.value ?? "";

function choose() {
  off.clear();
  for (const box of all("#policies input")) if (!box.checked) off.add(box.value);
  for (const part of all("[data-policy]")) part.classList.toggle("off", off.has(part.dataset.policy));
  for (const figure of all("[data-hover]")) {
    const policies = JSON.parse(figure.dataset.hover).policies;
    for (const mark of all('[data-mark^="mark-"]', figure))
      mark.classList.toggle("off", off.has(policies[Number(mark.dataset.mark.split("-")[2])]));
  }
  for (const row of all("tr[data-family]")) {
    const kept = ["family", "metric"].every((name) => !chosen(name) || row.dataset[name] === chosen(name));
    row.classList.toggle("off", !kept);
  }
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
