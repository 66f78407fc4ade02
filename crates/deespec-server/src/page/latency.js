// Histograms: the quantiles of the epoch in a list, and what was observed lately as a heat map with lines.

import { Live } from "./charts.js";
import { alone, colour, find, labels, make, say } from "./dom.js";
import * as format from "./format.js";
import { quantile, sorted } from "./quantiles.js";

/** Seconds that one column of the heat map stands for, and how many are kept. */
export const COLUMN = 5;
const KEPT = 120;
const QUANTILES = [
  ["p50", 0.5, "--good"],
  ["p90", 0.9, "--warn"],
  ["p99", 0.99, "--bad"],
];
/** Histograms in the list; the table of series has all of them. */
const LISTED = 100;
/** Bars of a small picture. */
const BARS = 24;

/** Positive bounds for an axis that is logarithmic; a bucket without a bound is as wide as half of the other one. */
function bounds([lower, upper]) {
  const high = upper ?? lower * 2;
  return [lower === null || lower <= 0 ? high / 2 : lower, high];
}

export class Latency {
  constructor() {
    this.section = find("#latency");
    this.rows = new Map();
    this.columns = new Map();
    this.chosen = null;
    const lines = QUANTILES.map(([name, , line]) => [name, line]);
    this.chart = new Live(find(".heat .chart", this.section), "Quantiles while this page is open", lines, (value) => this.text(value), {
      log: true,
      range: () => this.range(),
      under: (chart) => this.paint(chart),
    });
  }

  text(value) {
    return this.chosen ? format.unit(this.chosen.name)(value) : format.number(value);
  }

  forget() {
    this.columns.clear();
    this.choose(null);
  }

  /** What the axis of the heat map spans: all that was observed in this epoch. */
  range() {
    const all = this.chosen ? sorted(this.chosen.buckets.values()).map(bounds).filter(([low]) => low > 0) : [];
    if (!all.length) return [0.001, 1];
    // An axis that is logarithmic begins and ends at a power of ten, or uPlot finds no place for its marks.
    const [low, high] = [Math.floor(Math.log10(all[0][0])), Math.ceil(Math.log10(all.at(-1)[1]))];
    return [10 ** low, 10 ** Math.max(high, low + 1)];
  }

  /** Once for each column: what was observed meanwhile. */
  tick(store) {
    const at = Date.now() / 1000;
    for (const one of store.histograms()) {
      const columns = this.columns.get(one.key) ?? [];
      columns.push({ at, buckets: sorted(one.take()) });
      if (columns.length > KEPT) columns.shift();
      this.columns.set(one.key, columns);
    }
    this.lines();
  }

  lines() {
    const columns = (this.chosen && this.columns.get(this.chosen.key)) ?? [];
    const values = QUANTILES.map(([, q]) => columns.map(({ buckets }) => quantile(buckets, q, this.chosen.native)));
    this.chart.show([columns.map(({ at }) => at), ...values]);
  }

  /** The cells of the heat map: the more was observed, the stronger. */
  paint(chart) {
    const columns = (this.chosen && this.columns.get(this.chosen.key)) ?? [];
    const most = columns.flatMap(({ buckets }) => buckets).reduce((high, [, , count]) => Math.max(high, count), 1);
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour("--accent");
    for (const { at, buckets } of columns) {
      const left = Math.round(chart.valToPos(at - COLUMN, "x", true));
      const width = Math.max(1, Math.round(chart.valToPos(at, "x", true)) - left);
      for (const bucket of buckets) {
        const [low, high] = bounds(bucket);
        if (!(low > 0)) continue;
        const [top, bottom] = [high, low].map((value) => Math.round(chart.valToPos(value, "y", true)));
        ctx.globalAlpha = 0.12 + 0.6 * Math.sqrt(bucket[2] / most);
        ctx.fillRect(left, top, width, Math.max(1, bottom - top));
      }
    }
    ctx.restore();
  }

  choose(one) {
    this.chosen = one;
    for (const [key, row] of this.rows) row.button.setAttribute("aria-pressed", String(key === one?.key));
    const note = one ? [alone(one.name), " ", ...labels(one.labels), ` observed while this page is open, in columns of ${COLUMN} s`] : [];
    find(".heat .note", this.section).replaceChildren(...note);
    this.lines();
  }

  draw(store) {
    const all = store.histograms().slice(0, LISTED);
    find(".empty", this.section).hidden = all.length > 0;
    find(".halves", this.section).hidden = all.length === 0;
    const keys = new Set(all.map((one) => one.key));
    for (const [key, row] of this.rows) {
      if (keys.has(key)) continue;
      row.button.remove();
      this.rows.delete(key);
    }
    for (const one of all) {
      const row = this.rows.get(one.key) ?? this.row(one);
      row.one = one;
      const buckets = sorted(one.buckets.values());
      const shown = format.unit(one.name);
      say(row.count, `${format.count(one.value.count)} observed, mean ${shown(one.value.sum / one.value.count)}`);
      QUANTILES.forEach(([name, q], index) => say(row.values[index], `${name} ${shown(quantile(buckets, q, one.native))}`));
      row.bars.replaceChildren(...bars(buckets));
    }
    // An epoch that began has new series of the same names.
    const most = (one, other) => (one && one.value.count >= other.value.count ? one : other);
    const chosen = this.rows.get(this.chosen?.key)?.one ?? all.reduce(most, null);
    if (chosen !== this.chosen) this.choose(chosen);
  }

  row(one) {
    const [count, values, picture] = [make("span", "note"), QUANTILES.map(() => make("span")), make("span", "bars")];
    const name = make("span", "name", alone(one.name), " ", make("span", "labels", ...labels(one.labels)));
    const button = make("button", "", name, picture, count, make("span", "quantiles", ...values));
    picture.setAttribute("aria-hidden", "true");
    button.type = "button";
    const row = { button, count, values, bars: picture, one };
    button.addEventListener("click", () => this.choose(row.one));
    button.setAttribute("aria-pressed", "false");
    find(".list", this.section).append(button);
    this.rows.set(one.key, row);
    return row;
  }
}

/** A small picture of how the observations lie, from the smallest to the largest. */
function bars(buckets) {
  const step = Math.max(1, Math.ceil(buckets.length / BARS));
  const heights = [];
  for (let first = 0; first < buckets.length; first += step) heights.push(buckets.slice(first, first + step).reduce((sum, [, , count]) => sum + count, 0));
  const most = Math.max(...heights, 1);
  return heights.map((height) => {
    const bar = make("i");
    bar.style.height = `${Math.max(4, (height / most) * 100).toFixed(0)}%`;
    return bar;
  });
}
