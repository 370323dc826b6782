/*
 * flame.js: the flame graph, over d3-flame-graph (vendor/). Hung from its root, as a page is read from
 * its top. Colours say the kind; while something is searched for, only what matches has colour; beside
 * an earlier report they say what grew (orange) and shrank (blue), which most eyes tell apart.
 *
 * Frames can be walked by the arrow keys: down to what is called, up to the caller.
 */

const CELL = 22, NARROWEST = 2, PLAIN_MS = 260;
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

function spread(text) {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = (h * 31 + text.charCodeAt(i)) | 0;
  return (Math.abs(h) % 100) / 100 - 0.5;
}

const isDark = () => document.documentElement.dataset.theme === "dark";

/* Colours of one kind differ a little, so that neighbours have an edge. */
function kindColour(node, faint) {
  const nudge = 0.035 * spread(node.name), { hue: h, tint } = node.kind ? hue(node.kind) : { hue: 240, tint: 0.1 };
  const [light, chroma] = isDark() ? (faint ? [0.27, 0.012] : [0.43, 0.085]) : (faint ? [0.945, 0.012] : [0.855, 0.082]);
  return `oklch(${(light + nudge * (faint ? 0.3 : 1)).toFixed(3)} ${(chroma * tint).toFixed(3)} ${h})`;
}

function changeColour(node) {
  const most = Math.max(node.value, node.before);
  const change = most ? (node.value - node.before) / most : 0;
  const strong = Math.min(1, Math.abs(change) * 1.6), h = change > 0 ? 48 : 252;
  const [light, chroma] = isDark() ? [0.36 + 0.1 * strong, 0.12 * strong] : [0.93 - 0.13 * strong, 0.125 * strong];
  return `oklch(${light.toFixed(3)} ${chroma.toFixed(3)} ${h})`;
}

/* @tell(node, box or null) shows what is known of a frame; @found(part, whole) how much a search met;
   @zoomed(whether) that a part fills the width. */
function makeFlame(where, { tell, found, zoomed }) {
  const flame = vendored.flamegraph();
  const state = { term: "", comparing: false, zoom: null, drawn: false, current: null };
  const colour = (d) => (state.comparing ? changeColour(d.data) : kindColour(d.data, state.term !== "" && !d.highlight));

  function tooltip() {}
  tooltip.show = (event, d) => tell(d, { x: event.clientX, y: event.clientY });
  tooltip.hide = () => tell(null, null);

  flame.inverted(true).cellHeight(CELL).minFrameSize(NARROWEST).sort(false).title("").tooltip(tooltip)
    .getName((d) => d.data.label || d.data.name).getValue((d) => d.value).getChildren((d) => d.children)
    .setColorMapper(colour).setLabelHandler((d) => d.data.name).setDetailsHandler(() => {})
    .setSearchMatch((d, term) => d.data.name.toLowerCase().includes(term) || d.data.file.toLowerCase().includes(term))
    .setSearchHandler((results, part, whole) => found(part, whole))
    .onClick((d) => afterZoom(d));

  const svgOf = () => where.querySelector("svg");
  const frames = () => [...where.querySelectorAll("g.frame")];
  const nodeOf = (g) => vendored.select(g).datum();

  function pathOf(d) {
    const path = [];
    for (; d.parent; d = d.parent) path.unshift(d.data.name + "\n" + d.data.file);
    return path;
  }

  function follow(path) {
    let d = nodeOf(frames()[0]);
    while (d && d.parent) d = d.parent;
    for (const key of path) d = d && (d.children || []).find((c) => c.data.name + "\n" + c.data.file === key);
    return d;
  }

  function afterZoom(d) {
    state.zoom = d.parent ? pathOf(d) : null;
    state.current = d;
    zoomed(state.zoom !== null);
    dress();
  }

  /* What the library leaves out: the height that is needed, and names and places for the keyboard. */
  function dress() {
    let deepest = 0;
    for (const g of frames()) {
      const d = nodeOf(g);
      deepest = Math.max(deepest, d.depth);
      g.setAttribute("role", "treeitem");
      g.setAttribute("aria-level", d.depth + 1);
      g.setAttribute("aria-label", d.data.name);
      g.setAttribute("tabindex", d === state.current || (!state.current && !d.parent) ? 0 : -1);
    }
    svgOf().setAttribute("height", (deepest + 1) * CELL);
    svgOf().setAttribute("role", "tree");
    svgOf().setAttribute("aria-label", "Flame graph");
  }

  const fit = () => flame.width(Math.max(200, where.clientWidth));
  const pace = () => flame.transitionDuration(stillness.matches ? 0 : PLAIN_MS);

  /* Do @paint without motion: only what a person does to the graph moves. */
  function atOnce(paint) {
    fit();
    flame.transitionDuration(0);
    paint();
    pace();
  }

  function update(data) {
    if (!state.drawn) vendored.select(where).datum(data).call(flame);
    else flame.update(data);
    state.drawn = true;
  }

  function neighbour(d, key) {
    const shown = new Set(frames().map(nodeOf)), isShown = (n) => n && shown.has(n) && n.x1 > n.x0;
    if (key === "ArrowUp") return d.parent;
    if (key === "ArrowDown") return (d.children || []).find(isShown);
    if (key === "Home") return d.ancestors().pop();
    const row = d.parent ? d.parent.children.filter(isShown) : [];
    return row[row.indexOf(d) + (key === "ArrowRight" ? 1 : -1)];
  }

  function focus(d) {
    const g = d && frames().find((f) => nodeOf(f) === d);
    if (!g) return;
    state.current = d;
    frames().forEach((f) => f.setAttribute("tabindex", f === g ? 0 : -1));
    g.focus({ preventScroll: false });
  }

  stillness.addEventListener("change", pace);
  where.addEventListener("keydown", (event) => {
    const g = event.target.closest("g.frame");
    if (!g) return;
    const d = nodeOf(g);
    if (event.key === "Enter" || event.key === " ") flame.zoomTo(d), focus(d);
    else if (event.key === "Escape") flame.resetZoom();
    else if (/^(Arrow|Home)/.test(event.key)) focus(neighbour(d, event.key));
    else return;
    event.preventDefault();
  });
  where.addEventListener("focusin", (event) => {
    const g = event.target.closest("g.frame");
    if (!g) return;
    const box = g.getBoundingClientRect();
    tell(nodeOf(g), { x: Math.max(box.left, 0) + 12, y: box.bottom });
  });
  where.addEventListener("focusout", () => tell(null, null));

  function search(term) {
    state.term = term.trim().toLowerCase();
    if (!state.drawn) return;
    if (state.term) flame.search(state.term);
    else flame.clear(), found(0, 0);
    dress();
  }

  /* Show @root. What was zoomed to and searched for stays so, where it is there still. */
  function show(root, comparing) {
    const zoom = state.zoom;
    Object.assign(state, { comparing, zoom: null, current: null });
    atOnce(() => update(root));
    const again = zoom && follow(zoom);
    zoomed(false);
    if (again) atOnce(() => flame.zoomTo(again));
    if (state.term) atOnce(() => search(state.term));
    dress();
  }

  function redraw() {
    if (!state.drawn) return;
    atOnce(() => flame.update());
    dress();
  }

  return { show, search, redraw, reset: () => flame.resetZoom() };
}
