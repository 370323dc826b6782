/*
 * draw.js: how figures are written, and the few marks that the page is drawn with. Text goes into the
 * page as text alone: names are untrusted.
 */

const SVG = "http://www.w3.org/2000/svg";

function fillIn(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "on") for (const [event, f] of Object.entries(value)) element.addEventListener(event, f);
    else if (name === "vars") for (const [key, v] of Object.entries(value)) element.style.setProperty("--" + key, v);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

const el = (tag, attributes, ...children) => fillIn(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fillIn(document.createElementNS(SVG, tag), attributes, children);
const byId = (id) => document.getElementById(id);

/* ---- figures ---------------------------------------------------------------------------------- */

/* No-break: a figure and its unit stay together. */
const SPACE = "\u00a0";

function digits(x) {
  const places = Math.abs(x) >= 100 ? 0 : Math.abs(x) >= 10 ? 1 : 2;
  return x.toFixed(places).replace(/\.?0+$/, places ? "" : "$&");
}

function withUnit(x, base, units) {
  let i = 0, v = Math.abs(x);
  while (v >= base - 0.5 && i < units.length - 1) v /= base, i++;
  return (x < 0 ? "−" : "") + digits(v) + (units[i] ? SPACE + units[i] : "");
}

const bytesText = (x) => withUnit(x, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
const countText = (x) => (Math.abs(x) < 1e5 ? grouped(x) : withUnit(x, 1000, ["", "k", "M", "G", "T"]));
const grouped = (x) => String(Math.abs(x) < 10 ? Math.round(x * 10) / 10 : Math.round(x)).replace(/\B(?=(\d{3})+$)/g, "\u202f").replace("-", "−");
const measureText = (measure, x) => (measure === "count" ? countText(x) : bytesText(x));

function percentText(part, whole) {
  if (!whole) return "–";
  const p = 100 * part / whole;
  const size = Math.abs(p);
  if (size && size < 0.1) return "<" + SPACE + "0.1" + SPACE + "%";
  return (p < 0 ? "−" : "") + (size < 9.95 ? size.toFixed(1) : Math.round(size)) + SPACE + "%";
}

function durationText(ns) {
  if (ns < 60e9) return withUnit(ns, 1000, ["ns", "µs", "ms", "s"]);
  const s = Math.round(ns / 1e9), parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => s >= size);
  return parts.slice(first, first + 2).map(([size, unit], i) => Math.floor((i ? s % parts[first][0] : s) / size) + SPACE + unit).join(" ");
}

const signed = (text, x) => (x > 0 ? "+" + text : text);
const plural = (n, one, many = one + "s") => `${countText(n)}${SPACE}${n === 1 ? one : many}`;

/* ---- marks ------------------------------------------------------------------------------------ */

/* The first hues are those that stay apart for most eyes. */
const HUES = [238, 62, 170, 315, 105, 22, 205, 345, 130, 280];
const hueOfKind = new Map();

/* A kind keeps its colour for as long as the page is open. */
function hue(kind) {
  if (kind.system) return { hue: 260, tint: 0.12 };
  if (!hueOfKind.has(kind.name)) hueOfKind.set(kind.name, hueOfKind.size);
  const n = hueOfKind.get(kind.name);
  return { hue: HUES[n % HUES.length], tint: n < HUES.length ? 1 : 0.55 };
}

const dot = (kind) => el("span", { class: "dot", vars: hue(kind), "aria-hidden": "true" });
const name = (text, css = "") => el("bdi", { class: css, title: text.length > 60 ? text : null }, text);
const muted = (...text) => el("span", { class: "muted" }, ...text);

/* A bar of @part of @whole, in a kind's colour or the page's. */
function bar(part, whole, kind = null) {
  const share = whole > 0 ? Math.min(1, part / whole) : 0;
  return el("span", { class: "bar", "aria-hidden": "true" },
            el("i", { class: kind ? "" : "plain", vars: { w: (100 * share).toFixed(2) + "%", ...(kind ? hue(kind) : {}) } }));
}

const place = (frame) => [name(frame.name, "code"), frame.where ? name(frame.where, "where") : muted("no line known")];

/* Bars as one path in a box of @n by 100, which the style stretches to its place. */
function bars(values, gap = 0.12) {
  const most = Math.max(...values, 0) || 1;
  const d = values.map((v, i) => {
    const h = v > 0 ? Math.max(1.2, 100 * v / most) : 0;
    return h ? `M${i + gap / 2} 100v${-h.toFixed(2)}h${1 - gap}V100z` : "";
  }).join("");
  return svg("svg", { viewBox: `0 0 ${Math.max(values.length, 1)} 100`, preserveAspectRatio: "none", "aria-hidden": "true", class: "bars" },
             svg("path", { d }));
}

/* A button row of which one is pressed. */
function choice(options, chosen, choose) {
  return options.map(([value, label]) => el("button", { type: "button", "data-value": String(value), "aria-pressed": String(value === chosen),
                                                        on: { click: () => choose(value) } }, label));
}
