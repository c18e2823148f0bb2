/** The packed tarball, installed in an empty folder, as its users meet it: in Node, through streams, and in other runtimes. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { CAPTURE, Installed, program, starts, tool } from './packed.js';

const SCRIPT = `
import { readFileSync } from 'node:fs';
import { Capture, lint, summarise } from 'mirrorscope';
const octets = readFileSync(${JSON.stringify(CAPTURE)});
const { packets, sessions } = await summarise(octets, { filter: 'icmp or tcp' });
await lint('{"TrafficMirrorFilters": []}');
const capture = await Capture.open(octets);
console.log(JSON.stringify([packets > 0, sessions.length, sessions[0].vni, (await capture.select('icmp')).count > 0]));
`;
const EXPECTED = '[true,1,9325541,true]';

let installed;

before(() => {
  installed = new Installed();
  installed.write('script.js', SCRIPT);
});

after(() => installed?.dispose());

function succeeds({ status, stdout, stderr }) {
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

test('a script in Node counts sessions and loads the other modules by itself', () => {
  assert.equal(succeeds(installed.run(process.execPath, 'script.js')), EXPECTED);
});

test('a script in Deno does the same', (t) => {
  if (starts(t, installed, 'deno')) assert.equal(succeeds(installed.run(program('deno'), 'run', '--allow-read', 'script.js')), EXPECTED);
});

test('a script in Bun does the same', (t) => {
  if (starts(t, installed, 'bun')) assert.equal(succeeds(installed.run(program('bun'), 'run', 'script.js')), EXPECTED);
});

test('workerd answers requests with the package, all its modules included', async (t) => {
  const workerd = await tool(t, 'miniflare', 'dist/src/index.js');
  if (!workerd) return;
  installed.write('service.js', `
import { Capture, lint, summarise } from 'mirrorscope';
export default {
  async fetch(request) {
    const octets = new Uint8Array(await request.arrayBuffer());
    const { packets, sessions } = await summarise(octets, { filter: 'icmp or tcp' });
    await lint('{"TrafficMirrorFilters": []}');
    const capture = await Capture.open(octets);
    return Response.json([packets > 0, sessions.length, sessions[0].vni, (await capture.select('icmp')).count > 0]);
  },
};`);
  // As wrangler does it: scripts become one, modules stay files.
  const { outputFiles } = await build({
    absWorkingDir: installed.folder, entryPoints: ['service.js'], bundle: true, write: false, format: 'esm',
    target: 'es2022', conditions: ['workerd'], external: ['*.wasm'], logLevel: 'silent',
  });
  const wasm = ['mirrorscope.wasm', 'decode.wasm', 'capture.wasm', 'packet.wasm', 'reports.wasm'];
  const runtime = new workerd.Miniflare({
    compatibilityDate: '2025-07-01',
    modules: [
      { type: 'ESModule', path: 'service.js', contents: outputFiles[0].text },
      ...wasm.map((name) => ({ type: 'CompiledWasm', path: name, contents: readFileSync(installed.path(`node_modules/mirrorscope/dist/${name}`)) })),
    ],
  });
  try {
    const answer = await runtime.dispatchFetch('http://localhost/', { method: 'POST', body: readFileSync(CAPTURE) });
    assert.equal(await answer.text(), EXPECTED);
  } finally {
    await runtime.dispose();
  }
});

test('a pipeline of node:stream ends in JSON lines', () => {
  installed.write('pipeline.js', `
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { print } from 'mirrorscope';
await pipeline(Readable.fromWeb(print(createReadStream(${JSON.stringify(CAPTURE)}), { filter: 'icmp' })), process.stdout);
`);
  const lines = succeeds(installed.run(process.execPath, 'pipeline.js')).split('\n').map((line) => JSON.parse(line));
  assert.ok(lines.length > 0 && lines.every(({ icmp }) => icmp));
});

test('a TransformStream turns octets into batches', () => {
  installed.write('transform.js', `
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { DecodeStream } from 'mirrorscope';
let packets = 0;
for await (const batch of Readable.toWeb(createReadStream(${JSON.stringify(CAPTURE)})).pipeThrough(new DecodeStream({ batchLength: 20 }))) packets += batch.length;
console.log(packets);
`);
  assert.equal(succeeds(installed.run(process.execPath, 'transform.js')), '63');
});

test('a worker in Node answers from the tarball', () => {
  installed.write('worker.js', `
import { readFileSync } from 'node:fs';
import { MirrorscopeWorker } from 'mirrorscope/worker';
const worker = await MirrorscopeWorker.start();
const { packets } = await worker.summarise(new Uint8Array(readFileSync(${JSON.stringify(CAPTURE)})));
console.log(packets);
worker.dispose();
`);
  assert.equal(succeeds(installed.run(process.execPath, 'worker.js')), '63');
});

test('the command of the package prints what is in a capture', () => {
  const text = succeeds(installed.run(installed.path('node_modules/.bin/mirrorscope'), '--json', CAPTURE));
  assert.equal(text.split('\n').length, 63);
});

test('a program in TypeScript is understood as the documentation says, and wrong ones are not', () => {
  writeFileSync(installed.path('types.ts'), readFileSync(new URL('./types.ts', import.meta.url)));
  const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
  for (const [module, moduleResolution] of [['NodeNext', 'NodeNext'], ['ESNext', 'Bundler']]) {
    const lib = ['ES2023', 'ESNext.Disposable', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'];
    const compilerOptions = { noEmit: true, strict: true, exactOptionalPropertyTypes: true, target: 'ES2022', lib, types: [], module, moduleResolution };
    installed.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['types.ts'] }));
    const { status, stdout } = installed.run(process.execPath, tsc);
    assert.equal(status, 0, stdout);
  }
});

test('every example of the README runs', () => {
  const readme = readFileSync(installed.path('node_modules/mirrorscope/README.md'), 'utf8');
  const examples = [...readme.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, code]) => code);
  assert.ok(examples.length >= 8, `${examples.length} examples`);
  // What the examples leave to their readers.
  const given = `
    import { readFileSync } from 'node:fs';
    globalThis.file = new File([readFileSync(${JSON.stringify(CAPTURE)})], 'capture.pcap');
    globalThis.otherFile = file;
    globalThis.filtersJson = '{"TrafficMirrorFilters": []}';
    globalThis.onProgress = () => {};
    globalThis.document = { title: '' };
    globalThis.fetch = async () => new Response(file);
  `;
  installed.write('given.js', given);
  for (const [at, code] of examples.entries()) {
    installed.write(`example-${at}.js`, `import './given.js';\n${code}\nprocess.exit(0);\n`);
    const { status, stderr } = installed.run(process.execPath, `example-${at}.js`);
    assert.equal(status, 0, `${code}\n${stderr}`);
  }
});

test('the tarball holds what is imported and nothing else', () => {
  const files = readdirSync(installed.path('node_modules/mirrorscope'), { recursive: true }).map(String);
  assert.ok(!files.some((name) => /\.(map|tgz)$|unoptimised|(^|\/)src\//.test(name)), files.join(' '));
});
