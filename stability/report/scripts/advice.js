// Is my setting safe? A form over what the study varied, answered from its runs as `stability advise` does.
const advice = (() => {
  const { element, number, percent } = page;
  const MOST_IMAGES = 4;
  const MOST_DIFFERING = 2;
  const EVEN = 0.5;

  const spaced = (name) => name.replaceAll("_", " ");

  // A bound is rounded down: it never promises more than was found.
  function atLeast(share) {
    const scale = share >= 0.01 ? 100 : 1000;
    return `${Number(((100 * Math.floor(scale * share)) / scale).toPrecision(3))}%`;
  }

  // Ranges as sides of the unit cube, levels as texts.
  function read(form, data, column) {
    const axes = form.fields.filter((field) => !field.levels);
    const listed = form.fields.filter((field) => field.levels);
    const bend = (axis, value) => (axis.log ? Math.log(value) : value);
    const toUnit = (axis, value) => (axis.high > axis.low
      ? (bend(axis, value) - bend(axis, axis.low)) / (bend(axis, axis.high) - bend(axis, axis.low)) : 0.5);
    const run = (row) => Object.fromEntries(form.fields.map(({ name }) =>
      [name, column(name).kind === "number" ? column(name).values[row] : data.text(column(name), row)]));
    const runs = Array.from({ length: data.n }, (_, row) => run(row));
    const along = (setting) => axes.map((axis) => toUnit(axis, setting[axis.name]));
    const levelOf = (setting, name) => String(setting[name]);
    const place = (setting, columns) => [...along(setting), ...columns.map(([name, level]) => Number(levelOf(setting, name) === level))];
    const away = (setting, row) => form.fields.map((field) => (field.levels
      ? Number(levelOf(setting, field.name) !== levelOf(runs[row], field.name))
      : Math.abs(toUnit(field, setting[field.name]) - toUnit(field, runs[row][field.name]))));
    const short = (value) => (typeof value === "number" ? number(value) : value);
    // The values by which a run differs, the farthest first.
    const differing = (setting, row) => {
      const parts = away(setting, row);
      const names = form.fields.map(({ name }, at) => [name, parts[at]]).sort((a, b) => b[1] - a[1]).map(([name]) => name);
      return names.filter((name) => short(runs[row][name]) !== short(setting[name])).slice(0, MOST_DIFFERING)
        .map((name) => `${spaced(name)} ${short(runs[row][name])}`).join(", ");
    };
    const apart = (setting, row) => Math.hypot(...away(setting, row));
    return { axes, runs, place, apart, differing };
  }

  // What of a setting was not trained; empty where a number can be given.
  function outside(form, setting, { axes }) {
    const beyond = axes.filter(({ name, low, high }) => !(setting[name] >= low && setting[name] <= high))
      .map(({ name, low, high }) => `${spaced(name)} ${number(setting[name])} (drawn from ${number(low)} to ${number(high)})`);
    if (beyond.length) return beyond.join("; ");
    const alone = form.picks.map((name) => `${spaced(name)} ${setting[name]}`).join(" together with ");
    return fittedOf(form, setting) ? "" : alone;
  }

  const fittedOf = (form, setting) => form.fits.find(({ levels }) => form.picks.every((name) => levels[name] === setting[name]));

  function answerer(form, data, column) {
    const known = read(form, data, column);
    const points = data.units ?? column("point").values;
    const ends = column("outcome");
    const happened = (row) => data.successes.includes(data.text(ends, row));
    const made = new Map();
    const chanceOf = (fitted, setting) => {
      if (!made.has(fitted)) made.set(fitted, chance.make(fitted, fitted.rows.map((row) => known.place(known.runs[row], fitted.columns)), points, happened, form.nearest));
      return made.get(fitted)(known.place(setting, fitted.columns));
    };
    // All runs of the nearest points, those as near as the last of them too.
    const nearestOf = (far) => {
      const places = [...new Map(far.map(([row, distance]) => [`${points[row]} ${distance}`, distance])).values()];
      return far.filter(([, distance]) => distance <= places[Math.min(form.nearest, places.length) - 1]);
    };
    return (setting) => {
      const beyond = outside(form, setting, known);
      if (beyond) return { beyond };
      const fitted = fittedOf(form, setting);
      const far = form.order.map((row) => [row, known.apart(setting, row)]).filter(([, distance]) => Number.isFinite(distance));
      const nearest = nearestOf(far.sort((a, b) => a[1] - b[1])).map(([row]) => [row, known.differing(setting, row)]);
      return { fitted, nearest, ...(fitted.reason ? {} : chanceOf(fitted, setting)) };
    };
  }

  // Whether more such runs succeed than not, where a bound says so; a run that still learns is no failure.
  function verdict({ low, high, nearest }, data, column) {
    const ends = nearest.map(([row]) => data.text(column("outcome"), row));
    const learning = ends.filter((outcome) => outcome === "learning").length;
    const good = ends.filter((outcome) => data.successes.includes(outcome)).length;
    const likely = low > EVEN ? "Likely" : high < EVEN && 2 * learning <= ends.length ? "Unlikely" : "";
    const said = likely ? `${likely} to succeed within ${number(data.horizon)} steps: ` : "Cannot tell: ";
    const counts = [[good, "succeeded"], [ends.length - good - learning, "failed"],
      [learning, `${learning === 1 ? "was" : "were"} still learning at step ${number(data.horizon)}`]];
    const told = counts.filter(([count]) => count).sort((a, b) => b[0] - a[0]).map(([count, words]) => `${number(count)} ${words}`);
    const listed = told.length > 1 ? `${told.slice(0, -1).join(", ")} and ${told.at(-1)}` : told.join("");
    return [element("b", {}, said), `of the ${number(ends.length)} nearest runs ${listed}.`];
  }

  // What is no number, as it was written; empty for numbers and levels.
  function misread({ name, levels }, text) {
    if (levels || (text !== "" && Number.isFinite(Number(text)))) return "";
    if (text === "") return `${spaced(name)} is empty`;
    const pointed = text.replace(",", ".");
    return Number.isFinite(Number(pointed)) ? `${spaced(name)} ${text} has a decimal comma, write ${pointed}` : `${spaced(name)} ${text} is no number`;
  }

  function sentence(found, unit, horizon) {
    if (found.misread) return [element("b", {}, "No answer: "), `${found.misread}.`];
    if (found.beyond) return [element("b", {}, "No number: "), `outside of what this study trained: ${found.beyond}.`];
    if (found.fitted.reason) return [element("b", {}, "No number: "), `${found.fitted.reason}.`];
    const { n_runs: runs, n_points: units } = found.fitted;
    return [
      element("b", {}, percent(found.chance)), ` of such runs end stable or nearly so within ${number(horizon)} steps, `,
      element("b", {}, `at least ${atLeast(found.low)}`), ` (95% bound), by ${number(runs)} runs at ${number(units)} ${unit}s.`,
    ];
  }

  function tested({ fitted }) {
    if (!fitted || !fitted.brier) return "";
    const [own, overall] = fitted.brier;
    const how = fitted.better ? "better" : own < overall ? "not surely better" : "worse";
    const levels = Object.entries(fitted.levels).map(([name, level]) => `${spaced(name)} ${level}`).join(", ");
    const of = levels && ` of ${levels}`;
    return `On points${of} that were left out its Brier score is ${number(own)}, ${how} than the overall rate's ${number(overall)} (0 is best).`;
  }

  function card([row, differs], data, column, open) {
    const [name, outcome] = ["run", "outcome"].map((one) => data.text(column(one), row));
    const strip = data.details[name]?.film;
    const side = strip && Math.min(MOST_IMAGES, Math.floor(Math.sqrt(strip.images)));
    const picture = strip ? film.make(strip, [side, side]).large : "no picture in the page";
    const button = element("button", { type: "button", class: "near-run", "aria-label": `${name}, ${outcome}: open it` },
      element("span", { class: strip ? "film" : "film bare" }, picture));
    button.addEventListener("click", () => open(row));
    return element("li", {}, button, element("p", { class: "name" }, page.badge(outcome)),
      element("p", { class: "part" }, differs || "as asked"));
  }

  function field(one) {
    const attributes = { name: one.name, autocomplete: "off" };
    const range = one.levels ? "" : element("span", { class: "small" }, ` ${number(one.low)} to ${number(one.high)}`);
    const input = one.levels
      ? element("select", attributes, ...one.levels.map((level) => element("option", { selected: level === one.value }, level)))
      : element("input", { ...attributes, type: "text", inputmode: "decimal", size: 8, value: one.value });
    return element("label", {}, spaced(one.name), " ", input, range);
  }

  const quoted = (text) => (/^[\w.,:=+@%-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

  function make(data, column, open) {
    const form = data.advice;
    if (!form) return;
    const answer = answerer(form, data, column);
    const asked = history.state?.asked ?? {}; // before the page was read again
    const fields = element("form", { class: "controls" }, ...form.fields.map(field));
    for (const { name } of form.fields) if (name in asked) fields.elements[name].value = asked[name];
    const said = element("p", { class: "answer", role: "status" });
    const short = element("p", { class: "verdict" });
    const score = element("p", { class: "small" });
    const near = element("ul", { class: "gallery", "aria-label": "How the nearest runs ended" });
    const command = element("code", {});
    const terminal = element("div", {},
      element("p", { class: "small" }, "The same in a terminal, where parameters may also be left open and one change is looked for that helps:"),
      element("p", { class: "replay" }, command, " ", ...page.copyButton(command)));
    const show = () => {
      const texts = Object.fromEntries(form.fields.map(({ name }) => [name, fields.elements[name].value.trim()]));
      const setting = Object.fromEntries(form.fields.map(({ name, levels }) =>
        [name, levels ? texts[name] : Number(texts[name])]));
      const bad = form.fields.map((one) => misread(one, texts[one.name])).filter(Boolean).join("; ");
      const found = bad ? { misread: bad } : answer(setting);
      terminal.hidden = Boolean(bad);
      Object.assign(said.dataset, { chance: found.chance ?? "", low: found.low ?? "", high: found.high ?? "" });
      said.replaceChildren(...sentence(found, form.unit, data.horizon));
      short.replaceChildren(...(found.nearest ? verdict(found, data, column) : []));
      score.textContent = tested(found);
      near.replaceChildren(...(found.nearest ?? []).slice(0, form.nearest).map((one) => card(one, data, column, open)));
      command.textContent = [form.command, ...form.fields.map(({ name }) => `--set ${quoted(`${name}=${texts[name]}`)}`)].join(" ");
    };
    fields.addEventListener("input", () => {
      show();
      history.replaceState({ ...history.state, asked: Object.fromEntries(new FormData(fields)) }, "");
    });
    fields.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("advice-form").replaceChildren(
      fields, short, said, score, near,
      element("p", { class: "small" }, "Below a run are the values by which it differs most."),
      terminal,
    );
    show();
  }

  return { make };
})();
