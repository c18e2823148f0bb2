// What a person does with the page: opens, filters, points at octets, sorts, follows, asks for rules, exports, goes back.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { after, before, describe, test } from 'node:test';
import { FIXTURES, launch, open, PROGRAM, serve, shot } from './browser.js';

const PING = `${FIXTURES}mirror/ping-curl-traceroute.pcap`;
const SHELL = `${FIXTURES}mirror/ssm-tcp443.pcap`;
const SCRATCH = mkdtempSync(join(tmpdir(), 'mirrorscope-page-'));

let server;
let browser;
before(async () => {
  server = await serve();
  browser = await launch();
});
after(async () => {
  await browser.close();
  await server.close();
  rmSync(SCRATCH, { recursive: true });
});

/** A page with a capture open, in a view. */
async function opened(files = PING, tab = '', options = {}) {
  const opened = await open(browser, server.url + (tab ? `#tab=${tab}` : ''), options);
  await opened.page.setInputFiles('.drop input', files);
  await opened.page.waitForSelector('.status');
  await opened.page.waitForFunction(() => !document.querySelector('.status progress'));
  return opened;
}

const shownCount = (page) => page.textContent('.filter-says');
const rowTexts = (page) => page.$$eval('.grid-row:not([hidden])', (rows) => rows.sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((row) => row.textContent));
const filterBy = async (page, text) => {
  await page.fill('#filter', text);
  await page.keyboard.press('Enter');
};

describe('opening', () => {
  test('the sample shows its session, and the counts are those of the program', async () => {
    const { context, page, problems } = await open(browser, server.url);
    await page.click('.sample');
    await page.waitForSelector('.overview .data tbody tr');
    const session = await page.textContent('.overview .data tbody tr');
    for (const part of ['VNI 9325541', '10.10.0.4', '63']) assert.ok(session.includes(part), `${part} in ${session}`);
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('several captures are merged in time order', async () => {
    const { context, page } = await opened([SHELL, PING], 'packets');
    const texts = await rowTexts(page);
    assert.ok(texts.length > 10);
    await page.focus('[role=grid]');
    await page.keyboard.press('End');
    await page.waitForFunction(() => document.querySelector('.grid-row[aria-selected=true]:not(.waiting)'));
    assert.equal(await page.getAttribute('[role=grid]', 'aria-rowcount'), String(1 + packets(PING) + packets(SHELL)));
    await context.close();
  });

  test('a compressed capture opens as it is', async () => {
    const file = join(SCRATCH, 'ping.pcap.gz');
    writeFileSync(file, gzipSync(readFileSync(PING)));
    const { context, page } = await opened(file);
    assert.match(await shownCount(page), /^63 of 63/);
    await context.close();
  });

  test('of a damaged capture everything before the damage is shown, and where it is', async () => {
    const file = join(SCRATCH, 'cut.pcap');
    writeFileSync(file, readFileSync(PING).subarray(0, 5000));
    const { context, page } = await opened(file);
    const notice = await page.textContent('.notice.bad');
    assert.match(notice, /cut\.pcap/);
    assert.match(notice, /octet [\d,]+/);
    const count = Number((await shownCount(page)).split(' ')[0]);
    assert.ok(count > 0 && count < 63, String(count));
    await shot(page, 'damaged');
    await context.close();
  });

  test('what is no capture is named, and the page stays usable', async () => {
    const { context, page } = await open(browser, server.url);
    await page.setInputFiles('.drop input', { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('only words, no packets') });
    await page.waitForSelector('.notice.bad');
    await page.setInputFiles('.drop input', PING);
    await page.waitForSelector('.overview .data');
    await context.close();
  });

  test('names of files inject nothing', async () => {
    const { context, page, problems } = await open(browser, server.url);
    await page.setInputFiles('.drop input', { name: '<img src=x onerror=alert(1)>\u202egpj.pcap', mimeType: '', buffer: readFileSync(PING) });
    await page.waitForSelector('.overview .data');
    assert.equal(await page.locator('img').count(), 0);
    assert.match(await page.textContent('.what'), /<img src=x onerror=alert\(1\)>\\u202egpj\.pcap/);
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('random octets and every cut of a capture leave the page usable', async () => {
    const { context, page, problems } = await open(browser, server.url);
    const whole = readFileSync(PING);
    const noise = Buffer.from(Array.from({ length: 4000 }, (_, at) => (at * 2654435761) >>> 24));
    const hostile = [noise, Buffer.concat([whole.subarray(0, 24), noise]), ...[25, 41, 90, 333, 1999].map((len) => whole.subarray(0, len))];
    for (const [at, buffer] of hostile.entries()) {
      await page.setInputFiles('#choose', { name: `hostile-${at}.pcap`, mimeType: '', buffer });
      await page.waitForSelector('.notice.bad, .overview');
    }
    await page.setInputFiles('#choose', PING);
    await page.waitForSelector('.overview .data tbody tr');
    assert.deepEqual(problems, []);
    await context.close();
  });
});

describe('filtering', () => {
  test('a filter shows what the program shows', async () => {
    const { context, page } = await opened(PING, 'packets');
    await filterBy(page, 'icmp');
    const count = read(PING, 'icmp').length;
    await page.waitForFunction((count) => document.querySelector('.filter-says').textContent.startsWith(`${count} of`), count);
    await page.waitForFunction((count) => document.querySelectorAll('.grid-row:not([hidden]):not(.waiting)').length >= Math.min(count, 10), count);
    assert.ok((await rowTexts(page)).every((text) => text.includes('ICMP')));
    await context.close();
  });

  test('a fault is underlined where it is, the result before stays, and the suggestion mends it', async () => {
    const { context, page } = await opened(PING, 'packets');
    await page.fill('#filter', 'tcp prot 80');
    await page.waitForSelector('.filter-under u');
    assert.equal(await page.textContent('.filter-under u'), 'prot');
    assert.ok((await rowTexts(page)).length > 10);
    await page.click('.filter-says button');
    await page.waitForSelector('.filter-field.on');
    assert.equal(await page.inputValue('#filter'), 'tcp port 80');
    await context.close();
  });

  test('completion offers what is in the capture, and keys take it', async () => {
    const { context, page } = await opened();
    await page.focus('#filter');
    await page.keyboard.type('vni ');
    await page.waitForSelector('[role=option]');
    assert.match(await page.textContent('[role=listbox]'), /9325541/);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    assert.match(await page.inputValue('#filter'), /^vni 9325541/);
    await context.close();
  });

  test('full-width letters are read as the ones that are meant', async () => {
    const { context, page } = await opened();
    await page.focus('#filter');
    await page.keyboard.insertText('ｈｏｓｔ　８．８．８．８');
    assert.equal(await page.inputValue('#filter'), 'host 8.8.8.8');
    await context.close();
  });

  test('the address keeps filter, view and packet, and Back goes back', async () => {
    const { context, page } = await opened(PING, 'packets');
    await filterBy(page, 'tcp');
    await page.waitForFunction(() => location.hash.includes('filter=tcp'));
    await page.focus('[role=grid]');
    await page.keyboard.press('j');
    await page.waitForFunction(() => /packet=\d+/.test(location.hash));
    await page.goBack();
    await page.waitForFunction(() => document.querySelector('#filter').value === '');
    assert.match(await shownCount(page), /^63 of 63/);
    await context.close();
  });

  test('a link shows the same view of the same file, and says if it is another one', async () => {
    const first = await opened(PING, 'packets');
    await filterBy(first.page, 'icmp');
    await first.page.waitForFunction(() => location.hash.includes('filter=icmp') && location.hash.includes('file='));
    const hash = await first.page.evaluate(() => location.hash);
    await first.context.close();
    const second = await open(browser, server.url + hash);
    assert.match(await second.page.textContent('.empty'), /ping-curl-traceroute\.pcap/);
    await second.page.setInputFiles('.drop input', SHELL);
    await second.page.waitForSelector('.main .notice');
    await second.page.setInputFiles('#choose', PING);
    await second.page.waitForFunction(() => document.querySelector('.filter-says')?.textContent.match(/^\d+ of 63/));
    assert.equal(await second.page.inputValue('#filter'), 'icmp');
    assert.equal(await second.page.locator('.main .notice').count(), 0);
    await second.context.close();
  });
});

describe('a packet', () => {
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
});

describe('views', () => {
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
    await page.waitForFunction((count) => document.querySelector('.filter-says').textContent.startsWith(`${count} of`), count);
    await page.click('.topbar button:text-is("Export")');
    const download = page.waitForEvent('download');
    await page.click('dialog .primary');
    const file = join(SCRATCH, 'inner.pcapng');
    await (await download).saveAs(file);
    assert.equal(read(file).length, count);
    await context.close();
  });
});

describe('by keys alone', () => {
  test('from the sample to a filtered packet’s octets, help and export', async () => {
    const { context, page } = await open(browser, server.url);
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
});

describe('any screen', () => {
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
});

/** The program says what is right. */
function run(...args) {
  return execFileSync(PROGRAM, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
}

function read(file, filter = '') {
  return run('read', file, ...(filter ? [filter] : [])).trim().split('\n').filter(Boolean);
}

function packets(file) {
  return read(file).length;
}

/** The reason to skip a test: the tool is not there. */
function missing(tool) {
  try {
    execFileSync(tool, ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return `${tool} is not installed; to have it: apt-get install ${tool}`;
  }
}
