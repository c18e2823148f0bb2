/** A capture that can be looked at anywhere: an index stays in memory, octets are read again when they are needed. */
import { Batch } from './columns.js';
import { Engine } from './engine.js';
import { MirrorscopeError, type CaptureError } from './errors.js';
import { decode, print } from './decode.js';
import { pass } from './drain.js';
import { asRandomAccess, isCompressed, open, type RandomAccess, type Source } from './sources.js';
import type { Completion, Flow, FlowCounters, PacketTree, PassOptions, PrintOptions, Session } from './types.js';

/** Packets in one chunk of the index. */
const CHUNK_LEN = 65_536;
/** Octets of the index for each packet; flows lie in a table of their own, which is bounded by `maxFlows`. */
export const INDEX_BYTES_PER_PACKET = 42;

/** How a capture is opened. */
export interface CaptureOptions extends PassOptions {
  /** Octets of a stream or compressed capture that are kept to be read again; 1 GiB if not given. */
  maxKeptBytes?: number;
}

/** A chunk of the index: one array a column. */
class IndexChunk {
  length = 0;
  readonly timestampNs = new BigInt64Array(CHUNK_LEN);
  readonly offset = new Float64Array(CHUNK_LEN);
  readonly capturedLen = new Uint32Array(CHUNK_LEN);
  readonly originalLen = new Uint32Array(CHUNK_LEN);
  readonly subjectLen = new Uint32Array(CHUNK_LEN);
  readonly session = new Uint32Array(CHUNK_LEN);
  readonly flags = new Uint16Array(CHUNK_LEN);
  readonly srcPort = new Uint16Array(CHUNK_LEN);
  readonly dstPort = new Uint16Array(CHUNK_LEN);
  readonly linkType = new Uint16Array(CHUNK_LEN);
  readonly protocol = new Uint8Array(CHUNK_LEN);
  readonly tcpFlags = new Uint8Array(CHUNK_LEN);

  /** Adds rows of a batch from `from` on; returns how many fitted. */
  add(batch: Batch, from: number): number {
    const count = Math.min(CHUNK_LEN - this.length, batch.length - from);
    const columns = batch.columns;
    this.timestampNs.set(columns.timestampNs.subarray(from, from + count), this.length);
    this.offset.set(columns.offset.subarray(from, from + count), this.length);
    for (const name of ['capturedLen', 'originalLen', 'subjectLen', 'session'] as const) {
      this[name].set(columns[name].subarray(from, from + count), this.length);
    }
    for (const name of ['flags', 'srcPort', 'dstPort', 'linkType', 'protocol', 'tcpFlags'] as const) {
      this[name].set(columns[name].subarray(from, from + count), this.length);
    }
    this.length += count;
    return count;
  }
}

/** What the index says of one packet. */
export interface IndexRow {
  /** Position in the capture, counted from 1. */
  number: number;
  timestampNs: bigint;
  offset: number;
  capturedLen: number;
  originalLen: number;
  subjectLen: number;
  /** Index into `sessionsSeen`. */
  session: number;
  flags: number;
  srcPort: number;
  dstPort: number;
  linkType: number;
  protocol: number;
  tcpFlags: number;
}

/** An indexed capture. Give it back with `dispose()` or `using`. */
export class Capture {
  readonly #engine: Engine;
  readonly #chunks: IndexChunk[] = [];
  readonly #octets: RandomAccess;
  readonly #options: CaptureOptions;
  /** Packets in the index. */
  packetCount = 0;
  /** Where and why the capture could not be read further. */
  damage: CaptureError | undefined;
  #flows: Flow[] | undefined;

  private constructor(engine: Engine, octets: RandomAccess, options: CaptureOptions) {
    this.#engine = engine;
    this.#octets = octets;
    this.#options = options;
  }

  /**
   * Indexes a capture in one pass. `Blob`, `ArrayBuffer` and `RandomAccess` are read again when octets are needed;
   * streams and compressed captures are kept in memory, up to `maxKeptBytes`.
   */
  static async open(source: Source, options: CaptureOptions = {}): Promise<Capture> {
    const engine = new Engine(options);
    try {
      const octets = await readable(source, options);
      const capture = new Capture(engine, octets, options);
      await capture.#index();
      return capture;
    } catch (error) {
      engine.free();
      throw error;
    }
  }

  async #index(): Promise<void> {
    const engine = this.#engine;
    engine.fillColumns(8192);
    try {
      for await (const _ of pass(engine, this.#octets, this.#options)) {
        this.#add(engine.batch());
        engine.taken();
      }
    } catch (error) {
      this.damage = engine.damage();
      if (!this.damage) throw error;
    }
  }

  #add(batch: Batch): void {
    for (let from = 0; from < batch.length; ) {
      let chunk = this.#chunks.at(-1);
      if (!chunk || chunk.length === CHUNK_LEN) this.#chunks.push((chunk = new IndexChunk()));
      from += chunk.add(batch, from);
    }
    this.packetCount += batch.length;
  }

  /** What the index says of a packet, counted from 0. */
  row(index: number): IndexRow {
    const chunk = this.#chunks[Math.floor(index / CHUNK_LEN)];
    const at = index % CHUNK_LEN;
    if (!chunk || at >= chunk.length || index < 0) {
      throw new RangeError(`there is no packet ${index}: the capture has ${this.packetCount}`);
    }
    const of = (name: Exclude<keyof IndexRow, 'number' | 'timestampNs'>): number => chunk[name][at] ?? 0;
    return {
      number: index + 1, timestampNs: chunk.timestampNs[at] ?? 0n, offset: of('offset'), capturedLen: of('capturedLen'),
      originalLen: of('originalLen'), subjectLen: of('subjectLen'), session: of('session'), flags: of('flags'),
      srcPort: of('srcPort'), dstPort: of('dstPort'), linkType: of('linkType'), protocol: of('protocol'),
      tcpFlags: of('tcpFlags'),
    };
  }

  /** The octets of a packet, counted from 0. */
  async bytes(index: number): Promise<Uint8Array> {
    const { offset, capturedLen } = this.row(index);
    return this.#octets.read(offset, capturedLen);
  }

  /** The layers of a packet, counted from 0, with every field and the octets that it covers. */
  async packet(index: number): Promise<PacketTree> {
    const { linkType, originalLen } = this.row(index);
    const octets = await this.bytes(index);
    return JSON.parse(this.#engine.raw.dissect(octets, linkType, originalLen)) as PacketTree;
  }

  /** The packets, counted from 0, that pass a filter. Reads the capture again. */
  async filter(expression: string, options: Pick<PassOptions, 'signal' | 'onProgress'> = {}): Promise<Uint32Array> {
    const { genevePorts, vxlanPorts } = this.#options;
    const passOptions = JSON.parse(JSON.stringify({ genevePorts, vxlanPorts, filter: expression })) as PassOptions;
    const found: Uint32Array[] = [];
    try {
      for await (const batch of decode(this.#octets, { ...passOptions, ...options, views: true })) {
        found.push(batch.number.map((number) => number - 1));
      }
    } catch (error) {
      // The damage is known since the capture was opened.
      if (!(this.damage && error instanceof MirrorscopeError && error.code === this.damage.code)) throw error;
    }
    return concatenated(found);
  }

  /** Prints the capture; see `print`. */
  print(options: PrintOptions = {}): ReadableStream<Uint8Array> {
    return print(this.#octets, { ...this.#options, ...options });
  }

  /** The session table. */
  sessions(): Session[] {
    return this.#engine.sessions();
  }

  /** The sessions in the order in which they were first seen, which `IndexRow.session` counts. */
  sessionsSeen(): readonly object[] {
    return this.#engine.sessionsSeen();
  }

  /** The flows, if they were asked for. */
  flows(): Flow[] {
    this.#flows ??= this.#engine.flows();
    return this.#flows;
  }

  /** What the flow table counted. */
  flowCounters(): FlowCounters | undefined {
    return this.#engine.flowCounters();
  }

  /** What could be written in a filter at `cursor`, with values of this capture. */
  complete(text: string, cursor: number = text.length): Completion[] {
    return JSON.parse(this.#engine.raw.completeFilter(text, cursor)) as Completion[];
  }

  /** Gives the memory back. The capture cannot be used afterwards. */
  dispose(): void {
    this.#engine.free();
    this.#chunks.length = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The source as octets that can be read anywhere, uncompressed. */
async function readable(source: Source, { maxKeptBytes = 2 ** 30, signal }: CaptureOptions): Promise<RandomAccess> {
  const anywhere = asRandomAccess(source);
  if (anywhere && !isCompressed(await anywhere.read(0, Math.min(4, anywhere.size)))) return anywhere;
  const kept: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of open(source, signal).octets) {
    size += chunk.length;
    if (size > maxKeptBytes) {
      throw new MirrorscopeError('TOO_LARGE', `the capture has more than the ${maxKeptBytes} bytes that may be kept`, 'give a Blob or a reader of the uncompressed file, or raise maxKeptBytes');
    }
    kept.push(chunk);
  }
  const blob = new Blob(kept as BlobPart[]);
  return { size, read: async (at, len) => new Uint8Array(await blob.slice(at, at + len).arrayBuffer()) };
}

function concatenated(parts: Uint32Array[]): Uint32Array {
  const whole = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
