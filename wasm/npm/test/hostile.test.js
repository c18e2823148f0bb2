/** Whatever comes in, the module goes on working, and gives its memory back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Capture, checkFilter, completeFilter, Decoder, dissect, memoryBytes, MirrorscopeError, summarise } from '../dist/node.js';
import { damaged, PING, random, SSM } from './captures.js';

/** Inputs of the fuzz test; `MIRRORSCOPE_FUZZ=1000000` for a long run. */
const INPUTS = Number(process.env.MIRRORSCOPE_FUZZ ?? 20_000);
/** Inputs between two looks at the memory. */
const ROUND = 10_000;
/** As little as a decoder can be asked to keep, so that inputs and not allocations take the time. */
const SMALL = { flows: { maxFlows: 64 }, batchLength: 32, filter: 'tcp or vni 9325541 or ip[6] & 0x20 != 0' };

function noise(pick) {
  return Uint8Array.from({ length: pick(300) }, () => pick(256));
}

/** Everything that one capture can be asked. */
function decodeAll(octets) {
  const decoder = new Decoder({ ...SMALL, onBatch: (batch) => batch.srcAddress(0) });
  decoder.push(octets);
  decoder.finish();
  decoder.sessions();
  decoder.flows();
  decoder.dispose();
}

test(`${INPUTS} damaged and random inputs trap nothing, and the memory stays as it is`, async () => {
  const pick = random(0x5eed);
  let settled;
  for (let input = 0; input < INPUTS; input += 1) {
    const octets = input % 8 ? damaged(pick(2) ? PING : SSM, pick) : noise(pick);
    if (input % 4 === 0) {
      assert.ok(Array.isArray((await dissect(octets.subarray(40, 400), pick(300), pick(70_000))).layers));
    } else if (input % 50 === 1) {
      (await Capture.open(octets, { flows: { maxFlows: 64 } })).dispose();
    } else {
      decodeAll(octets);
    }
    if (input % ROUND === ROUND - 1) {
      settled ??= memoryBytes();
      assert.ok(memoryBytes() <= settled, `${memoryBytes()} bytes after ${input + 1} inputs, ${settled} after ${ROUND}`);
    }
  }
  const decoder = new Decoder();
  decoder.push(PING);
  assert.equal(decoder.packets, 63);
  decoder.dispose();
});

test('hostile filter texts are errors, quickly', async () => {
  const pick = random(99);
  const words = ['tcp', 'port', '(', ')', 'not', '[', ']', '&', '0xffffffffff', '😀', 'vni', '\\', '::', '10.0.0.0/8', '\0', ' ', 'outer'];
  for (let round = 0; round < 5_000; round += 1) {
    const text = Array.from({ length: pick(20) }, () => words[pick(words.length)]).join(pick(2) ? ' ' : '');
    const error = checkFilter(text);
    if (error) assert.ok(error instanceof MirrorscopeError && error.from <= error.to && error.to <= text.length, text);
    await completeFilter(text, pick(text.length + 3));
  }
  assert.ok(checkFilter('('.repeat(1_000_000)));
});

test('a thousand decoders and captures leave no memory behind', async () => {
  const cycle = async () => {
    const decoder = new Decoder({ flows: { maxFlows: 4096 }, onBatch: () => {} });
    decoder.push(PING);
    decoder.dispose();
    await summarise(SSM, { flows: { maxFlows: 4096 } });
    (await Capture.open(SSM.subarray(0, 3000))).dispose();
  };
  for (let round = 0; round < 50; round += 1) await cycle();
  const before = memoryBytes();
  for (let round = 0; round < 1000; round += 1) await cycle();
  assert.equal(memoryBytes(), before);
});

test('a decoder that was given back says so and harms nothing', () => {
  const decoder = new Decoder();
  decoder.dispose();
  assert.throws(() => decoder.push(PING));
});
