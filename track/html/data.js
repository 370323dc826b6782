/*
 * data.js: a report as the page wants it. Reads the JSON of version 1, forgives what is missing, and
 * answers questions about it: what kinds there are, what came from one place, the tree of calls, what
 * differs from an earlier report. Nothing here knows of a document or of pixels.
 *
 * Names are untrusted. They are keys of Maps alone, never of objects, for "__proto__" is a name too.
 */

const MEASURES = ["bytes", "count", "live_bytes"];
const SUMS = ["count", "bytes", "growths", "samples", "live_count", "live_bytes", "lived_ns"];
/* More frames than these are not worth their time: what is smaller than one in FINEST of all is folded. */
const MANY_NODES = 20000, FINEST = 20000;

const number = (x) => (typeof x === "number" && isFinite(x) ? x : 0);
const list = (x) => (Array.isArray(x) ? x : []);
const object = (x) => (x && typeof x === "object" ? x : {});
const sum = (values) => values.reduce((a, b) => a + b, 0);

/* What would not be seen, or would turn the text around it, is shown by its number. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
function clean(name) {
  const text = typeof name === "string" ? name : "";
  return text.replace(INVISIBLE, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

function readFrame(frame) {
  const f = object(frame);
  const file = clean(f.file), line = number(f.line);
  const name = clean(f.function) || clean(f.address) || "(unknown)";
  return { name, file, line, where: file ? (line ? `${file}:${line}` : file) : "" };
}

function readKind(kind) {
  const k = object(kind);
  return { name: clean(k.name) || "(no name)", system: k.system === true, count: number(k.count), bytes: number(k.bytes),
           begins: number(k.begins), by_class: list(k.by_class).map(number), live_count: 0, live_bytes: 0 };
}

function readSite(site, kinds, frames) {
  const s = object(site);
  const read = { kind: kinds[s.kind], stack: list(s.stack).map((i) => frames[i]).filter(Boolean) };
  for (const key of SUMS) read[key] = number(s[key]);
  return read;
}

function readProfile(profile) {
  const p = object(profile), waste = object(p.waste), read = {};
  for (const key of ["ended", "samples", "used_p50", "used_p95", "used_max", "held_p95", "held_max", "chunks", "head", "body",
                     "soft_crossed", "refused"]) {
    read[key] = number(p[key]);
  }
  read.waste = {};
  for (const key of ["used", "held", "tails", "idle", "abandoned"]) read.waste[key] = number(waste[key]);
  read.name = clean(p.name) || "(no name)";
  read.histogram = list(p.histogram).map((pair) => list(pair).map(number)).filter((pair) => pair.length === 2);
  read.advice = list(p.advice).map(clean).filter(Boolean);
  return read;
}

function readNode(node) {
  const n = object(node);
  return { kind: clean(n.kind) || "arena", name: clean(n.name) || "(no name)", address: clean(n.address), held: number(n.held),
           used: number(n.used), count: number(n.count), out: number(n.out), exact: n.exact === true,
           parent: Number.isInteger(n.parent) ? n.parent : -1, children: [] };
}

/* The nodes that have no parent, each with its children. A parent comes before its children. */
function readLive(live) {
  const l = object(live), nodes = list(l.nodes).map(readNode), roots = [];
  nodes.forEach((node, i) => (node.parent >= 0 && node.parent < i ? nodes[node.parent].children : roots).push(node));
  return { roots, size: nodes.length, missed: number(l.missed), reserved: number(l.reserved_bytes), idle: number(l.idle_bytes) };
}

function readTimeline(timeline) {
  const t = object(timeline), read = { width_ns: number(t.width_ns) };
  for (const key of ["count", "bytes", "begins"]) read[key] = list(t[key]).map(number);
  return read;
}

/* Return a model of @document, which JSON.parse has returned. Throws an Error that a person can read. */
function readReport(document) {
  const d = object(document);
  if (d.ebb !== 1) throw new Error("This is no report of Ebb, or one of a version that this page does not know.");
  const kinds = list(d.kinds).map(readKind), frames = list(d.frames).map(readFrame);
  const sites = list(d.sites).map((s) => readSite(s, kinds, frames)).filter((s) => s.kind);
  for (const site of sites) {
    site.kind.live_count += site.live_count;
    site.kind.live_bytes += site.live_bytes;
  }
  const totals = {};
  for (const key of ["count", "bytes", "begins", "dropped", "system_count", "system_bytes", "samples", "live_count", "live_bytes"]) {
    totals[key] = number(object(d.totals)[key]);
  }
  return { name: clean(d.name), program: clean(d.program), level: clean(d.level), pid: number(d.pid), written_ms: number(d.written_ms),
           duration_ns: number(d.duration_ns), sample_bytes: number(d.sample_bytes), totals, kinds, sites,
           classes: list(d.classes).map((c) => (c === null ? Infinity : number(c))), timeline: readTimeline(d.timeline),
           profiles: list(d.profiles).map(readProfile), live: readLive(d.live) };
}

/* A report's JSON, from a file that is that alone, or a page that carries it. */
function textOfReport(text) {
  if (!/^\s*</.test(text)) return text;
  // A parsed document is inert: nothing in it runs or is fetched.
  const found = new DOMParser().parseFromString(text, "text/html").getElementById("report");
  if (!found) throw new Error("There is no report in this page.");
  return found.textContent;
}

const wanted = (model, kind) => (kind === null ? model.sites : model.sites.filter((s) => s.kind.name === kind));

/* ---- places ---------------------------------------------------------------------------------- */

function addUp(into, from) {
  for (const key of SUMS) into[key] += from[key];
  return into;
}

const zeros = () => Object.fromEntries(SUMS.map((key) => [key, 0]));
const UNKNOWN = { name: "(unknown)", file: "", line: 0, where: "" };
const placeKey = (site) => {
  const f = site.stack[0] || UNKNOWN;
  return JSON.stringify([site.kind.name, f.name, f.file, f.line]);
};
const stackKey = (site) => JSON.stringify([site.kind.name, ...site.stack.map((f) => [f.name, f.file, f.line])]);

/* Sites added up that are one to @keyOf; each with the sites it is made of, largest first. */
function gather(sites, keyOf) {
  const rows = new Map();
  for (const site of sites) {
    const key = keyOf(site);
    if (!rows.has(key)) rows.set(key, { key, kind: site.kind, frame: site.stack[0] || UNKNOWN, sites: [], ...zeros() });
    addUp(rows.get(key), site).sites.push(site);
  }
  for (const row of rows.values()) row.sites.sort((a, b) => b.bytes - a.bytes);
  return [...rows.values()];
}

const places = (sites) => gather(sites, placeKey);
const stacks = (sites) => gather(sites, stackKey);

/* ---- the tree of calls ------------------------------------------------------------------------ */

function newNode(name, file, kind) {
  return { name, file, kind, value: 0, before: 0, bytes: 0, count: 0, live_bytes: 0, lines: new Set(), below: new Map() };
}

function childOf(node, key, name, file, kind) {
  let child = node.below.get(key);
  if (!child) node.below.set(key, child = newNode(name, file, kind));
  return child;
}

function credit(node, site, measure, earlier, scale) {
  if (earlier) {
    node.before += site[measure] * scale;
    return;
  }
  node.value += site[measure];
  for (const key of MEASURES) node[key] += site[key];
}

/* Lines are not told apart: one function is one frame, so that the tree says what calls what. */
function plant(root, site, measure, earlier, scale) {
  credit(root, site, measure, earlier, scale);
  let node = childOf(root, site.kind.name, site.kind.name, "", site.kind);
  credit(node, site, measure, earlier, scale);
  for (let i = site.stack.length - 1; i >= 0; i--) {
    const f = site.stack[i];
    node = childOf(node, f.name + "\n" + f.file, f.name, f.file, site.kind);
    credit(node, site, measure, earlier, scale);
    if (f.line && !earlier) node.lines.add(f.line);
  }
}

function countNodes(node) {
  let n = 1;
  for (const child of node.below.values()) n += countNodes(child);
  return n;
}

/* Put what is too small to be seen into one frame, else give each its children, largest first. */
function ripen(node, least) {
  const children = [], small = [];
  for (const child of node.below.values()) {
    if (child.value > 0) (child.value < least ? small : children).push(child);
  }
  children.sort((a, b) => b.value - a.value);
  if (small.length) children.push(fold(small));
  children.forEach((child) => ripen(child, least));
  node.children = children;
  node.below = null;
  return node;
}

function fold(nodes) {
  const folded = newNode(`(${nodes.length} smaller)`, "", nodes[0].kind);
  for (const node of nodes) for (const key of ["value", "before", ...MEASURES]) folded[key] += node[key];
  return folded;
}

/* Callers that all of a kind has in common are one frame, so that what differs comes first. */
function foldCallers(kindNode) {
  const first = kindNode.children[0];
  const one = (node) => node.children.length === 1 && node.children[0].value === node.value;
  if (kindNode.children.length !== 1) return;
  let last = first;
  const names = [first.name];
  while (one(last) && last.children[0].children.length) names.push((last = last.children[0]).name);
  if (names.length < 3) return;
  const label = [names[0], `… ${names.length - 2} more …`, names.at(-1)].join(" › ");
  kindNode.children = [{ ...last, name: names.join(" › "), label, file: "", lines: new Set() }];
}

/* The tree from a kind through its callers to the place of allocation, by @measure. With @earlier, what
   each frame was `before`, times what @scaleOf says of its kind. */
function callTree(model, kind, measure, earlier = null, scaleOf = () => 1) {
  const top = callTrees(model, kind, measure, earlier, scaleOf);
  return ripen(top, countNodes(top) > MANY_NODES ? top.value / FINEST : 0);
}

function callTrees(model, kind, measure, earlier, scaleOf) {
  const root = newNode(kind === null ? "all kinds" : kind, "", null);
  for (const site of wanted(model, kind)) plant(root, site, measure, false, 1);
  if (earlier) for (const site of wanted(earlier, kind)) plant(root, site, measure, true, scaleOf(site.kind.name));
  return kind === null ? root : root.below.get(kind) || root;
}

/* ---- waste ------------------------------------------------------------------------------------ */

/* What of a mean scope of a profile goes where; the parts add up to what it holds. */
function wasteOf(profile) {
  const w = profile.waste;
  const held = Math.max(w.held, w.used + w.tails + w.idle + w.abandoned);
  const other = held - w.used - w.tails - w.idle - w.abandoned;
  return { held, used: w.used, tails: w.tails, abandoned: w.abandoned, idle: w.idle, other, wasted: held - w.used,
           all: profile.ended * (held - w.used), share: held ? (held - w.used) / held : 0 };
}

/* ---- differences ------------------------------------------------------------------------------ */

/* Say by what to multiply an earlier kind's figures so that they are those of as many scopes as now. */
function scaling(model, earlier, perScope) {
  const begins = (m) => new Map(m.kinds.map((k) => [k.name, k.begins]));
  const now = begins(model), then = begins(earlier);
  return (name) => (perScope && now.get(name) && then.get(name) ? now.get(name) / then.get(name) : 1);
}

function pairUp(now, then) {
  const byLine = (a, b) => a.frame.line - b.frame.line;
  const pairs = [], left = new Map(then.map((row) => [row.frame.line, row]));
  const unmatched = [];
  for (const row of now) {
    if (left.has(row.frame.line)) pairs.push([row, left.get(row.frame.line)]);
    else unmatched.push(row);
    left.delete(row.frame.line);
  }
  // A line above may have come or gone: what is left of a function is paired in its order.
  const others = [...left.values()].sort(byLine);
  for (const row of unmatched.sort(byLine)) pairs.push([row, others.shift() || null]);
  return pairs.concat(others.map((row) => [null, row]));
}

function byFunction(rows) {
  const groups = new Map();
  for (const row of rows) {
    const key = JSON.stringify([row.kind.name, row.frame.name, row.frame.file]);
    groups.set(key, (groups.get(key) || []).concat([row]));
  }
  return groups;
}

const changed = (kind, frame, before, now) => ({ kind, frame, before, now, delta: now - before });
const byChange = (a, b) => Math.abs(b.delta) - Math.abs(a.delta);

/* What each place allocates now and did then, the greatest change first. */
function placesChanged(model, earlier, kind, measure, scaleOf) {
  const now = byFunction(places(wanted(model, kind))), then = byFunction(places(wanted(earlier, kind))), rows = [];
  for (const key of new Set([...now.keys(), ...then.keys()])) {
    for (const [a, b] of pairUp(now.get(key) || [], then.get(key) || [])) {
      const of = a || b;
      rows.push(changed(of.kind, of.frame, b ? b[measure] * scaleOf(of.kind.name) : 0, a ? a[measure] : 0));
    }
  }
  return rows.filter((row) => row.before || row.now).sort(byChange);
}

/* The same of each kind. */
function kindsChanged(model, earlier, measure, scaleOf) {
  const then = new Map(earlier.kinds.map((k) => [k.name, k])), rows = [];
  for (const kind of model.kinds) {
    const before = then.get(kind.name);
    rows.push(changed(kind, null, before ? before[measure] * scaleOf(kind.name) : 0, kind[measure]));
    then.delete(kind.name);
  }
  for (const kind of then.values()) rows.push(changed(kind, null, kind[measure], 0));
  return rows.filter((row) => row.before || row.now).sort(byChange);
}
