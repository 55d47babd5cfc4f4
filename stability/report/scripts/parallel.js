// Parallel coordinates of all runs: one line a run, filtered by dragging along an axis.
// Heights are shares of an axis; what has no value, or one that is not finite, has a place of its own below.
const parallel = (() => {
  const { drawn } = page;
  const [TALL, TOP, FOOT, BELOW] = [400, 44, 18, -0.1];
  const MOST = 1500;
  const CHARACTER = 7;
  const [APART, REACH, NEAR] = [110, 26, 0.04];

  function makeAxes(columns) {
    const others = columns.filter((column) => column.name !== "outcome");
    const outcome = columns.filter((column) => column.name === "outcome");
    return [...others, ...outcome].filter((column) => column.axis).map((column) =>
      (column.levels.length ? levelAxis(column) : numberAxis(column)));
  }

  function levelAxis(column) {
    const last = Math.max(1, column.levels.length - 1);
    const wide = Math.min(0.05, 0.5 / last);
    const heights = column.values.map((place, row) => 1 - place / last + wide * (spread(row) - 0.5));
    return { column, heights, ticks: column.levels.map((text, place) => ({ text, at: 1 - place / last })), foot: 0 };
  }

  function numberAxis(column) {
    const scale = scales.make(column.log ? "log" : "linear", column.values);
    const heights = column.values.map((value) => {
      const share = typeof value === "number" ? scale.toShare(value) : NaN;
      return Number.isNaN(share) ? BELOW : share;
    });
    const ticks = scale.ticks().map((value) => ({ text: page.number(value), at: scale.toShare(value) }));
    const foot = heights.includes(BELOW) ? BELOW : 0;
    if (foot) ticks.push({ text: "none", at: BELOW });
    return { column, scale, heights, ticks, foot };
  }

  // Runs at one level lie side by side, so that a bundle's width tells how many they are.
  function spread(row) {
    return (row * 0.6180339887) % 1;
  }

  // The same runs in the same order every time, so that a filter never redraws others.
  function shuffled(n) {
    const order = Int32Array.from({ length: n }, (_, place) => place);
    let state = 12345;
    for (let place = n - 1; place > 0; place -= 1) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const other = state % (place + 1);
      [order[place], order[other]] = [order[other], order[place]];
    }
    return order;
  }

  // What dragging from one height to another asks for, as conditions.
  function conditions({ column, scale, ticks }, low, high) {
    if (column.levels.length) {
      const inside = ticks.filter(({ at }) => at >= low - NEAR && at <= high + NEAR).map(({ text }) => text);
      return inside.length ? [`${column.name}=${query.quoted(inside)}`] : [];
    }
    if (high < BELOW / 2) return [`${column.name}=none`];
    const end = (share) => Number(scale.toValue(share).toPrecision(3));
    return [...(low > 0 ? [`${column.name}>=${end(low)}`] : []), ...(high < 1 ? [`${column.name}<=${end(high)}`] : [])];
  }

  // The parts of an axis that the conditions on its column keep.
  function kept({ column, scale, ticks }, found) {
    if (!found.length) return [];
    const [sign, wanted] = found[0];
    if (sign === "=") {
      const listed = wanted.split(",");
      return ticks.filter(({ text }) => listed.includes(text)).map(({ at }) => [at - 0.03, at + 0.03]);
    }
    if (!scale) return [];
    const ends = (signs) => found.filter(([one]) => signs.includes(one)).map(([, text]) => scale.toShare(Number(text)));
    return [[Math.max(0, ...ends(">=")), Math.min(1, ...ends("<="))]];
  }

  function make(place, data, on) {
    const axes = makeAxes(data.columns);
    const order = shuffled(data.n);
    const outcome = data.columns.find((column) => column.name === "outcome");
    const named = data.columns.find((column) => column.name === "run");
    const room = (axis) => 18 + CHARACTER * Math.max(4, ...(axis ? axis.ticks : []).map(({ text }) => text.length));
    const [left, right] = [room(axes[0]), room(axes.at(-1))];
    const foot = Math.min(-0.02, ...axes.map((axis) => axis.foot));
    let [wide, shown] = [0, { mask: null, text: "" }];
    const x = (at) => left + (at * (wide - left - right)) / Math.max(1, axes.length - 1);
    const y = (share) => TALL - FOOT - ((share - foot) / (1 - foot)) * (TALL - TOP - FOOT);

    const pathOf = (row) => axes.map((axis, at) => `${at ? "L" : "M"}${x(at).toFixed(1)} ${y(axis.heights[row]).toFixed(1)}`).join("");

    function lines() {
      const [dim, bright] = [[], []];
      for (const row of order) {
        if (shown.mask && !shown.mask[row]) {
          if (dim.length < MOST / 3) dim.push(pathOf(row));
        } else if (bright.length < MOST) bright.push(row);
      }
      const opacity = Math.max(0.5, Math.min(0.9, 120 / Math.max(1, bright.length)));
      const paths = bright.map((row) => {
        const name = outcome.levels[outcome.values[row]];
        const title = drawn("title", {}, `${data.text(named, row)}: ${name}`);
        return drawn("path", { class: "run", d: pathOf(row), stroke: data.colours[name], "data-row": row }, title);
      });
      return [drawn("path", { class: "dim", d: dim.join("") }), drawn("g", { class: "runs", opacity }, ...paths)];
    }

    function rules(axis, at) {
      const last = at === axes.length - 1;
      const spans = kept(axis, query.conditionsOn(shown.text, axis.column.name));
      const name = axis.column.name.replaceAll("_", " ") + (axis.column.log ? " (log)" : "");
      const side = last ? { x: x(at) + 6, "text-anchor": "start" } : { x: x(at) - 6, "text-anchor": "end" };
      return [
        drawn("line", { class: "axis", x1: x(at), x2: x(at), y1: y(axis.foot), y2: y(1) }),
        ...spans.map(([low, high]) => drawn("rect", { class: "kept", x: x(at) - 5, width: 10, y: y(high), height: Math.max(2, y(low) - y(high)) })),
        drawn("text", { class: "name", x: x(at), y: 16, "text-anchor": last ? "end" : at ? "middle" : "start" }, name),
        ...axis.ticks.map(({ text, at: share }) => drawn("text", { class: "tick", y: y(share) + 4, ...side }, text)),
      ];
    }

    function draw() {
      wide = Math.max(place.parentElement.clientWidth, APART * axes.length);
      const figure = drawn("svg", { class: "lines", viewBox: `0 0 ${wide} ${TALL}`, width: wide, height: TALL });
      figure.append(...lines(), ...axes.flatMap(rules));
      place.replaceChildren(figure);
    }

    // The axis near a pointer, if any, and the pointer's height as a share of it.
    function under(event) {
      const box = place.firstChild.getBoundingClientRect();
      const at = axes.findIndex((_, one) => Math.abs(event.clientX - box.left - x(one)) <= REACH);
      const share = (TALL - FOOT - (event.clientY - box.top)) / (TALL - TOP - FOOT);
      return { axis: axes[at], share: foot + share * (1 - foot) };
    }

    let start = null;
    place.addEventListener("pointerdown", (event) => {
      start = event.pointerType === "touch" ? null : under(event);
    });
    window.addEventListener("pointerup", (event) => {
      const [from, end] = [start, under(event)];
      start = null;
      if (!from) return;
      if (from.axis && Math.abs(end.share - from.share) > 0.02) {
        on.filter(from.axis.column.name, conditions(from.axis, Math.min(from.share, end.share), Math.max(from.share, end.share)));
      } else if (event.target.closest?.("path.run")) on.open(Number(event.target.closest("path.run").dataset.row));
    });
    place.addEventListener("dblclick", (event) => {
      const { axis } = under(event);
      if (axis) on.filter(axis.column.name, []);
    });
    window.addEventListener("resize", draw);
    return {
      show(mask, text) {
        shown = { mask, text };
        draw();
      },
    };
  }

  return { make, MOST };
})();
