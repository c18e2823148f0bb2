// Fails the build where the page is larger than promised: what is downloaded before a capture can be read and its
// packets be shown, gzip.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/**
 * Octets of everything, and of scripts alone.
 */
const MAX_LEN = 190 * 1024;
const MAX_SCRIPT_LEN = 64 * 1024;

const dist = new URL('../dist/', import.meta.url);
const text = (name) => readFileSync(new URL(name, dist), 'utf8');
const assets = readdirSync(new URL('assets/', dist)).map((name) => `assets/${name}`);

/** A script and all that it imports before it runs; what it imports later comes behind a usable page. */
function withImports(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const [, path] of text(name).matchAll(/(?:from|import)"(\.\/[^"]+)"/g)) withImports(`assets/${path.slice(2)}`, found);
  return found;
}

const page = text('index.html');
const linked = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, path]) => path);
// The worker and its two modules, and the texts of one language, are asked for at once.
const at = (pattern) => assets.filter((name) => pattern.test(name));
const first = new Set(['index.html', ...linked, ...at(/\/(mirrorscope|capture)-.*\.wasm$/)]);
for (const script of [...linked.filter((name) => name.endsWith('.js')), ...at(/\/(worker-main|en)-.*\.js$/)]) withImports(script, first);

const sizes = [...first].map((name) => ({ name, len: gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length }));
const sum = (list) => list.reduce((total, { len }) => total + len, 0);
const total = sum(sizes);
const scripts = sum(sizes.filter(({ name }) => name.endsWith('.js')));

for (const { name, len } of sizes) console.log(`${String(len).padStart(8)}  ${name}`);
console.log(`${String(total).padStart(8)}  of ${MAX_LEN} in all, scripts ${scripts} of ${MAX_SCRIPT_LEN} (octets, gzip)`);
if (total > MAX_LEN || scripts > MAX_SCRIPT_LEN) {
  console.error('error: the page is over its size budget');
  process.exitCode = 1;
}
