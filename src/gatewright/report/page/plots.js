// What the plots show: the trade-off of two figures, and bars per layer.

const GOOD = "#009E73";
const BAD = "#D55E00";
// Okabe and Ito's palette, for every kind of colour vision, on light and dark backgrounds.
const PALETTE = [
  "#0072B2", "#E69F00", "#56B4E9", "#CC79A7", "#B79F00", "#009E73", "#D55E00", "#808080",
  "#7FB8D8", "#F2CF80", "#2F6688", "#80561F", "#E5BCD3", "#5B4F00", "#80CEB9", "#404040",
];
const SYMBOLS = ["circle", "square", "triangle-up", "pentagon", "triangle-down", "hexagon"];

/** The rows by their group of points. */
function groupOf(row, front) {
  if (row.state === "bad") return "verification failed";
  return front.has(row.index) ? "on the front" : "not on the front";
}

function hoverOf(row) {
  const told = columnsOfTable.filter((c) => c.figure && visible.has(c.key)).slice(0, 14);
  const parts = [fullName(row), row.verdict];
  for (const name of new Set([...weighed(), ...told.map((c) => c.key)])) {
    const figure = figures.get(name);
    if (figure.values[row.index] === null) continue;
    const origin = originOf(figure, row.index);
    const how = origin ? `, ${origin.method}` : "";
    const value = shown(figure.values[row.index], figure.digits);
    parts.push(`${figure.heading}: ${value}${how}`);
  }
  return parts.join("\n");
}

function axisTitle(figure) {
  const methods = new Set(rows.map((row) => originOf(figure, row.index)?.method).filter(Boolean));
  return methods.size ? `${figure.heading}, ${[...methods].join(" or ")}` : figure.heading;
}

/** Points of the two selected figures, and a line along their two-dimensional front. */
function drawTrade({ view, front }) {
  const place = byId("trade-plot");
  const [across, up] = [figures.get(state.across), figures.get(state.up)];
  byId("trade").hidden = !across || !up || across === up;
  if (byId("trade").hidden) return;
  const known = view.filter(
    (row) => across.values[row.index] !== null && up.values[row.index] !== null,
  );
  const chart = {
    across: { title: axisTitle(across), log: byId("across-log").checked },
    up: { title: axisTitle(up), log: byId("up-log").checked, up: true },
    groups: [],
    edges: [],
    levels: levelsOf(up),
  };
  for (const [index] of data.models.entries()) {
    const own = known.filter((row) => row.model === index);
    chart.edges.push(edgeOf(own, across, up));
    chart.groups.push(...groupsOf(own, index, front, across, up));
  }
  drawChart(place, chart, (row) => openRow(row, true));
  tellTrade(front);
}

function edgeOf(own, across, up) {
  const edge = frontOf(own, [across.name, up.name]);
  const points = own
    .filter((row) => edge.has(row.index))
    .map((row) => [across.values[row.index], up.values[row.index]])
    .sort((a, b) => a[0] - b[0]);
  return { points, step: across.better === "less" ? "hv" : "vh" };
}

function groupsOf(own, model, front, across, up) {
  const held = new Map();
  for (const row of own) {
    const name = groupOf(row, front);
    held.set(name, [...(held.get(name) ?? []), row]);
  }
  const few = own.filter((row) => front.has(row.index)).length <= 15;
  const all = !several && own.length <= 12;
  const labelled = (row) => few && (front.has(row.index) || all);
  return [...held].map(([name, group]) => ({
    name: several ? `${data.models[model].name}: ${name}` : name,
    colour: colourOf(name, model),
    faint: name === "not on the front",
    points: group.map((row) => ({
      x: across.values[row.index],
      y: up.values[row.index],
      row: row.index,
      symbol: symbolOf(name, model),
      open: row.state === "open" && name !== "on the front",
      size: row.index === state.open ? 17 : name === "not on the front" ? 9 : 12,
      label: labelled(row) ? row.config : "",
      below: name !== "on the front",
      about: () => hoverOf(row),
    })),
  }));
}

function colourOf(group, model) {
  const own = PALETTE[model % PALETTE.length];
  if (group === "verification failed") return BAD;
  return several ? own : group === "on the front" ? GOOD : "#808080";
}

function symbolOf(group, model) {
  if (group === "verification failed") return "x";
  if (group === "on the front") return "diamond";
  return several ? SYMBOLS[model % SYMBOLS.length] : "circle";
}

/** The accuracy of the float model, against accuracies of a single model. */
function levelsOf(up) {
  const { float } = data.models[0];
  const compared = up.name.startsWith("accuracy") && up.name !== "accuracy_float";
  return several || float === null || !compared ? [] : [{ y: float, label: "float model" }];
}

function tellTrade(front) {
  const told = weighed().map((name) => {
    const figure = figures.get(name);
    return `${figure.heading} (${figure.better} is better)`;
  });
  const given = several ? undefined : data.models[0].fronts.find(
    (one) =>
      one.weighed.length === weighed().length &&
      one.weighed.every((name) => weighed().includes(name)),
  );
  const each = several ? ", among the configurations of its model" : "";
  const rule =
    given?.said ??
    `The front weighs ${told.join(", ")}. On it is each configuration unless another is as good in ` +
      `all and better in one${each}. A configuration that failed verification or misses a constraint ` +
      "of its search is never on it.";
  byId("trade-caption").textContent =
    `◆ ${front.size} on the front. ${rule} The dotted line is the front of the two axes alone. ` +
    "Drag across the plot to zoom, double-click to see all; a click on a point opens the configuration.";
}

/** The configurations whose layers are shown: those compared, else the front, else the first. */
function layeredRows({ view, front }) {
  if (state.compared.length) return state.compared.map((index) => rows[index]);
  if (state.open !== null) return [rows[state.open]];
  const best = view.filter((row) => front.has(row.index));
  return (best.length ? best : view).slice(0, 12);
}

const layersOf = (row) => row.details.tables.find((table) => table.title === "Layers")?.columns;

/** The figures of layers by heading, each with its origin. */
function layerFigures() {
  const found = new Map();
  for (const row of rows) {
    for (const column of layersOf(row) ?? []) {
      if (column.values && column.origin !== undefined && !found.has(column.heading)) {
        found.set(column.heading, column);
      }
    }
  }
  return found;
}

/** Bars per layer: stacked if they add up to the figure of the design, else side by side. */
function drawLayers(found) {
  const heading = byId("layer-figure").value;
  const held = layeredRows(found).filter((row) => layersOf(row));
  const layers = [...new Set(held.flatMap((row) => layersOf(row)[0].cells))];
  const valueOf = (row, layer) => {
    const columns = layersOf(row);
    const column = columns.find((each) => each.heading === heading);
    return column?.values[columns[0].cells.indexOf(layer)] ?? null;
  };
  const used = layers.filter((layer) => held.some((row) => valueOf(row, layer) !== null));
  const figure = layerFigures().get(heading);
  const colours = used.map((layer) => PALETTE[layers.indexOf(layer) % PALETTE.length]);
  const bars = held.map((row) => ({
    label: fullName(row),
    parts: used.map((layer, at) => ({ layer, value: valueOf(row, layer), colour: colours[at] })),
  }));
  byId("layer-plot").replaceChildren(barsOf(bars, heading, figure?.adds));
  byId("layer-legend").replaceChildren(
    ...used.map((layer, at) => {
      const dot = make("span", { class: "dot" });
      dot.style.background = colours[at];
      return make("li", null, dot, layer);
    }),
  );
  const origin = data.origins[figure?.origin];
  byId("layer-caption").textContent = `${heading} per layer: ${origin?.text ?? ""}. Shown: ${
    state.compared.length ? "the configurations compared" : state.open !== null ? "the configuration that is open"
      : "the front"}.`;
}

/** Bars of numbers, a line per label: their parts in a row if they add up, else one below the other. */
function barsOf(bars, heading, adds) {
  const sums = bars.map(({ parts }) => parts.reduce((sum, part) => sum + (part.value ?? 0), 0));
  const most = Math.max(1e-9, ...(adds ? sums : bars.flatMap(({ parts }) => parts.map((part) => part.value ?? 0))));
  const lines = bars.flatMap(({ label, parts }, at) => {
    const known = parts.filter((part) => part.value !== null);
    const strips = known.map((part) => {
      const strip = make("i", { title: `${label}, ${part.layer}: ${part.value} ${heading}`, "data-value": String(part.value) });
      strip.style.width = `${(100 * Math.max(0, part.value)) / most}%`;
      strip.style.background = part.colour;
      return strip;
    });
    const total = adds && known.length ? sums[at].toLocaleString("en", { maximumFractionDigits: 3 }) : "";
    return [
      make("span", { class: "bar-label" }, label),
      make("span", { class: adds ? "bar-parts" : "bar-parts beside" }, ...strips),
      make("span", { class: "number" }, total),
    ];
  });
  return make("div", { class: "bars" }, ...lines);
}
