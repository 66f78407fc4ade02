// Elements of the page. Everything that comes from a store is a text node: a label can be anything.

export const find = (selector, within = document) => within.querySelector(selector);

/** A new element: its tag, its class, and what is in it. */
export function make(tag, kind = "", ...content) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.append(...content);
  return element;
}

/** Text from a store, which must not turn the direction of what stands beside it. */
export const alone = (text) => make("bdi", "", text);

/** A label set, each label for itself. */
export const labels = (all) => Object.entries(all).flatMap(([name, value], index) => [index ? "  " : "", alone(`${name}=${value}`)]);

/** Sets a text only where it differs, so that a screen reader does not say it again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A colour of the theme. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Something from the API, or `null` where there is no answer. */
export async function ask(path, parameters) {
  try {
    const answer = await fetch(`/api/v1/${path}?${new URLSearchParams(parameters)}`);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
