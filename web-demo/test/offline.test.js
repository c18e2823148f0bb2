// Nothing is asked for after the page is there, nothing can be sent, and after one visit no network is needed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open, PING, readAhead, serve, stage } from './browser.js';

const { browser, empty, url } = stage();

/** Everything once: views, filter, packet, stream, rules, export, languages. */
async function useEverything(page) {
  for (const key of ['2', '3', '4', '5', '1']) {
    await page.keyboard.press(key);
    await page.waitForTimeout(100);
  }
  await page.fill('#filter', 'tcp or icmp');
  await page.keyboard.press('Enter');
  await page.click('.tabs a >> nth=1');
  await page.waitForSelector('.grid-row:not(.waiting)');
  await page.focus('[role=grid]');
  await page.keyboard.press('j');
  await page.waitForSelector('.tree');
  await page.click('.tabs a >> nth=2');
  await page.click('.grid-row:not([hidden])');
  await page.click('#follow');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Escape');
  await page.click('.tabs a >> nth=4');
  await page.click('.candidates button');
  await page.click('.not-this .primary');
  await page.waitForSelector('.suggestion');
  await page.selectOption('.actions select >> nth=1', 'ja');
  await page.selectOption('.actions select >> nth=2', 'dark');
  await page.keyboard.press('e');
  const download = page.waitForEvent('download');
  await page.click('dialog[open] .primary');
  await (await download).delete();
  await page.keyboard.press('Escape');
}

test('after the page is there, using all of it asks for nothing', async () => {
  const { context, page, problems, requests } = await empty();
  await readAhead(page);
  const before = requests.length;
  await page.click('.sample');
  await page.waitForSelector('.overview');
  await useEverything(page);
  const asked = requests.slice(before).filter((url) => !url.startsWith('blob:'));
  assert.deepEqual(asked, []);
  assert.deepEqual(problems, []);
  await context.close();
});

test('every file comes from the page’s own folder, whatever that is', async () => {
  const { context, page, requests } = await empty();
  await readAhead(page);
  assert.ok(requests.length > 3);
  assert.deepEqual(requests.filter((asked) => !asked.startsWith(url()) && !asked.startsWith('blob:')), []);
  await context.close();
});

test('the policy forbids to send anything to anyone else', async () => {
  const { context, page } = await empty();
  const outcome = await page.evaluate(async () => {
    const blocked = [];
    document.addEventListener('securitypolicyviolation', (event) => blocked.push(event.effectiveDirective));
    await fetch('https://example.com/').catch(() => undefined);
    const image = new Image();
    image.src = 'https://example.com/x.png';
    const script = document.createElement('script');
    script.textContent = 'globalThis.wasInjected = true';
    document.body.append(script);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { blocked: blocked.sort(), wasInjected: globalThis.wasInjected };
  });
  assert.deepEqual(outcome, { blocked: ['connect-src', 'img-src', 'script-src-elem'], wasInjected: undefined });
  await context.close();
});

test('after one visit it opens and works with the server gone', async () => {
  const own = await serve();
  const { context, page } = await open(browser(), own.url, { serviceWorkers: 'allow' });
  await readAhead(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  await own.close();
  await context.setOffline(true);
  await page.reload();
  await page.waitForSelector('.drop');
  await page.setInputFiles('.drop input', PING);
  await page.waitForSelector('.overview');
  await useEverything(page);
  await context.close();
});

test('where a part of the decoder cannot be loaded the rows are there, the page says it, and tries again', async () => {
  const { context, page } = await empty({}, 'tab=packets');
  const part = /\/(packet|decode)-[^/]*\.wasm$/;
  await context.route(part, (route) => route.abort());
  await page.reload();
  await page.setInputFiles('.drop input', PING);
  await page.waitForSelector('.grid-row:not(.waiting)');
  await page.waitForSelector('.notice.bad[role=alert]');
  assert.match(await page.textContent('.notice.bad'), /could not be loaded.*\.wasm/);
  await context.unroute(part);
  await page.fill('#filter', 'icmp');
  await page.waitForSelector('.filter-field.on');
  await page.waitForFunction(() => !document.querySelector('.notice.bad'));
  await context.close();
});
