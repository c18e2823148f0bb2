/**
 * `cargo xtask bench js`: the package beside the native program, a decoder written by hand, and wiregasm (Wireshark in
 * WebAssembly), as Markdown. Contenders take turns; what is told is processor time, the least of some rounds.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const ROUNDS = Number(process.env.MIRRORSCOPE_BENCH_ROUNDS ?? 5);
const PROGRAM = process.env.MIRRORSCOPE_BIN;
const DIR = process.env.MIRRORSCOPE_BENCH_DIR;
const RUN = fileURLToPath(new URL('./run.js', import.meta.url));
const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const MODULES = ['mirrorscope.wasm', 'decode.wasm', 'capture.wasm', 'packet.wasm', 'reports.wasm'];

/** A capture made by the program: the same octets each time. */
function capture(name, packets, flows, ...words) {
  mkdirSync(DIR, { recursive: true });
  const file = join(DIR, `${name}-${packets}-${flows}-16.pcap`);
  const options = ['--seed', '1', '--packets', packets, '--flows', flows, '--sessions', '16', ...words].map(String);
  if (!existsSync(file)) run(PROGRAM, ['send', '--generate', '--quiet', ...options, '-w', file]);
  return file;
}

function run(program, args) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return { stdout, stderr };
}

/** Processor milliseconds of the native program, its start included. */
function native(file) {
  const { stderr } = run('bash', ['-c', 'TIMEFORMAT="%U %S"; time "$0" sessions -q "$1" > /dev/null', PROGRAM, file]);
  const [user, system] = stderr.trim().split(/\s+/).slice(-2).map(Number);
  return (user + system) * 1000;
}

/** Processor milliseconds of a contender in Node, the package's import included. */
function inNode(name, file) {
  return JSON.parse(run(process.execPath, [RUN, name, file]).stdout.trim().split('\n').at(-1)).ms;
}

/** The least of some rounds of each, in turns. */
function contest(contenders) {
  const best = new Map();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, measure] of Object.entries(contenders)) best.set(name, Math.min(best.get(name) ?? Infinity, measure()));
  }
  return best;
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function ratio(a, b) {
  return (a / b).toFixed(2);
}

function throughput() {
  const files = { mix: capture('imix', 1_000_000, 20_000), small: capture('small', 1_000_000, 20_000, '--small') };
  for (const [kind, file] of Object.entries(files)) {
    const best = contest({
      native: () => native(file),
      decode: () => inNode('decode', file),
      again: () => inNode('decode again', file),
      columns: () => inNode('columns', file),
      'by hand': () => inNode('by hand', file),
    });
    const [program, decode, columns] = ['native', 'decode', 'columns'].map((name) => best.get(name));
    const of = { native: '', decode: `${ratio(decode, program)} of native`, again: `${ratio(best.get('again'), program)} of native`, columns: `${ratio(columns, decode)} of decode`, 'by hand': `${ratio(columns, best.get('by hand'))} columns of this` };
    console.log(`\n### 1,000,000 mirrored packets, ${kind}, ${Math.round(statSync(file).size / 1e6)} MB\n`);
    const names = { native: 'the program, `sessions`', decode: '`Decoder`, with sessions, in a new process', again: 'the same over a second capture in that process', columns: '`Decoder` with columns, three of them read', 'by hand': 'a `DataView` by hand, the same columns' };
    console.log(table(['contender', 'ms of CPU', 'ratio'], [...best].map(([name, ms]) => [names[name], Math.round(ms), of[name]])));
  }
}

function wireshark() {
  const file = capture('imix-tiny', 20_000, 400);
  const best = contest({ columns: () => inNode('columns', file), again: () => inNode('columns again', file), wiregasm: () => inNode('wiregasm', file) });
  console.log('\n### 20,000 packets, beside wiregasm: load and list. It dissects far more: every field of every protocol\n');
  const rows = [...best].map(([name, ms]) => [name === 'again' ? 'columns, second capture of the process' : name, ms.toFixed(1), ratio(best.get('wiregasm'), ms)]);
  console.log(table(['contender', 'ms of CPU', 'wiregasm takes'], rows));
}

/** Wall milliseconds until the package can be used in a new process. */
function start() {
  const code = `const began = performance.now(); await import(${JSON.stringify(new URL('../dist/node.js', import.meta.url).href)}); console.log(performance.now() - began);`;
  const best = contest({ import: () => Number(run(process.execPath, ['--input-type=module', '-e', code]).stdout) });
  console.log(`\nImport in Node ${process.version}, ready to decode: ${best.get('import').toFixed(1)} ms.`);
}

function sizes() {
  const gzip = (name) => gzipSync(readFileSync(join(DIST, name)), { level: 9 }).length;
  console.log('\n### Sizes\n');
  console.log(table(['module', 'bytes', 'gzip'], MODULES.map((name) => [name, statSync(join(DIST, name)).size, gzip(name)])));
}

/** Compiling and instantiating in a browser, where one is there. */
async function browser() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const { chromium } = await import(new URL('../test/runtimes/node_modules/playwright-core/index.mjs', import.meta.url));
  if (!existsSync(executablePath)) return console.log('\nSKIPPED: the browser; to have it: sudo apt-get install -y chromium');
  const types = { js: 'text/javascript', wasm: 'application/wasm' };
  const server = createServer((request, response) => {
    const name = request.url.slice(1);
    if (name === '') return response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>');
    const type = types[name.split('.').pop()];
    // A browser also asks for an icon.
    if (!type || !existsSync(join(DIST, name))) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': type }).end(readFileSync(join(DIST, name)));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const open = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const best = new Map();
  for (let round = 0; round < ROUNDS; round += 1) {
    const page = await open.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    for (const name of MODULES) {
      const ms = await page.evaluate(async (url) => {
        const octets = await (await fetch(url)).arrayBuffer();
        const began = performance.now();
        await WebAssembly.compile(octets);
        return performance.now() - began;
      }, `/${name}`);
      best.set(name, Math.min(best.get(name) ?? Infinity, ms));
    }
    const init = await page.evaluate(async () => {
      const began = performance.now();
      await (await import('/web.js')).init();
      return performance.now() - began;
    });
    best.set('import and init()', Math.min(best.get('import and init()') ?? Infinity, init));
    await page.close();
  }
  await open.close();
  server.close();
  console.log('\n### Chromium\n');
  console.log(table(['compiled', 'ms'], [...best].map(([name, ms]) => [name, ms.toFixed(1)])));
}

console.log(`Measured on ${cpus().length} x ${cpus()[0].model}, Node ${process.version}; least of ${ROUNDS} rounds in turns.`);
sizes();
start();
throughput();
wireshark();
await browser();
