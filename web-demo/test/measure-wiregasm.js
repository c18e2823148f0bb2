// Measures wiregasm, Wireshark in the browser, with a capture, beside what `npm run measure` tells of this page.
//
// It takes apart every protocol, this page the tunnels and the mirrored packet's headers: the numbers do not compare the
// same work. Its package has 39 MB and is not installed with the others:
//
//   npm install --no-save @goodtools/wiregasm@1.9.1 && node test/measure-wiregasm.js FILE
import { createServer } from 'node:http';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { launch } from './browser.js';

const file = process.argv[2];
const PACKAGE = fileURLToPath(new URL('../node_modules/@goodtools/wiregasm/dist/', import.meta.url));
if (!file || !existsSync(PACKAGE)) {
  console.error('usage: npm install --no-save @goodtools/wiregasm@1.9.1 && node test/measure-wiregasm.js FILE');
  process.exit(1);
}

/** What runs in the worker: the steps of wiregasm's own example, each with its time. */
const WORKER = `
importScripts('/wiregasm.js');
onmessage = async ({ data: file }) => {
  const times = {};
  let last = performance.now();
  const lap = (name) => { const now = performance.now(); times[name] = now - last; last = now; };
  const fetched = async (name) => (await fetch(name)).arrayBuffer();
  const [wasmBinary, data] = await Promise.all([fetched('/wiregasm.wasm'), fetched('/wiregasm.data')]);
  lap('fetched from this machine');
  const wg = await loadWiregasm({ wasmBinary, getPreloadedPackage: () => data, locateFile: (path) => '/' + path, noInitialRun: true, print() {}, printErr() {} });
  lap('module instantiated');
  wg.init();
  lap('initialised');
  wg.FS.writeFile('/uploads/capture', new Uint8Array(await file.arrayBuffer()));
  const session = new wg.DissectSession('/uploads/capture');
  session.load();
  lap('capture loaded');
  session.getFrames('', 0, 50);
  lap('first 50 rows');
  session.getFrame(1);
  lap('layers of a packet');
  session.getFrames('tcp.port == 443', 0, 50);
  lap('a filter');
  postMessage(times);
};`;

const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
const server = createServer(({ url }, response) => {
  if (url === '/') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<input type=file>');
  if (url === '/worker.js') return void response.writeHead(200, { 'content-type': 'text/javascript' }).end(WORKER);
  const path = PACKAGE + url.slice(1);
  if (existsSync(path)) return void createReadStream(path).pipe(response.writeHead(200, { 'content-type': TYPES[extname(url)] ?? 'application/octet-stream' }));
  if (existsSync(`${path}.gz`)) return void response.writeHead(200, { 'content-type': TYPES[extname(url)] ?? 'application/octet-stream' }).end(gunzipSync(readFileSync(`${path}.gz`)));
  response.writeHead(404).end();
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const browser = await launch();
const page = await browser.newPage();
page.on('pageerror', (error) => console.error(String(error)));
await page.goto(`http://127.0.0.1:${server.address().port}/`);
await page.setInputFiles('input', file);
const times = await page.evaluate(() => new Promise((resolve, reject) => {
  const worker = new Worker('/worker.js');
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(message));
  worker.postMessage(document.querySelector('input').files[0]);
}));
console.log(`${file}: ${statSync(file).size} octets`);
for (const [name, time] of Object.entries(times)) console.log(`${time.toFixed(1).padStart(9)}  ${name}, ms`);
await browser.close();
server.close();
