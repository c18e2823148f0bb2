/** The worker gives the same answers as the main entry, and its errors are of the same classes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
