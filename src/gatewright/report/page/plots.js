// The plots. Plotly reads texts as markup, so names are escaped.

const GOOD = "#009E73";
const BAD = "#D55E00";
// Okabe and Ito's palette, for every kind of colour vision, on light and dark backgrounds.
const PALETTE = [
  "#0072B2", "#E69F00", "#56B4E9", "#CC79A7", "#B79F00", "#009E73", "#D55E00", "#808080",
  "#7FB8D8", "#F2CF80", "#2F6688", "#80561F", "#E5BCD3", "#5B4F00", "#80CEB9", "#404040",
];
const SYMBOLS = ["circle", "square", "triangle-up", "pentagon", "star-triangle-down", "hexagon"];

const literal = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

let source = null; // Plotly's script, unpacked; it runs for the first plot that comes into view

/** Unpack Plotly, and draw the plots that are in view; others wait until they are. */
async function unpackPlotly() {
  source = await unpacked("plotly");
  for (const place of waiting.keys()) sight.observe(place);
  if (waiting.size > 0) await looked;
}

/** Run Plotly, once; the content security policy names it. It takes a second. */
function runPlotly() {
  if (typeof Plotly !== "undefined") return;
  const script = document.createElement("script");
  script.textContent = source;
  document.head.append(script);
}

/** The colours of the page, or of paper, for a plot's text and grid. */
function theme(printed) {
  const page = getComputedStyle(document.documentElement);
  const colour = (name, paper) => (printed ? paper : page.getPropertyValue(name).trim());
  const [ink, line, ground] = [colour("--ink", "#000"), colour("--line", "#bbb"), colour("--ground", "#fff")];
  return { ink, line, ground };
}

function layoutOf(layout, printed = false) {
  const { ink, line, ground } = theme(printed);
  const axis = { gridcolor: line, linecolor: line, zeroline: false };
  return {
    ...layout,
    template: "none",
    font: { color: ink, family: "system-ui, sans-serif" },
    paper_bgcolor: ground,
    plot_bgcolor: ground,
    hoverlabel: { bgcolor: ground, bordercolor: line, font: { color: ink } },
    xaxis: { ...axis, ...layout.xaxis },
    yaxis: { ...axis, ...layout.yaxis },
  };
}

const drawn = new Map(); // from element to its traces and layout, to redraw it
const waiting = new Map(); // from element that was not in view yet to what will be drawn there

let haveLooked;
const looked = new Promise((resolve) => (haveLooked = resolve)); // once it is known what is in view
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) drawWaiting(target);
  }
  haveLooked();
});

/** Draw or redraw a plot, the first time when it is in view; `plot` gives its traces and layout. */
function draw(place, plot, click) {
  if (drawn.has(place)) {
    paint(place, plot, click);
    return;
  }
  waiting.set(place, { plot, click });
  if (source !== null) sight.observe(place);
}

function drawWaiting(place) {
  if (source === null || !waiting.has(place)) return;
  const { plot, click } = waiting.get(place);
  waiting.delete(place);
  sight.unobserve(place);
  try {
    runPlotly();
    paint(place, plot, click);
  } catch (error) {
    place.textContent = `No plot (${error.message}); the tables hold the same figures.`;
  }
}

function paint(place, plot, click) {
  const { traces, layout } = plot();
  const { ink } = theme(false);
  for (const trace of traces) {
    if (trace.meta === "ink") trace.marker = { ...trace.marker, color: ink };
  }
  drawn.set(place, { traces, layout });
  Plotly.react(place, traces, layoutOf(layout), { responsive: true, displayModeBar: false });
  place.removeAllListeners?.("plotly_click");
  if (click) place.on("plotly_click", click);
}

function repaint(printed) {
  if (printed) [...waiting.keys()].forEach(drawWaiting);
  for (const [place, { traces, layout }] of drawn) {
    const size = printed ? { width: 960 } : { width: undefined, autosize: true };
    Plotly.react(place, traces, { ...layoutOf(layout, printed), ...size });
  }
}

/** The rows by their group of points. */
function groupOf(row, front) {
  if (row.state === "bad") return "verification failed";
  return front.has(row.index) ? "on the front" : "not on the front";
}

function hoverOf(row) {
  const told = columnsOfTable.filter((c) => c.figure && visible.has(c.key)).slice(0, 14);
  const parts = [`<b>${literal(fullName(row))}</b>`, literal(row.verdict)];
  for (const name of new Set([...weighed(), ...told.map((c) => c.key)])) {
    const figure = figures.get(name);
    if (figure.values[row.index] === null) continue;
    const origin = originOf(figure, row.index);
    const how = origin ? `, ${origin.method}` : "";
    const value = shown(figure.values[row.index], figure);
    parts.push(literal(`${figure.heading}: ${value}${how}`));
  }
  return parts.join("<br>");
}

function axisTitle(figure) {
  const methods = new Set(rows.map((row) => originOf(figure, row.index)?.method).filter(Boolean));
  return literal(methods.size ? `${figure.heading}, ${[...methods].join(" or ")}` : figure.heading);
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
  const plot = () => ({
    traces: data.models.flatMap((_, index) => {
      const own = known.filter((row) => row.model === index);
      return [...edgeOf(own, across, up), ...pointsOf(own, index, front, across, up)];
    }),
    layout: tradeLayout(across, up),
  });
  draw(place, plot, (event) => {
    const row = event.points[0]?.customdata;
    if (row !== undefined) openRow(row, true);
  });
  tellTrade(front);
}

function edgeOf(own, across, up) {
  const edge = frontOf(own, [across.name, up.name]);
  const ends = own
    .filter((row) => edge.has(row.index))
    .map((row) => [across.values[row.index], up.values[row.index]])
    .sort((a, b) => a[0] - b[0]);
  if (ends.length < 2) return [];
  return [
    {
      x: ends.map(([x]) => x),
      y: ends.map(([, y]) => y),
      mode: "lines",
      line: { shape: across.better === "less" ? "hv" : "vh", width: 1.5, dash: "dot", color: GOOD },
      hoverinfo: "skip",
      showlegend: false,
    },
  ];
}

function pointsOf(own, model, front, across, up) {
  const groups = Map.groupBy ? Map.groupBy(own, (row) => groupOf(row, front)) : grouped(own, front);
  const few = own.filter((row) => front.has(row.index)).length <= 15;
  const all = !several && own.length <= 12;
  const labelled = (row) => few && (front.has(row.index) || all);
  return [...groups].map(([name, held]) => ({
    x: held.map((row) => across.values[row.index]),
    y: held.map((row) => up.values[row.index]),
    customdata: held.map((row) => row.index),
    text: held.map((row) => (labelled(row) ? literal(row.config) : "")),
    hovertext: held.map(hoverOf),
    hovertemplate: "%{hovertext}<extra></extra>",
    mode: held.some(labelled) ? "markers+text" : "markers",
    textposition: name === "on the front" ? "top center" : "bottom center",
    textfont: { size: 11 },
    marker: markerOf(name, model, held),
    name: several ? `${literal(data.models[model].name)}: ${name}` : name,
    cliponaxis: false,
  }));
}

function grouped(own, front) {
  const groups = new Map();
  for (const row of own) {
    const name = groupOf(row, front);
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return groups;
}

function markerOf(group, model, held) {
  const own = PALETTE[model % PALETTE.length];
  const colour = { "on the front": several ? own : GOOD, "verification failed": BAD };
  const hollow = group === "not on the front";
  const symbols = held.map((row) => {
    if (group === "verification failed") return "x";
    if (group === "on the front") return "diamond";
    return `${several ? SYMBOLS[model % SYMBOLS.length] : "circle"}${row.state === "open" ? "-open" : ""}`;
  });
  const sizes = held.map((row) => (row.index === state.open ? 17 : hollow ? 9 : 12));
  const line = { width: 1, color: theme(false).ground };
  const grey = several ? own : "#808080";
  return { color: colour[group] ?? grey, symbol: symbols, size: sizes, line, opacity: hollow ? 0.75 : 1 };
}

function tradeLayout(across, up) {
  const shapes = [];
  const annotations = [];
  for (const model of data.models) {
    if (several || model.float === null) continue;
    if (!/^(accuracy|error)/.test(up.name) || up.name.endsWith("_float")) continue;
    const line = { width: 1, dash: "dash", color: "#808080" };
    shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: model.float, y1: model.float, line });
    const place = { xref: "paper", x: 0, xanchor: "left", y: model.float, yanchor: "bottom" };
    annotations.push({ ...place, text: "float model", showarrow: false, font: { size: 11 } });
  }
  const axis = (figure, log) => ({
    title: { text: axisTitle(figure), standoff: 12 },
    type: log.checked ? "log" : "linear",
    tickformat: figure.digits >= 3 ? ".3f" : log.checked ? "" : ",",
  });
  return {
    height: Math.max(320, Math.min(460, innerHeight * 0.6)),
    margin: { l: 60, r: 30, t: 40, b: 50 },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    xaxis: axis(across, byId("across-log")),
    yaxis: axis(up, byId("up-log")),
    shapes,
    annotations,
  };
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
    `◆ ${front.size} on the front. ${rule} The dotted line is the front of the two axes alone.`;
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
  const place = byId("layer-plot");
  const layers = [...new Set(held.flatMap((row) => layersOf(row)[0].cells))];
  const valueOf = (row, layer) => {
    const columns = layersOf(row);
    const column = columns.find((each) => each.heading === heading);
    return column?.values[columns[0].cells.indexOf(layer)] ?? null;
  };
  const used = layers.filter((layer) => held.some((row) => valueOf(row, layer) !== null));
  const adds = layerFigures().get(heading)?.adds;
  const labels = held.map((row) => literal(fullName(row)));
  const colours = used.map((layer) => PALETTE[layers.indexOf(layer) % PALETTE.length]);
  const traces = used.map((layer, at) => ({
    type: "bar",
    orientation: "h",
    y: held.map((_, index) => index),
    x: held.map((row) => valueOf(row, layer)),
    marker: { color: colours[at] },
    hovertext: held.map((row) => literal(`${fullName(row)}, ${layer}: ${valueOf(row, layer) ?? "?"} ${heading}`)),
    hovertemplate: "%{hovertext}<extra></extra>",
    showlegend: false,
  }));
  const perRow = adds ? 34 : Math.max(34, 16 * used.length);
  const layout = {
    barmode: adds ? "stack" : "group",
    height: 80 + perRow * Math.max(1, held.length),
    margin: { l: 20, r: 20, t: 10, b: 50 },
    xaxis: { title: { text: literal(heading) }, rangemode: "tozero", tickformat: "," },
    yaxis: {
      tickvals: held.map((_, index) => index),
      ticktext: labels,
      automargin: true,
      autorange: "reversed",
      showgrid: false,
    },
  };
  draw(place, () => ({ traces, layout }));
  byId("layer-legend").replaceChildren(
    ...used.map((layer, at) => {
      const dot = make("span", { class: "dot" });
      dot.style.background = colours[at];
      return make("li", null, dot, layer);
    }),
  );
  const origin = data.origins[layerFigures().get(heading)?.origin];
  byId("layer-caption").textContent = `${heading} per layer: ${origin?.text ?? ""}. Shown: ${
    state.compared.length ? "the configurations compared" : state.open !== null ? "the configuration that is open"
      : "the front"}.`;
}
