/** An indexed capture answers as the native program does, while it loads, with or without a worker, whatever it is fed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Capture, decode, FilterError, INDEX_BYTES_PER_PACKET, memoryBytes, print, RowFlag } from '../dist/node.js';
import { MirrorscopeWorker } from '../dist/worker.js';
import { all, chunked, fixture, native, nativeProgram, otherCaptures, PING, random, skip, SSM } from './captures.js';

const PATH = '../../tests/fixtures/mirror/ping-curl-traceroute.pcap';
const AWS = ['sessions', 'filters', 'targets'].map((name) => fixture(`aws/describe-traffic-mirror-${name}.json`));

async function text(stream) {
  const { octets, error } = await all(stream);
  if (error) throw error;
  return octets.toString();
}

/** Numbers, counted from 1, that the ordinary filter chooses. */
async function chosen(source, filter) {
  const numbers = [];
  for await (const batch of decode(source, { filter })) numbers.push(...batch.number);
  return numbers;
}

/** Lets what was begun come as far as it can. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

function deferred() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}

async function numbers(capture, selection) {
  const rows = [];
  for (let from = 0; from < selection.count; from += 200) rows.push(...(await capture.rows({ selection, from, count: 200 })));
  return rows.map(({ number }) => number);
}

test('a selection that was released is an error and never the whole capture', async () => {
  await using_(await Capture.open(PING), async (capture) => {
    const selection = await capture.select('tcp');
    capture.release(selection);
    const refused = { code: 'RELEASED' };
    await assert.rejects(capture.overview({ selection }), refused);
    await assert.rejects(capture.rows({ selection, from: 0, count: 5 }), refused);
    await assert.rejects(capture.selectTime(0n, 2n ** 62n, selection), refused);
    assert.throws(() => capture.export('jsonl', { selection }), refused);
    capture.release(selection);
    assert.equal((await capture.select('tcp')).count, selection.count);
  });
});

test('a selection of another capture is refused, and one that nobody waits for is not made', async () => {
  await using_(await Capture.open(PING), async (capture) => {
    await using_(await Capture.open(SSM), async (other) => {
      await capture.select('tcp');
      const selection = await other.select('tcp');
      await assert.rejects(capture.rows({ selection, from: 0, count: 5 }), { code: 'RELEASED' });
      assert.equal((await other.rows({ selection, from: 0, count: 1 })).length, 1);
    });
    await assert.rejects(capture.select('tcp', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  });
});

test('a capture that was given back says so to every question, also to one that was asked before', async () => {
  const capture = await Capture.open(PING);
  const asked = capture.select('tcp[13] & 1 != 0');
  capture.dispose();
  capture.dispose();
  const refused = { name: 'MirrorscopeError', code: 'DISPOSED' };
  await assert.rejects(asked, refused);
  for (const question of ['overview', 'sessions', 'problems', 'flows', 'flowCounters']) await assert.rejects(capture[question](), refused, question);
  await assert.rejects(capture.rows({ from: 0, count: 1 }), refused);
  await assert.rejects(capture.packet(0), refused);
  await assert.rejects(capture.select('tcp'), refused);
  await assert.rejects(text(capture.export('jsonl')), refused);
});

test('a capture that is given back while a packet is read says so, and a live one takes no more', async () => {
  for (const format of ['text', 'jsonl', 'tcpdump']) {
    const { promise, resolve } = deferred();
    let isOpen = false;
    const read = async (at, length) => {
      if (isOpen) await promise;
      return PING.subarray(at, at + length);
    };
    const capture = await Capture.open({ size: PING.length, read });
    await capture.overview();
    isOpen = true;
    const asked = [capture.packet(3), capture.text(3, format)];
    await turn();
    capture.dispose();
    setTimeout(resolve);
    for (const question of asked) await assert.rejects(question, { name: 'MirrorscopeError', code: 'DISPOSED' }, format);
  }
  const live = await Capture.open([], { live: true });
  live.dispose();
  await turn();
  await assert.rejects(live.append(PING), { code: 'DISPOSED' });
});

test('whatever a capture is asked first, the parts that the answer needs are loaded for it', async () => {
  const asked = ['tcpdump', 'pcapng', 'jsonl', 'flows-csv', 'sessions-jsonl'].map((kind) => (capture) => text(capture.export(kind)));
  for (const ask of [...asked, (capture) => capture.text(0, 'tcpdump'), (capture) => capture.check('tcp').then(String)]) {
    // What was loaded for another question is not there in a worker of its own.
    const worker = await MirrorscopeWorker.start();
    try {
      const capture = worker.open(PING);
      await capture.loaded;
      assert.notEqual(await ask(capture), '', String(ask));
    } finally {
      worker.dispose();
    }
  }
});

test('flows that are followed at the same time keep their own payload', async () => {
  await using_(await Capture.open(PING), async (capture) => {
    const ids = (await capture.flows()).rows.map(({ id }) => id);
    const alone = [];
    for (const id of ids) alone.push(await capture.follow(id));
    assert.deepEqual(await Promise.all(ids.map((id) => capture.follow(id))), alone);
  });
});

test('a number that is none of a packet or flow finds none', async () => {
  await using_(await Capture.open(PING), async (capture) => {
    for (const packet of [-1, 0.5, NaN, 63, Infinity]) {
      await assert.rejects(capture.bytes(packet), RangeError, String(packet));
      await assert.rejects(capture.packet(packet), RangeError, String(packet));
    }
    for (const flow of [-1, 0.5, NaN, 2 ** 32]) {
      await assert.rejects(capture.follow(flow), RangeError, String(flow));
      await assert.rejects(capture.flowPackets(flow), RangeError, String(flow));
    }
    await assert.rejects(capture.text(0, 'html'), { code: 'FORMAT' });
  });
});

test('a live capture takes a chunk of any length', async () => {
  const many = Buffer.concat([PING, ...Array(700).fill(PING.subarray(24))]);
  assert.ok(many.length > 2 * 4 * 1024 * 1024);
  await using_(await Capture.open([], { live: true, maxPackets: 1e6 }), async (live) => {
    await live.append(many);
    assert.deepEqual([live.packetCount, live.damage], [701 * 63, []]);
    await using_(await Capture.open(many), async (capture) => {
      for (const packet of [0, 20_000, 701 * 63 - 1]) assert.deepEqual(await live.packet(packet), await capture.packet(packet));
    });
  });
});

test('a packet that a live capture forgets while it is asked for is an error', async () => {
  await using_(await Capture.open([], { live: true, maxPackets: 5 }), async (live) => {
    await live.append(PING);
    await live.overview();
    const asked = [live.packet(live.firstPacket), live.text(live.firstPacket)];
    // So many that the block of the index is gone that it was in.
    await live.append(Buffer.concat(Array(3000).fill(PING.subarray(24))));
    for (const question of asked) await assert.rejects(question, { code: 'CHANGED' });
  });
});

test('selections that were given up, or could not be narrowed, leave no memory behind', async () => {
  const many = Buffer.concat([PING, ...Array(3000).fill(PING.subarray(24))]);
  await using_(await Capture.open(many), async (capture) => {
    const elsewhere = { id: -1 };
    const cycle = async () => {
      const abort = new AbortController();
      const onProgress = () => abort.abort();
      await assert.rejects(capture.select('ip[8] < 10', { signal: abort.signal, onProgress }), { name: 'AbortError' });
      await assert.rejects(capture.select('tcp', { within: elsewhere }), { code: 'RELEASED' });
    };
    for (let round = 0; round < 10; round += 1) await cycle();
    const before = memoryBytes();
    for (let round = 0; round < 200; round += 1) await cycle();
    assert.equal(memoryBytes(), before);
  });
});

test('a source that cannot be read is damage beside the others, wherever it stands', async () => {
  const gone = { size: 10, async read() { throw new Error('gone'); } };
  for (const sources of [[gone, PING], [PING, gone]]) {
    await using_(await Capture.open(sources), async (capture) => {
      assert.equal(capture.packetCount, 63);
      assert.deepEqual(capture.damage.map(({ source, error }) => [source, error.message]), [[sources.indexOf(gone), 'the source could not be read: gone']]);
    });
  }
});

test('no flow is kept where none is wanted, and all are counted', async () => {
  await using_(await Capture.open(PING, { flows: { top: 0 } }), async (capture) => {
    assert.equal((await capture.flows()).rows.length, 0);
    assert.ok((await capture.flowCounters()).packets > 0);
  });
});

test('rows, trees, octets and lines are those of the packets', async () => {
  for (const source of [new Blob([PING]), PING, gzipSync(PING), new Blob([PING]).stream()]) {
    await using_(await Capture.open(source), async (capture) => {
      assert.equal(capture.packetCount, 63);
      const rows = await capture.rows({ from: 0, count: 500 });
      assert.equal(rows.length, 63);
      const lines = (await text(print(PING, { format: 'text' }))).trimEnd().split('\n');
      rows.forEach((row, at) => {
        assert.equal(row.index, at);
        assert.ok(lines[at].includes(`${row.protocol} ${row.info}`.trimEnd()), `${lines[at]} has no ${row.protocol} ${row.info}`);
        assert.ok(lines[at].includes(row.src) && lines[at].includes(row.dst));
        assert.ok(row.flags & RowFlag.mirrored);
      });
      const tree = await capture.packet(0);
      assert.equal(tree.layers[tree.subject].key, 'eth');
      assert.equal(await capture.text(5), `${lines[5]}\n`);
      assert.match(await capture.text(5, 'tcpdump'), /^2022-06-30 /);
      await assert.rejects(() => capture.packet(63), RangeError);
    });
  }
  assert.ok(INDEX_BYTES_PER_PACKET <= 48);
});

async function using_(capture, use) {
  try {
    await use(capture);
  } finally {
    capture.dispose();
  }
}

test('a selection has the packets that the filter lets through', async () => {
  const capture = await Capture.open(new Blob([PING]));
  for (const expr of ['', 'icmp', 'tcp port 443', 'not host 10.10.0.4 or len > 100', 'tcp[tcpflags] & tcp-syn != 0', 'ip[8] < 10', 'outer (udp port 6081) and icmp', 'vni 1']) {
    const selection = await capture.select(expr);
    assert.deepEqual(await numbers(capture, selection), await chosen(PING, expr), expr);
    assert.equal(selection.count, (await chosen(PING, expr)).length);
  }
  assert.equal((await capture.select('icmp and not truncated')).packetsRead, 0);
  assert.ok((await capture.select('ip[8] < 10')).packetsRead > 0);
  await assert.rejects(() => capture.select('tcp prot 5'), FilterError);
  await assert.rejects(() => capture.select('ip[8] < 10', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  const icmp = await capture.select('icmp');
  const first = (await numbers(capture, icmp))[0] - 1;
  assert.equal(await capture.indexOf(icmp, first), 0);
  const { startNs, endNs, packets, sessions } = await capture.timeline({ bins: 10 });
  assert.equal(packets[0].reduce((sum, count) => sum + count, 0), 63);
  assert.deepEqual(sessions, [0]);
  const half = await capture.selectTime(startNs, startNs + (endNs - startNs) / 2n);
  const other = await capture.selectTime(startNs + (endNs - startNs) / 2n + 1n, endNs);
  assert.equal(half.count + other.count, 63);
  assert.equal((await capture.selectTime(startNs, endNs, icmp)).count, icmp.count);
  const both = await capture.select('less 70', { within: icmp });
  assert.equal(both.count, (await capture.select('icmp and less 70')).count);
  assert.equal((await capture.select('', { within: icmp, fromNs: startNs, toNs: endNs })).count, icmp.count);
  capture.dispose();
});

test('flows, sessions and exports equal the native program', async (t) => {
  const program = nativeProgram();
  if (!program) return skip(t, 'parity of captures with the native program: build it with `cargo build --package mirrorscope`');
  const others = otherCaptures() ?? [];
  const differences = [];
  const sample = others.filter((_, index) => process.env.MIRRORSCOPE_FULL || index % 40 === 7);
  for (const file of [PATH, PATH.replace('ping-curl-traceroute', 'ssm-tcp443'), ...sample]) {
    const capture = await Capture.open(new Blob([readFileSync(file)]));
    for (const [kind, args] of [
      ['flows-jsonl', ['flows', '-q', '--json', file]],
      ['flows-csv', ['flows', '-q', '--csv', file]],
      ['sessions-jsonl', ['sessions', '-q', '--json', file]],
      ['jsonl', ['read', '-q', '--json', file]],
      ['text', ['read', '-q', '--utc', file]],
      ['inner-pcapng', ['read', '-q', '-w', '-', file]],
    ]) {
      const { octets } = await all(capture.export(kind));
      if (Buffer.compare(octets, native(program, ...args)) !== 0) differences.push(`${kind} of ${file}`);
    }
    capture.dispose();
  }
  assert.deepEqual(differences, []);
});

test('an export of a selection has its packets alone', async () => {
  const capture = await Capture.open(PING);
  const selection = await capture.select('icmp');
  assert.equal(await text(capture.export('jsonl', { selection })), await text(print(PING, { filter: 'icmp' })));
  assert.equal(await text(capture.export('tcpdump', { selection })), await text(print(PING, { format: 'tcpdump', filter: 'icmp' })));
  const csv = (await text(capture.export('csv', { selection }))).trimEnd().split('\n');
  assert.equal(csv.length, selection.count + 1);
  assert.ok(csv.slice(1).every((line) => line.includes(',ICMP,')));
  capture.dispose();
});

test('an overview adds up, names hosts and follows a selection', async () => {
  const capture = await Capture.open(PING, { aws: AWS });
  const overview = await capture.overview();
  assert.equal(overview.packets, 63);
  for (const part of ['protocols', 'sizes', 'sessions']) {
    assert.equal(overview[part].reduce((sum, { packets }) => sum + packets, 0), 63, part);
  }
  assert.equal(overview.sessions[0].index, 0);
  assert.ok(overview.talkers.length > 2 && overview.ports.some(({ service }) => service));
  const selection = await capture.select('icmp');
  const icmp = await capture.overview({ selection });
  assert.deepEqual([icmp.packets, icmp.protocols.map(({ name }) => name)], [selection.count, ['ICMP']]);
  const names = (await capture.sessions()).map(({ name }) => name);
  assert.deepEqual((await capture.sessionsSeen()).map(({ name }) => name), names);
  capture.dispose();
});

test('the packets of a flow are selected, and what was said is put together', async () => {
  const capture = await Capture.open(PING);
  const { total, rows } = await capture.flows({ sort: 'packets' });
  assert.equal(total, rows.length);
  for (const flow of rows) {
    const packets = await capture.flowPackets(flow.id);
    assert.equal(packets.count, flow.sent.packets + flow.received.packets + flow.sent.duplicates + flow.received.duplicates);
  }
  const packets = rows.flatMap(({ sent, received }) => [sent.packets, sent.duplicates, received.packets, received.duplicates]);
  assert.equal(packets.reduce((sum, count) => sum + count, 0), 63);
  // Only what the instance received was mirrored: the answers.
  const http = rows.find((flow) => flow.server_port === 80 && flow.received.payload_bytes > 0);
  const { segments, truncated } = await capture.follow(http.id);
  assert.equal(truncated, false);
  const said = (side) => Buffer.concat(segments.filter(({ direction, bytes }) => direction === side && bytes).map(({ bytes }) => bytes)).toString('latin1');
  assert.equal(said('forward'), '');
  assert.match(said('backward'), /^HTTP\/1\.1 /);
  assert.equal((await capture.follow(http.id, { limit: 10 })).truncated, true);
  const selection = await capture.select('icmp');
  assert.ok((await capture.flows({ selection })).rows.every(({ protocol }) => protocol === 'icmp'));
  await assert.rejects(() => capture.flows({ sort: 'beauty' }), { code: 'SORT' });
  capture.dispose();
});

test('captures are merged in order of time', async () => {
  const capture = await Capture.open([SSM, new Blob([PING])]);
  const only = await Capture.open(SSM);
  assert.equal(capture.packetCount, 63 + only.packetCount);
  const rows = [];
  for (let from = 0; from < capture.packetCount; from += 200) rows.push(...(await capture.rows({ from, count: 200 })));
  assert.ok(rows.every(({ timestampNs }, at) => at === 0 || rows[at - 1].timestampNs <= timestampNs));
  assert.deepEqual(capture.damage, []);
  capture.dispose();
  only.dispose();
});

test('damage keeps everything before it and says where it is', async () => {
  const cut = await Capture.open([PING, new Blob([SSM.subarray(0, 3000)])]);
  assert.ok(cut.packetCount > 63);
  assert.deepEqual(cut.damage.map(({ source, error }) => [source, error.code]), [[1, 'TRUNCATED']]);
  assert.equal((await cut.problems()).find(({ kind }) => kind === 'damage').count, 1);
  cut.dispose();
  const none = await Capture.open(new Blob(['hello']));
  assert.deepEqual([none.packetCount, none.damage[0].error.code], [0, 'NOT_A_CAPTURE']);
  none.dispose();
  const few = await Capture.open(PING, { maxPackets: 10 });
  assert.deepEqual([few.packetCount, few.damage[0].error.code], [10, 'MAX_PACKETS']);
  few.dispose();
  const large = await Capture.open(gzipSync(PING), { maxKeptBytes: 5000 });
  assert.equal(large.damage[0].error.code, 'TOO_LARGE');
  large.dispose();
});

test('a file that was changed meanwhile is an error and its rows stay', async () => {
  let octets = PING;
  const capture = await Capture.open({ size: PING.length, read: (at, length) => octets.subarray(at, at + length) });
  octets = PING.subarray(0, 100);
  await assert.rejects(() => capture.packet(60), { code: 'CHANGED' });
  const [row] = await capture.rows({ from: 60, count: 1 });
  assert.ok(row.error && row.src !== '');
  capture.dispose();
});

test('a live capture keeps the last packets, however they are cut', async () => {
  const pick = random(7);
  const capture = await Capture.open([], { live: true, maxPackets: 20 });
  for (const chunk of chunked(PING, () => 1 + pick(3000))) await capture.append(chunk);
  assert.deepEqual([capture.packetCount, capture.firstPacket], [63, 43]);
  const rows = await capture.rows({ from: 0, count: 200 });
  assert.deepEqual(rows.map(({ number }) => number), Array.from({ length: 20 }, (_, at) => 44 + at));
  assert.deepEqual(await numbers(capture, await capture.select('tcp')), (await chosen(PING, 'tcp')).filter((number) => number > 43));
  assert.equal((await capture.overview()).packets, 20);
  await capture.append(new Uint8Array([1, 2, 3]));
  capture.dispose();
});

test('a live capture takes array buffers, and says what is no octets', async () => {
  await using_(await Capture.open([], { live: true, maxPackets: 100 }), async (capture) => {
    await capture.append(PING.slice().buffer);
    assert.deepEqual([capture.packetCount, capture.appendedBytes], [63, PING.length]);
    assert.ok((await capture.bytes(62)).length > 0);
    await assert.rejects(capture.append('text'), { code: 'SOURCE' });
  });
});

test('mirror filters are explained and suggested for a selection', async () => {
  const capture = await Capture.open(PING);
  const selection = await capture.select('icmp');
  assert.equal((await capture.explain(AWS.slice(1, 2), { selection })).report.filters[0].accepted.packets, selection.count);
  assert.ok((await capture.suggest({ drop: 'icmp' })).exact);
  await assert.rejects(() => capture.suggest({ drop: 'nonsense here' }), FilterError);
  assert.ok((await capture.lint(AWS)).report);
  assert.ok((await capture.complete('vni ')).some(({ text }) => text === '9325541'));
  assert.ok((await capture.complete('host ')).some(({ text }) => text === '10.10.0.4'));
  assert.ok((await capture.check('tcp tcp')) instanceof FilterError);
  capture.dispose();
});

test('a capture in a worker answers the same', async () => {
  const worker = await MirrorscopeWorker.start();
  try {
    const progress = [];
    const theirs = worker.open([new Blob([PING])], { onProgress: (told) => progress.push(told) });
    await theirs.loaded;
    const ours = await Capture.open(PING);
    assert.deepEqual([theirs.packetCount, progress.at(-1).done], [63, true]);
    assert.deepEqual(await theirs.rows({ from: 3, count: 20 }), await ours.rows({ from: 3, count: 20 }));
    const selection = await theirs.select('ip[8] < 10');
    assert.equal(selection.count, (await ours.select('ip[8] < 10')).count);
    assert.deepEqual(await theirs.overview({ selection }), await ours.overview({ selection: await ours.select('ip[8] < 10') }));
    assert.deepEqual(await theirs.packet(7), await ours.packet(7));
    assert.deepEqual(await theirs.timeline({ bins: 5 }), await ours.timeline({ bins: 5 }));
    assert.equal(await text(theirs.export('jsonl')), await text(ours.export('jsonl')));
    await assert.rejects(() => theirs.select('tcp tcp'), FilterError);
    await assert.rejects(() => theirs.packet(63), RangeError);
    assert.ok((await theirs.check('tcp tcp')) instanceof FilterError);
    theirs.dispose();
    await assert.rejects(() => theirs.rows({ from: 0, count: 1 }), { code: 'DISPOSED' });
    ours.dispose();
    const live = worker.open([], { live: true, maxPackets: 5 });
    await live.loaded;
    await live.append(PING);
    assert.deepEqual([live.packetCount, live.firstPacket], [63, 58]);
  } finally {
    worker.dispose();
  }
});

test('loading stops when it is told to and keeps what is there', async () => {
  const worker = await MirrorscopeWorker.start();
  try {
    const many = new Blob([PING, ...Array.from({ length: 4000 }, () => PING.subarray(24))]);
    const capture = worker.open(many, { onProgress: () => capture.stop() });
    await capture.loaded;
    assert.ok(capture.packetCount > 0 && capture.packetCount < 4001 * 63, `${capture.packetCount}`);
    assert.equal((await capture.rows({ from: 0, count: 10 })).length, 10);
    assert.deepEqual(capture.damage, []);
  } finally {
    worker.dispose();
  }
});

test('a file beyond 4 GB is indexed through a reader', async () => {
  const head = PING.subarray(0, 24);
  const record = PING.subarray(24, 24 + 16 + new DataView(PING.buffer, PING.byteOffset).getUint32(32, true));
  const big = new Uint8Array(16 + 250_000);
  big.set(record);
  new DataView(big.buffer).setUint32(8, 250_000, true);
  new DataView(big.buffer).setUint32(12, 250_000, true);
  const count = 17_500;
  const size = 24 + count * big.length;
  const read = (offset, length) => {
    const piece = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const from = offset + at;
      const part = from < 24 ? head.subarray(from) : big.subarray((from - 24) % big.length);
      piece.set(part.subarray(0, length - at), at);
      at += Math.min(part.length, length - at);
    }
    return piece;
  };
  const capture = await Capture.open({ size, read });
  assert.ok(size > 2 ** 32);
  assert.equal(capture.packetCount, count);
  assert.deepEqual(await capture.bytes(count - 1), big.subarray(16));
  assert.equal((await capture.rows({ from: count - 1, count: 1 }))[0].number, count);
  capture.dispose();
});

test('a thousand captures leave no memory behind', async () => {
  const cycle = async () => {
    const capture = await Capture.open(SSM, { flows: { maxFlows: 4096 } });
    await capture.select('tcp and len > 100');
    await capture.rows({ from: 0, count: 5 });
    capture.dispose();
  };
  for (let round = 0; round < 50; round += 1) await cycle();
  const before = memoryBytes();
  for (let round = 0; round < 1000; round += 1) await cycle();
  assert.equal(memoryBytes(), before);
});

test('whatever it is fed, a capture answers', async () => {
  const pick = random(11);
  for (let round = 0; round < 300; round += 1) {
    const octets = PING.slice(0, pick(PING.length));
    for (let times = pick(20); times > 0; times -= 1) octets[pick(octets.length || 1)] = pick(256);
    const capture = await Capture.open(octets);
    const selection = await capture.select(['tcp port 80', 'len > 99', 'ip[8] < 9', 'not truncated'][round % 4]);
    await capture.rows({ selection, from: 0, count: 5 });
    await capture.overview({ selection });
    await capture.problems();
    for (const { id } of (await capture.flows({ count: 3 })).rows) await capture.follow(id);
    capture.dispose();
  }
});
