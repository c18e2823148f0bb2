/** The package and the native program say the same of the same octets, byte for byte. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MirrorscopeError, print, report } from '../dist/node.js';
import { all, fixture, native, nativeProgram, otherCaptures, PING, skip } from './captures.js';

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
