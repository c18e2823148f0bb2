// A capture in which every flow is mirrored at both of its ends: each packet comes twice, under another session.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { scratch, shot, stage } from './browser.js';
import { generate, missing, read } from './program.js';

const inScratch = scratch();
const { opened } = stage();
const ONCE = inScratch('once.pcap');
const TWICE = inScratch('twice.pcap');
/** Octets of a pcap file's header and of a record's. */
const [FILE_HEADER_LEN, RECORD_HEADER_LEN] = [24, 16];
/** Nanoseconds after which the other end's copy comes. */
const LATER_NS = 500;
/** What the port of VXLAN looks like in a packet, and how far behind it the VNI stands. */
const [VXLAN_PORT, VNI_BEHIND] = [Buffer.from([0x12, 0xb5]), 2 + 4 + 4];

before(() => {
  generate(ONCE, '--packets', 3000, '--flows', 60, '--sessions', 1, '--seed', 7);
  const octets = readFileSync(ONCE);
  const pieces = [octets.subarray(0, FILE_HEADER_LEN)];
  for (let at = FILE_HEADER_LEN, len; at < octets.length; at += RECORD_HEADER_LEN + len) {
    len = octets.readUInt32LE(at + 8);
    const record = octets.subarray(at, at + RECORD_HEADER_LEN + len);
    const copy = Buffer.from(record);
    copy.writeUInt32LE(record.readUInt32LE(4) + LATER_NS, 4);
    const vni = copy.indexOf(VXLAN_PORT, RECORD_HEADER_LEN + 42) + VNI_BEHIND;
    copy.writeUIntBE(copy.readUIntBE(vni, 3) + 1000, vni, 3);
    pieces.push(record, copy);
  }
  writeFileSync(TWICE, Buffer.concat(pieces));
});

/** Packets by kind of problem, as the page tells them. */
async function problems(file) {
  const { context, page } = await opened(file, 'problems');
  await page.waitForSelector('.problem-list li, .problems .wait');
  const found = await page.$$eval('.problem-list li', (items) => items.map((item) => [item.querySelector('b').textContent, Number(item.querySelector('.count').textContent.replace(/,/g, ''))]));
  await shot(page, 'problems');
  await context.close();
  return Object.fromEntries(found);
}

test('all copies are named, and none is called a retransmission', async () => {
  const [once, twice] = [await problems(ONCE), await problems(TWICE)];
  const packets = read(ONCE).length;
  assert.equal(read(TWICE).length, 2 * packets);
  assert.equal(once['Mirrored twice'], undefined);
  assert.equal(twice['Mirrored twice'], packets);
  assert.equal(twice['Retransmitted'], once['Retransmitted']);
});

test('tshark, which knows no sessions, does call them so', { skip: missing('tshark') }, () => {
  const flagged = (file) => execFileSync('tshark', ['-r', file, '-Y', 'tcp.analysis.flags'], { encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'ignore'] }).split('\n').length;
  assert.ok(flagged(TWICE) > 10 * flagged(ONCE));
});

test('a flow says who else mirrored it', async () => {
  const { context, page } = await opened(TWICE, 'flows');
  await page.waitForSelector('.grid-row:not(.waiting)');
  await page.click('.grid-row:not([hidden])');
  await page.waitForSelector('.flow-detail:has-text("Also mirrored by")');
  await page.waitForSelector('.ladder .copy');
  await shot(page, 'mirrored-twice');
  await context.close();
});
