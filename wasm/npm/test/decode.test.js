/** Any source and any chunking give the same packets; faults are errors of our own, behind every good packet. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  Capture, CaptureError, checkFilter, completeFilter, decode, Decoder, DecodeStream, explain, FilterError, Flag,
  INDEX_BYTES_PER_PACKET, lint, MirrorscopeError, print, suggest, summarise, version,
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

test('the version is that of the package', async () => {
  const { version: wanted } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  assert.equal(version(), wanted);
});

/** A source that says whether it was closed. */
function closing(chunks) {
  const source = { closed: false, async *[Symbol.asyncIterator]() {
    try {
      yield* chunks;
    } finally {
      source.closed = true;
    }
  } };
  return source;
}

test('a source is closed wherever reading ends', async () => {
  const ends = {
    'its end': (source) => summarise(source),
    'a count within the first chunk': (source) => summarise(source, { count: 1 }),
    'damage within the first chunk': (source) => summarise(source, {}),
    'a break at the first batch': async (source) => { for await (const _ of decode(source, { batchLength: 1 })) break; },
  };
  for (const [name, read] of Object.entries(ends)) {
    const source = closing(name.startsWith('damage') ? [SSM.subarray(0, 300), new Uint8Array(999)] : [SSM, SSM.subarray(0, 0)]);
    await read(source);
    await new Promise((resolve) => setTimeout(resolve));
    assert.ok(source.closed, name);
  }
});

test('a reader may be of a class, and what is too short or fails is an error behind the packets before', async () => {
  class Reader {
    #octets = PING;
    size = PING.length;
    read(offset, length) { return this.#octets.subarray(offset, offset + length); }
  }
  assert.equal((await summarise(new Reader())).packets, 63);
  const big = Buffer.concat([PING, ...Array(40).fill(PING.subarray(24))]);
  const reads = (read) => summarise({ size: big.length, read });
  const whole = (offset, length) => big.subarray(offset, offset + length);
  assert.equal((await reads(whole)).packets, 41 * 63);
  const short = reads((offset, length) => whole(offset, Math.min(length, 1000)));
  await assert.rejects(short, ({ code, message }) => code === 'SOURCE' && message.includes('gave 1000 octets at 0'));
  let batches = 0;
  const failing = { size: big.length, read: (offset, length) => { if (offset > 0) throw new Error('gone'); return whole(offset, length); } };
  await assert.rejects(async () => { for await (const { length } of decode(failing)) batches += length; }, /gone/);
  assert.ok(batches > 0);
});

test('a signal is looked at between the batches of one chunk', async () => {
  const abort = new AbortController();
  let packets = 0;
  await assert.rejects(async () => {
    for await (const { length } of decode([PING], { batchLength: 5, signal: abort.signal })) {
      packets += length;
      abort.abort();
    }
  }, { name: 'AbortError' });
  assert.equal(packets, 5);
});

test('a decoder that was given back says so, and can be given back again', () => {
  const decoder = new Decoder();
  decoder.push(PING);
  decoder.dispose();
  decoder.dispose();
  const refused = { name: 'MirrorscopeError', code: 'DISPOSED' };
  for (const use of [() => decoder.push(PING), () => decoder.finish(), () => decoder.sessions(), () => decoder.packets, () => decoder.damage]) assert.throws(use, refused);
});

test('octets may come as an array buffer, and what is no text is refused', () => {
  const decoder = new Decoder();
  decoder.push(PING.slice().buffer);
  decoder.finish();
  assert.equal(decoder.packets, 63);
  decoder.dispose();
  assert.throws(() => checkFilter(5), { name: 'TypeError', message: 'a text is wanted, not number' });
  assert.equal(checkFilter('tcp'), undefined);
});

test('a compressed capture that is cut tells what came before', async () => {
  const cut = gzipSync(PING).subarray(0, -9);
  const { packets, damage } = await summarise(cut);
  assert.ok(packets > 0);
  assert.equal(damage.code, 'COMPRESSION');
  const report = await explain(cut, fixture('aws/describe-traffic-mirror-filters.json'));
  assert.equal(report.damage.code, 'COMPRESSION');
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
