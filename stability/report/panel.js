// One run in its own panel: outcome, settings, metrics, curves, filmstrip, events, and how to train it again.
const panel = (() => {
  const { element, number } = page;

  function make(data, column) {
    const dialog = document.getElementById("run-panel");
    const body = document.getElementById("run-panel-body");
    let redraw = null;

    function value(name, row) {
      const found = column(name);
      return found ? data.text(found, row) : page.NOTHING;
    }

    function pairs(group, row) {
      const columns = data.columns.filter((one) => one.group === group && data.text(one, row) !== page.NOTHING);
      const items = columns.map((one) =>
        element("div", {}, element("dt", {}, one.name.replaceAll("_", " ")), element("dd", {}, data.text(one, row))),
      );
      return element("dl", { class: "settings" }, ...items);
    }

    function happenings(events) {
      const items = events.map((event) => {
        const over = event.recovery === null ? "" : `, over at ${number(event.recovery)}`;
        const doubt = event.provisional ? " (provisional: too close to the end to tell whether it lasts)" : "";
        const text = `${event.kind.replaceAll("_", " ")} from step ${number(event.onset)}${over}${doubt}: `;
        return element("li", {}, text, element("span", { class: "evidence" }, event.evidence));
      });
      return element("ul", { class: "happenings" }, ...items);
    }

    function filmstrip(film) {
      const alt = `Filmstrip: ${film.images} generated images in each of ${film.steps.length} rows, `
        + `at steps ${film.steps.map(number).join(", ")}`;
      const scale = Math.max(1, Math.round(336 / film.width));
      const [width, height] = [film.width * scale, film.height * scale];
      const steps = film.steps.map((step) => element("span", {}, number(step)));
      const source = film.source.startsWith("data:image/png;base64,") ? film.source : "data:,";
      return element("figure", { class: "panel-film" },
        element("figcaption", {}, "The same noise in every row; the number is the step."),
        element("div", { class: "panel-strip" },
          element("div", { class: "panel-steps", "aria-hidden": "true" }, ...steps),
          element("img", { src: source, alt, width, height })));
    }

    function replay(row) {
      const name = data.text(column("run"), row);
      const safe = /^[A-Za-z0-9_@%+=:,./-]+$/.test(name) ? name : `'${name.replaceAll("'", `'"'"'`)}'`;
      const code = element("code", { id: "replay-command" }, data.replay.join(safe));
      const button = element("button", { type: "button", class: "button", id: "copy-replay" }, "Copy");
      const said = element("span", { role: "status", class: "small" });
      button.addEventListener("click", async () => {
        said.textContent = (await page.copy(code.textContent, code)) ? "Copied." : "Selected: press Ctrl+C.";
      });
      return element("p", { class: "replay" }, element("span", { class: "small" }, `${data.again}: `), code, " ", button, " ", said);
    }

    function close() {
      dialog.close();
    }

    async function open(row) {
      const run = data.text(column("run"), row);
      const detail = data.details[run];
      const title = document.getElementById("run-panel-title");
      title.replaceChildren(page.badge(value("outcome", row)), " ", element("span", { class: "run" }, run));
      const curves = element("div", { class: "panel-curves" });
      const parts = [element("p", { class: "reason" }, value("reason", row))];
      if (detail) {
        const sides = element("div", { class: "panel-sides" }, curves);
        if (detail.film) sides.append(filmstrip(detail.film));
        else sides.append(element("p", { class: "small" }, "No filmstrip was kept of this run."));
        parts.push(sides, element("p", { class: "small" },
        "Dotted lines are thresholds of the outcome rules; dash-dotted ones the level where real and generated images "
        + "cannot be told apart, where the loss has one; vertical ones mark events. A gap is a value that is not finite. "
        + "Curves are thinned; their extremes are kept."));
        if (detail.events.length) parts.push(happenings(detail.events));
      } else {
        const known = Object.keys(data.details).length;
        parts.push(element("p", { class: "small" },
          `The page holds curves and pictures of ${number(known)} of its ${number(data.n)} runs, to stay small; `
          + "this one is not among them. All of them are in the results folder."));
      }
      parts.push(element("h3", {}, "Settings"), pairs("setting", row));
      parts.push(element("h3", {}, "How it ended"), pairs("metric", row), replay(row));
      body.replaceChildren(...parts);
      if (!dialog.open) dialog.showModal();
      dialog.scrollTop = 0;
      title.focus();
      redraw = detail ? () => charts.draw(curves, detail, data) : null;
      if (redraw) await redraw();
    }

    document.getElementById("run-panel-close").addEventListener("click", close);
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) close();
    });
    const again = () => dialog.open && redraw && redraw();
    page.onTheme(again);
    window.addEventListener("resize", again);
    return { open };
  }

  return { make };
})();

// The curves of one run as small multiples on one time axis.
const charts = (() => {
  const NETWORKS = { D: "dash", G: "solid" };

  function panels(detail, bars) {
    const level = detail.equilibrium || {};
    const { curves, visits } = detail;
    const n_modes = (visits.n_modes || []).find((value) => value !== null) || 10;
    const found = [
      { title: "separation", curves: [["batch", "separation"]], dots: "separation", lines: [0.5], bars: [bars.separation], range: [-0.04, 1.06] },
      { title: "losses", curves: [["D", "loss_d"], ["G", "loss_g"]], level: { D: level.loss_d, G: level.loss_g } },
      { title: "gradient norms (log)", curves: [["D", "grad_norm_d"], ["G", "grad_norm_g"]], log: true },
      { title: "updates / lr (log)", curves: [["D", "discriminator_update"], ["G", "generator_update"]], log: true, bars: [bars.update] },
      { title: `modes covered, of ${n_modes}`, dots: "modes", joined: true, bars: [bars.modes * n_modes], range: [-0.05 * n_modes, 1.06 * n_modes] },
      { title: "FID excess (log)", dots: "fid_excess", joined: true, bars: [bars.fid_excess], log: true },
    ];
    if (curves.real_probability) {
      const names = [["real", "real_probability"], ["fake", "fake_probability"]];
      found.splice(1, 0, { title: "D's probability of \u201creal\u201d", curves: names, lines: [level.probability ?? null], range: [-0.04, 1.04] });
    }
    return found;
  }

  function look(name, theme) {
    if (name in NETWORKS) return { color: theme[name], dash: NETWORKS[name], width: 1.3 };
    if (name === "fake") return { color: theme.G, dash: "solid", width: 1.3 };
    if (name === "real") return { color: theme.D, dash: "dash", width: 1.3 };
    return { color: theme.muted, dash: "solid", width: 1 };
  }

  function traces(one, at, detail, theme) {
    const axes = { xaxis: `x${at}`, yaxis: `y${at}`, showlegend: false, type: "scatter" };
    const hover = (name) => ({ name, hovertemplate: "step %{x:,}: %{y:.4g}" });
    const found = (one.curves || []).filter(([, key]) => detail.curves[key]).map(([name, key]) => ({
      ...axes, ...hover(name), mode: "lines", x: detail.curves.step, y: detail.curves[key], line: look(name, theme),
    }));
    if (one.dots && detail.visits[one.dots]) {
      found.push({
        ...axes, ...hover("visit"), mode: one.joined ? "lines+markers" : "markers", x: detail.visits.step,
        y: detail.visits[one.dots], line: { color: theme.ink, width: 1 }, marker: { color: theme.ink, size: 5 },
      });
    }
    return found.length ? found : [{ ...axes, x: [], y: [] }];
  }

  function shapes(one, at, detail, theme) {
    const across = { type: "line", xref: `x${at} domain`, yref: `y${at}`, x0: 0, x1: 1, layer: "below" };
    const flat = (y, color, dash) => ({ ...across, y0: y, y1: y, line: { color, dash, width: 1 } });
    const known = (values) => (values || []).filter((value) => value !== null && value !== undefined);
    const levels = Object.entries(one.level || {}).filter(([, y]) => y !== null && y !== undefined);
    return [
      ...known(one.bars).map((y) => flat(y, theme.muted, "dot")),
      ...known(one.lines).map((y) => flat(y, theme.muted, "dashdot")),
      ...levels.map(([name, y]) => flat(y, theme[name], "dashdot")),
      ...detail.events.map((event) => ({
        type: "line", xref: `x${at}`, yref: `y${at} domain`, x0: event.onset, x1: event.onset, y0: 0, y1: 1,
        line: { color: theme.ink, dash: "5px 3px", width: 1 },
      })),
    ];
  }

  function titles(one, at, detail, theme) {
    const base = { xref: `x${at} domain`, yref: `y${at} domain`, y: 1.04, yanchor: "bottom", showarrow: false };
    const networks = (one.curves || []).filter(([, key]) => detail.curves[key]);
    const legend = networks.length < 2 ? [] : networks.map(([name], place) => {
      const { color, dash } = look(name, theme);
      const text = `${dash === "dash" ? "\u2504" : "\u2500"} ${name}`;
      return { ...base, x: 1, xanchor: "right", xshift: -(networks.length - 1 - place) * (name.length > 1 ? 48 : 32), text, font: { size: 12, color } };
    });
    return [{ ...base, x: 0, xanchor: "left", text: one.title, font: { size: 12, color: theme.ink } }, ...legend];
  }

  const [TALL, ABOVE, BELOW] = [165, 26, 26];

  // Whole decades only, unless there are too few of them to read a height from.
  function decades(one, detail) {
    const seen = [
      ...(one.curves || []).flatMap(([, key]) => detail.curves[key] || []),
      ...(one.dots ? detail.visits[one.dots] || [] : []),
      ...(one.bars || []),
    ].filter((value) => value > 0).map(Math.log10);
    if (!seen.length) return { nticks: 5 };
    const span = Math.max(...seen) - Math.min(...seen);
    return span > 1.5 ? { dtick: Math.ceil(span / 4) } : { nticks: 5 };
  }

  function axis(one, at, row, rows, detail, horizon, theme) {
    const base = { gridcolor: theme.grid, zeroline: false, tickfont: { size: 12, color: theme.muted }, linecolor: theme.grid, fixedrange: true };
    const low = 1 - (row + 1) / rows;
    const domain = [low + BELOW / (TALL * rows), low + (TALL - ABOVE) / (TALL * rows)];
    const ticks = one.log ? decades(one, detail) : { nticks: 5 };
    return {
      [`yaxis${at}`]: { ...base, domain, anchor: `x${at}`, type: one.log ? "log" : "linear", exponentformat: "e", minexponent: 4, ...ticks, ...(one.range ? { range: one.range } : {}) },
      [`xaxis${at}`]: { ...base, anchor: `y${at}`, range: [0, horizon * 1.02], nticks: 5, tickformat: ",d", showticklabels: true },
    };
  }

  function describe(list, detail) {
    const seen = detail.visits.step && detail.visits.step.length;
    const last = seen ? ` FID excess at the last visit ${page.number(detail.visits.fid_excess[seen - 1])}, modes ${page.number(detail.visits.modes[seen - 1])}.` : "";
    return `Curves over the training step: ${list.map((one) => one.title).join(", ")}.${last}`;
  }

  async function draw(place, detail, data) {
    const Plotly = await page.plotly();
    if (!place.isConnected) return;
    const theme = page.theme();
    const list = panels(detail, data.bars);
    const across = place.clientWidth < 520 ? 1 : 2;
    const rows = Math.ceil(list.length / across);
    const layout = {
      width: place.clientWidth,
      height: TALL * rows,
      margin: { l: 46, r: 10, t: 0, b: 0 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: theme.font, color: theme.ink },
      hoverlabel: { bgcolor: theme.card, bordercolor: theme.muted, font: { color: theme.ink } },
      hovermode: "closest",
      dragmode: false,
      shapes: [],
      annotations: [],
    };
    const drawn = list.flatMap((one, place_) => {
      const at = place_ + 1;
      const [row, column] = [Math.floor(place_ / across), place_ % across];
      Object.assign(layout, axis(one, at, row, rows, detail, data.horizon, theme));
      const width = (1 - 0.1 * (across - 1)) / across;
      layout[`xaxis${at}`].domain = [column * (width + 0.1), column * (width + 0.1) + width];
      layout.shapes.push(...shapes(one, at, detail, theme));
      layout.annotations.push(...titles(one, at, detail, theme));
      return traces(one, at, detail, theme);
    });
    await Plotly.react(place, drawn, layout, page.config);
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", describe(list, detail));
  }

  return { draw };
})();
