/** The packed tarball in a browser: a plain page, what bundlers make of it, Vite's development server, and a worker. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { after, before, test } from 'node:test';
import { build as esbuild } from 'esbuild';
import { skip } from './captures.js';
import { CAPTURE, Installed, tool } from './packed.js';

const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm', '.pcap': 'application/octet-stream' };
const EXPECTED = '63 packets, vni 9325541, ICMP 57';
const LIMIT_MS = 60_000;

/** The same program for every way to build it; what it found stands in the title. */
const PROGRAM = `
import { Capture, init, summarise } from 'mirrorscope';
async function main() {
  await init(WHERE);
  const capture = await (await fetch(PCAP)).blob();
  const { packets, sessions } = await summarise(capture);
  const icmp = await (await Capture.open(capture)).select('icmp');
  document.title = packets + ' packets, vni ' + sessions[0].vni + ', ICMP ' + icmp.count;
}
main().catch((error) => (document.title = 'failed: ' + error.message));
`;
const IN_WORKER = `
import { MirrorscopeWorker } from 'mirrorscope/worker';
async function main() {
  const worker = await MirrorscopeWorker.start();
  const capture = worker.open(await (await fetch(PCAP)).blob());
  await capture.loaded;
  const [{ vni }] = await capture.sessions();
  const icmp = await capture.select('icmp');
  document.title = capture.packetCount + ' packets, vni ' + vni + ', ICMP ' + icmp.count;
  worker.dispose();
}
main().catch((error) => (document.title = 'failed: ' + error.message));
`;

let installed;
let server;
let browser;

before(async () => {
  installed = new Installed();
  copyFileSync(CAPTURE, installed.path('capture.pcap'));
  installed.write('main.js', program(PROGRAM));
  installed.write('in-worker.js', program(IN_WORKER));
  server = createServer((request, response) => {
    const file = join(installed.folder, normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname)));
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
});

after(async () => {
  await browser?.close();
  server?.close();
  installed?.dispose();
});

function program(text, { pcap = '/capture.pcap', where = '' } = {}) {
  return text.replace('PCAP', JSON.stringify(pcap)).replace('WHERE', where);
}

async function open(t) {
  const playwright = await tool(t, 'playwright-core', 'index.mjs');
  if (!playwright) return undefined;
  if (!existsSync(BROWSER)) return skip(t, 'the npm package in a browser; to have it: sudo apt-get install -y chromium');
  browser ??= await playwright.chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'] });
  return browser.newPage();
}

function origin() {
  return `http://127.0.0.1:${server.address().port}`;
}

/** What the page put into its title, or the errors in its way. */
async function title(page, url) {
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  await page.goto(url);
  try {
    await page.waitForFunction(() => / packets, |failed/.test(document.title), undefined, { timeout: LIMIT_MS });
  } catch {
    errors.push('nothing came');
  }
  const found = await page.title();
  await page.close();
  return [found, ...errors].join('\n');
}

function html(name, head) {
  installed.write(name, `<!doctype html><meta charset="utf-8"><title>not yet</title><link rel="icon" href="data:,">${head}`);
}

test('a plain page without a bundler finds the package by an import map', async (t) => {
  const page = await open(t);
  if (!page) return;
  const map = { imports: { mirrorscope: '/node_modules/mirrorscope/dist/web.js', 'mirrorscope/worker': '/node_modules/mirrorscope/dist/worker.js' } };
  const head = `<script type="importmap">${JSON.stringify(map)}</script>`;
  html('plain.html', `${head}<script type="module" src="main.js"></script>`);
  html('plain-worker.html', `${head}<script type="module" src="in-worker.js"></script>`);
  assert.equal(await title(page, `${origin()}/plain.html`), EXPECTED);
  assert.equal(await title(await open(t), `${origin()}/plain-worker.html`), EXPECTED);
});

test('where a part is not there, every question that needs it says so, and is answered when it is there again', async (t) => {
  const page = await open(t);
  if (!page) return;
  html('missing.html', '');
  await page.goto(`${origin()}/missing.html`);
  await page.route(/reports\.wasm$/, (route) => route.abort());
  const ask = () => page.evaluate(async () => {
    const { Capture, explain, init, MirrorscopeError } = await import('/node_modules/mirrorscope/dist/web.js');
    const octets = await (await fetch('/capture.pcap')).blob();
    await init();
    const capture = await Capture.open(octets);
    const questions = [capture.text(0, 'tcpdump'), capture.explain([]), explain(octets, [])];
    const told = await Promise.allSettled(questions);
    return told.map(({ reason, status }) => (reason instanceof MirrorscopeError ? reason.code : reason?.message ?? status)).join();
  });
  assert.equal(await ask(), 'MODULE,MODULE,MODULE');
  await page.unroute(/reports\.wasm$/);
  assert.equal(await ask(), 'fulfilled,fulfilled,fulfilled');
  await page.close();
});

test('Vite builds a page with the package and its worker, and serves it while it is developed', async (t) => {
  const [page, vite] = [await open(t), await tool(t, 'vite', 'dist/node/index.js')];
  if (!page || !vite) return;
  html('index.html', '<script type="module" src="/main.js"></script>');
  html('worker.html', '<script type="module" src="/in-worker.js"></script>');
  const shared = { root: installed.folder, configFile: false, logLevel: 'error', optimizeDeps: { exclude: ['mirrorscope'] } };
  const input = [installed.path('index.html'), installed.path('worker.html')];
  await vite.build({ ...shared, base: './', build: { target: 'es2022', outDir: 'vite', rollupOptions: { input } }, worker: { format: 'es' } });
  assert.equal(await title(page, `${origin()}/vite/index.html`), EXPECTED);
  assert.equal(await title(await open(t), `${origin()}/vite/worker.html`), EXPECTED);
  const developing = await vite.createServer({ ...shared, server: { port: 0, host: '127.0.0.1' } });
  try {
    await developing.listen();
    const url = developing.resolvedUrls.local[0];
    assert.equal(await title(await open(t), `${url}index.html`), EXPECTED);
    assert.equal(await title(await open(t), `${url}worker.html`), EXPECTED);
  } finally {
    await developing.close();
  }
});

test('webpack builds a page with the package and its worker', async (t) => {
  const [page, webpack] = [await open(t), await tool(t, 'webpack', 'lib/index.js')];
  if (!page || !webpack) return;
  const config = { mode: 'production', context: installed.folder, entry: { main: './main.js', worker: './in-worker.js' }, output: { path: installed.path('webpack'), publicPath: '/webpack/' }, performance: { hints: false } };
  const stats = await new Promise((resolve, reject) => webpack.default(config, (error, found) => (error ? reject(error) : resolve(found))));
  assert.ok(!stats.hasErrors(), stats.toString());
  html('webpack.html', '<script type="module" src="webpack/main.js"></script>');
  html('webpack-worker.html', '<script type="module" src="webpack/worker.js"></script>');
  assert.equal(await title(page, `${origin()}/webpack.html`), EXPECTED);
  assert.equal(await title(await open(t), `${origin()}/webpack-worker.html`), EXPECTED);
});

/** Bundlers that leave modules where they are: one copies them, and says where they lie. */
const COPYING = {
  async esbuild() {
    await esbuild({ absWorkingDir: installed.folder, entryPoints: ['slim.js'], bundle: true, format: 'esm', target: 'es2022', outfile: 'esbuild/main.js', logLevel: 'silent' });
    return true;
  },
  async Rollup(t) {
    const rollup = await tool(t, 'rollup', 'dist/es/rollup.js');
    if (!rollup) return false;
    const resolve = { name: 'resolve', resolveId: (id) => (id === 'mirrorscope/slim' ? installed.path('node_modules/mirrorscope/dist/slim.js') : null) };
    const bundle = await rollup.rollup({ input: installed.path('slim.js'), plugins: [resolve], logLevel: 'silent' });
    await bundle.write({ dir: installed.path('rollup'), format: 'es', entryFileNames: 'main.js' });
    return true;
  },
};

for (const [name, build] of Object.entries(COPYING)) {
  test(`${name} bundles the slim entry, with the module beside it`, async (t) => {
    const page = await open(t);
    if (!page) return;
    const folder = name.toLowerCase();
    const [first, decode] = ['mirrorscope.wasm', 'decode.wasm'].map((file) => `'/${folder}/${file}'`);
    const code = program(PROGRAM, { where: `${first}, ${decode}` }).replace("'mirrorscope'", "'mirrorscope/slim'");
    const parts = `import { init as begin, initCapture, initPacket } from 'mirrorscope/slim';\nawait begin(${first}, ${decode});\nawait initCapture('/${folder}/capture.wasm');\nawait initPacket('/${folder}/packet.wasm');\n`;
    installed.write('slim.js', parts + code);
    mkdirSync(installed.path(folder), { recursive: true });
    for (const file of ['mirrorscope.wasm', 'decode.wasm', 'capture.wasm', 'packet.wasm']) copyFileSync(installed.path(`node_modules/mirrorscope/dist/${file}`), installed.path(`${folder}/${file}`));
    if (!(await build(t))) return;
    html(`${folder}.html`, `<script type="module" src="${folder}/main.js"></script>`);
    assert.equal(await title(page, `${origin()}/${folder}.html`), EXPECTED);
  });
}
