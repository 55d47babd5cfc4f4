// Parallel coordinates of all runs: one line a run, in SVG, brushed by dragging along an axis.
// Heights are shares of an axis; what has no value, or one that is not finite, has a place of its own below.
const parallel = (() => {
  const BELOW = -0.1;
  const [BOTTOM, TOP] = [BELOW - 0.03, 1.03];
  const MOST = 1500;
  const CHARACTER = 6.2;
  const [REACH, NEAR] = [26, 0.04];

  function makeAxes(columns) {
    const outcome = columns.filter((column) => column.name === "outcome");
    const others = columns.filter((column) => column.name !== "outcome");
    return [...others, ...outcome].filter((column) => column.axis).map(makeAxis);
  }

  function makeAxis(column) {
    if (column.levels.length) {
      const last = Math.max(1, column.levels.length - 1);
      const wide = Math.min(0.05, 0.5 / last);
      const heights = column.values.map((place, row) => 1 - place / last + wide * (spread(row) - 0.5));
      const ticks = column.levels.map((text, place) => ({ text, at: 1 - place / last }));
      return { column, heights, ticks, missing: false, toValue: null };
    }
    const bend = column.log ? (value) => (value > 0 ? Math.log10(value) : NaN) : Number;
    const bent = column.values.map((value) => (typeof value === "number" ? bend(value) : NaN));
    let [low, high] = [Infinity, -Infinity];
    for (const value of bent) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (!(low < high)) [low, high] = low === high ? [low - 0.5, high + 0.5] : [0, 1];
    const heights = bent.map((value) => (Number.isNaN(value) ? BELOW : (value - low) / (high - low)));
    const toValue = (height) => {
      const value = low + height * (high - low);
      return column.log ? 10 ** value : value;
    };
    const toHeight = (value) => (bend(value) - low) / (high - low);
    const ticks = tickValues(low, high, column.log).map((value) => ({
      text: page.number(Number(value.toPrecision(6))),
      at: toHeight(value),
    }));
    const missing = heights.includes(BELOW);
    if (missing) ticks.push({ text: "none", at: BELOW });
    return { column, heights, ticks, missing, toValue, toHeight };
  }

  // Runs at one level lie side by side, so that a bundle's width tells how many they are.
  function spread(row) {
    return (row * 0.6180339887) % 1;
  }

  function tickValues(low, high, log) {
    if (!log) {
      const rough = (high - low) / 4;
      const unit = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 2.5, 5, 10].map((size) => size * unit).find((size) => size >= rough);
      const first = Math.ceil(low / step - 1e-9);
      const count = Math.floor(high / step + 1e-9) - first + 1;
      return Array.from({ length: count }, (_, place) => (first + place) * step);
    }
    const leads = high - low > 2.2 ? [1] : high - low > 1 ? [1, 3] : [1, 2, 3, 5, 7];
    const found = [];
    for (let decade = Math.floor(low); decade <= Math.ceil(high); decade += 1) {
      found.push(...leads.map((lead) => lead * 10 ** decade));
    }
    return found.filter((value) => Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9);
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

  function keeps(axis, brush, row) {
    if (brush.levels) return brush.levels.has(axis.column.values[row]);
    return axis.heights[row] >= brush.low - 1e-9 && axis.heights[row] <= brush.high + 1e-9;
  }

  function make(place, columns, n, colours, on) {
    const axes = makeAxes(columns);
    const order = shuffled(n);
    const outcome = columns.find((column) => column.name === "outcome");
    const run = columns.find((column) => column.name === "run");
    const brushes = new Map();
    const room = (axis) => Math.max(...(axis ? axis.ticks : []).map(({ text }) => text.length), 4);
    const margin = { l: 24 + CHARACTER * room(axes[0]), r: 24 + CHARACTER * room(axes.at(-1)), t: 40, b: 14 };
    let matched = null;
    let Plotly = null;
    let drawing = false;

    function accepts(row) {
      for (const [axis, brush] of brushes) if (!keeps(axis, brush, row)) return false;
      return true;
    }

    function lines(rows, look) {
      const [x, y, customdata, text] = [[], [], [], []];
      for (const row of rows) {
        axes.forEach((axis, at) => {
          x.push(at);
          y.push(axis.heights[row]);
          customdata.push(row);
          text.push(named(row));
        });
        x.push(null);
        y.push(null);
        customdata.push(null);
        text.push("");
      }
      const told = { text, hoverinfo: "text", showlegend: false };
      return { type: "scatter", mode: "lines", x, y, customdata, ...told, ...look };
    }

    function named(row) {
      const name = run.levels.length ? run.levels[run.values[row]] : run.values[row];
      return escape(`${name}: ${outcome.levels[outcome.values[row]]}`);
    }

    function traces(theme) {
      const [seen, dim] = [new Map(), []];
      let count = 0;
      for (const row of order) {
        if (!matched || matched[row]) {
          if (count < MOST) {
            const name = outcome.levels[outcome.values[row]];
            if (!seen.has(name)) seen.set(name, []);
            seen.get(name).push(row);
            count += 1;
          }
        } else if (dim.length < MOST / 3) dim.push(row);
      }
      const opacity = Math.max(0.5, Math.min(0.9, 120 / Math.max(1, count)));
      const drawn = [...seen].sort((a, b) => b[1].length - a[1].length);
      return [
        lines(dim, { line: { color: theme.muted, width: 0.6 }, opacity: 0.16, hoverinfo: "skip" }),
        ...drawn.map(([name, rows]) => lines(rows, { name, line: { color: colours[name], width: 1 }, opacity })),
      ];
    }

    function shapes(theme) {
      const found = axes.map((axis, at) => ({
        type: "line", x0: at, x1: at, y0: axis.missing ? BELOW : 0, y1: 1, line: { color: theme.ink, width: 1 },
      }));
      for (const [axis, brush] of brushes) {
        const at = axes.indexOf(axis);
        const spans = brush.levels
          ? [...brush.levels].map((level) => [axis.ticks[level].at - 0.03, axis.ticks[level].at + 0.03])
          : [[brush.low, brush.high]];
        for (const [y0, y1] of spans) {
          const looks = { fillcolor: theme.accent, opacity: 0.35, line: { width: 0 } };
          found.push({ type: "rect", x0: at - 0.045, x1: at + 0.045, y0, y1, ...looks });
        }
      }
      return found;
    }

    function labels(theme) {
      const plain = { showarrow: false, font: { size: 12, color: theme.ink } };
      const ground = { bgcolor: theme.ground, borderpad: 0, opacity: 0.9 };
      return axes.flatMap((axis, at) => {
        const last = at === axes.length - 1;
        const name = axis.column.name.replaceAll("_", " ") + (axis.column.log ? " (log)" : "");
        const title = { ...plain, x: at, y: 1, yref: "paper", yanchor: "bottom", yshift: 6, text: `<b>${escape(name)}</b>` };
        const side = last ? { xanchor: "left", xshift: 5 } : { xanchor: "right", xshift: -5 };
        const ticks = axis.ticks.map(({ text, at: y }) => ({
          ...plain, ...ground, ...side, x: at, y, text: escape(text), font: { size: 12, color: theme.ink },
        }));
        return [title, ...ticks];
      });
    }

    // Plotly reads a little markup in labels; a study's own text must not be read as such.
    function escape(text) {
      return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    }

    async function draw() {
      if (!Plotly || drawing) return;
      drawing = true;
      const theme = page.theme();
      const hidden = { visible: false, fixedrange: true };
      const layout = {
        width: Math.max(place.parentElement.clientWidth, 110 * axes.length),
        height: 400,
        margin,
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: theme.font, color: theme.ink },
        xaxis: { ...hidden, range: [0, Math.max(1, axes.length - 1)] },
        yaxis: { ...hidden, range: [BOTTOM, TOP] },
        dragmode: false,
        hovermode: "closest",
        hoverlabel: { bgcolor: theme.card, bordercolor: theme.muted, font: { color: theme.ink, size: 12 } },
        shapes: shapes(theme),
        annotations: labels(theme),
      };
      await Plotly.react(place, traces(theme), layout, page.config);
      drawing = false;
    }

    // The axis and the height under a pointer; null where no axis is near.
    function under(event) {
      const box = place.getBoundingClientRect();
      const width = (box.width - margin.l - margin.r) / Math.max(1, axes.length - 1);
      const at = Math.round((event.clientX - box.left - margin.l) / width);
      const off = Math.abs(event.clientX - box.left - margin.l - at * width);
      return at < 0 || at >= axes.length || off > REACH ? null : { axis: axes[at], height: heightOf(event) };
    }

    function heightOf(event) {
      const box = place.getBoundingClientRect();
      const share = (event.clientY - box.top - margin.t) / (box.height - margin.t - margin.b);
      return TOP - share * (TOP - BOTTOM);
    }

    function brushed(axis, low, high) {
      if (!axis.column.levels.length) return { low, high };
      const places = axis.ticks.map((tick, level) => ({ at: tick.at, level }));
      const inside = places.filter(({ at }) => at >= low - NEAR && at <= high + NEAR).map(({ level }) => level);
      return inside.length ? { levels: new Set(inside) } : null;
    }

    function setBrush(axis, brush) {
      if (brush) brushes.set(axis, brush);
      else brushes.delete(axis);
      on.brush();
    }

    function listen() {
      let [start, dragged] = [null, false];
      place.addEventListener("pointerdown", (event) => {
        start = event.pointerType === "touch" ? null : under(event);
        dragged = false;
      }, true);
      window.addEventListener("pointerup", (event) => {
        if (!start) return;
        const { axis, height } = start;
        const end = heightOf(event);
        start = null;
        dragged = Math.abs(end - height) > 0.02;
        if (dragged) setBrush(axis, brushed(axis, Math.min(end, height), Math.max(end, height)));
      }, true);
      place.addEventListener("dblclick", (event) => {
        const found = under(event);
        if (found) setBrush(found.axis, null);
      });
      place.on("plotly_click", (event) => {
        const row = event.points[0].customdata;
        if (typeof row === "number" && !dragged) on.open(row);
      });
    }

    async function start() {
      Plotly = await page.plotly();
      await draw();
      listen();
      page.onTheme(draw);
      window.addEventListener("resize", draw);
    }

    return {
      axes, brushes, accepts, setBrush, start,
      show(mask) {
        matched = mask;
        draw();
      },
    };
  }

  return { make, MOST };
})();
