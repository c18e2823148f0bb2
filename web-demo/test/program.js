// The program `mirrorscope`: it says what is right, makes captures, and serves the page.
import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = fileURLToPath(new URL('../dist', import.meta.url));
/** As built last. */
const PROGRAM = resolve(ROOT, process.env.MIRRORSCOPE_BIN ?? 'target/debug/mirrorscope');

export function run(...args) {
  return execFileSync(PROGRAM, args, { encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'ignore'] });
}

/** The lines of `mirrorscope read`: one a packet. */
export function read(file, filter = '') {
  return run('read', file, ...(filter ? [filter] : [])).trim().split('\n').filter(Boolean);
}

/** Writes a capture of made-up traffic. */
export function generate(file, ...options) {
  run('send', '--generate', ...options.map(String), '--write', file);
}

/** The reason to skip a test: the tool is not there. */
export function missing(tool) {
  try {
    execFileSync(tool, ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return `${tool} is not installed; to have it: apt-get install ${tool}`;
  }
}

/** Starts agents on loopback for the tests of a file; none outlives them. */
export function agents() {
  const children = [];
  after(() => children.forEach((child) => child.kill('SIGKILL')));
  return async (ports, ...options) => {
    const child = spawn(PROGRAM, ['serve', '--listen', `127.0.0.1:${ports.udp}`, '--health', 'none', '--api', `127.0.0.1:${ports.api}`, '--page', PAGE, '--workers', '1', ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
    children.push(child);
    await new Promise((resolve, reject) => {
      let said = '';
      child.stderr.on('data', (text) => (said += text).includes('receiving on UDP') && resolve());
      child.on('exit', () => reject(new Error(said)));
    });
    return { url: `http://127.0.0.1:${ports.api}/`, stop: () => new Promise((resolve) => { child.removeAllListeners('exit'); child.on('exit', resolve); child.kill('SIGKILL'); }) };
  };
}

export async function freePorts() {
  const port = () => new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => resolve(port)); });
  });
  return { udp: await port(), api: await port() };
}

/** Sends made-up traffic to an agent. */
export const feed = (ports, packets) => run('send', '--generate', '--packets', String(packets), '--flows', String(Math.min(packets, 20)), '--sessions', '3', '--rate', '500', '--to', `127.0.0.1:${ports.udp}`);
