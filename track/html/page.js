/*
 * page.js: what the page remembers, what its buttons do, comparing with an earlier report, and asking for
 * a newer one. One state, and one function that draws all from it.
 */

const view = { model: null, earlier: null, message: "", act: {} };
const state = view.state = { kind: null, measure: "bytes", rows: "place", sort: { key: "bytes", down: true }, siteTerm: "", shown: ROWS_AT_FIRST,
                             changesShown: 20, open: new Set(), more: new Set(), perScope: true, whole: false };
const LEVELS = { sites: "every allocation, by its call site", sample: "a sample, by its stack", full: "every allocation, by its stack, and how long it lived" };
const flame = makeFlame(byId("flame-graph"), { tell: tellFrame, found: tellFound, zoomed: (is) => { byId("flame-reset").disabled = !is; } });

/* ---- drawing ---------------------------------------------------------------------------------- */

function drawHead({ model }) {
  const title = model.program || model.name || "Ebb report";
  document.title = title + " – Ebb";
  put("title", name(title));
  const words = [model.name && model.program && model.name !== model.program ? `tracker “${model.name}”` : "", model.pid ? `pid ${model.pid}` : "",
                 model.written_ms ? dateText(model.written_ms) : "", model.duration_ns ? `watched for ${durationText(model.duration_ns)}` : "",
                 LEVELS[model.level] || model.level];
  put("about", el("bdi", {}, words.filter(Boolean).join(" · ")));
}

function flameLead({ model, earlier }) {
  const shallow = model.sites.every((s) => s.stack.length <= 2);
  const words = earlier ? "From the kind down to the place of allocation; as wide as it allocates now. " : "From the kind down to the place of allocation; as wide as it allocates. ";
  return [words, shallow ? ["Call sites alone were recorded: ", code("EBB_TRACK=full"), " or ", code("EBB_TRACK=sample"), " records what called them."]
                         : "Click a frame to zoom, or walk with the arrow keys and Enter."];
}

function drawFlame() {
  const { model, earlier } = view;
  const tree = callTree(model, state.kind, state.measure, earlier, earlier ? scaling(model, earlier, state.perScope) : undefined);
  if (!state.whole) (state.kind === null ? tree.children : [tree]).forEach(foldCallers);
  const nothing = !tree.children.length;
  byId("flame").classList.toggle("nothing", nothing);
  if (nothing) {
    put("flame-lead", state.measure === "live_bytes" ? "Nothing of this is alive." : ["No call sites were recorded. ", code("EBB_TRACK=full"), " records each allocation with its stack."]);
    return;
  }
  put("flame-lead", flameLead(view));
  byId("flame-legend").hidden = !earlier;
  if (earlier) put("flame-legend", el("i", { class: "swatch grew" }), " more than before ", el("i", { class: "swatch" }), " the same ", el("i", { class: "swatch shrank" }), " less");
  flame.show(tree, earlier !== null);
}

/* Who stands on a button that is drawn anew goes on standing there. */
function keepingFocus(draw) {
  const key = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : null;
  draw();
  if (key) for (const button of document.querySelectorAll("[data-key]")) if (button.dataset.key === key) button.focus();
}

function draw() {
  keepingFocus(() => {
    for (const panel of [drawHead, drawAnswers, drawControls, drawCompare, drawKinds, drawSites, drawWaste, drawSizes, drawTimeline, drawLive]) panel(view);
    drawFlame();
  });
}

/* ---- frames, told ----------------------------------------------------------------------------- */

function frameFacts(node, root, parent) {
  const m = state.measure, facts = [[MEASURE_NAMES[m], measureText(m, node.value)], ["of all", percentText(node.value, root.value)]];
  if (parent && parent !== root) facts.push(["of its caller's", percentText(node.value, parent.value)]);
  for (const other of MEASURES) if (other !== m && (other !== "live_bytes" || hasLives(view.model))) facts.push([MEASURE_NAMES[other], measureText(other, node[other])]);
  if (view.earlier) facts.push(["Before", measureText(m, node.before)], ["Change", signed(measureText(m, node.value - node.before), node.value - node.before)]);
  return facts;
}

function frameWhere(node) {
  const lines = [...node.lines].sort((a, b) => a - b);
  if (!node.file) return null;
  return node.file + (lines.length ? ":" + lines.slice(0, 6).join(", ") + (lines.length > 6 ? ", …" : "") : "");
}

function tellFrame(d, at) {
  const tip = byId("tip");
  tip.hidden = !d;
  if (!d) return;
  const where = frameWhere(d.data), root = d.ancestors().pop().data;
  tip.replaceChildren(...[el("p", { class: "code" }, name(d.data.name)), where ? el("p", {}, name(where, "where")) : null,
                          el("dl", {}, frameFacts(d.data, root, d.parent && d.parent.data).map(([k, v]) => el("div", {}, el("dt", {}, k), el("dd", {}, v))))].filter(Boolean));
  tip.style.setProperty("--x", Math.max(8, Math.min(at.x + 14, innerWidth - tip.offsetWidth - 12)) + "px");
  const above = at.y + 18 + tip.offsetHeight > innerHeight;
  tip.style.setProperty("--y", (above ? at.y - tip.offsetHeight - 12 : at.y + 18) + "px");
}

function tellFound(part, whole) {
  byId("flame-found").textContent = whole ? `${percentText(part, whole)} matches` : "";
}

/* ---- what can be done ------------------------------------------------------------------------- */

const toggle = (set, key) => (set.has(key) ? set.delete(key) : set.add(key));

Object.assign(view.act, {
  kind(kind) { state.kind = state.kind === kind ? null : kind; state.shown = ROWS_AT_FIRST; draw(); },
  measure(measure) {
    state.measure = measure;
    if (["bytes", "count", "live_bytes"].includes(state.sort.key)) state.sort = { key: measure, down: true };
    draw();
  },
  open(key) { toggle(state.open, key); keepingFocus(() => { drawKinds(view); drawSites(view); }); },
  more(key) { state.more.add(key); drawKinds(view); },
  sort(key) { state.sort = { key, down: state.sort.key === key ? !state.sort.down : key !== "name" }; drawSites(view); },
  rows(rows) { state.rows = rows; drawSites(view); },
  moreSites() { state.shown += 200; drawSites(view); },
  moreChanges() { state.changesShown += 200; drawCompare(view); },
  perScope(is) { state.perScope = is; drawCompare(view); drawFlame(); },
  findInFlame(text) {
    byId("flame-search").value = text;
    flame.search(text);
    byId("flame").scrollIntoView({ behavior: stillness.matches ? "auto" : "smooth" });
  },
});

/* What is typed is looked for when the typing rests. */
function onTyping(id, then) {
  let timer = 0;
  byId(id).addEventListener("input", (event) => { clearTimeout(timer); timer = setTimeout(() => then(event.target.value), 120); });
}

function listen() {
  onTyping("flame-search", (text) => flame.search(text));
  onTyping("sites-search", (text) => { state.siteTerm = text.trim().toLowerCase(); state.shown = ROWS_AT_FIRST; drawSites(view); });
  byId("sites-sort").addEventListener("change", (event) => { state.sort = { key: event.target.value, down: event.target.value !== "name" }; drawSites(view); });
  byId("flame-whole").addEventListener("change", (event) => { state.whole = event.target.checked; drawFlame(); });
  byId("flame-reset").addEventListener("click", () => flame.reset());
  byId("compare-end").addEventListener("click", () => { view.earlier = null; draw(); });
  byId("theme").addEventListener("click", switchTheme);
  addEventListener("ebb-theme", () => flame.redraw());
  new ResizeObserver(() => flame.redraw()).observe(byId("flame-graph"));
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    byId("flame-search").focus();
  });
}

function switchTheme() {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem("ebb-theme", next); } catch { /* a page may be denied that: then it is for now */ }
  flame.redraw();
}

/* ---- an earlier report ------------------------------------------------------------------------ */

async function compareWith(file) {
  view.message = "";
  try {
    view.earlier = readReport(JSON.parse(textOfReport(await file.text())));
  } catch (error) {
    view.message = `${file.name} can't be compared with: ${error instanceof SyntaxError ? "it holds no report." : error.message}`;
  }
  draw();
  if (!view.message) byId("compare").scrollIntoView({ block: "start" });
}

function listenForFiles() {
  const drop = byId("drop"), holds = (event) => [...event.dataTransfer.types].includes("Files");
  byId("earlier-file").addEventListener("change", (event) => {
    if (event.target.files[0]) compareWith(event.target.files[0]);
    event.target.value = "";
  });
  addEventListener("dragover", (event) => { if (holds(event)) event.preventDefault(), drop.hidden = false; });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.hidden = true; });
  addEventListener("drop", (event) => {
    drop.hidden = true;
    if (!holds(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files[0]) compareWith(event.dataTransfer.files[0]);
  });
}

/* ---- live ------------------------------------------------------------------------------------- */

/* Ask @url for a report, again and again; slower while it can't be had, not at all while nobody looks. */
function follow(url, everyMs) {
  const pulse = byId("pulse"), pause = byId("pause");
  let paused = false, wait = everyMs;
  const tell = (text, bad) => { pulse.textContent = text; pulse.classList.toggle("bad", bad); };
  async function ask() {
    if (!paused && !document.hidden) {
      try {
        const response = await fetch(url, { cache: "no-store" });
        if (!response.ok) throw new Error(`the server says ${response.status}`);
        view.model = readReport(await response.json());
        wait = everyMs;
        draw();
        tell("live", false);
      } catch (error) {
        wait = Math.min(2 * wait, 30000);
        tell(`no answer (${error.message}); trying again`, true);
      }
    }
    setTimeout(ask, wait);
  }
  pulse.hidden = pause.hidden = false;
  tell("waiting for the first report", false);
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    tell(paused ? "paused" : "live", false);
  });
  ask();
}

function begin() {
  listen();
  listenForFiles();
  try {
    const carried = JSON.parse(byId("report").textContent);
    if (carried && typeof carried.poll === "string") return follow(carried.poll, Math.max(200, number(carried.every_ms) || 2000));
    view.model = readReport(carried);
  } catch (error) {
    put("notices", el("p", { class: "notice" }, `This page's report can't be read: ${error.message}`));
    return;
  }
  draw();
}

begin();
