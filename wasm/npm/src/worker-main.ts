/** What runs inside the worker: the same functions, asked for by message. One message of a call carries one batch. */
import './beside.js';
import { decode, print, summarise } from './decode.js';
import { MirrorscopeError } from './errors.js';
import { explain, suggest } from './aws.js';
import { init, type ModuleSource } from './runtime.js';
import type { Answer, Call, Request } from './protocol.js';

/** What is running, by the number of its call. */
const running = new Map<number, { abort: AbortController; next?: () => void }>();

interface Port {
  postMessage(message: Answer, transfer?: Transferable[]): void;
}

async function answer(port: Port, request: Request): Promise<void> {
  const { id } = request;
  if ('stop' in request) {
    running.get(id)?.abort.abort();
    running.get(id)?.next?.();
    return;
  }
  if ('more' in request) return running.get(id)?.next?.();
  const abort = new AbortController();
  running.set(id, { abort });
  try {
    await init(request.module as ModuleSource | undefined);
    const value = await run(port, id, request.call, abort.signal);
    port.postMessage({ id, value });
  } catch (error) {
    port.postMessage({ id, error: flat(error) });
  } finally {
    running.delete(id);
  }
}

async function run(port: Port, id: number, call: Call, signal: AbortSignal): Promise<unknown> {
  const onProgress = (progress: object): void => port.postMessage({ id, progress });
  switch (call.name) {
    case 'summarise':
      return summarise(call.source, { ...call.options, signal, onProgress });
    case 'explain':
      return explain(call.source, call.json, { ...call.options, signal, onProgress });
    case 'suggest':
      return suggest(call.source, call.goal, call.json, { ...call.options, signal, onProgress });
    case 'decode':
      for await (const batch of decode(call.source, { ...call.options, views: false, signal, onProgress })) {
        const { length, columns, sessions } = batch;
        await taken(id, () => port.postMessage({ id, batch: { length, columns, sessions } }, batch.buffers()));
      }
      return undefined;
    case 'print': {
      const reader = print(call.source, { ...call.options, signal, onProgress }).getReader();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        const octets = piece.value;
        await taken(id, () => port.postMessage({ id, octets }, [octets.buffer as ArrayBuffer]));
      }
      return undefined;
    }
  }
}

/** Sends one piece and waits until it was asked for the next: a slow reader slows the decoder. */
function taken(id: number, send: () => void): Promise<void> {
  return new Promise((resolve) => {
    const call = running.get(id);
    if (call) call.next = resolve;
    send();
  });
}

/** An error as a message can carry it. */
function flat(error: unknown): object {
  if (error instanceof MirrorscopeError) return { ...error, name: error.name, message: error.message };
  if (error instanceof Error) return { name: error.name, message: error.message, code: 'WORKER' };
  return { name: 'Error', message: String(error), code: 'WORKER' };
}

async function listen(): Promise<void> {
  if (typeof globalThis.postMessage === 'function' && typeof addEventListener === 'function') {
    const port = globalThis as unknown as Port;
    addEventListener('message', (event) => void answer(port, (event as MessageEvent<Request>).data));
    return;
  }
  const threads = 'node:worker_threads';
  const { parentPort } = (await import(/* @vite-ignore */ threads)) as typeof import('node:worker_threads');
  parentPort?.on('message', (request: Request) => void answer(parentPort as unknown as Port, request));
}

void listen();
