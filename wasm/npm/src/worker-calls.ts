/** What runs inside the worker: the same functions, asked for by message. One message of a call carries one batch. */
import './api.js';
import { decode, print, summarise, type Summary } from './decode.js';
import { disposed, flat } from './errors.js';
import { type AwsJson, type AwsReport, explain, suggest } from './aws.js';
import { Capture } from './capture.js';
import type { CaptureProgress, ReadOptions, Selection } from './capture-types.js';
import { initCapture } from './capture-module.js';
import { bring } from './module.js';
import { init } from './runtime.js';
import type { Answer, Call, CaptureMethod, OpenState, Request } from './protocol.js';

/** What is running, by the number of its call. */
const running = new Map<number, { abort: AbortController; next?: () => void }>();

/** Questions whose answer is a selection, which someone must release. */
const SELECTING: readonly string[] = ['select', 'selectTime', 'flowPackets'] satisfies CaptureMethod[];

/** Selections of which it is not known whether anyone took them, by the number of the call. */
const given = new Map<number, () => void>();

/** The captures that are open, by the number that the page gave them. */
const captures = new Map<number, Capture>();

interface Port {
  postMessage(message: Answer, transfer?: Transferable[]): void;
}

async function answer(port: Port, request: Request): Promise<void> {
  const { id } = request;
  if ('stop' in request) {
    running.get(id)?.abort.abort();
    running.get(id)?.next?.();
    if (request.unread) given.get(id)?.();
    given.delete(id);
    return;
  }
  if ('more' in request) return running.get(id)?.next?.();
  const abort = new AbortController();
  running.set(id, { abort });
  try {
    if (request.modules) bring(request.modules);
    await ('capture' in request.call ? initCapture() : init());
    const value = await run(port, id, request.call, abort.signal);
    if (request.call.name === 'ask' && SELECTING.includes(request.call.method)) give(id, request.call.capture, value as Selection, abort.signal.aborted);
    port.postMessage({ id, value });
  } catch (error) {
    port.postMessage({ id, error: flat(error) });
  } finally {
    running.delete(id);
  }
}

function give(id: number, capture: number, selection: Selection, isLate: boolean): void {
  const release = (): void => captures.get(capture)?.release(selection);
  if (isLate) release();
  else given.set(id, release);
}

async function run(port: Port, id: number, call: Call, signal: AbortSignal): Promise<unknown> {
  const onProgress = (progress: object): void => port.postMessage({ id, progress });
  switch (call.name) {
    case 'summarise':
      return withFlatDamage(await summarise(call.source, { ...call.options, signal, onProgress }));
    case 'explain':
      return withFlatDamage(await explain(call.source, call.json, { ...call.options, signal, onProgress }));
    case 'suggest':
      return withFlatDamage(await suggest(call.source, call.goal, call.json, { ...call.options, signal, onProgress }));
    case 'decode':
      for await (const batch of decode(call.source, { ...call.options, views: false, signal, onProgress })) {
        const { length, columns, sessions } = batch;
        await taken(id, () => port.postMessage({ id, batch: { length, columns, sessions } }, batch.buffers()));
      }
      return undefined;
    case 'print':
      return pour(port, id, print(call.source, { ...call.options, signal, onProgress }), signal);
    case 'export':
      return pour(port, id, captureOf(call.capture).export(call.kind, { selection: call.selection }), signal);
    case 'open':
      return openCapture(call, onProgress);
    case 'ask':
      return ask(call, { signal, onProgress });
    case 'tell':
      if (call.method === 'stop') return captures.get(call.capture)?.stop();
      captures.get(call.capture)?.dispose();
      captures.delete(call.capture);
      return undefined;
  }
}

/** As a message can carry it. */
function withFlatDamage(found: Summary | AwsReport): object {
  return found.damage ? { ...found, damage: flat(found.damage) } : found;
}

/** Sends a stream, piece after piece. */
async function pour(port: Port, id: number, stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<undefined> {
  const reader = stream.getReader();
  try {
    for (let piece = await reader.read(); !piece.done && !signal.aborted; piece = await reader.read()) {
      const octets = piece.value;
      await taken(id, () => port.postMessage({ id, octets }, [octets.buffer as ArrayBuffer]));
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  return undefined;
}

/** Sends one piece and waits until it was asked for the next: a slow reader slows the decoder. */
function taken(id: number, send: () => void): Promise<void> {
  return new Promise((resolve) => {
    const call = running.get(id);
    if (call) call.next = resolve;
    send();
  });
}

/** Tells of damage as a message can carry it. */
function state(capture: Capture, progress: CaptureProgress | undefined): OpenState {
  const { packetCount, firstPacket } = capture;
  const damage = capture.damage.map(({ error, ...where }) => ({ ...where, error: flat(error) }));
  const nothing = { bytes: 0, totalBytes: undefined, packets: packetCount, firstPacket, done: true };
  return { packetCount, firstPacket, damage, progress: progress ?? nothing };
}

function captureOf(id: number): Capture {
  const capture = captures.get(id);
  if (!capture) throw disposed('capture');
  return capture;
}

async function openCapture({ capture: id, sources, options }: Call & { name: 'open' }, tell: (progress: object) => void): Promise<OpenState> {
  let last: CaptureProgress | undefined;
  const onProgress = (progress: CaptureProgress): void => tell((last = progress));
  const capture = Capture.begin(sources, { ...options, onProgress });
  captures.set(id, capture);
  await capture.loaded;
  return state(capture, last);
}

async function ask({ capture: id, method, args }: Call & { name: 'ask' }, options: ReadOptions): Promise<unknown> {
  const capture = captureOf(id);
  switch (method) {
    case 'select': return capture.select(args[0] as string, { ...(args[1] as object), ...options });
    case 'follow': return capture.follow(args[0] as number, { ...(args[1] as object), ...options });
    case 'explain': return capture.explain(args[0] as AwsJson[], { ...(args[1] as object), ...options });
    case 'suggest': return capture.suggest(args[0] as { drop: string }, args[1] as AwsJson[], options);
    case 'check': {
      const fault = await capture.check(args[0] as string);
      return fault && flat(fault);
    }
    case 'append': {
      const chunk = args[0] as Uint8Array;
      await capture.append(chunk);
      const { packetCount: packets, firstPacket, appendedBytes: bytes } = capture;
      return state(capture, { bytes, totalBytes: undefined, packets, firstPacket, done: false });
    }
    default:
      return (capture[method] as (...args: unknown[]) => unknown)(...args);
  }
}

function listen(): void {
  if (typeof globalThis.postMessage === 'function' && typeof addEventListener === 'function') {
    const port = globalThis as unknown as Port;
    addEventListener('message', (event) => void answer(port, (event as MessageEvent<Request>).data));
    return;
  }
  const { parentPort } = process.getBuiltinModule('node:worker_threads');
  parentPort?.on('message', (request: Request) => void answer(parentPort as unknown as Port, request));
}

listen();
