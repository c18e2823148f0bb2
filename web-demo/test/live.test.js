// An agent serves the page, and the page follows it: packets appear, pause stops them, a lost agent is come back to.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { open, scratch, shot, stage } from './browser.js';
import { agents, feed, freePorts } from './program.js';

const inScratch = scratch();
const agent = agents();
const { browser } = stage();

const rowCount = async (page) => Number(await page.getAttribute('[role=grid]', 'aria-rowcount'));
const shown = (page, least) => page.waitForFunction((least) => Number(document.querySelector('[role=grid]')?.ariaRowCount ?? 1) > least, least);
const gapMarks = (page) => page.locator('.grid-row:not([hidden]) .mark-tag.gap');

test('packets appear, pause holds them back, and a lost agent is come back to', async () => {
  const ports = await freePorts();
  let running = await agent(ports);
  const { context, page } = await open(browser(), running.url);
  await page.click('button:has-text("Follow this agent")');
  await page.waitForSelector('.live.waiting');
  feed(ports, 300);
  await shown(page, 250);
  await page.waitForFunction(() => document.querySelector('.status').textContent.includes('agent received'));
  await page.waitForFunction(() => document.querySelector('.grid-row:not([hidden])').textContent.includes('VNI 100'));
  assert.equal(await gapMarks(page).count(), 0);
  await shot(page, 'live');

  await page.click('button:text-is("Pause")');
  await page.waitForSelector('.live.paused');
  const before = await rowCount(page);
  feed(ports, 100);
  assert.equal(await rowCount(page), before);
  await page.click('button:text-is("Resume")');
  await page.waitForSelector('.live.waiting, .live.following');
  feed(ports, 5);
  await shown(page, before);
  await gapMarks(page).first().waitFor();

  await running.stop();
  await page.waitForSelector('.live.lost');
  running = await agent(ports);
  await page.waitForSelector('.live.waiting, .live.following', { timeout: 15_000 });
  const kept = await rowCount(page);
  feed(ports, 5);
  await shown(page, kept);
  // Both gaps stand before the first packet behind them.
  await page.waitForFunction(() => document.querySelectorAll('.grid-row:not([hidden]) .mark-tag.gap').length === 2);
  assert.ok(await page.locator(`.grid-row.after-gap[aria-rowindex="${kept + 1}"]`).count());
  await shot(page, 'gap');
  await running.stop();
  await context.close();
});

test('with a token, the page asks for it and takes it from the fragment', async () => {
  const ports = await freePorts();
  const file = inScratch('token');
  writeFileSync(file, 'a-secret-of-some-length\n', { mode: 0o600 });
  const running = await agent(ports, '--api-token-file', file);
  const denied = await open(browser(), running.url);
  await denied.page.click('button:has-text("Follow this agent")');
  await denied.page.waitForSelector('.live.denied');
  await denied.context.close();
  const { context, page } = await open(browser(), `${running.url}#token=a-secret-of-some-length`);
  assert.doesNotMatch(page.url(), /token/);
  await page.click('button:has-text("Follow this agent")');
  await page.waitForSelector('.live.waiting');
  feed(ports, 50);
  await shown(page, 40);
  await running.stop();
  await context.close();
});
