// A capture of 800,000 packets: rows while it is read, Stop keeps what is there, and every row is reached although no
// browser can make an element as high as all of them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, open, PROGRAM, serve, shot } from './browser.js';

const PACKETS = 20_000;
const COPIES = 40;
const SCRATCH = mkdtempSync(join(tmpdir(), 'mirrorscope-large-'));
const LARGE = join(SCRATCH, 'large.pcap');
/** Octets of the file header, which stands once. */
const HEADER_LEN = 24;

let server;
let browser;
before(async () => {
  const piece = join(SCRATCH, 'piece.pcap');
  execFileSync(PROGRAM, ['send', '--generate', '--small', '--packets', String(PACKETS), '--flows', '500', '--sessions', '4', '--write', piece], { stdio: 'ignore' });
  const octets = readFileSync(piece);
  const file = openSync(LARGE, 'w');
  writeSync(file, octets.subarray(0, HEADER_LEN));
  for (let copy = 0; copy < COPIES; copy += 1) writeSync(file, octets.subarray(HEADER_LEN));
  closeSync(file);
  server = await serve();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.close();
  rmSync(SCRATCH, { recursive: true });
});

const counts = async (page) => (await page.textContent('.filter-says')).replace(/,/g, '').match(/\d+/g).map(Number);

test('rows are there while it is read; Stop keeps them', async () => {
  const { context, page, problems } = await open(browser, `${server.url}#tab=packets`);
  await page.setInputFiles('.drop input', LARGE);
  await page.waitForSelector('.status progress');
  await page.waitForSelector('.grid-row:not(.waiting)');
  await shot(page, 'reading');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.querySelector('.status progress'));
  const [kept] = await counts(page);
  assert.ok(kept > 0 && kept <= PACKETS * COPIES, String(kept));
  assert.ok(kept < PACKETS * COPIES || (await page.textContent('.status')).includes('Read whole'));
  await page.focus('[role=grid]');
  await page.keyboard.press('End');
  await page.waitForFunction((last) => document.querySelector(`.grid-row[aria-rowindex="${last}"]:not(.waiting)`), kept + 1);
  assert.deepEqual(problems, []);
  await context.close();
});

test('every row of the whole is reached, by keys, by the wheel and by the scroll bar', async () => {
  const { context, page, problems } = await open(browser, `${server.url}#tab=packets`);
  await page.setInputFiles('.drop input', LARGE);
  const all = PACKETS * COPIES;
  await page.waitForFunction((all) => document.querySelector('[role=grid]')?.ariaRowCount === String(all + 1), all, { timeout: 60_000 });
  const shows = (row) => page.waitForFunction((row) => {
    const element = document.querySelector(`.grid-row[aria-rowindex="${row + 1}"]:not([hidden]):not(.waiting)`);
    const grid = document.querySelector('.grid').getBoundingClientRect();
    const box = element?.getBoundingClientRect();
    return box && box.top >= grid.top && box.bottom <= grid.bottom + 1;
  }, row);
  await page.focus('[role=grid]');
  await page.keyboard.press('End');
  await shows(all);
  await page.keyboard.press('k');
  await shows(all - 1);
  await page.keyboard.press('g');
  await shows(1);
  const box = await page.locator('.grid').boundingBox();
  await page.mouse.move(box.x + 200, box.y + 100);
  await page.mouse.wheel(0, 240);
  await shows(11);
  await page.evaluate(() => (document.querySelector('.grid').scrollTop = 1e9));
  await shows(all);
  await page.evaluate(() => (document.querySelector('.grid').scrollTop /= 2));
  await page.waitForFunction((middle) => [...document.querySelectorAll('.grid-row:not([hidden])')].some((row) => Math.abs(row.ariaRowIndex - middle) < 200), all / 2);
  assert.deepEqual(problems, []);
  await context.close();
});
