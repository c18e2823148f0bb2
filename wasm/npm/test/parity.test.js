/** The package and the native program say the same of the same octets, byte for byte. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MirrorscopeError, print, report } from '../dist/node.js';
import { all, chunked, damaged, fixture, native, nativeProgram, otherCaptures, PING, random, skip, SSM } from './captures.js';

const PATHS = ['ping-curl-traceroute', 'ssm-tcp443'].map((name) => `../../tests/fixtures/mirror/${name}.pcap`);
const EXPRESSIONS = ['tcp', 'udp port 53', 'not icmp and greater 100', 'outer (udp port 6081)', 'vni 9325541'];

test('tcpdump text of the mission is what tcpdump printed', async () => {
  const { octets } = await all(print(PING, { format: 'tcpdump' }));
  assert.deepEqual(octets, Buffer.from(fixture('mirror/ping-curl-traceroute.tcpdump.txt')));
});

/** Both sides of a comparison for one file. */
function comparisons(program, file) {
  const table = (what) => async (octets) => {
    try {
      return Buffer.from((await report(octets, what)).text);
    } catch (error) {
      if (!(error instanceof MirrorscopeError)) throw error;
      return undefined;
    }
  };
  const expression = EXPRESSIONS[file.length % EXPRESSIONS.length];
  return [
    ['JSON lines', ['read', '-q', '--json', file], async (octets) => (await all(print(octets))).octets],
    ['text', ['read', '-q', '--utc', file], async (octets) => (await all(print(octets, { format: 'text' }))).octets],
    ['filter', ['read', '-q', '--json', file, expression], async (octets) => (await all(print(octets, { filter: expression }))).octets],
    ['sessions', ['sessions', '-q', '--json', file], table('sessions')],
    ['flows', ['flows', '-q', '--json', file], table('flows')],
    ['inner pcapng', ['read', '-q', '-w', '-', file], async (octets) => (await all(print(octets, { format: 'inner-pcapng' }))).octets],
  ].map(([name, args, ours]) => ({ name, theirs: () => native(program, ...args), ours }));
}

test('JSON lines, text, filters, sessions, flows and inner pcapng equal the native program over the captures', async (t) => {
  const program = nativeProgram();
  if (!program) return skip(t, 'parity with the native program: build it with `cargo build --package mirrorscope`');
  const others = otherCaptures();
  if (!others) skip(t, "parity over other projects' captures: set MIRRORSCOPE_SHARED to their folder");
  const differences = [];
  // All of them take many minutes; every twelfth stands for the rest unless MIRRORSCOPE_FULL asks for all.
  const sample = (others ?? []).filter((_, index) => process.env.MIRRORSCOPE_FULL || index % 12 === 0);
  for (const file of [...PATHS, ...sample]) {
    const octets = new Uint8Array(readFileSync(file));
    for (const { name, theirs, ours } of comparisons(program, file)) {
      const mine = await ours(octets);
      if (mine === undefined || Buffer.compare(mine, theirs()) !== 0) differences.push(`${name} of ${file}`);
    }
  }
  assert.deepEqual(differences, []);
});

/** Damaged captures that both decoders are shown; `MIRRORSCOPE_DIFFERENTIAL=10000` for a long run. */
const DAMAGED = Number(process.env.MIRRORSCOPE_DIFFERENTIAL ?? 60);
const SEED = Number(process.env.MIRRORSCOPE_SEED ?? 0x0dd);

test(`${DAMAGED} damaged captures are the same to the package, in any chunks, and to the native program`, async (t) => {
  const program = nativeProgram();
  if (!program) return skip(t, 'differential with the native program: build it with `cargo build --package mirrorscope`');
  const folder = mkdtempSync(join(tmpdir(), 'mirrorscope-'));
  const pick = random(SEED);
  const options = '--packets 60 --flows 12 --ipv6 0.3 --mirror-ipv6 0.2 --vlan 0.2 --inline 0.2 --corrupt 0.1 --truncate 0.1 --duplicate 0.1';
  const sources = [PING, SSM, ...['pcap', 'pcapng', 'pcapng'].map((extension, index) => {
    const file = join(folder, `made-${index}.${extension}`);
    native(program, 'send', '--generate', '--seed', `${SEED + index}`, ...options.split(' '), '--write', file);
    return new Uint8Array(readFileSync(file));
  })];
  const differences = [];
  for (let number = 0; number < DAMAGED; number += 1) {
    const octets = damaged(sources[pick(sources.length)], pick, 20_000);
    const file = join(folder, `${number}.cap`);
    writeFileSync(file, octets);
    const longest = 1 + pick(3_000);
    async function* chunks() { yield* chunked(octets, () => pick(longest)); }
    const views = comparisons(program, file);
    for (const { name, theirs, ours } of [views[number % views.length], views[(number + 1) % views.length]]) {
      const mine = (await ours(chunks())) ?? Buffer.alloc(0);
      if (Buffer.compare(mine, theirs()) !== 0) differences.push(`${name} of capture ${number}`);
    }
  }
  assert.deepEqual(differences, [], `MIRRORSCOPE_SEED=${SEED}`);
  rmSync(folder, { recursive: true });
});
