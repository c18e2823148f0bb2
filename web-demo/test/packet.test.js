// One packet: its layers and octets point at each other, are copied, and are those of tshark.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { PING, shot, stage } from './browser.js';
import { missing } from './program.js';

const { opened } = stage();

test('a field marks its octets, and an octet its field', async () => {
  const { context, page } = await opened(PING, 'packets');
  await page.focus('[role=grid]');
  await page.keyboard.press('g');
  await page.waitForSelector('.node.head');
  const geneve = page.locator('.node.head', { hasText: 'Geneve' });
  await geneve.click();
  const marked = await page.$$eval('.hex .o.on', (octets) => octets.map((octet) => Number(octet.dataset.at)));
  assert.equal(marked.length, 40);
  await page.click(`.hex .o[data-at="${marked[0] + 4}"]`);
  const chosen = page.locator('.node[aria-selected=true]');
  assert.equal(await chosen.getAttribute('aria-level'), '2');
  assert.match(await chosen.textContent(), /VNI|Virtual/i);
  await shot(page, 'packet');
  await context.close();
});

test('it is copied as octets, as JSON, as tcpdump prints it, and its field becomes a filter', async () => {
  const { context, page } = await opened(PING, 'packets', { permissions: ['clipboard-read', 'clipboard-write'] });
  await page.focus('[role=grid]');
  await page.keyboard.press('g');
  await page.waitForSelector('.copies button');
  const copied = async (name) => {
    await page.click(`.copies button:has-text("${name}")`);
    await page.waitForSelector('.copies [role=status]:has-text("Copied")');
    const text = await page.evaluate(() => navigator.clipboard.readText());
    await page.waitForFunction(() => document.querySelector('.copies [role=status]').textContent === '');
    return text;
  };
  assert.match(await copied('hex'), /^[0-9a-f]{100,}$/);
  assert.equal(JSON.parse(await copied('JSON')).packet, 1);
  assert.match(await copied('tcpdump'), /8\.8\.8\.8 > 10\.10\.0\.4: ICMP echo reply/);
  await page.locator('.node.head', { hasText: 'VXLAN' }).click();
  await page.locator('.node[data-level="2"]', { hasText: '9325541' }).click();
  await page.click('.copies button:has-text("Filter")');
  assert.equal(await page.inputValue('#filter'), 'vni 9325541');
  await context.close();
});

test('the layers and their octets are those of tshark', { skip: missing('tshark') }, async () => {
  const { context, page } = await opened(PING, 'packets');
  await page.focus('[role=grid]');
  await page.keyboard.press('g');
  await page.waitForSelector('.node.head');
  const [frame] = JSON.parse(execFileSync('tshark', ['-r', PING, '-c', '1', '-T', 'json', '-x'], { maxBuffer: 1 << 24, stdio: ['ignore', 'pipe', 'ignore'] }));
  const protocols = frame._source.layers['frame']['frame.protocols'].split(':').filter((name) => name !== 'ethertype');
  const heads = await page.$$eval('.node.head .node-label', (labels) => labels.map((label) => label.textContent.toLowerCase()));
  const known = { eth: 'ethernet', ip: 'ipv4', udp: 'udp', geneve: 'geneve', vxlan: 'vxlan', icmp: 'icmp', tcp: 'tcp' };
  assert.deepEqual(heads.map((head) => head.split(' ')[0]), protocols.filter((name) => known[name]).map((name) => known[name]));
  const [, offset, length] = frame._source.layers['geneve_raw'];
  await page.locator('.node.head', { hasText: 'Geneve' }).click();
  const marked = await page.$$eval('.hex .o.on', (octets) => octets.map((octet) => Number(octet.dataset.at)));
  assert.deepEqual([marked[0], marked.length], [offset, length]);
  await context.close();
});
