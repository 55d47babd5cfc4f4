// One or two runs that play together: films, curves with a cursor at the same step, one slider.
const player = (() => {
  const { element, number } = page;
  const [WHOLE, SLOWEST, FASTEST] = [6000, 600, 120];
  const MOST_THUMBS = 6;

  // The first, the last and evenly spread visits between.
  function spread(length) {
    const count = Math.min(MOST_THUMBS, length);
    return [...new Set(Array.from({ length: count }, (_, at) => Math.round((at * (length - 1)) / Math.max(1, count - 1))))];
  }

  function placeAt(steps, step) {
    let place = 0;
    while (place + 1 < steps.length && steps[place + 1] <= step) place += 1;
    return place;
  }

  function stripOf(made, seek) {
    const buttons = spread(made.steps.length).map((place) => {
      const step = made.steps[place];
      const button = element("button", { type: "button", "aria-label": `Step ${number(step)}`, "data-step": step }, made.thumb(place), element("span", {}, number(step)));
      button.addEventListener("click", () => seek(step));
      return button;
    });
    return element("div", { class: "film-strip", role: "group", "aria-label": "Filmstrip: the same noise at some of the steps" }, ...buttons);
  }

  function viewOf(detail, details, data, seek) {
    const drawn = curves.make(detail, details, data, seek);
    const parts = detail.film && film.make(detail.film);
    const pictures = parts
      ? element("div", { class: "film-large" }, parts.large, stripOf(parts, seek))
      : element("p", { class: "small film-large" }, "No filmstrip was kept of this run.");
    const at = (step) => {
      drawn.at(step);
      if (!parts) return;
      parts.show(placeAt(parts.steps, step));
      for (const button of pictures.querySelectorAll("button")) {
        button.classList.toggle("past", Number(button.dataset.step) <= step);
      }
    };
    return { place: element("div", { class: "view" }, pictures, drawn.place), at, steps: [...(detail.visits.step || []), ...(detail.curves.step || []).slice(-1)] };
  }

  // A player of these runs' details: its element with `head`s above the runs, and what moves it.
  function make(details, heads, data) {
    let [timer, current] = [null, 0];
    const views = details.map((detail) => viewOf(detail, details, data, seek));
    const steps = [...new Set(views.flatMap((view) => view.steps))].sort((a, b) => a - b);
    if (!steps.length) steps.push(data.horizon);
    const button = element("button", { type: "button", class: "button play" });
    const slider = element("input", { type: "range", min: 0, max: steps.length - 1, step: 1, "aria-label": "Step" });
    const said = element("output", { class: "said" });
    const controls = element("div", { class: "player-controls" }, button, slider, said);
    const sides = views.map((view, place) => element("div", { class: "side" }, heads[place], view.place));
    const place = element("div", { class: `player sides-${views.length}` }, controls, element("div", { class: "player-sides" }, ...sides));

    function show(step) {
      views.forEach((view) => view.at(step));
      said.textContent = `step ${number(Math.round(step))}`;
      slider.setAttribute("aria-valuetext", said.textContent);
    }

    function turnTo(at) {
      current = Math.max(0, Math.min(steps.length - 1, at));
      slider.value = current;
      show(steps[current]);
    }

    function seek(step) {
      pause();
      turnTo(placeAt(steps, step));
      show(step);
    }

    function pause() {
      clearInterval(timer);
      timer = null;
      button.textContent = "\u25b6 Play";
    }

    function play() {
      if (current === steps.length - 1) turnTo(0);
      button.textContent = "\u2759\u2759 Pause";
      timer = setInterval(() => {
        if (!place.isConnected || current === steps.length - 1) pause();
        else turnTo(current + 1);
      }, Math.max(FASTEST, Math.min(SLOWEST, WHOLE / steps.length)));
    }

    const toggle = () => (timer === null ? play() : pause());
    button.addEventListener("click", toggle);
    slider.addEventListener("input", () => {
      pause();
      turnTo(Number(slider.value));
    });
    pause();
    turnTo(steps.length - 1);
    return { place, toggle, play: () => page.isStill() || steps.length < 2 || play(), pause };
  }

  return { make };
})();
