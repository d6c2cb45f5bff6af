// The head of the page, and the handlers of its controls.

function showStatus() {
  const count = (kind) => rows.filter((row) => row.state === kind).length;
  const [good, bad, open] = [count("good"), count("bad"), count("open")];
  const all = rows.length;
  const status = byId("status");
  status.classList.add(bad ? "bad" : open ? "open" : "good");
  const sign = bad ? "✗" : open ? "?" : "✓";
  const parts = [`${sign} ${good} of ${all} configurations bit-exact`];
  if (bad) parts.push(`${bad} failed`);
  if (open) parts.push(`${open} not verified`);
  const missed = data.remarks.filter((remark) => remark.level === "failure").length;
  if (missed > bad) parts.push(`${missed - bad} more failures below`);
  status.textContent = parts.join(", ");
}

function showRemarks() {
  const signs = { failure: "✗", warning: "!", note: "·" };
  const items = data.remarks.map((remark) => {
    const names = remark.rows.slice(0, 8).map((index) =>
      make("button", { type: "button", class: "name", onclick: () => openRow(index, true) }, fullName(rows[index])),
    );
    if (remark.rows.length > 8) names.push(`and ${remark.rows.length - 8} more`);
    const text = `${names.length ? ": " : ""}${remark.text}`;
    const list = names.flatMap((name, at) => (at ? [", ", name] : [name]));
    return make("li", { class: remark.level }, make("b", null, `${signs[remark.level]} `), ...list, text);
  });
  const place = byId("remarks");
  place.replaceChildren(...items.slice(0, 6));
  if (items.length > 6) {
    const more = make("button", { type: "button", onclick: () => place.replaceChildren(...items) });
    more.textContent = `${items.length - 6} more`;
    place.append(make("li", { class: "note" }, more));
  }
}

/** Show values common to all configurations once, above the table. */
function showShared() {
  const shared = data.choices
    .filter((choice) => rows.length === 1 || same(choice.cells))
    .map((choice) => [choice.heading, choice.cells[0]]);
  for (const column of data.columns) {
    if (column.chosen && (rows.length === 1 || same(column.values))) {
      shared.push([column.heading, shown(column.values[0], column)]);
    }
  }
  byId("shared").replaceChildren(...shared.filter(([, text]) => text).map(fact));
}

function options(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) => make("option", { value }, text)));
}

/** The initial axes and further figures: those that the front of the report weighs. */
function startingFront() {
  const front = data.models.flatMap((model) => model.fronts)[0];
  const names = [...figures.keys()];
  const numeric = data.columns.filter((column) => !column.chosen).map((column) => column.name);
  // A search may weigh other figures than accuracy and area; then its own are the axes.
  const pick = (usual, better) =>
    !front || front.weighed.includes(usual)
      ? usual
      : (front.weighed.find((name) => figures.get(name)?.better === better) ?? usual);
  state.across = pick(front?.across, "less") ?? numeric.find((name) => figures.get(name).better === "less") ?? "";
  state.up = pick(front?.up, "more") ?? numeric.find((name) => name !== state.across) ?? "";
  const weighs = several ? [] : (front?.weighed ?? []);
  state.weighed = weighs.filter((name) => names.includes(name) && ![state.across, state.up].includes(name));
}

function wide(figure) {
  const values = figure?.values.filter((value) => value !== null) ?? [];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return values.length > 0 && least > 0 && most > 30 * least;
}

/** Update everything that depends on the reader's choices. */
function refresh() {
  const found = inView();
  refreshTable(found);
  refreshLimits();
  byId("weighed").replaceChildren(
    ...state.weighed.map((name) =>
      chip(figures.get(name).heading, () => {
        state.weighed = state.weighed.filter((other) => other !== name);
        refresh();
      }),
    ),
  );
  showComparison();
  if (rows.length > 1) drawTrade(found);
  else byId("trade").hidden = true;
  if (!byId("layers").hidden) drawLayers(found);
}

/** Make a control change the state and update the page. */
function bind(id, name, event = "change", read = (control) => control.value) {
  const control = byId(id);
  control.addEventListener(event, () => {
    state[name] = read(control);
    refresh();
  });
}

function bindControls() {
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  bind("words", "words", "input");
  bind("model", "model");
  bind("state", "verification");
  bind("only-front", "onlyFront", "change", (control) => control.checked);
  for (const [id, name] of [["across", "across"], ["up", "up"]]) {
    byId(id).addEventListener("change", () => {
      state[name] = byId(id).value;
      byId(`${id}-log`).checked = wide(figures.get(state[name]));
      refresh();
    });
    byId(`${id}-log`).addEventListener("change", refresh);
  }
  byId("weigh").addEventListener("change", () => {
    const name = byId("weigh").value;
    if (name && !weighed().includes(name)) state.weighed.push(name);
    byId("weigh").value = "";
    refresh();
  });
  byId("limit-add").addEventListener("click", addLimit);
  byId("limit-value").addEventListener("keydown", (event) => event.key === "Enter" && addLimit());
  byId("start-anew").addEventListener("click", reset);
  byId("layer-figure").addEventListener("change", refresh);
}

function addLimit() {
  const field = byId("limit-value");
  const value = Number(field.value.replaceAll(",", "").replaceAll(" ", ""));
  const right = field.value.trim() !== "" && Number.isFinite(value);
  field.setAttribute("aria-invalid", String(!right));
  if (!right) return;
  state.limits.push({ name: byId("limit-figure").value, relation: byId("limit-relation").value, value });
  field.value = "";
  refresh();
}

function reset() {
  Object.assign(state, { words: "", model: "", verification: "", limits: [], onlyFront: false });
  byId("filters").reset();
  startingFront();
  showChoices();
  refresh();
}

/** Fill the lists of options, and show the current choice. */
function showChoices() {
  const all = data.columns.map((column) => [column.name, column.heading]);
  options(byId("limit-figure"), all);
  options(byId("across"), all);
  options(byId("up"), all);
  options(byId("weigh"), [["", "add a figure"], ...all]);
  options(byId("model"), [["", "all"], ...data.models.map((model, index) => [String(index), model.name])]);
  byId("pick-model").hidden = !several;
  byId("across").value = state.across;
  byId("up").value = state.up;
  byId("across-log").checked = wide(figures.get(state.across));
  byId("up-log").checked = false;
}

function showLayerChoices() {
  const found = layerFigures();
  byId("layers").hidden = found.size === 0;
  options(byId("layer-figure"), [...found.keys()].map((heading) => [heading, heading]));
  const area = [...found.values()].find((column) => column.adds && column.heading.includes("LUT"));
  if (area) byId("layer-figure").value = area.heading;
}

async function start() {
  const details = unpacked("details");
  showStatus();
  showRemarks();
  showShared();
  for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
  startingFront();
  showChoices();
  for (const [index, each] of JSON.parse(await details).entries()) rows[index].details = each;
  buildTable(FIRST_ROWS);
  buildPicker();
  showLayerChoices();
  showChanges();
  bindControls();
  byId("choose").hidden = false;
  if (rows.length === 1) {
    state.open = 0;
    showDetail(rows[0]);
    byId("filters").hidden = true;
  }
  refresh();
  for (const place of document.querySelectorAll("[data-plot]")) {
    const { data: traces, layout } = JSON.parse(byId(place.dataset.plot).textContent);
    draw(place, () => ({ traces, layout }));
  }
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  performance.mark("tables");
  await unpackPlotly();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => repaint(false));
  addEventListener("beforeprint", () => repaint(true));
  addEventListener("afterprint", () => repaint(false));
  document.documentElement.dataset.ready = "yes";
  setTimeout(completeTable);
}

start().catch((error) => {
  completeTable();
  for (const place of document.querySelectorAll(".plot")) {
    place.textContent = `No plot (${error.message}); the tables hold the same figures.`;
  }
});

// On paper everything is open.
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("main details")) part.open = true;
});
