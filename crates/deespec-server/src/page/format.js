// How values look to people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const few = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

export const count = (value) => whole.format(value);

/** A number in few digits; what is no number keeps its name. */
export const number = (value) => (typeof value === "number" ? few.format(value) : String(value ?? "–"));

export const percent = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(2)} %` : "–");

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (value >= 1024 && unit + 1 < units.length) {
    value /= 1024;
    unit += 1;
  }
  return `${few.format(value)} ${units[unit]}`;
}

export function seconds(value) {
  if (value < 1) return `${(value * 1000).toFixed(0)} ms`;
  if (value < 120) return `${value.toFixed(1)} s`;
  return `${whole.format(value / 60)} min`;
}

export const labels = (all) =>
  Object.entries(all)
    .map(([name, value]) => `${name}=${value}`)
    .join("  ");

/** The value of a series; of a histogram how often and how large. */
export function value(one) {
  if (one.type === "histogram") return `${count(one.value.count)} × ⌀ ${number(one.value.sum / one.value.count)}`;
  if (one.type === "counter") return count(one.value);
  if (one.type === "info") return "";
  return number(typeof one.value === "object" && one.value !== null ? one.value.value : one.value);
}

export const change = (delta) => (typeof delta === "number" && delta !== 0 ? `${delta > 0 ? "+" : "−"}${number(Math.abs(delta))}` : "");
