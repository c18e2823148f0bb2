/** What the tests share: captures, how to cut them, and how to skip in plain sight. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** A file of the repository's fixtures. */
export function fixture(name) {
  return new Uint8Array(readFileSync(join(ROOT, 'tests/fixtures', name)));
}

export const PING = fixture('mirror/ping-curl-traceroute.pcap');
export const SSM = fixture('mirror/ssm-tcp443.pcap');

/** Other projects' captures beside the repository; undefined where they are missing. */
export function otherCaptures(maxLength = 3_000_000) {
  const shared = process.env.MIRRORSCOPE_SHARED ?? resolve(ROOT, '../shared');
  const folder = join(shared, 'captures/peers');
  if (!existsSync(folder)) return undefined;
  const files = readdirSync(folder, { recursive: true }).map((name) => join(folder, name));
  const captures = /\.(pcap|pcapng|cap|gz|zst|ntar|trace|dmp)[0-9]*$/;
  return files.filter((file) => captures.test(file) && statSync(file).isFile() && statSync(file).size <= maxLength).sort();
}

/** The native program, as `cargo xtask test` builds it. */
export function nativeProgram() {
  const target = resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target');
  const places = [process.env.MIRRORSCOPE_BIN, join(target, 'release/mirrorscope'), join(target, 'debug/mirrorscope')];
  return places.find((place) => place && existsSync(place));
}

/** What the native program prints on standard output. */
export function native(program, ...args) {
  const env = { ...process.env, TZ: 'UTC' };
  return spawnSync(program, args, { maxBuffer: 1 << 29, env }).stdout;
}

/** Says what was not tested and why; `cargo xtask test` collects the line. */
export function skip(t, reason) {
  if (process.env.MIRRORSCOPE_SKIPPED) appendFileSync(process.env.MIRRORSCOPE_SKIPPED, `SKIPPED: ${reason}\n`);
  t.skip(`SKIPPED: ${reason}`);
}

/** `octets` in chunks of the length that `next` says. */
export function* chunked(octets, next) {
  for (let at = 0; at < octets.length; ) {
    const length = Math.max(1, next());
    yield octets.subarray(at, at + length);
    at += length;
  }
}

/** Numbers that look random and are the same in every run (xorshift32). */
export function random(seed) {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A copy of a capture with a few octets changed, cut, or both. */
export function damaged(capture, pick, longest = 3_600) {
  const octets = capture.slice(0, 600 + pick(longest - 600));
  for (let hits = pick(30); hits >= 0; hits -= 1) octets[pick(octets.length)] = pick(256);
  return octets.subarray(0, pick(4) ? octets.length : pick(octets.length));
}

/** All that a stream gives, and the error at its end if there is one. */
export async function all(stream) {
  const parts = [];
  try {
    for await (const part of stream) parts.push(part);
  } catch (error) {
    return { octets: Buffer.concat(parts), error };
  }
  return { octets: Buffer.concat(parts), error: undefined };
}
