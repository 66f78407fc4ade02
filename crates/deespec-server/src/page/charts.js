// Lines over time, drawn by uPlot in the colours of the theme, each with a legend and a sentence for those who do not see it.

import { colour, make, say } from "./dom.js";
import * as format from "./format.js";

/* global uPlot */

/** All charts, to be drawn anew when the theme changes. */
const charts = new Set();
export const redraw = () => charts.forEach((chart) => chart.draw());

export class Chart {
  /**
   * `lines` are `[label, name of a colour]`; `text` makes a value readable; `range(low, high)` gives the bounds of the axis.
   * Other options: `log` for a logarithmic axis, `under(chart)` to paint below the lines, and `window`, the seconds that are
   * shown at least. `marks` are moments with a word, `{at, text}`.
   */
  constructor(element, title, lines, text, options = {}) {
    Object.assign(this, { element, title, text, options, marks: [] });
    this.plot = make("div", "plot");
    this.plot.setAttribute("role", "img");
    this.legend = make("ul", "legend");
    element.append(this.plot, this.legend);
    this.define(lines);
    charts.add(this);
    new ResizeObserver(() => this.chart.setSize(this.size())).observe(this.plot);
  }

  /** Begins with other lines, or with none of what was shown. */
  define(lines) {
    this.lines = lines;
    this.data = [[], ...lines.map(() => [])];
    this.values = lines.map(() => make("b"));
    this.legend.replaceChildren(
      ...lines.map(([label, name], index) => {
        const mark = make("i");
        mark.style.background = `var(${name})`;
        return make("li", "", mark, `${label} `, this.values[index]);
      }),
    );
    this.legend.hidden = lines.length < 2;
    this.draw();
  }

  size() {
    return { width: Math.max(this.plot.clientWidth, 60), height: Math.max(this.plot.clientHeight, 60) };
  }

  /** What the axis of time spans; now, while there is nothing to show. */
  times(low, high, least) {
    const end = high ?? Date.now() / 1000;
    return [Math.min(low ?? end, end - least), end];
  }

  draw() {
    this.chart?.destroy();
    const faint = colour("--faint");
    const axis = { stroke: faint, font: "12px system-ui, sans-serif", grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const { range, log, under, window } = this.options;
    this.chart = new uPlot(
      {
        ...this.size(),
        padding: [8, 28, 0, 0],
        cursor: { drag: { x: false, y: false }, points: { size: 7 } },
        legend: { show: false },
        scales: {
          x: { time: true, range: (_, low, high) => this.times(low, high, window ?? 1) },
          y: log ? { distr: 3, log: 10, range: (_, low, high) => range(low, high) } : { range: (_, low, high) => range(low, high) },
        },
        axes: [
          { ...axis, space: 84, size: 30, values: (chart, all) => all.map((at) => format.time(at, chart.scales.x.max - chart.scales.x.min)) },
          { ...axis, size: 62, gap: 4, values: (_, all) => all.map((value) => (value === null ? "" : this.text(value))) },
        ],
        series: [{}, ...this.lines.map(([label, name]) => ({ label, stroke: colour(name), width: 2, points: { show: false } }))],
        hooks: {
          drawAxes: under ? [under] : [],
          draw: [(chart) => this.mark(chart)],
          setCursor: [() => this.tell()],
        },
      },
      this.data,
      this.plot,
    );
    this.tell();
  }

  /** Shows other values: times, then one list a line. */
  show(data) {
    this.data = data;
    this.chart.setData(data);
    this.tell();
  }

  /** Dashed lines at the marked moments, with words where there is room. */
  mark({ ctx, bbox, scales, valToPos }) {
    const scale = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("--faint");
    ctx.font = `${11 * scale}px system-ui, sans-serif`;
    ctx.setLineDash([4 * scale, 4 * scale]);
    ctx.textAlign = "right";
    let last = -Infinity;
    for (const { at, text } of this.marks) {
      if (at < scales.x.min || at > scales.x.max) continue;
      const x = Math.round(valToPos(at, "x", true)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const width = ctx.measureText(text).width + 10 * scale;
      if (x - Math.max(last, bbox.left) < width) continue;
      ctx.fillText(text, x - 5 * scale, bbox.top + 13 * scale);
      last = x;
    }
    ctx.restore();
  }

  /** The values under the pointer, else the last ones. */
  tell() {
    const index = this.chart?.cursor.idx ?? this.data[0].length - 1;
    const read = (line) => {
      const value = this.data[line + 1]?.[index];
      return value === null || value === undefined ? "–" : this.text(value);
    };
    this.lines.forEach((_, line) => say(this.values[line], read(line)));
    const last = this.lines.map(([label], line) => `${label} ${read(line)}`).join(", ");
    const label = `${this.title}: ${this.data[0].length ? last : "nothing yet"}`;
    if (this.plot.getAttribute("aria-label") !== label) this.plot.setAttribute("aria-label", label);
  }
}

/** Seconds that a live chart shows at least and at most. */
const [LEAST, MOST] = [60, 600];

/** A chart that grows by a value at a time. */
export class Live extends Chart {
  constructor(element, title, lines, text, options = {}) {
    super(element, title, lines, text, { window: LEAST, ...options });
  }

  push(at, values) {
    this.data[0].push(at);
    values.forEach((value, line) => this.data[line + 1].push(Number.isFinite(value) ? value : null));
    while (at - this.data[0][0] > MOST) this.data.forEach((column) => column.shift());
    this.show(this.data);
  }

  clear() {
    this.marks = [];
    this.show(this.data.map(() => []));
  }
}

const SVG = "http://www.w3.org/2000/svg";

/** A line without axes, of as many values as there is room for. */
export class Spark {
  constructor(name, kept = 120) {
    this.kept = kept;
    this.values = [];
    this.element = document.createElementNS(SVG, "svg");
    this.line = document.createElementNS(SVG, "polyline");
    this.element.setAttribute("class", "spark");
    this.element.setAttribute("viewBox", `0 0 ${kept - 1} 30`);
    this.element.setAttribute("preserveAspectRatio", "none");
    this.element.setAttribute("aria-hidden", "true");
    this.line.style.stroke = `var(${name})`;
    this.element.append(this.line);
  }

  push(value) {
    this.values.push(value);
    if (this.values.length > this.kept) this.values.shift();
    const [most, first] = [Math.max(...this.values, 1), this.kept - this.values.length];
    const points = this.values.map((each, index) => `${first + index},${(28 - (26 * each) / most).toFixed(1)}`);
    this.line.setAttribute("points", points.join(" "));
  }

  clear() {
    this.values = [];
    this.line.setAttribute("points", "");
  }
}
