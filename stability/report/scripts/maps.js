// Maps: the runs on the estimated one are shown on demand; the map of runs can stand over any two columns.
const maps = (() => {
  const { drawn, element, number } = page;
  const [WIDE, TALL, LEFT, RIGHT, TOP, FOOT] = [300, 240, 58, 10, 24, 36];
  const MOST_PANELS = 30;

  function hideRuns(block) {
    if (!block || !block.querySelector("svg.figure [id*='-runs-']")) return;
    const box = element("input", { type: "checkbox" });
    const show = () => block.classList.toggle("hides-runs", !box.checked);
    box.addEventListener("change", show);
    show();
    block.querySelector("figure").prepend(element("p", { class: "controls" }, element("label", {}, box, " Show the runs")));
  }

  const label = (column) => column.name.replaceAll("_", " ") + (column.log ? " (log)" : "");

  // A run that has no value on an axis has no place.
  function scaleOf(column) {
    return scales.roomy(column.log ? "log" : "linear", column.values);
  }

  function panel(title, rows, [across, up], data, open) {
    const [toX, toY] = [scaleOf(across), scaleOf(up)];
    const x = (share) => LEFT + share * (WIDE - LEFT - RIGHT);
    const y = (share) => TALL - FOOT - share * (TALL - TOP - FOOT);
    const [ends, seeds] = ["outcome", "replicate"].map((name) => data.columns.find((column) => column.name === name));
    const grid = [
      ...toX.ticks().flatMap((value) => [
        drawn("line", { class: "grid", x1: x(toX.toShare(value)), x2: x(toX.toShare(value)), y1: TOP, y2: TALL - FOOT }),
        drawn("text", { class: "tick", x: x(toX.toShare(value)), y: TALL - FOOT + 14, "text-anchor": "middle" }, number(value)),
      ]),
      ...toY.ticks().flatMap((value) => [
        drawn("line", { class: "grid", x1: LEFT, x2: WIDE - RIGHT, y1: y(toY.toShare(value)), y2: y(toY.toShare(value)) }),
        drawn("text", { class: "tick", x: LEFT - 5, y: y(toY.toShare(value)) + 4, "text-anchor": "end" }, number(value)),
      ]),
    ];
    const markers = rows.flatMap((row) => {
      const [right, high] = [toX.toShare(across.values[row] ?? NaN), toY.toShare(up.values[row] ?? NaN)];
      if (!Number.isFinite(right) || !Number.isFinite(high)) return [];
      const outcome = data.text(ends, row);
      const marker = document.getElementById(`glyph-${outcome}`).cloneNode();
      marker.removeAttribute("id");
      marker.setAttribute("transform", `translate(${(x(right) + 4 * (seeds.values[row] % 4)).toFixed(1)} ${y(high).toFixed(1)}) scale(11)`);
      marker.append(drawn("title", {}, `${data.text(data.columns[0], row)}: ${outcome}`));
      marker.addEventListener("click", () => open(row));
      return [marker];
    });
    return [
      drawn("text", { class: "title", x: LEFT, y: 15 }, title),
      ...grid, ...markers,
      drawn("text", { class: "tick", x: (LEFT + WIDE) / 2, y: TALL - 4, "text-anchor": "middle" }, label(across)),
      drawn("text", { class: "tick", transform: `translate(11 ${(TOP + TALL - FOOT) / 2}) rotate(-90)`, "text-anchor": "middle" }, label(up)),
    ];
  }

  function draw(axes, panels, data, open) {
    const wide = Math.min(4, panels.length);
    const figure = drawn("svg", { class: "scatter", role: "img", viewBox: `0 0 ${wide * WIDE} ${Math.ceil(panels.length / wide) * TALL}` });
    figure.style.minWidth = `${wide * WIDE}px`;
    figure.setAttribute("aria-label", `Every run by ${label(axes[0])} and ${label(axes[1])}, a marker by its outcome`);
    panels.forEach(([title, rows], at) => {
      const place = `translate(${(at % wide) * WIDE} ${Math.floor(at / wide) * TALL})`;
      figure.append(drawn("g", { transform: place }, ...panel(title, rows, axes, data, open)));
    });
    return figure;
  }

  function choice(text, names, chosen) {
    const options = names.map((name) => element("option", { value: name, selected: name === chosen }, name.replaceAll("_", " ")));
    const list = element("select", {}, ...options);
    return { list, place: element("label", { class: "choice" }, text, " ", list) };
  }

  // The map of runs as it was written, until other axes are chosen.
  function chooseAxes(block, data, open) {
    const numbers = data.columns.filter((one) => one.kind === "number" && one.group !== "key").map((one) => one.name);
    const names = [...new Set([...data.map, ...numbers])];
    if (!block || names.length < 2) return;
    const levels = data.columns.filter((one) => one.levels.length > 1 && one.levels.length <= MOST_PANELS && one.group === "setting");
    const written = block.querySelector("svg.figure");
    const place = written.parentElement;
    const [x, y] = data.map.map((name, at) => choice(at ? "Up" : "Across", names, name));
    const by = choice("Panels by", ["nothing", ...levels.map((one) => one.name)], levels[0]?.name);
    const all = Array.from({ length: data.n }, (_, row) => row);
    const show = () => {
      const axes = [x, y].map(({ list }) => data.columns.find((one) => one.name === list.value));
      const split = levels.find((one) => one.name === by.list.value);
      const panels = split ? split.levels.map((level, at) => [level, all.filter((row) => split.values[row] === at)]) : [["", all]];
      place.replaceChildren(draw(axes, panels.filter(([, rows]) => rows.length), data, open));
    };
    for (const { list } of [x, y, by]) list.addEventListener("change", show);
    block.querySelector("figure").prepend(element("p", { class: "controls" }, x.place, y.place, by.place));
  }

  function make(data, open) {
    hideRuns(document.getElementById("stability-map"));
    if (data.map) chooseAxes(document.getElementById("map-of-runs"), data, open);
  }

  return { make };
})();
