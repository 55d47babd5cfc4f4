// All runs: one table in pages, sorted and filtered here, beside the parallel coordinates of the same runs.
(() => {
  const source = document.getElementById("runs-data");
  if (!source) return;
  const { element, number } = page;
  const PAGE = 50;
  const ADDRESS = "#table?";
  const data = JSON.parse(source.textContent);
  const named = new Map(data.columns.map((column) => [column.name, column]));
  const shown = data.columns.filter((column) => column.shown);
  const collator = new Intl.Collator("en", { numeric: true });
  const byId = (id) => document.getElementById(id);
  const [search, outcome, pictures] = ["search", "outcome", "pictures"].map(byId);
  const body = document.querySelector("#all-runs tbody");
  const column = (name) => named.get(name);
  const [runs, ends] = [column("run"), column("outcome")];
  let order = Int32Array.from({ length: data.n }, (_, row) => row);
  let matched = new Uint8Array(data.n).fill(1);
  let rows = order;
  let current = 0;
  let texts = null;
  let open = null;

  data.text = (one, row) => {
    const value = one.values[row];
    if (one.kind === "number") return number(value);
    return one.levels.length ? one.levels[value] : value;
  };
  const places = new Map(Array.from({ length: data.n }, (_, row) => [data.text(runs, row), row]));
  data.rowOf = (name) => places.get(name);
  const points = data.units ?? column("point").values;

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

  function textOf(row) {
    texts ??= Array.from({ length: data.n }, (_, one) => query.words(data, shown, one));
    return texts[row];
  }

  function filter() {
    const { accepts, unread } = query.read(search.value, data, column, textOf);
    const chosen = ends.levels.indexOf(outcome.value);
    for (let row = 0; row < data.n; row += 1) {
      const fits = (chosen < 0 || ends.values[row] === chosen) && (!pictures.checked || data.details[data.text(runs, row)]?.film);
      matched[row] = Number(Boolean(fits) && accepts(row));
    }
    byId("unread").textContent = unread.length ? `No column or number fits ${unread.join(", ")}: taken as words.` : "";
    remember();
    select();
    requestAnimationFrame(() => lines.show(matched.includes(0) ? matched : null, search.value));
  }

  function select() {
    rows = order.filter((row) => matched[row]);
    current = 0;
    render();
  }

  // The filters stand in the address, so that a link or a reload brings them back.
  function remember() {
    const state = new URLSearchParams();
    if (search.value) state.set("q", search.value);
    if (outcome.value) state.set("outcome", outcome.value);
    if (pictures.checked) state.set("pictures", "1");
    if (String(state) || location.hash.startsWith(ADDRESS)) history.replaceState(history.state, "", String(state) ? ADDRESS + state : "#table");
  }

  function recall() {
    if (!location.hash.startsWith(ADDRESS)) return;
    const state = new URLSearchParams(location.hash.slice(ADDRESS.length));
    search.value = state.get("q") ?? "";
    outcome.value = state.get("outcome") ?? "";
    pictures.checked = state.has("pictures");
    filter();
    byId("table").scrollIntoView();
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

  // How the runs that pass the filters ended, with intervals where rates may be estimated at all.
  function share(name, places) {
    const happened = (row) => places.includes(ends.values[row]);
    const count = rows.filter(happened).length;
    const found = rates.rate(rows, points, happened);
    const between = data.estimable && found.low !== null ? ` (${page.percent(found.low).replace("%", "")} to ${page.percent(found.high)})` : "";
    return element("li", {}, name, ` ${page.percent(found.share)}${between}`, element("span", { class: "small" }, ` ${number(count)}`));
  }

  function tellShares() {
    const seen = new Set(Array.from(rows, (row) => ends.values[row]));
    const places = data.successes.map((name) => ends.levels.indexOf(name));
    const success = rows.length ? [share(element("b", {}, "success"), places)] : [];
    const others = [...seen].sort((a, b) => a - b).map((place) => share(page.badge(ends.levels[place]), [place]));
    byId("shares-shown").replaceChildren(...success, ...others);
  }

  function render() {
    const last = Math.max(0, Math.ceil(rows.length / PAGE) - 1);
    current = Math.max(0, Math.min(current, last));
    const visible = Array.from(rows.slice(current * PAGE, (current + 1) * PAGE));
    body.replaceChildren(...visible.map((row) =>
      element("tr", { "data-row": row }, ...shown.map((one) => cell(one, row))),
    ));
    byId("shown").textContent = `${number(rows.length)} of ${number(data.n)} runs`;
    byId("page-number").textContent = `page ${number(current + 1)} of ${number(last + 1)}`;
    for (const id of ["page-first", "page-previous"]) byId(id).disabled = current === 0;
    for (const id of ["page-next", "page-last"]) byId(id).disabled = current === last;
    const drawn = rows.length > parallel.MOST ? `${number(parallel.MOST)} of the ` : "";
    byId("lines-shown").textContent =
      `${drawn}${number(rows.length)} runs that pass the filters are coloured by outcome; others are grey.`;
    byId("no-runs").hidden = rows.length > 0;
    tellShares();
  }

  function turn(id, move) {
    byId(id).addEventListener("click", () => {
      current = move();
      render();
      byId("all-runs").closest(".scroll").scrollTop = 0;
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

  function near(row, by) {
    const at = rows.indexOf(row);
    return at < 0 ? null : rows[at + by] ?? null;
  }

  function setConditions(name, conditions) {
    search.value = query.put(search.value, name, conditions);
    filter();
  }

  function clear() {
    [search.value, outcome.value, pictures.checked] = ["", "", false];
    filter();
  }

  open = panel.make(data, column, near).open;
  const lines = parallel.make(byId("parallel"), data, { filter: setConditions, open });
  byId("explorer").hidden = false;
  byId("needs-script").hidden = true;
  makeHeaders();
  render();
  lines.show(null, "");
  recall();
  search.addEventListener("input", filter);
  for (const field of [outcome, pictures]) field.addEventListener("change", filter);
  byId("clear-filters").addEventListener("click", clear);
  window.addEventListener("hashchange", recall);
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row && !window.getSelection().toString()) open(Number(row.dataset.row));
  });
  turn("page-first", () => 0);
  turn("page-previous", () => current - 1);
  turn("page-next", () => current + 1);
  turn("page-last", () => Infinity);
  panel.makeSideBySide(byId("side-by-side"), data, column, open);
  gallery.make(data, open);
  advice.make(data, column, open);
  maps.make(data, open);
})();
