/** Where octets come from: everything that a JavaScript program holds a capture in, made into one stream of chunks. */
import { MirrorscopeError } from './errors.js';

/** A capture that is read piece by piece, for files larger than memory. */
export interface RandomAccess {
  /** Octets of the capture. */
  readonly size: number;
  /** The octets from `offset` on, `length` of them. */
  read(offset: number, length: number): Promise<Uint8Array> | Uint8Array;
}

/** What a capture can be read from: pcap or pcapng, also gzip or zstd. */
export type Source =
  | Blob
  | Response
  | ArrayBuffer
  | ArrayBufferView
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Iterable<Uint8Array>
  | RandomAccess;

/** Octets read at a time from what can be read anywhere. */
const READ_LEN = 1024 * 1024;
/** Octets read first: there is something to show at once, and each piece is twice as long as the one before. */
const FIRST_READ_LEN = 64 * 1024;
/** Octets that tell the format. */
const MAGIC_LEN = 4;

/** A source under way. */
export interface Chunks {
  /** The octets of the capture, uncompressed. */
  readonly octets: AsyncGenerator<Uint8Array>;
  /** Octets of the source, compressed as they are, where that is known. */
  readonly totalBytes: number | undefined;
  /** Octets of the source read so far. */
  bytes(): number;
}

/** Begins to read a source. */
export function open(source: Source, signal?: AbortSignal): Chunks {
  if (typeof source !== 'object' || source === null) throw unreadable();
  const randomAccess = asRandomAccess(source);
  let bytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of until(randomAccess ? pieces(randomAccess) : iterate(source), signal)) {
      bytes += chunk.byteLength;
      yield chunk;
    }
  }
  return { octets: uncompressed(counted()), totalBytes: randomAccess?.size, bytes: () => bytes };
}

/** The source as one that can be read anywhere, if it is one. */
export function asRandomAccess(source: Source): RandomAccess | undefined {
  if (source instanceof Blob) {
    return { size: source.size, read: async (at, len) => new Uint8Array(await source.slice(at, at + len).arrayBuffer()) };
  }
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    const octets = source instanceof ArrayBuffer ? new Uint8Array(source) : new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    return { size: octets.length, read: (at, len) => octets.subarray(at, at + len) };
  }
  return 'read' in source && 'size' in source ? source : undefined;
}

/** Reads from the beginning to the end; the next piece is fetched while one is worked on. */
async function* pieces(source: RandomAccess): AsyncGenerator<Uint8Array> {
  let at = 0;
  let len = FIRST_READ_LEN;
  const read = async (from: number, wanted: number): Promise<Uint8Array> => {
    const piece = asOctets(await source.read(from, wanted));
    if (piece.length !== wanted) throw new MirrorscopeError('SOURCE', `the source gave ${piece.length} octets at ${from}, not ${wanted}`);
    return piece;
  };
  const fetch = (): Promise<Uint8Array> | undefined => {
    if (at >= source.size) return;
    const piece = read(at, Math.min(len, source.size - at));
    at += len;
    len = Math.min(2 * len, READ_LEN);
    // A reader that nobody waits for any more must not end the program.
    piece.catch(() => {});
    return piece;
  };
  for (let next = fetch(); next; ) {
    const piece = await next;
    next = fetch();
    yield piece;
  }
}

async function* iterate(source: Source): AsyncGenerator<Uint8Array> {
  if (source instanceof ReadableStream) {
    yield* fromStream(source);
  } else if (Symbol.asyncIterator in source || Symbol.iterator in source) {
    for await (const chunk of source as AsyncIterable<Uint8Array>) yield asOctets(chunk);
  } else if (source instanceof Response) {
    // Asked last: in Node the mere name of `Response` costs 30 ms, for what stands behind it is loaded.
    if (!source.ok) throw new MirrorscopeError('HTTP', `the server answered ${source.status} ${source.statusText}`);
    if (source.body) yield* iterate(source.body as ReadableStream<Uint8Array>);
  } else {
    throw unreadable();
  }
}

function unreadable(): MirrorscopeError {
  return new MirrorscopeError('SOURCE', 'a capture cannot be read from this', 'give a Blob, ArrayBuffer, stream or iterable');
}

/** By hand, because Safari's streams are no iterables. */
async function* fromStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield asOctets(value);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** A chunk as octets. */
export function asOctets(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new MirrorscopeError('SOURCE', `a chunk of the source is ${typeof chunk}, not octets`, 'do not set an encoding on the stream');
}

/** The same chunks, until the signal says to stop, even while one is awaited. */
async function* until(chunks: AsyncGenerator<Uint8Array>, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  if (!signal) return yield* chunks;
  signal.throwIfAborted();
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop);
  });
  aborted.catch(() => {});
  try {
    for (;;) {
      const { done, value } = await Promise.race([chunks.next(), aborted]);
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    // Not awaited: it may wait for a chunk that never comes.
    chunks.return(undefined).catch(() => {});
  }
}

async function* uncompressed(chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    const head = await beginning(chunks);
    const whole = joined(head, chunks);
    if (!isCompressed(head)) yield* whole;
    else if (head[0] === 0x1f) yield* (await import('./gzip.js')).gunzip(whole);
    else yield* (await import('./zstd.js')).unzstd(whole);
  } finally {
    // Also where nobody read behind the first chunk; not awaited, for it may wait for one that never comes.
    chunks.return(undefined).catch(() => {});
  }
}

/** Whether a capture that begins like this is compressed. */
export function isCompressed(head: Uint8Array): boolean {
  return (head[0] === 0x1f && head[1] === 0x8b) || (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd);
}

/** The first chunk, with as many more as it takes to tell the format. */
async function beginning(chunks: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  let head = new Uint8Array();
  while (head.length < MAGIC_LEN) {
    const { done, value } = await chunks.next();
    if (done) break;
    const longer = new Uint8Array(head.length + value.length);
    longer.set(head);
    longer.set(value, head.length);
    head = longer;
  }
  return head;
}

async function* joined(head: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
  yield* rest;
}
