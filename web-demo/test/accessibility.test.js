// axe finds nothing in any state, in English and Japanese, light and dark; and the keyboard alone reaches everything.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { FIXTURES, launch, open, serve, shot } from './browser.js';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What a person does to come to a state, from the state before. */
const STATES = {
  empty: async () => {},
  wrong: async (page) => {
    await page.setInputFiles('.drop input', { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no capture at all, only words') });
    await page.waitForSelector('.notice.bad');
  },
  overview: async (page) => {
    await page.click('.sample');
    await page.waitForSelector('.overview .data');
  },
  packets: async (page) => {
    await page.keyboard.press('2');
    await page.waitForSelector('.grid-row:not(.waiting)');
    await page.focus('[role=grid]');
    await page.keyboard.press('j');
    await page.waitForSelector('.tree');
    await page.click('.node.head >> nth=3');
  },
  completing: async (page) => {
    await page.fill('#filter', '');
    await page.locator('#filter').pressSequentially('tcp po');
    await page.waitForSelector('.completions:not([hidden])');
  },
  faulty: async (page) => {
    await page.fill('#filter', 'tcp prot 443');
    await page.waitForSelector('.filter-field.bad');
  },
  flows: async (page) => {
    await page.fill('#filter', '');
    await page.waitForSelector('.filter-field:not(.bad):not(.on)');
    await page.click('.tabs a >> nth=2');
    await page.waitForSelector('.grid-row:not(.waiting)');
    await page.focus('[role=grid]');
    await page.keyboard.press('ArrowDown');
    await page.waitForSelector('.flow-detail h2');
  },
  stream: async (page) => {
    await page.click('#follow');
    await page.waitForSelector('dialog[open]');
  },
  problems: async (page) => {
    await page.keyboard.press('Escape');
    await page.keyboard.press('4');
    await page.waitForSelector('.problems');
  },
  workshop: async (page) => {
    await page.keyboard.press('5');
    await page.setInputFiles('.workshop input[type=file]', `${FIXTURES}aws/describe-traffic-mirror-filters.json`);
    await page.waitForSelector('.report');
    await page.click('.candidates button');
    await page.click('.not-this .primary');
    await page.waitForSelector('.suggestion');
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

describe('for everyone', () => {
  let server;
  let browser;
  before(async () => {
    server = await serve();
    browser = await launch();
  });
  after(async () => {
    await browser.close();
    await server.close();
  });

  for (const language of ['en-US', 'ja-JP']) {
    for (const colorScheme of ['light', 'dark']) {
      test(`axe finds nothing in ${Object.keys(STATES).length} states, ${language}, ${colorScheme}`, async () => {
        const { context, page, problems } = await open(browser, server.url, { language, colorScheme, bypassCSP: true });
        // Half-way from one colour to the next, a button has neither.
        await page.emulateMedia({ reducedMotion: 'reduce' });
        await page.addScriptTag({ path: AXE });
        const found = [];
        for (const [name, reach] of Object.entries(STATES)) {
          await reach(page);
          const violations = await page.evaluate(async (tags) => {
            const result = await globalThis.axe.run(document, { runOnly: tags, resultTypes: ['violations'] });
            return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).slice(0, 3).join(' | ')}`);
          }, TAGS);
          found.push(...violations.map((violation) => `${name}: ${violation}`));
          await shot(page, `${name}-${language.slice(0, 2)}-${colorScheme}`);
        }
        assert.deepEqual(found, []);
        assert.deepEqual(problems, []);
        await context.close();
      });
    }
  }
});
