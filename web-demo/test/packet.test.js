// One packet: its layers and octets point at each other, are copied, and are those of tshark.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { PING, SHELL, shot, stage } from './browser.js';
import { missing, run } from './program.js';

const { empty, opened } = stage();

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

/** Same octets, another value: offsets are ours in octets and theirs in eights; options have names with us. */
const OTHER_VALUE = /^(ip\.frag_offset|geneve\.option|tcp\.options\..*)$/;

test('the layers, their values and their octets are those of tshark', { skip: missing('tshark') }, async () => {
  for (const [file, filter] of [[PING, 'icmp'], [PING, 'tcp port 80'], [SHELL, 'tcp']]) {
    const number = JSON.parse(run('read', '--json', '-c', '1', file, filter)).packet;
    const { context, page } = await opened(file, `packets&packet=${number}`);
    await page.waitForSelector('.node.head');
    const ours = await everyField(page);
    const theirs = dissected(file, number);
    const known = { eth: 'ethernet', ip: 'ipv4', udp: 'udp', geneve: 'geneve', vxlan: 'vxlan', icmp: 'icmp', tcp: 'tcp' };
    const heads = await page.$$eval('.node.head .node-label', (labels) => labels.map((label) => label.textContent.toLowerCase()));
    assert.deepEqual(heads, theirs.protocols.filter((name) => known[name]).map((name) => known[name]), `${file} ${number}`);
    const compared = ours.filter(({ key }) => theirs.fields.some((field) => field.key === key));
    assert.ok(compared.length > 60, `${compared.length} fields are compared`);
    const differ = compared.filter((field) => !theirs.fields.some((other) => isSame(field, other)));
    assert.deepEqual(differ, []);
    await context.close();
  }
});

/** Every field as the page shows it: opened, chosen, and its marked octets read. */
async function everyField(page) {
  await page.focus('[role=tree]');
  return page.evaluate(async () => {
    const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
    for (let closed; (closed = document.querySelector('.node[aria-expanded=false]')); await settled()) closed.click();
    const found = [];
    for (const node of document.querySelectorAll('.node[data-key]')) {
      node.dispatchEvent(new PointerEvent('pointerenter'));
      await settled();
      const octets = [...document.querySelectorAll('.hex .o.on')];
      found.push({ key: node.dataset.key, value: node.querySelector('.node-value')?.textContent ?? '', offset: Number(octets[0]?.dataset.at), hex: octets.map((octet) => octet.textContent).join('') });
    }
    return found;
  });
}

/** The same from tshark: fields that are whole octets come with them, bits with their place. */
function dissected(file, number) {
  const [frame] = JSON.parse(execFileSync('tshark', ['-r', file, '-Y', `frame.number==${number}`, '-T', 'json', '-x', '--no-duplicate-keys'], { maxBuffer: 1 << 24, stdio: ['ignore', 'pipe', 'ignore'] }));
  const { layers } = frame._source;
  const octets = layers.frame_raw[0];
  const fields = [];
  const walk = (part) => {
    for (const [name, value] of Object.entries(part)) {
      if (Array.isArray(value) && !name.endsWith('_raw')) value.forEach((item) => typeof item === 'object' && walk(item));
      else if (typeof value === 'object' && !name.endsWith('_raw')) walk(value);
      if (!name.endsWith('_raw')) continue;
      const key = name.slice(0, -4);
      const places = Array.isArray(value[0]) ? value : [value];
      const values = [part[key]].flat();
      places.forEach(([, offset, len], at) => fields.push({ key, value: String(values[at]), offset, hex: octets.slice(2 * offset, 2 * (offset + len)) }));
    }
  };
  walk(layers);
  return { protocols: layers.frame['frame.protocols'].split(':').filter((name) => name !== 'ethertype'), fields };
}

/** Whether two fields are the same: octets exactly, values as numbers where both are. */
function isSame(one, other) {
  const plain = (value) => ({ true: 1, false: 0 })[value] ?? (Number.isNaN(Number(value)) ? value.replace(/:/g, '') : Number(value));
  const isGroup = one.value === '' || typeof other.value !== 'string' || other.value === '[object Object]' || other.value === 'undefined';
  return one.key === other.key && one.offset === other.offset && one.hex === other.hex && (isGroup || OTHER_VALUE.test(one.key) || plain(one.value) === plain(other.value));
}

test('packets are marked, found again, and shown by a link', async () => {
  const { context, page } = await opened(PING, 'packets');
  await page.focus('[role=grid]');
  for (const key of ['g', 'm', 'j', 'j', 'm', 'G']) await page.keyboard.press(key);
  await page.waitForFunction(() => /marks=1%2C3/.test(location.hash));
  await page.keyboard.press('n');
  await page.waitForFunction(() => /packet=1(&|$)/.test(location.hash));
  await page.keyboard.press('N');
  await page.waitForFunction(() => /packet=3(&|$)/.test(location.hash));
  await page.waitForSelector('.grid-row.marked[aria-selected=true]');
  const hash = await page.evaluate(() => location.hash.slice(1));
  await context.close();
  const other = await empty({}, hash);
  await other.page.setInputFiles('.drop input', PING);
  await other.page.waitForFunction(() => document.querySelectorAll('.grid-row.marked').length === 2);
  await other.context.close();
});
