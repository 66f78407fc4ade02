// What the stores count, as the server has told it: one view, then what changed.

const BUILT_IN = ["commit_success", "commit_failed", "cas_conflicts", "recovery_count"];

/** The text by which a series is known. */
export const keyOf = (name, labels) => name + JSON.stringify(Object.entries(labels).sort());

class Store {
  constructor(name, view, at) {
    this.name = name;
    this.begin(view, at);
  }

  /** Takes a whole view: everything that was known before is void. */
  begin(view, at) {
    this.epoch = view.epoch;
    this.since = view.epoch_started;
    this.at = at;
    this.series = new Map();
    for (const name of BUILT_IN) this.put({ name, labels: {}, type: "counter", value: view[name] });
    for (const one of view.series) this.put(one);
  }

  put(one, delta = null) {
    const key = keyOf(one.name, one.labels);
    const known = this.series.get(key);
    const moved = delta === null ? (known?.moved ?? 0) : performance.now();
    this.series.set(key, { key, name: one.name, labels: one.labels, type: one.type, value: one.value, delta, moved });
  }

  change(changes, at) {
    this.at = at;
    for (const one of changes) {
      if (one.delta === null && one.value === null) this.series.delete(keyOf(one.name, one.labels));
      else this.put(one, one.delta);
    }
  }

  count(name) {
    return this.series.get(keyOf(name, {}))?.value ?? 0;
  }

  transactions() {
    return BUILT_IN.map((name) => this.count(name));
  }
}

/**
 * Follows the server; calls `changed(stores)` after each message and `linked(state)` when the connection
 * comes or goes.
 */
export function follow(changed, linked) {
  const stores = new Map();
  const source = new EventSource("/api/v1/live");
  const on = (event, take) =>
    source.addEventListener(event, (message) => {
      take(JSON.parse(message.data));
      changed(stores);
    });
  source.onopen = () => linked("live");
  source.onerror = () => linked(source.readyState === EventSource.CLOSED ? "lost" : "connecting");
  on("view", ({ at, stores: all }) => {
    stores.clear();
    for (const { store, view } of all) stores.set(store, new Store(store, view, at));
  });
  on("changes", ({ store, at, changes }) => stores.get(store)?.change(changes, at));
  on("epoch", ({ store, at, view }) => stores.get(store)?.begin(view, at));
  on("end", () => linked("connecting"));
  return stores;
}
