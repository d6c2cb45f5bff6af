// Scatter plots as SVG, in the page's own colours. Texts become text nodes only.

const MARGIN = { left: 64, right: 24, top: 22, bottom: 46 };
const REACH = 16; // pixels between the pointer and the point that it means
const DRAG = 6; // pixels from which a movement is a drag

const charts = new Map(); // from element to what it shows

/** An element of SVG with attributes and children. */
function shape(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Show a chart in an element, or another in its place.
 *
 * A chart has `across` and `up` (title, log, zero: whether the axis starts there), `groups` of
 * points (name, colour, faint; per point x, y, symbol, size, label, below, about: its tooltip or
 * a function that gives it, row), `edges` (points, step: "hv" or "vh") and `levels` (y, label).
 */
function drawChart(place, chart, click) {
  const before = charts.get(place);
  const same = before && ["across", "up"].every((axis) => before.chart[axis].title === chart[axis].title);
  charts.set(place, { chart, click, hidden: before?.hidden ?? new Set(), zoom: same ? before.zoom : null });
  paint(place);
  if (!before) new ResizeObserver(() => resized(place)).observe(place);
}

function resized(place) {
  const { width } = charts.get(place);
  if (place.clientWidth > 0 && place.clientWidth !== width) paint(place);
}

function paint(place) {
  const held = charts.get(place);
  const { chart, hidden, zoom } = held;
  held.width = place.clientWidth;
  const width = Math.max(280, place.clientWidth || 900);
  const height = Math.max(320, Math.min(460, innerHeight * 0.6));
  const groups = chart.groups.filter((group) => !hidden.has(group.name));
  const points = groups.flatMap((group) => group.points.map((point) => ({ ...point, group })));
  const levels = chart.levels ?? [];
  const ys = [...points, ...levels].map((one) => one.y);
  const x = scaleOf(chart.across, points.map((one) => one.x), MARGIN.left, width - MARGIN.right, zoom?.x);
  const y = scaleOf(chart.up, ys, height - MARGIN.bottom, MARGIN.top, zoom?.y);
  const inside = (one) => x.holds(one.x) && y.holds(one.y);
  const marks = points.filter(inside).map((one) => ({ ...one, left: x.at(one.x), top: y.at(one.y) }));
  const svg = shape(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, class: "chart" },
    ...gridOf(x, y, width, height),
    ...titlesOf(chart, width, height),
    ...levels.filter((one) => y.holds(one.y)).flatMap((one) => levelOf(one, y, width)),
    ...(chart.edges ?? []).flatMap((edge) => edgeLine(edge, x, y)),
    ...marks.map(markOf),
    ...labelsOf(marks),
  );
  const tip = make("div", { class: "tip", hidden: true });
  place.replaceChildren(legendOf(place), svg, tip);
  followPointer(place, svg, tip, marks, x, y);
}

/** A linear or logarithmic scale, from values to pixels, with its ticks. */
function scaleOf(axis, values, from, to, zoom) {
  const log = axis.log && values.some((value) => value > 0);
  const turn = log ? Math.log10 : (value) => value;
  const turned = values.filter((value) => !log || value > 0).map(turn);
  let [low, high] = zoom ?? [Math.min(...turned), Math.max(...turned)];
  if (!zoom) {
    if (!turned.length) [low, high] = [0, 1];
    if (axis.zero && !log && low >= 0) low = 0;
    const room = 0.05 * (high - low || Math.abs(high) || 1);
    if (!(axis.zero && low === 0)) low -= room;
    high += room;
  }
  const at = (value) => from + ((turn(value) - low) / (high - low)) * (to - from);
  const back = (pixel) => low + ((pixel - from) / (to - from)) * (high - low);
  const holds = (value) => (!log || value > 0) && turn(value) >= low && turn(value) <= high;
  const most = Math.max(2, Math.abs(to - from) / (axis.up ? 45 : 85));
  const ticks = log ? logTicks(10 ** low, 10 ** high, most) : linearTicks(low, high, most);
  return { at, back, holds, ticks };
}

function linearTicks(low, high, most) {
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high; index += 1) {
    const value = index * step;
    found.push([value, Math.abs(value) >= 1e9 || digits > 6 ? value.toExponential(1) : shown(value, digits)]);
  }
  return found;
}

/** Ticks at 1, 2 and 5 of each power of ten, fewer where there is no room, linear in a short span. */
function logTicks(low, high, most) {
  for (const within of [[1, 2, 5], [1, 3], [1]]) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
      found.push(...within.map((one) => one * 10 ** power).filter((one) => one >= low && one <= high));
    }
    if (found.length < 2) return linearTicks(low, high, most);
    if (found.length <= most) return found.map((value) => [value, tickText(value)]);
  }
  const powers = Math.ceil(Math.log10(high / low) / most);
  const first = Math.ceil(Math.log10(low) / powers);
  const count = Math.floor(Math.log10(high) / powers) - first + 1;
  return Array.from({ length: count }, (_, index) => 10 ** ((first + index) * powers))
    .map((value) => [value, tickText(value)]);
}

const tickText = (value) =>
  value >= 1e9 || value < 1e-3 ? value.toExponential(0) : shown(value, Math.max(0, -Math.floor(Math.log10(value))));

function gridOf(x, y, width, height) {
  const bottom = height - MARGIN.bottom;
  const right = width - MARGIN.right;
  const across = x.ticks.flatMap(([value, text]) => [
    shape("line", { class: "grid", x1: x.at(value), x2: x.at(value), y1: MARGIN.top, y2: bottom }),
    shape("text", { x: x.at(value), y: bottom + 17, "text-anchor": "middle" }, text),
  ]);
  const up = y.ticks.flatMap(([value, text]) => [
    shape("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y.at(value), y2: y.at(value) }),
    shape("text", { x: MARGIN.left - 7, y: y.at(value) + 4, "text-anchor": "end" }, text),
  ]);
  return [...across, ...up];
}

function titlesOf(chart, width, height) {
  const middle = (MARGIN.top + height - MARGIN.bottom) / 2;
  const across = { class: "title across", x: (MARGIN.left + width - MARGIN.right) / 2, y: height - 8 };
  const up = { class: "title up", transform: `translate(14 ${middle}) rotate(-90)` };
  return [shape("text", across, chart.across.title), shape("text", up, chart.up.title)];
}

function levelOf({ y: value, label }, y, width) {
  const top = y.at(value);
  return [
    shape("line", { class: "level", x1: MARGIN.left, x2: width - MARGIN.right, y1: top, y2: top }),
    shape("text", { x: MARGIN.left + 4, y: top - 4 }, label),
  ];
}

/** The line along a front: its steps run round what is worse. */
function edgeLine({ points, step }, x, y) {
  const held = points.filter(([across, up]) => x.holds(across) && y.holds(up));
  if (held.length < 2) return [];
  const steps = held.map(([across, up], index) => {
    const [left, top] = [x.at(across), y.at(up)];
    if (!index) return `M${left} ${top}`;
    return step === "hv" ? `H${left}V${top}` : `V${top}H${left}`;
  });
  return [shape("path", { class: "edge", d: steps.join("") })];
}

const CORNERS = { square: [4, 45], "triangle-up": [3, -90], "triangle-down": [3, 90], pentagon: [5, -90], hexagon: [6, 0], diamond: [4, 0] };

function outline(symbol, radius) {
  if (symbol === "x") return `M${-radius} ${-radius}L${radius} ${radius}M${-radius} ${radius}L${radius} ${-radius}`;
  const corners = CORNERS[symbol];
  if (!corners) return `M${-radius} 0a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0z`;
  const [count, first] = corners;
  const at = (index) => ((first + (360 * index) / count) * Math.PI) / 180;
  const far = 1.15 * radius;
  const places = Array.from({ length: count }, (_, index) => `${far * Math.cos(at(index))} ${far * Math.sin(at(index))}`);
  return `M${places.join("L")}z`;
}

function markOf({ group, symbol, size, left, top, open }) {
  const line = symbol === "x" || open;
  return shape("path", {
    class: `mark${line ? " hollow" : ""}${group.faint ? " faint" : ""}`,
    transform: `translate(${left.toFixed(1)} ${top.toFixed(1)})`,
    d: outline(symbol, (size ?? 9) / 2),
    color: group.colour,
  });
}

/** Labels beside their points; one that would stand on another is left out. */
function labelsOf(marks) {
  const held = [];
  for (const { left, top, label, below } of marks) {
    const y = top + (below ? 18 : -9);
    const half = 3.2 * (label ?? "").length;
    const free = held.every((one) => Math.abs(one.left - left) > one.half + half || Math.abs(one.y - y) > 12);
    if (label && free) held.push({ left, y, half, label });
  }
  return held.map(({ left, y, label }) => shape("text", { class: "label", x: left, y, "text-anchor": "middle" }, label));
}

/** The groups, each of which a click hides or shows again. */
function legendOf(place) {
  const { chart, hidden } = charts.get(place);
  const entries = chart.groups.map((group) => {
    const mark = shape("svg", { viewBox: "-7 -7 14 14", class: "key" });
    mark.append(markOf({ group, left: 0, top: 0, ...group.points[0], size: 10 }));
    const toggle = () => {
      if (!hidden.delete(group.name)) hidden.add(group.name);
      paint(place);
    };
    const pressed = String(!hidden.has(group.name));
    return make("li", null, make("button", { type: "button", "aria-pressed": pressed, onclick: toggle }, mark, group.name));
  });
  return make("ul", { class: "legend" }, ...entries);
}

/** Tooltips, clicks, and the rectangle that a mouse drags to zoom; a double click shows all. */
function followPointer(place, svg, tip, marks, x, y) {
  const spot = (event) => {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  const nearest = ([left, top]) => {
    let [best, least] = [null, REACH];
    for (const mark of marks) {
      const away = Math.hypot(mark.left - left, mark.top - top);
      if (away <= least) [best, least] = [mark, away];
    }
    return best;
  };
  let start = null;
  let frame = null;
  svg.addEventListener("pointermove", (event) => {
    const now = spot(event);
    if (start && Math.hypot(now[0] - start[0], now[1] - start[1]) > DRAG) {
      frame ??= svg.appendChild(shape("rect", { class: "frame" }));
      const [left, top] = [0, 1].map((axis) => Math.min(start[axis], now[axis]));
      const sizes = [0, 1].map((axis) => Math.abs(start[axis] - now[axis]));
      for (const [name, value] of Object.entries({ x: left, y: top, width: sizes[0], height: sizes[1] })) {
        frame.setAttribute(name, value);
      }
    }
    showTip(place, svg, tip, frame ? null : nearest(now));
  });
  svg.addEventListener("pointerleave", () => showTip(place, svg, tip, null));
  svg.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    start = spot(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointerup", (event) => {
    const [from, dragged] = [start, frame !== null];
    start = null;
    if (!dragged || !from) return;
    const to = spot(event);
    const range = (scale, axis) => [scale.back(from[axis]), scale.back(to[axis])].sort((a, b) => a - b);
    charts.get(place).zoom = { x: range(x, 0), y: range(y, 1) };
    paint(place);
  });
  svg.addEventListener("click", (event) => {
    const mark = nearest(spot(event));
    const { click } = charts.get(place);
    if (mark && click && mark.row !== undefined) click(mark.row);
  });
  svg.addEventListener("dblclick", () => {
    charts.get(place).zoom = null;
    paint(place);
  });
}

function showTip(place, svg, tip, mark) {
  tip.hidden = mark === null;
  svg.classList.toggle("over", mark !== null);
  if (!mark) return;
  const [first, ...rest] = (typeof mark.about === "function" ? mark.about() : mark.about).split("\n");
  tip.replaceChildren(make("b", null, first), ...rest.map((line) => make("div", null, line)));
  const box = svg.getBoundingClientRect();
  const scale = box.width / svg.viewBox.baseVal.width;
  const left = mark.left * scale;
  const before = left > place.clientWidth / 2;
  tip.style.left = before ? "" : `${left + 14}px`;
  tip.style.right = before ? `${place.clientWidth - left + 14}px` : "";
  const above = box.top - place.getBoundingClientRect().top;
  tip.style.top = `${above + Math.max(0, mark.top * scale - 20)}px`;
}
