// The other views: flows, streams, the timeline, the mirror filter’s workshop, the export; on any screen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterBy, FIXTURES, PING, scratch, SHELL, shot, showsCount, stage } from './browser.js';
import { read, run } from './program.js';

const inScratch = scratch();
const { opened } = stage();

test('flows are those of the program, sorted by any column, and lead to their packets', async () => {
  const { context, page } = await opened(SHELL, 'flows');
  const flows = run('flows', '--json', SHELL).trim().split('\n').length;
  await page.waitForSelector('.grid-row:not(.waiting)');
  assert.equal(await page.getAttribute('[role=grid]', 'aria-rowcount'), String(flows + 1));
  await page.click('.grid-head button:has-text("Duration")');
  await page.waitForSelector('[aria-sort=descending]:has-text("Duration")');
  await page.click('.grid-row:not([hidden])');
  await page.click('.flow-detail button:has-text("Packets of this flow")');
  await page.waitForFunction(() => location.hash.includes('within=flow'));
  await page.waitForSelector('.grid-row:not(.waiting)');
  await shot(page, 'packets-of-flow');
  await context.close();
});

test('a stream is followed in both directions', async () => {
  const { context, page } = await opened(PING, 'flows');
  await page.waitForSelector('.grid-row:not(.waiting)');
  await page.click('.grid-row:has-text(":80")');
  await page.click('#follow');
  await page.waitForSelector('.segment');
  assert.match(await page.textContent('.segments'), /HTTP\/1\.1 200/);
  await shot(page, 'stream');
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('dialog[open]').count(), 0);
  await context.close();
});

test('the timeline chooses a range by keys, and gives it back', async () => {
  const { context, page } = await opened();
  await page.waitForSelector('.timeline-chart canvas');
  await page.focus('.timeline-chart');
  await page.keyboard.press('Home');
  for (let step = 0; step < 20; step += 1) await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => location.hash.includes('time='));
  await page.waitForFunction(() => /^\d+ of 63/.test(document.querySelector('.filter-says').textContent) && !document.querySelector('.filter-says').textContent.startsWith('63 '));
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.querySelector('.filter-says').textContent.startsWith('63 of 63'));
  await context.close();
});

test('the timeline is brushed with the pointer', async () => {
  const { context, page } = await opened();
  await page.waitForSelector('.timeline-chart canvas');
  const box = await page.locator('.timeline-chart .u-over').boundingBox();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 20, { steps: 4 });
  await page.mouse.up();
  await page.waitForFunction(() => location.hash.includes('time='));
  await context.close();
});

test('AWS JSON beside the capture tells the rules’ hits and their faults', async () => {
  const { context, page } = await opened(PING, 'workshop');
  await page.setInputFiles('.workshop input[type=file]', ['filters', 'sessions'].map((name) => `${FIXTURES}aws/describe-traffic-mirror-${name}.json`));
  await page.waitForSelector('.report');
  const expected = run('aws', 'explain', PING, '--filters', `${FIXTURES}aws/describe-traffic-mirror-filters.json`, '--sessions', `${FIXTURES}aws/describe-traffic-mirror-sessions.json`);
  assert.equal((await page.locator('.report').first().textContent()).trim(), expected.trim());
  await context.close();
});

test('noise that is pointed at becomes rules in three forms, with what they save', async () => {
  const { context, page } = await opened(PING, 'workshop');
  await page.locator('.candidates button', { hasText: 'icmp' }).click();
  await page.click('.not-this .primary');
  await page.waitForSelector('.suggestion .report');
  assert.match(await page.textContent('.saving'), /\d+ packets/);
  for (const [form, pattern] of [['AWS CLI', /aws ec2 create-traffic-mirror-filter/], ['JSON', /TrafficMirrorFilterRules|IngressFilterRules/], ['CloudFormation', /AWS::EC2::TrafficMirrorFilter/]]) {
    await page.click(`.suggestion button:text-is("${form}")`);
    assert.match(await page.textContent('.suggestion .report'), pattern);
  }
  await shot(page, 'suggestion');
  await context.close();
});

test('what passes the filter is exported, and the program reads it', async () => {
  const { context, page } = await opened(PING, 'packets');
  await filterBy(page, 'icmp');
  const count = read(PING, 'icmp').length;
  await showsCount(page, count);
  await page.click('.topbar button:text-is("Export")');
  const download = page.waitForEvent('download');
  await page.click('dialog .primary');
  const file = inScratch('inner.pcapng');
  await (await download).saveAs(file);
  assert.equal(read(file).length, count);
  await context.close();
});

test('at 320 px nothing but data tables scrolls sideways', async () => {
  const { context, page } = await opened(PING, '', { viewport: { width: 320, height: 640 } });
  for (const tab of ['overview', 'packets', 'flows', 'problems', 'workshop']) {
    await page.click(`.tabs a >> nth=${['overview', 'packets', 'flows', 'problems', 'workshop'].indexOf(tab)}`);
    await page.waitForTimeout(150);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320, tab);
  }
  await shot(page, 'phone');
  await context.close();
});

test('it works in forced colours and without motion', async () => {
  const { context, page, problems } = await opened(PING, 'packets', { forcedColors: 'active', reducedMotion: 'reduce' });
  await page.focus('[role=grid]');
  await page.keyboard.press('j');
  await page.waitForSelector('.tree');
  await shot(page, 'forced-colours');
  assert.deepEqual(problems, []);
  await context.close();
});
