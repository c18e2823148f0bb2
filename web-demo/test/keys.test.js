// The keyboard alone reaches everything.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './browser.js';

const { empty, opened } = stage();

test('from the sample to a filtered packet’s octets, help and export', async () => {
  const { context, page } = await empty();
  for (let step = 0; step < 20 && !(await page.evaluate(() => document.activeElement?.classList.contains('sample'))); step += 1) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.overview');
  await page.keyboard.press('2');
  await page.keyboard.press('/');
  await page.keyboard.type('tcp port 80');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.filter-field.on');
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('G');
  await page.waitForSelector('.tree');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'tree');
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowRight');
  await page.waitForSelector('.hex .o.on');
  for (const [key, title] of [['?', 'Help'], ['e', 'Export']]) {
    await page.keyboard.press(key);
    assert.equal(await page.textContent('dialog[open] h2'), title);
    await page.keyboard.press('Escape');
  }
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
