"use strict";

// Sorting: unknown figures stay at the end whichever way the rest goes.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  const names = new Intl.Collator("en", { numeric: true });
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const falling = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const numeric = heading.classList.contains("number");
      const key = (row) => {
        const cell = row.cells[column];
        return numeric ? cell.dataset.value : cell.textContent.trim() || undefined;
      };
      const order = (a, b) => (numeric ? a - b : names.compare(a, b)) * (falling ? -1 : 1);
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) =>
        a === undefined || b === undefined ? (a === undefined) - (b === undefined) : order(a, b),
      );
      body.append(...rows.map(([, row]) => row));
    });
  });
}

// Plots: colours of text and grid follow the page, and the paper when it is printed.
async function draw() {
  const packed = document.getElementById("plotly");
  if (!packed) return;
  const bytes = Uint8Array.from(atob(packed.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);

  const specs = JSON.parse(document.getElementById("plots").textContent);
  const figures = [...document.querySelectorAll("[data-plot]")];
  const theme = (printed) => {
    const page = getComputedStyle(document.documentElement);
    const ink = printed ? "#000" : page.getPropertyValue("--ink").trim();
    const line = printed ? "#bbb" : page.getPropertyValue("--line").trim();
    const ground = printed ? "#fff" : page.getPropertyValue("--ground").trim();
    return {
      "font.color": ink, "font.family": "system-ui, sans-serif",
      "paper_bgcolor": ground, "plot_bgcolor": ground,
      "xaxis.gridcolor": line, "yaxis.gridcolor": line,
      "hoverlabel.bgcolor": ground, "hoverlabel.bordercolor": line, "hoverlabel.font.color": ink,
    };
  };
  const paint = (printed) => {
    const colours = theme(printed);
    for (const figure of figures) {
      const inked = figure.data.flatMap((trace, index) => (trace.meta === "ink" ? [index] : []));
      const style = { "marker.color": colours["font.color"] };
      // Paper is about 1000 pixels wide; on the screen plots are as wide as their place.
      const width = figure.closest(".plots") ? 470 : 960;
      const size = printed ? { width } : { width: null, autosize: true };
      Plotly.update(figure, inked.length ? style : {}, { ...colours, ...size }, inked);
    }
  };
  const options = { responsive: true, displayModeBar: false };
  for (const figure of figures) {
    const { data, layout } = specs[figure.dataset.plot];
    await Plotly.newPlot(figure, data, layout, options);
  }
  paint(false);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint(false));
  addEventListener("beforeprint", () => paint(true));
  addEventListener("afterprint", () => paint(false));
}

draw().catch((error) => {
  for (const figure of document.querySelectorAll("[data-plot]")) {
    figure.textContent = `No plot (${error.message}); the tables hold the same figures.`;
  }
});

// On paper everything is open.
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
