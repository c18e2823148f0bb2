/** From sources into an index: the source whose next packet is the earliest is fed, until all are at their end. */
import type { RawCapture } from './bindings-capture.js';
import { CaptureError, MirrorscopeError } from './errors.js';
import { Kept } from './kept.js';
import { asRandomAccess, isCompressed, open, type Chunks, type RandomAccess, type Source } from './sources.js';
import type { CaptureOptions, Damage } from './capture-types.js';

/** Octets that the module takes at once. */
const SPACE_LEN = 4 * 1024 * 1024;
/** Milliseconds of work after which others get their turn. */
const TURN_MS = 12;
/** Milliseconds between two words about the progress. */
const PROGRESS_MS = 50;

/** One source while it is read, and where its octets are read again. */
interface Feed {
  readonly name: string | undefined;
  readonly octets: RandomAccess;
  readonly kept: Kept | undefined;
  readonly chunks: Chunks;
}

/** Loads captures into an index. */
export class Loader {
  readonly damage: Damage[] = [];
  /** Where packets are read again, by the number of their source. */
  readonly octets: RandomAccess[] = [];
  readonly #raw: RawCapture;
  readonly #memory: WebAssembly.Memory;
  /** By the numbers of the sources; nothing for one that could not be opened. */
  readonly #feeds: (Feed | undefined)[] = [];
  readonly #stop = new AbortController();
  #told = 0;
  #toldPackets = 0;
  /** Questions that someone waits for, and whoever waits for them to be answered. */
  #questions = 0;
  #answered: (() => void) | undefined;

  constructor(raw: RawCapture, memory: WebAssembly.Memory) {
    this.#raw = raw;
    this.#memory = memory;
  }

  /** Ends loading. */
  stop(): void {
    this.#stop.abort();
  }

  /** Lets a short question be answered before more is loaded. */
  async first<T>(question: () => Promise<T>): Promise<T> {
    this.#questions += 1;
    try {
      return await question();
    } finally {
      this.#questions -= 1;
      if (this.#questions === 0) this.#answered?.();
    }
  }

  /** Loads everything; damage is noted and never thrown. */
  async run(sources: Source[], options: CaptureOptions): Promise<void> {
    for (const source of sources) await this.#begin(source, options);
    let turn = performance.now();
    for (;;) {
      const wanted = this.#raw.step();
      if (wanted < 0 || this.#stop.signal.aborted) break;
      this.#tell(options, false);
      await this.#feed(wanted);
      if (performance.now() - turn > TURN_MS) {
        await othersTurn();
        if (this.#questions > 0) await new Promise<void>((resolve) => (this.#answered = resolve));
        turn = performance.now();
      }
    }
    this.#noteDamage(options);
    for (const feed of this.#feeds) void feed?.chunks.octets.return(undefined).catch(() => {});
    this.#tell(options, true);
  }

  async #begin(source: Source, { maxKeptBytes = 2 ** 30 }: CaptureOptions): Promise<void> {
    const number = this.#raw.addSource();
    const name = typeof File === 'function' && source instanceof File ? source.name : undefined;
    if (number >= 0) this.#feeds[number] = undefined;
    try {
      if (number < 0) throw new MirrorscopeError('SOURCES', 'there are more captures than can be merged', 'give at most 1,024');
      const anywhere = asRandomAccess(source);
      const compressed = anywhere && isCompressed(await anywhere.read(0, Math.min(4, anywhere.size)));
      const kept = anywhere && !compressed ? undefined : new Kept(maxKeptBytes);
      const octets = kept ?? (anywhere as RandomAccess);
      this.octets[number] = octets;
      this.#feeds[number] = { name, octets, kept, chunks: open(source, this.#stop.signal) };
    } catch (error) {
      this.#fail(number, name, error);
    }
  }

  async #feed(number: number): Promise<void> {
    const feed = this.#feeds[number];
    try {
      const next = feed ? await feed.chunks.octets.next() : { done: true, value: undefined };
      if (next.done || !next.value) return this.#raw.finish(number);
      feed?.kept?.add(next.value);
      this.push(number, next.value);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#fail(number, feed?.name, error);
      this.#raw.finish(number);
    }
  }

  /** Writes octets of a source into the module. */
  push(source: number, octets: Uint8Array): void {
    for (let at = 0; at < octets.length; at += SPACE_LEN) {
      // What was pushed before is taken first, or the module's buffer grows.
      if (at > 0) this.#raw.step();
      const piece = octets.subarray(at, at + SPACE_LEN);
      const address = this.#raw.space(source, piece.length);
      new Uint8Array(this.#memory.buffer, address, piece.length).set(piece);
      this.#raw.commit(source, piece.length);
    }
  }

  #fail(source: number, sourceName: string | undefined, error: unknown): void {
    const known = error instanceof MirrorscopeError;
    const why = known ? error : new MirrorscopeError('SOURCE', `the source could not be read: ${error instanceof Error ? error.message : String(error)}`, 'open the file again; the packets before are there');
    this.damage.push({ error: why, source, sourceName });
    if (source >= 0) this.#raw.finish(source);
  }

  #noteDamage({ maxPackets }: CaptureOptions): void {
    const full = this.#raw.full();
    if (full !== undefined) this.damage.push({ error: fullError(full, this.#raw.end(), maxPackets), source: 0, sourceName: undefined });
    for (const [source, feed] of this.#feeds.entries()) {
      const fault = this.#raw.damage(source);
      // A source that could not be read to its end looks cut as well; the first reason is the true one.
      if (fault === undefined || this.#stop.signal.aborted || this.damage.some((known) => known.source === source)) continue;
      this.damage.push({ error: captureError(fault), source, sourceName: feed?.name });
    }
  }

  /** Notes why a live capture could not be read further. */
  noteLive(fault: string): void {
    this.damage.push({ error: captureError(fault), source: 0, sourceName: undefined });
  }

  #tell({ onProgress }: CaptureOptions, done: boolean): void {
    const now = performance.now();
    const packets = this.#raw.end();
    // The first packets are worth a word of their own: someone waits to see them.
    const isFirst = this.#toldPackets === 0 && packets > 0;
    if (!onProgress || (!done && !isFirst && this.#told > 0 && now - this.#told < PROGRESS_MS)) return;
    this.#told = now;
    this.#toldPackets = packets;
    const bytes = this.#feeds.reduce((sum, feed) => sum + (feed?.chunks.bytes() ?? 0), 0);
    const sizes = this.#feeds.map((feed) => feed?.chunks.totalBytes);
    const totalBytes = sizes.includes(undefined) ? undefined : sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
    onProgress({ bytes, totalBytes, packets, firstPacket: this.#raw.first(), done });
  }
}

function captureError(fault: string): CaptureError {
  return new CaptureError(JSON.parse(fault) as ConstructorParameters<typeof CaptureError>[0]);
}

function fullError(why: string, packets: number, maxPackets: number | undefined): MirrorscopeError {
  if (why === 'packets') {
    return new MirrorscopeError('MAX_PACKETS', `the capture has more than the ${maxPackets} packets that were allowed`, 'raise maxPackets');
  }
  const what = why === 'memory' ? 'the memory is full' : 'the capture has more interfaces than can be told apart';
  return new MirrorscopeError('FULL', `${what} after ${packets} packets`, 'the packets before are there; split the capture to see the others');
}

/** Lets messages and timers have their turn, sooner than a timer of 0 would. */
function othersTurn(): Promise<void> {
  return new Promise((resolve) => {
    // workerd has no such thing, and nothing else to do.
    if (typeof MessageChannel !== 'function') return void setTimeout(resolve, 0);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
