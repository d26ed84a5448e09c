"use strict";
// Tables sort by a click on a heading, and show the rows that have the words of a filter. Without this script they read as they are.
(() => {
  const text = (cell) => cell.textContent.trim();

  function sorts(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const numbers = head.classList.contains("n");
        const before = head.getAttribute("aria-sort");
        const down = before ? before === "ascending" : numbers;
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].map((row) => {
          const cell = row.cells[column];
          return { row, key: numbers ? cell.dataset.v : text(cell) };
        });
        const isEmpty = (key) => key === "" || key === "–";
        rows.sort((one, other) => {
          if (isEmpty(one.key) || isEmpty(other.key)) return isEmpty(one.key) - isEmpty(other.key);
          const order = numbers ? one.key - other.key : one.key < other.key ? -1 : one.key > other.key ? 1 : 0;
          return down ? -order : order;
        });
        table.tBodies[0].append(...rows.map((each) => each.row));
      });
    });
  }

  function filters(table) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 8) return;
    const words = rows.map((row) => [...row.cells].map(text).join(" ").toLowerCase());
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("span");
    label.className = "filter";
    input.type = "search";
    count.className = "dim";
    count.setAttribute("role", "status");
    label.append("Filter " + table.dataset.noun, input, count);
    table.parentElement.before(label);
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, at) => {
        row.hidden = !wanted.every((word) => words[at].includes(word));
        shown += !row.hidden;
      });
      count.textContent = wanted.length ? shown + " of " + rows.length : "";
    });
  }

  const tables = [...document.querySelectorAll("table.sortable")];
  const ranked = [...document.getElementById("all").tBodies[0].rows];
  tables.forEach(filters);
  tables.forEach(sorts);
  document.querySelectorAll(".treemap [data-r]").forEach((cell) => {
    cell.addEventListener("click", () => {
      const row = ranked[cell.dataset.r];
      ranked.forEach((each) => each.classList.toggle("found", each === row));
      row.hidden = false;
      row.scrollIntoView({ block: "center" });
    });
  });
})();
