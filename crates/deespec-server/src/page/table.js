// The table of all series, with a search and an order. Everything is a text node: a label can be anything.

import { alone, find, labels, make, say } from "./dom.js";
import * as format from "./format.js";

/** Rows that are shown at first, and how many more at a time; the search finds the others. */
const SHOWN = 100;
/** How long a change is marked, in milliseconds. */
const MARKED = 1200;

const cell = (kind, ...content) => {
  const element = make("td", kind, ...content);
  element.setAttribute("role", "cell");
  return element;
};

export class Table {
  /** `picked` is called with a series whose history is wanted. */
  constructor(picked) {
    this.section = find("#series");
    this.body = find("tbody", this.section);
    this.search = find("#search");
    this.picked = picked;
    this.rows = new Map();
    this.shown = SHOWN;
    this.order = null;
    find("#more").addEventListener("click", () => {
      this.shown += SHOWN;
      this.draw(this.store);
    });
    this.search.addEventListener("input", () => {
      this.shown = SHOWN;
      this.draw(this.store);
    });
    for (const button of this.section.querySelectorAll("[data-sort]")) button.addEventListener("click", () => this.sort(button));
  }

  /** The first click sorts, numbers the largest first; the second the other way round, the third not at all. */
  sort(button) {
    const by = button.dataset.sort;
    const [first, second] = by === "name" ? ["ascending", "descending"] : ["descending", "ascending"];
    const next = { [first]: second, [second]: "none" }[this.order?.by === by ? this.order.way : ""] ?? first;
    for (const head of this.section.querySelectorAll("[aria-sort]")) head.setAttribute("aria-sort", "none");
    button.parentElement.setAttribute("aria-sort", next);
    this.order = next === "none" ? null : { by, way: next };
    this.draw(this.store);
  }

  wanted(store) {
    const text = this.search.value.trim().toLowerCase();
    const is = (one) =>
      !text ||
      one.name.toLowerCase().includes(text) ||
      Object.entries(one.labels).some(([label, value]) => `${label}=${value}`.toLowerCase().includes(text));
    const wanted = [...store.series.values()].filter(is);
    if (!this.order) return wanted;
    const now = performance.now();
    const key = { name: (one) => one.name, value: (one) => format.size(one) || 0, rate: (one) => one.rate(now, store.known) ?? -1 }[this.order.by];
    const sign = this.order.way === "ascending" ? 1 : -1;
    const keyed = wanted.map((one) => [key(one), one]);
    keyed.sort(([a], [b]) => (a < b ? -sign : a > b ? sign : 0));
    return keyed.map(([, one]) => one);
  }

  draw(store) {
    if (!store) return;
    this.store = store;
    const wanted = this.wanted(store);
    const shown = wanted.slice(0, this.shown);
    const all = `${format.count(wanted.length)} of ${format.count(store.series.size)} series`;
    say(find("#found"), wanted.length > shown.length ? `${all}, the first ${format.count(shown.length)} shown` : all);
    find("#more").hidden = wanted.length <= shown.length;
    const keys = new Set(shown.map((one) => one.key));
    for (const [key, row] of this.rows) {
      if (keys.has(key)) continue;
      row.element.remove();
      this.rows.delete(key);
    }
    const now = performance.now();
    let place = this.body.firstChild;
    for (const one of shown) {
      const row = this.rows.get(one.key) ?? this.row(one);
      row.one = one;
      say(row.value, format.value(one));
      const rate = one.rate(now, store.known);
      say(row.rate, rate ? format.rate(rate) : "");
      row.element.classList.toggle("moved", now - one.moved < MARKED);
      if (place === row.element) place = place.nextSibling;
      else this.body.insertBefore(row.element, place);
    }
  }

  row(one) {
    const button = make("button", "", alone(one.name));
    button.type = "button";
    button.title = "Show its history";
    const [value, rate] = [cell("number"), cell("number rate")];
    const element = make("tr", "", cell("name", button), cell("labels", ...labels(one.labels)), cell("type", one.type), value, rate);
    element.setAttribute("role", "row");
    const row = { element, value, rate, one };
    button.addEventListener("click", () => this.picked(row.one));
    this.rows.set(one.key, row);
    return row;
  }
}
