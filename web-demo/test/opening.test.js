// Captures are opened, whatever they are: whole, several, compressed, damaged, hostile, or none at all.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { FIXTURES, PING, rowTexts, scratch, SHELL, shot, shownCount, stage } from './browser.js';
import { read } from './program.js';

/** They say what the mirrored interface is called: `mirror-source`. */
const NAMES = ['traffic-mirror-sessions', 'network-interfaces'].map((name) => `${FIXTURES}aws/describe-${name}.json`);

const inScratch = scratch();
const { empty, opened } = stage();

test('the sample shows its session, and the counts are those of the program', async () => {
  const { context, page, problems } = await empty();
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
  assert.equal(await page.getAttribute('[role=grid]', 'aria-rowcount'), String(1 + read(PING).length + read(SHELL).length));
  await context.close();
});

test('a compressed capture opens as it is', async () => {
  const file = inScratch('ping.pcap.gz');
  writeFileSync(file, gzipSync(readFileSync(PING)));
  const { context, page } = await opened(file);
  assert.match(await shownCount(page), /^63 of 63/);
  await context.close();
});

test('of a damaged capture everything before the damage is shown, and where it is', async () => {
  const file = inScratch('cut.pcap');
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

test('what is no capture is named with what it is, and the page stays usable', async () => {
  const { context, page } = await empty();
  const wrong = [
    ['photo.png', Buffer.from('89504e470d0a1a0a0000000d', 'hex'), /photo\.png.*image.*pcap or pcapng/s],
    ['nothing.pcap', Buffer.alloc(0), /nothing\.pcap.*empty/s],
    ['notes.txt', Buffer.from('only words, no packets'), /notes\.txt.*text/s],
    ['bundle.zip', Buffer.from('504b03041400', 'hex'), /bundle\.zip.*unpack/s],
    ['other.json', Buffer.from('{"Reservations": []}'), /other\.json.*describe-traffic-mirror/s],
    ['broken.json', Buffer.from('{"TrafficMirrorFilters": ['), /broken\.json.*ends early/s],
  ];
  for (const [name, buffer, said] of wrong) {
    await page.setInputFiles('.drop input', { name, mimeType: '', buffer });
    await page.waitForFunction((name) => document.querySelector('.notice.bad')?.textContent.includes(name), name);
    assert.match(await page.textContent('.notice.bad'), said);
    assert.equal(await page.locator('.what').count(), 0);
  }
  await shot(page, 'wrong');
  await page.setInputFiles('.drop input', PING);
  await page.waitForSelector('.overview .data');
  assert.equal(await page.locator('.notice.bad').count(), 0);
  await context.close();
});

test('AWS JSON that comes before a capture is kept for it', async () => {
  const { context, page } = await empty();
  await page.setInputFiles('.drop input', NAMES);
  await page.waitForSelector('.notice:has-text("describe-network-interfaces.json")');
  await page.setInputFiles('.drop input', PING);
  await page.waitForSelector('.overview .data tbody th:has-text("mirror-source")');
  await context.close();
});

test('what a capture and AWS say injects nothing', async () => {
  const { context, page, problems } = await empty();
  const hostile = '<img src=x onerror=alert(1)>\u202e';
  const names = NAMES.map((file, at) => ({ name: `${at}.json`, mimeType: '', buffer: Buffer.from(readFileSync(file, 'utf8').replaceAll('mirror-source', hostile)) }));
  const octets = readFileSync(PING);
  // The name in a TLS or HTTP request of the capture becomes markup of the same length.
  const at = octets.indexOf('Server: ');
  assert.ok(at > 0);
  octets.write('Server: <b>x</b>', at, 'latin1');
  await page.setInputFiles('.drop input', [...names, { name: 'hostile.pcap', mimeType: '', buffer: octets }]);
  await page.waitForSelector('.overview .data tbody tr');
  await page.waitForFunction(() => document.querySelector('.overview .data').textContent.includes('<img src=x'));
  for (const key of ['2', '3', '4', '5', '1']) {
    await page.keyboard.press(key);
    await page.waitForTimeout(100);
    assert.equal(await page.locator('img, .main b:text-is("x")').count(), 0);
    assert.ok(!(await page.textContent('body')).includes('\u202e'), 'writing direction is not turned');
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test('names of files inject nothing', async () => {
  const { context, page, problems } = await empty();
  await page.setInputFiles('.drop input', { name: '<img src=x onerror=alert(1)>\u202egpj.pcap', mimeType: '', buffer: readFileSync(PING) });
  await page.waitForSelector('.overview .data');
  assert.equal(await page.locator('img').count(), 0);
  assert.match(await page.textContent('.what'), /<img src=x onerror=alert\(1\)>\\u202egpj\.pcap/);
  assert.deepEqual(problems, []);
  await context.close();
});

test('random octets and every cut of a capture leave the page usable', async () => {
  const { context, page, problems } = await empty();
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
