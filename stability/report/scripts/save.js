// Figures and tables as files: nothing is fetched.
const save = (() => {
  const { element, drawn } = page;
  const SCALE = 3;
  const LOOKS = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-weight"];

  function download(name, address) {
    const link = element("a", { download: name, href: address });
    document.body.append(link);
    link.click();
    link.remove();
  }

  const asText = (kind, text) => `data:${kind};charset=utf-8,${encodeURIComponent(text)}`;

  // The colours of the light theme, whatever the page's is now: a paper is white.
  function lightLooks() {
    const root = [...document.styleSheets[0].cssRules].find((rule) => rule.selectorText === ":root");
    return [...root.style].filter((name) => name.startsWith("--")).map((name) => `${name}:${root.style.getPropertyValue(name)}`).join(";");
  }

  // A drawing that stands alone: what the page's styles give it is written into it.
  function alone(figure) {
    const copy = figure.cloneNode(true);
    const place = element("div", { class: "alone", style: lightLooks() }, copy);
    document.body.append(place);
    const ground = getComputedStyle(place).getPropertyValue("--card");
    for (const part of [copy, ...copy.querySelectorAll("*")]) {
      const looks = getComputedStyle(part);
      const own = [...part.style].filter((look) => part.style.getPropertyValue(look).includes("var("));
      for (const look of copy.matches(".figure") ? own : LOOKS) part.style.setProperty(look, looks.getPropertyValue(look));
    }
    place.remove();
    const [x, y, width, height] = copy.getAttribute("viewBox").split(/\s+/).map(Number);
    for (const [key, value] of Object.entries({ width, height, xmlns: "http://www.w3.org/2000/svg", "font-family": "sans-serif" })) copy.setAttribute(key, value);
    copy.removeAttribute("style");
    copy.prepend(drawn("style", {}, "*{stroke-linejoin:round;stroke-linecap:butt}"), drawn("rect", { x, y, width, height, fill: ground }));
    return { text: new XMLSerializer().serializeToString(copy), width, height };
  }

  // Small drawings side by side as one.
  function together(figures) {
    const sizes = figures.map((figure) => figure.viewBox.baseVal);
    const [wide, tall] = [sizes[0].width + 14, sizes[0].height + 8];
    const across = Math.min(3, figures.length);
    const copies = figures.map((figure, at) => {
      const copy = figure.cloneNode(true);
      copy.querySelector(".cursor").remove();
      const place = { x: (at % across) * wide, y: Math.floor(at / across) * tall, width: sizes[at].width, height: sizes[at].height };
      for (const [key, value] of Object.entries(place)) copy.setAttribute(key, value);
      return copy;
    });
    return drawn("svg", { viewBox: `0 0 ${across * wide} ${Math.ceil(figures.length / across) * tall}` }, ...copies);
  }

  async function asPicture({ text, width, height }) {
    const picture = new Image();
    picture.src = asText("image/svg+xml", text);
    await picture.decode();
    const canvas = element("canvas", { width: SCALE * width, height: SCALE * height });
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/png");
  }

  // The browser's own PDF: a page of the figure's size with nothing else on it.
  function print({ text, width, height }) {
    const sheet = element("style", {}, `@page { size: ${width}px ${height}px; margin: 0; }`);
    const place = element("img", { id: "print-alone", src: asText("image/svg+xml", text), alt: "" });
    document.body.append(place, sheet);
    document.documentElement.classList.add("prints-alone");
    window.addEventListener("afterprint", () => {
      document.documentElement.classList.remove("prints-alone");
      for (const part of [place, sheet]) part.remove();
    }, { once: true });
    place.decode().then(() => window.print());
  }

  const FIGURES = {
    SVG: (name, made) => download(`${name}.svg`, asText("image/svg+xml", made.text)),
    PNG: async (name, made) => download(`${name}.png`, await asPicture(made)),
    PDF: (name, made) => print(made),
  };

  // Written by stability.page_kit.table_files.
  const KINDS = { CSV: ["csv", "text/csv"], Markdown: ["md", "text/markdown"], LaTeX: ["tex", "application/x-tex"] };
  const TABLES = Object.fromEntries(Object.entries(KINDS).map(([kind, [suffix, type]]) =>
    [kind, (name, table) => download(`${name}.${suffix}`, asText(type, table.dataset[suffix]))]));

  function menu(what, name, kinds, made) {
    const buttons = Object.entries(kinds).map(([kind, save]) => {
      const button = element("button", { type: "button", class: "button" }, kind);
      button.addEventListener("click", () => save(name, made()));
      return button;
    });
    return element("details", { class: "save" }, element("summary", {}, `Save ${what}`), element("span", { class: "save-kinds" }, ...buttons));
  }

  const study = document.querySelector("h1").textContent.trim().replace(/[^\w.-]+/g, "-");
  for (const block of document.querySelectorAll(".block[id]")) {
    const figure = block.querySelector("svg.figure");
    const tables = [...block.querySelectorAll("table.rates")];
    const menus = figure ? [menu("figure", `${study}-${block.id}`, FIGURES, () => alone(block.querySelector("svg.scatter") ?? figure))] : [];
    tables.forEach((table, at) => {
      menus.push(menu(tables.length > 1 ? `table ${at + 1}` : "table", `${study}-${table.dataset.name}`, TABLES, () => table));
    });
    if (menus.length) block.append(element("div", { class: "saves" }, ...menus));
  }
  const lines = document.getElementById("parallel");
  if (lines) {
    const made = () => alone(lines.querySelector("svg"));
    lines.closest("figure").append(element("div", { class: "saves" }, menu("figure", `${study}-all-runs`, FIGURES, made)));
  }
  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll(".save[open]")) if (!open.contains(event.target)) open.open = false;
  });
  for (const place of document.querySelectorAll(".copied")) {
    place.after(element("p", {}, ...page.copyButton(place)));
  }

  // A menu for the curves of a run that stand in a place.
  function curvesMenu(name, place) {
    return menu("curves", `${study}-${name}`, FIGURES, () => alone(together([...place.querySelectorAll("svg.curve")])));
  }

  return { curvesMenu };
})();
