/*
 * panels.js: the page's sections. Each function takes the view (model, earlier, state, act) and fills its
 * section's body anew; each copes with a report that has nothing for it, and then says how to get that.
 */

const ROWS_AT_FIRST = matchMedia("(max-width: 760px)").matches ? 12 : 30, CHILDREN_AT_FIRST = 12, STACKS_SHOWN = 4, LIVE_SHOWN = 30, MOMENTS_SHOWN = 180;
const MEASURE_NAMES = { bytes: "Bytes", count: "Allocations", live_bytes: "Alive" };

const empty = (...text) => el("p", { class: "empty" }, ...text);
const code = (text) => el("code", {}, text);
const put = (id, ...children) => byId(id).replaceChildren(...children.flat(Infinity).filter(Boolean));
const hasLives = (model) => model.level === "full" || model.totals.live_count > 0;
const total = (rows, measure) => sum(rows.map((r) => r[measure]));
const measured = (model, sites) => [...sites].sort((a, b) => b.bytes - a.bytes);

/* Half the width of what an estimate may be off by, most times; "" where everything was counted. */
function spreadText(model, samples) {
  if (!model.sample_bytes) return "";
  return "± " + bytesText(model.sample_bytes * Math.sqrt(samples));
}

/* ---- at a glance ------------------------------------------------------------------------------ */

function answer(question, main, ...lines) {
  return el("div", { class: "answer" }, el("h2", {}, question), el("p", { class: "big" }, main), lines.filter(Boolean).map((l) => el("p", {}, l)));
}

function answerWho({ model, act }) {
  const kinds = model.kinds.filter((k) => k.bytes > 0), all = total(kinds, "bytes");
  const most = kinds.filter((k) => !k.system).concat(kinds).reduce((a, b) => (a && (a.bytes >= b.bytes || b.system) ? a : b), null);
  if (!most) return answer("Allocates most", "Nothing yet", muted("No allocation was seen while this was watched."));
  return answer("Allocates most", [dot(most), el("button", { type: "button", class: "plain", on: { click: () => act.kind(most.name) } }, name(most.name))],
                bar(most.bytes, all, most),
                [el("b", {}, percentText(most.bytes, all)), ` of all bytes: ${bytesText(most.bytes)}`],
                most.begins > 0 && muted(`${bytesText(most.bytes / most.begins)} in ${plural(most.count / most.begins, "allocation")} a scope`));
}

function answerWhere({ model, act }) {
  const top = places(model.sites).sort((a, b) => b.bytes - a.bytes)[0], all = total(model.kinds, "bytes");
  if (!top) return answer("Where", "No call sites", muted("Begin a tracker, or run with ", code("EBB_TRACK=sites"), "."));
  return answer("Where", el("button", { type: "button", class: "plain", on: { click: () => act.findInFlame(top.frame.name) } }, name(top.frame.name, "code")),
                [name(top.frame.where || "no line known", "where"), muted(" for "), dot(top.kind), name(top.kind.name)],
                [el("b", {}, percentText(top.bytes, all)), ` of all bytes: ${bytesText(top.bytes)}`],
                top.growths > 0 && muted(`${percentText(top.growths, top.count)} of its allocations are growths, which a reserve saves`));
}

const WASTE_NAMES = { tails: "the unused ends of chunks", abandoned: "storage that was outgrown", idle: "storage kept for later", other: "bookkeeping" };

function answerWaste({ model }) {
  const rows = model.profiles.map((p) => ({ p, w: wasteOf(p) })).filter(({ p, w }) => p.ended && w.held);
  if (!rows.length) return answer("Wasted", "Not known yet", muted("Profiles learn it as scopes end."));
  const held = sum(rows.map(({ p, w }) => p.ended * w.held)), wasted = sum(rows.map(({ w }) => w.all));
  const { p, w } = rows.reduce((a, b) => (b.w.all > a.w.all ? b : a));
  const part = Object.keys(WASTE_NAMES).reduce((a, b) => (w[b] > w[a] ? b : a));
  return answer("Wasted", [percentText(wasted, held), el("small", {}, " of what scopes hold")],
                [muted("most by "), dotOf(model, p.name), name(p.name), muted(`: ${bytesText(w.wasted)} a scope`)],
                muted(`mostly ${WASTE_NAMES[part]}`));
}

const kindNamed = (model, wantedName) => model.kinds.find((k) => k.name === wantedName) || { name: wantedName, system: false };
const dotOf = (model, kindName) => dot(kindNamed(model, kindName));

function totalsText({ model }) {
  const t = model.totals, words = [`${bytesText(t.bytes)} in ${plural(t.count, "allocation")}`];
  if (model.sample_bytes) words[0] = "about " + words[0] + ` (${spreadText(model, t.samples)}, from ${plural(t.samples, "sample")})`;
  if (t.begins) words.push(`${plural(t.begins, "scope")} begun`, `${bytesText(t.bytes / t.begins)} a scope`);
  if (t.system_count) words.push(`${bytesText(t.system_bytes)} from malloc, in ${plural(t.system_count, "call")}`);
  if (t.live_count) words.push(`${bytesText(t.live_bytes)} not let go`);
  return words.join(" · ");
}

function drawAnswers(view) {
  const { model } = view, t = model.totals;
  put("answers", answerWho(view), answerWhere(view), answerWaste(view));
  put("totals", totalsText(view));
  put("notices", view.message && el("p", { class: "notice" }, view.message),
      t.dropped > 0 && el("p", { class: "notice" }, `${plural(t.dropped, "allocation")} could not be put to a call site, for want of memory: shares of call sites are of the rest.`));
}

/* ---- filters ---------------------------------------------------------------------------------- */

function drawControls({ model, state, act }) {
  byId("controls").hidden = !model.kinds.length;
  const options = ["bytes", "count"].concat(hasLives(model) ? ["live_bytes"] : []).map((m) => [m, MEASURE_NAMES[m]]);
  put("measures", choice(options, state.measure, act.measure));
  const kinds = [...model.kinds].sort((a, b) => b[state.measure] - a[state.measure]);
  const chip = (value, ...label) => el("button", { type: "button", "aria-pressed": String(state.kind === value), "data-kind": value === null ? "" : value,
                                                   on: { click: () => act.kind(value) } }, ...label);
  put("chips", chip(null, "All kinds"), kinds.map((k) => chip(k.name, dot(k), name(k.name))));
}

/* ---- kinds ------------------------------------------------------------------------------------ */

function ribbon(kinds, measure, act) {
  const all = total(kinds, measure);
  return el("div", { class: "ribbon" }, kinds.filter((k) => k[measure] > 0).map((k) =>
    el("button", { type: "button", tabindex: -1, "aria-hidden": "true", vars: { ...hue(k), w: k[measure] / all }, title: `${k.name}: ${percentText(k[measure], all)}`,
                   on: { click: () => act.kind(k.name) } }, k[measure] / all > 0.07 ? name(k.name) : null)));
}

const share = (part, whole, kind) => [bar(part, whole, kind), el("span", { class: "percent" }, percentText(part, whole))];
const cell = (label, ...content) => el("td", { "data-label": label }, ...content);
const perScope = (kind, value, text) => (kind.begins ? text(value / kind.begins) : muted("–"));

function kindCells(kind, measure, all, lives) {
  return [cell("Share", share(kind[measure], all, kind)),
          cell("Bytes", bytesText(kind.bytes)), cell("Allocations", countText(kind.count)), cell("Scopes", kind.begins ? countText(kind.begins) : muted("–")),
          cell("Bytes a scope", perScope(kind, kind.bytes, bytesText)), cell("Allocations a scope", perScope(kind, kind.count, countText)),
          lives && cell("Alive", bytesText(kind.live_bytes))];
}

/* A row that opens: what is in it is made when it is asked for. */
function opener(open, label, toggle, key) {
  return el("button", { type: "button", class: "opener", "aria-expanded": String(open), "aria-label": label, "data-key": key, on: { click: toggle } });
}

/* Frames with one frame below them and nothing of their own are told in one line. */
function chain(node) {
  const names = [node.name];
  while (node.children.length === 1 && node.children[0].value === node.value) {
    node = node.children[0];
    names.push(node.name);
  }
  return { names, last: node };
}

function chainLabel({ names, last }) {
  const before = names.slice(0, -1);
  const shown = before.length > 3 ? [before[0], `… ${before.length - 2} more …`, before.at(-1)] : before;
  return [shown.length ? muted(shown.map((n) => [name(n), " › "])) : null, name(last.name, "code"), last.file ? muted(" ", name(last.file, "where")) : null];
}

function treeRows(node, level, path, kind, view, lives) {
  const { state, act } = view, rows = [];
  for (const child of node.children.slice(0, state.more.has(path) ? Infinity : CHILDREN_AT_FIRST)) {
    const line = chain(child), key = path + "\n" + line.names.join("\n"), open = state.open.has(key);
    rows.push(el("tr", { class: "call" },
                 el("th", { scope: "row", vars: { level } }, line.last.children.length ? opener(open, "What " + line.last.name + " calls", () => act.open(key), key) : el("span", { class: "opener" }), chainLabel(line)),
                 cell("Share", share(child[state.measure], kind[state.measure], kind)),
                 cell("Bytes", bytesText(child.bytes)), cell("Allocations", countText(child.count)), cell("", ""),
                 cell("Bytes a scope", perScope(kind, child.bytes, bytesText)), cell("Allocations a scope", perScope(kind, child.count, countText)),
                 lives && cell("Alive", bytesText(child.live_bytes))));
    if (open) rows.push(...treeRows(line.last, level + 1, key, kind, view, lives));
  }
  if (node.children.length > CHILDREN_AT_FIRST && !state.more.has(path)) {
    rows.push(el("tr", { class: "call" }, el("th", { scope: "row", colspan: 8, vars: { level } }, moreButton(node.children.length - CHILDREN_AT_FIRST, () => act.more(path)))));
  }
  return rows;
}

const moreButton = (n, show) => el("button", { type: "button", class: "more", on: { click: show } }, `Show ${plural(n, "more", "more")}`);

function kindRows(kind, all, view, lives) {
  const { model, state, act } = view, key = "kind\n" + kind.name, open = state.open.has(key);
  const hasSites = model.sites.some((s) => s.kind === kind);
  const row = el("tr", { class: state.kind === kind.name ? "chosen" : "" },
                 el("th", { scope: "row", vars: { level: 0 } }, hasSites ? opener(open, "What " + kind.name + " calls", () => act.open(key), key) : el("span", { class: "opener" }),
                    dot(kind), el("button", { type: "button", class: "plain", "aria-pressed": String(state.kind === kind.name), on: { click: () => act.kind(kind.name) } }, name(kind.name)),
                    kind.system && muted(" the C library's")),
                 kindCells(kind, state.measure, all, lives));
  return open ? [row, ...treeRows(callTree(model, kind.name, state.measure), 1, key, kind, view, lives)] : [row];
}

function drawKinds(view) {
  const { model, state, act } = view, lives = hasLives(model);
  const kinds = [...model.kinds].sort((a, b) => b[state.measure] - a[state.measure]), all = total(kinds, state.measure);
  if (!kinds.length) return put("kinds-body", empty("No scope or arena has allocated since the tracker began."));
  const heads = ["Kind", "Share of " + MEASURE_NAMES[state.measure].toLowerCase(), "Bytes", "Allocations", "Scopes", "Bytes a scope", "Allocations a scope"].concat(lives ? ["Alive"] : []);
  put("kinds-body", ribbon(kinds, state.measure, act),
      el("div", { class: "scroller" }, el("table", { class: "reflow kinds" }, el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col" }, h)))),
                                         el("tbody", {}, kinds.map((k) => kindRows(k, all, view, lives))))));
}

/* ---- call sites ------------------------------------------------------------------------------- */

const SITE_COLUMNS = [
  { key: "name", label: "Where", text: true, value: (r) => r.frame.name },
  { key: "bytes", label: "Bytes" },
  { key: "count", label: "Allocations" },
  { key: "mean", label: "Mean size", value: (r) => (r.count ? r.bytes / r.count : 0) },
  { key: "growths", label: "Growths" },
  { key: "live_bytes", label: "Alive", when: hasLives },
  { key: "lifetime", label: "Lives for", when: hasLives, value: (r) => (r.count > r.live_count ? r.lived_ns / (r.count - r.live_count) : 0) },
];
const valueIn = (column, row) => (column.value ? column.value(row) : row[column.key]);
const columnsOf = (model) => SITE_COLUMNS.filter((c) => !c.when || c.when(model));

function sortedRows(rows, sort) {
  const column = SITE_COLUMNS.find((c) => c.key === sort.key), way = sort.down ? -1 : 1;
  const order = column.text ? (a, b) => (valueIn(column, a) < valueIn(column, b) ? -1 : valueIn(column, a) > valueIn(column, b) ? 1 : 0)
                            : (a, b) => valueIn(column, a) - valueIn(column, b);
  return rows.sort((a, b) => way * order(a, b) || b.bytes - a.bytes);
}

function siteCell(column, row, most, model) {
  const v = valueIn(column, row);
  if (column.key === "bytes") return [bar(v, most, row.kind), el("span", { class: "amount" }, bytesText(v)), model.sample_bytes ? muted(el("small", {}, " " + spreadText(model, row.samples))) : null];
  if (column.key === "growths") return v ? [countText(v), muted(" " + percentText(v, row.count))] : muted("–");
  if (column.key === "lifetime") return v ? durationText(v) : muted("–");
  return column.key === "count" ? countText(v) : bytesText(v);
}

function stackList(site) {
  return el("ol", { class: "stack" }, site.stack.map((f) => el("li", {}, name(f.name, "code"), f.where ? [" ", name(f.where, "where")] : null)));
}

function siteDetail(row, columns, act) {
  const shown = row.sites.slice(0, STACKS_SHOWN), rest = row.sites.length - shown.length;
  return el("tr", { class: "detail" }, el("td", { colspan: columns.length },
    el("button", { type: "button", on: { click: () => act.findInFlame(row.frame.name) } }, "Find in the flame graph"),
    el("div", { class: "stacks" }, shown.map((s) => el("figure", {}, el("figcaption", {}, `${percentText(s.bytes, row.bytes)} by this way, ${bytesText(s.bytes)}`), stackList(s)))),
    rest > 0 && muted(`and ${plural(rest, "other way", "other ways")}`)));
}

function siteRow(row, columns, most, view) {
  const { model, state, act } = view, key = "site\n" + row.key, open = state.open.has(key);
  const where = el("th", { scope: "row" }, opener(open, "How " + row.frame.name + " is called", () => act.open(key), key),
                   el("span", { class: "site" }, place(row.frame), el("span", { class: "kind" }, dot(row.kind), name(row.kind.name))));
  const cells = columns.slice(1).map((c) => cell(c.label, siteCell(c, row, most, model)));
  return [el("tr", { class: "site-row" }, where, cells), open && siteDetail(row, columns, act)];
}

function siteHead(column, state, act) {
  const now = state.sort.key === column.key;
  return el("th", { scope: "col", "aria-sort": now ? (state.sort.down ? "descending" : "ascending") : "none" },
            el("button", { type: "button", class: "plain", "data-sort": column.key, on: { click: () => act.sort(column.key) } }, column.label));
}

function matches(row, term) {
  return [row.frame.name, row.frame.where, row.kind.name].some((text) => text.toLowerCase().includes(term));
}

function drawSites(view) {
  const { model, state, act } = view, columns = columnsOf(model);
  put("sites-lead", state.kind === null ? "Where allocations are made, in all kinds of scopes. " : ["Where ", name(state.kind), " allocates. "], "Open one to see by which ways it is called.");
  put("sites-sort", columns.map((c) => el("option", { value: c.key, selected: c.key === state.sort.key }, c.label)));
  put("sites-rows", choice([["place", "One row a line"], ["stack", "One row a stack"]], state.rows, act.rows));
  const sites = wanted(model, state.kind);
  if (!sites.length) return put("sites-body", empty("No call sites were recorded", state.kind === null ? "." : " for this kind.", " ", code("EBB_TRACK=sites"), " counts every allocation by its place."));
  const found = (state.rows === "place" ? places(sites) : stacks(sites)).filter((r) => matches(r, state.siteTerm));
  const rows = sortedRows(found, state.sort), most = Math.max(...[0, ...rows.slice(0, 20000).map((r) => r.bytes)]);
  put("sites-body", el("div", { class: "scroller" }, el("table", { class: "reflow sites" }, el("thead", {}, el("tr", {}, columns.map((c) => siteHead(c, state, act)))),
                                                       el("tbody", {}, rows.slice(0, state.shown).map((r) => siteRow(r, columns, most, view)).flat().filter(Boolean)))),
      !rows.length && empty("No call site matches."),
      rows.length > state.shown && moreButton(rows.length - state.shown, act.moreSites));
}

/* ---- waste ------------------------------------------------------------------------------------ */

const PARTS = [["used", "used"], ["tails", "ends of chunks"], ["abandoned", "outgrown"], ["idle", "kept for later"], ["other", "bookkeeping"]];

function wasteBar(w) {
  const label = PARTS.map(([key, what]) => `${what} ${bytesText(w[key])}`).join(", ");
  return el("div", { class: "waste-bar", role: "img", "aria-label": label },
            PARTS.filter(([key]) => w[key] > 0).map(([key, what]) => el("i", { class: key, vars: { part: w[key] / w.held }, title: `${what}: ${bytesText(w[key])}, ${percentText(w[key], w.held)}` })));
}

function wasteFacts(p, w) {
  const facts = PARTS.filter(([key]) => key === "used" || w[key] > 0.004 * w.held).map(([key, what]) => el("span", { class: "fact" }, el("i", { class: "key " + key, "aria-hidden": "true" }), ` ${what} `, el("b", {}, bytesText(w[key])), muted(" " + percentText(w[key], w.held))));
  const rare = [p.soft_crossed && `${plural(p.soft_crossed, "scope")} crossed the soft limit`, p.refused && `${plural(p.refused, "allocation")} refused`].filter(Boolean);
  return [el("p", { class: "facts" }, facts),
          el("p", { class: "muted" }, `${plural(Math.round(p.ended), "scope")} ended · ${countText(p.chunks)} ${p.chunks === 1 ? "chunk" : "chunks"} each · first block ${bytesText(p.head)}, next ${bytesText(p.body)}` + (rare.length ? " · " : ""),
             rare.length ? el("span", { class: "warn" }, rare.join(", ")) : null)];
}

function wasteCard(model, p, w) {
  return el("article", { class: "waste" },
            el("h3", {}, dotOf(model, p.name), name(p.name), el("span", { class: "figure" }, `${bytesText(w.wasted)} of ${bytesText(w.held)} wasted a scope`, muted(` · ${bytesText(w.all)} in all`))),
            wasteBar(w), wasteFacts(p, w),
            p.advice.length > 0 && el("ul", { class: "advice" }, p.advice.map((a) => el("li", {}, el("bdi", {}, a)))));
}

function drawWaste({ model, state }) {
  const rows = model.profiles.filter((p) => state.kind === null || p.name === state.kind).map((p) => ({ p, w: wasteOf(p) })).filter(({ w }) => w.held > 0);
  if (!rows.length) return put("waste-body", empty("Profiles learn what is wasted from scopes that end, every sixteenth at first; none of ", state.kind === null ? "any kind" : "this kind", " has been looked at yet."));
  put("waste-body", rows.sort((a, b) => b.w.all - a.w.all).map(({ p, w }) => wasteCard(model, p, w)));
}

/* ---- sizes ------------------------------------------------------------------------------------ */

/* A chart that tells the value under the pointer, or at the arrow keys' place. */
function chart(marks, count, label, tellAt, css = "") {
  let at = -1;
  const needle = el("i", { class: "needle", hidden: true });
  const box = el("div", { class: "chart " + css, tabindex: 0, role: "img", "aria-label": label }, marks, needle);
  const move = (i) => {
    at = Math.max(0, Math.min(count - 1, i));
    needle.hidden = false;
    needle.style.setProperty("--at", (at + 0.5) / count);
    tellAt(at);
  };
  const leave = () => { needle.hidden = true; tellAt(-1); };
  box.addEventListener("pointermove", (e) => { const r = box.getBoundingClientRect(); move(Math.floor(count * (e.clientX - r.left) / r.width)); });
  box.addEventListener("pointerleave", leave);
  box.addEventListener("blur", leave);
  box.addEventListener("keydown", (e) => {
    if (e.key !== "ArrowRight" && e.key !== "ArrowLeft") return;
    move(at + (e.key === "ArrowRight" ? 1 : -1));
    e.preventDefault();
  });
  return box;
}

const atMost = (bound) => (bound === Infinity ? "larger" : "to " + bytesText(bound));

/* @steps: [upper bound, how many]. */
function histogram(title, unit, steps, summary, kind) {
  const all = sum(steps.map((s) => s[1])), line = el("p", { class: "muted readout" }, summary);
  const tellAt = (i) => { line.textContent = i < 0 ? summary : `${atMost(steps[i][0])}: ${plural(steps[i][1], unit)}, ${percentText(steps[i][1], all)}`; };
  return el("figure", { class: "histogram", vars: hue(kind) }, el("figcaption", {}, title),
            chart(bars(steps.map((s) => s[1])), steps.length, `${title}: ${summary}`, tellAt),
            el("div", { class: "ends muted" }, el("span", {}, atMost(steps[0][0])), el("span", {}, atMost(steps.at(-1)[0]))), line);
}

function middle(steps) {
  const half = sum(steps.map((s) => s[1])) / 2;
  let seen = 0;
  return steps.find((s) => (seen += s[1]) >= half)[0];
}

/* The same steps for all kinds, so that their shapes can be compared. */
function classRange(model) {
  const inUse = model.classes.map((c, i) => model.kinds.some((k) => k.by_class[i] > 0));
  return [inUse.indexOf(true), inUse.lastIndexOf(true) + 1];
}

function allocationSizes(model, kind) {
  const [from, to] = classRange(model);
  const steps = model.classes.map((c, i) => [c, kind.by_class[i] || 0]).slice(from, to);
  if (!sum(steps.map((s) => s[1]))) return null;
  return histogram("Allocations", "allocation", steps, `half are up to ${bytesText(middle(steps))}`, kind);
}

function scopeSizes(model, kind) {
  const profile = model.profiles.find((p) => p.name === kind.name), h = profile ? profile.histogram : [];
  const from = h.findIndex((s) => s[1] > 0), to = h.findLastIndex((s) => s[1] > 0) + 1;
  if (from < 0) return null;
  const p = profile;
  return histogram("Scopes, by what they use", "scope", h.slice(from, to), `half to ${bytesText(p.used_p50)}, 95 % to ${bytesText(p.used_p95)}, most ${bytesText(p.used_max)}`, kind);
}

function drawSizes({ model, state }) {
  const kinds = model.kinds.filter((k) => (state.kind === null || k.name === state.kind) && k.count).sort((a, b) => b.bytes - a.bytes);
  const cards = kinds.map((k) => [k, allocationSizes(model, k), scopeSizes(model, k)]).filter(([, a, s]) => a || s);
  if (!cards.length) return put("sizes-body", empty("No sizes were counted", state.kind === null ? "." : " for this kind."));
  put("sizes-body", el("div", { class: "cards" }, cards.map(([k, a, s]) => el("article", { class: "card" }, el("h3", {}, dot(k), name(k.name)), a, s))));
}

/* ---- over time -------------------------------------------------------------------------------- */

function thinned(values, by) {
  const out = [];
  for (let i = 0; i < values.length; i += by) out.push(sum(values.slice(i, i + by)));
  return out;
}

function timeRow(label, values, text, tellAt) {
  const most = Math.max(...values, 0), figure = el("span", { class: "muted" }, "up to " + text(most));
  return { values, text, figure, most, row: el("div", { class: "time-row" }, el("p", {}, el("b", {}, label), " ", figure), chart(bars(values, 0.15), values.length, `${label} over time, up to ${text(most)}`, tellAt, "flat")) };
}

function drawTimeline({ model }) {
  const t = model.timeline, n = Math.max(t.count.length, t.bytes.length, t.begins.length);
  put("timeline-lead", "");
  if (!n || !t.width_ns) return put("timeline-body", empty("There is no timeline in this report: a tracker keeps one while scopes begin."));
  const by = Math.ceil(n / MOMENTS_SHOWN), width = t.width_ns * by;
  put("timeline-lead", `All kinds together, in steps of ${durationText(width)}.`);
  const when = el("span", { class: "muted" }, "");
  const rows = [];
  const tellAt = (i) => {
    when.textContent = i < 0 ? "" : `${durationText(i * width)} after the beginning`;
    rows.forEach((r) => { r.figure.textContent = i < 0 ? "up to " + r.text(r.most) : r.text(r.values[i] || 0); });
  };
  for (const [label, values, text] of [["Bytes", t.bytes, bytesText], ["Allocations", t.count, countText], ["Scopes begun", t.begins, countText]]) {
    if (values.length) rows.push(timeRow(label, thinned(values, by), text, tellAt));
  }
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((f) => el("span", {}, f ? durationText(f * n * t.width_ns) : "0"));
  put("timeline-body", rows.map((r) => r.row), el("div", { class: "ticks muted" }, ticks), el("p", { class: "readout" }, when));
}

/* ---- alive ------------------------------------------------------------------------------------ */

const COUNTED = { arena: "chunk", scope: "chunk", shared: "chunk", pool: "object", cache: "entry", names: "name" };
const heldBelow = (node) => node.held + sum(node.children.map(heldBelow));

function liveFacts(node) {
  const facts = [`holds ${bytesText(node.held)}`];
  if (node.used || node.exact) facts.push(`uses ${bytesText(node.used)}`);
  if (node.count) facts.push(plural(node.count, COUNTED[node.kind] || "part", node.kind === "cache" ? "entries" : undefined));
  if (node.out) facts.push(`${countText(node.out)} ${node.kind === "cache" ? "pinned" : "lent"}`);
  return facts.join(" · ");
}

function liveHead(node, facts, held, most) {
  return [el("span", {}, el("span", { class: "live-kind" }, node.kind), " ", name(node.name), " ", facts), bar(held, most)];
}

function liveItem(node, most, key, view) {
  const head = liveHead(node, [muted(liveFacts(node))], node.held, most);
  const hint = node.address + (node.exact ? "" : "; seen from another thread, so perhaps of a moment ago");
  if (!node.children.length) return el("li", { title: hint }, el("div", { class: "live-line" }, head));
  return el("li", { title: hint }, folding(key, view, head, () => liveList(node.children, most, key, view)));
}

function folding(key, view, head, body) {
  const open = view.state.open.has(key);
  const details = el("details", { open }, el("summary", { class: "live-line" }, head));
  const fill = () => { if (details.open && details.childElementCount === 1) details.append(body()); };
  details.addEventListener("toggle", () => { view.state.open[details.open ? "add" : "delete"](key); fill(); });
  fill();
  return details;
}

function liveGroup(nodes, most, key, view) {
  if (nodes.length === 1) return liveItem(nodes[0], most, key, view);
  const held = sum(nodes.map(heldBelow)), first = nodes[0];
  const head = liveHead(first, [el("b", {}, `× ${countText(nodes.length)}`), " ", muted(`hold ${bytesText(held)}`)], held, most);
  const shown = nodes.slice(0, LIVE_SHOWN);
  return el("li", {}, folding(key, view, head, () => el("ul", {}, shown.map((n, i) => liveItem(n, most, key + "\n" + i, view)),
                                                        nodes.length > shown.length && el("li", { class: "muted" }, `and ${plural(nodes.length - shown.length, "more", "more")}`))));
}

/* Those of one kind and name together, for there may be ten thousand of them. */
function liveList(nodes, most, key, view) {
  const groups = new Map();
  for (const node of nodes) {
    const id = node.kind + "\n" + node.name;
    groups.set(id, (groups.get(id) || []).concat([node]));
  }
  const held = (g) => sum(g[1].map(heldBelow));
  return el("ul", {}, [...groups].sort((a, b) => held(b) - held(a)).map(([id, group]) => liveGroup(group, most, key + "\n" + id, view)));
}

function drawLive(view) {
  const { live } = view.model;
  put("live-lead", live.reserved ? `${bytesText(live.reserved)} are reserved from the system; ${bytesText(live.idle)} of that lie idle, ready for what begins next.` : "");
  if (!live.roots.length) return put("live-body", empty("No arena, scope, pool, cache or table of names was alive when this was written."));
  const most = Math.max(...live.roots.map(heldBelow), 1);
  put("live-body", el("div", { class: "live" }, liveList(live.roots, most, "live", view)),
      live.missed > 0 && el("p", { class: "notice" }, `${plural(live.missed, "thing")} more, for which there was no memory.`));
}

/* ---- what changed ----------------------------------------------------------------------------- */

function change(row, most, measure) {
  const part = most ? Math.abs(row.delta) / most : 0, more = row.delta > 0;
  const text = signed(measureText(measure, row.delta), row.delta);
  return [el("span", { class: "change " + (more ? "grew" : "shrank"), "aria-hidden": "true" }, el("i", { vars: { w: (50 * part).toFixed(2) + "%" } })),
          el("b", { class: "by " + (more ? "grew" : row.delta < 0 ? "shrank" : "") }, text)];
}

function ratioText(row) {
  if (!row.before) return "new";
  if (!row.now) return "gone";
  return signed(percentText(row.delta, row.before), row.delta);
}

function changeTable(rows, head, first, measure, shown) {
  const most = Math.max(...rows.map((r) => Math.abs(r.delta)), 0);
  return el("div", { class: "scroller" }, el("table", { class: "reflow changes" },
    el("thead", {}, el("tr", {}, [head, "Change", "", "Before", "Now"].map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, rows.slice(0, shown).map((r) => el("tr", {}, el("th", { scope: "row" }, first(r)), cell("Change", change(r, most, measure)), cell("", muted(ratioText(r))),
                                                       cell("Before", measureText(measure, r.before)), cell("Now", measureText(measure, r.now)))))));
}

function verdict(kinds) {
  const row = kinds[0];
  if (!row || !row.delta) return "Nothing has changed.";
  return [dot(row.kind), name(row.kind.name), ` allocates ${row.before ? percentText(Math.abs(row.delta), row.before) : "all of it"} ${row.delta > 0 ? "more" : "less"} than before. `];
}

function drawCompare(view) {
  const { model, earlier, state, act } = view;
  byId("compare").hidden = !earlier;
  if (!earlier) return;
  const scaleOf = scaling(model, earlier, state.perScope);
  const kinds = kindsChanged(model, earlier, state.measure, scaleOf), rows = placesChanged(model, earlier, state.kind, state.measure, scaleOf);
  put("compare-lead", verdict(kinds), muted("Before: ", name(earlier.program || earlier.name || "a report"), earlier.written_ms ? ", " + dateText(earlier.written_ms) : "",
                                            `, ${plural(earlier.totals.begins, "scope")}; now ${plural(model.totals.begins, "scope")}.`));
  put("scales", choice([[true, "For as many scopes"], [false, "As measured"]], state.perScope, act.perScope));
  put("compare-body", el("h3", {}, "Kinds"), changeTable(kinds, "Kind", (r) => [dot(r.kind), name(r.kind.name)], state.measure, Infinity),
      el("h3", {}, "Call sites"), changeTable(rows, "Where", (r) => el("span", { class: "site" }, place(r.frame), el("span", { class: "kind" }, dot(r.kind), name(r.kind.name))), state.measure, state.changesShown),
      rows.length > state.changesShown && moreButton(rows.length - state.changesShown, act.moreChanges));
}

const dateText = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
