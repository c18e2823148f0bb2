// The other views: flows, streams, the timeline, the mirror filter’s workshop, the export; on any screen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterBy, FIXTURES, PING, scratch, SHELL, shot, shownCount, showsCount, stage } from './browser.js';
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

test('a label of a session is used wherever the session is named, and kept', async () => {
  const { context, page } = await opened();
  await page.click('button[aria-label="Rename VNI 9325541"]');
  await page.keyboard.type('web-prod <b>');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.overview .data th button:text-is("web-prod <b>")');
  await page.waitForSelector('.legend li:has-text("web-prod <b>")');
  await page.keyboard.press('2');
  await page.waitForSelector('.grid-row:has-text("web-prod <b>")');
  await page.reload();
  await page.setInputFiles('.drop input', PING);
  await page.waitForSelector('.grid-row:has-text("web-prod <b>")');
  await page.keyboard.press('1');
  await page.click('button[aria-label="Rename web-prod <b>"]');
  await page.keyboard.press('Delete');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.overview .data th button:text-is("VNI 9325541")');
  await context.close();
});

test('a flow’s ladder has its packets in order, and links to them keep the filter', async () => {
  const { context, page } = await opened(PING, 'flows');
  await filterBy(page, 'tcp');
  // Rows move up when those that do not pass leave: a click before that would meet another flow.
  const flows = run('flows', '--json', PING, 'tcp').trim().split('\n').length;
  await page.waitForSelector(`[role=grid][aria-rowcount="${flows + 1}"]`);
  await page.waitForSelector('.grid-row:not([hidden]):not(.waiting):has-text(":80")');
  await page.click('.grid-row:not([hidden]):has-text(":80")');
  await page.waitForSelector('.ladder li');
  const rungs = await page.$$eval('.ladder .rung', (rungs) => rungs.map((rung) => rung.textContent));
  assert.equal(rungs.length, read(PING, 'tcp port 80').length);
  assert.ok(rungs.every((text) => text.startsWith('server: ')), 'only answers were mirrored');
  assert.match(rungs[1], /200 OK|\. 0/);
  await page.click('.ladder .rung >> nth=1');
  await page.waitForSelector('.tree .node.head');
  assert.match(page.url(), /filter=tcp&within=flow/);
  await showsCount(page, rungs.length);
  await filterBy(page, 'tcp and greater 100');
  await showsCount(page, read(PING, 'tcp port 80 and greater 100').length);
  await context.close();
});

test('a problem shows its packets of those that pass the filter', async () => {
  const { context, page } = await opened(PING, 'problems');
  await page.waitForSelector('.problem-list li');
  await page.click('.problem-list li:has-text("One side only") button');
  await page.waitForFunction(() => location.hash.includes('within=problem'));
  const all = Number((await shownCount(page)).split(' ')[0]);
  await filterBy(page, 'icmp');
  await page.waitForFunction((all) => { const count = parseInt(document.querySelector('.filter-says').textContent, 10); return count > 0 && count < all; }, all);
  await page.click('.chip button');
  await showsCount(page, read(PING, 'icmp').length);
  await context.close();
});

test('hits of rules are sorted by a heading, and a rule’s condition becomes the filter', async () => {
  const { context, page } = await opened(PING, 'workshop');
  // What is said of the first file is said anew with the second.
  for (const name of ['network-interfaces', 'traffic-mirror-filters']) await page.setInputFiles('.workshop input[type=file]', `${FIXTURES}aws/describe-${name}.json`);
  await page.waitForSelector('.hits tbody tr');
  const packets = () => page.$$eval('.hits tbody td:nth-child(5)', (cells) => cells.map((cell) => Number(cell.textContent)));
  assert.deepEqual(await packets(), [4, 57, 2]);
  await page.click('.hits thead button:text-is("Packets")');
  assert.deepEqual(await packets(), [57, 4, 2]);
  assert.equal(await page.getAttribute('.hits th:has-text("Packets")', 'aria-sort'), 'descending');
  await page.click('.hits thead button:text-is("Packets")');
  assert.deepEqual(await packets(), [2, 4, 57]);
  await page.click('.hits tbody button:text-is("icmp")');
  await showsCount(page, 57);
  await context.close();
});

test('AWS JSON beside the capture tells the rules’ hits and their faults', async () => {
  const { context, page } = await opened(PING, 'workshop');
  await page.setInputFiles('.workshop input[type=file]', ['filters', 'sessions'].map((name) => `${FIXTURES}aws/describe-traffic-mirror-${name}.json`));
  await page.waitForSelector('.hits');
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
