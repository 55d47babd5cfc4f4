// What every page has: numbers in words, elements, copying, and Plotly when it is first needed.
"use strict";
const page = (() => {
  const NOTHING = "\u2013";

  // Made once: making one takes longer than using it ten thousand times.
  const formats = Array.from({ length: 5 }, (_, digits) =>
    new Intl.NumberFormat("en-US", { maximumFractionDigits: digits, minimumFractionDigits: 0 }));

  // Three significant digits, as the rest of the page prints them.
  function number(value) {
    if (value === null || value === undefined) return NOTHING;
    if (value === "inf" || value === Infinity) return "\u221e";
    if (value === "-inf" || value === -Infinity) return "\u2212\u221e";
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e6) return minus(formats[0].format(value));
    if (size >= 1e-2 && size < 1e5) {
      const digits = Math.max(0, 2 - Math.floor(Math.log10(size)));
      return minus(formats[digits].format(value));
    }
    const [mantissa, exponent] = value.toExponential(2).split("e");
    return minus(`${Number(mantissa)}e${Number(exponent)}`);
  }

  function minus(text) {
    return text.replace("-", "\u2212");
  }

  // An element with attributes and children; text only ever becomes text.
  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  }

  function badge(outcome) {
    const space = "http://www.w3.org/2000/svg";
    const glyph = document.createElementNS(space, "svg");
    const use = document.createElementNS(space, "use");
    use.setAttribute("href", `#glyph-${outcome}`);
    glyph.setAttribute("class", "glyph");
    glyph.setAttribute("aria-hidden", "true");
    glyph.setAttribute("viewBox", "-.65 -.65 1.3 1.3");
    glyph.append(use);
    return element("span", { class: "badge" }, glyph, outcome);
  }

  // From a file there may be no clipboard: then the text is selected and copied the old way.
  async function copy(text, place) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const range = document.createRange();
      range.selectNodeContents(place);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      try {
        return document.execCommand("copy");
      } catch {
        return false;
      }
    }
  }

  let loading = null;

  // Plotly lies packed in the page. Its script element runs because the page's policy names its hash.
  function plotly() {
    loading ??= unpacked().then((text) => {
      document.head.append(element("script", {}, text));
      return window.Plotly;
    });
    return loading;
  }

  async function unpacked() {
    const packed = atob(document.getElementById("plotly-source").textContent);
    const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  // The theme's colours as they are now.
  function theme() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    return {
      ink: read("--ink"),
      muted: read("--muted"),
      grid: read("--grid"),
      ground: read("--paper"),
      card: read("--card"),
      accent: read("--accent"),
      G: read("--curve-g"),
      D: read("--curve-d"),
      font: getComputedStyle(document.body).fontFamily,
    };
  }

  function onTheme(redraw) {
    for (const query of ["(prefers-color-scheme: dark)", "print"]) {
      window.matchMedia(query).addEventListener("change", redraw);
    }
  }

  // Paper has nothing to click: what is folded is printed open, and folded again afterwards.
  let unfolded = [];
  window.addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details:not([open])")];
    for (const part of unfolded) part.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const part of unfolded) part.open = false;
  });

  const config = { displaylogo: false, displayModeBar: false, responsive: false, showLink: false };

  return { NOTHING, number, element, badge, copy, plotly, theme, onTheme, config };
})();
