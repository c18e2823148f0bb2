// The keyboard alone reaches everything.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './browser.js';

const { empty, opened } = stage();

/** Presses Tab until what has the focus fits. */
async function tabTo(page, selector, key = 'Tab') {
  for (let step = 0; step < 120; step += 1) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) return;
    await page.keyboard.press(key);
  }
  assert.fail(`Tab does not reach ${selector}`);
}

const press = async (page, ...keys) => { for (const key of keys) await page.keyboard.press(key); };

test('from the sample to a filtered packet’s octets, its mark, help and export', async () => {
  const { context, page } = await empty();
  await tabTo(page, '.sample');
  await press(page, 'Enter');
  await page.waitForSelector('.overview');
  await press(page, '2', '/');
  await page.keyboard.type('tcp port 80');
  await press(page, 'Enter');
  await page.waitForSelector('.filter-field.on');
  await press(page, 'Escape', 'j', 'G');
  await page.waitForSelector('.tree');
  await press(page, 'm');
  await page.waitForSelector('.grid-row.marked');
  await press(page, 'Enter');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'tree');
  await press(page, 'End', 'ArrowRight');
  await page.waitForSelector('.hex .o.on');
  for (const [key, title] of [['?', 'Help'], ['e', 'Export']]) {
    await press(page, key);
    assert.equal(await page.textContent('dialog[open] h2'), title);
    await press(page, 'Escape');
  }
  await context.close();
});

test('every view: a label, a range of time, sorting, a stream, problems, rules, an export, the language', async () => {
  const { context, page } = await opened();
  await tabTo(page, '.rename');
  await press(page, 'Enter');
  await page.waitForSelector('.naming:focus');
  await page.keyboard.type('mine');
  await press(page, 'Enter');
  await page.waitForSelector('.overview th button:text-is("mine")');
  await tabTo(page, '.timeline-chart', 'Shift+Tab');
  await press(page, 'Home', ...Array(30).fill('Shift+ArrowRight'), 'Enter');
  await page.waitForFunction(() => location.hash.includes('time='));
  await press(page, 'Escape');
  await page.waitForFunction(() => !location.hash.includes('time='));

  await press(page, '3');
  await page.waitForSelector('.grid-row:not(.waiting)');
  await tabTo(page, '.grid-head button[data-sorted=none]');
  await press(page, 'Enter');
  await page.waitForSelector('[aria-sort=descending]:not(:has-text("Bytes"))');
  await tabTo(page, '[role=grid]', 'Shift+Tab');
  await press(page, 'ArrowDown');
  await page.waitForSelector('.ladder li');
  await press(page, 'Enter');
  await page.waitForSelector('dialog[open]');
  await press(page, 'Escape');

  await press(page, '4');
  await page.waitForSelector('.problem-list button');
  await tabTo(page, '.problem-list button');
  await press(page, 'Enter');
  await page.waitForFunction(() => location.hash.includes('within=problem'));
  await tabTo(page, '.chip button', 'Shift+Tab');
  await press(page, 'Enter');

  await press(page, '5');
  await page.waitForSelector('.candidates button');
  await tabTo(page, '.candidates button');
  await press(page, 'Enter');
  await tabTo(page, '.not-this .primary');
  await press(page, 'Enter');
  await page.waitForSelector('.suggestion .report');

  await press(page, 'e');
  await tabTo(page, 'dialog .primary');
  const download = page.waitForEvent('download');
  await press(page, 'Enter');
  await (await download).delete();
  await press(page, 'Escape');
  await tabTo(page, 'select[aria-label=Language]', 'Shift+Tab');
  await press(page, 'ArrowDown');
  await page.waitForFunction(() => document.documentElement.lang === 'ja');
  await context.close();
});

test('letters can be switched off', async () => {
  const { context, page } = await opened();
  await page.keyboard.press('?');
  await page.uncheck('dialog[open] input[type=checkbox]');
  await page.keyboard.press('Escape');
  await page.keyboard.press('2');
  assert.equal(await page.getAttribute('main', 'data-tab'), 'overview');
  await context.close();
});
