// Filters: judged, completed, mended, kept in the address, and shared by it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterBy, PING, rowTexts, SHELL, shownCount, showsCount, stage } from './browser.js';
import { read } from './program.js';

const { empty, opened } = stage();

test('a filter shows what the program shows', async () => {
  const { context, page } = await opened(PING, 'packets');
  await filterBy(page, 'icmp');
  const count = read(PING, 'icmp').length;
  await showsCount(page, count);
  await page.waitForFunction((count) => document.querySelectorAll('.grid-row:not([hidden]):not(.waiting)').length >= Math.min(count, 10), count);
  assert.ok((await rowTexts(page)).every((text) => text.includes('ICMP')));
  await context.close();
});

test('a fault is underlined where it is, the result before stays, and the suggestion mends it', async () => {
  const { context, page } = await opened(PING, 'packets');
  await page.fill('#filter', 'tcp prot 80');
  await page.waitForSelector('.filter-under u');
  assert.equal(await page.textContent('.filter-under u'), 'prot');
  assert.ok((await rowTexts(page)).length > 10);
  await page.click('.filter-says button');
  await page.waitForSelector('.filter-field.on');
  assert.equal(await page.inputValue('#filter'), 'tcp port 80');
  await context.close();
});

test('completion offers what is in the capture, and keys take it', async () => {
  const { context, page } = await opened();
  await page.focus('#filter');
  await page.keyboard.type('vni ');
  await page.waitForSelector('[role=option]');
  assert.match(await page.textContent('[role=listbox]'), /9325541/);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  assert.match(await page.inputValue('#filter'), /^vni 9325541/);
  await context.close();
});

test('full-width letters are read as the ones that are meant', async () => {
  const { context, page } = await opened();
  await page.focus('#filter');
  await page.keyboard.insertText('ｈｏｓｔ　８．８．８．８');
  assert.equal(await page.inputValue('#filter'), 'host 8.8.8.8');
  await context.close();
});

test('the address keeps filter, view and packet, and Back goes back', async () => {
  const { context, page } = await opened(PING, 'packets');
  await filterBy(page, 'tcp');
  await page.waitForFunction(() => location.hash.includes('filter=tcp'));
  await page.focus('[role=grid]');
  await page.keyboard.press('j');
  await page.waitForFunction(() => /packet=\d+/.test(location.hash));
  await page.goBack();
  await page.waitForFunction(() => document.querySelector('#filter').value === '');
  assert.match(await shownCount(page), /^63 of 63/);
  await context.close();
});

test('a link shows the same view of the same file, and says if it is another one', async () => {
  const first = await opened(PING, 'packets');
  await filterBy(first.page, 'icmp');
  await first.page.waitForFunction(() => location.hash.includes('filter=icmp') && location.hash.includes('file='));
  const hash = await first.page.evaluate(() => location.hash);
  await first.context.close();
  const second = await empty({}, hash.slice(1));
  assert.match(await second.page.textContent('.empty'), /ping-curl-traceroute\.pcap/);
  await second.page.setInputFiles('.drop input', SHELL);
  await second.page.waitForSelector('.main .notice');
  await second.page.setInputFiles('#choose', PING);
  await second.page.waitForFunction(() => document.querySelector('.filter-says')?.textContent.match(/^\d+ of 63/));
  assert.equal(await second.page.inputValue('#filter'), 'icmp');
  assert.equal(await second.page.locator('.main .notice').count(), 0);
  await second.context.close();
});

test('a filter is saved, offered first, and kept for the next visit', async () => {
  const { context, page } = await opened();
  await filterBy(page, 'icmp');
  await filterBy(page, 'udp port 53');
  await page.fill('#filter', 'icmp');
  await page.click('.keep');
  await page.fill('#filter', 'tcp');
  await page.keyboard.press('Enter');
  await page.reload();
  await page.setInputFiles('.drop input', PING);
  await page.waitForSelector('.status');
  await page.fill('#filter', '');
  await page.waitForSelector('.completions:not([hidden]) li');
  const offered = await page.$$eval('.completions li code', (items) => items.map((item) => item.textContent));
  assert.equal(offered[0], '★ icmp');
  assert.deepEqual(offered.slice(1).sort(), ['tcp', 'udp port 53']);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  assert.equal(await page.inputValue('#filter'), 'icmp');
  await context.close();
});
