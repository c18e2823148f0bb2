/** Any source and any chunking give the same packets; faults are errors of our own, behind every good packet. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  Capture, CaptureError, checkFilter, completeFilter, decode, Decoder, DecodeStream, explain, FilterError, Flag,
  INDEX_BYTES_PER_PACKET, lint, MirrorscopeError, print, suggest, summarise,
} from '../dist/node.js';
import { all, chunked, fixture, PING, random, SSM } from './captures.js';

/** The packets of batches as plain rows. */
async function rows(batches) {
  const found = [];
  for await (const batch of batches) {
    for (let row = 0; row < batch.length; row += 1) {
      found.push([
        batch.number[row], batch.timestampNs[row], batch.srcAddress(row), batch.srcPort[row], batch.dstAddress(row),
        batch.dstPort[row], batch.protocol[row], batch.vni[row], batch.flags[row], batch.offset[row],
        batch.sessions[batch.session[row]].endpoint,
      ]);
    }
  }
  return found;
}

test('columns say what the JSON lines say', async () => {
  const lines = (await all(print(PING))).octets.toString().trim().split('\n').map((line) => JSON.parse(line));
  const found = await rows(decode(PING));
  assert.equal(found.length, 63);
  lines.forEach((line, index) => {
    const ports = line.tcp ?? line.udp ?? { src_port: 0, dst_port: 0 };
    const [number, , src, srcPort, dst, dstPort, protocol, vni, flags, , endpoint] = found[index];
    assert.deepEqual(
      [number, src, srcPort, dst, dstPort, protocol, vni, Boolean(flags & Flag.truncated), endpoint],
      [line.packet, line.ip.src, ports.src_port, line.ip.dst, ports.dst_port, line.ip.protocol, line.mirror.vni, line.truncated, line.mirror.endpoint],
    );
  });
});

test('every kind of source gives the same packets', async () => {
  const expected = await rows(decode(SSM));
  assert.equal(expected.length, 27);
  const sources = {
    blob: new Blob([SSM]),
    'array buffer': SSM.slice().buffer,
    'data view': new DataView(SSM.slice().buffer),
    response: new Response(SSM),
    'readable stream': new Blob([SSM]).stream(),
    'node stream': Readable.from([Buffer.from(SSM)]),
    iterable: chunked(SSM, () => 100),
    gzip: gzipSync(SSM),
    'gzip of two members': Buffer.concat([gzipSync(SSM.subarray(0, 999)), gzipSync(SSM.subarray(999))]),
    'random access': { size: SSM.length, read: async (offset, length) => SSM.slice(offset, offset + length) },
  };
  for (const [name, source] of Object.entries(sources)) assert.deepEqual(await rows(decode(source)), expected, name);
});

test('any chunking gives the same packets', async () => {
  const expected = await rows(decode(PING));
  const pick = random(7);
  for (const next of [() => 1, () => 2, () => 17, () => pick(400), () => PING.length]) {
    assert.deepEqual(await rows(decode(chunked(PING, next))), expected);
    assert.deepEqual(await rows(decode(chunked(gzipSync(PING), next), { batchLength: 5 })), expected);
  }
});

test('pushing, pulling and streaming agree', async () => {
  const expected = await rows(decode(PING));
  const batches = [];
  const decoder = new Decoder({ batchLength: 10, flows: true, onBatch: (batch) => batches.push(batch.copy()) });
  for (const chunk of chunked(PING, () => 333)) decoder.push(chunk);
  decoder.finish();
  assert.deepEqual(await rows(batches), expected);
  assert.equal(decoder.sessions()[0].packets, 63);
  assert.ok(decoder.flows().length > 5);
  decoder.dispose();
  assert.deepEqual(await rows(new Blob([PING]).stream().pipeThrough(new DecodeStream())), expected);
  assert.deepEqual(await rows(decode(PING, { views: true, batchLength: 7 })), expected);
});

test('a cut capture gives its whole packets and then says where it was cut', async () => {
  const cut = PING.subarray(0, 5000);
  const seen = [];
  await assert.rejects(
    async () => { for await (const batch of decode(cut)) seen.push(batch.length); },
    (error) => error instanceof CaptureError && error.code === 'TRUNCATED' && error.packets === seen[0] && error.offset > 0 && error.hint.length > 0,
  );
  const { damage, packets } = await summarise(cut);
  assert.equal(damage.packets, packets);
  const gzip = gzipSync(PING);
  const half = gzip.subarray(0, gzip.length / 2);
  const outcome = await summarise(half).then(({ damage: found }) => found, (error) => error);
  assert.ok(['TRUNCATED', 'COMPRESSION'].includes(outcome?.code), 'a cut gzip file is an error');
  assert.equal((await summarise(new Uint8Array())).damage.code, 'EMPTY');
  await assert.rejects(() => summarise(42), MirrorscopeError);
});

test('a signal stops a pass at once, even one that waits for octets', async () => {
  const stuck = new ReadableStream({ start(controller) { controller.enqueue(PING.slice(0, 3000)); } });
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 20);
  await assert.rejects(() => summarise(stuck, { signal: abort.signal }), { name: 'AbortError' });
  await assert.rejects(() => summarise(PING, { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('progress ends at the size of the source', async () => {
  const told = [];
  await summarise(new Blob([PING]), { onProgress: (progress) => told.push(progress) });
  assert.deepEqual(told.at(-1), { bytes: PING.length, totalBytes: PING.length, packets: 63 });
});

test('filters choose, and their errors have spans in characters of JavaScript', async () => {
  assert.equal((await summarise(PING, { filter: 'tcp port 80' })).packets, (await rows(decode(PING, { filter: 'tcp port 80' }))).length);
  assert.equal(checkFilter('tcp port 80'), undefined);
  const error = checkFilter('vni 1 and prot 5');
  assert.ok(error instanceof FilterError);
  assert.equal('vni 1 and prot 5'.slice(error.from, error.to), 'prot');
  assert.match(error.suggestion, /port/);
  assert.ok((await completeFilter('tcp po')).some(({ text }) => text === 'port'));
  await assert.rejects(() => summarise(PING, { filter: 'tcp tcp' }), FilterError);
});

test('mirror filters are explained, checked and suggested', async () => {
  const filters = fixture('aws/describe-traffic-mirror-filters.json');
  const explained = await explain(PING, filters);
  assert.equal(explained.report.filters[0].accepted.packets, 63);
  assert.equal((await explain(SSM, filters)).report.filters[0].accepted.packets, 0);
  assert.ok(Array.isArray((await lint(filters)).report.findings));
  const suggestion = await suggest(PING, { drop: 'icmp' });
  assert.ok(suggestion.exact && suggestion.cli.includes('aws ec2'));
  await assert.rejects(() => lint('{"TrafficMirrorFilters": ['), { code: 'AWS_JSON', line: 1 });
});
