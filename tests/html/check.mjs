/*
 * check.mjs: the report's page, looked at in a browser, as a person would use it. Speaks TAP.
 *
 *     check.mjs MODULES [--report PAGE.html] [--only WORDS]     the checks; PAGE: one that the library wrote
 *     check.mjs MODULES --pictures FOLDER [REPORT [EARLIER]]    the guide's pictures, of REPORT or of samples
 */
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url)), root = path.resolve(here, '../..')
const [modules, ...options] = process.argv.slice(2)
const option = (name) => (options.includes(name) ? options[options.indexOf(name) + 1] : null)
const { chromium } = createRequire(path.resolve(modules) + '/')('playwright-core')
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'ebb-html-'))
const DESK = { width: 1280, height: 860 }, PHONE = { width: 390, height: 844 }, SMALL_PHONE = { width: 360, height: 740 }
/* What a page of 20,000 call sites may be made of. */
const MOST_ELEMENTS = 8000

/* ---- what is looked at ------------------------------------------------------------------------ */

const file = (name) => path.join(work, name)

function embed(json, name, ...how) {
  fs.writeFileSync(file(name + '.json'), json)
  execFileSync('python3', [path.join(root, 'tools/embed'), path.join(root, 'track/html/page.html'), file(name + '.html'), '--page', file(name + '.json'), ...how])
  return file(name + '.html')
}

const sampleText = (...args) => execFileSync('python3', [path.join(here, 'sample'), ...args], { encoding: 'utf8', maxBuffer: 1 << 28 })
const sample = (name, ...args) => embed(sampleText(...args), name)
const dataOf = (name) => JSON.parse(fs.readFileSync(file(name + '.json'), 'utf8'))

/* ---- the browser ------------------------------------------------------------------------------ */

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync'],
})

/* A page of its own, and all that it complains of. */
async function open(target, { viewport = DESK, dark = false, motion = false } = {}) {
  const phone = viewport.width < 500
  const context = await browser.newContext({ viewport, colorScheme: dark ? 'dark' : 'light', reducedMotion: motion ? 'no-preference' : 'reduce',
                                             hasTouch: phone, isMobile: phone, locale: 'en-GB', timezoneId: 'UTC' })
  const page = await context.newPage()
  const complaints = [], requests = []
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') complaints.push(m.text()) })
  page.on('pageerror', (e) => complaints.push(String(e)))
  context.on('request', (r) => { if (!/^(data:|blob:)/.test(r.url())) requests.push(r.url()) })
  await page.addInitScript(() => { window.violations = []; document.addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective + ' ' + e.blockedURI)) })
  const url = /^http:/.test(target) ? target : pathToFileURL(target).href
  await page.goto(url)
  return { page, complaints, requests, url, close: () => context.close() }
}

const settle = (page) => page.waitForTimeout(60) // the flame graph paints by timers, without delay under reduced motion
const text = (page, where) => page.locator(where).innerText()

async function isQuiet({ page, complaints, requests, url }) {
  const violations = await page.evaluate(() => window.violations)
  equal([complaints, violations, requests.filter((r) => r !== url)], [[], [], []], 'complaints, violations of the policy, requests')
}

/* ---- TAP -------------------------------------------------------------------------------------- */

let ran = 0, failed = 0

function equal(got, wanted, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)]
  if (a !== b) throw new Error(`${what}: got ${a}, not ${b}`)
}

function holds(is, what) {
  if (!is) throw new Error(what)
}

async function check(what, ...run) {
  if (!what.includes(option('--only') || '')) return
  ran++
  let page = null
  try {
    const body = run.pop()
    if (run.length) page = await open(...run)
    await body(page)
    console.log(`ok ${ran} - ${what}`)
  } catch (error) {
    failed++
    console.log(`not ok ${ran} - ${what}\n# ${String(error.stack || error).split('\n').slice(0, 4).join('\n# ')}`)
  } finally {
    if (page) await page.close()
  }
}

/* ---- helpers of the checks -------------------------------------------------------------------- */

const byBytes = (a, b) => b.bytes - a.bytes
const frameNamed = (page, name) => page.locator('#flame-graph g.frame').filter({ has: page.locator(`text="${name}"`) }).first()
const widthOf = async (locator) => (await locator.locator('rect').boundingBox()).width
const rootName = (page) => page.locator('#flame-graph g.frame').first().getAttribute('aria-label')
const chip = (page, kind) => page.locator('#chips button', { hasText: new RegExp(`^${kind.replace(/[/:]/g, '\\$&')}$`) }).click()
const siteNames = (page) => page.locator('#sites-body .site-row .site > bdi:first-child').allInnerTexts()

/* Places as the page must add them up: by kind, function, file and line. */
function placesOf(report) {
  const rows = new Map()
  for (const site of report.sites) {
    const f = report.frames[site.stack[0]], key = [site.kind, f.function, f.file, f.line].join('|')
    const row = rows.get(key) || { kind: report.kinds[site.kind].name, name: f.function, bytes: 0, count: 0 }
    row.bytes += site.bytes
    row.count += site.count
    rows.set(key, row)
  }
  return [...rows.values()]
}

async function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}

/* The texts whose contrast with what is behind them is less than 4.5 (3 for large ones), by WCAG. */
function lowContrast() {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  canvas.canvas.width = canvas.canvas.height = 1
  const pixel = (colours) => {
    canvas.clearRect(0, 0, 1, 1)
    for (const c of colours) { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1) }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)
  }
  const light = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0)
  const behind = (e) => {
    const layers = []
    for (; e; e = e.parentElement) {
      const g = e.tagName.toLowerCase() === 'foreignobject' ? e.parentElement.querySelector('rect') : null
      if (g) { layers.unshift(getComputedStyle(g).fill); break }
      layers.unshift(getComputedStyle(e).backgroundColor)
    }
    return layers
  }
  const low = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement, style = getComputedStyle(e)
    if (!walker.currentNode.data.trim() || /^(SCRIPT|STYLE|NOSCRIPT|OPTION)$/.test(e.tagName) || e.closest('[hidden], :disabled, .hidden, .skip') || !e.getClientRects().length) continue
    const layers = behind(e), [a, b] = [light(pixel([...layers, style.color])), light(pixel(layers))].sort((x, y) => y - x)
    const ratio = (a + 0.05) / (b + 0.05), large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 600)
    if (ratio < (large ? 3 : 4.5)) low.push(`${walker.currentNode.data.trim().slice(0, 30)} ${ratio.toFixed(2)}`)
  }
  return low
}

/* ---- the checks ------------------------------------------------------------------------------- */

async function checkReading(full) {
  await check('a report opens from a file, asks for nothing and complains of nothing', full, async (p) => {
    await settle(p.page)
    await isQuiet(p)
    holds(p.requests.length === 1, 'only the page itself was read')
  })
  await check('at a glance: who allocates most, where, and what is wasted', full, async ({ page }) => {
    const report = dataOf('full'), kind = report.kinds.filter((k) => !k.system).sort(byBytes)[0], top = placesOf(report).sort(byBytes)[0]
    const all = report.kinds.reduce((s, k) => s + k.bytes, 0), said = await text(page, '#answers')
    for (const word of [kind.name, top.name, `${Math.round(100 * kind.bytes / all)}\u00a0%`, 'of what scopes hold']) holds(said.includes(word), `"${word}" is not in: ${said}`)
  })
  await check('a kind opens as a tree of calls', full, async ({ page }) => {
    const rows = page.locator('#kinds-body tbody tr')
    equal(await rows.count(), 7, 'kinds')
    await rows.first().locator('.opener').click()
    holds(await page.locator('#kinds-body tr.call').count() > 0, 'calls are shown')
    await page.locator('#kinds-body tr.call .opener[aria-expanded]').first().click()
    holds(await page.locator('#kinds-body tr.call').count() > 2, 'and what they call')
    await rows.first().locator('.opener').click()
    equal(await rows.count(), 7, 'closed again')
  })
  await check('one kind filters everything', full, async ({ page }) => {
    await chip(page, 'POST /schedule')
    await settle(page)
    equal(await rootName(page), 'POST /schedule', 'root of the flame graph')
    const kinds = new Set(await page.locator('#sites-body .site-row .kind').allInnerTexts())
    equal([...kinds], ['POST /schedule'], 'kinds of call sites')
    equal([await page.locator('#waste-body .waste').count(), await page.locator('#sizes-body .card').count()], [1, 1], 'profiles and sizes')
    await chip(page, 'All kinds')
    await settle(page)
    equal(await rootName(page), 'all kinds', 'root of the flame graph')
  })
  await check('bytes, allocations and what is alive can be chosen', full, async ({ page }) => {
    const report = dataOf('full')
    await page.click('#measures [data-value=count]')
    await settle(page)
    const most = [...report.kinds].sort((a, b) => b.count - a.count)[0]
    holds((await text(page, '#kinds-body tbody tr:first-child')).includes(most.name), 'kinds by count')
    equal((await siteNames(page))[0], placesOf(report).sort((a, b) => b.count - a.count)[0].name, 'the site with most allocations')
    await page.click('#measures [data-value=live_bytes]')
    holds((await text(page, '#kinds-body thead')).includes('Share of alive'), 'kinds by what is alive')
  })
}

async function checkFlame(full) {
  await check('a search marks what matches and says how much it is', full, async ({ page }) => {
    const report = dataOf('full'), name = 'label_copy'
    const match = report.sites.filter((s) => s.stack.some((i) => report.frames[i].function === name)).reduce((sum, s) => sum + s.bytes, 0)
    const share = 100 * match / report.sites.reduce((sum, s) => sum + s.bytes, 0)
    await page.fill('#flame-search', name)
    await page.waitForFunction(() => document.getElementById('flame-found').textContent !== '')
    equal(await text(page, '#flame-found'), `${share < 9.95 ? share.toFixed(1) : Math.round(share)}\u00a0% matches`, 'matches')
    const fills = await page.evaluate(() => [...document.querySelectorAll('#flame-graph g.frame')].map((g) => [g.getAttribute('aria-label'), g.querySelector('rect').getAttribute('fill')]))
    const chroma = (fill) => parseFloat(fill.split(' ')[1])
    holds(fills.some(([n]) => n === name) && fills.every(([n, fill]) => (n === name) === (chroma(fill) > 0.03)), 'only what matches has colour')
    await page.fill('#flame-search', '')
    await page.waitForFunction(() => document.getElementById('flame-found').textContent === '')
  })
  await check('a click zooms, and the zoom can be reset', full, async ({ page }) => {
    const whole = page.locator('#flame-graph g.frame').first(), frame = frameNamed(page, 'POST /schedule'), before = await widthOf(frame)
    holds(before < 0.5 * await widthOf(whole) && await page.isDisabled('#flame-reset'), 'a part of the width')
    await frame.click()
    await settle(page)
    holds(Math.abs(await widthOf(frame) - await widthOf(whole)) < 2, 'the whole width')
    await page.click('#flame-reset')
    await settle(page)
    holds(Math.abs(await widthOf(frame) - before) < 2 && await page.isDisabled('#flame-reset'), 'as before')
  })
  for (const motion of [true, false]) {
    await check(`zooming moves ${motion ? 'smoothly where motion is' : 'at once where motion is not'} welcome`, full, { motion }, async ({ page }) => {
      await settle(page)
      const frame = frameNamed(page, 'POST /schedule'), whole = await widthOf(page.locator('#flame-graph g.frame').first())
      // What D3 keeps with an element while it moves, or is about to.
      const durations = await frame.evaluate((g) => {
        g.dispatchEvent(new MouseEvent('click', { bubbles: true }))
        return Object.values(g.querySelector('rect').__transition).map((t) => t.duration)
      })
      equal(durations.every((d) => d > 0) && durations.length > 0, motion, `moves for ${durations} ms`)
      await page.waitForFunction((w) => [...document.querySelectorAll('#flame-graph g.frame')].some((g) => g.getAttribute('aria-label') === 'POST /schedule' && g.querySelector('rect').getBoundingClientRect().width > w - 2), whole)
    })
  }
  await check('frames can be walked and zoomed by keys', full, async ({ page }) => {
    const here = () => page.evaluate(() => document.activeElement.getAttribute('aria-label'))
    await page.locator('#flame-graph g.frame').first().focus()
    await page.keyboard.press('ArrowDown')
    equal(await here(), 'GET /vms', 'below the root')
    await page.keyboard.press('ArrowRight')
    equal(await here(), 'POST /schedule', 'beside it')
    holds((await text(page, '#tip')).includes('POST /schedule'), 'it is told')
    await page.keyboard.press('Enter')
    await settle(page)
    equal([await here(), await page.isDisabled('#flame-reset')], ['POST /schedule', false], 'zoomed')
    await page.keyboard.press('Escape')
    equal(await page.isDisabled('#flame-reset'), true, 'reset')
    await page.locator('#flame-graph g.frame').first().focus()
    await page.keyboard.press('ArrowUp')
    equal(await here(), 'all kinds', 'nothing is above')
  })
  await check('callers in common are one frame, until they are asked for', full, async ({ page }) => {
    equal(await frameNamed(page, 'loop_run').count(), 0, 'folded')
    await page.check('#flame-whole')
    await settle(page)
    holds(await frameNamed(page, 'loop_run').count() === 1, 'shown')
  })
  await check('a frame is told where the pointer is', full, async ({ page }) => {
    await frameNamed(page, 'GET /vms').hover()
    const said = await text(page, '#tip')
    for (const word of ['GET /vms', 'Bytes', 'of all', 'Allocations']) holds(said.includes(word), `"${word}" is not in: ${said}`)
    await page.mouse.move(5, 5)
    equal(await page.isHidden('#tip'), true, 'hidden')
  })
}

async function checkTables(full) {
  await check('call sites are sorted by a column, both ways', full, async ({ page }) => {
    const rows = placesOf(dataOf('full')), names = (order) => rows.sort(order).slice(0, 5).map((r) => r.name)
    equal((await siteNames(page)).slice(0, 5), names(byBytes), 'by bytes')
    await page.click('[data-sort=count]')
    equal((await siteNames(page)).slice(0, 5), names((a, b) => b.count - a.count), 'by count')
    await page.click('[data-sort=count]')
    equal((await siteNames(page))[0], names((a, b) => a.count - b.count)[0], 'the fewest first')
    equal(await page.getAttribute('th:has([data-sort=count])', 'aria-sort'), 'ascending', 'told to those who do not see it')
  })
  await check('call sites can be searched, opened, and told apart by their stacks', full, async ({ page }) => {
    await page.fill('#sites-search', 'score.c')
    await page.waitForFunction(() => document.querySelectorAll('#sites-body .site-row').length === 2)
    await page.locator('#sites-body .opener').first().click()
    holds(await page.locator('#sites-body .stack li').count() > 10, 'a stack is shown')
    await page.locator('#sites-body .detail button').first().click()
    holds((await page.inputValue('#flame-search')).length > 0, 'looked for in the flame graph')
    await page.click('#sites-rows [data-value=stack]')
    holds(await page.locator('#sites-body .site-row').count() > 2, 'a row for each stack')
  })
  await check('waste is told in parts, with advice', full, async ({ page }) => {
    const said = await text(page, '#waste-body')
    for (const word of ['outgrown', 'ends of chunks', 'crossed the soft limit', 'reserve 4096']) holds(said.includes(word), `"${word}" is not in: ${said}`)
    const all = await page.locator('.waste h3 bdi').allInnerTexts(), report = dataOf('full')
    const waste = (p) => p.ended * (p.waste.held - p.waste.used)
    equal(all, [...report.profiles].sort((a, b) => waste(b) - waste(a)).map((p) => p.name), 'the most wasteful first')
  })
  await check('charts tell the value under the pointer and under the arrow keys', full, async ({ page }) => {
    const figure = page.locator('.time-row .muted').first(), before = await figure.innerText()
    await page.locator('#timeline .chart').first().hover()
    const under = await figure.innerText()
    await page.locator('#timeline .chart').first().focus()
    await page.keyboard.press('ArrowRight')
    holds(before.startsWith('up to') && !under.startsWith('up to') && (await text(page, '#timeline .readout')).includes('after the beginning'), 'told')
  })
  await check('what is alive is a tree', full, async ({ page }) => {
    const live = page.locator('#live')
    await live.locator('summary', { hasText: 'POST /schedule' }).first().click()
    await live.locator('summary', { hasText: 'POST /schedule' }).nth(1).click()
    await live.getByText('one proposal').first().waitFor() // they are made when the browser says that it has opened
  })
}

async function checkComparing(full, earlier) {
  const begin = (page, what) => page.setInputFiles('#earlier-file', what)
  await check('an earlier page is compared with', full, async (p) => {
    const { page } = p
    await begin(page, earlier)
    await page.waitForSelector('#compare:not([hidden])')
    await settle(page)
    const rows = await page.locator('#compare-body table').nth(1).locator('tbody tr').allInnerTexts()
    const grown = rows[0].replace(/\s+/g, ' ')
    holds(grown.includes('row_append') && grown.includes('+'), `row_append grew most, but the first is ${grown}`)
    holds(rows.some((r) => r.includes('cursor_encode') && r.includes('new')), 'cursor_encode is new')
    holds(rows.some((r) => r.includes('heap_push') && r.includes('−')), 'heap_push shrank')
    const fill = (name) => frameNamed(page, name).locator('rect').getAttribute('fill')
    holds(/ 48\)$/.test(await fill('GET /vms')) && / 252\)$/.test(await fill('POST /schedule')), 'grown is orange, shrunk is blue')
    await page.click('#compare-end')
    await settle(page)
    holds(await page.isHidden('#compare') && !/ 48\)$/.test(await fill('GET /vms')), 'all as before')
    await isQuiet(p)
  })
  await check('figures are for as many scopes, or as measured', full, async ({ page }) => {
    await begin(page, file('earlier.json'))
    await page.waitForSelector('#compare:not([hidden])')
    const change = async () => (await page.locator('#compare-body tr', { hasText: 'json_string' }).innerText()).replace(/\s+/g, ' ')
    holds((await change()).includes('−'), 'fewer a scope')
    await page.click('#scales [data-value=false]')
    holds((await change()).includes('+'), 'but more scopes')
  })
  await check('a report is compared with itself without a difference', full, async ({ page }) => {
    await begin(page, full)
    await page.waitForSelector('#compare:not([hidden])')
    holds((await text(page, '#compare-lead')).includes('Nothing has changed'), 'it says so')
  })
  await check('what is no report is refused in words', full, async ({ page }) => {
    await begin(page, path.join(here, 'check'))
    await page.waitForSelector('#notices .notice')
    holds((await text(page, '#notices')).includes("can't be compared"), 'it says so')
    await begin(page, { name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{"ebb":99}') })
    await page.waitForFunction(() => document.getElementById('notices').textContent.includes('version'))
    holds(await page.isHidden('#compare'), 'nothing is compared')
  })
  await check('a report can be dropped onto the page', full, async ({ page }) => {
    await page.evaluate((json) => {
      const data = new DataTransfer()
      data.items.add(new File([json], 'earlier.json'))
      window.dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }))
    }, fs.readFileSync(file('earlier.json'), 'utf8'))
    await page.waitForSelector('#compare:not([hidden])')
  })
}

async function checkStrangers(hostile) {
  await check('hostile names are text', hostile, async (p) => {
    const { page } = p
    await begin()
    async function begin() {
      await page.setInputFiles('#earlier-file', hostile)
      await page.waitForSelector('#compare:not([hidden])')
      for (const opener of await page.locator('.opener[aria-expanded=false]').all()) await opener.click({ timeout: 2000 }).catch(() => {})
      await settle(page)
    }
    equal(await page.evaluate(() => [window.hacked, document.querySelectorAll('img, iframe, object, embed, main svg[onload]').length]), [undefined, 0], 'scripts run, elements made')
    holds((await text(page, '#main')).includes('</script><script>window.hacked=1</script>'), 'the name is shown as it is')
    equal(await page.evaluate(() => ({}).hacked === undefined && Object.getPrototypeOf({}) === Object.prototype), true, 'prototypes are as they were')
    await isQuiet(p)
  })
  await check('even a name that gets out of the JSON runs nothing', embed('{"ebb":1}</script><script>window.hacked=1</script><img src=x onerror="window.hacked=2">', 'outbreak'), async ({ page }) => {
    await settle(page)
    equal(await page.evaluate(() => window.hacked), undefined, 'scripts run')
    holds((await page.evaluate(() => window.violations.length)) > 0, 'the policy has refused it')
  })
  for (const [what, json] of [['no JSON at all', 'nonsense'], ['another version', '{"ebb":2}'], ['the wrong types', JSON.stringify({ ebb: 1, kinds: [null, 3, { name: {}, count: 'x', by_class: 7 }], frames: 'f', sites: [{ kind: 2, stack: [9, -1, 'x'], count: 1e400 }, null, { kind: 77 }], profiles: [{}, [], { waste: [], histogram: [1, [2], [3, 4]], advice: [5] }], live: { nodes: [{ parent: 5 }, { parent: 0 }, 7] }, timeline: { width_ns: 1, count: ['a'] }, classes: 'x', totals: [] })]]) {
    await check(`a report that is ${what} leaves a page that can be read`, embed(json, 'broken'), async (p) => {
      await settle(p.page)
      holds((await text(p.page, '#main')).length > 20, 'it says something')
      if (what === 'the wrong types') holds((await text(p.page, '#answers')).includes('Allocates most') && (await text(p.page, '#notices')) === '', 'it shows what there is')
      await isQuiet(p)
    })
  }
}

async function checkSizes(pages) {
  await check('an empty report says how to get more', pages.empty, async (p) => {
    const said = await text(p.page, '#main')
    for (const word of ['Nothing yet', 'EBB_TRACK=full', 'There is no timeline', 'was alive']) holds(said.includes(word), `"${word}" is not in: ${said}`)
    await isQuiet(p)
  })
  await check('call sites alone: shallow stacks, and no lifetimes', pages.sites, async (p) => {
    holds((await text(p.page, '#flame-lead')).includes('EBB_TRACK=full'), 'says how to get stacks')
    equal([await p.page.locator('#measures button').count(), await p.page.locator('[data-sort=lifetime]').count()], [2, 0], 'nothing of what is alive')
    await isQuiet(p)
  })
  await check('samples are told with their error', pages.sample, async (p) => {
    const report = dataOf('sample'), error = report.sample_bytes * Math.sqrt(report.totals.samples) / 2 ** 20
    holds((await text(p.page, '#totals')).includes(`±\u00a0${error.toFixed(1)}\u00a0MiB`) || (await text(p.page, '#totals')).includes('± ' + error.toFixed(1)), `± ${error} MiB`)
    holds((await text(p.page, '#sites-body')).includes('±'), 'call sites too')
  })
  await check('20,000 call sites make a page of bounded size', pages.big, async (p) => {
    await settle(p.page)
    equal(dataOf('big').sites.length > 20000, true, 'sites')
    const elements = () => p.page.evaluate(() => document.querySelectorAll('*').length)
    holds(await elements() < MOST_ELEMENTS, `${await elements()} elements`)
    await p.page.fill('#flame-search', 'emit')
    await p.page.waitForFunction(() => document.getElementById('flame-found').textContent !== '')
    await p.page.click('#sites-rows [data-value=stack]')
    holds(await elements() < MOST_ELEMENTS, `${await elements()} elements`)
    await isQuiet(p)
  })
}

async function checkLooks(pages, earlier) {
  for (const [name, target] of Object.entries(pages)) {
    await check(`${name}: nothing is wider than a small phone`, target, { viewport: SMALL_PHONE }, async ({ page }) => {
      equal(await overflow(page), 0, 'pixels too wide')
      if (name === 'empty' || name === 'made') return
      await page.setInputFiles('#earlier-file', earlier)
      await page.waitForSelector('#compare:not([hidden])')
      for (const which of ['#kinds-body', '#sites-body']) await page.locator(which + ' .opener[aria-expanded=false]').first().click()
      await settle(page)
      equal(await overflow(page), 0, 'pixels too wide, with all open')
    })
  }
  for (const dark of [false, true]) {
    await check(`${dark ? 'dark' : 'light'}: as the system wants it, and all text can be read`, pages.full, { dark }, async ({ page }) => {
      await settle(page)
      const shade = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).reduce((a, b) => a + +b, 0) / 3)
      equal(await shade() < 60, dark, 'dark')
      equal(await page.evaluate(lowContrast), [], 'texts too faint')
      await page.setInputFiles('#earlier-file', earlier)
      await page.waitForSelector('#compare:not([hidden])')
      await settle(page)
      equal(await page.evaluate(lowContrast), [], 'texts too faint beside an earlier report')
      await page.click('#theme')
      equal(await shade() < 60, !dark, 'switched')
    })
  }
}

/* ---- the live page ---------------------------------------------------------------------------- */

function serve(page) {
  const state = { asked: 0, broken: false, text: fs.readFileSync(file('full.json'), 'utf8') }
  const server = http.createServer((request, response) => {
    if (!request.url.includes('format=json')) return response.writeHead(200, { 'Content-Type': 'text/html' }).end(fs.readFileSync(page))
    state.asked++
    if (state.broken) return response.writeHead(503).end()
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(state.text)
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({ state, url: `http://127.0.0.1:${server.address().port}/`, stop: () => server.close() })))
}

async function checkLive() {
  const { state, url, stop } = await serve(embed(sampleText('--poll', '?format=json'), 'live', '--live'))
  await check('the live page asks its own server, and draws what it is told', url, async (p) => {
    const { page } = p
    await page.waitForSelector('#flame-graph g.frame')
    await chip(page, 'GET /vms')
    await page.fill('#flame-search', 'label')
    await settle(page)
    await frameNamed(page, 'walk').or(page.locator('#flame-graph g.frame').nth(2)).first().click()
    const zoomed = await page.evaluate(() => document.querySelectorAll('#flame-graph g.fade').length)
    const report = JSON.parse(state.text)
    report.program = 'later'
    state.text = JSON.stringify(report)
    await page.waitForFunction(() => document.getElementById('title').textContent === 'later')
    await settle(page)
    equal([await rootName(page), await page.inputValue('#flame-search'), await page.isDisabled('#flame-reset'), await page.evaluate(() => document.querySelectorAll('#flame-graph g.fade').length)],
          ['GET /vms', 'label', false, zoomed], 'filter, search and zoom are kept')
    holds(p.requests.every((r) => r.startsWith(url)), 'no other server was asked')
    equal([await page.evaluate(() => window.violations), p.complaints], [[], []], 'violations and complaints')
  })
  await check('the live page outlives its server, and can be paused', url, async ({ page }) => {
    await page.waitForSelector('#flame-graph g.frame')
    state.broken = true
    await page.waitForSelector('#pulse.bad')
    state.broken = false
    await page.waitForSelector('#pulse:not(.bad)')
    await page.click('#pause')
    const asked = state.asked
    equal(await text(page, '#pulse'), 'paused', 'told')
    await page.waitForTimeout(500)
    holds(state.asked <= asked + 1, 'it asks no more')
  })
  await check('the live page may ask no other server', url, async ({ page }) => {
    const refused = await page.evaluate(() => fetch('http://127.0.0.2:9/').then(() => false, () => true))
    holds(refused && (await page.evaluate(() => window.violations)).some((v) => v.startsWith('connect-src')), 'refused by the policy')
  })
  stop()
}

/* A real server's: it has its own request to show, whoever else is there. */
async function checkServer(vmd) {
  const server = spawn(vmd, ['--port=0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise((resolve) => server.stdout.on('data', (text) => resolve(`http://127.0.0.1:${/:(\d+),/.exec(text)[1]}/debug/ebb`)))
  await check('a server shows its own memory', url, async ({ page, complaints, requests }) => {
    await page.waitForSelector('#live summary')
    const live = await page.locator('#live').innerText()
    holds(live.includes('GET /debug/ebb') && live.includes('proposals'), 'its scopes and its pools')
    await page.waitForRequest((r) => r.url() === url + '?format=json')
    holds(requests.every((r) => r.startsWith(url)), 'no other server was asked')
    equal([await page.evaluate(() => window.violations), complaints], [[], []], 'violations and complaints')
  })
  server.kill()
}

/* ---- pictures --------------------------------------------------------------------------------- */

async function picture(folder, name, target, how, prepare = async () => {}) {
  const { page, close } = await open(target, how)
  await settle(page)
  await prepare(page)
  await settle(page)
  await page.screenshot({ path: path.join(folder, `report-${name}.png`) })
  await close()
}

const scrollTo = (id) => (page) => page.evaluate((i) => document.getElementById(i).scrollIntoView(), id)

async function pictures(folder, report, earlier) {
  const tall = { width: 1180, height: 820 }
  fs.mkdirSync(folder, { recursive: true })
  await picture(folder, 'glance', report, { viewport: tall })
  await picture(folder, 'flame', report, { viewport: { width: 1180, height: 640 }, dark: true }, async (page) => {
    await scrollTo('flame')(page)
    const widths = await page.locator('#flame-graph g.frame[aria-level="4"] rect').evaluateAll((all) => all.map((r) => r.getBoundingClientRect().width))
    if (widths.length) await page.locator('#flame-graph g.frame[aria-level="4"]').nth(widths.indexOf(Math.max(...widths))).hover()
  })
  await picture(folder, 'waste', report, { viewport: { width: 1180, height: 560 } }, scrollTo('waste'))
  await picture(folder, 'phone', report, { viewport: PHONE })
  await picture(folder, 'changes', report, { viewport: { width: 1180, height: 640 } }, async (page) => {
    await page.setInputFiles('#earlier-file', earlier)
    await page.waitForSelector('#compare:not([hidden])')
  })
}

/* ---- all of it -------------------------------------------------------------------------------- */

try {
  const full = sample('full'), earlier = sample('earlier', '--earlier')
  if (options[0] === '--pictures') {
    await pictures(options[1], options[2] || full, options[3] || earlier)
  } else {
    const pages = { full, empty: sample('empty', '--empty'), sites: sample('sites', '--level', 'sites'), sample: sample('sample', '--level', 'sample'),
                    hostile: sample('hostile', '--hostile'), big: sample('big', '--sites', '28000') }
    await checkReading(full)
    await checkFlame(full)
    await checkTables(full)
    await checkComparing(full, earlier)
    await checkStrangers(pages.hostile)
    await checkSizes(pages)
    const made = option('--report') ? { made: option('--report') } : {}
    for (const target of Object.values(made)) await check('a page that the library wrote', target, async (p) => { await settle(p.page); await isQuiet(p); holds(await p.page.locator('#flame-graph g.frame').count() > 1, 'frames') })
    await checkLooks({ ...pages, ...made }, earlier)
    await checkLive()
    if (option('--vmd')) await checkServer(option('--vmd'))
    console.log(`1..${ran}`)
  }
} finally {
  await browser.close()
  fs.rmSync(work, { recursive: true, force: true })
}
process.exit(failed ? 1 : 0)
