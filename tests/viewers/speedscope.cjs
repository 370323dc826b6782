/*
 * speedscope.cjs BUNDLE FILE: read a file of folded stacks with speedscope's own importer, and print
 * what it made of it as JSON. The importer is a function within the page's script, which is run up to
 * where it asks for a page, and leaves it here.
 */
const fs = require("fs");
const [, , bundle, file] = process.argv;

let script = fs.readFileSync(bundle, "utf8");
const reader = /function (\w+)\(\w\)\{let \w=\[\];for\(let \w of \w\.splitLines\(\)\)\{let \w=\/\^\(\.\*\) \(\\d\+\)\$\/gm/.exec(script);
const importer = reader && new RegExp(`function (\\w+)\\(\\w\\)\\{let \\w=${reader[1]}\\(\\w\\)`).exec(script);
const chunk = importer && /^.*?var (\w+)=\w+\(\(\)=>/s.exec(script.slice(importer.index));
if (!chunk) throw new Error("this speedscope's importer of folded stacks is not where it was");
const start = '"use strict";(()=>{';
if (!script.startsWith(start)) throw new Error("this speedscope does not begin as it did");
script = start + `globalThis.importer=()=>(${chunk[1]}(),${importer[1]});` + script.slice(start.length);
try {
  (0, eval)(script);
} catch (e) {
  if (!(e instanceof ReferenceError || e instanceof TypeError)) throw e; /* there is no page */
}

const text = fs.readFileSync(file, "utf8");
const profile = globalThis.importer()({splitLines: () => text.split("\n")});
const stacks = [];
let open = [], last = 0;
profile.forEachCall(
  (node) => open.push(node.frame.name),
  (node, value) => {
    if (value > last) stacks.push([...open]);
    last = value;
    open.pop();
  });
console.log(JSON.stringify({total: profile.getTotalWeight(), stacks}));
