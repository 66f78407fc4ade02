// What snapshots have kept: shares, counts or quantiles over time, with the ends of epochs marked.

import { Chart } from "./charts.js";
import { ask, find, make, say } from "./dom.js";
import * as format from "./format.js";
import { BUILT_IN, selector } from "./model.js";

const COLOURS = ["--good", "--bad", "--warn", "--accent"];
const POINTS = 1000;

/** What can be shown: which series are asked for, and how their values become lines. */
const share = {
  title: "Success rate",
  series: BUILT_IN.slice(0, 2),
  lines: [["success rate", "--accent"]],
  values: ([success, failed]) => [success.map((count, index) => (count === null || count + failed[index] === 0 ? null : count / (count + failed[index])))],
  text: (value) => format.percent(value, 1),
  range: (low) => [Math.max(0, Math.min((low ?? 1) - 0.02, 0.9)), 1],
};
const transactions = {
  title: "Transactions",
  series: BUILT_IN,
  lines: ["succeeded", "failed", "conflicts", "recoveries"].map((label, index) => [label, COLOURS[index]]),
  values: (all) => all,
  text: format.number,
  range: (_, high) => [0, Math.max((high ?? 0) * 1.1, 1)],
};

/** Any other series: its value, the mean of a summary, or the quantiles of a histogram. */
function of(one) {
  const text = format.unit(one.name);
  const title = selector(one);
  const range = (low, high) => [Math.min(0, low ?? 0), Math.max((high ?? 0) * 1.1, Number.MIN_VALUE, low === high ? 1e-9 : 0)];
  if (one.type === "summary") {
    const mean = (value) => (value?.count ? value.sum / value.count : null);
    return { title, series: [selector(one)], lines: [["mean", "--accent"]], values: ([all]) => [all.map(mean)], text, range };
  }
  if (one.type !== "histogram") {
    return { title, series: [selector(one)], lines: [["value", "--accent"]], values: ([all]) => [all], text, range };
  }
  const names = ["p50", "p90", "p99"];
  return {
    title,
    series: [selector(one)],
    lines: names.map((name, index) => [name, COLOURS[[0, 2, 1][index]]]),
    values: ([all]) => names.map((name) => all.map((value) => value?.[name] ?? null)),
    text,
    range,
  };
}

export class History {
  constructor() {
    this.section = find("#history");
    this.chart = new Chart(find(".chart", this.section), "History", share.lines, (value) => this.shown.text(value), {
      range: (low, high) => this.shown.range(low, high),
    });
    this.choices = [share, transactions];
    this.shown = share;
    const select = find("#past");
    select.addEventListener("change", () => this.choose(this.choices[select.selectedIndex]));
    this.list();
  }

  list() {
    const select = find("#past");
    select.replaceChildren(...this.choices.map(({ title }) => make("option", "", title)));
    select.selectedIndex = this.choices.indexOf(this.shown);
  }

  /** Shows a series that was picked from the table. */
  pick(one) {
    const choice = of(one);
    this.choices = [share, transactions, choice];
    this.choose(choice);
    this.section.scrollIntoView({ block: "nearest" });
  }

  choose(choice) {
    this.shown = choice;
    this.list();
    this.chart.title = `History of ${choice.title}`;
    this.chart.marks = [];
    this.chart.define(choice.lines);
    this.ask(this.store);
  }

  async ask(store) {
    if (!store) return;
    this.store = store;
    const shown = this.shown;
    const parameters = [["store", store.name], ["points", POINTS], ...shown.series.map((series) => ["series", series])];
    const found = await ask("history", parameters);
    // Something else may have been chosen meanwhile.
    if (shown !== this.shown || store !== this.store) return;
    const points = found?.points ?? [];
    find(".empty", this.section).hidden = points.length > 0;
    find(".chart", this.section).hidden = points.length === 0;
    say(find(".note", this.section), points.length ? about(found) : "");
    if (points.length) this.draw(found);
  }

  /** A line breaks where an epoch ends: what counts begins at 0 there. */
  draw({ points, series }) {
    const values = this.shown.values(series.map((one) => one.values));
    const data = [[], ...values.map(() => [])];
    this.chart.marks = [];
    // They come by their epochs; a chart goes by time, and a clock can have gone back.
    const order = points.map((_, index) => index).sort((one, other) => points[one].at - points[other].at);
    order.forEach((index) => {
      const { at, kind, epoch } = points[index];
      data[0].push(at);
      values.forEach((line, place) => data[place + 1].push(line[index]));
      if (kind !== "rotation") return;
      this.chart.marks.push({ at, text: `epoch ${epoch} ends` });
      data[0].push(at + 1e-6);
      values.forEach((_, place) => data[place + 1].push(null));
    });
    this.chart.show(data);
  }
}

function about({ found, points, unreadable }) {
  const first = `${format.count(found)} snapshot${found === 1 ? "" : "s"} from ${format.moment(points[0].at)} to ${format.moment(points.at(-1).at)}`;
  const shown = points.length < found ? `, ${format.count(points.length)} of them shown` : "";
  // The lines that mark them cannot be heard.
  const ends = points.filter(({ kind }) => kind === "rotation").map(({ epoch }) => epoch);
  const epochs = ends.length ? `; ${ends.length === 1 ? `epoch ${ends[0]} ends` : `${format.count(ends.length)} epochs end, ${ends[0]} to ${ends.at(-1)}`}` : "";
  const bad = unreadable?.length ? `; ${unreadable.length} cannot be read, such as ${unreadable[0].name}: ${unreadable[0].reason}` : "";
  return first + shown + epochs + bad;
}
