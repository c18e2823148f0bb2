// Captures larger than a browser likes: rows while they are read, Stop keeps what is there, every row is reached although
// no browser can make an element as high as all of them, and octets behind 4 GiB are read again.
//
// The captures are blobs that repeat one piece, so that they take neither memory nor disk.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { scratch, shot, shownCount, stage } from './browser.js';
import { generate } from './program.js';

/** Ten million rows take a minute: with this variable. */
const IS_HUGE = Boolean(process.env.MIRRORSCOPE_HUGE);
const PIECE = 20_000;
const ROWS = IS_HUGE ? 10_000_000 : 1_000_000;
/** Octets of the file header, which stands once. */
const HEADER_LEN = 24;

const inScratch = scratch();
const { empty } = stage();

let small;
before(() => {
  const file = inScratch('piece.pcap');
  generate(file, '--small', '--packets', PIECE, '--flows', 500, '--sessions', 4);
  small = readFileSync(file);
});

/** Opens `header`, then `body` `times` over, then `tail`. */
async function give(page, octets, times, tail = Buffer.alloc(0)) {
  const parts = [octets.subarray(0, HEADER_LEN), octets.subarray(HEADER_LEN), tail].map((part) => part.toString('base64'));
  await page.evaluate(async ([parts, times]) => {
    const [head, body, tail] = parts.map((part) => new Blob([Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0))]));
    const files = new DataTransfer();
    files.items.add(new File([head, ...Array(times).fill(body), tail], 'large.pcap'));
    const input = document.querySelector('.drop input');
    input.files = files.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  }, [parts, times]);
}

const counts = async (page) => (await shownCount(page)).replace(/,/g, '').match(/\d+/g).map(Number);
const rowsAre = (page, count, timeout) => page.waitForFunction((count) => document.querySelector('[role=grid]')?.ariaRowCount === String(count + 1), count, { timeout });
const shows = (page, row) => page.waitForFunction((row) => {
  const element = document.querySelector(`.grid-row[aria-rowindex="${row + 1}"]:not([hidden]):not(.waiting)`);
  const grid = document.querySelector('.grid').getBoundingClientRect();
  const box = element?.getBoundingClientRect();
  return box && box.top >= grid.top && box.bottom <= grid.bottom + 1;
}, row);

test('rows, layers and a filter are there while it is read; Stop acts and keeps them', async () => {
  const { context, page, problems } = await empty({}, 'tab=packets');
  // More than is read while this test looks.
  await give(page, small, 2000);
  await page.waitForSelector('.grid-row:not(.waiting)');
  assert.ok(await page.locator('.status progress').count(), 'rows come while it is read');
  await page.focus('[role=grid]');
  await page.keyboard.press('j');
  await page.waitForSelector('.tree .node.head');
  await page.fill('#filter', 'vni 1001');
  await page.waitForSelector('.filter-field.on');
  await page.waitForFunction(() => { const [some, all] = document.querySelector('.filter-says').textContent.replace(/,/g, '').match(/\d+/g).map(Number); return some > 0 && some < all; });
  await page.fill('#filter', '');
  await shot(page, 'reading');
  assert.ok(await page.locator('.status progress').count(), 'it is still read');

  await page.focus('[role=grid]');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.querySelector('.status').textContent.includes('Stopped at'));
  const [kept] = await counts(page);
  assert.ok(kept > 0 && kept < 2000 * PIECE, String(kept));
  await page.waitForTimeout(300);
  assert.ok((await counts(page))[0] - kept < 2 * PIECE, 'nothing more is read');
  const [stopped] = await counts(page);
  await page.focus('[role=grid]');
  await page.keyboard.press('End');
  await shows(page, stopped);
  assert.deepEqual(problems, []);
  await context.close();
});

test(`each of ${ROWS.toLocaleString('en')} rows is reached, by keys, by the wheel and by the scroll bar`, async () => {
  const { context, page, problems } = await empty({}, 'tab=packets');
  await give(page, small, ROWS / PIECE);
  await rowsAre(page, ROWS, IS_HUGE ? 300_000 : 60_000);
  await page.focus('[role=grid]');
  await page.keyboard.press('End');
  await shows(page, ROWS);
  await page.keyboard.press('k');
  await shows(page, ROWS - 1);
  await page.keyboard.press('g');
  await shows(page, 1);
  const box = await page.locator('.grid').boundingBox();
  await page.mouse.move(box.x + 200, box.y + 100);
  await page.mouse.wheel(0, 240);
  await shows(page, 11);
  await page.evaluate(() => (document.querySelector('.grid').scrollTop = 1e9));
  await shows(page, ROWS);
  await page.evaluate(() => (document.querySelector('.grid').scrollTop /= 2));
  await page.waitForFunction((middle) => [...document.querySelectorAll('.grid-row:not([hidden])')].some((row) => Math.abs(row.ariaRowIndex - middle) < 200), ROWS / 2);
  assert.deepEqual(problems, []);
  await context.close();
});

test('a capture of more than 4 GiB opens, and its last packet is read again', async () => {
  const { context, page, problems } = await empty({}, 'tab=packets');
  const last = small.subarray(HEADER_LEN, HEADER_LEN + 16 + small.readUInt32LE(HEADER_LEN + 8));
  const { octets, packets } = longPackets(small);
  const times = Math.ceil((2 ** 32 + 1) / (octets.length - HEADER_LEN));
  await give(page, octets, times, last);
  await rowsAre(page, times * packets + 1, 300_000);
  await page.focus('[role=grid]');
  await page.keyboard.press('End');
  await page.waitForSelector('.tree .node.head');
  await page.waitForFunction((count) => document.querySelector('.detail').getAttribute('aria-label').replace(/\D/g, '') === String(count), times * packets + 1);
  const shown = await page.$$eval('.hex .o', (spans) => spans.map((span) => span.textContent).join(''));
  assert.equal(shown, last.subarray(16).toString('hex'));
  assert.deepEqual(problems, []);
  await context.close();
});

/** The first packets of a capture, each made as long as a capture may have it. */
function longPackets(octets) {
  const [packets, length] = [16, 256 * 1024];
  const records = Array.from({ length: packets }, () => {
    const record = Buffer.alloc(16 + length);
    octets.copy(record, 0, HEADER_LEN, HEADER_LEN + 16 + octets.readUInt32LE(HEADER_LEN + 8));
    record.writeUInt32LE(length, 8);
    record.writeUInt32LE(length, 12);
    return record;
  });
  return { octets: Buffer.concat([octets.subarray(0, HEADER_LEN), ...records]), packets };
}
