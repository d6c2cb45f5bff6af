// The page's data, and how numbers are formatted. Texts of reports become text nodes only.

const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows.map((row, index) => ({ ...row, index })); // details follow when unpacked
const figures = new Map(data.columns.map((column) => [column.name, column]));
const several = data.models.length > 1;

/** An element with attributes, properties (`onclick`, `hidden`, ...) and children. */
function make(tag, options, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const byId = (id) => document.getElementById(id);

/** The text of a compressed script element. */
async function unpacked(id) {
  const text = byId(id).textContent;
  const packed =
    Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

const formats = new Map();

/** A figure's value as tables show it, rounded like Python does; "?" if unknown. */
function shown(value, { digits, significant }) {
  if (value === null || value === undefined) return "?";
  const key = `${digits} ${significant}`;
  if (!formats.has(key)) {
    const limits = significant
      ? { maximumSignificantDigits: significant }
      : { minimumFractionDigits: digits, maximumFractionDigits: digits };
    formats.set(key, new Intl.NumberFormat("en", { ...limits, roundingMode: "halfEven" }));
  }
  return formats.get(key).format(value);
}

/** The origin of a figure of a row; null for a setting or an unknown figure. */
function originOf(column, row) {
  if (column.values[row] === null) return null;
  const index = Array.isArray(column.origins) ? column.origins[row] : column.origins;
  return index === null ? null : data.origins[index];
}

/** The commonest origin of a column's figures; null if none has one. */
function commonOrigin(column) {
  if (!Array.isArray(column.origins)) return originless(column.origins);
  const counts = new Map();
  for (const index of column.origins) {
    if (index !== null) counts.set(index, (counts.get(index) ?? 0) + 1);
  }
  const [most] = [...counts].sort((a, b) => b[1] - a[1]);
  return most ? originless(most[0]) : null;
}

const originless = (index) => (index === null ? null : data.origins[index]);

/** A mark with the method of an origin; its tooltip has the whole origin. */
function originMark(origin) {
  if (origin === null) return null;
  return make("span", { class: `origin from-${origin.method}`, title: origin.text }, origin.method);
}

/** The name of a configuration, with its model if there are several. */
const fullName = (row) =>
  several ? `${data.models[row.model].name} · ${row.config}` : row.config;

/** The state of a configuration's verification. */
function badge(row) {
  const sign = { good: "✓", bad: "✗", open: "?" }[row.state];
  return make("span", { class: `badge ${row.state}` }, `${sign} ${row.verdict}`);
}
