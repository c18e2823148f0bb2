/** The worker gives the same answers as the main entry, and its errors are of the same classes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { decode, print, summarise } from '../dist/node.js';
import { CaptureError, FilterError, MirrorscopeWorker } from '../dist/worker.js';
import { all, PING, SSM } from './captures.js';

test('a worker decodes, prints, counts and fails as the main entry does', async () => {
  const worker = await MirrorscopeWorker.start();
  try {
    assert.deepEqual(await worker.summarise(PING), await summarise(PING));
    const [ours, theirs] = [[], []];
    for await (const batch of decode(SSM, { batchLength: 10 })) ours.push([...batch.number, ...batch.src]);
    for await (const batch of worker.decode(SSM, { batchLength: 10 })) theirs.push([...batch.number, ...batch.src]);
    assert.deepEqual(theirs, ours);
    assert.deepEqual((await all(worker.print(PING))).octets, (await all(print(PING))).octets);
    assert.ok((await worker.suggest(PING, { drop: 'icmp' })).exact);
    await assert.rejects(() => worker.summarise(PING, { filter: 'nonsense here' }), FilterError);
    await assert.rejects(async () => { for await (const _ of worker.decode(PING.subarray(0, 999))); }, CaptureError);
    await assert.rejects(() => worker.summarise(PING, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  } finally {
    worker.dispose();
  }
  await assert.rejects(() => worker.summarise(PING), { code: 'WORKER' });
});

test('a stream is handed over to the worker, and what cannot be sent is said', (t) => withWorker(t, async (worker) => {
  const counted = async (source) => (await worker.summarise(source)).packets;
  assert.equal(await counted(new Blob([PING]).stream()), 63);
  const capture = worker.open([new Blob([PING]).stream(), new Blob([SSM]).stream()]);
  await capture.loaded;
  assert.equal(capture.packetCount, 63 + (await summarise(SSM)).packets);
  await assert.rejects(counted({ read: () => PING }), { name: 'MirrorscopeError', code: 'SOURCE', message: /cannot be sent/ });
}));

test('a selection that nobody waits for any more is released in the worker, however late that was said', (t) => withWorker(t, async (worker) => {
  const capture = worker.open(PING);
  await capture.loaded;
  const isThere = (selection) => capture.rows({ selection, from: 0, count: 1 }).then(() => true, ({ code }) => assert.equal(code, 'RELEASED'));
  for (let tries = 0; tries < 20; tries += 1) {
    const before = await capture.select('tcp');
    const abort = new AbortController();
    const asked = capture.select('udp', { signal: abort.signal });
    // At once, and when the answer is on its way.
    for (let turn = 0; turn < tries / 5; turn += 1) await new Promise(setImmediate);
    abort.abort();
    const taken = await asked.catch(({ name }) => assert.equal(name, 'AbortError'));
    assert.equal(await isThere({ ...before, id: before.id + 1 }), taken && true);
    assert.ok(await isThere(before));
  }
}));

test('addresses of batches are written as everywhere else, where nothing but the worker is loaded', () => {
  const texts = ['::', '::1', '2001:db8::1', '2001:db8:0:1:1:1:1:1', '1::2:0:0:3:4', '1:0:0:2::3', 'fe80::ff:fe00:1', '::ffff:192.0.2.7', '192.0.2.7'];
  const octets = texts.flatMap((text) => {
    if (!text.includes(':')) return [...Array(10).fill(0), 255, 255, ...text.split('.').map(Number)];
    const hex = text.replace(/[\d.]+$/, (tail) => (tail.includes('.') ? tail.split('.').map((part) => Number(part).toString(16).padStart(2, '0')).join('').replace(/^..../, '$&:') : tail));
    const [before, after] = hex.split('::').map((half) => half.split(':').filter(Boolean));
    const groups = after ? [...before, ...Array(8 - before.length - after.length).fill('0'), ...after] : before;
    return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]);
  });
  const code = `
    import { Batch } from 'mirrorscope/worker';
    const flags = Uint16Array.from(${JSON.stringify(texts.map((text) => (text.includes(':') ? 64 : 32)))});
    const batch = new Batch(flags.length, { flags, src: Uint8Array.from(${JSON.stringify(octets)}) }, []);
    console.log([...flags.keys()].map((row) => batch.srcAddress(row)).join(' '));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8', cwd: new URL('..', import.meta.url) });
  assert.equal(stdout.trim(), texts.join(' '), stderr);
});

test('a worker that dies in the middle fails what is asked of it, and another one can be started', async () => {
  const dying = new Worker(new URL('../dist/worker-node.js', import.meta.url));
  const client = await MirrorscopeWorker.start({ worker: dying });
  const batches = client.decode(PING, { batchLength: 1 });
  assert.equal((await batches.next()).value.length, 1);
  const asked = drained(batches);
  await dying.terminate();
  await assert.rejects(asked, { code: 'WORKER', hint: 'start another one' });
  await assert.rejects(client.summarise(PING), { code: 'WORKER', message: /it ended/ });
  const other = await MirrorscopeWorker.start();
  assert.equal((await other.summarise(PING)).packets, 63);
  other.dispose();
});

/** A worker, which is ended also where a test fails: otherwise the process would stay. */
async function withWorker(t, use) {
  const worker = await MirrorscopeWorker.start();
  t.after(() => worker.dispose());
  await use(worker);
}

/** Takes what is left. */
async function drained(batches) {
  for await (const _ of batches);
}
