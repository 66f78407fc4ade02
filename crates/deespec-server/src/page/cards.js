// What the server is asked for now and then: the gate's verdict with its reasons, and the health of the store.

import { ask, find, make, say } from "./dom.js";
import * as format from "./format.js";

const WORDS = { pass: "Pass", warn: "Warn", fail: "Fail", disabled: "Off" };

/** How much of its limit a rule has used up; `null` where that says nothing. */
function used({ check, kind, value, limit, margin }) {
  if (!Number.isFinite(value) || !Number.isFinite(limit) || limit <= 0) return null;
  // A share that must be large has used up what is missing to the whole. Thresholds have it in percent.
  const whole = check === "success_rate" ? 100 : kind === "ratio" && margin === value - limit ? 1 : null;
  return Math.min(1, whole === null ? value / limit : (whole - value) / Math.max(whole - limit, 1e-9));
}

function reason(rule) {
  const item = make("li", "", make("span", "", rule.message ?? rule.reason ?? rule.check ?? ""));
  item.dataset.verdict = rule.verdict;
  const share = used(rule);
  if (share !== null) {
    const [meter, bar] = [make("div", "meter"), make("i")];
    bar.style.width = `${(share * 100).toFixed(1)}%`;
    meter.append(bar);
    item.append(meter);
  }
  return item;
}

/** Shows the verdict; gives the word for it. */
export async function gate(store) {
  const answer = await ask("gate", { store: store.name });
  const judged = answer?.stores[0]?.gate?.thresholds;
  const badge = find("#verdict .badge");
  if (!judged) {
    badge.dataset.verdict = "unknown";
    say(badge, "Not judged");
    find("#verdict .reasons").replaceChildren();
    say(find("#verdict .note"), answer ? (answer.stores[0]?.error ?? "") : "The server gave no verdict.");
    return null;
  }
  badge.dataset.verdict = judged.verdict;
  say(badge, WORDS[judged.verdict] ?? judged.verdict);
  find("#verdict .reasons").replaceChildren(...(judged.details ?? []).map(reason));
  const source = judged.config?.source;
  say(find("#verdict .note"), source ? `The limits are those of ${source}.` : "The limits are the defaults; deespec init --thresholds writes a file to change them.");
  return WORDS[judged.verdict] ?? judged.verdict;
}

export async function health(store) {
  const answer = await ask("view", { store: store.name });
  if (!answer) return;
  const { path, health } = answer.stores[0];
  const facts = [
    ["State", health.degraded ? "degraded" : health.problems.length ? "incomplete" : "good"],
    ["Durable", `up to ${format.seconds(health.durable_lag_seconds)} ago`],
    ["Series", `${format.count(health.series)} in ${health.segments} segment${health.segments === 1 ? "" : "s"}`],
    ["Disk", format.bytes(health.disk_bytes)],
    ["Folder", path],
  ];
  find("#health dl").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
  find("#health dd").dataset.verdict = facts[0][1] === "good" ? "pass" : "fail";
  const problems = find("#health .problems");
  const text = health.problems.join("\n");
  if (problems.dataset.text !== text) {
    problems.dataset.text = text;
    problems.replaceChildren(...health.problems.map((problem) => make("li", "", problem)));
  }
}
