/** How the package is loaded: `slim` with what the caller brings, and the command line as its users meet it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const DIST = new URL('../dist/', import.meta.url);
const CLI = fileURLToPath(new URL('../bin/mirrorscope.js', import.meta.url));
const CAPTURE = fileURLToPath(new URL('../../../tests/fixtures/mirror/ping-curl-traceroute.pcap', import.meta.url));

/** Runs `code` in a process of its own, where nothing has been initialised. */
function fresh(code) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8', cwd: fileURLToPath(new URL('..', import.meta.url)) });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

function cli(...args) {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } });
}

test('the package is found by its own name, and is ready in Node on import', () => {
  assert.equal(fresh(`import { isReady } from 'mirrorscope'; console.log(isReady())`), 'true');
});

test('slim waits for the module and says so', () => {
  const code = (init) => `
    import { checkFilter, dissect, init, initCapture, initPacket, initSync } from 'mirrorscope/slim';
    import { readFileSync } from 'node:fs';
    const octets = (name) => readFileSync(new URL(name, ${JSON.stringify(DIST.href)}));
    try { checkFilter('tcp') } catch (error) { console.log(error.code) }
    ${init}
    console.log(checkFilter('tcp') === undefined);
    try { await dissect(new Uint8Array(14)) } catch (error) { console.log(error.code) }
    await initCapture(octets('capture.wasm'));
    await initPacket(octets('packet.wasm'));
    console.log((await dissect(new Uint8Array(14))).layers[0].key);`;
  const expected = 'NOT_INITIALISED\ntrue\nNOT_INITIALISED\neth';
  assert.equal(fresh(code(`await init(octets('mirrorscope.wasm'), octets('decode.wasm')); await init();`)), expected);
  assert.equal(fresh(code(`initSync(octets('mirrorscope.wasm'), octets('decode.wasm'));`)), expected);
  assert.equal(fresh(code(`await init(...['mirrorscope.wasm', 'decode.wasm'].map((name) => new WebAssembly.Module(octets(name))));`)), expected);
});

test('a module that is not the one that was asked for is refused, and the right one is taken afterwards', () => {
  const expected = ['MODULE', 'MODULE', 'MODULE', '63'].join('\n');
  assert.equal(fresh(`
    import { Capture, init, initCapture, initPacket, initSync } from 'mirrorscope/slim';
    import { readFileSync } from 'node:fs';
    const octets = (name) => readFileSync(new URL(name, ${JSON.stringify(DIST.href)}));
    const refused = async (load) => { try { await load() } catch (error) { console.log(error.code) } };
    await refused(() => initSync(octets('capture.wasm'), octets('decode.wasm')));
    await init(octets('mirrorscope.wasm'), octets('decode.wasm'));
    await refused(() => initCapture(octets('mirrorscope.wasm')));
    await refused(() => initCapture(octets('packet.wasm')));
    await initCapture(octets('capture.wasm'));
    console.log((await Capture.open(readFileSync(${JSON.stringify(CAPTURE)}))).packetCount);`), expected);
});

test('whatever goes wrong where a part is loaded is an error of the package, and the part can be tried again', () => {
  const expected = ['html', 'half', 'dropped', 'missing', 'none', 'own', 'nothing', 'sync'].map((what) => `${what} MODULE`);
  assert.equal(fresh(`
    import { dissect, init, initCapture, initPacket, initSync } from 'mirrorscope/slim';
    import { readFileSync } from 'node:fs';
    const octets = (name) => readFileSync(new URL(name, ${JSON.stringify(DIST.href)}));
    const tell = (what) => (error) => console.log(what, error.name === 'MirrorscopeError' && error.code);
    const answer = (body, type = 'application/wasm') => new Response(body, { headers: { 'content-type': type } });
    const dropped = new ReadableStream({ pull: (controller) => controller.error(new TypeError('terminated')) });
    await init(octets('mirrorscope.wasm'), octets('decode.wasm'));
    await initCapture(octets('capture.wasm'));
    await initPacket(answer('<html>', 'text/html')).catch(tell('html'));
    await initPacket(answer(octets('packet.wasm').subarray(0, 5000))).catch(tell('half'));
    await initPacket(answer(dropped)).catch(tell('dropped'));
    await initPacket(new Response('', { status: 404 })).catch(tell('missing'));
    await initPacket(5).catch(tell('none'));
    await initPacket(Promise.reject(new Error('own'))).catch(tell('own'));
    await initPacket(new Uint8Array()).catch(tell('nothing'));
    await initPacket(octets('packet.wasm'));
    await initPacket(Promise.reject(new Error('not needed')));
    console.log((await dissect(new Uint8Array(14))).layers[0].key);`), [...expected.slice(0, -1), 'eth'].join('\n'));
  assert.equal(fresh(`
    import { initSync } from 'mirrorscope/slim';
    try { initSync(new Uint8Array(3), new Uint8Array(3)) } catch (error) { console.log('sync', error.code) }`), expected.at(-1));
});

test('a part that was brought is loaded, though others asked for it before with none or a bad one', () => {
  assert.equal(fresh(`
    import { Capture, init, initCapture, initPacket } from 'mirrorscope/slim';
    import { readFileSync } from 'node:fs';
    const octets = (name) => readFileSync(new URL(name, ${JSON.stringify(DIST.href)}));
    const early = Promise.allSettled([initPacket(octets('packet.wasm')), Capture.open(new Uint8Array()), initCapture(new Uint8Array())]);
    const capture = initCapture(octets('capture.wasm'));
    await init(octets('mirrorscope.wasm'), octets('decode.wasm'));
    await capture;
    console.log((await early).map(({ reason }) => reason?.code).join());
    await initPacket(octets('packet.wasm'));
    console.log((await (await Capture.open(readFileSync(${JSON.stringify(CAPTURE)}))).overview()).packets);`), 'NOT_INITIALISED,NOT_INITIALISED,MODULE\n63');
});

test('the modules need nothing from an operating system and name no folder of their builder', () => {
  for (const name of ['mirrorscope.wasm', 'decode.wasm', 'capture.wasm', 'packet.wasm', 'reports.wasm']) {
    const octets = readFileSync(new URL(name, DIST));
    const imports = WebAssembly.Module.imports(new WebAssembly.Module(octets));
    assert.deepEqual(imports.filter(({ module }) => module === 'env' || module.startsWith('wasi')), [], name);
    assert.ok(!octets.includes('.cargo/registry'), name);
  }
});

test('the command line prints, filters, and fails with a status and a hint', () => {
  assert.equal(cli('-q', CAPTURE).stdout.trim().split('\n').length, 63);
  assert.equal(cli('--json', CAPTURE, 'icmp').stdout.split('\n').filter(Boolean).every((line) => JSON.parse(line).icmp), true);
  const expected = readFileSync(CAPTURE.replace('.pcap', '.tcpdump.txt'), 'utf8');
  assert.equal(cli('--style', 'tcpdump', CAPTURE).stdout, expected);
  const faulty = cli(CAPTURE, 'prot 80');
  assert.deepEqual([faulty.status, faulty.stdout], [1, '']);
  assert.match(faulty.stderr, /\^\^\^\^/);
  const text = cli(CLI);
  assert.equal(text.status, 2);
  assert.match(text.stderr, /hint: /);
  assert.equal(cli('/no/such/file').status, 1);
  assert.equal(cli('--help').status, 0);
});
