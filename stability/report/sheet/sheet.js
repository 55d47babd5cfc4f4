// One item at a time; its marks are kept by the browser, and saved as CSV when asked.
"use strict";
{
  const { sheet, fields } = JSON.parse(document.getElementById("settings").textContent);
  const place = `stability sheet ${sheet}`;
  const find = (id) => document.getElementById(id);
  const form = find("form");
  const jump = find("jump");
  const codes = [...jump.options].map((option) => option.value);
  const marked = fields.filter((name) => name !== "code");
  let marks = {};
  let shown = 0;

  // A page from a file may be given no storage.
  function read() {
    try {
      marks = JSON.parse(localStorage.getItem(place)) ?? {};
    } catch {
      find("forgetful").hidden = false;
    }
  }

  function keep() {
    try {
      localStorage.setItem(place, JSON.stringify(marks));
    } catch {
      find("forgetful").hidden = false;
    }
  }

  const hasLabel = (code) => Boolean(marks[code]?.label);

  function show(index) {
    find(`item-${codes[shown]}`).hidden = true;
    shown = (index + codes.length) % codes.length;
    const code = codes[shown];
    find(`item-${code}`).hidden = false;
    find("code").textContent = jump.value = code;
    form.reset();  // radios take no value that none of them has
    for (const name of marked) form.elements[name].value = marks[code]?.[name] ?? "";
    progress();
    window.scrollTo(0, 0);
  }

  function progress() {
    const done = codes.filter(hasLabel).length;
    find("progress").textContent = `item ${shown + 1} of ${codes.length}, ${done} labelled`;
  }

  function take() {
    marks[codes[shown]] = Object.fromEntries(marked.map((name) => [name, form.elements[name].value]));
    keep();
    progress();
  }

  function unmarked() {
    const ahead = codes.map((_, step) => (shown + 1 + step) % codes.length);
    show(ahead.find((index) => !hasLabel(codes[index])) ?? shown);
  }

  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  function asCsv() {
    const rows = codes.map((code) => [code, ...marked.map((name) => marks[code]?.[name] ?? "")]);
    return [fields, ...rows].map((row) => `${row.map(quoted).join(",")}\n`).join("");
  }

  function choose(input) {
    if (!input) return;
    input.checked = true;
    take();
  }

  // By the key's place on the keyboard: with shift a digit's key gives another character.
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, select")) return;
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
    const labels = [...form.elements.label];
    if (digit !== undefined) {
      const chosen = labels[(Number(digit) + 9) % 10];
      if (!event.shiftKey) choose(chosen);
      else if (chosen) {
        form.elements.second.value = chosen.value;
        take();
      }
    } else if (event.key === "n") show(shown + 1);
    else if (event.key === "p") show(shown - 1);
    else if (event.key === "u") unmarked();
    else {
      const named = [...form.querySelectorAll("[name=quality]")];
      choose(named.find((input) => input.parentElement.querySelector("kbd").textContent === event.key));
    }
  }

  form.addEventListener("input", take);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", press);
  jump.addEventListener("change", () => {
    show(jump.selectedIndex);
    jump.blur();
  });
  find("previous").addEventListener("click", () => show(shown - 1));
  find("next").addEventListener("click", () => show(shown + 1));
  find("unmarked").addEventListener("click", unmarked);
  find("clear").addEventListener("click", () => {
    delete marks[codes[shown]];
    keep();
    show(shown);
  });
  find("save").addEventListener("click", (event) => {
    event.currentTarget.href = `data:text/csv;charset=utf-8,${encodeURIComponent(asCsv())}`;
  });
  read();
  show(0);
}
