// The page: what is followed, and where it is shown.

import { Lines } from "./charts.js";
import * as format from "./format.js";
import { follow } from "./model.js";
import { Table } from "./table.js";

/** How often a rate is taken, and how often the gate and the health are asked for; in milliseconds. */
const [SECOND, ASKED] = [1000, 5000];

const find = (selector) => document.querySelector(selector);
const TITLES = [
  ["Succeeded", "--good"],
  ["Failed", "--bad"],
  ["Conflicts", "--warn"],
  ["Recoveries", "--accent"],
];

const tiles = TITLES.map(([title]) => {
  const tile = document.createElement("article");
  const [name, figure, note] = ["h2", "p", "p"].map((tag) => document.createElement(tag));
  name.textContent = title;
  figure.className = "figure";
  note.className = "note";
  tile.className = "tile";
  tile.append(name, figure, note);
  find("#transactions").append(tile);
  return { figure, note };
});

const table = new Table(find("#series"));
const rate = new Lines(find("#rate .chart"), [["succeeded", "--accent"]], (share) => `${(share * 100).toFixed(1)} %`, (_, low) => [Math.min(low ?? 1, 0.9), 1]);
const speed = new Lines(find("#speed .chart"), TITLES.map(([title, colour]) => [title.toLowerCase(), colour]), format.number, (_, __, high) => [0, Math.max(high ?? 0, 1)]);

let [chosen, is_drawn, before] = [null, true, null];

const stores = follow(
  () => {
    if (!stores.has(chosen)) {
      chosen = stores.keys().next().value ?? null;
      const select = find("#store");
      select.replaceChildren(...[...stores.keys()].map((name) => new Option(name, name)));
      find("#stores").hidden = stores.size < 2;
      ask();
    }
    is_drawn = false;
  },
  (state) => {
    const link = find("#link");
    link.dataset.state = state;
    link.textContent = { live: "live", connecting: "connecting", lost: "not connected" }[state];
  },
);

/** Draws at most once a frame, however many messages came. */
function frame() {
  const store = stores.get(chosen);
  if (store && !is_drawn && !document.hidden) {
    is_drawn = true;
    const [success, failed] = store.transactions();
    find("#rate .figure").textContent = format.percent(success / (success + failed));
    find("#rate .note").textContent = `${format.count(success + failed)} commits in epoch ${store.epoch}, since ${new Date(store.since).toLocaleString()}`;
    store.transactions().forEach((value, index) => (tiles[index].figure.textContent = format.count(value)));
    table.draw(store);
  }
  requestAnimationFrame(frame);
}

function tick() {
  const store = stores.get(chosen);
  if (!store) return;
  const now = performance.now();
  const values = store.transactions();
  if (before && before.chosen === chosen && before.epoch === store.epoch) {
    const rates = values.map((value, index) => ((value - before.values[index]) * 1000) / (now - before.now));
    rates.forEach((each, index) => (tiles[index].note.textContent = `${format.number(Math.round(each * 10) / 10)} a second`));
    speed.push(Date.now() / 1000, rates);
    rate.push(Date.now() / 1000, [values[0] / (values[0] + values[1])]);
  }
  before = { chosen, epoch: store.epoch, values, now };
  // What was marked is not for ever.
  is_drawn = false;
}

const asked = async (path) => {
  const answer = await fetch(`/api/v1/${path}?store=${encodeURIComponent(chosen)}`);
  return answer.ok ? (await answer.json()).stores[0] : null;
};

async function ask() {
  if (chosen === null || document.hidden) return;
  const [gate, view] = await Promise.all([asked("gate"), asked("view")]).catch(() => [null, null]);
  if (gate) show_verdict(gate.gate.thresholds);
  if (view) show_health(view);
}

function show_verdict(judged) {
  const verdict = judged.verdict;
  const badge = find("#verdict .badge");
  badge.dataset.verdict = verdict;
  badge.textContent = verdict.toUpperCase();
  const reasons = (judged.details ?? []).map((one) => {
    const [item, text] = [document.createElement("li"), document.createElement("span")];
    item.dataset.verdict = one.verdict;
    text.textContent = one.message ?? one.reason;
    item.append(text);
    return item;
  });
  find("#verdict .reasons").replaceChildren(...reasons);
}

function show_health({ path, health }) {
  const facts = [
    ["State", health.degraded ? "degraded" : "good"],
    ["Durable", `up to ${format.seconds(health.durable_lag_seconds)} ago`],
    ["Epoch", format.count(health.epoch)],
    ["Series", `${format.count(health.series)} in ${health.segments} segment${health.segments === 1 ? "" : "s"}`],
    ["Disk", format.bytes(health.disk_bytes)],
    ["Folder", path],
  ];
  const parts = facts.flatMap(([name, value]) => {
    const [term, text] = ["dt", "dd"].map((tag) => document.createElement(tag));
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  });
  find("#health dl").replaceChildren(...parts);
  const problems = health.problems.map((problem) => {
    const item = document.createElement("li");
    item.textContent = problem;
    return item;
  });
  find("#health .problems").replaceChildren(...problems);
}

find("#store").addEventListener("change", (event) => {
  chosen = event.target.value;
  [rate, speed].forEach((chart) => chart.clear());
  is_drawn = false;
  ask();
});
find("#search").addEventListener("input", () => (is_drawn = false));
find("#theme").addEventListener("click", () => {
  const root = document.documentElement;
  const is_dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = is_dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  [rate, speed].forEach((chart) => chart.draw());
});
const remembered = localStorage.getItem("theme");
if (remembered === "dark" || remembered === "light") {
  document.documentElement.dataset.theme = remembered;
  [rate, speed].forEach((chart) => chart.draw());
}
setInterval(tick, SECOND);
setInterval(ask, ASKED);
requestAnimationFrame(frame);
