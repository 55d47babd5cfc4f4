// The gallery's tiles: a film under the pointer or the keyboard, where motion is wanted; a click opens the run.
const gallery = (() => {
  const [EACH, SIDE] = [350, 4];

  function play(tile, strip) {
    const side = Math.min(SIDE, Math.floor(Math.sqrt(strip.images)));
    const made = film.make(strip, [side, side]);
    let timer = null;
    const start = () => {
      if (timer !== null || page.isStill()) return;
      let place = 0;
      tile.append(made.large);
      made.show(place);
      timer = setInterval(() => {
        place = (place + 1) % strip.steps.length;
        made.show(place);
      }, EACH);
    };
    const stop = () => {
      clearInterval(timer);
      timer = null;
      made.large.remove();
    };
    return { start, stop };
  }

  function make(data, open) {
    for (const link of document.querySelectorAll(".first a[data-run]")) {
      const row = data.rowOf(link.dataset.run);
      if (row === undefined) continue;
      link.addEventListener("click", (event) => {
        event.preventDefault();
        open(row);
      });
      const strip = data.details[link.dataset.run]?.film;
      if (!strip || strip.steps.length < 2 || !link.classList.contains("film")) continue;
      let moving = null;
      for (const [begin, end] of [["pointerenter", "pointerleave"], ["focus", "blur"]]) {
        link.addEventListener(begin, () => (moving ??= play(link, strip)).start());
        link.addEventListener(end, () => moving && moving.stop());
      }
    }
  }

  return { make };
})();
