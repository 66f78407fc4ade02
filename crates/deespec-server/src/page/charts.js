// Lines over the time that this page is open.

/* global uPlot */

/** How many seconds are kept. */
const KEPT = 600;

const time = (at) => new Date(at * 1000).toLocaleTimeString([], { timeStyle: "medium", hour12: false });

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Lines {
  /** `lines` are `[label, colour variable]`; `text` makes a value readable. */
  constructor(element, lines, text, range) {
    this.element = element;
    this.lines = lines;
    this.text = text;
    this.range = range;
    this.data = [[], ...lines.map(() => [])];
    this.draw();
    new ResizeObserver(() => this.resize()).observe(element);
  }

  size() {
    const { width, height } = this.element.getBoundingClientRect();
    return { width: Math.max(width, 50), height: Math.max(height - 28, 50) };
  }

  /** Makes the chart anew, as when the theme has changed. */
  draw() {
    this.chart?.destroy();
    const faint = style("--faint");
    const axis = { stroke: faint, grid: { stroke: style("--line"), width: 1 }, ticks: { show: false } };
    this.chart = new uPlot(
      {
        ...this.size(),
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: this.range } },
        axes: [{ ...axis, values: (_, all) => all.map(time) }, { ...axis, size: 62, values: (_, all) => all.map(this.text) }],
        series: [
          {},
          ...this.lines.map(([label, colour]) => ({
            label,
            stroke: style(colour),
            width: 2,
            points: { show: false },
            value: (_, value) => (value === null ? "–" : this.text(value)),
          })),
        ],
      },
      this.data,
      this.element,
    );
  }

  resize() {
    this.chart.setSize(this.size());
  }

  push(at, values) {
    this.data[0].push(at);
    values.forEach((value, index) => this.data[index + 1].push(Number.isFinite(value) ? value : null));
    while (at - this.data[0][0] > KEPT) this.data.forEach((column) => column.shift());
    this.chart.setData(this.data);
  }

  clear() {
    this.data.forEach((column) => column.splice(0));
    this.chart.setData(this.data);
  }
}
