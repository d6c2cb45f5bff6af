// The details of one configuration, and the comparison of several.

/** Show a configuration's details; `go` scrolls to them. */
function openRow(index, go) {
  state.open = index;
  showDetail(rows[index]);
  refresh();
  if (go) byId("detail").scrollIntoView({ behavior: "smooth", block: "start" });
}

function showDetail(row) {
  const place = byId("detail");
  const close = make(
    "button",
    {
      type: "button",
      onclick: () => {
        state.open = null;
        place.hidden = true;
        refresh();
      },
    },
    "Close",
  );
  const known = data.columns.filter((column) => column.values[row.index] !== null);
  place.hidden = false;
  place.replaceChildren(
    make("h2", { id: "detail-title" }, `${fullName(row)} `, badge(row), rows.length > 1 ? close : null),
    make("p", { class: "task" }, row.about ?? ""),
    make("dl", { class: "cards" }, ...known.map((column) => card(column, row))),
    make("ul", { class: "plain" }, ...row.details.said.map((text) => make("li", null, text))),
    ...row.details.tables.flatMap((table) => [
      make("h3", null, table.title),
      tableOf(table.columns, { bars: table.title === "Layers" }),
    ]),
    ...costOf(row),
    ...rangesOf(row),
    make(
      "details",
      { open: rows.length === 1 },
      make("summary", null, "Ports, checks and origin"),
      make("dl", { class: "facts" }, ...row.details.facts.map(fact)),
    ),
  );
}

function card(column, row) {
  return make(
    "div",
    { title: column.description },
    make("dt", null, column.heading),
    make("dd", null, shown(column.values[row.index], column)),
    originMark(originOf(column, row.index)) ?? make("span", { class: "origin" }, "asked for"),
  );
}

/** What an inference takes on each device, and how that is known. */
function costOf(row) {
  const { cost } = row.details;
  if (!cost || !cost.columns.length) return [];
  const said = cost.said.map((text) => make("li", null, text));
  return [make("h3", null, "Cost"), tableOf(cost.columns), make("ul", { class: "plain note" }, ...said)];
}

/** Ranges of weights and activations, each with the bits of its type; unused bits are hollow. */
function rangesOf(row) {
  const { ranges } = row.details;
  if (!ranges) return [];
  const scroll = tableOf(ranges.columns);
  const table = scroll.querySelector("table");
  table.tHead.rows[0].append(make("th", { scope: "col", class: "text" }, "bits, highest first"));
  const share = ranges.columns.findIndex((column) => column.heading.startsWith("at the limits"));
  [...table.tBodies[0].rows].forEach((line, index) => {
    const bits = ranges.bits[index];
    if (bits.saturates && share > 0) line.cells[share].classList.add("open");
    line.append(make("td", { class: "text" }, stripOf(bits)));
  });
  const said =
    "No value uses a hollow bit: hollow high bits repeat the sign or are zero, hollow low bits are zero. " +
    "The line is the binary point. Values at the limits equal the greatest value of their type or, if it " +
    "is signed, the least; they include all values that saturated.";
  return [make("h3", null, "Ranges against types"), scroll, make("p", { class: "note" }, said)];
}

function stripOf({ width, integer, high, low }) {
  if (width > 64) return `${width}`;
  const cells = Array.from({ length: width }, (_, at) => {
    const used = at >= high && at < width - low;
    const point = at === integer && at > 0;
    return make("i", { class: `${used ? "used" : ""}${point ? " point" : ""}` });
  });
  const label = `${width} bits, ${Math.min(high, width)} high and ${low} low ones unused`;
  return make("span", { class: "strip", role: "img", "aria-label": label, title: label }, ...cells);
}

const fact = ([name, text]) => make("div", null, make("dt", null, name), make("dd", null, text));

/** Add a configuration to the comparison, or remove it. */
function compare(index, wanted) {
  state.compared = state.compared.filter((other) => other !== index);
  if (wanted) state.compared.push(index);
  refresh();
}

/** Every figure of the compared configurations, marked better or worse than that of the first. */
function showComparison() {
  const held = state.compared.map((index) => rows[index]);
  byId("compare").hidden = held.length < 2;
  if (held.length < 2) return;
  const heads = held.map((row, at) => {
    const first = make(
      "button",
      {
        type: "button",
        title: "Compare the others with this one",
        onclick: () => {
          state.compared = [row.index, ...state.compared.filter((other) => other !== row.index)];
          refresh();
        },
      },
      fullName(row),
    );
    return make("th", { scope: "col", class: "number" }, at ? first : fullName(row));
  });
  const known = data.columns.filter((c) => held.some((row) => c.values[row.index] !== null));
  const chosen = data.choices.filter((c) => new Set(held.map((r) => c.cells[r.index])).size > 1);
  const body = [
    make("tr", null, make("th", { scope: "row" }, "verification"),
      ...held.map((row) => make("td", { class: "number" }, badge(row)))),
    ...chosen.map((choice) =>
      make("tr", null, make("th", { scope: "row" }, choice.heading),
        ...held.map((row) => make("td", { class: "number" }, choice.cells[row.index]))),
    ),
    ...known.map((column) =>
      make("tr", { title: column.description }, make("th", { scope: "row" }, column.heading),
        ...held.map((row) => comparedCell(column, row, held[0]))),
    ),
  ];
  byId("compare-table").replaceChildren(
    make("thead", null, make("tr", null, make("th", { scope: "col", class: "text" }, "figure"), ...heads)),
    make("tbody", null, ...body),
  );
}

function comparedCell(column, row, first) {
  const [value, base] = [column.values[row.index], column.values[first.index]];
  const cell = make("td", { class: "number" }, shown(value, column));
  const origin = originMark(originOf(column, row.index));
  if (origin) cell.append(" ", origin);
  if (row === first || value === null || base === null || value === base) return cell;
  const better = value < base === (column.better === "less");
  const change = base ? ` ${(100 * (value - base)) / Math.abs(base) > 0 ? "+" : "−"}${shown(Math.abs((100 * (value - base)) / base), 1)} %` : "";
  const kind = column.chosen ? "change" : better ? "change better" : "change worse";
  const sign = column.chosen ? "" : better ? "▲" : "▼";
  const said = column.chosen ? "differs" : better ? "better" : "worse";
  cell.append(make("span", { class: kind, title: said }, `${sign}${change}`));
  return cell;
}

/** The changes of each model since an older report. */
function showChanges() {
  byId("changes").hidden = data.changes.length === 0;
  const judge = (heading, text) =>
    heading === "verdict" && text ? (text === "better" ? "good" : "bad") : null;
  for (const change of data.changes) {
    const parts = several ? [make("h3", null, change.model)] : [];
    if (change.columns.length) {
      const table = tableOf(change.columns, { judge });
      const verdicts = change.columns.find((column) => column.heading === "verdict");
      const only = make("input", { type: "checkbox", class: "only-worse" });
      only.addEventListener("change", () => {
        for (const line of table.querySelectorAll("tbody tr")) {
          line.hidden = only.checked && line.querySelector(".badge.bad") === null;
        }
      });
      parts.push(verdicts ? make("label", { class: "tick" }, only, " Worse only") : null, table);
    }
    parts.push(make("ul", null, ...change.said.map((text) => make("li", null, text))));
    byId("changes").append(...parts.filter(Boolean));
  }
}
