// What the stores count, as the server has told it: one view, then what changed.

/** The four transactions, in the order in which they are shown. */
export const BUILT_IN = ["commit_success", "commit_failed", "cas_conflicts", "recovery_count"];

/** Over how many milliseconds the rate of a series is taken. */
const RECENT = 10_000;

/** When a server that refused is asked again, in milliseconds. */
const AGAIN = 2000;

/** The text by which a series is known. */
const keyOf = (name, labels) => name + JSON.stringify(Object.entries(labels).sort());

/** The name and the labels of a series as Prometheus writes them. */
export function selector({ name, labels }) {
  const escaped = (text) => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  const all = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  return all.length ? `${name}{${all.join(",")}}` : name;
}

/** One series, with what happened to it lately. */
class Series {
  constructor({ name, labels, type, value }) {
    Object.assign(this, { key: keyOf(name, labels), name, labels, type, value, delta: null, moved: -Infinity, recent: [] });
    this.native = Boolean(value?.native);
    /** Of a histogram, each bucket by its bounds: `[lower, upper, count]`. */
    this.buckets = new Map();
    /** The same of what was observed since somebody took it. */
    this.fresh = new Map();
    if (type === "histogram") this.add(this.buckets, value.buckets ?? []);
  }

  add(buckets, added) {
    for (const [lower, upper, count] of added) {
      const key = `${lower} ${upper}`;
      const known = buckets.get(key);
      if (known) known[2] += count;
      else buckets.set(key, [lower, upper, count]);
    }
  }

  change({ value, delta, buckets }) {
    const now = performance.now();
    Object.assign(this, { value, delta, moved: now });
    if (buckets) [this.buckets, this.fresh].forEach((all) => this.add(all, buckets));
    if (this.type !== "gauge" && typeof delta === "number") this.recent.push([now, delta]);
  }

  /** What was observed since this was called last. */
  take() {
    const fresh = [...this.fresh.values()];
    this.fresh.clear();
    return fresh;
  }

  /** How much was counted a second, lately; of a gauge nothing. */
  rate(now, since) {
    if (this.type === "gauge" || this.type === "info") return null;
    while (this.recent.length && now - this.recent[0][0] > RECENT) this.recent.shift();
    const counted = this.recent.reduce((sum, [, delta]) => sum + delta, 0);
    return (counted * 1000) / Math.min(RECENT, Math.max(now - since, 1000));
  }
}

class Store {
  constructor(name, view) {
    this.name = name;
    this.begin(view);
  }

  /** Takes a whole view: everything that was known before is void. */
  begin(view) {
    this.epoch = view.epoch;
    this.since = view.epoch_started;
    this.known = performance.now();
    this.series = new Map();
    for (const name of BUILT_IN) this.put({ name, labels: {}, type: "counter", value: view[name] });
    view.series.forEach((one) => this.put(one));
  }

  put(one) {
    const series = new Series(one);
    this.series.set(series.key, series);
    return series;
  }

  change(changes) {
    for (const one of changes) {
      const key = keyOf(one.name, one.labels);
      if (one.value === null && one.delta === null) this.series.delete(key);
      else (this.series.get(key) ?? this.put({ ...one, value: one.type === "histogram" ? { ...one.value, buckets: [] } : one.value })).change(one);
    }
  }

  /** The four built-in counters. */
  transactions() {
    return BUILT_IN.map((name) => this.series.get(keyOf(name, {}))?.value ?? 0);
  }

  histograms() {
    return [...this.series.values()].filter((one) => one.type === "histogram" && one.value.count > 0);
  }
}

/** Follows the server; calls `changed(stores)` after each message and `linked(state)` when the connection comes or goes. */
export function follow(changed, linked) {
  const stores = new Map();
  const events = {
    view: ({ stores: all }) => {
      stores.clear();
      for (const { store, view } of all) stores.set(store, new Store(store, view));
    },
    changes: ({ store, changes }) => stores.get(store)?.change(changes),
    epoch: ({ store, view }) => stores.get(store)?.begin(view),
  };
  const connect = () => {
    const source = new EventSource("/api/v1/live");
    source.onopen = () => linked("live");
    source.onerror = () => {
      const is_given_up = source.readyState === EventSource.CLOSED;
      linked(is_given_up ? "lost" : "connecting");
      // A browser comes back by itself after a broken connection, but not after a refusal.
      if (is_given_up) setTimeout(connect, AGAIN);
    };
    for (const [event, take] of Object.entries(events)) {
      source.addEventListener(event, (message) => {
        take(JSON.parse(message.data));
        changed(stores);
      });
    }
  };
  // Not before the caller has what this returns.
  queueMicrotask(connect);
  return stores;
}
