// The success rate and the four transaction counters: how many, how fast, and in all.

import { Live, Spark } from "./charts.js";
import { ask, find, make, say } from "./dom.js";
import * as format from "./format.js";
import { BUILT_IN } from "./model.js";

const LINES = [
  ["Succeeded", "--good"],
  ["Failed", "--bad"],
  ["Conflicts", "--warn"],
  ["Recoveries", "--accent"],
];

/** The axis of a share begins where the share is, and ends at 1. */
const shares = (low) => [Math.max(0, Math.min((low ?? 1) - (1 - (low ?? 1)) * 0.5, 0.9)), 1];

export class Figures {
  constructor() {
    this.rate = new Live(find("#rate .chart"), "Success rate while this page is open", [["succeeded", "--accent"]], (share) => format.percent(share, 1), { range: shares });
    this.speed = new Live(find("#speed .chart"), "Transactions a second while this page is open", LINES, format.rate, { range: (_, high) => [0, Math.max((high ?? 0) * 1.1, 1)] });
    this.tiles = LINES.map(([title, colour]) => {
      const [figure, rate, total, spark] = [make("p", "figure", "–"), make("p", "note"), make("p", "note"), new Spark(colour)];
      find("#transactions").append(make("article", "tile", make("h2", "", title), figure, rate, total, spark.element));
      return { figure, rate, total, spark };
    });
    this.forget();
  }

  /** Another store is shown. */
  forget() {
    this.before = null;
    this.earlier = null;
    [this.rate, this.speed, ...this.tiles.map((tile) => tile.spark)].forEach((chart) => chart.clear());
  }

  /** An epoch has begun: what counts is 0 again. */
  mark(epoch) {
    [this.rate, this.speed].forEach((chart) => chart.marks.push({ at: Date.now() / 1000, text: `epoch ${epoch} begins` }));
  }

  /** Asks what earlier epochs have counted: what is there in all, without this epoch. */
  async ask(store) {
    // The four built-in series come first, in the order of their names.
    const found = await ask("series", { store: store.name, limit: BUILT_IN.length });
    const earlier = (name) => {
      const one = found.series.find((one) => one.name === name);
      return one ? one.total - one.value : NaN;
    };
    this.earlier = found && { epoch: store.epoch, values: BUILT_IN.map(earlier) };
  }

  draw(store) {
    const [success, failed] = store.transactions();
    const commits = success + failed;
    say(find("#rate .figure"), format.percent(success / commits));
    say(find("#rate .note"), commits ? `of ${format.count(commits)} commits in epoch ${store.epoch}` : `no commits yet in epoch ${store.epoch}`);
    store.transactions().forEach((value, index) => say(this.tiles[index].figure, format.count(value)));
  }

  /** Once a second. */
  tick(store) {
    const [now, values] = [performance.now(), store.transactions()];
    const before = this.before;
    this.before = { known: store.known, values, now };
    // After an epoch has begun, or the server was away, there is nothing to compare with.
    if (before?.known !== store.known) return;
    const rates = values.map((value, index) => ((value - before.values[index]) * 1000) / (now - before.now));
    const all = this.earlier?.epoch === store.epoch ? this.earlier.values.map((value, index) => value + values[index]) : null;
    rates.forEach((each, index) => {
      this.tiles[index].spark.push(each);
      say(this.tiles[index].rate, `${format.rate(each)} a second`);
      say(this.tiles[index].total, all ? `${format.count(all[index])} in all epochs` : "");
    });
    this.speed.push(Date.now() / 1000, rates);
    this.rate.push(Date.now() / 1000, [values[0] / (values[0] + values[1])]);
  }
}
