// The table of configurations: its columns, filters, limits, and Pareto front.

const state = {
  words: "",
  model: "",
  verification: "",
  limits: [], // { name, relation: "most" or "least", value }
  onlyFront: false,
  across: "",
  up: "",
  weighed: [], // further names of figures
  compared: [], // indices of rows; the others are compared with the first
  open: null, // index of the row whose details are shown
};

/** The names of all figures that the front weighs. */
const weighed = () => [...new Set([state.across, state.up, ...state.weighed])].filter(Boolean);

/** Whether a row passes all filters, except that of the front. */
function keeps(row) {
  if (state.model !== "" && row.model !== Number(state.model)) return false;
  if (state.verification && row.state !== state.verification) return false;
  const said = data.choices.map((choice) => choice.cells[row.index]);
  const text = [fullName(row), row.about ?? "", row.verdict, ...said].join(" ").toLowerCase();
  if (!state.words.toLowerCase().split(/\s+/).every((word) => text.includes(word))) return false;
  return state.limits.every(({ name, relation, value }) => {
    const own = figures.get(name).values[row.index];
    return own !== null && (relation === "most" ? own <= value : own >= value);
  });
}

/**
 * The indices of rows that no other row of the same model dominates (at least as good in all
 * figures, better in one). Rows that failed verification, miss a constraint of their search, or
 * lack one of the figures are left out.
 */
function frontOf(candidates, figureNames) {
  const columns = figureNames.map((name) => figures.get(name));
  const costs = candidates
    .filter((row) => row.eligible && columns.every((c) => c.values[row.index] !== null))
    .map((row) => ({
      row,
      cost: columns.map((c) => (c.better === "less" ? 1 : -1) * c.values[row.index]),
    }));
  const betters = (other, own) =>
    other.row.model === own.row.model &&
    other.cost.every((value, i) => value <= own.cost[i]) &&
    other.cost.some((value, i) => value < own.cost[i]);
  return new Set(
    costs.filter((own) => !costs.some((other) => betters(other, own))).map((own) => own.row.index),
  );
}

/** The rows to show, and which of the rows that pass the filters are on the front. */
function inView() {
  const kept = rows.filter(keeps);
  const front = weighed().length ? frontOf(kept, weighed()) : new Set();
  return { front, view: state.onlyFront ? kept.filter((row) => front.has(row.index)) : kept };
}

const same = (cells) => rows.length > 1 && new Set(cells).size === 1;

/** The columns to choose from, text first, each with a function that fills a cell. */
const columnsOfTable = [
  ...(several
    ? [{ key: "model", heading: "model", main: true, fill: (row) => data.models[row.model].name }]
    : []),
  ...data.choices.map((choice) => ({
    key: `choice ${choice.heading}`,
    heading: choice.heading,
    main: rows.length > 1 && !same(choice.cells),
    fill: (row) => choice.cells[row.index],
  })),
  { key: "verification", heading: "verification", main: true, fill: badge },
  { key: "front", heading: "front", main: true, fill: () => "" },
  ...data.columns.map((figure) => ({
    key: figure.name,
    heading: figure.heading,
    main: figure.main && !(figure.chosen && same(figure.values)),
    figure,
  })),
];
const visible = new Set(columnsOfTable.filter((c) => c.main).map((c) => c.key));
const lines = new Map(); // from index of a row to its line of the table

function headingOf(column) {
  const { figure } = column;
  const title = figure ? `${figure.description} (${figure.better} is better)` : undefined;
  return make(
    "th",
    { scope: "col", class: figure ? "number" : "text", title, "data-key": column.key },
    column.heading,
    figure ? originMark(commonOrigin(figure)) : null,
  );
}

function cellOfRow(column, row) {
  const { figure } = column;
  if (!figure) return make("td", { class: `text ${column.key}` }, column.fill(row));
  const value = figure.values[row.index];
  if (value === null) return make("td", { class: "number unknown" }, "?");
  const origin = originOf(figure, row.index);
  const common = commonOf.get(figure.name);
  const odd = origin?.text !== common?.text;
  const estimated = origin?.method === "estimated" ? " estimated" : "";
  return make(
    "td",
    { class: `number${estimated}`, "data-value": String(value), title: odd ? origin?.text : undefined },
    shown(value, figure),
    odd ? originMark(origin) : null,
  );
}

const commonOf = new Map(data.columns.map((column) => [column.name, commonOrigin(column)]));

/** Rows that are there when the page opens: more than a screen shows. The others follow. */
const FIRST_ROWS = 100;

function lineOf(row, columns) {
  const line = make("tr", { "data-row": String(row.index) }, nameCell(row));
  line.append(...columns.map((column) => cellOfRow(column, row)));
  lines.set(row.index, line);
  return line;
}

/** Append the rows that the table does not have yet. */
function completeTable() {
  if (lines.size === rows.length) return;
  const columns = columnsOfTable.filter((column) => visible.has(column.key));
  const missing = rows.filter((row) => !lines.has(row.index));
  byId("table").tBodies[0].append(...missing.map((row) => lineOf(row, columns)));
  refreshTable(inView());
}

/** Rebuild the table after its columns changed, with its first rows or with all. */
function buildTable(count = rows.length) {
  const table = byId("table");
  const sorted = table.querySelector("th[aria-sort]");
  const order = sorted && [sorted.dataset.key, sorted.getAttribute("aria-sort")];
  const columns = columnsOfTable.filter((column) => visible.has(column.key));
  const head = make(
    "tr",
    null,
    make("th", { scope: "col", class: "text", "data-key": "config" }, "config"),
    ...columns.map(headingOf),
  );
  const body = make("tbody", null, ...rows.slice(0, count).map((row) => lineOf(row, columns)));
  table.replaceChildren(make("thead", null, head), body);
  makeSortable(table);
  if (order) {
    const heading = [...head.cells].find((cell) => cell.dataset.key === order[0]);
    if (heading) sortBy(table, heading, order[1] === "descending");
  }
}

function nameCell(row) {
  const tick = make("input", {
    type: "checkbox",
    "aria-label": `Compare ${fullName(row)}`,
    checked: state.compared.includes(row.index),
    onchange: () => compare(row.index, tick.checked),
  });
  const open = make(
    "button",
    { type: "button", class: "name", title: row.about ?? undefined, onclick: () => openRow(row.index, true) },
    row.config,
  );
  return make("th", { scope: "row" }, tick, open);
}

/** Update the lines of the table, the marks of the front, and the count. */
function refreshTable({ view, front }) {
  const held = new Set(view.map((row) => row.index));
  for (const [index, line] of lines) {
    line.hidden = !held.has(index);
    line.classList.toggle("open", index === state.open);
    line.classList.toggle("best", front.has(index));
    const mark = line.querySelector("td.front");
    if (mark) mark.textContent = front.has(index) ? "◆" : "";
  }
  byId("count").textContent =
    view.length === rows.length ? `${rows.length}` : `${view.length} of ${rows.length}`;
}

/** The list of columns to choose from. */
function buildPicker() {
  const boxes = columnsOfTable.map((column) => {
    const box = make("input", {
      type: "checkbox",
      checked: visible.has(column.key),
      onchange: () => {
        if (box.checked) visible.add(column.key);
        else visible.delete(column.key);
        buildTable();
        refresh();
      },
    });
    const title = column.figure?.description;
    return make("label", { class: "tick", title }, box, ` ${column.heading}`);
  });
  byId("columns").replaceChildren(...boxes);
}

/** A removable entry of a list. */
function chip(text, remove) {
  const button = make("button", { type: "button", "aria-label": `Remove ${text}`, onclick: remove }, "×");
  return make("li", null, text, button);
}

function refreshLimits() {
  byId("limits").replaceChildren(
    ...state.limits.map((limit) => {
      const figure = figures.get(limit.name);
      const sign = limit.relation === "most" ? "≤" : "≥";
      return chip(`${figure.heading} ${sign} ${limit.value}`, () => {
        state.limits = state.limits.filter((other) => other !== limit);
        refresh();
      });
    }),
  );
}
