// A browser on the built page, served by a plain file server under a sub-path; counts what the page asks for.
import { after, before } from 'node:test';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const DIST = new URL('../dist/', import.meta.url);
export const SCREENSHOTS = new URL('./screenshots/', import.meta.url);
export const FIXTURES = fileURLToPath(new URL('../../tests/fixtures/', import.meta.url));
export const PING = `${FIXTURES}mirror/ping-curl-traceroute.pcap`;
export const SHELL = `${FIXTURES}mirror/ssm-tcp443.pcap`;
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.svg': 'image/svg+xml', '.pcap': 'application/octet-stream' };
/** Debian's Chromium looks for its maker's hosts at every start, unless told not to. */
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Serves the built page at `/some/path/`, as any static host would. */
export async function serve(root = '/some/path/') {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://x').pathname);
    const name = path === root ? 'index.html' : path.slice(root.length);
    const file = new URL(name, DIST);
    if (!path.startsWith(root) || name.includes('..') || !existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream' }).end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}${root}`, close: () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }) };
}

export async function launch() {
  mkdirSync(SCREENSHOTS, { recursive: true });
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
}

/** A new page with its console kept: an error there fails the test that looks at `problems`. */
export async function open(browser, url, { language = 'en-US', colorScheme = 'light', viewport = { width: 1440, height: 900 }, serviceWorkers = 'block', ...more } = {}) {
  const context = await browser.newContext({ locale: language, colorScheme, viewport, serviceWorkers, acceptDownloads: true, ...more });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const problems = [];
  const requests = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  // That a test forbids service workers is no fault of the page.
  const isOurs = (text) => !text.includes('Service Worker registration blocked');
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && isOurs(message.text()) && problems.push(message.text()));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(url);
  await page.waitForSelector('.drop');
  return { context, page, problems, requests };
}

/** Waits until all is there that may be needed later: the samples, all views, and all parts of the decoder. */
export const readAhead = (page) => page.waitForSelector('html[data-warm]');

export const shot = (page, name) => page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, SCREENSHOTS)) });

/** What the tests of a file share: a server and a browser, closed behind them. */
export function stage() {
  let server;
  let browser;
  before(async () => {
    server = await serve();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  /** A new page; `hash` is its address behind `#`. */
  const empty = (options, hash = '') => open(browser, server.url + (hash && `#${hash}`), options);
  /** A new page with captures read whole, in a view. */
  const opened = async (files = PING, tab = '', options = {}) => {
    const opened = await empty(options, tab && `tab=${tab}`);
    await opened.page.setInputFiles('.drop input', files);
    await opened.page.waitForSelector('.status');
    await opened.page.waitForFunction(() => !document.querySelector('.status progress'));
    return opened;
  };
  return { empty, opened, browser: () => browser, url: () => server.url };
}

/** A folder that is gone after the tests of a file. */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), 'mirrorscope-page-'));
  after(() => rmSync(folder, { recursive: true }));
  return (name) => join(folder, name);
}

export const shownCount = (page) => page.textContent('.filter-says');
/** Waits until the filter's count says `count of all`. */
export const showsCount = (page, count) => page.waitForFunction((count) => document.querySelector('.filter-says').textContent.startsWith(`${count} of`), count);
export const rowTexts = (page) => page.$$eval('.grid-row:not([hidden])', (rows) => rows.sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((row) => row.textContent));
export const filterBy = async (page, text) => {
  await page.fill('#filter', text);
  await page.keyboard.press('Enter');
};
