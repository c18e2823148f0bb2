/** The packed tarball, installed in an empty folder, as its users meet it: in Node, through `node:stream`, and in other runtimes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { skip } from './captures.js';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const CAPTURE = fileURLToPath(new URL('../../../tests/fixtures/mirror/ping-curl-traceroute.pcap', import.meta.url));
const LIMIT = { encoding: 'utf8', timeout: 120_000 };
const SCRIPT = `
import { readFileSync } from 'node:fs';
import { lint, summarise } from 'mirrorscope';
const { packets, sessions } = await summarise(readFileSync(${JSON.stringify(CAPTURE)}), { filter: 'icmp or tcp' });
await lint('{"TrafficMirrorFilters": []}');
console.log(JSON.stringify([packets > 0, sessions.length, sessions[0].vni]));
`;
const EXPECTED = '[true,1,9325541]';

let folder;

before(() => {
  const tarball = readdirSync(DIST).find((name) => name.endsWith('.tgz'));
  assert.ok(tarball, 'cargo xtask wasm packs the package');
  folder = mkdtempSync(join(tmpdir(), 'mirrorscope-package-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'script.js'), SCRIPT);
  const { status, stderr } = run('npm', 'install', '--offline', '--no-audit', '--no-fund', join(DIST, tarball));
  assert.equal(status, 0, stderr);
});

after(() => folder && rmSync(folder, { recursive: true, force: true }));

function run(program, ...args) {
  return spawnSync(program, args, { ...LIMIT, cwd: folder });
}

/** Runs the script in a runtime that is there; the line that is skipped says how to get it. */
function inRuntime(t, program, args, command) {
  if (run(program, '--version').status !== 0) return skip(t, `the npm package in ${program}; to have it: ${command}`);
  const { status, stdout, stderr } = run(program, ...args, 'script.js');
  assert.equal(status, 0, stderr);
  assert.equal(stdout.trim(), EXPECTED);
}

test('a script in Node counts sessions and loads the second module by itself', (t) => inRuntime(t, process.execPath, [], 'install Node'));

test('a script in Deno does the same', (t) => inRuntime(t, 'deno', ['run', '--allow-read'], 'npm install --global deno@2.9.6'));

test('a script in Bun does the same', (t) => inRuntime(t, 'bun', ['run'], 'npm install --global bun@1.4.5'));

test('a pipeline of node:stream ends in JSON lines', () => {
  writeFileSync(join(folder, 'pipeline.js'), `
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { print } from 'mirrorscope';
await pipeline(Readable.fromWeb(print(createReadStream(${JSON.stringify(CAPTURE)}), { filter: 'icmp' })), process.stdout);
`);
  const { status, stdout, stderr } = run(process.execPath, 'pipeline.js');
  assert.equal(status, 0, stderr);
  const lines = stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(lines.length > 0 && lines.every(({ icmp }) => icmp));
});

test('the command of the package prints what is in a capture', () => {
  const { status, stdout, stderr } = run(join(folder, 'node_modules/.bin/mirrorscope'), '--json', CAPTURE);
  assert.equal(status, 0, stderr);
  assert.equal(stdout.trim().split('\n').length, 63);
});
