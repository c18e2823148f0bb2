/** Whatever comes in, the module goes on working, and gives its memory back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Capture, checkFilter, completeFilter, Decoder, dissect, memoryBytes, MirrorscopeError, summarise } from '../dist/node.js';
import { PING, random, SSM } from './captures.js';

/** Inputs of the fuzz test; `MIRRORSCOPE_FUZZ=1000000` for a long run. */
const INPUTS = Number(process.env.MIRRORSCOPE_FUZZ ?? 4_000);

function damaged(pick) {
  const octets = (pick(2) ? PING : SSM).slice();
  for (let hits = pick(30); hits >= 0; hits -= 1) octets[pick(octets.length)] = pick(256);
  return octets.subarray(0, pick(4) ? octets.length : pick(octets.length));
}

test(`${INPUTS} damaged and random inputs trap nothing`, () => {
  const pick = random(0x5eed);
  for (let input = 0; input < INPUTS; input += 1) {
    const octets = input % 4 ? damaged(pick) : Uint8Array.from({ length: pick(300) }, () => pick(256));
    if (input % 3 === 0) {
      assert.ok(Array.isArray(dissect(octets.subarray(40), pick(300), pick(70_000)).layers));
    } else {
      const decoder = new Decoder({ flows: true, onBatch: (batch) => batch.srcAddress(0) });
      decoder.push(octets);
      decoder.finish();
      decoder.sessions();
      decoder.flows();
      decoder.dispose();
    }
  }
  const decoder = new Decoder();
  decoder.push(PING);
  assert.equal(decoder.packets, 63);
  decoder.dispose();
});

test('hostile filter texts are errors, quickly', () => {
  const pick = random(99);
  const words = ['tcp', 'port', '(', ')', 'not', '[', ']', '&', '0xffffffffff', '😀', 'vni', '\\', '::', '10.0.0.0/8', '\0', ' ', 'outer'];
  for (let round = 0; round < 5_000; round += 1) {
    const text = Array.from({ length: pick(20) }, () => words[pick(words.length)]).join(pick(2) ? ' ' : '');
    const error = checkFilter(text);
    if (error) assert.ok(error instanceof MirrorscopeError && error.from <= error.to && error.to <= text.length, text);
    completeFilter(text, pick(text.length + 3));
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
