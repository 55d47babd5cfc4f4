// Sorting and filtering of the table of all runs. Without it the table is complete, in the order of the plan.
"use strict";
(() => {
  const table = document.getElementById("all-runs");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  const headers = [...table.tHead.rows[0].cells];
  const search = document.getElementById("search");
  const outcome = document.getElementById("outcome");
  const shown = document.getElementById("shown");
  const outcomeColumn = headers.findIndex((header) => header.textContent.trim() === "outcome");
  const collator = new Intl.Collator("en", { numeric: true });

  function key(row, column, isNumber) {
    const cell = row.cells[column];
    if (!isNumber) return cell.textContent;
    return cell.dataset.key === "" ? null : Number(cell.dataset.key.replace("inf", "Infinity"));
  }

  // Missing values stay last in both directions.
  function compare(a, b, isNumber, direction) {
    if (a === null || b === null) return (a === null) - (b === null);
    return direction * (isNumber ? (a > b) - (a < b) : collator.compare(a, b));
  }

  function sortBy(column) {
    const header = headers[column];
    const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const isNumber = header.querySelector("button").dataset.kind === "number";
    for (const other of headers) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    const keyed = rows.map((entry) => ({ entry, key: key(entry.row, column, isNumber) }));
    keyed.sort((a, b) => compare(a.key, b.key, isNumber, direction));
    body.append(...keyed.map((item) => item.entry.row));
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { row, text } of rows) {
      const wanted = !outcome.value || row.cells[outcomeColumn].textContent.trim() === outcome.value;
      row.hidden = !(wanted && words.every((word) => text.includes(word)));
      count += !row.hidden;
    }
    shown.textContent = `${count} of ${rows.length} runs`;
  }

  headers.forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => sortBy(column));
  });
  search.addEventListener("input", filter);
  outcome.addEventListener("change", filter);
})();
