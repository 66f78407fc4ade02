// How values look to people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const few = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const two = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });

export const count = (value) => whole.format(value);

/** A number in few digits; what is no number keeps its name. */
export function number(value) {
  if (typeof value !== "number") return String(value ?? "–");
  if (Math.abs(value) >= 1e6) return short.format(value);
  return Math.abs(value) >= 100 ? whole.format(value) : few.format(value);
}

export const percent = (share, digits = 2) => (Number.isFinite(share) ? `${(share * 100).toFixed(digits)} %` : "–");

/** A rate; little is not nothing. */
export function rate(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  if (value < 0.01) return "< 0.01";
  return value < 10 ? two.format(value) : number(value);
}

function scaled(value, step, units) {
  let unit = 0;
  while (Math.abs(value) >= step && unit + 1 < units.length) {
    value /= step;
    unit += 1;
  }
  return `${few.format(value)} ${units[unit]}`;
}

export const bytes = (value) => scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);

export function seconds(value) {
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size < 1e-3) return `${few.format(value * 1e6)} µs`;
  if (size < 1) return `${few.format(value * 1e3)} ms`;
  if (size < 120) return `${few.format(value)} s`;
  if (size < 7200) return `${few.format(value / 60)} min`;
  return size < 172800 ? `${few.format(value / 3600)} h` : `${few.format(value / 86400)} d`;
}

/** How a metric's values look; its unit is the end of its name. */
export function unit(name) {
  if (/_seconds$/.test(name)) return seconds;
  return /_bytes(_total)?$/.test(name) ? bytes : number;
}

/** Whether it counts and sums up what was observed. */
const isObserved = (one) => one.type === "histogram" || one.type === "summary";

/** The number by which a series is sorted; of a histogram how often. */
export function size(one) {
  const value = isObserved(one) ? one.value.count : one.value;
  return Number(typeof value === "object" && value !== null ? gauge(value) : value);
}

/** A per-process gauge is what its aggregation makes of the shares. */
const gauge = (value) => (value.aggregation === "count" ? value.processes : (value[value.aggregation] ?? value.sum));

/** The value of a series; of a histogram how often and how large. */
export function value(one) {
  const shown = unit(one.name);
  if (isObserved(one)) return one.value.count ? `${count(one.value.count)} × ⌀ ${shown(one.value.sum / one.value.count)}` : "0";
  if (one.type === "counter") return shown === number && Number.isInteger(one.value) ? count(one.value) : shown(one.value);
  if (one.type === "info") return "";
  const found = typeof one.value === "object" && one.value !== null ? gauge(one.value) : one.value;
  return typeof found === "number" && shown === number && Number.isInteger(found) ? count(found) : shown === number || typeof found !== "number" ? number(found) : shown(found);
}

const hours = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const clock = new Intl.DateTimeFormat(undefined, { ...hours, second: "2-digit" });
const minutes = new Intl.DateTimeFormat(undefined, hours);
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** A time on an axis that is this many seconds long. */
export function time(at, span) {
  const date = new Date(at * 1000);
  if (span <= 900) return clock.format(date);
  return span <= 172800 ? minutes.format(date) : day.format(date);
}

export const moment = (at) => full.format(new Date(at * 1000));
