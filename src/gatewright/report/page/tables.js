// Tables that sort by a click on a heading. Unknown values stay at the end in both orders.

const names = new Intl.Collator("en", { numeric: true });

/** The sort key of a row in a column: its number or text; undefined if unknown. */
function sortKey(row, column, numeric) {
  const cell = row.cells[column];
  return numeric ? cell.dataset.value : cell.textContent.trim() || undefined;
}

function sortBy(table, heading, falling) {
  const headings = [...heading.parentElement.cells];
  const column = headings.indexOf(heading);
  for (const other of headings) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const numeric = heading.classList.contains("number");
  const order = (a, b) => (numeric ? a - b : names.compare(a, b)) * (falling ? -1 : 1);
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => [sortKey(row, column, numeric), row]);
  keyed.sort(([a], [b]) =>
    a === undefined || b === undefined ? (a === undefined) - (b === undefined) : order(a, b),
  );
  body.append(...keyed.map(([, row]) => row));
}

/** Put a button into each heading that sorts by it; a second click reverses the order. */
function makeSortable(table) {
  for (const heading of table.tHead.rows[table.tHead.rows.length - 1].cells) {
    if (heading.dataset.fixed !== undefined) continue;
    const words = [...heading.childNodes].filter((node) => !node.classList?.contains("origin"));
    const button = make("button", { type: "button" }, ...words);
    heading.prepend(button);
    button.addEventListener("click", () => {
      sortBy(table, heading, heading.getAttribute("aria-sort") === "ascending");
    });
  }
}

/** A table from columns of the data: heading, cells and, for numbers, values. */
function tableOf(columns, { bars = false, judge = null } = {}) {
  const head = columns.map((column) =>
    make(
      "th",
      { scope: "col", class: column.values ? "number" : "text" },
      column.heading,
      column.origin === undefined ? null : originMark(data.origins[column.origin]),
    ),
  );
  const body = columns[0].cells.map((_, index) =>
    make("tr", null, ...columns.map((column, at) => cellOf(column, index, at === 0, bars, judge))),
  );
  const table = make(
    "table",
    { class: "sortable" },
    make("thead", null, make("tr", null, ...head)),
    make("tbody", null, ...body),
  );
  makeSortable(table);
  return make("div", { class: "scroll", tabIndex: 0, role: "region" }, table);
}

function cellOf(column, index, first, bars, judge) {
  const text = column.cells[index];
  if (first) return make("th", { scope: "row" }, text);
  if (!column.values) {
    const kind = judge?.(column.heading, text);
    const words = kind ? make("span", { class: `badge ${kind}` }, text) : text;
    return make("td", { class: `text${text.length < 30 ? " short" : " wide"}` }, words);
  }
  const value = column.values[index];
  if (value === null) return make("td", { class: "number unknown" }, text);
  const cell = make("td", { class: "number", "data-value": String(value) }, text);
  if (bars && column.origin !== undefined) {
    const most = Math.max(1e-9, ...column.values);
    cell.classList.add("bar");
    cell.style.setProperty("--share", `${Math.max(0, (100 * value) / most).toFixed(1)}%`);
  }
  return cell;
}
