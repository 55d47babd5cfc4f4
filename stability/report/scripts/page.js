// What every page has: numbers in words, elements, drawings, copying, folding.
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

  // A share in [0, 1] as a whole percentage, halves to even, as the rest of the page prints them.
  function percent(value) {
    if ((value > 0 && value < 0.005) || (value > 0.995 && value < 1)) return value < 0.5 ? "<1%" : ">99%";
    const whole = Math.round(100 * value);
    return `${Math.abs(100 * value - whole) === 0.5 && whole % 2 ? whole - 1 : whole}%`;
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
    const shape = drawn("use", { href: `#glyph-${outcome}` });
    const glyph = drawn("svg", { class: "glyph", "aria-hidden": "true", viewBox: "-.65 -.65 1.3 1.3" }, shape);
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

  // A button that copies what a place says, and where it says so.
  function copyButton(place) {
    const button = element("button", { type: "button", class: "button" }, "Copy");
    const said = element("span", { role: "status", class: "small" });
    button.addEventListener("click", async () => {
      said.textContent = (await copy(place.textContent, place)) ? "Copied." : "Selected: press Ctrl+C.";
    });
    return [button, " ", said];
  }

  // An element of a drawing; its colours are the page's, by class, so that it follows the theme.
  function drawn(name, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== false) made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  // A link into what is folded unfolds it.
  function unfold() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let part = target; part; part = part.parentElement) if (part.localName === "details") part.open = true;
    if (target) target.scrollIntoView();
  }
  window.addEventListener("hashchange", unfold);
  window.addEventListener("load", unfold);

  // What is folded is not printed; a button unfolds all of it.
  function offerToUnfold() {
    const button = element("button", { type: "button", class: "button" }, "Unfold all");
    button.addEventListener("click", () => {
      const open = button.textContent === "Unfold all";
      for (const part of document.querySelectorAll("details:not(.save)")) part.open = open;
      button.textContent = open ? "Fold all" : "Unfold all";
    });
    document.querySelector("nav")?.append(button);
  }
  offerToUnfold();

  const isStill = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  return { NOTHING, number, percent, element, drawn, badge, copyButton, isStill };
})();
