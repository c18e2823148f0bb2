// Fails the build where the page is larger than promised: what is downloaded before a capture can be read, gzip.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/**
 * Octets of everything, and of scripts alone. Ratchets at today's size: the goals are 220 KiB and 80 KiB, of which the
 * decoder's module alone has more than the first.
 */
const MAX_LEN = 350 * 1024;
const MAX_SCRIPT_LEN = 98 * 1024;

const dist = new URL('../dist/', import.meta.url);
const names = ['index.html', ...readdirSync(new URL('assets/', dist)).map((name) => `assets/${name}`)];
// The samples, and the module behind tcpdump's text and the mirror filter's reports, are fetched behind a usable page.
const sizes = names
  .filter((name) => !name.endsWith('.pcap') && !name.includes('/reports-') && !name.endsWith('.map'))
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
