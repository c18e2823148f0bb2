/** A decoder in a worker of its own, with the functions of the main entry: `mirrorscope/worker`. */
// What the decoder and its client share would be a file of its own, and the decoder's two files half a kilobyte more.
import './api.js';
import type { AwsJson, AwsReport, Suggestion } from './aws.js';
import { Batch } from './columns.js';
import type { BatchOptions, Summary } from './decode.js';
import { MirrorscopeError, revived } from './errors.js';
import type { CaptureOptions } from './capture-types.js';
import { WorkerCapture } from './worker-capture.js';
import type { Answer, Call, Modules, Request, Sendable, WorkerSource } from './protocol.js';
import type { PassOptions, PrintOptions, Progress } from './types.js';

export type { Modules, WorkerSource } from './protocol.js';
export { Batch } from './columns.js';
export type * from './capture-types.js';
export { RowFlag } from './capture-types.js';
export type { WorkerCapture } from './worker-capture.js';
export { AwsJsonError, CaptureError, FilterError, MirrorscopeError } from './errors.js';

/** What is common to the workers of browsers and of Node. */
export interface WorkerLike {
  postMessage(message: unknown, transfer?: never): void;
  terminate(): unknown;
}

type Listener = (answer: Answer) => void;

/** Starts a worker. Give it back with `dispose()` or `using`. */
export class MirrorscopeWorker {
  #worker: WorkerLike;
  /** Starts another worker of the same kind; not where the caller brought one. */
  readonly #restart: (() => Promise<WorkerLike>) | undefined;
  readonly #calls = new Map<number, Listener>();
  readonly #modules: Modules | undefined;
  #last = 0;
  #lastCapture = 0;
  #fault: MirrorscopeError | undefined;

  private constructor(worker: WorkerLike, modules: Modules | undefined, restart: (() => Promise<WorkerLike>) | undefined) {
    this.#worker = worker;
    this.#modules = modules;
    this.#restart = restart;
  }

  /**
   * @param options `worker` if you start it yourself from `mirrorscope/worker-main`; `modules` if its modules do not lie
   * beside it: compiled, or where to fetch them, by the names of their files
   */
  static async start(options: { worker?: WorkerLike; modules?: Modules } = {}): Promise<MirrorscopeWorker> {
    const worker = options.worker ?? (await standardWorker());
    const client = new MirrorscopeWorker(worker, options.modules, options.worker ? undefined : standardWorker);
    client.#listen(worker);
    return client;
  }

  #listen(worker: WorkerLike): void {
    const take = (answer: Answer): void => {
      if (worker !== this.#worker) return;
      this.#calls.get(answer.id)?.(answer);
      if ('error' in answer && (answer.error as { code?: string }).code === 'PANIC') void this.#replace();
    };
    const fail = (why: unknown): void => {
      if (worker === this.#worker) this.#fail(`the worker failed: ${why instanceof Error ? why.message : String(why)}`);
    };
    if ('addEventListener' in worker) {
      const web = worker as unknown as Worker;
      web.addEventListener('message', (event) => take((event as MessageEvent<Answer>).data));
      web.addEventListener('error', (event) => fail((event as ErrorEvent).message));
    } else {
      const node = worker as unknown as import('node:worker_threads').Worker;
      node.on('message', take);
      node.on('error', fail);
      node.on('exit', () => fail('it ended'));
    }
  }

  #fail(message: string): void {
    this.#fault ??= new MirrorscopeError('WORKER', message, 'start another one');
    for (const [id, listener] of [...this.#calls]) {
      listener({ id, error: { name: 'MirrorscopeError', code: 'WORKER', message, hint: 'start another one' } });
    }
  }

  /** The module failed and must not be used again: what is open is lost, what comes next is not. */
  async #replace(): Promise<void> {
    this.#fail('the decoder failed; this is a defect of Mirrorscope');
    if (!this.#restart) return;
    this.#worker.terminate();
    this.#worker = await this.#restart();
    this.#listen(this.#worker);
    this.#fault = undefined;
  }

  /**
   * Opens captures, merged in order of time, and returns at once: ask the capture while it loads, or await `loaded`.
   * The octets stay where they are, and are read again when they are needed.
   */
  open(sources: WorkerSource | WorkerSource[], options: CaptureOptions = {}): WorkerCapture {
    const asking = {
      value: <T>(call: Call, callOptions: object): Promise<T> => this.#value<T>(call, callOptions),
      pieces: (call: Call): AsyncGenerator<Answer, void, void> => this.#pieces(call, {}),
      tell: (call: Call): void => void this.#value(call, {}).catch(() => {}),
    };
    return new WorkerCapture(asking, (this.#lastCapture += 1), Array.isArray(sources) ? sources : [sources], options);
  }

  /** As `decode` of the main entry; batches are transferred. */
  async *decode(source: WorkerSource, options: PassOptions & BatchOptions = {}): AsyncGenerator<Batch, void, void> {
    for await (const answer of this.#pieces({ name: 'decode', source, options: sendable(options) }, options)) {
      if ('batch' in answer) yield new Batch(answer.batch.length, answer.batch.columns, answer.batch.sessions);
    }
  }

  /** As `print` of the main entry. */
  async *print(source: WorkerSource, options: PrintOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    for await (const answer of this.#pieces({ name: 'print', source, options: sendable(options) }, options)) {
      if ('octets' in answer) yield answer.octets;
    }
  }

  /** As `summarise` of the main entry. */
  summarise(source: WorkerSource, options: PassOptions = {}): Promise<Summary> {
    return this.#found({ name: 'summarise', source, options: sendable(options) }, options);
  }

  /** As `explain` of the main entry. */
  explain(source: WorkerSource, json: AwsJson[], options: PassOptions = {}): Promise<AwsReport> {
    return this.#found({ name: 'explain', source, json, options: sendable(options) }, options);
  }

  /** As `suggest` of the main entry. */
  suggest(source: WorkerSource, goal: { drop: string } | { keep: string }, json: AwsJson[] = [], options: PassOptions = {}): Promise<Suggestion> {
    return this.#found({ name: 'suggest', source, goal, json, options: sendable(options) }, options);
  }

  /** What a pass found, its damage being an error again. */
  async #found<T extends { damage?: MirrorscopeError }>(call: Call, options: PassOptions): Promise<T> {
    const found = await this.#value<T>(call, options);
    return found.damage ? { ...found, damage: revived(found.damage) } : found;
  }

  async #value<T>(call: Call, options: PassOptions): Promise<T> {
    for await (const answer of this.#pieces(call, options)) {
      if ('value' in answer) return answer.value as T;
    }
    throw new MirrorscopeError('WORKER', 'the worker gave no answer');
  }

  /** The answers to a call: pieces, each asked for in turn, and the value last. */
  async *#pieces(call: Call, { signal, onProgress }: PassOptions): AsyncGenerator<Answer, void, void> {
    signal?.throwIfAborted();
    if (this.#fault) throw this.#fault;
    const id = (this.#last += 1);
    const answers: Answer[] = [];
    let wake = (): void => {};
    this.#calls.set(id, (answer) => {
      if ('progress' in answer) return onProgress?.(answer.progress as Progress);
      answers.push(answer);
      wake();
    });
    const stop = (): void => wake();
    let unread = true;
    signal?.addEventListener('abort', stop);
    try {
      this.#send({ id, call, modules: this.#modules }, streamsOf(call));
      for (;;) {
        while (answers.length === 0 && !signal?.aborted) await new Promise<void>((resolve) => (wake = resolve));
        signal?.throwIfAborted();
        const answer = answers.shift();
        if (!answer) continue;
        if ('error' in answer) throw revived(answer.error);
        unread = !('value' in answer);
        yield answer;
        if ('value' in answer) return;
        this.#send({ id, more: true });
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#calls.delete(id);
      this.#send({ id, stop: true, unread });
    }
  }

  #send(request: Request, streams: ReadableStream[] = []): void {
    const worker = this.#worker as unknown as { postMessage(message: unknown, transfer: Transferable[]): void };
    try {
      worker.postMessage(request, streams);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new MirrorscopeError('SOURCE', `this cannot be sent to a worker: ${why}`, 'give a Blob, an ArrayBuffer or octets');
    }
  }

  /** Ends the worker at once. */
  dispose(): void {
    this.#worker.terminate();
    this.#fail('the worker was ended');
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

async function standardWorker(): Promise<WorkerLike> {
  if (typeof Worker === 'function') return new Worker(new URL('./worker-main.js', import.meta.url), { type: 'module' });
  const threads = process.getBuiltinModule('node:worker_threads');
  // Written so that no bundler takes it for a part of a page.
  return new threads.Worker(new URL(import.meta.url.replace(/[^/]*$/, 'worker-node.js'))) as unknown as WorkerLike;
}

/** The streams of a call, which are handed over to the worker. */
function streamsOf(call: Call): ReadableStream[] {
  const sources = 'source' in call ? [call.source] : 'sources' in call ? call.sources : [];
  return sources.filter((source) => source instanceof ReadableStream);
}

function sendable<T extends PassOptions>({ signal: _, onProgress: __, ...rest }: T): Sendable<T> {
  return rest as Sendable<T>;
}
