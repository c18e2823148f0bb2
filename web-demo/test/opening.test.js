// Captures are opened, whatever they are: whole, several, compressed, damaged, hostile, or none at all.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { PING, rowTexts, scratch, SHELL, shot, shownCount, stage } from './browser.js';
import { read } from './program.js';

const inScratch = scratch();
const { empty, opened } = stage();

test('the sample shows its session, and the counts are those of the program', async () => {
  const { context, page, problems } = await empty();
  await page.click('.sample');
  await page.waitForSelector('.overview .data tbody tr');
  const session = await page.textContent('.overview .data tbody tr');
  for (const part of ['VNI 9325541', '10.10.0.4', '63']) assert.ok(session.includes(part), `${part} in ${session}`);
  assert.deepEqual(problems, []);
  await context.close();
});

test('several captures are merged in time order', async () => {
  const { context, page } = await opened([SHELL, PING], 'packets');
  const texts = await rowTexts(page);
  assert.ok(texts.length > 10);
  await page.focus('[role=grid]');
  await page.keyboard.press('End');
  await page.waitForFunction(() => document.querySelector('.grid-row[aria-selected=true]:not(.waiting)'));
  assert.equal(await page.getAttribute('[role=grid]', 'aria-rowcount'), String(1 + read(PING).length + read(SHELL).length));
  await context.close();
});

test('a compressed capture opens as it is', async () => {
  const file = inScratch('ping.pcap.gz');
  writeFileSync(file, gzipSync(readFileSync(PING)));
  const { context, page } = await opened(file);
  assert.match(await shownCount(page), /^63 of 63/);
  await context.close();
});

test('of a damaged capture everything before the damage is shown, and where it is', async () => {
  const file = inScratch('cut.pcap');
  writeFileSync(file, readFileSync(PING).subarray(0, 5000));
  const { context, page } = await opened(file);
  const notice = await page.textContent('.notice.bad');
  assert.match(notice, /cut\.pcap/);
  assert.match(notice, /octet [\d,]+/);
  const count = Number((await shownCount(page)).split(' ')[0]);
  assert.ok(count > 0 && count < 63, String(count));
  await shot(page, 'damaged');
  await context.close();
});

test('what is no capture is named, and the page stays usable', async () => {
  const { context, page } = await empty();
  await page.setInputFiles('.drop input', { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('only words, no packets') });
  await page.waitForSelector('.notice.bad');
  await page.setInputFiles('.drop input', PING);
  await page.waitForSelector('.overview .data');
  await context.close();
});

test('names of files inject nothing', async () => {
  const { context, page, problems } = await empty();
  await page.setInputFiles('.drop input', { name: '<img src=x onerror=alert(1)>\u202egpj.pcap', mimeType: '', buffer: readFileSync(PING) });
  await page.waitForSelector('.overview .data');
  assert.equal(await page.locator('img').count(), 0);
  assert.match(await page.textContent('.what'), /<img src=x onerror=alert\(1\)>\\u202egpj\.pcap/);
  assert.deepEqual(problems, []);
  await context.close();
});

test('random octets and every cut of a capture leave the page usable', async () => {
  const { context, page, problems } = await empty();
  const whole = readFileSync(PING);
  const noise = Buffer.from(Array.from({ length: 4000 }, (_, at) => (at * 2654435761) >>> 24));
  const hostile = [noise, Buffer.concat([whole.subarray(0, 24), noise]), ...[25, 41, 90, 333, 1999].map((len) => whole.subarray(0, len))];
  for (const [at, buffer] of hostile.entries()) {
    await page.setInputFiles('#choose', { name: `hostile-${at}.pcap`, mimeType: '', buffer });
    await page.waitForSelector('.notice.bad, .overview');
  }
  await page.setInputFiles('#choose', PING);
  await page.waitForSelector('.overview .data tbody tr');
  assert.deepEqual(problems, []);
  await context.close();
});
