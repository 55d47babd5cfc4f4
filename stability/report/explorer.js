// All runs: one table in pages, sorted and filtered here, beside the parallel coordinates of the same runs.
(() => {
  const source = document.getElementById("runs-data");
  if (!source) return;
  const { element, number } = page;
  const PAGE = 50;
  const data = JSON.parse(source.textContent);
  const named = new Map(data.columns.map((column) => [column.name, column]));
  const shown = data.columns.filter((column) => column.shown);
  const collator = new Intl.Collator("en", { numeric: true });
  const search = document.getElementById("search");
  const outcome = document.getElementById("outcome");
  const status = document.getElementById("shown");
  const body = document.querySelector("#all-runs tbody");
  const column = (name) => named.get(name);
  let order = Int32Array.from({ length: data.n }, (_, row) => row);
  let matched = new Uint8Array(data.n).fill(1);
  let rows = order;
  let current = 0;
  let texts = null;

  data.text = (one, row) => {
    const value = one.values[row];
    if (one.kind === "number") return number(value);
    return one.levels.length ? one.levels[value] : value;
  };

  // Missing values stay last in both directions; levels sort as text, like everything else that is text.
  function keys(one) {
    if (one.kind === "number") {
      const infinite = { inf: Infinity, "-inf": -Infinity };
      return one.values.map((value) => (typeof value === "string" ? infinite[value] : value));
    }
    const listed = one.levels.length ? one.levels : [...new Set(one.values)];
    const ranked = [...listed].sort(collator.compare);
    const rank = new Map(ranked.map((text, place) => [text, place]));
    return one.values.map((value) => rank.get(one.levels.length ? one.levels[value] : value));
  }

  function sortBy(one, header) {
    const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of document.querySelectorAll("#all-runs thead th")) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    const key = keys(one);
    order = Int32Array.from({ length: data.n }, (_, row) => row).sort((a, b) => {
      const [x, y] = [key[a], key[b]];
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      return direction * (x - y) || a - b || 0;
    });
    select();
  }

  function words() {
    texts ??= Array.from({ length: data.n }, (_, row) =>
      shown.map((one) => data.text(one, row)).join("\u0001").toLowerCase(),
    );
    return texts;
  }

  function filter() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const known = wanted.length ? words() : null;
    const chosen = column("outcome").levels.indexOf(outcome.value);
    const ends = column("outcome").values;
    for (let row = 0; row < data.n; row += 1) {
      matched[row] = Number(
        (chosen < 0 || ends[row] === chosen)
        && lines.accepts(row)
        && (!known || wanted.every((word) => known[row].includes(word))),
      );
    }
    select();
    requestAnimationFrame(() => lines.show(matched.includes(0) ? matched : null));
  }

  function select() {
    rows = order.filter((row) => matched[row]);
    current = 0;
    render();
  }

  function cell(one, row) {
    const text = data.text(one, row);
    if (one.name === "run") {
      return element("th", { scope: "row" }, element("button", { type: "button", class: "run-link" }, text));
    }
    if (one.name === "outcome") return element("td", {}, page.badge(text));
    const kind = one.kind === "number" ? "count" : one.name === "reason" ? "long" : null;
    return element("td", { class: kind }, text);
  }

  function render() {
    const last = Math.max(0, Math.ceil(rows.length / PAGE) - 1);
    current = Math.max(0, Math.min(current, last));
    const visible = Array.from(rows.slice(current * PAGE, (current + 1) * PAGE));
    body.replaceChildren(...visible.map((row) =>
      element("tr", { "data-row": row }, ...shown.map((one) => cell(one, row))),
    ));
    status.textContent = `${number(rows.length)} of ${number(data.n)} runs`;
    document.getElementById("page-number").textContent = `page ${number(current + 1)} of ${number(last + 1)}`;
    for (const id of ["page-first", "page-previous"]) document.getElementById(id).disabled = current === 0;
    for (const id of ["page-next", "page-last"]) document.getElementById(id).disabled = current === last;
    const drawn = rows.length > parallel.MOST ? `${number(parallel.MOST)} of the ` : "";
    document.getElementById("lines-shown").textContent =
      `${drawn}${number(rows.length)} runs that pass the filters are coloured by outcome; others are grey.`;
    document.getElementById("no-runs").hidden = rows.length > 0;
  }

  function turn(id, move) {
    document.getElementById(id).addEventListener("click", () => {
      current = move();
      render();
      document.getElementById("all-runs").closest(".scroll").scrollTop = 0;
    });
  }

  function makeHeaders() {
    const headers = shown.map((one) => {
      const button = element("button", { type: "button" }, one.name.replaceAll("_", " "));
      const header = element("th", { scope: "col", "aria-sort": "none", class: one.kind === "number" ? "count" : null }, button);
      button.addEventListener("click", () => sortBy(one, header));
      return header;
    });
    document.querySelector("#all-runs thead tr").replaceChildren(...headers);
  }

  // The brushes once more as fields, for keyboards and touch.
  function makeFields() {
    const fields = lines.axes.filter((axis) => axis.column.name !== "outcome").map((axis) => {
      const legend = element("legend", {}, axis.column.name.replaceAll("_", " "));
      const inputs = axis.column.levels.length ? levelFields(axis) : rangeFields(axis);
      return element("fieldset", {}, legend, ...inputs);
    });
    document.getElementById("brush-fields").replaceChildren(...fields);
  }

  function rangeFields(axis) {
    const [from, to] = ["from", "to"].map((text) => element("input", { type: "number", step: "any", "aria-label": `${axis.column.name} ${text}` }));
    const change = () => {
      if (from.value === "" && to.value === "") return lines.setBrush(axis, null);
      const low = from.value === "" ? 0 : axis.toHeight(Number(from.value));
      const high = to.value === "" ? 1 : axis.toHeight(Number(to.value));
      return lines.setBrush(axis, { low: Number.isNaN(low) ? 0 : low, high });
    };
    from.addEventListener("change", change);
    to.addEventListener("change", change);
    axis.tell = (brush) => {
      const shows = (height) => Number(axis.toValue(Math.max(0, height)).toPrecision(3));
      from.value = brush && brush.low > 0 ? shows(brush.low) : "";
      to.value = brush && brush.high < 1 ? shows(brush.high) : "";
    };
    return [from, " to ", to];
  }

  function levelFields(axis) {
    const boxes = axis.column.levels.map(() => element("input", { type: "checkbox", checked: true }));
    const change = () => {
      const kept = boxes.flatMap((box, level) => (box.checked ? [level] : []));
      lines.setBrush(axis, kept.length === boxes.length ? null : { levels: new Set(kept) });
    };
    for (const box of boxes) box.addEventListener("change", change);
    axis.tell = (brush) => boxes.forEach((box, level) => {
      box.checked = !brush || brush.levels.has(level);
    });
    return boxes.map((box, level) => element("label", {}, box, ` ${axis.column.levels[level]}`));
  }

  function brushesMoved() {
    for (const axis of lines.axes) if (axis.tell) axis.tell(lines.brushes.get(axis));
    filter();
  }

  function clear() {
    search.value = "";
    outcome.value = "";
    lines.brushes.clear();
    brushesMoved();
  }

  // Plotly takes a second to start, so it starts when its place comes near.
  function drawWhenNear(place) {
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      lines.start().catch(() => {
        place.textContent = "This browser is too old to draw the lines; the table below has every run.";
      });
    }, { rootMargin: "600px" });
    watch.observe(place);
  }

  const place = document.getElementById("parallel");
  const open = panel.make(data, column).open;
  const lines = parallel.make(place, data.columns, data.n, data.colours, { brush: brushesMoved, open });
  makeHeaders();
  makeFields();
  render();
  search.addEventListener("input", filter);
  outcome.addEventListener("change", filter);
  document.getElementById("clear-filters").addEventListener("click", clear);
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row && !window.getSelection().toString()) open(Number(row.dataset.row));
  });
  turn("page-first", () => 0);
  turn("page-previous", () => current - 1);
  turn("page-next", () => current + 1);
  turn("page-last", () => Infinity);
  document.getElementById("explorer").hidden = false;
  document.getElementById("needs-script").hidden = true;
  drawWhenNear(place);
})();
