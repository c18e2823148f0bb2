// axe finds nothing in any state, in English and Japanese, light and dark.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { FIXTURES, open, PING, shot, stage } from './browser.js';
import { agents, feed, freePorts } from './program.js';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const agent = agents();
const { browser, url } = stage();

/** What a person does to come to a state, from the state before. */
const STATES = {
  empty: async () => {},
  wrong: async (page) => {
    await page.setInputFiles('.drop input', { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no capture at all, only words') });
    await page.waitForSelector('.notice.bad');
  },
  kept: async (page) => {
    await page.setInputFiles('.drop input', `${FIXTURES}aws/describe-network-interfaces.json`);
    await page.waitForSelector('.notice:not(.bad)');
  },
  reading: async (page) => {
    // A blob that repeats itself takes longer to read than axe to look.
    const [head, body] = cut(readFileSync(PING));
    await page.evaluate(([head, body]) => {
      const blob = (text) => new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]);
      const files = new DataTransfer();
      const megabytes = new Blob(Array(500).fill(blob(body)));
      files.items.add(new File([blob(head), ...Array(300).fill(megabytes)], 'long.pcap'));
      const input = document.querySelector('.drop input');
      input.files = files.files;
      input.dispatchEvent(new Event('change', { bubbles: true }));
    }, [head, body].map((part) => part.toString('base64')));
    await page.waitForSelector('.status progress');
    await page.waitForSelector('.overview .data');
  },
  stopped: async (page) => {
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !document.querySelector('.status progress'));
  },
  damaged: async (page) => {
    await page.setInputFiles('#choose', { name: 'cut.pcap', mimeType: '', buffer: readFileSync(PING).subarray(0, 5000) });
    await page.waitForSelector('.notice.bad');
  },
  overview: async (page) => {
    await page.setInputFiles('#choose', PING);
    await page.waitForSelector('.overview .data');
    await page.waitForSelector('.notice.bad', { state: 'detached' });
  },
  naming: async (page) => {
    await page.click('.rename');
    await page.waitForSelector('.naming');
  },
  packets: async (page) => {
    await page.keyboard.press('Escape');
    await page.click('.tabs a >> nth=1');
    await page.waitForSelector('.grid-row:not(.waiting)');
    await page.focus('[role=grid]');
    await page.keyboard.press('j');
    await page.keyboard.press('m');
    await page.waitForSelector('.tree');
    await page.click('.node.head >> nth=3');
  },
  columns: async (page) => {
    await page.click('.menu summary');
  },
  completing: async (page) => {
    await page.click('.menu summary');
    await page.fill('#filter', '');
    await page.locator('#filter').pressSequentially('tcp po');
    await page.waitForSelector('.completions:not([hidden])');
  },
  faulty: async (page) => {
    await page.fill('#filter', 'tcp prot 443');
    await page.waitForSelector('.filter-field.bad');
  },
  nothing: async (page) => {
    await page.fill('#filter', 'vni 77');
    await page.waitForSelector('.packets .wait');
  },
  flows: async (page) => {
    await page.fill('#filter', '');
    await page.waitForSelector('.filter-field:not(.bad):not(.on)');
    await page.click('.tabs a >> nth=2');
    await page.waitForSelector('.grid-row:not(.waiting)');
    await page.focus('[role=grid]');
    await page.keyboard.press('ArrowDown');
    await page.waitForSelector('.ladder li');
  },
  stream: async (page) => {
    await page.click('#follow');
    await page.waitForSelector('dialog[open]');
  },
  problems: async (page) => {
    await page.keyboard.press('Escape');
    await page.keyboard.press('4');
    await page.waitForSelector('.problem-list');
  },
  workshop: async (page) => {
    await page.keyboard.press('5');
    await page.setInputFiles('.workshop input[type=file]', `${FIXTURES}aws/describe-traffic-mirror-filters.json`);
    await page.waitForSelector('.hits');
    await page.click('.candidates button');
    await page.click('.not-this .primary');
    await page.waitForSelector('.suggestion');
    await page.click('.as-printed summary');
  },
  export: async (page) => {
    await page.keyboard.press('e');
    await page.waitForSelector('dialog[open]');
  },
  help: async (page) => {
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
  },
};

/** The same of a page that follows an agent. */
const LIVE_STATES = {
  offered: async () => {},
  waiting: async (page) => {
    await page.click('.primary.wide');
    await page.waitForSelector('.live.waiting');
  },
  following: async (page, ports) => {
    feed(ports, 30);
    await page.waitForSelector('.live.following');
    await page.waitForSelector('.grid-row:not(.waiting)');
  },
  paused: async (page) => {
    await page.click('.what .small-button');
    await page.waitForSelector('.live.paused');
  },
  gap: async (page, ports) => {
    await page.click('.what .small-button');
    await page.waitForSelector('.live.waiting, .live.following');
    feed(ports, 5);
    await page.waitForSelector('.mark-tag.gap');
  },
};

const cut = (octets) => [octets.subarray(0, 24), octets.subarray(24)];

/** What axe finds in each state; a screenshot of each. */
async function violations(page, states, tag, ports) {
  // Half-way from one colour to the next, a button has neither.
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.addScriptTag({ path: AXE });
  const found = [];
  for (const [name, reach] of Object.entries(states)) {
    await reach(page, ports);
    const here = await page.evaluate(async (tags) => {
      const result = await globalThis.axe.run(document, { runOnly: tags, resultTypes: ['violations'] });
      return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).slice(0, 3).join(' | ')}`);
    }, TAGS);
    found.push(...here.map((violation) => `${name}: ${violation}`));
    await shot(page, `${name}-${tag}`);
  }
  return found;
}

for (const language of ['en-US', 'ja-JP']) {
  for (const colorScheme of ['light', 'dark']) {
    const options = { language, colorScheme, bypassCSP: true };
    const tag = `${language.slice(0, 2)}-${colorScheme}`;
    test(`axe finds nothing in ${Object.keys(STATES).length} states, ${language}, ${colorScheme}`, async () => {
      const { context, page, problems } = await open(browser(), url(), options);
      assert.deepEqual(await violations(page, STATES, tag), []);
      assert.deepEqual(problems, []);
      await context.close();
    });

    test(`axe finds nothing in ${Object.keys(LIVE_STATES).length} states of a page that follows an agent, ${language}, ${colorScheme}`, async () => {
      const ports = await freePorts();
      const running = await agent(ports);
      const { context, page, problems } = await open(browser(), running.url, options);
      assert.deepEqual(await violations(page, LIVE_STATES, tag, ports), []);
      assert.deepEqual(problems, []);
      await context.close();
      await running.stop();
    });
  }
}
