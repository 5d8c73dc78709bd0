const read = (id) => JSON.parse(document.getElementById(id).textContent);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const number = (value) => Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });

const data = read("data");
const charts = new Map(read("charts").map((chart) => [chart.key, chart]));
const drawn = [];
const picked = new Set();

// Colours: the system's, until the reader chooses; storage may be closed to a page from a file.
const theme = {
  get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
  set: (value) => { try { localStorage.setItem("theme", value); } catch { /* for this visit only */ } },
};
const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark"
  || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
if (theme.get()) document.documentElement.dataset.theme = theme.get();
document.getElementById("theme").addEventListener("click", () => {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  theme.set(next);
});

// Charts: drawn when they come near the window.
async function draw(element) {
  const chart = charts.get(element.id.replace("chart-", ""));
  const specification = structuredClone(chart.specification);
  for (const source of specification.data) {
    if (source.name in chart.data) source.values = structuredClone(data[chart.data[source.name]]);
  }
  const { view } = await vegaEmbed(element, specification, { mode: "vega", renderer: "svg", actions: false });
  if (chart.summary) {
    const body = document.querySelector(`#summary-${chart.key} tbody`);
    const fill = () => body.replaceChildren(...view.data(chart.summary).toSorted(byMedian).map(line));
    view.addDataListener(chart.summary, fill);
    fill();
  }
  drawn.push(view);
  await pick(view);
  element.dataset.drawn = "yes";
}

const byMedian = (a, b) => a.median - b.median || b.reached_runs / b.runs - a.reached_runs / a.runs || a.spent - b.spent;

function line(row) {
  const cells = [
    row.way,
    row.backend,
    `${row.reached_runs} of ${row.runs}`,
    row.median < 1e299 ? number(row.median) : `> ${number(row.spent)}`,
    row.reached_runs ? `${number(row.lowest)} to ${number(row.highest)}` : "",
  ];
  const element = document.createElement("tr");
  cells.forEach((text, place) => {
    const cell = document.createElement(place ? "td" : "th");
    if (!place) cell.scope = "row";
    if (place > 1) cell.className = "number";
    cell.textContent = text;
    element.append(cell);
  });
  return element;
}

const nearby = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) {
      nearby.unobserve(target);
      draw(target);
    }
  }
}, { rootMargin: "800px" });
all(".chart").forEach((element) => nearby.observe(element));
addEventListener("beforeprint", () => all(".chart:not([data-drawn])").forEach((element) => { nearby.unobserve(element); draw(element); }));

// Legends: picked optimisers stand out in every chart; none picked means all.
const pick = (view) => (view.getState().signals.picked ? view.signal("picked", [...picked]).runAsync() : view);
all(".pick").forEach((button) => button.addEventListener("click", () => {
  const name = button.dataset.optimiser;
  if (!picked.delete(name)) picked.add(name);
  all(".pick").forEach((other) => other.setAttribute("aria-pressed", picked.has(other.dataset.optimiser)));
  drawn.forEach(pick);
}));

// The target in words.
const slider = document.getElementById("control-target");
if (slider) {
  const tell = () => {
    const units = read("targets").filter((t) => t.linear)
      .map((t) => `${(slider.value * t.linear).toPrecision(3)} ${t.unit} on ${t.task}`);
    const words = `${Number(slider.value).toFixed(3)} × that of a linear fit`;
    document.getElementById("target").textContent = `${words} (${units.join(", ")})`;
    slider.setAttribute("aria-valuetext", words);
  };
  slider.addEventListener("input", tell);
  tell();
}
if (matchMedia("(max-width: 48rem)").matches) all(".controls").forEach((element) => { element.open = false; });

// Commands to the clipboard, which a page from a file may not have: then they are selected.
all(".copy").forEach((button) => button.addEventListener("click", async () => {
  const source = document.getElementById(button.dataset.copies);
  const said = document.getElementById("said");
  try {
    await navigator.clipboard.writeText(source.textContent);
    said.textContent = button.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(source);
    said.textContent = button.textContent = "selected: press Ctrl-C";
  }
  setTimeout(() => { button.textContent = "copy"; }, 2000);
}));

// Tables: sorted and filtered by DataTables; the kinds of rows stay apart, however the rest is sorted.
const library = URL.createObjectURL(new Blob([document.getElementById("datatables").textContent], { type: "text/javascript" }));
const { default: DataTable } = await import(library);
URL.revokeObjectURL(library);
const numeric = { targets: "number", type: "num" };
const plain = { paging: false, autoWidth: false, order: [] };
all("table.board").forEach((table) => new DataTable(table, {
  ...plain,
  orderFixed: { pre: [[0, "asc"]] },
  columnDefs: [{ targets: 0, visible: false }, numeric],
  layout: { topStart: "search", topEnd: "info", bottomStart: null, bottomEnd: null },
  language: { search: "Filter rows:", info: "_TOTAL_ rows", infoFiltered: "of _MAX_", infoEmpty: "0 rows", zeroRecords: "No row matches." },
}).on("order draw", () => announce(table)));

// Lines of several backends: their rows open under them.
all("table.board").forEach((table) => table.addEventListener("click", ({ target }) => {
  const button = target.closest("button.twins");
  if (!button) return;
  const { child } = new DataTable.Api(table).row(button.closest("tr"));
  if (!child()) child([...document.getElementById(button.dataset.twins).content.cloneNode(true).children]);
  const open = !child.isShown();
  if (open) child.show(); else child.hide();
  button.ariaExpanded = open;
}));
// With a fixed order before the reader's, DataTables announces the direction of the fixed one.
function announce(table) {
  all("th[aria-sort]", table).forEach((header) => {
    header.ariaSort = header.classList.contains("dt-ordering-desc") ? "descending" : "ascending";
  });
}
all("table.sortable").forEach((table) => new DataTable(table, {
  ...plain, columnDefs: [numeric], searching: false, info: false, layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
}));
document.documentElement.dataset.ready = "yes";
