// The table of series. Everything is a text node: a label can be anything.

import * as format from "./format.js";

/** Rows that are shown at most; the search finds the others. */
const SHOWN = 400;
/** How long a change is marked, in milliseconds. */
const MARKED = 1500;

const cell = (kind, text) => {
  const element = document.createElement("td");
  element.className = kind;
  element.textContent = text;
  return element;
};

export class Table {
  constructor(section) {
    this.body = section.querySelector("tbody");
    this.found = section.querySelector("#found");
    this.search = section.querySelector("#search");
    this.rows = new Map();
  }

  draw(store) {
    const text = this.search.value.trim().toLowerCase();
    const is = (one) =>
      !text ||
      one.name.toLowerCase().includes(text) ||
      Object.values(one.labels).some((value) => value.toLowerCase().includes(text));
    const wanted = [...store.series.values()].filter(is);
    const shown = wanted.slice(0, SHOWN);
    const more = wanted.length > shown.length ? `, the first ${shown.length} shown` : "";
    this.found.textContent = `${wanted.length} of ${store.series.size} series${more}`;
    const keys = new Set(shown.map((one) => one.key));
    for (const [key, row] of this.rows) {
      if (!keys.has(key)) {
        row.remove();
        this.rows.delete(key);
      }
    }
    const now = performance.now();
    let before = null;
    for (const one of shown) {
      let row = this.rows.get(one.key);
      if (!row) {
        row = document.createElement("tr");
        row.append(
          cell("name", one.name),
          cell("labels", format.labels(one.labels)),
          cell("type", one.type),
          cell("number", ""),
          cell("number", ""),
        );
        this.rows.set(one.key, row);
      }
      const place = before ? before.nextSibling : this.body.firstChild;
      if (place !== row) this.body.insertBefore(row, place);
      const is_marked = one.moved && now - one.moved < MARKED;
      const [value, change] = [format.value(one), is_marked ? format.change(one.delta) : ""];
      if (row.children[3].textContent !== value) row.children[3].textContent = value;
      if (row.children[4].textContent !== change) row.children[4].textContent = change;
      row.classList.toggle("moved", Boolean(is_marked));
      before = row;
    }
  }
}
