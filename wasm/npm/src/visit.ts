/** Reads packets again, window by window: the next window is read while one is worked on. */
import type { RawCapture } from './bindings-capture.js';
import { MirrorscopeError } from './errors.js';
import type { RandomAccess } from './sources.js';

/** Octets of one window, range after range. */
type Window = Promise<Uint8Array[]> | undefined;

/** A capture, its module's memory, and where its octets are read. */
export interface Visited {
  /** Throws where the capture was given back meanwhile. */
  readonly raw: () => RawCapture;
  readonly memory: WebAssembly.Memory;
  readonly octets: RandomAccess[];
}

/** Runs a visit; yields the number of packets of each window. The caller ends the visit. */
export async function* run({ raw, memory, octets }: Visited, visit: number, signal?: AbortSignal): AsyncGenerator<number, void, void> {
  let next = read(raw(), visit, octets);
  for (let parts = await next; parts; parts = await next) {
    signal?.throwIfAborted();
    next = read(raw(), visit, octets);
    // Nobody may be waiting for it when the work before it fails.
    next?.catch(() => {});
    write(raw(), memory, visit, parts);
    yield raw().run(visit);
    if (raw().isSatisfied(visit)) return;
  }
}

/** The octets of the next window; none when all packets were planned. */
function read(raw: RawCapture, visit: number, octets: RandomAccess[]): Window {
  const plan = raw.plan(visit);
  if (plan.length === 0) return undefined;
  const parts: Promise<Uint8Array>[] = [];
  for (let at = 0; at < plan.length; at += 3) {
    const [source = 0, offset = 0, length = 0] = plan.subarray(at, at + 3);
    parts.push(part(octets[source], offset, length));
  }
  return Promise.all(parts);
}

async function part(octets: RandomAccess | undefined, offset: number, length: number): Promise<Uint8Array> {
  let found: Uint8Array | undefined;
  try {
    found = await octets?.read(offset, length);
  } catch {
    // A file that is not there any more; what was wrong is said below in our words.
  }
  if (found?.length !== length) throw changed();
  return found;
}

function write(raw: RawCapture, memory: WebAssembly.Memory, visit: number, parts: Uint8Array[]): void {
  const length = parts.reduce((sum, octets) => sum + octets.length, 0);
  const address = raw.windowSpace(visit, length);
  const space = new Uint8Array(memory.buffer, address, length);
  let at = 0;
  for (const octets of parts) {
    space.set(octets, at);
    at += octets.length;
  }
}

export function changed(): MirrorscopeError {
  return new MirrorscopeError('CHANGED', 'the capture could not be read again where the packet was', 'it was changed, moved or forgotten: open it again');
}
