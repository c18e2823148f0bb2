// An agent serves the page, and the page follows it: packets appear, pause stops them, a lost agent is come back to.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { launch, open, PROGRAM, shot } from './browser.js';

const PAGE = fileURLToPath(new URL('../dist', import.meta.url));
const SCRATCH = mkdtempSync(join(tmpdir(), 'mirrorscope-live-'));

let browser;
/** What was started and must not outlive the tests. */
const children = [];
before(async () => {
  browser = await launch();
});
after(async () => {
  await browser?.close();
  children.forEach((child) => child.kill('SIGKILL'));
  rmSync(SCRATCH, { recursive: true });
});

/** An agent on ports of its own, on loopback. */
async function agent(ports, ...options) {
  const child = spawn(PROGRAM, ['serve', '--listen', `127.0.0.1:${ports.udp}`, '--health', 'none', '--api', `127.0.0.1:${ports.api}`, '--page', PAGE, '--workers', '1', ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  await new Promise((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (text) => (said += text).includes('receiving on UDP') && resolve());
    child.on('exit', () => reject(new Error(said)));
  });
  return { url: `http://127.0.0.1:${ports.api}/`, stop: () => new Promise((resolve) => { child.removeAllListeners('exit'); child.on('exit', resolve); child.kill('SIGKILL'); }) };
}

async function freePorts() {
  const port = () => new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => resolve(port)); });
  });
  return { udp: await port(), api: await port() };
}

const feed = (ports, packets) => execFileSync(PROGRAM, ['send', '--generate', '--packets', String(packets), '--flows', '20', '--sessions', '3', '--rate', '500', '--to', `127.0.0.1:${ports.udp}`], { stdio: 'ignore' });
const shown = (page, least) => page.waitForFunction((least) => Number(document.querySelector('[role=grid]')?.ariaRowCount ?? 1) > least, least);

test('packets appear, pause holds them back, and a lost agent is come back to', async () => {
  const ports = await freePorts();
  let running = await agent(ports);
  const { context, page } = await open(browser, running.url);
  await page.click('button:has-text("Follow this agent")');
  await page.waitForSelector('.live.waiting');
  feed(ports, 300);
  await shown(page, 250);
  await page.waitForFunction(() => document.querySelector('.status').textContent.includes('agent received'));
  await page.waitForFunction(() => document.querySelector('.grid-row:not([hidden])').textContent.includes('VNI 100'));
  await shot(page, 'live');

  await page.click('button:text-is("Pause")');
  await page.waitForSelector('.live.paused');
  const before = Number(await page.getAttribute('[role=grid]', 'aria-rowcount'));
  feed(ports, 100);
  assert.equal(Number(await page.getAttribute('[role=grid]', 'aria-rowcount')), before);
  await page.click('button:text-is("Resume")');
  await page.waitForSelector('.live.waiting, .live.following');
  feed(ports, 100);
  await shown(page, before);

  await running.stop();
  await page.waitForSelector('.live.lost');
  running = await agent(ports);
  await page.waitForSelector('.live.waiting, .live.following', { timeout: 15_000 });
  const kept = Number(await page.getAttribute('[role=grid]', 'aria-rowcount'));
  feed(ports, 100);
  await shown(page, kept);
  await running.stop();
  await context.close();
});

test('with a token, the page asks for it and takes it from the fragment', async () => {
  const ports = await freePorts();
  const file = join(SCRATCH, 'token');
  writeFileSync(file, 'a-secret-of-some-length\n', { mode: 0o600 });
  const running = await agent(ports, '--api-token-file', file);
  const denied = await open(browser, running.url);
  await denied.page.click('button:has-text("Follow this agent")');
  await denied.page.waitForSelector('.live.denied');
  await denied.context.close();
  const { context, page } = await open(browser, `${running.url}#token=a-secret-of-some-length`);
  assert.doesNotMatch(page.url(), /token/);
  await page.click('button:has-text("Follow this agent")');
  await page.waitForSelector('.live.waiting');
  feed(ports, 50);
  await shown(page, 40);
  await running.stop();
  await context.close();
});
