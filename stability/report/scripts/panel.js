// One run in its own panel, beside another if asked: film, curves, events, settings, and how to train it again.
const panel = (() => {
  const { element, number } = page;

  // What the page's data say of one run, as elements.
  function about(data, column) {
    const value = (name, row) => (column(name) ? data.text(column(name), row) : page.NOTHING);
    const nameOf = (row) => value("run", row);

    const name = (row) => [page.badge(value("outcome", row)), " ", element("span", { class: "run" }, nameOf(row))];
    const reason = (row) => element("span", { class: "reason" }, value("reason", row));
    const head = (row) => element("p", { class: "side-head" }, ...name(row), reason(row));

    function pairs(title, group, row) {
      const columns = data.columns.filter((one) => one.group === group && data.text(one, row) !== page.NOTHING);
      const items = columns.map((one) =>
        element("div", {}, element("dt", {}, one.name.replaceAll("_", " ")), element("dd", {}, data.text(one, row))),
      );
      return [element("h3", {}, title), element("dl", { class: "settings" }, ...items)];
    }

    function happenings(detail) {
      const letters = new Map(curves.momentsOf(detail).map(([letter, step]) => [step, letter]));
      const items = detail.events.map((event) => {
        const over = event.recovery === null ? "" : `, over at ${number(event.recovery)}`;
        const doubt = event.provisional ? " (provisional: too close to the end to tell whether it lasts)" : "";
        const text = ` ${event.kind.replaceAll("_", " ")} from step ${number(event.onset)}${over}${doubt}: `;
        const letter = element("b", { class: "letter" }, letters.get(event.onset));
        return element("li", {}, letter, text, element("span", { class: "evidence" }, event.evidence));
      });
      return element("ul", { class: "happenings" }, ...items);
    }

    function latent(views) {
      const figures = views.pictures.map(({ run, outcome, source, alt, width, height }) =>
        element("figure", {}, element("img", { src: source, alt, width, height }),
          element("figcaption", {}, page.badge(outcome), " ", element("span", { class: "run" }, run))));
      return [
        element("h3", {}, "What the generator had made of its latent space in the end"),
        element("p", { class: "small" }, views.note), element("div", { class: "views" }, ...figures),
      ];
    }

    function command(title, parts, row) {
      const name = nameOf(row);
      const safe = /^[A-Za-z0-9_@%+=:,./-]+$/.test(name) ? name : `'${name.replaceAll("'", `'"'"'`)}'`;
      const code = element("code", {}, parts.join(safe));
      return element("p", { class: "replay" }, element("span", { class: "small" }, title), code, " ", ...page.copyButton(code));
    }

    return { value, nameOf, name, reason, head, pairs, happenings, latent, command };
  }

  // A list to choose a run from: a typical one of each outcome.
  function choice(label, data, told, chosen, onChange) {
    const rows = data.typical.map((name) => data.rowOf(name)).filter((row) => row !== undefined);
    const options = rows.map((row) =>
      element("option", { value: told.nameOf(row), selected: told.nameOf(row) === chosen }, `${told.value("outcome", row)}: ${told.nameOf(row)}`));
    if (chosen === null) options.unshift(element("option", { value: "" }, "nothing"));
    const list = element("select", {}, ...options);
    list.addEventListener("change", () => onChange(list.value));
    return element("label", { class: "choice" }, label, " ", list);
  }

  function playerOf(names, data, told, head = told.head) {
    const made = player.make(names.map((name) => data.details[name]), names.map((name) => head(data.rowOf(name))), data);
    made.place.querySelectorAll(".view").forEach((view, at) => view.append(save.curvesMenu(names[at], view)));
    return made;
  }

  // Two typical runs side by side in the page: one that went well and one that did not, where there are both.
  function makeSideBySide(place, data, column, open) {
    const told = about(data, column);
    const head = (row) => {
      const made = told.head(row);
      const button = element("button", { type: "button", class: "run-link" }, made.querySelector(".run").cloneNode(true));
      button.addEventListener("click", () => open(row));
      made.querySelector(".run").replaceWith(button);
      return made;
    };
    const known = data.typical.filter((name) => data.details[name]);
    if (!known.length) return;
    const bad = known.slice(1).find((name) => told.value("outcome", data.rowOf(name)).includes("collapse")) ?? known[1];
    const chosen = [known[0], bad].filter(Boolean);
    const show = () => {
      const lists = chosen.map((name, at) => choice(at ? "Right" : "Left", data, told, name, (next) => {
        chosen[at] = next;
        show();
      }));
      place.replaceChildren(element("div", { class: "controls" }, ...(known.length > 1 ? lists : [])), playerOf(chosen, data, told, head).place);
    };
    show();
  }

  // `near(row, by)` is the run before or after one among those that pass the filters.
  function make(data, column, near) {
    const told = about(data, column);
    const dialog = document.getElementById("run-panel");
    const body = document.getElementById("run-panel-body");
    const title = document.getElementById("run-panel-title");
    const moves = { "run-before": -1, "run-after": 1 };
    let [current, playing, beside] = [null, null, ""];

    function film(row) {
      const name = told.nameOf(row);
      const other = beside === name ? "" : beside;
      playing = other ? playerOf([name, other], data, told) : playerOf([name], data, told, told.reason);
      const list = choice("Beside", data, told, null, (chosen) => {
        beside = chosen;
        open(row);
      });
      list.querySelector("select").value = other;
      playing.place.querySelector(".player-controls").append(list);
      return playing.place;
    }

    function partsOf(row, detail) {
      const shown = detail
        ? [film(row), element("p", { class: "small" }, document.getElementById("curve-words").textContent)]
        : [told.reason(row), element("p", { class: "small" }, "This run's curves and pictures are not in the page, to keep it small.")];
      if (detail && detail.events.length) shown.push(told.happenings(detail));
      if (detail && detail.views) shown.push(...told.latent(detail.views));
      shown.push(...told.pairs("Settings", "setting", row), ...told.pairs("How it ended", "metric", row));
      if (!detail || !detail.film) shown.push(told.command("Make its film: ", data.show, row));
      if (data.replay) shown.push(told.command("Train it again: ", data.replay, row)); // else it was trained elsewhere
      return shown;
    }

    function open(row) {
      if (playing) playing.pause();
      [current, playing] = [row, null];
      title.replaceChildren(...told.name(row));
      body.replaceChildren(...partsOf(row, data.details[told.nameOf(row)]));
      for (const [id, by] of Object.entries(moves)) document.getElementById(id).disabled = near(row, by) === null;
      if (!dialog.open) dialog.showModal();
      dialog.scrollTop = 0;
      const slider = body.querySelector("input[type=range]");
      (slider ?? title).focus();
      if (playing) playing.play();
    }

    function move(by) {
      const next = near(current, by);
      if (next !== null) open(next);
    }

    for (const [id, by] of Object.entries(moves)) document.getElementById(id).addEventListener("click", () => move(by));
    document.getElementById("run-panel-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => playing && playing.pause());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
      if (event.key === "n" || event.key === "p") move(event.key === "n" ? 1 : -1);
      else if (event.key === " " && playing && !event.target.closest("button")) playing.toggle();
      else return;
      event.preventDefault();
    });
    return { open };
  }

  return { make, makeSideBySide };
})();
