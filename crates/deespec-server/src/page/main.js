// The page: what is followed, and where it is shown.

import { gate, health } from "./cards.js";
import { redraw } from "./charts.js";
import { find, say } from "./dom.js";
import { Figures } from "./figures.js";
import * as format from "./format.js";
import { History } from "./history.js";
import { COLUMN, Latency } from "./latency.js";
import { follow } from "./model.js";
import { Table } from "./table.js";

/** How often is drawn, a rate is taken, the gate and the health are asked for, and the history; in milliseconds. */
const [DRAWN, SECOND, ASKED, REMEMBERED] = [200, 1000, 5000, 60_000];

const [figures, latency, history] = [new Figures(), new Latency(), new History()];
const table = new Table((one) => history.pick(one));

let [chosen, listed, epoch, is_drawn, verdict, heard] = [null, null, null, true, null, null];
const store = () => stores.get(chosen);

const stores = follow(
  () => {
    heard = new Date();
    if (!stores.has(chosen)) choose(stores.keys().next().value ?? null);
    const names = [...stores.keys()];
    if (names.join("\n") !== listed) {
      listed = names.join("\n");
      find("#store").replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
      find("#stores").hidden = names.length < 2;
    }
    is_drawn = false;
  },
  (state) => {
    const link = find("#link");
    link.dataset.state = state;
    say(link, { live: "live", connecting: "connecting", lost: "not connected" }[state]);
    const stale = find("#stale");
    stale.hidden = state === "live" || heard === null;
    if (!stale.hidden) say(stale, `No answer from the server. What you see is of ${format.moment(heard / 1000)}.`);
  },
);

function choose(name) {
  [chosen, epoch] = [name, null];
  [figures, latency].forEach((part) => part.forget());
  is_drawn = false;
}

/** Draws what changed, and at most a few times a second. */
function draw() {
  const now = store();
  if (!now || document.hidden) return;
  if (epoch !== now.epoch) {
    // Another store, or another epoch of it.
    if (epoch !== null) figures.mark(now.epoch);
    epoch = now.epoch;
    figures.ask(now);
    ask();
    history.ask(now);
  }
  if (is_drawn) return;
  is_drawn = true;
  say(find("#epoch"), `Epoch ${now.epoch}, since ${format.moment(Date.parse(now.since) / 1000)}`);
  figures.draw(now);
  latency.draw(now);
  table.draw(now);
}

async function ask() {
  const now = store();
  if (!now || document.hidden) return;
  [verdict] = await Promise.all([gate(now), health(now)]);
  document.title = verdict ? `${verdict} · ${find("#rate .figure").textContent} · DeeSpec` : "DeeSpec";
}

const every = (time, work) =>
  setInterval(() => {
    const now = store();
    if (now) work(now);
  }, time);
every(DRAWN, draw);
every(SECOND, (now) => {
  figures.tick(now);
  // What was marked is not marked for ever, and rates go down.
  is_drawn = false;
});
every(COLUMN * SECOND, (now) => latency.tick(now));
every(ASKED, ask);
every(REMEMBERED, (now) => history.ask(now));

document.addEventListener("visibilitychange", draw);
find("#store").addEventListener("change", (event) => {
  choose(event.target.value);
  draw();
});
find("#theme").addEventListener("click", () => {
  const root = document.documentElement;
  const is_dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = is_dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  redraw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
