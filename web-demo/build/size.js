// Fails the build where the page is larger than promised: what is downloaded before a capture can be read, gzip.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** Octets of everything, and of scripts without the decoder's module. */
const MAX_LEN = 220 * 1024;
const MAX_SCRIPT_LEN = 80 * 1024;

const dist = new URL('../dist/', import.meta.url);
const names = ['index.html', ...readdirSync(new URL('assets/', dist)).map((name) => `assets/${name}`)];
// The samples are no part of a usable page: they are fetched behind it.
const sizes = names
  .filter((name) => !name.endsWith('.pcap') && !name.endsWith('.map'))
  .map((name) => ({ name, len: gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length }));
const sum = (list) => list.reduce((total, { len }) => total + len, 0);
const total = sum(sizes);
const scripts = sum(sizes.filter(({ name }) => name.endsWith('.js')));

for (const { name, len } of sizes) console.log(`${String(len).padStart(8)}  ${name}`);
console.log(`${String(total).padStart(8)}  of ${MAX_LEN} in all, scripts ${scripts} of ${MAX_SCRIPT_LEN} (octets, gzip)`);
if (total > MAX_LEN || scripts > MAX_SCRIPT_LEN) {
  console.error('error: the page is over its size budget');
  process.exitCode = 1;
}
