/** From a source to batches: the pulling way (`decode`), the pushing way (`Decoder`) and a stream between (`DecodeStream`). */
import { Batch } from './columns.js';
import { Engine } from './engine.js';
import type { CaptureError, MirrorscopeError } from './errors.js';
import { drain, pass } from './drain.js';
import type { Source } from './sources.js';
import { packetPart } from './packet-module.js';
import { textPrinter } from './text.js';
import type { DecodeOptions, Flow, FlowCounters, PassOptions, PrintOptions, Session } from './types.js';

/** Packets of a batch, where nothing else is asked for. */
const BATCH_LEN = 8192;

/** How packets are handed out as columns. */
export interface BatchOptions {
  /** Packets of a batch at most; 8,192 if not given, 65,536 at most. */
  batchLength?: number;
  /** Hand out views of the module's memory, which are good until the next batch is asked for; copies otherwise. */
  views?: boolean;
}

/**
 * Decodes a capture.
 *
 * @returns batches of packets. Where the capture is damaged, every packet before the damage comes first, then a
 * `CaptureError` is thrown.
 */
export async function* decode(source: Source, options: PassOptions & BatchOptions = {}): AsyncGenerator<Batch, void, void> {
  const engine = new Engine(options);
  try {
    engine.fillColumns(options.batchLength ?? BATCH_LEN);
    for await (const _ of pass(engine, source, options)) {
      const batch = engine.batch();
      if (batch.length > 0) yield options.views ? batch : batch.copy();
      engine.taken();
    }
  } finally {
    engine.free();
  }
}

/** What a pass over a capture found. */
export interface Summary {
  /** Packets that were taken. */
  packets: number;
  sessions: Session[];
  /** Where `flows` was asked for. */
  flows?: Flow[];
  flowCounters?: FlowCounters;
  /**
   * Why the capture could not be read further, a `CaptureError` that also says where, or code `COMPRESSION`; the rest is
   * about the packets before.
   */
  damage?: CaptureError | MirrorscopeError;
}

/** Counts the sessions, and the flows if asked for, of a capture. Damage of the capture is a value here, no exception. */
export async function summarise(source: Source, options: PassOptions = {}): Promise<Summary> {
  const engine = new Engine(options);
  try {
    const damage = await drain(engine, source, options);
    const summary: Summary = { packets: engine.raw.taken(), sessions: engine.sessions() };
    if (options.flows) Object.assign(summary, { flows: engine.flows(), flowCounters: engine.flowCounters() });
    if (damage) summary.damage = damage;
    return summary;
  } finally {
    engine.free();
  }
}

/** The session or flow table of a capture as the native program prints it, and why it could not be read further. */
export async function report(
  source: Source,
  what: 'sessions' | 'flows',
  options: PassOptions & { csv?: boolean } = {},
): Promise<{ text: string; damage: CaptureError | MirrorscopeError | undefined }> {
  const passed = what === 'flows' ? { flows: true, ...options } : options;
  const csv = options.csv ? await packetPart.load() : undefined;
  const engine = new Engine(passed);
  const { raw } = engine;
  try {
    const damage = await drain(engine, source, options);
    if (what === 'flows') return { text: csv ? csv.flowsCsv(raw) : raw.printFlows(), damage };
    return { text: csv ? csv.sessionsCsv(raw) : raw.printSessions(), damage };
  } finally {
    engine.free();
  }
}

/**
 * Prints a capture: JSON lines, text, tcpdump's text, or a pcapng file of the mirrored frames. Damage errors the
 * stream behind everything before it.
 */
export function print(source: Source, options: PrintOptions = {}): ReadableStream<Uint8Array> {
  return streamOf(printed(source, options));
}

/** The same pieces as a stream. */
export function streamOf(pieces: AsyncGenerator<Uint8Array, void, void>): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return();
      },
    },
    // Nothing is made before it is asked for, so that an error never overtakes what came before it.
    { highWaterMark: 0 },
  );
}

/** What `print` writes, piece after piece. */
export async function* printed(source: Source, options: PrintOptions): AsyncGenerator<Uint8Array, void, void> {
  const engine = await printer(options);
  try {
    for await (const _ of pass(engine, source, options)) {
      const octets = engine.raw.takeOutput();
      if (octets.length > 0) yield octets;
    }
  } finally {
    engine.free();
  }
}

/** What people read is printed by a part that is loaded for it. */
async function printer(options: PrintOptions): Promise<Engine> {
  const engine = new Engine(options);
  if (engine.raw.setOutput(options.format ?? 'jsonl')) return engine;
  engine.free();
  return textPrinter(options);
}

/** A decoder that is pushed into. Give it back with `dispose()` or `using`. */
export class Decoder {
  readonly #engine: Engine;
  readonly #onBatch: ((batch: Batch) => void) | undefined;
  #ended = false;

  /** @param options `onBatch` is called with views, which are good until it returns; `batch.copy()` may be kept */
  constructor(options: DecodeOptions & BatchOptions & { onBatch?: (batch: Batch) => void } = {}) {
    this.#engine = new Engine(options);
    this.#onBatch = options.onBatch;
    if (this.#onBatch) this.#engine.fillColumns(options.batchLength ?? BATCH_LEN);
  }

  /** Decodes the next octets of the capture, however it was cut into chunks. Not compressed ones. */
  push(chunk: Uint8Array): void {
    if (this.#ended) return;
    for (const _ of this.#engine.feed(chunk)) this.#hand();
  }

  /** Says that no chunk follows. */
  finish(): void {
    if (this.#ended) return;
    for (const _ of this.#engine.end()) this.#hand();
    this.#ended = true;
  }

  #hand(): void {
    const batch = this.#engine.batch();
    if (batch.length > 0) this.#onBatch?.(batch);
    this.#engine.taken();
  }

  /** Packets taken so far. */
  get packets(): number { return this.#engine.raw.taken(); }
  /** Where and why the capture could not be read further. */
  get damage(): CaptureError | undefined { return this.#engine.damage(); }
  /** The session table so far. */
  sessions(): Session[] { return this.#engine.sessions(); }
  /** Ends all flows and hands them out, if `flows` was asked for. */
  flows(): Flow[] { return this.#engine.flows(); }
  /** Gives the memory back. The decoder cannot be used afterwards. */
  dispose(): void { this.#engine.free(); }
  [Symbol.dispose](): void { this.dispose(); }
}

/** Octets of a capture in, batches out: `response.body.pipeThrough(new DecodeStream())`. Not for compressed captures. */
export class DecodeStream {
  declare readonly readable: ReadableStream<Batch>;
  declare readonly writable: WritableStream<Uint8Array>;

  constructor(options: DecodeOptions & BatchOptions = {}) {
    const engine = new Engine(options);
    const hand = (controller: TransformStreamDefaultController<Batch>): void => {
      const batch = engine.batch();
      if (batch.length > 0) controller.enqueue(batch.copy());
      engine.taken();
    };
    engine.fillColumns(options.batchLength ?? BATCH_LEN);
    // Not inherited from: the mere name would cost Node 4 ms of the import.
    ({ readable: this.readable, writable: this.writable } = new TransformStream<Uint8Array, Batch>({
      transform(chunk, controller) {
        for (const _ of engine.feed(chunk)) hand(controller);
      },
      flush(controller) {
        for (const _ of engine.end()) hand(controller);
        const damage = engine.damage();
        engine.free();
        if (damage) throw damage;
      },
    }));
  }
}
