/** The packed tarball, installed in an empty folder as its users do it, and the tools that it is tried with. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { skip } from './captures.js';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const TOOLS = fileURLToPath(new URL('./runtimes/node_modules', import.meta.url));
/** How to get what is missing. */
const INSTALL = 'npm ci --prefix wasm/npm/test/runtimes';

export const CAPTURE = fileURLToPath(new URL('../../../tests/fixtures/mirror/ping-curl-traceroute.pcap', import.meta.url));

/** A folder in which `npm install mirrorscope.tgz` was said. */
export class Installed {
  constructor() {
    const tarball = readdirSync(DIST).find((name) => name.endsWith('.tgz'));
    assert.ok(tarball, 'cargo xtask wasm packs the package');
    this.folder = mkdtempSync(join(tmpdir(), 'mirrorscope-package-'));
    this.write('package.json', '{ "type": "module" }');
    const { status, stderr } = this.run('npm', 'install', '--offline', '--no-audit', '--no-fund', join(DIST, tarball));
    assert.equal(status, 0, stderr);
  }

  path(name) {
    return join(this.folder, name);
  }

  write(name, text) {
    writeFileSync(this.path(name), text);
  }

  run(program, ...args) {
    return spawnSync(program, args, { encoding: 'utf8', timeout: 240_000, cwd: this.folder });
  }

  /** As `run`, while this process goes on. */
  start(program, ...args) {
    return new Promise((resolve) => {
      const child = spawn(program, args, { timeout: 240_000, cwd: this.folder });
      let output = '';
      child.stdout.on('data', (text) => (output += text));
      child.stderr.on('data', (text) => (output += text));
      child.on('close', (status) => resolve({ status, output }));
      child.on('error', (error) => resolve({ status: -1, output: String(error) }));
    });
  }

  dispose() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A program of the tools, or of the same name on the path. */
export function program(name) {
  const own = join(TOOLS, '.bin', name);
  return existsSync(own) ? own : name;
}

/** A package of the tools; where it is missing the test is skipped in plain sight. */
export async function tool(t, name, entry) {
  const file = join(TOOLS, name, entry);
  if (existsSync(file)) return import(pathToFileURL(file));
  skip(t, `the npm package with ${name}; to have it: ${INSTALL}`);
  return undefined;
}

/** Whether a runtime starts; the line that is skipped says how to get it. */
export function starts(t, installed, name) {
  if (installed.run(program(name), '--version').status === 0) return true;
  skip(t, `the npm package in ${name}; to have it: ${INSTALL}`);
  return false;
}
