// A page of a study under way is written again: it is read again every so often, unless somebody is in the middle of
// something. Where it stood is kept with the address, as nothing else is for a file.
(() => {
  const kept = history.state?.top;
  if (kept !== undefined) {
    window.addEventListener("load", () => requestAnimationFrame(() => {
      window.scrollTo({ top: kept, behavior: "instant" });
      history.replaceState({ ...history.state, top: undefined }, "");
    }));
  }
  const seconds = Number(document.body.dataset.follow);
  if (!seconds) return;
  const isBusy = () => document.hidden || document.querySelector("dialog[open]") || document.activeElement.matches("input, select");
  setInterval(() => {
    if (isBusy()) return;
    history.replaceState({ ...history.state, top: window.scrollY }, "");
    location.reload();
  }, 1000 * seconds);
})();
