// Measures the built page with a capture, five times, and prints the medians: `npm run measure -- FILE`.
// What is measured is told beside each number; the machine and its load belong to it. The processor's own time for a task
// does not depend on what else the machine does.
import { launch, open, readAhead, serve } from './browser.js';

const RUNS = 5;
const file = process.argv[2];
if (!file) {
  console.error('usage: npm run measure -- FILE\n\nA capture can be made with: mirrorscope send --generate --packets 110000 --write FILE');
  process.exit(1);
}

/** In the page: when the drop happened, when rows were painted, when reading ended, and tasks over 50 ms. */
function watch() {
  const marks = (globalThis.marks = { tasks: [] });
  new PerformanceObserver((list) => marks.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
  const input = document.querySelector('.drop input');
  input.addEventListener('change', () => (marks.dropped = performance.now()), { capture: true });
  const look = () => {
    const now = performance.now();
    if (marks.dropped && !marks.rows && document.querySelector('.grid-row:not([hidden]):not(.waiting)')) requestAnimationFrame(() => (marks.rows ??= performance.now()));
    if (marks.dropped && !marks.read && document.querySelector('.status')?.textContent.includes('Read whole')) marks.read = now;
    if (!marks.read || !marks.rows) requestAnimationFrame(look);
  };
  look();
}

/** Opens the page, chooses the file, and waits until it is read. */
async function read(browser, url, trace = () => undefined) {
  const { context, page } = await open(browser, `${url}#tab=packets`);
  await readAhead(page);
  await page.evaluate(watch);
  await trace(page);
  await page.setInputFiles('.drop input', file);
  await page.waitForFunction(() => globalThis.marks.read && globalThis.marks.rows, null, { timeout: 300_000 });
  return { context, page };
}

/** What the processor does while a capture is read; to trace it takes time, so that nothing else is measured then. */
async function traced(browser, url) {
  const start = (page) => browser.startTracing(page, { categories: ['toplevel', 'devtools.timeline'] });
  const { context } = await read(browser, url, start);
  const busy = longestTask(JSON.parse(await browser.stopTracing()).traceEvents);
  await context.close();
  return { busy };
}

async function run(browser, url) {
  const { context, page } = await read(browser, url);
  const marks = await page.evaluate(() => globalThis.marks);
  const draw = await scroll(page);
  const filter = await timed(page, 'tcp port 443', () => document.querySelector('.filter-field.on') && document.querySelector('.filter-says').textContent);
  const row = await page.evaluate(async () => {
    const begin = performance.now();
    const grid = document.querySelector('[role=grid]');
    grid.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
    while (!document.querySelector('.hex-line')) await new Promise((resolve) => setTimeout(resolve, 1));
    return performance.now() - begin;
  });
  const memory = await page.evaluate(() => performance.memory?.usedJSHeapSize ?? 0);
  await context.close();
  return { rows: marks.rows - marks.dropped, read: marks.read - marks.dropped, longest: Math.max(0, ...marks.tasks), draw, filter, row, heap: memory / 2 ** 20 };
}

/** From Escape, soon after the first rows, to the word that reading was stopped; nothing where it was read whole by then. */
async function stop(browser, url) {
  const { context, page } = await open(browser, `${url}#tab=packets`);
  await readAhead(page);
  await page.setInputFiles('.drop input', file);
  await page.waitForSelector('.grid-row:not([hidden]):not(.waiting)');
  const took = await page.evaluate(async () => {
    const says = (word) => document.querySelector('.status').textContent.includes(word);
    const begin = performance.now();
    document.querySelector('[role=grid]').dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
    while (!says('Stopped at') && !says('Read whole')) await new Promise((resolve) => setTimeout(resolve, 1));
    return says('Stopped at') ? performance.now() - begin : NaN;
  });
  await context.close();
  return { stop: took };
}

/** The longest task of the page's main thread, in milliseconds of the processor. */
function longestTask(events) {
  const threads = events.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
  const isMain = ({ pid, tid }) => threads.some((thread) => thread.pid === pid && thread.tid === tid);
  const tasks = events.filter((event) => event.ph === 'X' && event.name.endsWith('RunTask') && isMain(event));
  return Math.max(0, ...tasks.map(({ tdur = 0 }) => tdur)) / 1000;
}

/** Scrolls on, and returns the median of the script of a drawn frame. */
function scroll(page) {
  return page.evaluate(async () => {
    const times = [];
    const ask = globalThis.requestAnimationFrame;
    globalThis.requestAnimationFrame = (callback) => ask((now) => { const begin = performance.now(); callback(now); times.push(performance.now() - begin); });
    const grid = document.querySelector('.grid');
    for (let frame = 0; frame < 200; frame += 1) {
      grid.scrollTop += 97;
      await new Promise((resolve) => ask(resolve));
    }
    globalThis.requestAnimationFrame = ask;
    return times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
  });
}

/** From the last key of a filter to its count; the wait before it is judged is in it. */
async function timed(page, text) {
  const before = await page.textContent('.filter-says');
  await page.focus('#filter');
  return page.evaluate(async ({ text, before }) => {
    const input = document.getElementById('filter');
    input.value = text;
    const begin = performance.now();
    input.dispatchEvent(new InputEvent('input', { bubbles: true }));
    while (document.querySelector('.filter-says').textContent === before && performance.now() - begin < 20_000) await new Promise((resolve) => setTimeout(resolve, 1));
    return performance.now() - begin;
  }, { text, before });
}

const server = await serve();
const browser = await launch();
const runs = [];
for (let count = 0; count < RUNS; count += 1) runs.push({ ...(await run(browser, server.url)), ...(await traced(browser, server.url)), ...(await stop(browser, server.url)) });
await browser.close();
await server.close();

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
for (const [name, what] of Object.entries({
  rows: 'chosen to first rows painted, ms',
  read: 'chosen to read whole, ms',
  longest: 'longest task of the main thread over 50 ms, ms (0: none)',
  busy: 'longest task of the main thread, ms of the processor',
  draw: 'script of a frame while scrolling, ms (median)',
  filter: 'last key of a filter to its count, ms (40 of it wait for another key)',
  row: 'key to layers and octets, ms',
  stop: 'Escape to reading stopped, ms (NaN: it was read whole before)',
  heap: 'heap of the main thread, MiB',
})) {
  const values = runs.map((run) => run[name]);
  console.log(`${median([...values]).toFixed(1).padStart(9)}  ${what}; all: ${values.map((value) => value.toFixed(1)).join(' ')}`);
}
