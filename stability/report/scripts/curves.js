// The curves of one run: small drawings over the step, with a cursor that a player moves.
const curves = (() => {
  const { drawn, element, number } = page;
  const [WIDE, TALL, LEFT, RIGHT, TOP, FOOT] = [256, 140, 42, 6, 20, 18];

  // The drawings of a run; those that any of `details` has something for.
  function panels(detail, details, bars) {
    const level = detail.equilibrium || {};
    const modes = (detail.visits.n_modes || []).find((value) => value !== null) || 10;
    const own = Object.keys(detail.visits).filter((key) => key.startsWith("own_"));
    const both = (key) => [["D", `${key}_d`], ["G", `${key}_g`]];
    const all = [
      { title: "separation", lines: [["batch", "separation"]], dots: "separation", bars: [0.5, bars.separation], range: [-0.04, 1.06] },
      { title: "D says \u201creal\u201d", lines: [["real", "real_probability"], ["fake", "fake_probability"]], levels: [level.probability], range: [-0.04, 1.04] },
      { title: "losses", lines: both("loss"), levels: [level.loss_d, level.loss_g], kind: "both", own: true },
      { title: "gradients", lines: both("grad_norm"), kind: "log" },
      { title: "updates / lr", lines: [["D", "discriminator_update"], ["G", "generator_update"]], bars: [bars.update], kind: "log" },
      { title: `modes, of ${modes}`, dots: "modes", joined: true, bars: [bars.modes * modes], range: [-0.05 * modes, 1.06 * modes] },
      { title: "FID excess", dots: "fid_excess", joined: true, bars: [bars.fid_excess], kind: "log" },
      ...own.map((key) => ({ title: key.slice(4), dots: key, joined: true, kind: "linear" })),
    ];
    return all.filter((one) => one.dots || one.lines.some(([, key]) => details.some((any) => any.curves[key])));
  }

  function valuesOf(one, detail) {
    const lines = (one.lines || []).flatMap(([, key]) => detail.curves[key] || []);
    const levels = (one.levels || []).filter(Number.isFinite);
    return [...lines, ...((one.dots && detail.visits[one.dots]) || []), ...(one.bars || []), ...levels];
  }

  // Losses are bent only where they explode.
  function scaleOf(one, details) {
    if (one.range) return scales.make("linear", [], one.range);
    const values = details.flatMap((detail) => valuesOf(one, detail)).filter((value) => value !== null);
    const wide = values.some((value) => Math.abs(value) > 50);
    return scales.roomy(one.kind === "both" && !wide ? "linear" : one.kind, values);
  }

  // A gap is a value that is not finite.
  function pathOf(steps, values, x, y) {
    let pen = "M";
    return values.map((value, place) => {
      const at = value === null ? NaN : y(value);
      if (!Number.isFinite(at)) {
        pen = "M";
        return "";
      }
      const command = `${pen}${x(steps[place]).toFixed(1)} ${at.toFixed(1)}`;
      pen = "L";
      return command;
    }).join("");
  }

  const short = (value) => (Math.abs(value) >= 1e4 ? value.toExponential(0).replace("+", "").replace("-", "\u2212") : number(value));

  // The last value at or before a step.
  function valueAt(steps, values, step) {
    let found = null;
    for (let place = 0; place < steps.length && steps[place] <= step; place += 1) found = values[place];
    return found;
  }

  function draw(one, detail, all, horizon, moments) {
    const scale = scaleOf(one, one.own ? [detail] : all);
    const x = (step) => LEFT + (step / (1.02 * horizon)) * (WIDE - LEFT - RIGHT);
    const y = (value) => TALL - FOOT - scale.toShare(value) * (TALL - FOOT - TOP);
    const across = (value, look) => drawn("line", { class: look, x1: LEFT, x2: WIDE - RIGHT, y1: y(value), y2: y(value) });
    const known = (list) => (list || []).filter((value) => Number.isFinite(value) && scale.toShare(value) >= 0 && scale.toShare(value) <= 1);
    const figure = drawn("svg", { viewBox: `0 0 ${WIDE} ${TALL}`, class: "curve" });
    const heights = scale.ticks().filter((value) => y(value) >= TOP - 1 && y(value) <= TALL - FOOT + 1);
    figure.append(drawn("text", { class: "title", x: 0, y: 14 }, one.title + (scale.isLog ? " (log)" : "")));
    figure.append(...heights.flatMap((value) => [
      across(value, "grid"), drawn("text", { class: "tick", x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, short(value)),
    ]));
    const steps = scales.make("linear", [0, horizon]).ticks();
    figure.append(...steps.map((step, place) => drawn("text", { class: "tick", x: Math.min(x(step), WIDE - 20), y: TALL - 3, "text-anchor": place ? "middle" : "start" }, number(step))));
    figure.append(...known(one.bars).map((value) => across(value, "bar")), ...known(one.levels).map((value) => across(value, "level")));
    let free = 0;
    for (const [letter, step] of moments) {
      figure.append(drawn("line", { class: "moment", x1: x(step), x2: x(step), y1: TOP, y2: TALL - FOOT }));
      if (x(step) < free) continue;
      figure.append(drawn("text", { class: "letter", x: x(step) + 2, y: TOP + 10 }, letter));
      free = x(step) + 11;
    }
    const series = [];
    for (const [name, key] of one.lines || []) {
      if (!detail.curves[key]) continue;
      figure.append(drawn("path", { class: `line ${name}`, d: pathOf(detail.curves.step, detail.curves[key], x, y) }));
      series.push([name, detail.curves.step, detail.curves[key]]);
    }
    if (one.dots && detail.visits[one.dots]) {
      const [seen, values] = [detail.visits.step, detail.visits[one.dots]];
      if (one.joined) figure.append(drawn("path", { class: "line visit", d: pathOf(seen, values, x, y) }));
      figure.append(...seen.flatMap((step, place) => (values[place] === null || !Number.isFinite(y(values[place])) ? []
        : [drawn("circle", { class: "visit", cx: x(step), cy: y(values[place]), r: 2.4 })])));
      if (one.joined) series.push(["", seen, values]);
    }
    if (one.lines && !one.dots && !series.length) {
      figure.append(drawn("text", { x: (LEFT + WIDE) / 2, y: TALL / 2, "text-anchor": "middle" }, "not defined here"));
    }
    const cursor = drawn("line", { class: "cursor", y1: TOP, y2: TALL - FOOT });
    const said = drawn("text", { class: "said", x: WIDE - RIGHT, y: 14, "text-anchor": "end" });
    figure.append(cursor, said);
    const at = (step) => {
      for (const end of ["x1", "x2"]) cursor.setAttribute(end, x(step));
      said.replaceChildren(...series.flatMap(([name, times, values]) => {
        const text = `${name} ${number(valueAt(times, values, step))}`.trim();
        return [drawn("tspan", { class: name || "visit" }, text), "  "];
      }).slice(0, -1));
    };
    const stepAt = (share) => ((share * WIDE - LEFT) / (WIDE - LEFT - RIGHT)) * 1.02 * horizon;
    return { figure, at, stepAt };
  }

  // Letters of the steps at which something began.
  function momentsOf(detail) {
    const steps = [...new Set(detail.events.map((event) => event.onset))].sort((a, b) => a - b);
    return steps.map((step, place) => [place < 26 ? String.fromCharCode(97 + place) : String(place + 1), step]);
  }

  // Curves of a run on scales that suit all of `details`; `onStep` is told of steps that a reader points at.
  function make(detail, details, data, onStep) {
    const list = panels(detail, details, data.bars);
    const parts = list.map((one) => draw(one, detail, details, data.horizon, momentsOf(detail)));
    const last = (detail.visits.step || []).length - 1;
    const seen = last < 0 ? "" : ` At the last visit: FID excess ${number(detail.visits.fid_excess[last])}, modes ${number(detail.visits.modes[last])}.`;
    const label = `Curves over the training step: ${list.map((one) => one.title).join(", ")}.${seen}`;
    const place = element("div", { class: "curves", role: "img", "aria-label": label }, ...parts.map((part) => part.figure));
    for (const part of parts) {
      const point = (event) => {
        const box = part.figure.getBoundingClientRect();
        onStep(Math.max(0, Math.min(data.horizon, part.stepAt((event.clientX - box.left) / box.width))));
      };
      part.figure.addEventListener("pointerdown", point);
      part.figure.addEventListener("pointermove", (event) => event.buttons && point(event));
    }
    return { place, at: (step) => parts.forEach((part) => part.at(step)) };
  }

  return { make, momentsOf };
})();
