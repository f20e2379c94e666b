// The texts of the page's language, which the page brings along, and what the station makes elements with.

const texts = JSON.parse(document.querySelector("main").dataset.texts);
const lang = document.documentElement.lang;

export const t = (key, values = {}) =>
  texts[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));

export const has = (key) => key in texts;

export const clock = (at) =>
  new Intl.DateTimeFormat(lang, { weekday: "short", hour: "2-digit", minute: "2-digit" }).format(new Date(at));

export const day = (at) =>
  new Intl.DateTimeFormat(lang, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(new Date(at));

const DAY_MS = 24 * 3600 * 1000;

export const when = (at) => (Date.now() - Date.parse(at) < DAY_MS ? clock(at) : day(at));

export const $ = (id) => document.getElementById(id);

export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(element.dataset, value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// A number keeps its direction in whatever is written around it.
export const number = (text) => el("bdi", { dir: "ltr" }, text);
